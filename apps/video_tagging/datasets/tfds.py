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
from common.data.splits import SPLITS
from common.errors import UserError, format_names

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


class Options(NamedTuple):
    """The clips to make.

    Attributes:
        spec: `tfds:NAME[/CONFIG]`.
        num_examples: training clips of moving pictures.
        image_size: height and width of the frames.
        max_gigabytes: most memory for them.
        seed: of the motions.
    """

    spec: str
    num_examples: int
    image_size: int
    max_gigabytes: float
    seed: int


class Clips(NamedTuple):
    """The clips of a data set.

    Attributes:
        splits: clips by the name of the split, made as they are asked for.
        labels: all tags.
    """

    splits: dict[str, Iterator[Scene]]
    labels: list[str]


def read_clips(options: Options, tfds_dir: str = "") -> Clips:
    """Makes clips of a data set.

    Args:
        options: the data set, and the clips to make.
        tfds_dir: prepared data; "" for tensorflow-datasets' default.

    Raises:
        UserError: if there is no such data set, if it is neither of pictures
            nor of labelled videos, or if its frames need too much memory.
    """
    builder = tfds_loader.prepare_builder(
        options.spec.removeprefix("tfds:"), tfds_dir
    )
    splits, features = builder.info.splits, builder.info.features
    if not {"train", "test"} <= set(splits):
        raise UserError(
            f"--data {options.spec}: expected the splits train and test; it has"
            f" {format_names(splits)}"
        )
    if {"video", "label"} <= set(features):
        return _join_videos(builder, options)
    if "image" in features and _is_small(features["image"].shape):
        return _move_pictures(builder, options)
    raise UserError(
        f"--data {options.spec}: expected pictures of less than {CANVAS} pixels"
        " (image), as mnist has, or labelled videos (video, label), as ucf101;"
        f" it has {format_names(sorted(features))}"
    )


def _is_small(shape: tuple[int | None, ...]) -> bool:
    return all(side is not None and side < CANVAS for side in shape[:2])


def _check_memory(num_frames: int, options: Options) -> None:
    gigabytes = num_frames * options.image_size**2 * 3 / GIGABYTE
    if gigabytes > options.max_gigabytes:
        raise UserError(
            f"--data {options.spec}: {num_frames} frames of --image-size"
            f" {options.image_size} are {gigabytes:.1f} GB: expected at most"
            f" --max-gigabytes {options.max_gigabytes:g}; make either fit"
        )


def _move_pictures(builder: Any, options: Options) -> Clips:
    """Makes clips of a picture each; no picture is in two splits."""
    num_pictures = builder.info.splits["train"].num_examples
    num_held_out = max(5, options.num_examples // 8)
    num_valid = min(num_held_out, num_pictures // 2)
    parts = {
        "train": (f"train[:-{num_valid}]", options.num_examples),
        "valid": (f"train[-{num_valid}:]", num_held_out),
        "test": ("test", num_held_out),
    }
    num_clips = sum(num for _, num in parts.values())
    _check_memory(num_clips * NUM_FRAMES, options)
    splits = {
        split: _moving_scenes(builder, part, num, split, options)
        for split, (part, num) in parts.items()
    }
    return Clips(splits, list(DIRECTIONS))


def _moving_scenes(
    builder: Any, part: str, num: int, split: str, options: Options
) -> Iterator[Scene]:
    import tensorflow as tf
    from tensorflow_datasets.video import moving_mnist

    def move(row: Any, motion: Any) -> tuple[Any, Any]:
        sequence = moving_mnist.image_as_moving_sequence(
            row["image"], NUM_FRAMES, (CANVAS, CANVAS), motion[1], motion[0]
        )
        frames = resize(sequence.image_sequence, options.image_size)
        return frames, sequence.trajectory

    motions = tf.data.Dataset.from_tensor_slices(
        _draw_motions(num, [options.seed, SPLITS.index(split)])
    )
    pictures = _read_rows(builder, part).repeat()
    with _quiet():
        clips = tf.data.Dataset.zip(pictures, motions).map(
            move, num_parallel_calls=tf.data.AUTOTUNE
        )
    for index, (frames, way) in enumerate(clips.as_numpy_iterator()):
        pixels = np.broadcast_to(frames, (*frames.shape[:3], 3))
        yield Scene(f"{split}-{index:05}", pixels, directions(way))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences warnings that tensorflow-datasets calls what is deprecated."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _draw_motions(num: int, seed: list[int]) -> np.ndarray:
    """Draws starts and velocities of pictures, <float32>[num, 2, 2]."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(size=(num, 2))
    velocity = rng.uniform(*SPEEDS, (num, 2)) * rng.choice([-1, 1], (num, 2))
    return np.stack([start, velocity], axis=1).astype(np.float32)


def directions(way: np.ndarray) -> tuple[str, ...]:
    """Returns the direction of a picture since the frame before.

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


def _join_videos(builder: Any, options: Options) -> Clips:
    """Makes clips of a few videos, one after the other."""
    info = builder.info
    names = info.features["label"].names
    splits = {split: info.splits[split] for split in ("train", "test")}
    num_videos = sum(split.num_examples for split in splits.values())
    _check_memory(num_videos * NUM_MIDDLE, options)
    return Clips(
        {
            split: _joined_scenes(builder, split, names, options)
            for split in splits
        },
        list(names),
    )


def _joined_scenes(
    builder: Any, split: str, names: list[str], options: Options
) -> Iterator[Scene]:
    import tensorflow as tf

    def cut_middle(row: Any) -> tuple[Any, Any]:
        start = (tf.shape(row["video"])[0] - NUM_MIDDLE) // 2
        encoded = row["video"][tf.maximum(start, 0) :][:NUM_MIDDLE]
        frames = tf.map_fn(_decode, encoded, fn_output_signature=tf.uint8)
        return resize(frames, options.image_size), row["label"]

    rows = _read_rows(builder, split, video=_skip_decoding())
    parts = rows.map(cut_middle, num_parallel_calls=tf.data.AUTOTUNE)
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


def _read_rows(builder: Any, part: str, **decoders: Any) -> Any:
    """Returns a part of a data set, in the order in which it is stored."""
    import tensorflow_datasets as tfds

    return builder.as_dataset(
        split=part,
        shuffle_files=False,
        decoders=decoders or None,
        # Each pass reads once: a cache in memory would only fill it.
        read_config=tfds.ReadConfig(try_autocache=False),
    )


def _skip_decoding() -> Any:
    """Leaves frames packed: most of them are not looked at."""
    import tensorflow_datasets as tfds

    return tfds.decode.SkipDecoding()


def _decode(encoded: Any) -> Any:
    import tensorflow as tf

    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def resize(frames: Any, size: int) -> Any:
    """Resizes frames, without holes where they get smaller.

    Args:
        frames: <uint8>[time, height, width, channels].
        size: height and width of the result.

    Returns:
        A tensor <uint8>[time, size, size, channels].
    """
    import tensorflow as tf

    pixels = tf.image.resize(frames, (size, size), antialias=True)
    return tf.saturate_cast(tf.round(pixels), tf.uint8)
