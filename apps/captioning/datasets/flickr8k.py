"""The layout of Flickr8k and Flickr30k.

A text file holds the captions, lists of names make the splits.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from common.data import text_files
from common.data.skipped import Skipped
from common.data.splits import check_names
from common.errors import UserError, format_names

from .example import Annotations

# The original's archive has a second `.token.txt`, of lemmas.
CAPTIONS = ("Flickr8k.token.txt", "captions.txt")
OTHER_CAPTIONS = (".token.txt", ".token")
# How the name of a list ends, by split, before "Images.txt".
LISTS = {
    "train": ("train",),
    "valid": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}
EXPECTED = "*.trainImages.txt, *.devImages.txt (or val) and *.testImages.txt"
HEADER = ("image", "caption")

# Number of the line, name of the image, caption.
Row = tuple[int, str, str]


def find(folder: Path) -> Path | None:
    """Finds the file with the captions; None if the folder has none.

    Raises:
        UserError: if several files could be it.
    """
    for name in CAPTIONS:
        if path := text_files.find(folder, name, ("",)):
            return path
    return _get_only(_find_by_ending(folder, OTHER_CAPTIONS), "captions")


def _find_by_ending(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    names = {path.name.removesuffix(".gz") for path in folder.iterdir()}
    paths = [
        text_files.find(folder, name, ("",))
        for name in sorted(names)
        if name.endswith(endings) and not name.startswith(".")
    ]
    return [path for path in paths if path]


def _get_only(paths: list[Path], content: str) -> Path | None:
    if len(paths) > 1:
        others = format_names(path.name for path in paths[1:])
        raise UserError(
            f"{paths[0]}: beside it {others}: expected one file of {content};"
            " move the others away"
        )
    return paths[0] if paths else None


def read(path: Path, encoding: str, left_out: Skipped) -> Annotations:
    """Reads the captions of a folder, and the lists of its splits.

    Args:
        path: lines of `NAME#0<TAB>caption` or `NAME<TAB>caption`, or a table
            with commas under the header `image,caption`. Beside it are
            `*.trainImages.txt` and so on, one name in a line.
        encoding: of these files.
        left_out: notes empty captions, and names that are twice in a list.

    Raises:
        UserError: for a line of another form, a file without captions, an
            image in two lists, a split with several lists, or lists of
            splits under other names.
    """
    return Annotations(
        _read_captions(path, encoding, left_out),
        _read_lists(path.parent, encoding, left_out),
    )


def _read_captions(
    path: Path, encoding: str, left_out: Skipped
) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for number, name, caption in _read_rows(path, encoding):
        if caption:
            captions.setdefault(name, []).append(caption)
        else:
            left_out.add("empty caption", f"{path.name}:{number}")
    if not captions:
        raise UserError(
            f"{path}: no captions in it; expected lines of NAME<TAB>caption"
        )
    return captions


def _read_rows(path: Path, encoding: str) -> Iterator[Row]:
    # Old Macs end lines with CR alone; tables are read with them.
    first = next(text_files.read_lines(path, encoding), "").rstrip("\r\n")
    is_table = set(HEADER) <= set(_parse_header(next(csv.reader([first]), [])))
    yield from (_read_table if is_table else _read_tabbed)(path, encoding)


def _parse_header(fields: list[str]) -> list[str]:
    return [field.strip().lower() for field in fields]


def _read_table(path: Path, encoding: str) -> Iterator[Row]:
    rows = csv.reader(text_files.read_lines(path, encoding), strict=True)
    try:
        header = _parse_header(next(rows))
        columns = [header.index(name) for name in HEADER]
        for row in rows:
            if not row:
                continue  # A blank line.
            where = f"{path}:{rows.line_num}"
            if len(row) != len(header):
                raise UserError(
                    f"{where}: expected {len(header)} fields"
                    f" ({format_names(header, ',')}), got {len(row)}:"
                    " put captions with commas in double quotes"
                )
            name, caption = (row[index] for index in columns)
            yield rows.line_num, _parse_name(name, where), caption.strip()
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def _read_tabbed(path: Path, encoding: str) -> Iterator[Row]:
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
        yield number, _parse_name(key, where), caption.strip()


def _parse_name(key: str, where: str) -> str:
    """Takes the caption's number off an image's name, which may have a #."""
    name, _, number = key.rpartition("#")
    name = (name if number.isdecimal() else key).strip()
    if not name:
        raise UserError(f"{where}: expected the name of an image, got none")
    return name


def _read_lists(
    folder: Path, encoding: str, left_out: Skipped
) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    listed: dict[str, Path] = {}
    lists: list[Path] = []
    for split, words in LISTS.items():
        endings = tuple(f"{word}Images.txt" for word in words)
        path = _get_only(_find_by_ending(folder, endings), f"{split} images")
        if path:
            lists.append(path)
            splits[split] = list(_read_list(path, encoding, listed, left_out))
    # Folders hold images.
    others = [path for path in folder.iterdir() if path.is_dir()]
    check_names(folder, [*lists, *others], EXPECTED)
    return splits


def _read_list(
    path: Path, encoding: str, listed: dict[str, Path], left_out: Skipped
) -> Iterator[str]:
    """Yields the names of a list; `listed` has those of all lists before."""
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        name = line.strip()
        if not name:
            continue
        before = listed.get(name)
        if before is None:
            listed[name] = path
            yield name
        elif before == path:
            left_out.add("twice in a list", f"{path.name}:{number}")
        else:
            raise UserError(
                f"{path}:{number}: {name} is in {before.name} too: expected"
                " each image in one list; remove it from one of them"
            )
