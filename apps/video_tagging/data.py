"""From videos and their labels to frames or features, and numbers of tags."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common.data import skipped as skips
from common.data.skipped import Skipped
from common.errors import UserError
from common.layers.crf import UNLABELLED
from common.media import videos
from common.media.videos import Clip

from . import datasets, model
from .batches import Encoded
from .config import Config
from .datasets import Example, LabelOptions, annotations, samples, units
from .encoder import is_trained
from .loader import make_loader


class Statistics(NamedTuple):
    """Statistics of the training videos, for the network.

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
    """The data of a training run.

    Attributes:
        labels: the tags, in the order of the model's outputs.
        dim: size of features of which no encoder is known; None where the
            model sees frames.
        train: videos to learn from.
        valid: videos to choose the best epoch by, if any.
        statistics: of the training videos.
        examples: videos to try the model on.
        report: what was read and skipped, for the run folder.
    """

    labels: list[str]
    dim: int | None
    train: Encoded
    valid: Encoded | None
    statistics: Statistics
    examples: list[Example]
    report: dict

    def summary(self) -> str:
        """Returns a few lines on the data, for the screen."""
        parts = [
            f"{self.report[name]['videos']} {title} videos with"
            f" {self.report[name]['frames']} frames"
            for name, title in (("train", "training"), ("valid", "validation"))
            if name in self.report
        ]
        lines = [f"{', '.join(parts)}, {len(self.labels)} tags"]
        return "\n".join(lines + skips.format_report(self.report["skipped"]))


def label_options(config: Config) -> LabelOptions:
    """Returns the options by which annotations are read."""
    return LabelOptions(
        multi_label=config.multi_label,
        background=config.background,
        align=config.align,
        encoding=config.encoding,
        frame_rate=config.frame_rate,
    )


def open_splits(config: Config) -> datasets.Splits:
    """Finds the splits of `config.data`; no video is decoded yet.

    Raises:
        UserError: if there is no such data, or none that fits a known layout.
    """
    return datasets.open_splits(
        config.data,
        options=label_options(config),
        valid_videos=config.valid_videos,
        tfds_dir=config.tfds_dir,
        num_examples=config.num_examples,
        image_size=config.image_size,
        max_gigabytes=config.max_gigabytes,
        seed=config.seed,
    )


def load(config: Config) -> Data:
    """Reads the data: decodes every video, learns the tags.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    splits = open_splits(config)
    train, valid = (
        drop_unlabelled(splits.examples.get(name, []), splits.skipped)
        for name in ("train", "valid")
    )
    if not train:
        raise UserError(f"--data {config.data}: no training videos with labels")
    load_video, names = make_loader([*train, *valid], config, splits.skipped)
    train, valid = (
        [example for example in split if example.name in names]
        for split in (train, valid)
    )
    clips = [load_video(example) for example in train]
    labels = splits.labels or collect_tags(train, clips, config)
    encoded = {"train": encode(train, clips, labels, config, splits.skipped)}
    _check_tagged("training", encoded["train"], labels, config)
    _check_several_tags(encoded["train"], labels, config)
    if config.scale == "video":
        _standardize(encoded["train"])
    if valid:
        encoded["valid"] = encode(
            valid, map(load_video, valid), labels, config, splits.skipped
        )
        _check_tagged("validation", encoded["valid"], labels, config)
    examples = valid or train
    report: dict = {"data": config.data, "skipped": splits.skipped.report()}
    for name, split in encoded.items():
        report[name] = {
            "videos": len(split.names),
            "frames": int(split.lengths.sum()),
        }
    report["frame_rate"] = _frame_rate(train, clips, config)
    run_dir = Path(config.run_dir)
    report["example"] = samples.example_input(run_dir, examples)
    return Data(
        labels=labels,
        dim=feature_dim(encoded["train"], config),
        train=encoded["train"],
        valid=encoded.get("valid"),
        statistics=compute_statistics(encoded["train"], len(labels), config),
        examples=examples,
        report=report,
    )


def _frame_rate(
    examples: Sequence[Example], clips: Sequence[Clip], config: Config
) -> float:
    """Returns the median of the videos' frames a second; 0 if unknown."""
    rates = [
        1 / videos.clip_period(example.source, config.frame_rate, clip.times)
        for example, clip in zip(examples, clips, strict=True)
        if videos.has_times(example.source, config.frame_rate)
    ]
    return round(float(np.median(rates)), 3) if rates else 0.0


def drop_unlabelled(
    examples: Iterable[Example], skipped: Skipped
) -> list[Example]:
    """Returns the videos that have labels; notes the others as skipped."""
    labelled = []
    for example in examples:
        if example.annotation is None:
            skipped.add("without labels", example.name)
        else:
            labelled.append(example)
    return labelled


def _standardize(train: Encoded) -> None:
    """Scales whole videos, of which training sees windows only."""
    if train.frames[0].ndim != 2:
        raise UserError(
            "--scale video is of features: give some, or an --encoder of"
            " keras.applications"
        )
    for number, values in enumerate(train.frames):
        mask = tf.ones([1, len(values)], tf.bool)
        scaled = model.standardize(tf.constant(values[None]), mask)
        train.frames[number] = scaled.numpy()[0]


