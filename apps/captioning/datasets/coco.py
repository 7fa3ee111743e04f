"""The layout of COCO: a JSON file of captions for each split."""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from common.characters import replace_halves
from common.data import json_files, text_files
from common.data.skipped import Skipped
from common.data.splits import ALIASES, check_names, names_split
from common.errors import UserError, format_names

from .example import Annotations

# Where the files are: beside the images, or as the original unpacks.
FOLDERS = ("", "annotations")
NAME = re.compile(r"captions.*\.json")
# The next word of the name tells the split, but "trainval".
SPLIT = re.compile(r"captions_(train(?!val)|val|dev|test)")
ALL = "trainval"
# Other files of the original, with splits in their names.
OTHERS = (
    "instances_",
    "person_keypoints_",
    "image_info_",
    "stuff_",
    "panoptic_",
)
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
    """Finds the files with captions of a folder, `.gz` or not."""
    paths = []
    for place in FOLDERS:
        names = {p.name.removesuffix(".gz") for p in (folder / place).glob("*")}
        for name in sorted(filter(NAME.fullmatch, names)):
            paths.append(text_files.find(folder / place, name, ("",)))
    return [path for path in paths if path]


def read(paths: list[Path], encoding: str, left_out: Skipped) -> Annotations:
    """Reads the captions of each image, and the images of each split.

    Args:
        paths: from `find`.
        encoding: of these files.
        left_out: notes empty captions, and those of unknown images.

    Returns:
        The annotations, without splits if one file names none.

    Raises:
        UserError: for files that are no captions of COCO, of no split or of
            the same, and for an image that is there twice.
    """
    _check_others(paths)
    captions: dict[str, list[str]] = {}
    splits: dict[str, list[str]] = {}
    files: dict[str, Path] = {}
    for split, path in _group_by_split(paths).items():
        images, annotations = _read_tables(path, encoding)
        names = _read_names(images, files)
        for name, caption in _read_captions(annotations, names, left_out):
            captions.setdefault(name, []).append(caption)
        if split:
            listed = [name for name in names.values() if name in captions]
            splits[split] = listed
    return Annotations(captions, splits)


def _check_others(paths: list[Path]) -> None:
    """Refuses lists of splits that nobody would read."""
    folders = {path.parent for path in paths}
    folders |= {x.parent for x in folders if x.name == FOLDERS[1]}
    for folder in folders:
        # Folders hold images; those of the original are of train and val.
        others = [
            path
            for path in folder.iterdir()
            if path.is_dir() or path.name.startswith(OTHERS)
        ]
        check_names(folder, [*paths, *others], EXPECTED)


def _group_by_split(paths: list[Path]) -> dict[str, Path]:
    by_split: dict[str, Path] = {}
    for path in paths:
        split = _parse_split(path)
        if not split and len(paths) > 1:
            raise UserError(
                f"{path}: one of {len(paths)} files, but its name tells no"
                f" split: expected {EXPECTED}"
            )
        if not split and names_split(path.name) and ALL not in path.name:
            raise UserError(
                f"{path}: a split that is not understood: expected {EXPECTED},"
                " or captions.json for all; rename it"
            )
        if split in by_split:
            raise UserError(
                f"{path}: {by_split[split].name} is of the same split, {split}:"
                " expected one file for each; move one of them away"
            )
        by_split[split] = path
    return by_split


def _parse_split(path: Path) -> str:
    match = SPLIT.match(path.name)
    return ALIASES.get(match[1], match[1]) if match else ""


def _read_tables(path: Path, encoding: str) -> tuple[Table, Table]:
    content = json_files.parse(text_files.read_text(path, encoding), path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object {{...}}")
    images = _get_table(path, content, "images")
    return images, _get_table(path, content, "annotations")


def _get_table(path: Path, content: dict, name: str) -> Table:
    if not isinstance(content.get(name), list):
        raise UserError(
            f'{path}: no list "{name}"; expected "images" and "annotations",'
            f" it has {format_names(content)}"
        )
    return Table(path, name, content[name])


def _get_field(table: Table, number: int, key: str, kinds: Any) -> Any:
    """Returns a value of a row, which must be there."""
    row = table.rows[number]
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kinds):
        raise UserError(
            f'{table.path}: {table.name}[{number}]: expected "{key}" with'
            f" {'a text' if kinds is str else 'a number or text'}, got"
            f" {json.dumps(row)[:80]}"
        )
    return value


def _get_id(table: Table, number: int, key: str) -> str:
    """Returns an id as a text: 7, 7.0 (as some programs write) and "7" are one.

    Raises:
        UserError: if there is none.
    """
    value = _get_field(table, number, key, (int, float, str))
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()


def _read_names(images: Table, files: dict[str, Path]) -> dict[str, str]:
    """Maps ids to names of images; `files` says where each name was."""
    names: dict[str, str] = {}
    for number in range(len(images.rows)):
        key = _get_id(images, number, "id")
        file = _get_field(images, number, "file_name", str)
        name = PurePosixPath(file.replace("\\", "/")).name
        if key in names or name in files:
            other = files.get(name, images.path).name
            raise UserError(
                f"{images.path}: images[{number}]: id {key} or {name} is in"
                f" {other} before: expected each image once, in one file"
            )
        names[key] = name
        files[name] = images.path
    return names


def _read_captions(
    annotations: Table, names: dict[str, str], left_out: Skipped
) -> Iterator[tuple[str, str]]:
    for number in range(len(annotations.rows)):
        key = _get_id(annotations, number, "image_id")
        caption = _get_field(annotations, number, "caption", str).strip()
        where = f"{annotations.path.name}: annotations[{number}]"
        if key not in names:
            reason = "caption without an image"
            left_out.add(reason, f"{where} of image_id {key}")
        elif not caption:
            left_out.add("empty caption", where)
        else:
            yield names[key], replace_halves(caption)
