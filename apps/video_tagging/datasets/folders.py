"""The files of a folder of videos beside the annotations.

features/NAME.npy, or videos/NAME.mp4, or videos/NAME/ or frames/NAME/
mapping.txt             lines of "id name", the order of the labels
splits/train.bundle     lines of NAME or NAME.txt; valid.bundle, test.bundle
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from common.data import feature_arrays, text_files
from common.data.skipped import Skipped
from common.data.splits import (
    ALIASES,
    SPLITS,
    check_names,
    list_names,
    names_split,
)
from common.errors import UserError, format_names
from common.media import videos

from . import annotations
from .annotations import LabelOptions

_ENDINGS = (".txt", feature_arrays.ENDING, *videos.ENDINGS)
# Names under which folders of lists are found elsewhere.
_FOLDERS = re.compile(r".*(splits?|bundles?|folds?|testlists?)\d*")
BUNDLES = "train.bundle, valid.bundle and test.bundle"


def find_videos(folder: Path) -> dict[str, Path]:
    """Finds features, or else videos, or else frame pictures, by name.

    Raises:
        UserError: if there are none, or two videos have one name.
    """
    inside = folder / "features"
    features = sorted(inside.iterdir()) if inside.is_dir() else []
    paths = [
        path
        for path in features
        if feature_arrays.is_features(path) and not path.name.startswith(".")
    ]
    for place in ("videos", "frames"):
        if not paths and (folder / place).is_dir():
            paths = list(videos.find_videos(folder / place).values())
    if not paths:
        raise UserError(
            f"--data {folder}: no videos: expected features/NAME.npy,"
            " videos/NAME.mp4, or pictures in videos/NAME/ or frames/NAME/"
        )
    return _name_paths(paths)


def _name_paths(paths: list[Path]) -> dict[str, Path]:
    """Returns paths by the names of their videos.

    Raises:
        UserError: if two have one name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        name = strip_ending(path.name)
        if name in by_name:
            raise UserError(
                f"{path.parent}: {by_name[name].name} and {path.name} have one"
                f" name, {name}: rename one, or move it away"
            )
        by_name[name] = path
    return by_name


def list_videos(folder: Path) -> list[Path]:
    """Lists the videos, or else the features, directly in a folder.

    None of a folder of frame pictures, which is a video itself.
    """
    if videos.has_frames(folder):
        return []
    inside = sorted(folder.iterdir())
    return videos.list_videos(folder) or [
        path
        for path in inside
        if feature_arrays.is_features(path) and not path.name.startswith(".")
    ]


def find_bare_videos(folder: Path) -> dict[str, Path]:
    """Finds videos without labels, which may lie in the folder itself, too.

    Raises:
        UserError: if there are none, or two videos have one name.
    """
    if any((folder / name).is_dir() for name in ("videos", "frames")):
        return find_videos(folder)
    if paths := videos.find_videos(folder):
        return paths
    raise UserError(
        f"--data {folder}: no videos: expected NAME.mp4 or videos/NAME.mp4,"
        " or pictures in NAME/ or videos/NAME/"
    )


def strip_ending(text: str) -> str:
    """Returns the name of a video that a list has with an ending or without.

    Example:
        >>> strip_ending("S1_Tea.txt"), strip_ending("videos/S1_Tea.mp4")
        ('S1_Tea', 'S1_Tea')
        >>> strip_ending("take.2"), strip_ending("S1_Tea.mp4.npy")
        ('take.2', 'S1_Tea')
    """
    name = Path(text.strip().replace("\\", "/")).name
    while Path(name).suffix.lower() in _ENDINGS:
        name = Path(name).stem
    return name


def read_mapping(folder: Path, options: LabelOptions) -> list[str] | None:
    """Reads the labels of `mapping.txt`, by their ids; None without it.

    Args:
        folder: that may have one.
        options: `encoding` and `multi_label` are used.

    Raises:
        UserError: for a line of another form, an id or name that stands
            twice, a name that cannot be kept, or an empty file.
    """
    path = text_files.find(folder, "mapping", (".txt",))
    if path is None:
        return None
    names: dict[int, str] = {}
    lines: dict[int | str, int] = {}
    for number, line in enumerate(
        text_files.read_bare_lines(path, options.encoding), 1
    ):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        key, name = _parse_label(line, where)
        annotations.check_tag(name, where, options.multi_label)
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


