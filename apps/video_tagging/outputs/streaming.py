"""Tags of a stream: a line as soon as they change."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from common.characters import printable

from .segments import format_time

# From the next frames of a stream to their tags and probabilities.
TagFn = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def stream_lines(
    tag_frames: TagFn,
    frames: Iterable[tuple[float, np.ndarray]],
    labels: list[str],
    multi_label: bool,
) -> Iterator[str]:
    r"""Yields a line for the first frame, and for each with other tags.

    Args:
        tag_frames: from the frames that follow those before,
            <uint8>[time, size, size, 3] or <float32>[time, dim], to their
            tags, <int32>[time] or <bool>[time, classes], and probabilities,
            <float32>[time, classes].
        frames: seconds and pixels or features of each frame, in order.
        labels: the name of each tag.
        multi_label: whether a frame has a set of tags.

    Yields:
        Seconds, tag and probability, apart by tabs. Of a set: all its tags and
        the lowest of their probabilities. Of an empty set: `-`, and how
        probable it is that the likeliest tag is absent.

    Example:
        >>> def by_its_mean(frames):
        ...     high = frames.mean(axis=1)
        ...     return (high > 0.5).astype(int), np.stack([1 - high, high], 1)
        >>> frames = [(0, [0, 0.2]), (0.04, [0.1, 0.1]), (0.08, [0.5, 1])]
        >>> stream = ((time, np.array(frame)) for time, frame in frames)
        >>> for x in stream_lines(by_its_mean, stream, ["low", "high"], False):
        ...     print(x)
        0.000  low   0.90
        0.080  high  0.75
    """
    describe = _describe_set if multi_label else _describe_tag
    before = None
    for time, frame in frames:
        tags, probabilities = tag_frames(frame[None])
        names, probability = describe(tags[0], probabilities[0], labels)
        if names != before:
            tag = printable(names)
            yield f"{format_time(time, True)}\t{tag}\t{probability:.2f}"
        before = names


def _describe_tag(
    index: np.ndarray, probabilities: np.ndarray, labels: list[str]
) -> tuple[str, float]:
    return labels[index], float(probabilities[index])


def _describe_set(
    active: np.ndarray, probabilities: np.ndarray, labels: list[str]
) -> tuple[str, float]:
    if not active.any():
        return "-", 1 - float(probabilities.max())
    names = [labels[index] for index in np.flatnonzero(active)]
    return " ".join(names), float(probabilities[active].min())
