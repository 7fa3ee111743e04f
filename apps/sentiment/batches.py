"""From encoded texts to batches of word ids."""

import dataclasses

import numpy as np
import tensorflow as tf

from common.data import batching
from common.training import schedule

from . import text
from .config import Config

# With fewer training texts each word counts, and is dropped now and then.
SMALL = 2_000


@dataclasses.dataclass(frozen=True)
class Encoded:
    """The examples of a split as numbers, in one block of memory.

    Attributes:
        ids: <int32>[tokens], the word ids of all texts, one after the other.
        starts: <int64>[examples + 1], where each text begins.
        labels: <int32>[examples], the class numbers.
    """

    ids: np.ndarray
    starts: np.ndarray
    labels: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """<int64>[examples], the words of each text, at least 1."""
        return np.diff(self.starts)


def complete(config: Config, examples: Encoded) -> Config:
    """Chooses what the config leaves open, by the training data."""
    amount = len(examples.labels)
    if config.word_dropout == -1:
        # A model of few texts would learn single words by heart.
        share = 0.2 if amount < SMALL else 0.0
        config = dataclasses.replace(config, word_dropout=share)
    return schedule.complete(config, amount, most=64, least=4)


def make_batches(
    examples: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """Returns the batches of one epoch, in few fixed shapes.

    All batches have `batch_size` rows but the last of the widest bucket.

    Args:
        examples: the split.
        config: gives the batch size, the passes, the number of buckets and
            the seed.
        epoch: which order to shuffle, in each of its passes; None keeps the
            order of the data, in one pass.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of ids <int32>[batch, time] and
        labels <int32>[batch].
    """
    rng = None if epoch is None else np.random.default_rng([config.seed, epoch])
    widths = batching.bucket_widths(examples.lengths, config.num_buckets)
    plan = batching.repeat(
        lambda: batching.plan(examples.lengths, widths, config.batch_size, rng),
        1 if rng is None else config.passes,
    )[start:]
    dataset = tf.data.Dataset.from_generator(
        lambda: (_fill(batch, examples) for batch in plan),
        output_signature=(
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int32),
        ),
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(plan)))
    return dataset.prefetch(2)


def _fill(
    batch: batching.Batch, examples: Encoded
) -> tuple[np.ndarray, np.ndarray]:
    shape = (len(batch.indices), batch.width)
    ids = np.full(shape, text.PADDING_ID, np.int32)
    for row, example in enumerate(batch.indices):
        start, end = examples.starts[example : example + 2]
        ids[row, : end - start] = examples.ids[start:end]
    return ids, examples.labels[batch.indices]
