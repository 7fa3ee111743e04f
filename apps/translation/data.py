"""From streams of sentence pairs to batches of token ids."""

import collections
import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from common.data.skipped import Skipped
from common.errors import UserError

from . import datasets, text, vocabulary
from .batches import Encoded, chunks, encode
from .config import Config
from .filters import usable


@dataclasses.dataclass(frozen=True)
class Data:
    """What training needs to know about its data.

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
    valid_pairs: list[datasets.Pair]
    report: dict


def load(config: Config) -> Data:
    """Reads the data: learns the vocabularies, encodes the sentences.

    The source is streamed, again for every step and split; only ids stay in
    memory, 4 bytes a token, and the sentences that validation translates.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    splits = datasets.open_splits(config)
    if "train" not in splits:
        raise UserError(
            f"--data {config.data}: no training pairs; it has only"
            f" {', '.join(splits)}"
        )
    languages = datasets.languages(config)
    report: dict = {"data": config.data, "languages": list(languages)}
    held_out = _survey_held_out(splits, report)
    train = splits["train"]
    vocabularies = _learn(usable(train, Skipped(), held_out), config)
    tokenizers = [text.Tokenizer(v, config.level) for v in vocabularies]
    skipped = Skipped()
    encoded = encode(
        usable(train, skipped, held_out), tokenizers, config, skipped
    )
    num_pairs = len(encoded.source)
    report["train"] = {"pairs": num_pairs, "skipped": skipped.report()}
    _check_not_empty(report, config)
    valid_pairs = _some(usable(splits["valid"], Skipped()), config)
    valid = encode(valid_pairs, tokenizers)
    return Data(languages, *vocabularies, encoded, valid, valid_pairs, report)


def _survey_held_out(splits: dict[str, datasets.Stream], report: dict) -> set:
    """Counts the pairs of all splits but train; returns their sources."""
    held_out = set()
    for name in sorted(splits.keys() - {"train"}):
        skipped = Skipped()
        num_pairs = 0
        for pair in usable(splits[name], skipped):
            held_out.add(pair.source)
            num_pairs += 1
        report[name] = {"pairs": num_pairs, "skipped": skipped.report()}
    return held_out


def _check_not_empty(report: dict, config: Config) -> None:
    train, valid = report["train"], report["valid"]
    if not train["pairs"]:
        reasons = ", ".join(
            f"{skipped['count']} {reason}"
            for reason, skipped in train["skipped"].items()
        )
        raise UserError(
            f"--data {config.data}: no training pairs; skipped:"
            f" {reasons or 'none'}"
        )
    if not valid["pairs"]:
        raise UserError(
            f"--data {config.data}: no validation pairs; one pair in ten is"
            f" held out and there are only {train['pairs']}: give more, or"
            " valid files beside the training files"
        )


def _some(
    pairs: Iterable[datasets.Pair], config: Config
) -> list[datasets.Pair]:
    """At most `max_valid` pairs, chosen by the seed, in their order."""
    found = list(pairs)
    if len(found) <= config.max_valid:
        return found
    rng = np.random.default_rng(config.seed)
    chosen = rng.choice(len(found), config.max_valid, replace=False)
    return [found[number] for number in sorted(chosen)]


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def _count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    distinct, _, counts = tf.unique_with_counts(text.pieces(texts).flat_values)
    return distinct, counts


def _learn(
    pairs: Iterable[datasets.Pair], config: Config
) -> tuple[list[str], list[str]]:
    """Learns the vocabularies of both sides, in one pass."""
    pieces: tuple[collections.Counter[bytes], ...] = (
        collections.Counter(),
        collections.Counter(),
    )
    for _, sides in chunks(pairs):
        for counter, side in zip(pieces, sides, strict=True):
            distinct, counts = (x.numpy().tolist() for x in _count(side))
            counter.update(dict(zip(distinct, counts, strict=True)))
    source, target = (
        vocabulary.learn(counter, config.level, config.vocab_size)
        for counter in pieces
    )
    return source, target
