"""Held-out videos, where the data do not name them all."""

import fnmatch
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.data import text_files
from common.data.splits import SPLITS, split_of
from common.errors import UserError, format_names
from common.media import frame_folders

from .example import Source

# Names of videos by split.
Names = dict[str, list[str]]

NO_VALIDATION = "none"
# With fewer videos, none is held out.
MIN_VIDEOS = 3
# What is read of either end of a large file.
MEGABYTE = 2**20


def fill_missing_splits(
    splits: Names, hash_of: Callable[[str], str], valid_videos: str = ""
) -> Names:
    """Makes the splits that are missing.

    Args:
        splits: names of videos by split; under "" those that have none.
        hash_of: from a video's name to a hash of its content.
        valid_videos: patterns of the names of training videos to validate on,
            apart by commas; "none" for no validation, "" for a tenth.

    Returns:
        Names by split. Videos without a split are cut in "train", "valid" and
        "test" by a hash of their content; a training split without one for
        validation gives "valid" a tenth of it, or what `valid_videos` says.
        No split is empty: what has no videos is not there.

    Raises:
        UserError: if `valid_videos` cannot be followed.
    """
    if "" in splits:
        held_out = ("test",) if valid_videos else ("valid", "test")
        splits = _cut(splits[""], held_out, hash_of)
    if valid_videos == NO_VALIDATION:
        splits = {name: splits[name] for name in splits if name != "valid"}
    elif valid_videos and "train" in splits:
        splits = splits | _pick(splits, valid_videos)
    elif "train" in splits and "valid" not in splits:
        splits = splits | _cut(splits["train"], ("valid",), hash_of)
    return {name: splits[name] for name in SPLITS if splits.get(name)}


def _cut(
    names: list[str],
    held_out: tuple[str, ...],
    hash_of: Callable[[str], str],
) -> Names:
    """Cuts by content; equal videos are never on both sides."""
    digests = {name: hash_of(name) for name in names}
    parts: dict[str, list[str]] = {split: [] for split in ("train", *held_out)}
    for digest in sorted(set(digests.values())):
        parts[split_of(digest, held_out)].append(digest)
    if len(set(digests.values())) < MIN_VIDEOS:
        return {"train": names}
    for part in parts.values():
        if not part:  # Few videos: the largest split has two at least.
            part.append(max(parts.values(), key=len).pop(0))
    return {
        split: [name for name in names if digests[name] in part]
        for split, part in parts.items()
    }


def _pick(splits: Names, patterns: str) -> Names:
    """Takes the videos to validate on out of those to train with."""
    train = splits["train"]
    if "valid" in splits:
        raise UserError(
            f"--valid-videos {patterns}: the data have videos to validate on"
            " already: drop the flag, or the split valid"
        )
    picked: set[str] = set()
    for pattern in patterns.split(","):
        matching = fnmatch.filter(train, pattern.strip())
        if not matching:
            raise UserError(
                f"--valid-videos {patterns}: {pattern.strip()!r} is no training"
                f" video; expected such as {format_names(train)}"
            )
        picked.update(matching)
    if len(picked) == len(train):
        raise UserError(
            f"--valid-videos {patterns}: that is every training video"
            f" ({format_names(train)}): leave some to learn from"
        )
    return {
        "train": [name for name in train if name not in picked],
        "valid": [name for name in train if name in picked],
    }


def content_hash(source: Source) -> str:
    """Returns a hash that equal videos have in common.

    Args:
        source: frames, a file, or a folder of frame pictures.

    Raises:
        UserError: if it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(source, np.ndarray):
        digest.update(source.tobytes())
        return digest.hexdigest()
    try:
        paths = [source]
        if source.is_dir():  # Beside the frames may be pipes and folders.
            paths = sorted(filter(frame_folders.is_frame, source.iterdir()))
        for path in paths:
            digest.update(f"{path.stat().st_size} ".encode())
        # The sizes of packed pictures tell them apart as well as pixels do.
        for path in dict.fromkeys((paths[0], paths[-1])) if paths else ():
            digest.update(_read_ends(path))
    except OSError as error:
        raise UserError(f"{source}: {error.strerror or error}") from error
    return digest.hexdigest()


def _read_ends(path: Path) -> bytes:
    """Reads a small file, or both ends of a large one.

    Raises:
        OSError: if it is none: reading a pipe would wait for ever.
    """
    text_files.check_regular(path)
    with path.open("rb") as file:
        start = file.read(2 * MEGABYTE)
        size = path.stat().st_size
        if size <= 2 * MEGABYTE:
            return start
        file.seek(size - MEGABYTE)
        return start[:MEGABYTE] + file.read()
