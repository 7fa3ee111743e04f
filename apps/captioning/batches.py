"""Batches of images and captions, as training wants them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from common.data import batching, feature_files
from common.media import images

from . import datasets, text
from .config import Config

# Finer than for texts: captions are short.
WIDTH_MULTIPLE = 4


class Images(Protocol):
    """The images of a split, by number."""

    def batch(self, numbers: tf.Tensor) -> tf.Tensor:
        """Images <float32>[batch, ...] by numbers <int32>[batch].

        Runs inside a graph.
        """


class Pictures:
    """Pictures that are read from files when they are wanted.

    Args:
        examples: of the split.
        size: height and width to bring them to.
    """

    def __init__(self, examples: Sequence[datasets.Example], size: int) -> None:
        self._size = size
        self._in_memory = isinstance(examples[0].image, bytes)
        self._images = tf.constant([example.image for example in examples])

    def batch(self, numbers: tf.Tensor) -> tf.Tensor:
        """Pixels <float32>[batch, size, size, 3] by numbers <int32>[batch]."""

        def read(number: tf.Tensor) -> tf.Tensor:
            image = self._images[number]
            content = image if self._in_memory else tf.io.read_file(image)
            return images.decode_image(content, self._size)

        return tf.map_fn(read, numbers, fn_output_signature=tf.float32)


class Features:
    """Features that were computed before.

    Args:
        examples: of the split.
        features: of all images, by name.
    """

    def __init__(
        self,
        examples: Sequence[datasets.Example],
        features: feature_files.Features,
    ) -> None:
        self._features = features
        rows = features.rows
        self._rows = np.array([rows[example.name] for example in examples])

    def batch(self, numbers: tf.Tensor) -> tf.Tensor:
        """Features <float32>[batch, regions, dim] by numbers <int32>[batch]."""
        found = tf.numpy_function(
            lambda chosen: self._features.take(self._rows[chosen]),
            [numbers],
            tf.float32,
        )
        shape = [None, self._features.regions, self._features.dim]
        return tf.ensure_shape(found, shape)


class Encoded(NamedTuple):
    """The captions of a split as numbers.

    Attributes:
        images: the images of the split.
        image_of: <int32>[captions], the number of each caption's image.
        captions: the ids of each caption, without start and end.
    """

    images: Images
    image_of: np.ndarray
    captions: list[np.ndarray]


def encode(
    examples: Sequence[datasets.Example],
    of_split: Images,
    vocabulary: list[str],
    max_words: int,
) -> Encoded:
    """Turns the captions of a split into ids."""
    ids = text.ids_of(vocabulary)
    captions = [
        text.encode(caption, ids, max_words)
        for example in examples
        for caption in example.captions
    ]
    counts = [len(example.captions) for example in examples]
    image_of = np.repeat(np.arange(len(examples), dtype=np.int32), counts)
    return Encoded(of_split, image_of, captions)


def batches(
    encoded: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """The batches of one epoch, in few fixed shapes.

    Args:
        encoded: the split.
        config: gives the batch size, the number of buckets and the seed.
        epoch: which captions to draw and how to shuffle them; None takes all,
            in the order of the data.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of

        - the inputs: images <float32>[batch, ...] and ids <int32>[batch,
          time], each caption behind a start;
        - the labels <int32>[batch, time]: the ids and their end;
        - the weights of the labels <float32>[batch, time]: 0 on padding.
    """
    plan = _plan(encoded, config, epoch)[start:]
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
            (encoded.images.batch(inputs[0]), inputs[1]),
            labels,
            weights,
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.prefetch(2)


def _plan(
    encoded: Encoded, config: Config, epoch: int | None
) -> list[batching.Batch]:
    lengths = np.array([len(caption) + 1 for caption in encoded.captions])
    widths = batching.bucket_widths(lengths, config.num_buckets, WIDTH_MULTIPLE)
    chosen = np.arange(len(lengths))
    rng = None
    if epoch is not None:
        rng = np.random.default_rng([config.seed, epoch])
        chosen = drawn(encoded.image_of, config.captions_per_image, rng)
    plan = batching.plan(lengths[chosen], widths, config.batch_size, rng)
    return [batching.Batch(chosen[rows], width) for rows, width in plan]


def drawn(
    image_of: np.ndarray, num_each: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws some captions of each image.

    Args:
        image_of: <int>[captions], the image of each caption.
        num_each: how many of each image; 0 for all.
        rng: draws them.

    Returns:
        Numbers of captions, ascending.

    Example:
        >>> images = np.array([0, 0, 0, 1, 1])
        >>> image_of_drawn = images[drawn(images, 1, np.random.default_rng(0))]
        >>> image_of_drawn.tolist()
        [0, 1]
    """
    if not num_each:
        return np.arange(len(image_of))
    order = rng.permutation(len(image_of))
    by_image = order[np.argsort(image_of[order], kind="stable")]
    firsts = np.searchsorted(image_of[by_image], image_of[by_image])
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
    return (encoded.image_of[batch.indices], ids), labels, weights
