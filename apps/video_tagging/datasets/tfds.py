"""Clips made of data sets of tensorflow-datasets.

Pictures (`mnist`) move: a tag says where to, which one frame does not show.
Short videos of one action each (`ucf101`) follow each other in a clip: a tag
is the action.
"""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from common.data import tfds_loader
from common.errors import UserError

from ..config import Config
from .folders import SPLITS

DIRECTIONS = ("up_left", "up_right", "down_left", "down_right")
NUM_FRAMES = 40  # Of a clip of a moving picture.
CANVAS = 64  # Height and width, in which the picture moves.
# Of the way from one side to the other, in a frame, up or down as left or
# right. Digits have a way of 36 pixels: they move by a pixel at least.
SPEEDS = (0.04, 0.1)
NUM_JOINED = 3  # Videos in a clip.
NUM_MIDDLE = 32  # Frames of each: its middle, where the action is.
GIGABYTE = 1e9


class Scene(NamedTuple):
    """One clip.

    Attributes:
        name: of the video, if it were a file.
        frames: pixels <uint8>[time, size, size, 3], RGB.
        lines: for each frame its tag.
    """

    name: str
    frames: np.ndarray
    lines: tuple[str, ...]


class Found(NamedTuple):
    """What a data set gives.

    Attributes:
        splits: clips by the name of the split, made as they are asked for.
        labels: all tags.
    """

    splits: dict[str, Iterator[Scene]]
    labels: list[str]


def read(config: Config) -> Found:
    """Makes clips of `config.data`.

    Args:
        config: its `data`, `tfds_dir`, `num_examples` (of moving pictures),
            `image_size`, `seed` and `max_gigabytes`.

    Raises:
        UserError: if there is no such data set, if it is neither of pictures
            nor of labelled videos, or if its frames need too much memory.
    """
    found = tfds_loader.prepare_builder(
        config.data.removeprefix("tfds:"), config.tfds_dir
    )
    splits, features = found.info.splits, found.info.features
    if not {"train", "test"} <= set(splits):
        raise UserError(
            f"--data {config.data}: expected the splits train and test; it has"
            f" {', '.join(splits)}"
        )
    if {"video", "label"} <= set(features):
        return _joined(found, config)
    if "image" in features and _fits(features["image"].shape):
        return _moving(found, config)
    raise UserError(
        f"--data {config.data}: expected pictures of less than {CANVAS} pixels"
        " (image), as mnist has, or labelled videos (video, label), as ucf101;"
        f" it has {', '.join(sorted(features))}"
    )


def _fits(shape: tuple[int | None, ...]) -> bool:
    return all(side is not None and side < CANVAS for side in shape[:2])


def _check_memory(num_frames: int, config: Config) -> None:
    gigabytes = num_frames * config.image_size**2 * 3 / GIGABYTE
    if gigabytes > config.max_gigabytes:
        raise UserError(
            f"--data {config.data}: {num_frames} frames of --image-size"
            f" {config.image_size} are {gigabytes:.1f} GB: expected at most"
            f" --max-gigabytes {config.max_gigabytes:g}; make either fit"
        )


