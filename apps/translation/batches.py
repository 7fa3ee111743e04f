"""From encoded sentence pairs to batches of token ids."""

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.data import batching
from common.training import schedule

from . import text
from .config import Config

# Finer than for texts: sentences are short.
WIDTH_MULTIPLE = 4


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Many sequences in one block of memory.

    Attributes:
        ids: <int32>[tokens], the ids of all sequences, one after the other.
        starts: <int64>[sequences + 1], where each begins.
    """

    ids: np.ndarray
    starts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """<int64>[sequences], the tokens of each."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        """Returns the number of sequences."""
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> np.ndarray:
        """Returns the ids of one sequence."""
        start, end = self.starts[number : number + 2]
        return self.ids[start:end]


class Encoded(NamedTuple):
    """The pairs of a split as numbers, without start and end.

    Attributes:
        source: the sentences to translate.
        target: their translations.
    """

    source: Sequences
    target: Sequences

    @property
    def num_target_tokens(self) -> int:
        """Tokens of all translations, their ends included."""
        return len(self.target.ids) + len(self.target)


def complete(config: Config, pairs: Encoded) -> Config:
    """Chooses the sizes that the config leaves open, by the training data."""
    return schedule.complete(
        config, pairs.num_target_tokens, most=512, least=64, name="batch_tokens"
    )


def make_batches(
    pairs: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """Returns the batches of one epoch, in few fixed shapes.

    All batches of a width have as many rows, `batch_tokens` in all, but the
    last of the widest bucket.

    Args:
        pairs: the split.
        config: gives the batch size, the passes, the number of buckets and
            the seed.
        epoch: which order to shuffle, in each of its passes; None keeps the
            order of the data, in one pass.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of

        - the inputs: source ids <int32>[batch, time], each row with its end,
          and target ids <int32>[batch, time], each behind a start;
        - the labels <int32>[batch, time]: the target ids and their end;
        - the weights of the labels <float32>[batch, time]: 0 on padding.
    """
    rng = None if epoch is None else np.random.default_rng([config.seed, epoch])
    # Both sides hold one id more: an end.
    lengths = np.maximum(pairs.source.lengths, pairs.target.lengths) + 1
    widths = batching.bucket_widths(lengths, config.num_buckets, WIDTH_MULTIPLE)
    sizes = [max(1, config.batch_tokens // width) for width in widths]
    plan = batching.repeat(
        lambda: batching.plan(lengths, widths, sizes, rng),
        1 if rng is None else config.passes,
    )[start:]
    ids = tf.TensorSpec([None, None], tf.int32)
    dataset = tf.data.Dataset.from_generator(
        lambda: (_fill(batch, pairs) for batch in plan),
        output_signature=(
            (ids, ids),
            ids,
            tf.TensorSpec([None, None], tf.float32),
        ),
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(plan)))
    return dataset.prefetch(2)


def _fill(batch: batching.Batch, pairs: Encoded) -> tuple:
    shape = (len(batch.indices), batch.width)
    source, target, labels = (
        np.full(shape, text.PADDING_ID, np.int32) for _ in range(3)
    )
    target[:, 0] = text.START_ID
    for row, number in enumerate(batch.indices):
        ids = pairs.target[number]
        target[row, 1 : len(ids) + 1] = ids
        _write_with_end(labels[row], ids)
        _write_with_end(source[row], pairs.source[number])
    return (source, target), labels, (labels != text.PADDING_ID).astype("f")


def _write_with_end(row: np.ndarray, ids: np.ndarray) -> None:
    row[: len(ids)] = ids
    row[len(ids)] = text.END_ID