def _check_tagged(
    name: str, split: Encoded, labels: list[str], config: Config
) -> None:
    if not labels or not any(weights.any() for weights in split.weights):
        raise UserError(
            f"--data {config.data}: no frame of the {name} videos has a tag:"
            " label some of them, or choose other videos"
        )


def _check_several_tags(
    train: Encoded, labels: list[str], config: Config
) -> None:
    """Refuses one tag for all frames, which is learned without looking."""
    present = np.unique(np.concatenate(train.labels))
    present = present[present != UNLABELLED]
    if not config.multi_label and len(present) == 1:
        raise UserError(
            f"--data {config.data}: all labelled frames of the training videos"
            f" have one tag, {labels[present[0]]!r}: expected two or more;"
            " label other frames, too, or choose other training videos"
        )


def feature_dim(train: Encoded, config: Config) -> int | None:
    """Returns the size of features of which no encoder is known, or None."""
    frames = train.frames[0]
    if frames.ndim == 2 and is_trained(config):
        return frames.shape[1]
    return None


def collect_tags(
    examples: Sequence[Example], clips: Sequence[Clip], config: Config
) -> list[str]:
    """Returns the tags of videos, in the order of the alphabet."""
    present: set[str] = set()
    for example, clip in zip(examples, clips, strict=True):
        for tags in tag_frames(example, clip, config):
            present.update(tags or ())
    return sorted(present)


def tag_frames(
    example: Example, clip: Clip, config: Config
) -> list[annotations.Tags]:
    """Returns the tags of the frames of a whole video, as it is annotated.

    Raises:
        UserError: for labels that do not fit the video.
    """
    assert example.annotation is not None
    return annotations.tag_frames(
        example.annotation,
        clip.numbers,
        clip.times,
        clip.total,
        label_options(config),
    )


def encode(
    examples: Iterable[Example],
    clips: Iterable[Clip],
    labels: list[str],
    config: Config,
    skipped: Skipped,
) -> Encoded:
    """Encodes labels of videos as numbers.

    Args:
        examples: have the annotations.
        clips: the whole videos.
        labels: the tags that are known.
        config: as of `encode_labels`.
        skipped: notes segments after the last frame.

    Raises:
        UserError: for labels that do not fit a video, or an unknown tag; or
            times in another unit.
    """
    encoded = Encoded([], [], [], [])
    extents = []
    for example, clip in zip(examples, clips, strict=True):
        assert example.annotation is not None
        extent = units.measure(
            example.name, example.annotation, clip.times, clip.total
        )
        extents += [extent] if extent else []
        numbers, is_labelled = encode_labels(example, clip, labels, config)
        encoded.names.append(example.name)
        encoded.frames.append(clip.values)
        encoded.labels.append(numbers)
        encoded.weights.append(is_labelled.astype(np.float32))
    units.check_units(extents, label_options(config), skipped)
    return encoded


def encode_labels(
    example: Example, clip: Clip, labels: list[str], config: Config
) -> tuple[np.ndarray, np.ndarray]:
    """Encodes the labels of a video's frames.

    Args:
        example: has the annotation.
        clip: the whole video; its values are not used.
        labels: the tags that are known.
        config: `multi_label`, `align` and `background`.

    Returns:
        Numbers of tags <int32>[time], or with `multi_label`
        <float32>[time, classes], and <bool>[time], which frames have labels.

    Raises:
        UserError: for labels that do not fit the video, or an unknown tag.
    """
    assert example.annotation is not None
    tags = tag_frames(example, clip, config)
    ids = annotations.encode_tags(tags, labels, example.annotation.where)
    is_labelled = np.array([x is not None for x in ids])
    if not config.multi_label:
        numbers = [UNLABELLED if x is None else x[0] for x in ids]
        return np.array(numbers, np.int32), is_labelled
    sets = np.zeros((len(ids), len(labels)), np.float32)
    for row, frame_ids in zip(sets, ids, strict=True):
        row[list(frame_ids or ())] = 1.0
    return sets, is_labelled


def compute_statistics(
    train: Encoded, num_tags: int, config: Config
) -> Statistics:
    """Computes the statistics of the training videos."""
    weights = np.ones(num_tags, np.float32)
    if config.class_weights == "balanced":
        weights = balance_tags(train, num_tags)
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


def balance_tags(train: Encoded, num_tags: int) -> np.ndarray:
    """Computes weights by which all tags count the same in sum.

    For one tag a frame: frames / (tags * frames of the tag). For sets of tags
    it is the weight of a tag that is there, as against one that is not:
    frames without the tag / frames with it. Of a tag that never occurs: 1.

    Returns:
        <float32>[classes].
    """
    is_labelled = np.concatenate(train.weights) > 0
    labels = np.concatenate(train.labels)[is_labelled]
    if labels.ndim == 2:
        counts = labels.sum(axis=0)
        ratios = (len(labels) - counts) / np.maximum(counts, 1)
    else:
        counts = np.bincount(labels, minlength=num_tags)
        ratios = len(labels) / (num_tags * np.maximum(counts, 1))
    return np.where(counts > 0, ratios, 1.0).astype(np.float32)
