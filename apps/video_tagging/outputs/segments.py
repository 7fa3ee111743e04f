"""From a tag for each frame to segments: when a tag begins and ends."""

from typing import NamedTuple

import numpy as np

from common.characters import printable


class Segment(NamedTuple):
    """A run of frames that have a tag.

    Attributes:
        start: when its first frame is shown, in seconds; the number of that
            frame where no time is known.
        end: when the frame after its last is shown; it is no part of it.
        tag: the tag's name.
        confidence: mean probability of the tag over these frames, 0 to 1.
    """

    start: float
    end: float
    tag: str
    confidence: float


def find_segments(
    tags: np.ndarray,
    probabilities: np.ndarray | None,
    labels: list[str],
    times: np.ndarray,
    period: float,
) -> list[Segment]:
    """Returns the runs of each tag, by their start, then by their label.

    Args:
        tags: <int32>[time], one tag for each frame, frames of a negative one
            are in no segment; or <bool>[time, classes], a set of tags.
        probabilities: <float32>[time, classes]; None where nothing is
            uncertain, as of true tags: each confidence is 1.
        labels: the name of each tag.
        times: <float64>[time], when each frame is shown, ascending; frame
            numbers where that is unknown.
        period: how long the last frame is shown; 1 where times are numbers.

    Raises:
        ValueError: if there are not as many times as tags.

    Example:
        >>> tags, times = np.array([0, 0, 1]), np.array([0, 0.5, 1])
        >>> probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.25, 0.75]])
        >>> names = ["a", "b"]
        >>> for x in find_segments(tags, probabilities, names, times, 0.5):
        ...     print(format_segment("S1", x, in_seconds=True))
        S1  0.000  1.000  a  0.80
        S1  1.000  1.500  b  0.75
    """
    if len(tags) != len(times):
        raise ValueError(f"expected {len(tags)} times, got {len(times)}")
    if tags.ndim == 1:
        tags = tags[:, None] == np.arange(len(labels))
    if probabilities is None:
        probabilities = np.ones(tags.shape)
    edges = [*map(float, times), *(float(time) + period for time in times[-1:])]
    return [
        Segment(
            edges[begin],
            edges[end],
            labels[index],
            float(probabilities[begin:end, index].mean(dtype=np.float64)),
        )
        for begin, index, end in _find_runs(tags)
    ]


def _find_runs(active: np.ndarray) -> list[tuple[int, int, int]]:
    """Returns first frame, tag and end of runs in <bool>[time, classes]."""
    steps = np.diff(np.pad(active, ((1, 1), (0, 0))).astype(np.int8), axis=0)
    # Tag by tag, so that the first begin and the first end are of one run.
    indices, begins = np.nonzero(steps.T == 1)
    _, ends = np.nonzero(steps.T == -1)
    runs = np.stack([begins, indices, ends], axis=1).tolist()
    return sorted(map(tuple, runs))


def to_milliseconds(seconds: float) -> int:
    """Returns the last whole millisecond that is not after a time.

    Rounded up, the start of a segment would lie after its own first frame, and
    who reads it again would count that frame to the segment before.

    Example:
        >>> to_milliseconds(2 / 30), to_milliseconds(0.3)
        (66, 300)
    """
    rounded = round(seconds * 1000)
    return rounded - (rounded / 1000 > seconds)


def format_time(value: float, in_seconds: bool) -> str:
    """Formats a start or an end: seconds as 12.345, frame numbers as 12."""
    if in_seconds:
        return f"{to_milliseconds(value) / 1000:.3f}"
    return str(round(value))


def format_segment(video: str, segment: Segment, in_seconds: bool) -> str:
    """Formats a segment as a line to print, its columns apart by tabs.

    Returns:
        Video, start, end, tag and confidence; `in_seconds` is False where
        start and end are frame numbers.
    """
    columns = (
        video,
        format_time(segment.start, in_seconds),
        format_time(segment.end, in_seconds),
        segment.tag,
        f"{segment.confidence:.2f}",
    )
    # A tab within a name would move the columns behind it.
    return "\t".join(map(printable, columns))
