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

from ..config import Config
from . import annotations, folders
from .annotations import Annotation

LABELS = "groundTruth"


def is_there(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / LABELS).is_dir()


def read(folder: Path, config: Config, skipped: Skipped) -> folders.Parts:
    """Reads all but the videos.

    Args:
        folder: has the layout above.
        config: its `encoding`.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: for a file that is broken or missing.
    """
    return folders.Parts(
        folders.media(folder),
        annotations_in(folder / LABELS, config.encoding),
        folders.bundles(folder, config.encoding, skipped),
        folders.mapping(folder, config.encoding),
    )


def annotations_in(folder: Path, encoding: str) -> dict[str, Annotation]:
    """Reads a folder of files with a line for each frame, by video.

    Raises:
        UserError: if there are none, or one cannot be read.
    """
    paths = {
        path.name.removesuffix(".gz").removesuffix(".txt"): path
        for path in sorted(folder.iterdir(), reverse=True)  # Unpacked last.
        if text_files.suffix(path) == ".txt" and not path.name.startswith(".")
    }
    if not paths:
        raise UserError(
            f"{folder}: expected NAME.txt for each video, with a line for each"
            " frame; it has none"
        )
    return {
        name: annotations.read_lines(paths[name], encoding)
        for name in sorted(paths)
    }
