"""From streams of labelled texts to word ids and class numbers."""

import array
import collections
import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import tensorflow as tf

from common.data import example_text, skipped
from common.data.names import check_label
from common.data.skipped import Skipped
from common.data.splits import Stream
from common.errors import UserError, format_names
from common.training import schedule

from . import datasets, text
from .batches import SMALL, Encoded
from .config import Config
from .datasets import Example

# Characters that are tokenised at once: enough to be fast, little to hold.
CHUNK = 1_000_000
# Of a rare label, all examples may be held out.
UNTRAINED = "label without training examples"


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of a training run.

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

    def summary(self) -> str:
        """Returns a few lines on the data, for the screen."""
        lines = [
            f"{len(self.train.labels)} training and {len(self.valid.labels)}"
            f" validation texts, {len(self.vocabulary)} words, labels"
            f" {format_names(self.labels)}"
        ]
        lines += schedule.describe_kept(self.report)
        lines += skipped.format_report(self.report["skipped"])
        return "\n".join(lines + skipped.format_empty(self.report, "a label"))


def open_splits(config: Config) -> dict[str, Stream[Example]]:
    """Finds the splits of `config.data`; nothing is read yet.

    Raises:
        UserError: if there is no such data, or none that fits a known layout.
    """
    return datasets.open_splits(
        config.data,
        text_column=config.text_column,
        label_column=config.label_column,
        delimiter=config.delimiter,
        encoding=config.encoding,
        tfds_dir=config.tfds_dir,
        num_examples=config.num_examples,
        seed=config.seed,
    )


