"""A video and what is written about it, wherever both come from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from common.data.skipped import Skipped

# Features (`.npy`), a video file, a folder of frame pictures, or the frames
# themselves, <uint8>[time, height, width, 3].
Source = Path | np.ndarray


class Segment(NamedTuple):
    """A tag and when it holds.

    Attributes:
        start: the number of its first frame, from 0, or a time in seconds.
        end: that of the first frame after it; or the time when it ends.
        tag: what is seen.
        line: where it stands in its file, for messages; may be left out.
    """

    start: float
    end: float
    tag: str
    line: int = 0


@dataclasses.dataclass(frozen=True)
class Annotation:
    """All that is written about one video: lines, or segments.

    Attributes:
        where: the file, for messages.
        lines: one for each original frame; None where there are segments.
        segments: used where there are no lines.
        unit: of the segments' starts and ends. A segment has the frames
            whose number or time is at its start or later, and before its end.
            Rounded seconds may lose or gain one: give "frames" where their
            numbers are known, or times half a frame earlier.
    """

    where: str
    lines: tuple[str, ...] | None = None
    segments: tuple[Segment, ...] = ()
    unit: Literal["frames", "seconds"] = "frames"


class VideoSet(NamedTuple):
    """The parts of a data set as a layout has them; they need not match.

    Attributes:
        videos: by name.
        annotations: by the video's name; videos without one teach nothing.
        splits: names of videos by "train", "valid" and "test"; empty where
            nothing tells splits, and a hash cuts them. "valid" may be left
            out: a tenth of "train" is cut off for it.
        labels: all tags in order, with that of `--background` if frames are
            in no segment; None to take those of the training videos.
    """

    videos: Mapping[str, Source]
    annotations: dict[str, Annotation]
    splits: dict[str, list[str]]
    labels: list[str] | None


class Example(NamedTuple):
    """One video and what is written about it.

    Attributes:
        name: of the video, without folder and ending; no other one has it.
        source: the video.
        annotation: None if nothing is written.
    """

    name: str
    source: Source
    annotation: Annotation | None


class Splits(NamedTuple):
    """The examples of a data set.

    Attributes:
        examples: by split name; a split without any is not there.
        labels: all tags in order; None where only the annotations tell.
        skipped: the videos and annotations that were left out.
    """

    examples: dict[str, list[Example]]
    labels: list[str] | None
    skipped: Skipped
