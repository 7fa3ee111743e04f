"""From whole videos to batches of windows of frames."""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.data import batching
from common.training import schedule

from .config import Config


@dataclasses.dataclass(frozen=True)
class Encoded:
    """The videos of a split as numbers.

    Attributes:
        names: of the videos.
        frames: of each video, <uint8>[time, height, width, 3], or features
            <float32>[time, features].
        labels: of each video, <int32>[time], or with `multi_label`
            <float32>[time, classes] of 0 and 1.
        weights: of each video, <float32>[time]: 0 for unlabelled frames, else
            what a frame counts in the loss.
    """

    names: list[str]
    frames: list[np.ndarray]
    labels: list[np.ndarray]
    weights: list[np.ndarray]

    @property
    def lengths(self) -> np.ndarray:
        """<int64>[videos], the frames of each, at least 1."""
        return np.array([len(frames) for frames in self.frames], np.int64)


class Window(NamedTuple):
    """Some frames of a video: its number, the first of them, and how many."""

    video: int
    start: int
    length: int


def cut_windows(
    lengths: np.ndarray, size: int, rng: np.random.Generator | None = None
) -> list[Window]:
    """Cuts videos into windows in which every frame occurs once.

    Args:
        lengths: <int64>[videos].
        size: frames of a window, but of the first and last; 0 for videos as
            they are.
        rng: chooses where the first window of each video ends, so that every
            epoch cuts elsewhere.

    Example:
        >>> cut_windows(np.array([5, 2]), 3)
        [Window(video=0, start=0, length=3), Window(video=0, start=3, length=2),
        Window(video=1, start=0, length=2)]
    """
    result = []
    for video, length in enumerate(lengths.tolist()):
        first = size or length
        if size and rng is not None:
            first = int(rng.integers(1, size + 1))
        starts = [0, *range(first, length, size or length)]
        for start, end in zip(starts, [*starts[1:], length], strict=True):
            result.append(Window(video, start, end - start))
    return result


def complete(config: Config, videos: Encoded) -> Config:
    """Chooses the sizes that the config leaves open, by the training data."""
    num_windows = len(cut_windows(videos.lengths, config.window))
    return schedule.complete(config, num_windows, most=8, least=2, min_steps=50)


def make_batches(
    videos: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """Returns the batches of one epoch, in few fixed shapes.

    Args:
        videos: the split.
        config: gives the size of windows and batches, the passes and the
            seed.
        epoch: which windows to cut and in which order, in each of its passes;
            None keeps whole videos, in their order.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of (frames, lengths), labels and
        weights: frames as in `Encoded` with a batch axis, the others
        <int32>[batch], <int32>[batch, time] or <float32>[batch, time,
        classes], and <float32>[batch, time], 0 on padding.
    """
    rng = None if epoch is None else np.random.default_rng([config.seed, epoch])
    plan = batching.repeat(
        lambda: _plan_batches(videos.lengths, config, rng),
        1 if rng is None else config.passes,
    )[start:]
    dataset = tf.data.Dataset.from_generator(
        lambda: (_fill(windows, width, videos) for windows, width in plan),
        output_signature=_signature(videos),
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(plan)))
    return dataset.prefetch(2)


def _plan_batches(
    video_lengths: np.ndarray, config: Config, rng: np.random.Generator | None
) -> list[tuple[list[Window], int]]:
    """Plans a pass: the windows of each batch, and the width to pad them to."""
    windows = cut_windows(
        video_lengths, 0 if rng is None else config.window, rng
    )
    lengths = np.array([window.length for window in windows])
    num_buckets = config.num_buckets
    if rng is None:
        num_buckets = 1  # Several would bring the videos out of order.
    widths = batching.bucket_widths(lengths, num_buckets)
    if rng is not None and config.window:
        # One shape for all epochs, wherever they cut.
        widths = [max(config.window, widths[-1])]
    return [
        ([windows[index] for index in indices], width)
        for indices, width in batching.plan(
            lengths, widths, config.batch_size, rng
        )
    ]


def _signature(videos: Encoded) -> tuple:
    frames, labels = videos.frames[0], videos.labels[0]
    return (
        (
            tf.TensorSpec([None, None, *frames.shape[1:]], frames.dtype),
            tf.TensorSpec([None], tf.int32),
        ),
        tf.TensorSpec([None, None, *labels.shape[1:]], labels.dtype),
        tf.TensorSpec([None, None], tf.float32),
    )


def _fill(windows: list[Window], width: int, videos: Encoded) -> tuple:
    lengths = np.array([window.length for window in windows], np.int32)
    padded = []
    for values in (videos.frames, videos.labels, videos.weights):
        shape = (len(windows), width, *values[0].shape[1:])
        rows = np.zeros(shape, values[0].dtype)
        for row, (video, start, length) in zip(rows, windows, strict=True):
            row[:length] = values[video][start : start + length]
        padded.append(rows)
    frames, labels, weights = padded
    return (frames, lengths), labels, weights
