"""Folders as Flickr8k and Flickr30k are handed round.

A text file holds the captions, lists of names make the splits.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from common.data import text_files
from common.data.skipped import Skipped
from common.errors import UserError

# The original's archive has a second `.token.txt`, of lemmas.
CAPTIONS = ("Flickr8k.token.txt", "captions.txt")
OTHER_CAPTIONS = (".token.txt", ".token")
# How the name of a list ends, by split, before "Images.txt".
LISTS = {
    "train": ("train",),
    "valid": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}
HEADER = ("image", "caption")

# Line, name of the image, caption.
Row = tuple[int, str, str]


def find(folder: Path) -> Path | None:
    """The file with the captions, or None where the folder has none.

    Raises:
        UserError: if several files could be it.
    """
    for name in CAPTIONS:
        if path := text_files.find(folder, name, ("",)):
            return path
    return _only(_ending(folder, OTHER_CAPTIONS), "captions")


def _ending(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files by the ends of their names, `.gz` or not."""
    names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    found = [
        text_files.find(folder, name, ("",))
        for name in sorted(names)
        if name.endswith(endings) and not name.startswith(".")
    ]
    return [path for path in found if path]


def _only(paths: list[Path], content: str) -> Path | None:
    if len(paths) > 1:
        others = ", ".join(path.name for path in paths[1:])
        raise UserError(
            f"{paths[0]}: beside it {others}: expected one file of {content};"
            " move the others away"
        )
    return paths[0] if paths else None


def captions(
    path: Path, encoding: str, skipped: Skipped
) -> dict[str, list[str]]:
    """The captions of every image, by its name.

    Args:
        path: lines of `NAME#0<TAB>caption` or `NAME<TAB>caption`, or a table
            with commas under the header `image,caption`.
        encoding: of the file.
        skipped: notes empty captions.

    Raises:
        UserError: for a line of another form, or a file without captions.
    """
    found: dict[str, list[str]] = {}
    for number, name, caption in _rows(path, encoding):
        if caption:
            found.setdefault(name, []).append(caption)
        else:
            skipped.add("empty caption", f"{path.name}:{number}")
    if not found:
        raise UserError(
            f"{path}: no captions in it; expected lines of NAME<TAB>caption"
        )
    return found


def _rows(path: Path, encoding: str) -> Iterator[Row]:
    first = next(text_files.read_bare_lines(path, encoding), "")
    is_table = set(HEADER) <= set(_header(next(csv.reader([first]), [])))
    yield from (_table if is_table else _tabbed)(path, encoding)


def _header(fields: list[str]) -> list[str]:
    return [field.strip().lower() for field in fields]


def _table(path: Path, encoding: str) -> Iterator[Row]:
    rows = csv.reader(text_files.read_lines(path, encoding), strict=True)
    try:
        header = _header(next(rows))
        picked = [header.index(name) for name in HEADER]
        for row in rows:
            if not row:
                continue  # A blank line.
            where = f"{path}:{rows.line_num}"
            if len(row) != len(header):
                raise UserError(
                    f"{where}: expected {len(header)} fields"
                    f" ({','.join(header)}), got {len(row)}: put captions with"
                    " commas in double quotes"
                )
            name, caption = (row[index] for index in picked)
            yield rows.line_num, _name(name, where), caption.strip()
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def _tabbed(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        key, tab, caption = line.partition("\t")
        if not tab:
            raise UserError(
                f"{where}: no tab in {line[:40]!r}; expected"
                " NAME#0<TAB>caption or NAME<TAB>caption"
            )
        yield number, _name(key, where), caption.strip()


def _name(key: str, where: str) -> str:
    """Takes the caption's number from an image's name, which may have a #."""
    name, _, number = key.rpartition("#")
    name = (name if number.isdecimal() else key).strip()
    if not name:
        raise UserError(f"{where}: expected the name of an image, got none")
    return name


def lists(
    folder: Path, encoding: str, skipped: Skipped
) -> dict[str, list[str]]:
    """The names of the images of each split for which there is a list.

    Args:
        folder: where `*.trainImages.txt` and so on are, one name in a line.
        encoding: of these files.
        skipped: notes names that stand twice in a list.

    Raises:
        UserError: if an image is in two lists, or a split has several.
    """
    found: dict[str, list[str]] = {}
    seen: dict[str, Path] = {}
    for split, words in LISTS.items():
        endings = tuple(f"{word}Images.txt" for word in words)
        path = _only(_ending(folder, endings), f"{split} images")
        if path:
            found[split] = list(_new_names(path, encoding, seen, skipped))
    return found


def _new_names(
    path: Path, encoding: str, seen: dict[str, Path], skipped: Skipped
) -> Iterator[str]:
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        name = line.strip()
        if not name:
            continue
        before = seen.get(name)
        if before is None:
            seen[name] = path
            yield name
        elif before == path:
            skipped.add("twice in a list", f"{path.name}:{number}")
        else:
            raise UserError(
                f"{path}:{number}: {name} is in {before.name} too: expected"
                " each image in one list; remove it from one of them"
            )
