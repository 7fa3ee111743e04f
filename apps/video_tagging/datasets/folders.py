"""What a folder of the user's own holds beside the annotations.

features/NAME.npy, or videos/NAME.mp4, or videos/NAME/ or frames/NAME/
mapping.txt             lines of "id name", the order of the labels
splits/train.bundle     lines of NAME or NAME.txt; valid.bundle, test.bundle
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.data import feature_arrays, text_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import videos

from .annotations import Annotation

SPLITS = ("train", "valid", "test")
# Names of splits that other people use.
ALIASES = {"validation": "valid", "dev": "valid", "val": "valid"}


class Parts(NamedTuple):
    """Videos, annotations and splits, which need not fit each other.

    Attributes:
        media: features, a video, or frames, by the video's name.
        annotations: by the video's name.
        lists: names of videos by split; empty where nothing tells splits.
        labels: all tags in order; None where nobody lists them.
    """

    media: dict[str, Path | np.ndarray]
    annotations: dict[str, Annotation]
    lists: dict[str, list[str]]
    labels: list[str] | None


def media(folder: Path) -> dict[str, Path | np.ndarray]:
    """Features if there are any, else videos, else frame pictures, by name.

    Raises:
        UserError: if there are none, or two videos have one name.
    """
    inside = folder / "features"
    features = sorted(inside.iterdir()) if inside.is_dir() else []
    found: dict[str, Path | np.ndarray] = {
        path.stem: path
        for path in features
        if feature_arrays.is_features(path) and not path.name.startswith(".")
    }
    for place in ("videos", "frames"):
        if not found and (folder / place).is_dir():
            found.update(videos.find_videos(folder / place))
    if not found:
        raise UserError(
            f"--data {folder}: no videos: expected features/NAME.npy,"
            " videos/NAME.mp4, or pictures in videos/NAME/ or frames/NAME/"
        )
    return found


def bare_name(text: str) -> str:
    """The name of a video as people write it: of a file, or without ending.

    Example:
        >>> bare_name("S1_Tea.txt"), bare_name("videos/S1_Tea.mp4")
        ('S1_Tea', 'S1_Tea')
        >>> bare_name("take.2")
        'take.2'
    """
    path = Path(text.strip())
    has_ending = path.suffix.lower() in (".txt", feature_arrays.ENDING)
    return path.stem if has_ending or videos.is_video(path) else path.name


def mapping(folder: Path, encoding: str) -> list[str] | None:
    """The labels that `mapping.txt` lists, by their ids; None without it.

    Raises:
        UserError: for a line of another form, an id or name that stands
            twice, or an empty file.
    """
    path = text_files.find(folder, "mapping", (".txt",))
    if path is None:
        return None
    names: dict[int, str] = {}
    lines: dict[int | str, int] = {}
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        if not line.strip():
            continue
        key, name = _mapped(line, f"{path}:{number}")
        for twice in (key, name):
            if twice in lines:
                raise UserError(
                    f"{path}:{number}: {twice} is in line {lines[twice]} too:"
                    " expected another id and name in each line"
                )
            lines[twice] = number
        names[key] = name
    if not names:
        raise UserError(f'{path}: empty, expected lines of "id name"')
    return [names[key] for key in sorted(names)]


def _mapped(line: str, where: str) -> tuple[int, str]:
    key, *rest = line.split(maxsplit=1)
    if not key.isdecimal() or not rest:
        raise UserError(
            f'{where}: expected "id name", such as "0 background", got'
            f" {line[:40]!r}"
        )
    return int(key), rest[0].strip()


def bundles(
    folder: Path, encoding: str, skipped: Skipped
) -> dict[str, list[str]]:
    """The names of videos by split, as `splits/*.bundle` list them.

    Args:
        folder: has the folder `splits`, or no splits.
        encoding: of these files.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: if a bundle is empty, a video is in two of them, or the
            bundles of several splits could be meant.
    """
    found: dict[str, list[str]] = {}
    seen: dict[str, Path] = {}
    for split, path in _bundle_files(folder / "splits").items():
        found[split] = list(_new_names(path, encoding, seen, skipped))
        if not found[split]:
            raise UserError(
                f"{path}: empty, expected lines of NAME or NAME.txt; fill it,"
                " or remove it"
            )
    return found


def _bundle_files(folder: Path) -> dict[str, Path]:
    """Bundles by split: train.bundle, or else train.split1.bundle."""
    names = {**{split: split for split in SPLITS}, **ALIASES}
    number = _number(folder)
    for ending in (".bundle", f".split{number}.bundle"):
        found = {
            split: path
            for name, split in names.items()
            if (path := text_files.find(folder, name, (ending,)))
        }
        if found:
            return {split: found[split] for split in SPLITS if split in found}
    return {}


def _number(folder: Path) -> str:
    """Which of the numbered splits there is; "" if none, or it is not used."""
    names = [path.name for path in folder.glob("*.bundle*")]
    if any(name.count(".split") == 0 for name in names):
        return ""
    matches = (re.search(r"\.split(\d+)\.bundle", name) for name in names)
    numbers = sorted({match[1] for match in matches if match})
    if len(numbers) > 1:
        raise UserError(
            f"{folder}: bundles of the splits {', '.join(numbers)}: expected"
            " one; copy those you want to train.bundle and test.bundle"
        )
    return "".join(numbers)


def _new_names(
    path: Path, encoding: str, seen: dict[str, Path], skipped: Skipped
) -> Iterator[str]:
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        if not (name := bare_name(line)):
            continue
        before = seen.get(name)
        if before is None:
            seen[name] = path
            yield name
        elif before == path:
            skipped.add("twice in a bundle", f"{path.name}:{number}")
        else:
            raise UserError(
                f"{path}:{number}: {name} is in {before.name} too: expected"
                " each video in one split; remove it from one of them"
            )
