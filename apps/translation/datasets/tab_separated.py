"""Files with both languages: `source<TAB>target` in each line.

pairs.tsv, pairs.txt, pairs.zip         without splits
train.tsv, valid.txt ...                in a folder
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from common.data import text_files, zipped
from common.data.splits import ALIASES, SPLITS, UNDERSTOOD, check_names
from common.errors import UserError

from . import directions
from .directions import Direction
from .example import Pair

Reader = Callable[[], Iterator[Pair]]


def choose(path: Path, direction: Direction) -> tuple[str, str]:
    """Chooses the names of the source and the target language of a file.

    Raises:
        UserError: if the user names others than the file has, or one twice.
    """
    if columns := _zip_columns(path):
        # The pair is meant from the second column to the first.
        return directions.choose(direction, str(path), columns, columns[::-1])
    return directions.name_columns(direction)


def reader(path: Path, direction: Direction, encoding: str) -> Reader:
    """Returns a function that reads one file.

    Raises:
        UserError: if its ending is another, its languages are others, or it
            is a zip without one text file.
    """
    if text_files.suffix(path) not in (*zipped.SUFFIXES, ".zip"):
        raise UserError(
            f"{path}: expected a .tsv or .txt file of source<TAB>target (or"
            " with .gz, or in a .zip), or the folder of train.XX and train.YY"
        )
    languages = choose(path, direction)
    columns = _zip_columns(path)
    swap = languages != columns if columns else direction.reverse
    return partial(read, path, swap, encoding)


def find_tables(folder: Path) -> dict[str, Path]:
    """Finds the file of each split of a folder."""
    tables: dict[str, Path] = {}
    for name in (*SPLITS, *ALIASES):
        if path := text_files.find(folder, name, zipped.SUFFIXES):
            tables.setdefault(ALIASES.get(name, name), path)
    return tables


def readers(
    folder: Path, direction: Direction, encoding: str
) -> dict[str, Reader]:
    """Returns functions that read the splits of a folder, by their names.

    Raises:
        UserError: if it has no such files, or others whose names speak of a
            split, but are not understood.
    """
    tables = find_tables(folder)
    if not tables:
        inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8])
        raise UserError(
            f"--data {folder}: expected train.XX and train.YY for --source XX"
            " --target YY, or train.tsv or .txt; it holds"
            f" {inside or 'nothing'}: rename these, or pass the path of one"
            " .tsv, .txt or .zip"
        )
    check_names(folder, list(tables.values()), UNDERSTOOD)
    choose(folder, direction)  # Two different names, or none.
    return {
        split: partial(read, path, direction.reverse, encoding)
        for split, path in tables.items()
    }


def read(path: Path, swap: bool, encoding: str) -> Iterator[Pair]:
    """Yields the first two columns of each line.

    Args:
        path: the file.
        swap: the second column is the source.
        encoding: of the file.

    Raises:
        UserError: for a line without a tab, or a file without a line.
    """
    is_empty = True
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        where = f"{path}:{number}"
        first, tab, rest = line.partition("\t")
        second, _, _ = rest.partition("\t")
        if tab:
            is_empty = False
            source, target = (second, first) if swap else (first, second)
            yield Pair(source, target, where)
        elif line.strip():  # Not just a blank line.
            raise UserError(
                f"{where}: no tab in {line[:40]!r}; expected source<TAB>target"
            )
    if is_empty:
        raise UserError(f"{path}: empty, expected lines of source<TAB>target")


def _zip_columns(path: Path) -> tuple[str, ...]:
    """Returns the languages of the columns of `spa-eng.zip` with `spa.txt`.

    By the convention of manythings.org/anki the second language, English,
    comes first in the lines.

    Returns:
        Such as `("eng", "spa")`; () for files with other names.

    Raises:
        UserError: if the zip does not hold one text file.
    """
    if path.is_dir() or text_files.suffix(path) != ".zip":
        return ()
    names = path.stem.split("-")
    inside = Path(zipped.find_text(path)).name
    if len(names) == 2 and inside == f"{names[0]}.txt":
        return names[1], names[0]
    return ()
