"""Who trains and who is held out, where the data do not say it all."""

import fnmatch
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.data.splits import split_of
from common.errors import UserError

from ..config import Config
from .folders import SPLITS

Lists = dict[str, list[str]]

NO_VALIDATION = "none"
# With fewer videos, none is held out.
MIN_VIDEOS = 3
# What is read of either end of a large file.
MEGABYTE = 2**20
NUM_LISTED = 8


def complete(
    lists: Lists, identity: Callable[[str], str], config: Config
) -> Lists:
    """Makes the splits that are missing.

    Args:
        lists: names of videos by split; under "" those that have none.
        identity: what equal videos have in common, by the video's name.
        config: its `valid_videos`.

    Returns:
        Names by split. Videos without a split are cut in "train", "valid" and
        "test" by a hash of their content; a training split without one for
        validation gives "valid" a tenth of it, or what `valid_videos` says.
        No split is empty: what has no videos is not there.

    Raises:
        UserError: if `valid_videos` cannot be followed.
    """
    chosen = config.valid_videos
    if "" in lists:
        held_out = ("test",) if chosen else ("valid", "test")
        lists = _cut(lists[""], held_out, identity)
    if chosen == NO_VALIDATION:
        lists = {split: lists[split] for split in lists if split != "valid"}
    elif chosen and "train" in lists:
        lists = lists | _pick(lists, chosen)
    elif "train" in lists and "valid" not in lists:
        lists = lists | _cut(lists["train"], ("valid",), identity)
    return {split: lists[split] for split in SPLITS if lists.get(split)}


def _cut(
    names: list[str],
    held_out: tuple[str, ...],
    identity: Callable[[str], str],
) -> Lists:
    """Cuts by content; equal videos are never on both sides."""
    digests = {name: identity(name) for name in names}
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


def _pick(lists: Lists, patterns: str) -> Lists:
    """Takes the videos to validate on out of those to train with."""
    train = lists["train"]
    listed = ", ".join(train[:NUM_LISTED])
    listed += ", ..." if len(train) > NUM_LISTED else ""
    if "valid" in lists:
        raise UserError(
            f"--valid-videos {patterns}: the data have videos to validate on"
            " already: drop the flag, or the file valid.bundle"
        )
    picked: set[str] = set()
    for pattern in patterns.split(","):
        matching = fnmatch.filter(train, pattern.strip())
        if not matching:
            raise UserError(
                f"--valid-videos {patterns}: {pattern.strip()!r} is no training"
                f" video; expected such as {listed}"
            )
        picked.update(matching)
    if len(picked) == len(train):
        raise UserError(
            f"--valid-videos {patterns}: that is every training video"
            f" ({listed}): leave some to learn from"
        )
    return {
        "train": [name for name in train if name not in picked],
        "valid": [name for name in train if name in picked],
    }


def identity(source: Path | np.ndarray) -> str:
    """What equal videos have in common: a digest of their content.

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
        paths = sorted(source.iterdir()) if source.is_dir() else [source]
        for path in paths:
            digest.update(f"{path.stat().st_size} ".encode())
        # The sizes of packed pictures tell them apart as well as pixels do.
        for path in dict.fromkeys((paths[0], paths[-1])) if paths else ():
            digest.update(_ends(path))
    except OSError as error:
        raise UserError(f"{source}: {error.strerror or error}") from error
    return digest.hexdigest()


def _ends(path: Path) -> bytes:
    """A small file, or both ends of a large one."""
    with path.open("rb") as file:
        start = file.read(2 * MEGABYTE)
        size = path.stat().st_size
        if size <= 2 * MEGABYTE:
            return start
        file.seek(size - MEGABYTE)
        return start[:MEGABYTE] + file.read()