def load(config: Config) -> Data:
    """Reads the data: counts the words, checks the labels, encodes the texts.

    The source is streamed, again for every step and split; only the ids stay
    in memory, 4 bytes a word.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    splits = open_splits(config)
    if "train" not in splits:
        raise UserError(
            f"--data {config.data}: no training examples; it has only"
            f" {format_names(splits)}"
        )
    left_out = Skipped()
    words, label_counts = _count_training(splits["train"], left_out)
    labels = sorted(label_counts)
    _check_classes(label_counts, config)
    counts = {
        name: _count_usable(splits[name], labels, left_out)
        for name in sorted(splits.keys() - {"train"})
    }
    if not counts["valid"]:
        raise UserError(
            f"--data {config.data}: no validation examples; one example in ten"
            f" is held out and there are only {label_counts.total()}: give"
            " more, or a valid file beside the train file"
        )
    _check_words(words, label_counts.total(), config)
    min_count = 1 if label_counts.total() < SMALL else 2
    vocabulary = most_frequent(words, config.vocab_size, min_count)
    vectorizer = text.Vectorizer(vocabulary, config.max_tokens)
    train = encode(splits["train"], vectorizer, labels)
    valid = encode(splits["valid"], vectorizer, labels)
    unknown = np.mean(train.ids == text.UNKNOWN_ID)
    report = {
        "data": config.data,
        "train": {
            "examples": label_counts.total(),
            "labels": dict(sorted(label_counts.items())),
        },
        **{name: {"examples": count} for name, count in counts.items()},
        "kept_epoch": schedule.choose_kept(counts["valid"]),
        "skipped": left_out.report(),
        "vocabulary": {
            "distinct_words": len(words),
            "kept_words": len(vocabulary),
            "unknown_share": round(float(unknown), 4),
        },
        "example": _example(splits["valid"], vocabulary),
    }
    return Data(vocabulary, labels, train, valid, report)


def most_frequent(
    words: collections.Counter[bytes], vocab_size: int, min_count: int
) -> list[str]:
    """Returns the most frequent words.

    Args:
        words: of all training texts, in UTF-8.
        vocab_size: the most ids, special ones included.
        min_count: rarer words are left out. In large data, a word seen once
            teaches more as one of the unknown words.

    Example:
        >>> words = collections.Counter([b"a", b"b", b"a", b"c", b"b", b"a"])
        >>> most_frequent(words, vocab_size=5, min_count=2)
        ['a', 'b']
    """
    ranked = sorted(
        (-count, word) for word, count in words.items() if count >= min_count
    )
    num_words = vocab_size - text.NUM_SPECIAL
    return [word.decode() for _, word in ranked[:num_words]]


def usable(
    examples: Iterable[Example],
    left_out: Skipped,
    labels: Collection[str] | None = None,
) -> Iterator[Example]:
    """Yields the examples with a text and a label; counts the others.

    Args:
        examples: of a split.
        left_out: counts those that are left out.
        labels: of the training data, which may lack a rare one. Default None:
            any label.

    Raises:
        UserError: for a label that no file can hold.
    """
    for example in examples:
        check_label(example.label, example.where)
        if not example.text.strip():
            left_out.add("empty text", example.where)
        elif not example.label:
            left_out.add("no label", example.where)
        elif labels is not None and example.label not in labels:
            left_out.add(UNTRAINED, f"{example.where} ({example.label!r})")
        else:
            yield example


def _chunks(
    examples: Iterable[Example],
) -> Iterator[tuple[list[Example], tf.Tensor]]:
    """Yields chunks of examples, with their texts <string>[examples]."""
    chunk: list[Example] = []
    size = 0
    for example in examples:
        chunk.append(example)
        size += len(example.text)
        if size >= CHUNK:
            yield chunk, _texts(chunk)
            chunk, size = [], 0
    if chunk:
        yield chunk, _texts(chunk)


def _texts(examples: list[Example]) -> tf.Tensor:
    # A lone surrogate, which JSON can hold, has no UTF-8.
    return tf.constant([e.text.encode("utf-8", "replace") for e in examples])


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def _count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    words = text.tokenize(texts).flat_values
    distinct, _, counts = tf.unique_with_counts(words)
    return distinct, counts


def _count_training(
    examples: Iterable[Example], left_out: Skipped
) -> tuple[collections.Counter[bytes], collections.Counter[str]]:
    """Counts the words (in UTF-8) and the labels of the training examples."""
    words: collections.Counter[bytes] = collections.Counter()
    labels: collections.Counter[str] = collections.Counter()
    for chunk, texts in _chunks(usable(examples, left_out)):
        labels.update(example.label for example in chunk)
        distinct, counts = (values.numpy().tolist() for values in _count(texts))
        words.update(dict(zip(distinct, counts, strict=True)))
    return words, labels


def _check_classes(labels: collections.Counter[str], config: Config) -> None:
    if not labels:
        raise UserError(f"--data {config.data}: no training examples in it")
    if len(labels) < 2:
        raise UserError(
            f"--data {config.data}: expected two or more classes, all"
            f" {labels.total()} training examples are labelled"
            f" {next(iter(labels))!r}"
        )


def _check_words(
    words: collections.Counter[bytes], num_texts: int, config: Config
) -> None:
    if max(words.values(), default=0) < 2:
        raise UserError(
            f"--data {config.data}: no word occurs twice in its {num_texts}"
            f" training texts: is {config.text_column!r} the column of the"
            " text? Name it with --text-column"
        )


def _count_usable(
    examples: Stream[Example], labels: list[str], left_out: Skipped
) -> int:
    """Counts the examples of a split beside the training data."""
    here = Skipped()
    count = sum(1 for _ in usable(examples, here, labels))
    check_labels(here, count if examples.held_out else 0, labels)
    left_out.update(here)
    return count


def check_labels(left_out: Skipped, most: int, labels: list[str]) -> None:
    """Refuses a split with too many labels that training never shows.

    Args:
        left_out: of the split.
        most: examples with such labels that may be left out.
        labels: of the training data.

    Raises:
        UserError: with the place of the first one.
    """
    count = left_out.counts[UNTRAINED]
    if count > most:
        raise UserError(
            f"{left_out.places[UNTRAINED][0]}: this label does not occur in the"
            f" training data, which has {format_names(labels)}; so it is with"
            f" {count} examples: is it the --label-column, or a mistake?"
        )


def _example(examples: Iterable[Example], vocabulary: list[str]) -> str:
    """Returns a validation text, as it is typed behind `predict RUN`."""
    candidates = list(
        itertools.islice(
            usable(examples, Skipped()), example_text.NUM_CANDIDATES
        )
    )
    rows = text.tokenize(_texts(candidates)).to_list()
    known = {word.encode() for word in vocabulary}
    return example_text.choose_text(
        [example.text for example in candidates],
        [len(row) for row in rows],
        [len(set(row) - known) for row in rows],
    )


def encode(
    examples: Iterable[Example],
    vectorizer: text.Vectorizer,
    labels: list[str],
) -> Encoded:
    """Encodes examples as ids, in one pass over their source."""
    ids, starts, label_ids = array.array("i"), array.array("q", [0]), []
    ragged_ids = tf.function(
        vectorizer.ragged_ids,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    for chunk, texts in _chunks(usable(examples, Skipped(), labels)):
        label_ids += [labels.index(example.label) for example in chunk]
        rows = ragged_ids(texts)
        # Arrays grow where they are: joining blocks would need them twice.
        starts.frombytes((len(ids) + rows.row_splits[1:]).numpy().tobytes())
        ids.frombytes(rows.flat_values.numpy().tobytes())
    return Encoded(
        ids=np.frombuffer(ids, np.int32),
        starts=np.frombuffer(starts, np.int64),
        labels=np.array(label_ids, np.int32),
    )
