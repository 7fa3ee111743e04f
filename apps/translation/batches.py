"""Sentence pairs as numbers, and batches of them."""

import array
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.data import batching
from common.data.skipped import Skipped

from . import datasets, text
from .config import Config
from .filters import fits

# Characters that are tokenised at once: enough to be fast, little to hold.
CHUNK = 1_000_000
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
        """<int64>[sequences]."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> np.ndarray:
        """The ids of one sequence."""
        start, end = self.starts[number : number + 2]
        return self.ids[start:end]


class Encoded(NamedTuple):
    """The pairs of a split as numbers, without start and end.

    Attributes:
        source: what is translated.
        target: its translations.
    """

    source: Sequences
    target: Sequences


def chunks(
    pairs: Iterable[datasets.Pair],
) -> Iterator[tuple[list[datasets.Pair], tuple[tf.Tensor, tf.Tensor]]]:
    """Yields some pairs at a time, with both sides <string>[pairs]."""
    chunk: list[datasets.Pair] = []
    size = 0
    for pair in pairs:
        chunk.append(pair)
        size += len(pair.source) + len(pair.target)
        if size >= CHUNK:
            yield chunk, _sides(chunk)
            chunk, size = [], 0
    if chunk:
        yield chunk, _sides(chunk)


def _sides(pairs: list[datasets.Pair]) -> tuple[tf.Tensor, tf.Tensor]:
    return (
        tf.constant([pair.source.encode("utf-8", "replace") for pair in pairs]),
        tf.constant([pair.target.encode("utf-8", "replace") for pair in pairs]),
    )


def encode(
    pairs: Iterable[datasets.Pair],
    tokenizers: Sequence[text.Tokenizer],
    limits: Config | None = None,
    skipped: Skipped | None = None,
) -> Encoded:
    """Turns pairs into ids, in one pass over their source.

    Args:
        pairs: the pairs of a split.
        tokenizers: of the source and of the target language.
        limits: its `max_tokens` and `max_ratio` say which pairs to leave
            out; None keeps all.
        skipped: notes what is left out.
    """
    blocks = [_Block(), _Block()]
    for chunk, sides in chunks(pairs):
        rows = [
            tokenizer.ragged_ids(side)
            for tokenizer, side in zip(tokenizers, sides, strict=True)
        ]
        if limits is not None:
            kept = fits(*_lengths(rows), limits)
            rows = [tf.ragged.boolean_mask(row, kept) for row in rows]
            for pair, is_kept in zip(chunk, kept, strict=True):
                if not is_kept and skipped is not None:
                    skipped.add("too long or too unequal", pair.where)
        for block, row in zip(blocks, rows, strict=True):
            block.add(row)
    source, target = (block.sequences() for block in blocks)
    return Encoded(source, target)


def _lengths(rows: list[tf.RaggedTensor]) -> tuple[np.ndarray, np.ndarray]:
    source, target = (row.row_lengths().numpy() for row in rows)
    return source, target


class _Block:
    """Sequences that grow where they are: joining blocks would need twice."""

    def __init__(self) -> None:
        self.ids = array.array("i")
        self.starts = array.array("q", [0])

    def add(self, rows: tf.RaggedTensor) -> None:
        splits = len(self.ids) + rows.row_splits[1:]
        self.starts.frombytes(splits.numpy().tobytes())
        self.ids.frombytes(rows.flat_values.numpy().tobytes())

    def sequences(self) -> Sequences:
        return Sequences(
            np.frombuffer(self.ids, np.int32),
            np.frombuffer(self.starts, np.int64),
        )


def batches(
    pairs: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """The batches of one epoch, in few fixed shapes.

    All batches of a width have as many rows, `batch_tokens` in all, but the
    last of the widest bucket.

    Args:
        pairs: the split.
        config: gives the batch size, the number of buckets and the seed.
        epoch: which order to shuffle; None keeps the order of the data.
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
    plan = batching.plan(lengths, widths, sizes, rng)[start:]
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
        _write(source[row], pairs.source[number])
        _write(labels[row], pairs.target[number])
        num_target = len(pairs.target[number])
        target[row, 1 : num_target + 1] = pairs.target[number]
    return (source, target), labels, (labels != text.PADDING_ID).astype("f")


def _write(row: np.ndarray, ids: np.ndarray) -> None:
    row[: len(ids)] = ids
    row[len(ids)] = text.END_ID
