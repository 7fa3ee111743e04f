"""Folders of pictures or videos in place of one."""

import os
from collections.abc import Callable, Iterable
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
