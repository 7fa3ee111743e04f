"""From streams of sentence pairs to token ids."""

import array
import collections
import dataclasses
import functools
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from common.characters import printable
from common.data import example_text, skipped
from common.data.skipped import Skipped
from common.data.splits import Stream
from common.errors import UserError, format_names
from common.metrics import translation
from common.training import schedule

from . import datasets, text, vocabulary
from .batches import Encoded, Sequences
from .config import Config
from .datasets import Pair

# Characters that are tokenised at once: enough to be fast, little to hold.
CHUNK = 1_000_000
# Most characters of a side of the pair that is shown.
SHOWN = 80
# Pairs by which the usual ratio of lengths is told.
MIN_PAIRS = 10


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of a training run.

    Attributes:
        languages: names of the source and of the target language.
        source_vocabulary: the tokens of the source language.
        target_vocabulary: the tokens of the target language.
        train: pairs to learn from.
        valid: pairs to choose the best epoch by.
        valid_pairs: the same as text.
        report: what was read and skipped, for the run folder.
    """

    languages: tuple[str, str]
    source_vocabulary: list[str]
    target_vocabulary: list[str]
    train: Encoded
    valid: Encoded
    valid_pairs: list[Pair]
    report: dict

    @property
    def measure(self) -> translation.Measure:
        """The measure by which the best epoch is chosen."""
        return translation.choose_measure(
            [pair.target for pair in self.valid_pairs]
        )

    @property
    def vocabularies(self) -> dict[str, list[str]]:
        """Both vocabularies by their names, which are those of files."""
        return {
            "source_vocabulary": self.source_vocabulary,
            "target_vocabulary": self.target_vocabulary,
        }

    def summary(self) -> str:
        """Returns a few lines on the data, for the screen."""
        source, target = self.languages
        lines = [
            f"{source} to {target}: {len(self.train.source)} training and"
            f" {len(self.valid_pairs)} validation pairs,"
            f" {len(self.source_vocabulary)} and"
            f" {len(self.target_vocabulary)} tokens",
            _describe_pair(self.valid_pairs[0]),
        ]
        lines += skipped.format_report(self.report["skipped"])
        lines += skipped.format_empty(self.report, "a source and a target")
        if share := self.report["left_out_share"]:
            lines.append(f"{share:.1%} of the training pairs are left out")
        lines += schedule.describe_kept(self.report) or [self.measure.reason]
        return "\n".join(map(printable, lines))


def _describe_pair(pair: Pair) -> str:
    """Returns a line that shows what was read as source and as target."""
    source, target = (
        textwrap.shorten(side, SHOWN, placeholder="...") for side in pair[:2]
    )
    return f"such as: {source} -> {target}"


def open_splits(config: Config) -> dict[str, Stream[Pair]]:
    """Finds the splits of `config.data`; nothing is read yet.

    Raises:
        UserError: if there is no such data, none that fits a known layout, or
            not the languages that `config` names.
    """
    return datasets.open_splits(
        config.data,
        source=config.source,
        target=config.target,
        reverse=config.reverse,
        delimiter=config.delimiter,
        encoding=config.encoding,
        tfds_dir=config.tfds_dir,
        num_examples=config.num_examples,
        seed=config.seed,
    )


def load(config: Config) -> Data:
    """Reads the data: learns the vocabularies, encodes the sentences.

    The source is streamed, again for every step and split; only ids stay in
    memory, 4 bytes a token, and the sentences that validation translates.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    splits = open_splits(config)
    if "train" not in splits:
        raise UserError(
            f"--data {config.data}: no training pairs; it has only"
            f" {format_names(splits)}"
        )
    left_out, train_left_out = Skipped(), Skipped()
    counts, held_out = _survey_held_out(splits, left_out)
    train = splits["train"]
    vocabularies = _learn(usable(train, Skipped(), held_out), config)
    tokenizers = [text.Tokenizer(v, config.level) for v in vocabularies]
    encoded = encode(
        usable(train, train_left_out, held_out),
        tokenizers,
        config,
        train_left_out,
    )
    counts["train"] = len(encoded.source)
    _check_not_empty(counts, train_left_out, config)
    _check_vocabularies(vocabularies, counts["train"], config)
    left_out.update(train_left_out)
    num_left_out = train_left_out.counts.total()
    valid_pairs = _subsample(
        list(usable(splits["valid"], Skipped())), config.max_valid, config.seed
    )
    languages = _name_languages(config)
    report = {
        "data": config.data,
        "languages": list(languages),
        **{name: {"examples": counts[name]} for name in splits},
        "kept_epoch": schedule.choose_kept(len(valid_pairs)),
        "skipped": left_out.report(),
        "left_out_share": num_left_out / (num_left_out + counts["train"]),
        "example": _example(valid_pairs, tokenizers[0], config),
    }
    return Data(
        languages,
        *vocabularies,
        encoded,
        encode(valid_pairs, tokenizers),
        valid_pairs,
        report,
    )


