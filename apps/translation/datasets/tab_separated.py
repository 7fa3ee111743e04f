"""Files with both languages: `source<TAB>target` in each line.

Further columns do not count, nor do columns of numbers or of a single value
before them: `id<TAB>source<TAB>id<TAB>target` is read as it is meant.

pairs.tsv, pairs.txt, pairs.zip         without splits
train.tsv, valid.txt ...                in a folder
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from common.data import tables, text_files, zipped
from common.data.splits import ALIASES, SPLITS, UNDERSTOOD, check_names
from common.errors import UserError, format_names

from . import directions
from .directions import Direction
from .example import Pair

Reader = Callable[[], Iterator[Pair]]

# Rows by which columns of numbers are told from sentences.
NUM_SAMPLED = 100
# In so many rows one and the same value is no sentence.
MIN_ROWS = 10
NUMBER = re.compile(r"\s*[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?\s*")


class Form(NamedTuple):
    """The form of files.

    Attributes:
        encoding: of the text.
        delimiter: between columns; "" is a tab.
    """

    encoding: str = "utf-8"
    delimiter: str = ""


def choose(path: Path, direction: Direction) -> tuple[str, str]:
    """Chooses the names of the source and the target language of a file.

    Raises:
        UserError: if the user names others than the file has, or one twice.
    """
    if columns := _zip_columns(path):
        # The pair is meant from the second column to the first.
        return directions.choose(direction, str(path), columns, columns[::-1])
    return directions.name_columns(direction)


def reader(path: Path, direction: Direction, form: Form) -> Reader:
    """Returns a function that reads one file.

    Raises:
        UserError: if its ending is another, its languages or columns are
            others, or it is a zip without one text file.
    """
    if text_files.suffix(path) not in (*zipped.SUFFIXES, ".zip"):
        raise UserError(
            f"{path}: expected a .tsv or .txt file of source<TAB>target (or"
            " with .gz, or in a .zip), or the folder of train.XX and train.YY"
        )
    languages = choose(path, direction)
    columns = _zip_columns(path)
    swap = languages != columns if columns else direction.reverse
    return partial(read, path, choose_columns(path, swap, form), form)


def find_tables(folder: Path) -> dict[str, Path]:
    """Finds the file of each split of a folder."""
    paths: dict[str, Path] = {}
    for name in (*SPLITS, *ALIASES):
        if path := text_files.find(folder, name, zipped.SUFFIXES):
            paths.setdefault(ALIASES.get(name, name), path)
    return paths


def readers(
    folder: Path, direction: Direction, form: Form
) -> dict[str, Reader]:
    """Returns functions that read the splits of a folder, by their names.

    Lines of the split to test on may be sources alone; the targets of these
    pairs are "".

    Raises:
        UserError: if it has no such files, their columns are others, or there
            are files whose names speak of a split, but are not understood.
    """
    paths = find_tables(folder)
    if not paths:
        inside = format_names(sorted(p.name for p in folder.iterdir()))
        raise UserError(
            f"--data {folder}: expected train.XX and train.YY for --source XX"
            " --target YY, or train.tsv or .txt; it holds"
            f" {inside}: rename these, or pass the path of one"
            " .tsv, .txt or .zip"
        )
    check_names(folder, list(paths.values()), UNDERSTOOD)
    choose(folder, direction)  # Two different names, or none.
    return {
        split: partial(
            read,
            path,
            choose_columns(path, direction.reverse, form),
            form,
            is_paired=split != "test",
        )
        for split, path in paths.items()
    }


def choose_columns(path: Path, swap: bool, form: Form) -> tuple[int, int]:
    """Chooses the columns of source and target by the first rows of a file.

    They are the first two, or with more columns the first two of sentences.

    Args:
        path: the file.
        swap: the second one is the source.
        form: of the file.

    Raises:
        UserError: if fewer than two of several columns can be sentences.
    """
    rows = (row for _, row in _split_rows(path, form) if len(row) > 1)
    sample = list(itertools.islice(rows, NUM_SAMPLED))
    columns = list(zip(*sample, strict=False))  # As many as all rows have.
    chosen = [n for n, cells in enumerate(columns) if _is_text(cells)][:2]
    if len(columns) < 3:  # Numbers may well be the task.
        chosen = [0, 1]
    elif len(chosen) < 2:
        cells = (f"{n + 1}: {x[0]!r}" for n, x in enumerate(columns))
        raise UserError(
            f"{path}: expected two columns of sentences, got"
            f" {format_names(cells)}, and so on: all others are numbers, or"
            " have a single value; remove these, or mend the rows"
        )
    first, second = chosen
    return (second, first) if swap else (first, second)


def _is_text(cells: Sequence[str]) -> bool:
    """Returns True if a column may be one of sentences."""
    is_constant = len(cells) >= MIN_ROWS and len(set(cells)) == 1
    return not is_constant and not all(map(NUMBER.fullmatch, cells))


def _split_rows(path: Path, form: Form) -> Iterator[tuple[int, list[str]]]:
    lines = text_files.read_lines(path, form.encoding, newline="\n")
    separator = tables.parse_delimiter(form.delimiter) or tables.TAB
    return tables.split_rows(lines, path, separator, min_width=2)


def read(
    path: Path,
    columns: tuple[int, int],
    form: Form,
    is_paired: bool = True,
) -> Iterator[Pair]:
    """Yields two columns of each line.

    Args:
        path: the file.
        columns: of source and target, from 0.
        form: of the file.
        is_paired: whether each line must have both.

    Raises:
        UserError: for a line without one of the columns, or a file without a
            line.
    """
    is_empty = True
    for number, row in _split_rows(path, form):
        where = f"{path}:{number}"
        if len(row) > max(columns):
            is_empty = False
            source, target = (row[column] for column in columns)
            yield Pair(source, target, where)
        elif not any(cell.strip() for cell in row):
            continue
        elif is_paired:
            raise _unpaired(where, row, form.delimiter)
        else:
            is_empty = False
            yield Pair(row[0], "", where)
    if is_empty:
        raise UserError(f"{path}: empty, expected lines of source<TAB>target")


def _unpaired(where: str, row: list[str], delimiter: str) -> UserError:
    if len(row) > 1:
        return UserError(
            f"{where}: {len(row)} columns, the lines before have more:"
            f" {format_names(row)}; mend it, or remove it"
        )
    name = repr(delimiter) if delimiter else "tab"
    others = [mark for mark in ";|" if mark in row[0] and mark != delimiter]
    advice = f"; is it {others[0]!r}? Then pass --delimiter" if others else ""
    return UserError(
        f"{where}: no {name} in {row[0][:40]!r}; expected"
        f" source<TAB>target{advice}"
    )


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
