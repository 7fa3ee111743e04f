"""Folders of pictures or videos, and those in the place of one."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def expand_folders(
    inputs: Iterable[str], list_folder: Callable[[Path], list[Path]]
) -> list[str]:
    """Puts what is inside in the place of each folder.

    Args:
        inputs: paths of the command line.
        list_folder: lists what a folder holds of interest.

    Returns:
        Paths. A folder of nothing of interest stays: who reads it says so.
    """
    paths: list[str] = []
    for text in inputs:
        # Unlike Path, this takes any name.
        inside = list_folder(Path(text)) if os.path.isdir(text) else []
        paths += [str(path) for path in inside] or [text]
    return paths


def walk(top: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder below one, and the names of the files in it.

    Links are followed, but no folder is visited twice: links may lead to
    themselves, and two of them would double the work at each level.

    Args:
        top: the folder to begin with.
    """
    visited: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(top, followlinks=True):
        state = os.stat(place)
        if (state.st_dev, state.st_ino) in visited:
            folders.clear()
            continue
        visited.add((state.st_dev, state.st_ino))
        folders.sort()
        yield place, sorted(names)
