"""From encoded captions to batches of images and word ids."""

import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from common.data import batching, feature_files
from common.media import images
from common.training import schedule

from . import text
from .config import Config
from .datasets import Example

# Finer than for texts: captions are short.
WIDTH_MULTIPLE = 4


class ImageLoader(Protocol):
    """The images of a split, by number."""

    def load(self, numbers: tf.Tensor) -> tf.Tensor:
        """Loads images <float32>[batch, ...] by numbers <int32>[batch].

        Runs inside a graph.
        """


class PictureLoader:
    """Pictures, read from their files at each pass.

    Args:
        examples: the split.
        size: height and width to bring them to.
    """

    def __init__(self, examples: Sequence[Example], size: int) -> None:
        self._size = size
        self._in_memory = isinstance(examples[0].image, bytes)
        # A name of a file need not be UTF-8.
        self._images = tf.constant([os.fsencode(x.image) for x in examples])

    def load(self, numbers: tf.Tensor) -> tf.Tensor:
        """Loads pixels <float32>[batch, size, size, 3]."""

        def read(number: tf.Tensor) -> tf.Tensor:
            image = self._images[number]
            content = image if self._in_memory else tf.io.read_file(image)
            return images.decode_image(content, self._size)

        return tf.map_fn(read, numbers, fn_output_signature=tf.float32)


class FeatureLoader:
    """Features that were computed before.

    Args:
        examples: the split.
        features: of all images, by name.
    """

    def __init__(
        self, examples: Sequence[Example], features: feature_files.Features
    ) -> None:
        self._features = features
        rows = features.rows
        self._rows = np.array([rows[example.name] for example in examples])

    def load(self, numbers: tf.Tensor) -> tf.Tensor:
        """Loads features <float32>[batch, regions, dim]."""
        values = tf.numpy_function(
            lambda chosen: self._features.take(self._rows[chosen]),
            [numbers],
            tf.float32,
        )
        shape = [None, self._features.regions, self._features.dim]
        return tf.ensure_shape(values, shape)


class Encoded(NamedTuple):
    """The examples of a split as numbers.

    Attributes:
        images: loads the images of the split.
        image_numbers: <int32>[captions], the image of each caption.
        captions: the ids of each caption, without start and end.
    """

    images: ImageLoader
    image_numbers: np.ndarray
    captions: list[np.ndarray]


def complete(config: Config, encoded: Encoded) -> Config:
    """Chooses the sizes that the config leaves open, by the training data."""
    counts = np.bincount(encoded.image_numbers)
    most_each = config.captions_per_image or counts.max()
    num_captions = int(np.minimum(counts, most_each).sum())
    return schedule.complete(
        config, num_captions, most=32, least=4, min_steps=50
    )


def make_batches(
    encoded: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """Returns the batches of one epoch, in few fixed shapes.

    Args:
        encoded: the split.
        config: gives the batch size, the passes, the number of buckets and
            the seed.
        epoch: which captions to draw and how to shuffle them, in each of its
            passes; None takes all, in the order of the data.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of

        - the inputs: images <float32>[batch, ...] and ids <int32>[batch,
          time], each caption behind a start;
        - the labels <int32>[batch, time]: the ids and their end;
        - the weights of the labels <float32>[batch, time]: 0 on padding.
    """
    rng = None if epoch is None else np.random.default_rng([config.seed, epoch])
    plan = batching.repeat(
        lambda: _plan(encoded, config, rng),
        1 if rng is None else config.passes,
    )[start:]
    ids = tf.TensorSpec([None, None], tf.int32)
    dataset = tf.data.Dataset.from_generator(
        lambda: (_fill(batch, encoded) for batch in plan),
        output_signature=(
            (tf.TensorSpec([None], tf.int32), ids),
            ids,
            tf.TensorSpec([None, None], tf.float32),
        ),
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(plan)))
    dataset = dataset.map(
        lambda inputs, labels, weights: (
            (encoded.images.load(inputs[0]), inputs[1]),
            labels,
            weights,
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.prefetch(2)


def _plan(
    encoded: Encoded, config: Config, rng: np.random.Generator | None
) -> list[batching.Batch]:
    lengths = np.array([len(caption) + 1 for caption in encoded.captions])
    widths = batching.bucket_widths(lengths, config.num_buckets, WIDTH_MULTIPLE)
    chosen = np.arange(len(lengths))
    if rng is not None:
        chosen = sample_captions(
            encoded.image_numbers, config.captions_per_image, rng
        )
    plan = batching.plan(lengths[chosen], widths, config.batch_size, rng)
    return [batching.Batch(chosen[rows], width) for rows, width in plan]


def sample_captions(
    image_numbers: np.ndarray, num_each: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws some captions of each image.

    Args:
        image_numbers: <int>[captions], the image of each caption.
        num_each: how many of each image; 0 for all.
        rng: draws them.

    Returns:
        Numbers of captions <int>[...], ascending.

    Example:
        >>> images = np.array([0, 0, 0, 1, 1])
        >>> captions = sample_captions(images, 1, np.random.default_rng(0))
        >>> images[captions].tolist()
        [0, 1]
    """
    if not num_each:
        return np.arange(len(image_numbers))
    order = rng.permutation(len(image_numbers))
    by_image = order[np.argsort(image_numbers[order], kind="stable")]
    firsts = np.searchsorted(image_numbers[by_image], image_numbers[by_image])
    rank = np.arange(len(by_image)) - firsts
    return np.sort(by_image[rank < num_each])


def _fill(batch: batching.Batch, encoded: Encoded) -> tuple:
    shape = (len(batch.indices), batch.width)
    ids, labels = (np.full(shape, text.PADDING_ID, np.int32) for _ in range(2))
    ids[:, 0] = text.START_ID
    for row, number in enumerate(batch.indices):
        caption = encoded.captions[number]
        ids[row, 1 : len(caption) + 1] = caption
        labels[row, : len(caption)] = caption
        labels[row, len(caption)] = text.END_ID
    weights = (labels != text.PADDING_ID).astype("f")
    return (encoded.image_numbers[batch.indices], ids), labels, weights
