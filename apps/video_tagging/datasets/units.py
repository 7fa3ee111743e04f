"""Segments beside the lengths of their videos: are times in the right unit?"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from common.data.skipped import Skipped
from common.errors import UserError

from .annotations import LabelOptions
from .example import Annotation, Segment

# Rounding, and what a player adds: a share of a video, or one second or frame.
TOLERANCE = 0.02
# Labels that end so many times later than their video are no slip.
FAR = 10.0
# All labels of all videos in such a share of them, and ends alike, too.
EARLY: dict[str, float] = {"seconds": 1 / 30, "frames": 1 / 10}
ALIKE = 1.3
HINTS = {
    "seconds": "expected seconds; are these milliseconds, minutes or numbers"
    " of frames (columns start_frame,end_frame), or is --frame-rate another?",
    "frames": "expected numbers of frames from 0; are these seconds (columns"
    " start,end), or those of a video with another frame rate?",
}


class Extent(NamedTuple):
    """The length of a video beside its segments.

    Attributes:
        name: of the video.
        where: the file of the segments.
        unit: of times, "seconds" or "frames".
        segments: at least one.
        end: when the video ends, in this unit.
    """

    name: str
    where: str
    unit: Literal["frames", "seconds"]
    segments: tuple[Segment, ...]
    end: float

    @property
    def last(self) -> float:
        """The end of the last segment."""
        return max(segment.end for segment in self.segments)

    @property
    def outside(self) -> list[Segment]:
        """The segments that begin after the last frame."""
        return [x for x in self.segments if x.start >= self.end]

    def is_off(self) -> bool:
        """Returns True if more than rounding is outside."""
        slack = max(TOLERANCE * self.end, 1.0)
        starts_late = any(x.start >= self.end + slack for x in self.outside)
        return starts_late or self.last > 1.5 * self.end + slack


def measure(
    name: str, annotation: Annotation, times: np.ndarray, total: int
) -> Extent | None:
    """Measures a video; None if it has no segments.

    Args:
        name: of the video.
        annotation: of it.
        times: <float64>[time], when its frames are shown.
        total: number of original frames.
    """
    if not annotation.segments:
        return None
    end = float(total)
    if annotation.unit == "seconds":
        steps = np.diff(times)
        end = float(times[-1] + (np.median(steps) if len(steps) else 1.0))
    return Extent(
        name, annotation.where, annotation.unit, annotation.segments, end
    )


def check_units(
    extents: Sequence[Extent], options: LabelOptions, skipped: Skipped
) -> None:
    """Checks that segments lie where their videos have frames.

    Args:
        extents: of the videos of a split.
        options: with `align="crop"` anything goes.
        skipped: notes the segments that begin after the last frame.

    Raises:
        UserError: if one video, or most of them, show that the times are in
            another unit; both numbers are named.
    """
    for extent in extents:
        for segment in extent.outside:
            skipped.add(
                "segment after the last frame",
                f"{extent.name} at {segment.start:g} of {extent.end:g}",
            )
    if options.align == "crop" or not extents:
        return
    off = [extent for extent in extents if extent.is_off()]
    worst = max(extents, key=lambda extent: extent.last / extent.end)
    if worst.last >= FAR * worst.end or 2 * len(off) > len(extents):
        raise UserError(
            f"{_compare(worst)}, and so in {len(off)} of"
            f" {len(extents)} videos: {HINTS[worst.unit]} --align crop uses"
            " what both have"
        )
    if _are_early(extents):
        raise UserError(
            f"{_compare(worst)}, and after the same share in all"
            f" {len(extents)} videos: {HINTS[worst.unit]} --align crop takes"
            " them as they are"
        )


def _compare(extent: Extent) -> str:
    return (
        f"{extent.where}: the segments of {extent.name} end at"
        f" {extent.last:g} {extent.unit}, its frames at {extent.end:g}"
    )


def _are_early(extents: Sequence[Extent]) -> bool:
    """Returns True if labels of all videos end early, at the same share.

    One that is labelled in its beginning alone is nothing strange; some that
    all end at a 25th have seconds in place of frames.
    """
    shares = [extent.last / extent.end for extent in extents]
    is_early = max(shares) <= EARLY[extents[0].unit]
    return len(shares) > 1 and is_early and max(shares) <= ALIKE * min(shares)