def _parse_label(line: str, where: str) -> tuple[int, str]:
    key, *rest = line.split(maxsplit=1)
    if not key.isdecimal() or len(key) > 18 or not rest:
        raise UserError(
            f'{where}: expected "id name", such as "0 background", got'
            f" {line[:40]!r}"
        )
    return int(key), rest[0].strip()


def read_bundles(
    folder: Path, encoding: str, skipped: Skipped
) -> dict[str, list[str]]:
    """Reads the names of videos by split from `splits/*.bundle`.

    Args:
        folder: has the folder `splits`, or no splits.
        encoding: of these files.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: if a bundle is empty, a video is in two of them, the
            bundles of several splits could be meant, or there are lists of
            splits under other names.
    """
    splits: dict[str, list[str]] = {}
    origins: dict[str, Path] = {}  # The bundle of each video.
    bundles = _find_bundles(folder / "splits")
    _check_lists(folder, bundles, skipped)
    for split, path in bundles.items():
        splits[split] = list(_read_bundle(path, encoding, origins, skipped))
        if not splits[split]:
            raise UserError(
                f"{path}: empty, expected lines of NAME or NAME.txt; fill it,"
                " or remove it"
            )
    return splits


def _find_bundles(folder: Path) -> dict[str, Path]:
    """Finds bundles by split: train.bundle, or else train.split1.bundle."""
    names = {**{split: split for split in SPLITS}, **ALIASES}
    number = _split_number(folder)
    for ending in (".bundle", f".split{number}.bundle"):
        paths = {
            split: path
            for name, split in names.items()
            if (path := text_files.find(folder, name, (ending,)))
        }
        if paths:
            return {split: paths[split] for split in SPLITS if split in paths}
    return {}


def _check_lists(
    folder: Path, bundles: dict[str, Path], skipped: Skipped
) -> None:
    """Refuses lists of splits, and folders of them, that nobody would read."""
    expected = f"{BUNDLES} (or dev, val), in the folder splits"
    check_names(folder, (), expected)
    other = [
        path.name
        for path in folder.iterdir()
        if path.is_dir() and _FOLDERS.fullmatch(path.name.lower())
        if path.name != "splits"
    ]
    if other:
        raise UserError(
            f"{folder}: {list_names(sorted(other))}: the folder of lists is"
            f" named splits, with {BUNDLES} in it; rename it, or move it away"
        )
    if not (folder / "splits").is_dir():
        return
    understood = {path.name.removesuffix(".gz") for path in bundles.values()}
    names = {**{split: split for split in SPLITS}, **ALIASES}
    unknown = sorted(
        path.name
        for path in (folder / "splits").iterdir()
        if not path.name.startswith((".", "README"))
        and path.name.removesuffix(".gz") not in understood
        and not _is_numbered(path.name, names)
    )
    if any(names_split(name) for name in unknown) or (unknown and not bundles):
        raise UserError(
            f"{folder / 'splits'}: {list_names(unknown)} would not be read:"
            f" expected {BUNDLES} (or dev, val), or train.split1.bundle and so"
            " on; rename them, or move them away"
        )
    for name in unknown:
        skipped.add("in splits/, no list of a split", name)


def _is_numbered(name: str, names: Collection[str]) -> bool:
    """Checks for train.split1.bundle, beside train.bundle or alone."""
    match = re.fullmatch(r"(\w+)\.split\d+\.bundle(\.gz)?", name)
    return bool(match and match[1] in names)


def _split_number(folder: Path) -> str:
    """Returns the number of the numbered splits; "" if it is not used."""
    names = [path.name for path in folder.glob("*.bundle*")]
    if any(name.count(".split") == 0 for name in names):
        return ""
    matches = (re.search(r"\.split(\d+)\.bundle", name) for name in names)
    numbers = sorted({match[1] for match in matches if match})
    if len(numbers) > 1:
        raise UserError(
            f"{folder}: bundles of the splits {format_names(numbers)}: expected"
            " one; copy those you want to train.bundle and test.bundle"
        )
    return "".join(numbers)


def _read_bundle(
    path: Path, encoding: str, origins: dict[str, Path], skipped: Skipped
) -> Iterator[str]:
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        if not (name := strip_ending(line)):
            continue
        before = origins.get(name)
        if before is None:
            origins[name] = path
            yield name
        elif before == path:
            skipped.add("twice in a bundle", f"{path.name}:{number}")
        else:
            raise UserError(
                f"{path}:{number}: {name} is in {before.name} too: expected"
                " each video in one split; remove it from one of them"
            )
