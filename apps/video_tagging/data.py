"""From videos and their labels to frames or features, and numbers of tags."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from common.data.skipped import Skipped
from common.errors import UserError
from common.layers.crf import UNLABELLED
from common.media.videos import Clip

from . import datasets, scaling, views
from .batches import Encoded
from .config import Config
from .datasets import annotations

Examples = list[datasets.Example]


class Statistics(NamedTuple):
    """What the network wants to know of the training videos.

    Attributes:
        mean: of given features, <float32>[features]; None for frames.
        deviation: their standard deviation, <float32>[features].
        tag_weights: <float32>[classes], what a frame of each tag counts in
            the loss.
    """

    mean: np.ndarray | None
    deviation: np.ndarray | None
    tag_weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class Data:
    """What training needs to know about its data.

    Attributes:
        labels: the tags that the model knows.
        dim: size of features of which no encoder is known; None where the
            model sees frames.
        train: videos to learn from.
        valid: those to choose the best epoch by, if any.
        statistics: of the training videos.
        some: a few videos to try the model on.
        report: what was read and skipped, for the run folder.
    """

    labels: list[str]
    dim: int | None
    train: Encoded
    valid: Encoded | None
    statistics: Statistics
    some: Examples
    report: dict


def load(config: Config) -> Data:
    """Reads the data: decodes every video, learns the tags.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    found = datasets.read(config)
    train, valid = (
        labelled(found.splits.get(name, []), found.skipped)
        for name in ("train", "valid")
    )
    if not train:
        raise UserError(f"--data {config.data}: no training videos with labels")
    look, usable = views.look([*train, *valid], config, found.skipped)
    train, valid = (
        [example for example in split if example.name in usable]
        for split in (train, valid)
    )
    pieces = [look(example) for example in train]
    labels = found.labels or known_tags(train, pieces, config)
    encoded = {"train": encode(train, pieces, labels, config)}
    _check_tagged("training", encoded["train"], labels, config)
    if config.scale == "video":
        _standardize(encoded["train"], config)
    if valid:
        encoded["valid"] = encode(valid, map(look, valid), labels, config)
        _check_tagged("validation", encoded["valid"], labels, config)
    report: dict = {"data": config.data, "skipped": found.skipped.report()}
    for name, split in encoded.items():
        report[name] = {
            "videos": len(split.names),
            "frames": int(split.lengths.sum()),
        }
    return Data(
        labels=labels,
        dim=views.given_dim(encoded["train"].frames[0], config),
        train=encoded["train"],
        valid=encoded.get("valid"),
        statistics=statistics(encoded["train"], len(labels), config),
        some=valid or train,
        report=report,
    )


def labelled(examples: Examples, skipped: Skipped) -> Examples:
    """The videos that have labels; the others are noted as skipped."""
    for example in examples:
        if example.annotation is None:
            skipped.add("without labels", example.name)
    return [x for x in examples if x.annotation is not None]


def _standardize(train: Encoded, config: Config) -> None:
    """Scales whole videos, of which training sees windows only."""
    if train.frames[0].ndim != 2:
        raise UserError(
            "--scale video is of features: give some, or an --encoder of"
            " keras.applications"
        )
    for number, values in enumerate(train.frames):
        mask = np.ones([1, len(values)], bool)
        scaled = scaling.standardized(values[None], mask)
        train.frames[number] = scaled.numpy()[0]


def _check_tagged(
    name: str, split: Encoded, labels: list[str], config: Config
) -> None:
    if not labels or not any(weights.any() for weights in split.weights):
        raise UserError(
            f"--data {config.data}: no frame of the {name} videos has a tag:"
            " label some of them, or choose other videos"
        )


def known_tags(
    examples: Examples, pieces: Iterable[Clip], config: Config
) -> list[str]:
    """The tags of some videos, in the order of the alphabet."""
    found: set[str] = set()
    for example, piece in zip(examples, pieces, strict=True):
        for tags in _tags(example, piece, config):
            found.update(tags or ())
    return sorted(found)


def _tags(
    example: datasets.Example, piece: Clip, config: Config
) -> list[tuple[str, ...] | None]:
    assert example.annotation is not None
    return annotations.tags_at(
        example.annotation, piece.numbers, piece.times, piece.total, config
    )


def encode(
    examples: Examples,
    pieces: Iterable[Clip],
    labels: list[str],
    config: Config,
) -> Encoded:
    """Turns the labels of videos into numbers.

    Args:
        examples: have the annotations.
        pieces: the whole videos.
        labels: the tags that are known.
        config: as of `encode_labels`.

    Raises:
        UserError: for labels that do not fit a video, or an unknown tag.
    """
    names, values, numbers, weights = [], [], [], []
    for example, piece in zip(examples, pieces, strict=True):
        of_frames, is_labelled = encode_labels(example, piece, labels, config)
        names.append(example.name)
        values.append(piece.values)
        numbers.append(of_frames)
        weights.append(is_labelled.astype(np.float32))
    return Encoded(names, values, numbers, weights)


def encode_labels(
    example: datasets.Example, piece: Clip, labels: list[str], config: Config
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of a video's frames.

    Args:
        example: has the annotation.
        piece: the whole video; its values are not looked at.
        labels: the tags that are known.
        config: `multi_label`, `align` and `background`.

    Returns:
        Numbers of tags <int32>[time], or with `multi_label`
        <float32>[time, classes], and <bool>[time], which frames have labels.

    Raises:
        UserError: for labels that do not fit the video, or an unknown tag.
    """
    assert example.annotation is not None
    tags = _tags(example, piece, config)
    ids = annotations.label_ids(tags, labels, example.annotation.where)
    is_labelled = np.array([x is not None for x in ids])
    if not config.multi_label:
        numbers = [UNLABELLED if x is None else x[0] for x in ids]
        return np.array(numbers, np.int32), is_labelled
    sets = np.zeros((len(ids), len(labels)), np.float32)
    for row, of_frame in zip(sets, ids, strict=True):
        row[list(of_frame or ())] = 1.0
    return sets, is_labelled


def statistics(train: Encoded, num_tags: int, config: Config) -> Statistics:
    """Looks at the training videos once."""
    weights = np.ones(num_tags, np.float32)
    if config.class_weights == "balanced":
        weights = balanced(train, num_tags)
    if train.frames[0].ndim != 2 or config.scale == "none":
        return Statistics(None, None, weights)
    total = sum(x.sum(axis=0, dtype=np.float64) for x in train.frames)
    squares = sum((x.astype(np.float64) ** 2).sum(0) for x in train.frames)
    count = int(train.lengths.sum())
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return Statistics(
        mean.astype(np.float32), deviation.astype(np.float32), weights
    )


def balanced(train: Encoded, num_tags: int) -> np.ndarray:
    """Weights by which all tags count the same in sum.

    For one tag a frame: frames / (tags * frames of the tag). For sets of tags
    it is the weight of a tag that is there, as against one that is not:
    frames without the tag / frames with it. Of a tag that never occurs: 1.

    Returns:
        <float32>[classes].
    """
    weights = np.concatenate(train.weights) > 0
    labels = np.concatenate(train.labels)[weights]
    if labels.ndim == 2:
        counts = labels.sum(axis=0)
        ratios = (len(labels) - counts) / np.maximum(counts, 1)
    else:
        counts = np.bincount(labels, minlength=num_tags)
        ratios = len(labels) / (num_tags * np.maximum(counts, 1))
    return np.where(counts > 0, ratios, 1.0).astype(np.float32)