def _moving(found: Any, config: Config) -> Found:
    """Clips of a picture each; no picture is in two splits."""
    num_pictures = found.info.splits["train"].num_examples
    num_held_out = max(5, config.num_examples // 8)
    kept = min(num_held_out, num_pictures // 2)
    parts = {
        "train": (f"train[:-{kept}]", config.num_examples),
        "valid": (f"train[-{kept}:]", num_held_out),
        "test": ("test", num_held_out),
    }
    num_clips = sum(num for _, num in parts.values())
    _check_memory(num_clips * NUM_FRAMES, config)
    splits = {
        split: _moving_scenes(found, part, num, split, config)
        for split, (part, num) in parts.items()
    }
    return Found(splits, list(DIRECTIONS))


def _moving_scenes(
    found: Any, part: str, num: int, split: str, config: Config
) -> Iterator[Scene]:
    import tensorflow as tf
    from tensorflow_datasets.video import moving_mnist

    def moved(row: Any, motion: Any) -> tuple[Any, Any]:
        sequence = moving_mnist.image_as_moving_sequence(
            row["image"], NUM_FRAMES, (CANVAS, CANVAS), motion[1], motion[0]
        )
        frames = resized(sequence.image_sequence, config.image_size)
        return frames, sequence.trajectory

    motions = tf.data.Dataset.from_tensor_slices(
        _motions(num, [config.seed, SPLITS.index(split)])
    )
    pictures = _rows(found, part).repeat()
    with _quiet():
        clips = tf.data.Dataset.zip(pictures, motions).map(
            moved, num_parallel_calls=tf.data.AUTOTUNE
        )
    for index, (frames, way) in enumerate(clips.as_numpy_iterator()):
        pixels = np.broadcast_to(frames, (*frames.shape[:3], 3))
        yield Scene(f"{split}-{index:05}", pixels, directions(way))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps to itself that tensorflow-datasets calls what gets old."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _motions(num: int, seed: list[int]) -> np.ndarray:
    """Where pictures start, and how fast they go: <float32>[num, 2, 2]."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(size=(num, 2))
    velocity = rng.uniform(*SPEEDS, (num, 2)) * rng.choice([-1, 1], (num, 2))
    return np.stack([start, velocity], axis=1).astype(np.float32)


def directions(way: np.ndarray) -> tuple[str, ...]:
    """Where a picture went since the frame before.

    Args:
        way: <float>[time, 2], its distance from the top and from the left.

    Returns:
        A tag for each frame; the first frame has the tag of the second.

    Example:
        >>> directions(np.array([[0, 1], [1, 0], [0.5, 0.5]]))
        ('down_left', 'down_left', 'up_right')
    """
    down, right = np.diff(way, axis=0, prepend=2 * way[:1] - way[1:2]).T > 0
    vertical, horizontal = np.where(down, 2, 0), np.where(right, 1, 0)
    return tuple(DIRECTIONS[index] for index in vertical + horizontal)


def _joined(found: Any, config: Config) -> Found:
    names = found.info.features["label"].names
    splits = {split: found.info.splits[split] for split in ("train", "test")}
    num_videos = sum(split.num_examples for split in splits.values())
    _check_memory(num_videos * NUM_MIDDLE, config)
    return Found(
        {
            split: _joined_scenes(found, split, names, config)
            for split in splits
        },
        list(names),
    )


def _joined_scenes(
    found: Any, split: str, names: list[str], config: Config
) -> Iterator[Scene]:
    import tensorflow as tf

    def middle(row: Any) -> tuple[Any, Any]:
        start = (tf.shape(row["video"])[0] - NUM_MIDDLE) // 2
        encoded = row["video"][tf.maximum(start, 0) :][:NUM_MIDDLE]
        frames = tf.map_fn(_decoded, encoded, fn_output_signature=tf.uint8)
        return resized(frames, config.image_size), row["label"]

    rows = _rows(found, split, video=_skip())
    parts = rows.map(middle, num_parallel_calls=tf.data.AUTOTUNE)
    videos = iter(parts.as_numpy_iterator())
    for index in itertools.count():
        joined = list(itertools.islice(videos, NUM_JOINED))
        if not joined:
            return
        lines = [(names[label],) * len(part) for part, label in joined]
        yield Scene(
            f"{split}-{index:05}",
            np.concatenate([part for part, _ in joined]),
            tuple(itertools.chain(*lines)),
        )


def _rows(found: Any, part: str, **decoders: Any) -> Any:
    """A part of a data set, in the order in which it is stored."""
    import tensorflow_datasets as tfds

    return found.as_dataset(
        split=part,
        shuffle_files=False,
        decoders=decoders or None,
        # Each pass reads once: a cache in memory would only fill it.
        read_config=tfds.ReadConfig(try_autocache=False),
    )


def _skip() -> Any:
    """Leaves frames packed: most of them are not looked at."""
    import tensorflow_datasets as tfds

    return tfds.decode.SkipDecoding()


def _decoded(encoded: Any) -> Any:
    import tensorflow as tf

    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def resized(frames: Any, size: int) -> Any:
    """Frames of another size, without holes where they get smaller.

    Args:
        frames: <uint8>[time, height, width, channels].
        size: height and width of the result.

    Returns:
        A tensor <uint8>[time, size, size, channels].
    """
    import tensorflow as tf

    pixels = tf.image.resize(frames, (size, size), antialias=True)
    return tf.saturate_cast(tf.round(pixels), tf.uint8)
