"""Folders in the layout of MS-TCN, which many data sets of actions share.

features/NAME.npy       [dim, time]; or videos/ or frames/ in their place
groundTruth/NAME.txt    a line for each frame
mapping.txt             all tags, if it is there
splits/*.bundle         which videos to train and to test with, if there
"""

from pathlib import Path

from common.data import text_files
from common.data.skipped import Skipped
from common.errors import UserError

from . import annotations, folders
from .annotations import LabelOptions
from .example import Annotation, VideoSet

LABELS = "groundTruth"


def matches(folder: Path) -> bool:
    """Returns True if a folder has this layout."""
    return (folder / LABELS).is_dir()


def read(folder: Path, options: LabelOptions, skipped: Skipped) -> VideoSet:
    """Reads all but the videos.

    Args:
        folder: has the layout above.
        options: its `encoding` is used.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: for a file that is broken or missing.
    """
    return VideoSet(
        folders.find_videos(folder),
        read_annotations(folder, options),
        folders.read_bundles(folder, options.encoding, skipped),
        folders.read_mapping(folder, options),
    )


def read_annotations(
    folder: Path, options: LabelOptions
) -> dict[str, Annotation]:
    """Reads the labels of a folder that has this layout, by video.

    Raises:
        UserError: if there are none, or one cannot be read.
    """
    return read_lines(folder / LABELS, options.encoding)


def find_lines(folder: Path) -> dict[str, Path]:
    """Finds the files with a line for each frame, by video."""
    return {
        folders.strip_ending(path.name.removesuffix(".gz")): path
        for path in sorted(folder.iterdir(), reverse=True)  # Unpacked last.
        if text_files.suffix(path) == ".txt" and not path.name.startswith(".")
    }


def read_lines(folder: Path, encoding: str) -> dict[str, Annotation]:
    """Reads a folder of files with a line for each frame, by video.

    Raises:
        UserError: if there are none, or one cannot be read.
    """
    paths = find_lines(folder)
    if not paths:
        raise UserError(
            f"{folder}: expected NAME.txt for each video, with a line for each"
            " frame; it has none"
        )
    return {
        name: annotations.read_lines(paths[name], encoding)
        for name in sorted(paths)
    }
