"""Folders as COCO is handed round: captions in a JSON file for each split."""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from common.data import text_files
from common.data.skipped import Skipped
from common.errors import UserError

# Where the files are: beside the images, or as the original unpacks.
FOLDERS = ("", "annotations")
NAME = re.compile(r"captions.*\.json")
# What follows in the name, "trainval" apart, tells the split.
SPLIT = re.compile(r"captions_(train(?!val)|val|dev|test)")
ALIASES = {"val": "valid", "dev": "valid"}
EXPECTED = "captions_train*.json, captions_val*.json or captions_test*.json"


class Table(NamedTuple):
    """One of the tables of a file.

    Attributes:
        path: the file.
        name: "images" or "annotations".
        rows: its objects.
    """

    path: Path
    name: str
    rows: list


def find(folder: Path) -> list[Path]:
    """The files with captions of a folder, `.gz` or not."""
    found = []
    for place in FOLDERS:
        names = {p.name.removesuffix(".gz") for p in (folder / place).glob("*")}
        for name in sorted(filter(NAME.fullmatch, names)):
            found.append(text_files.find(folder / place, name, ("",)))
    return [path for path in found if path]


def read(
    paths: list[Path], encoding: str, skipped: Skipped
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The captions of every image, and the names of those of each split.

    Args:
        paths: from `find`.
        encoding: of these files.
        skipped: notes empty captions, and those of unknown images.

    Returns:
        Captions by the image's name; names by split, which are empty for one
        file that names no split.

    Raises:
        UserError: for files that are no captions of COCO, of no split or of
            the same, and for an image that is there twice.
    """
    captions: dict[str, list[str]] = {}
    lists: dict[str, list[str]] = {}
    seen: dict[str, Path] = {}
    for split, path in _by_split(paths).items():
        images, annotations = _tables(path, encoding)
        names = _names(images, seen)
        for name, caption in _captions(annotations, names, skipped):
            captions.setdefault(name, []).append(caption)
        if split:
            lists[split] = [name for name in names.values() if name in captions]
    return captions, lists


def _by_split(paths: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        split = _split(path)
        if not split and len(paths) > 1:
            raise UserError(
                f"{path}: one of {len(paths)} files, but its name tells no"
                f" split: expected {EXPECTED}"
            )
        if split in found:
            raise UserError(
                f"{path}: {found[split].name} is of the same split, {split}:"
                " expected one file for each; move one of them away"
            )
        found[split] = path
    return found


def _split(path: Path) -> str:
    match = SPLIT.match(path.name)
    return ALIASES.get(match[1], match[1]) if match else ""


def _tables(path: Path, encoding: str) -> tuple[Table, Table]:
    try:
        content = json.loads("".join(text_files.read_lines(path, encoding)))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object {{...}}")
    return _table(path, content, "images"), _table(path, content, "annotations")


def _table(path: Path, content: dict, name: str) -> Table:
    if not isinstance(content.get(name), list):
        raise UserError(
            f'{path}: no list "{name}"; expected "images" and "annotations",'
            f" it has {', '.join(content) or 'nothing'}"
        )
    return Table(path, name, content[name])


def _field(table: Table, number: int, key: str, kinds: Any) -> Any:
    """A value of a row, which must be there."""
    row = table.rows[number]
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kinds):
        raise UserError(
            f'{table.path}: {table.name}[{number}]: expected "{key}" with'
            f" {'a text' if kinds is str else 'a number or text'}, got"
            f" {json.dumps(row)[:80]}"
        )
    return value


def _names(images: Table, seen: dict[str, Path]) -> dict[int | str, str]:
    """From ids to names of files; each may be there once."""
    names: dict[int | str, str] = {}
    for number in range(len(images.rows)):
        key = _field(images, number, "id", (int, str))
        file = _field(images, number, "file_name", str)
        name = PurePosixPath(file).name
        if key in names or name in seen:
            other = seen.get(name, images.path).name
            raise UserError(
                f"{images.path}: images[{number}]: id {key} or {name} is in"
                f" {other} before: expected each image once, in one file"
            )
        names[key] = name
        seen[name] = images.path
    return names


def _captions(
    annotations: Table, names: dict[int | str, str], skipped: Skipped
) -> Iterator[tuple[str, str]]:
    for number in range(len(annotations.rows)):
        key = _field(annotations, number, "image_id", (int, str))
        caption = _field(annotations, number, "caption", str).strip()
        where = f"{annotations.path.name}: annotations[{number}]"
        if key not in names:
            reason = "caption without an image"
            skipped.add(reason, f"{where} of image_id {key}")
        elif not caption:
            skipped.add("empty caption", where)
        else:
            yield names[key], caption