def _name_languages(config: Config) -> tuple[str, str]:
    return datasets.languages(
        config.data,
        source=config.source,
        target=config.target,
        reverse=config.reverse,
        tfds_dir=config.tfds_dir,
    )


def usable(
    pairs: Iterable[Pair], left_out: Skipped, held_out: Collection[str] = ()
) -> Iterator[Pair]:
    """Yields the pairs with two sentences; counts the others.

    Args:
        pairs: the pairs of a split.
        left_out: counts what is skipped.
        held_out: sources that must not be learnt from.
    """
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            left_out.add("with an empty side", pair.where)
        elif pair.source in held_out:
            left_out.add("also held out", pair.where)
        else:
            yield pair


def _example(
    pairs: list[Pair], tokenizer: text.Tokenizer, config: Config
) -> str:
    """Returns a validation sentence, as it is typed behind `predict RUN`."""
    sources = [pair.source for pair in pairs[: example_text.NUM_CANDIDATES]]
    rows = text.pieces(
        tf.constant([source.encode("utf-8", "replace") for source in sources])
    )
    is_full = tokenizer.num_ids >= config.vocab_size
    is_known = tokenizer.is_known(rows.flat_values, is_full)
    unknown = rows.with_flat_values(tf.cast(~is_known, tf.int32))
    return example_text.choose_text(
        sources,
        rows.row_lengths().numpy().tolist(),
        tf.reduce_sum(unknown, axis=1).numpy().tolist(),
    )


def _survey_held_out(
    splits: dict[str, Stream[Pair]], left_out: Skipped
) -> tuple[dict[str, int], set[str]]:
    """Counts the pairs of all splits but train, and collects their sources."""
    counts, sources = {}, set()
    for name in sorted(splits.keys() - {"train"}):
        counts[name] = 0
        for pair in usable(splits[name], left_out):
            sources.add(pair.source)
            counts[name] += 1
    return counts, sources


def _check_not_empty(
    counts: dict[str, int], left_out: Skipped, config: Config
) -> None:
    if not counts["train"]:
        reasons = ", ".join(
            f"{entry['count']} {reason}"
            for reason, entry in left_out.report().items()
        )
        raise UserError(
            f"--data {config.data}: no training pairs; skipped:"
            f" {reasons or 'none'}"
        )
    if not counts["valid"]:
        raise UserError(
            f"--data {config.data}: no validation pairs; one pair in ten is"
            f" held out and there are only {counts['train']}: give more, or"
            " valid files beside the training files"
        )


def _check_vocabularies(
    vocabularies: Sequence[list[str]], num_pairs: int, config: Config
) -> None:
    if not all(vocabularies):
        raise UserError(
            f"--data {config.data}: no word of one language occurs twice in"
            f" its {num_pairs} training pairs: are these sentences?"
            " Give more of them, or choose --level subword"
        )


def _subsample(pairs: list[Pair], limit: int, seed: int) -> list[Pair]:
    """Returns at most `limit` pairs, chosen by the seed, in their order."""
    if len(pairs) <= limit:
        return pairs
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(pairs), limit, replace=False)
    return [pairs[number] for number in sorted(chosen)]


def _chunks(
    pairs: Iterable[Pair],
) -> Iterator[tuple[list[Pair], list[tf.Tensor]]]:
    """Yields chunks of pairs, with both sides <string>[pairs]."""
    chunk: list[Pair] = []
    size = 0
    for pair in pairs:
        chunk.append(pair)
        size += len(pair.source) + len(pair.target)
        if size >= CHUNK:
            yield chunk, _sides(chunk)
            chunk, size = [], 0
    if chunk:
        yield chunk, _sides(chunk)


