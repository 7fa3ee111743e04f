"""From streams of labelled texts to batches of word ids."""

import array
import collections
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from common.data import batching
from common.errors import UserError

from . import datasets, text
from .config import Config

# Characters that are tokenised at once: enough to be fast, little to hold.
CHUNK = 1_000_000


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


@dataclasses.dataclass(frozen=True)
class Data:
    """What training needs to know about its data.

    Attributes:
        vocabulary: the known words, most frequent first.
        labels: the class names, in the order of the model's outputs.
        train: examples to learn from.
        valid: examples to choose the best epoch by.
        report: what was read and skipped, for the run folder.
    """

    vocabulary: list[str]
    labels: list[str]
    train: Encoded
    valid: Encoded
    report: dict


def load(config: Config) -> Data:
    """Reads the data: counts the words, checks the labels, encodes the texts.

    The source is streamed, again for every step and split; only the ids stay
    in memory, 4 bytes a word.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    splits = datasets.open_splits(config)
    if "train" not in splits:
        raise UserError(
            f"--data {config.data}: no training examples; it has only"
            f" {', '.join(splits)}"
        )
    words, labels, read = _survey(splits["train"])
    if not read["examples"]:
        raise UserError(f"--data {config.data}: no training examples in it")
    if len(labels) < 2:
        raise UserError(
            f"--data {config.data}: expected two or more classes, all"
            f" {read['examples']} training examples are labelled {labels[0]!r}"
        )
    vocabulary = most_frequent(words, config.vocab_size)
    report: dict = {"data": config.data, "train": read}
    for name in sorted(splits.keys() - {"train"}):
        report[name] = _check_labels(splits[name], labels)
    if not report["valid"]["examples"]:
        raise UserError(
            f"--data {config.data}: no validation examples; one example in ten"
            f" is held out and there are only {read['examples']}: give more,"
            " or a valid file beside the train file"
        )
    vectorizer = text.Vectorizer(vocabulary, config.max_tokens)
    train = encode(splits["train"], vectorizer, labels)
    valid = encode(splits["valid"], vectorizer, labels)
    unknown = np.mean(train.ids == text.UNKNOWN_ID)
    report["vocabulary"] = {
        "distinct_words": len(words),
        "kept_words": len(vocabulary),
        "unknown_share": round(float(unknown), 4),
    }
    return Data(vocabulary, labels, train, valid, report)


def most_frequent(
    words: collections.Counter[bytes], vocab_size: int
) -> list[str]:
    """The most frequent words that occur at least twice.

    A word seen once teaches nothing about itself; as an unknown word it
    teaches what unknown words mean.

    Example:
        >>> words = collections.Counter([b"a", b"b", b"a", b"c", b"b", b"a"])
        >>> most_frequent(words, vocab_size=5)
        ['a', 'b']
    """
    ranked = sorted(
        (-count, word) for word, count in words.items() if count > 1
    )
    num_words = vocab_size - text.NUM_SPECIAL
    return [word.decode() for _, word in ranked[:num_words]]


def usable(
    examples: Iterable[datasets.Example], skipped: collections.Counter
) -> Iterator[datasets.Example]:
    """Passes on the examples with a text and a label, counting the others."""
    for example in examples:
        if not example.text.strip():
            skipped["empty_text"] += 1
        elif not example.label:
            skipped["no_label"] += 1
        else:
            yield example


def _chunks(
    examples: Iterable[datasets.Example],
) -> Iterator[tuple[list[datasets.Example], tf.Tensor]]:
    """Yields some examples at a time, with their texts <string>[examples]."""
    chunk: list[datasets.Example] = []
    size = 0
    for example in examples:
        chunk.append(example)
        size += len(example.text)
        if size >= CHUNK:
            yield chunk, _texts(chunk)
            chunk, size = [], 0
    if chunk:
        yield chunk, _texts(chunk)


def _texts(examples: list[datasets.Example]) -> tf.Tensor:
    # A lone surrogate, which JSON can hold, has no UTF-8.
    return tf.constant([e.text.encode("utf-8", "replace") for e in examples])


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def _count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    words = text.tokenize(texts).flat_values
    distinct, _, counts = tf.unique_with_counts(words)
    return distinct, counts


def _survey(
    examples: Iterable[datasets.Example],
) -> tuple[collections.Counter, list[str], dict]:
    """Counts words (in UTF-8) and labels of the training examples."""
    words: collections.Counter[bytes] = collections.Counter()
    labels: collections.Counter[str] = collections.Counter()
    skipped: collections.Counter[str] = collections.Counter()
    for chunk, texts in _chunks(usable(examples, skipped)):
        labels.update(example.label for example in chunk)
        distinct, counts = (values.numpy().tolist() for values in _count(texts))
        words.update(dict(zip(distinct, counts, strict=True)))
    report = {
        "examples": labels.total(),
        "labels": dict(sorted(labels.items())),
        "skipped": dict(skipped),
    }
    return words, sorted(labels), report


def _check_labels(
    examples: Iterable[datasets.Example], labels: list[str]
) -> dict:
    """Refuses labels that training never shows, before it begins."""
    skipped: collections.Counter[str] = collections.Counter()
    num_examples = 0
    for example in usable(examples, skipped):
        label_id(example, labels)
        num_examples += 1
    return {"examples": num_examples, "skipped": dict(skipped)}


def label_id(example: datasets.Example, labels: list[str]) -> int:
    """The class number of an example.

    Raises:
        UserError: if the label is not among `labels`.
    """
    try:
        return labels.index(example.label)
    except ValueError:
        raise UserError(
            f"{example.where}: label {example.label!r} does not occur in the"
            f" training data, which has {', '.join(labels)}"
        ) from None


def encode(
    examples: Iterable[datasets.Example],
    vectorizer: text.Vectorizer,
    labels: list[str],
) -> Encoded:
    """Turns examples into ids, in one pass over their source."""
    ids, starts, label_ids = array.array("i"), array.array("q", [0]), []
    ragged_ids = tf.function(
        vectorizer.ragged_ids,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    for chunk, texts in _chunks(usable(examples, collections.Counter())):
        label_ids += [label_id(example, labels) for example in chunk]
        rows = ragged_ids(texts)
        # Arrays grow where they are: joining blocks would need them twice.
        starts.frombytes((len(ids) + rows.row_splits[1:]).numpy().tobytes())
        ids.frombytes(rows.flat_values.numpy().tobytes())
    return Encoded(
        ids=np.frombuffer(ids, np.int32),
        starts=np.frombuffer(starts, np.int64),
        labels=np.array(label_ids, np.int32),
    )


def batches(
    examples: Encoded, config: Config, epoch: int | None = None, start: int = 0
) -> tf.data.Dataset:
    """The batches of one epoch, in few fixed shapes.

    All batches have `batch_size` rows but the last of the widest bucket.

    Args:
        examples: the split.
        config: gives the batch size, the number of buckets and the seed.
        epoch: which order to shuffle; None keeps the order of the data.
        start: how many batches to leave out, when an epoch is resumed.

    Returns:
        A dataset that knows its length, of ids <int32>[batch, time] and
        labels <int32>[batch].
    """
    rng = None if epoch is None else np.random.default_rng([config.seed, epoch])
    widths = batching.bucket_widths(examples.lengths, config.num_buckets)
    plan = batching.plan(examples.lengths, widths, config.batch_size, rng)
    plan = plan[start:]
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
