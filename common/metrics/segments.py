"""Metrics of tagging every frame of a sequence with one tag, 0 to 100.

They equal those of ms-tcn (Abu Farha and Gall 2019, "MS-TCN: multi-stage
temporal convolutional network for action segmentation", eval.py; before its fix
of 2020 a video's last segment lacked a frame). They are from Lea et al. 2017,
"Temporal convolutional networks for action segmentation and detection",
section 4.
"""

import statistics
from collections.abc import Collection, Hashable, Sequence
from itertools import compress, groupby
from typing import NamedTuple

import numpy as np

_Tags = Sequence | np.ndarray
_Background = Collection[Hashable]
_Pair = tuple[list, list]
_OVERLAPS = (0.10, 0.25, 0.50)


class Segment(NamedTuple):
    """A run of equal tags: the tag, its first frame, the frame after it."""

    tag: Hashable
    start: int
    end: int


class Counts(NamedTuple):
    """Numbers of segments that were found, wrongly found and missed."""

    true_positives: int
    false_positives: int
    false_negatives: int


class Scores(NamedTuple):
    """All scores of a data set, 0 to 100; f1_10 is F1 at an overlap of 0.10."""

    accuracy: float
    edit: float
    f1_10: float
    f1_25: float
    f1_50: float


def score(
    labels: Sequence[_Tags],
    predictions: Sequence[_Tags],
    background: _Background = (),
    ignore: Hashable = None,
) -> Scores:
    """Scores the tags of all videos of a data set.

    Accuracy is over the frames of all videos, the edit score a mean over
    videos, F1 = 2 TP / (2 TP + FP + FN) with sums over videos. As in ms-tcn,
    background counts in the accuracy as any tag does; only edit score and F1
    leave it out. Without segments on both sides they are 100 (ms-tcn: 0 / 0).

    Args:
        labels: <any>[frames] of each video, the true tags.
        predictions: <any>[frames] of each video, the predicted tags.
        background: the tags that are no segments. Default none.
        ignore: frames with this true tag, or None, have no label. They are
            dropped before anything else, videos of only such frames too.
            Default None.

    Returns:
        Accuracy, edit score and F1 at three overlaps, each 0 to 100.

    Raises:
        ValueError: lengths differ, or no frame has a label.

    Example:
        >>> scores = score(["aaab", "bb"], ["aabb", "ba"])
        >>> [round(value, 1) for value in scores]
        [66.7, 75.0, 85.7, 85.7, 85.7]
    """
    _check_lengths(labels, predictions, "videos")
    pairs = zip(labels, predictions, strict=True)
    videos = [
        v for v in (_drop_unlabelled(*pair, ignore) for pair in pairs) if v[0]
    ]
    if not videos:
        raise ValueError(f"no frame of {len(labels)} videos has a label")
    frames = [pair for video in videos for pair in zip(*video, strict=True)]
    return Scores(
        100 * statistics.fmean(tag == other for tag, other in frames),
        statistics.fmean(edit_score(*video, background) for video in videos),
        *(_f1(videos, overlap, background) for overlap in _OVERLAPS),
    )


def _f1(videos: list[_Pair], overlap: float, marks: _Background) -> float:
    counts = [f1_counts(*video, overlap, marks) for video in videos]
    right, wrong, missed = map(sum, zip(*counts, strict=True))
    total = 2 * right + wrong + missed
    return 100 * 2 * right / total if total else 100.0


def find_segments(tags: _Tags) -> list[Segment]:
    """Finds the runs of equal tags in <any>[frames], in order.

    Example:
        >>> [tuple(segment) for segment in find_segments("aab")]
        [('a', 0, 2), ('b', 2, 3)]
    """
    segments, end = [], 0
    for tag, run in groupby(tags):
        start, end = end, end + len(list(run))
        segments.append(Segment(tag, start, end))
    return segments


def edit_score(
    labels: _Tags, predictions: _Tags, background: _Background = ()
) -> float:
    """Compares the order of one video's segments, not their lengths.

    100 (1 - d / n), with n the longer list's number of segments and d the
    fewest segments to insert, delete or replace (Levenshtein). Arguments are
    as in `score`, frames whose true tag is None are dropped. 0 to 100; 100 if
    there is no segment on either side.

    Raises:
        ValueError: the lengths differ.

    Example:
        >>> edit_score("aabbbccc", "aaccbbcc")
        75.0
    """
    sides = _drop_unlabelled(labels, predictions)
    expected, predicted = (
        [s.tag for s in _find_foreground(t, background)] for t in sides
    )
    longer = max(1, len(expected), len(predicted))
    return 100 * (1 - _levenshtein(expected, predicted) / longer)


def _levenshtein(first: list, second: list) -> int:
    """Computes the edit distance, row by row of its table."""
    row = list(range(len(second) + 1))
    for i, tag in enumerate(first, start=1):
        above, row = row, [i]
        for j, other in enumerate(second):
            replaced = above[j] + (tag != other)
            row.append(min(replaced, above[j + 1] + 1, row[j] + 1))
    return row[-1]


def f1_counts(
    labels: _Tags,
    predictions: _Tags,
    overlap: float,
    background: _Background = (),
) -> Counts:
    """Counts the segments of one video that were found, for F1.

    A predicted segment finds the true segment of its tag with which it has
    the highest intersection over union, the first of equals, if that is at
    least `overlap`, above 0 and at most 1. Of those that find the same one
    all but one are wrong. The other arguments are as in `edit_score`.

    Raises:
        ValueError: the lengths differ, or the overlap is out of range.

    Example:
        >>> f1_counts("aaaabb", "aabaab", 0.5)
        Counts(true_positives=2, false_positives=2, false_negatives=0)
    """
    if not 0 < overlap <= 1:
        raise ValueError(f"expected 0 < overlap <= 1, got {overlap}")
    sides = _drop_unlabelled(labels, predictions)
    expected, predicted = (_find_foreground(t, background) for t in sides)
    hit = set()
    for segment in predicted:
        overlaps = [_overlap(segment, other) for other in expected]
        best = max(overlaps, default=0.0)
        if best >= overlap:
            hit.add(overlaps.index(best))
    wrong, missed = len(predicted) - len(hit), len(expected) - len(hit)
    return Counts(len(hit), wrong, missed)


def _overlap(first: Segment, second: Segment) -> float:
    """Computes intersection over union, 0 or less if they do not meet."""
    if first.tag != second.tag:
        return 0.0
    both = min(first.end, second.end) - max(first.start, second.start)
    either = max(first.end, second.end) - min(first.start, second.start)
    return both / either


def _find_foreground(tags: list, background: _Background) -> list[Segment]:
    if isinstance(background, str):  # "a" would be in "background".
        raise ValueError(f"expected a list of tags, got {background!r}")
    return [s for s in find_segments(tags) if s.tag not in background]


def _drop_unlabelled(
    labels: _Tags, predictions: _Tags, ignore: Hashable = None
) -> _Pair:
    """Returns lists of both, without the frames that have no label."""
    _check_lengths(labels, predictions, "frames")
    has_label = [tag is not None and tag != ignore for tag in labels]
    return list(compress(labels, has_label)), list(
        compress(predictions, has_label)
    )


def _check_lengths(labels: _Tags, predictions: _Tags, noun: str) -> None:
    if len(labels) != len(predictions):
        raise ValueError(
            f"expected {len(labels)} {noun}, got {len(predictions)}"
        )
