"""What people wrote about a video, to draw it above what a model says."""

from pathlib import Path

from common.errors import UserError
from common.media.videos import Clip

from . import data, datasets
from .config import Config
from .datasets import annotations_csv, mstcn
from .datasets.annotations import Annotation
from .outputs import segments as segments_of


def segments(
    path: Path,
    name: str,
    piece: Clip,
    period: float,
    labels: list[str],
    config: Config,
) -> list[segments_of.Segment]:
    """The true segments of a video.

    Args:
        path: annotations.csv, or a folder with `NAME.txt` of one line a frame.
        name: of the video.
        piece: its frames; their values are not looked at.
        period: how long the last frame is shown.
        labels: the tags that the model knows.
        config: as of `data.encode_labels`.

    Raises:
        UserError: if there are none of this video, or they do not fit it.
    """
    found = annotations_in(path, config)
    if name not in found:
        raise UserError(f"--labels {path}: none of the video {name}")
    example = datasets.Example(name, path, found[name])
    tags, _ = data.encode_labels(example, piece, labels, config)
    if config.multi_label:
        tags = tags > 0
    return segments_of.of_tags(tags, None, labels, piece.times, period)


def annotations_in(path: Path, config: Config) -> dict[str, Annotation]:
    """The annotations of all videos of a file or a folder, by name.

    Raises:
        UserError: if it is none of both, or broken.
    """
    if path.is_dir():
        return mstcn.annotations_in(path, config.encoding)
    if not path.is_file():
        raise UserError(
            f"--labels {path}: expected annotations.csv, or a folder of"
            " NAME.txt with a line for each frame; there is nothing"
        )
    return annotations_csv.annotations_in(path, config)