def _sides(pairs: list[Pair]) -> list[tf.Tensor]:
    # A lone surrogate has no UTF-8.
    return [
        tf.constant([side.encode("utf-8", "replace") for side in sides])
        for sides in zip(*(pair[:2] for pair in pairs), strict=True)
    ]


@functools.cache
def _counter(level: str) -> Callable:
    """Returns a function that counts the pieces of texts, traced once."""

    def count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        words = text.pieces(texts, level).flat_values
        distinct, _, counts = tf.unique_with_counts(words)
        return distinct, counts

    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(count, input_signature=signature)


def _learn(
    pairs: Iterable[Pair], config: Config
) -> tuple[list[str], list[str]]:
    """Learns the vocabularies of both sides, in one pass."""
    pieces: list[collections.Counter[bytes]] = [
        collections.Counter(),
        collections.Counter(),
    ]
    count = _counter(config.level)
    for _, sides in _chunks(pairs):
        for counter, side in zip(pieces, sides, strict=True):
            distinct, counts = (x.numpy().tolist() for x in count(side))
            counter.update(dict(zip(distinct, counts, strict=True)))
    source, target = (
        vocabulary.learn(counter, config.level, config.vocab_size)
        for counter in pieces
    )
    return source, target


def encode(
    pairs: Iterable[Pair],
    tokenizers: Sequence[text.Tokenizer],
    config: Config | None = None,
    left_out: Skipped | None = None,
) -> Encoded:
    """Encodes pairs as ids, in one pass over their source.

    Args:
        pairs: the pairs of a split.
        tokenizers: of the source and of the target language.
        config: its `max_tokens` and `max_ratio` rule pairs out; None keeps
            all.
        left_out: counts what is skipped.
    """
    source, target = _Block(), _Block()
    ratio = 0.0
    for chunk, sides in _chunks(pairs):
        source_rows, target_rows = (
            tokenizer.ragged_ids(side)
            for tokenizer, side in zip(tokenizers, sides, strict=True)
        )
        if config is not None:
            lengths = np.array(
                [source_rows.row_lengths(), target_rows.row_lengths()]
            )
            ratio = ratio or _usual_ratio(lengths)
            fits = _within_limits(lengths, config, ratio)
            source_rows = tf.ragged.boolean_mask(source_rows, fits)
            target_rows = tf.ragged.boolean_mask(target_rows, fits)
            for pair, fit in zip(chunk, fits, strict=True):
                if not fit and left_out is not None:
                    left_out.add("too long or too unequal", pair.where)
        source.append(source_rows)
        target.append(target_rows)
    return Encoded(source.sequences(), target.sequences())


def _usual_ratio(lengths: np.ndarray) -> float:
    """Returns the usual ratio of target to source lengths <int>[2, pairs].

    It is 1 for languages of one kind. Chinese has a third of the characters
    that English has, and its pairs are no more unequal for it.
    """
    source, target = lengths
    if len(source) < MIN_PAIRS:
        return 1.0
    median = float(np.median(target / source))
    return 1.0 if 0.5 <= median <= 2 else median


def _within_limits(
    lengths: np.ndarray, config: Config, ratio: float
) -> np.ndarray:
    """Returns <bool>[pairs]: neither too long nor of too different length.

    Args:
        lengths: of sources and targets, <int>[2, pairs].
        config: has the limits.
        ratio: the usual one of target to source.
    """
    source, target = lengths
    scaled = source * ratio
    longer, shorter = np.maximum(scaled, target), np.minimum(scaled, target)
    return (lengths.max(axis=0) <= config.max_tokens) & (
        longer <= config.max_ratio * shorter
    )


class _Block:
    """Sequences that grow where they are: joining blocks would need twice."""

    def __init__(self) -> None:
        self.ids = array.array("i")
        self.starts = array.array("q", [0])

    def append(self, rows: tf.RaggedTensor) -> None:
        starts = len(self.ids) + rows.row_splits[1:]
        self.starts.frombytes(starts.numpy().tobytes())
        self.ids.frombytes(rows.flat_values.numpy().tobytes())

    def sequences(self) -> Sequences:
        return Sequences(
            np.frombuffer(self.ids, np.int32),
            np.frombuffer(self.starts, np.int64),
        )
