"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import dataclasses
import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import cli, options
from common.characters import printable
from common.data import scored
from common.data import skipped as skips
from common.data.skipped import Skipped
from common.data.splits import select
from common.errors import UserError
from common.layers.crf import UNLABELLED
from common.media import videos
from common.metrics import segments as segment_metrics
from common.metrics import tag_sets

from . import batches, data
from .batches import Encoded
from .config import Config, evaluate_parser
from .datasets import Example
from .outputs import segments, timeline
from .pipeline import THRESHOLD
from .predictor import Prediction, Predictor, load

NUM_WORST = 5
# In float32 a probability may round to 1, which is not to be sure.
MIN_PROBABILITY = 1e-7


class Timing(NamedTuple):
    """The times of the frames of a video.

    Attributes:
        times: <float64>[time], when they are shown.
        period: how long the last one is shown; `times` are numbers of frames
            and it is 1 where no time is known.
        in_seconds: whether a time is known.
    """

    times: np.ndarray
    period: float
    in_seconds: bool


class TaggedVideo(NamedTuple):
    """The prediction for a video, beside the truth.

    Attributes:
        name: of the video.
        prediction: of the model.
        labels: the truth, as of `data.encode_labels`.
        is_labelled: <bool>[time], which frames have labels.
        timing: of the frames; None for videos in memory.
    """

    name: str
    prediction: Prediction
    labels: np.ndarray
    is_labelled: np.ndarray
    timing: Timing | None = None


def predict_split(
    predictor: Predictor,
    examples: Sequence[Example],
    config: Config,
    limit: int = 0,
) -> list[TaggedVideo]:
    """Tags the videos of a split, one after the other.

    Args:
        predictor: the model.
        examples: videos with labels.
        config: how to read them.
        limit: the most videos to score; 0 for all.

    Raises:
        UserError: if there are none, one cannot be read, or its labels do not
            fit it.
    """
    tagged = [
        _tag_example(predictor, example, config)
        for example in examples[: limit or None]
    ]
    if not tagged:
        raise UserError("no videos to evaluate: expected at least one")
    if not any(video.is_labelled.any() for video in tagged):
        raise UserError("no labelled frames to evaluate: expected some")
    return tagged


def _tag_example(
    predictor: Predictor, example: Example, config: Config
) -> TaggedVideo:
    source, rate = example.source, config.frame_rate
    prediction, clip = predictor.predict_video(source, config)
    truth = data.encode_labels(example, clip, predictor.labels, config)
    timing = Timing(
        clip.times,
        videos.clip_period(source, rate, clip.times),
        videos.has_times(source, rate),
    )
    return TaggedVideo(example.name, prediction, *truth, timing)


def validate(
    predictor: Predictor, valid: Encoded | None, epoch: int
) -> dict[str, float]:
    """Scores the validation videos, all of which are in memory.

    Args:
        predictor: the model.
        valid: the videos, if there are any.
        epoch: from 0.

    Returns:
        The metrics of `score`; `score`, by which the best epoch is chosen:
        without validation videos that is the last epoch; and `loss`, which
        tells equal scores apart.
    """
    if valid is None:
        return {"score": float(epoch)}
    config = predictor.config
    tagged = [
        TaggedVideo(name, prediction, labels, weights > 0)
        for name, prediction, labels, weights in zip(
            valid.names,
            predictor.predict_batches(batches.make_batches(valid, config)),
            valid.labels,
            valid.weights,
            strict=True,
        )
    ]
    scores = score(tagged, predictor.labels, config)
    return scores | {
        "score": selection_score(scores),
        "loss": scores["nll"] if config.multi_label else frame_loss(tagged),
    }


def frame_loss(tagged: Sequence[TaggedVideo]) -> float:
    """Computes the mean negative log-likelihood of labelled frames, in nats.

    Args:
        tagged: videos with one tag a frame.
    """
    rows = np.concatenate([x.is_labelled for x in tagged])
    labels = np.concatenate([x.labels for x in tagged])[rows]
    scores = np.concatenate([x.prediction.probabilities for x in tagged])[rows]
    likelihoods = np.take_along_axis(scores, labels[:, None], axis=1)
    return float(-np.log(np.maximum(likelihoods, MIN_PROBABILITY)).mean())


def score(
    tagged: Sequence[TaggedVideo], labels: list[str], config: Config
) -> dict[str, float]:
    """Computes the metrics of tagged videos.

    Args:
        tagged: the videos.
        labels: the tags.
        config: `multi_label` and `background`.

    Returns:
        `accuracy`, `edit`, `f1_10`, `f1_25`, `f1_50` of
        `common.metrics.segments`, where background is no segment; if there is
        a background, the last four again with it as a tag like any other.
        With `multi_label`: `nll`, `mean_average_precision`, `micro_f1`,
        `macro_f1` of `common.metrics.tag_sets`, over labelled frames.
    """
    if config.multi_label:
        return _score_sets(tagged)
    truth = [video.labels for video in tagged]
    tags = [video.prediction.tags for video in tagged]
    background = [k for k, x in enumerate(labels) if x == config.background]
    scores = segment_metrics.score(truth, tags, background, UNLABELLED)
    result = scores._asdict()
    if background:
        scores = segment_metrics.score(truth, tags, (), UNLABELLED)
        for name, value in scores._asdict().items():
            if name != "accuracy":
                result[f"{name}_with_background"] = value
    return result


def _score_sets(tagged: Sequence[TaggedVideo]) -> dict[str, float]:
    rows = np.concatenate([x.is_labelled for x in tagged])
    labels = np.concatenate([x.labels for x in tagged])[rows]
    scores = np.concatenate([x.prediction.probabilities for x in tagged])[rows]
    clipped = np.clip(scores, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return {
        "nll": tag_sets.negative_log_likelihood(labels, clipped, False),
        "mean_average_precision": tag_sets.mean_average_precision(
            labels, scores
        ),
        "micro_f1": tag_sets.micro_f1(labels, scores, THRESHOLD),
        "macro_f1": tag_sets.macro_f1(labels, scores, THRESHOLD),
    }


def selection_score(scores: dict[str, float]) -> float:
    """Returns the number by which videos and epochs are ranked, best highest.

    The mean of accuracy, edit score and the three F1: each by itself can be
    had at the price of the others. With `multi_label` the likelihood.
    """
    if "nll" in scores:
        return -scores["nll"]
    names = segment_metrics.Scores._fields
    return statistics.fmean(scores[name] for name in names)


def format_scores(scores: dict[str, float]) -> str:
    """Returns the line about the validation of an epoch."""
    if "accuracy" in scores:
        return (
            f"validation accuracy {scores['accuracy']:.1f}, edit"
            f" {scores['edit']:.1f}, F1@10/25/50 {scores['f1_10']:.1f}"
            f" {scores['f1_25']:.1f} {scores['f1_50']:.1f}"
        )
    if "nll" in scores:
        return (
            f"validation negative log-likelihood {scores['nll']:.3f}, micro"
            f" F1 {scores['micro_f1']:.3f}"
        )
    return "no validation videos"


def make_report(
    tagged: Sequence[TaggedVideo],
    scores: dict,
    skipped: Skipped,
    labels: list[str],
    config: Config,
) -> str:
    """Returns scores, what was skipped, tags and worst videos, to be read."""
    lines = [f"{name:<28}{value:.4g}" for name, value in scores.items()]
    lines += skips.format_report(skipped.report())
    lines += ["", *_tag_lines(tagged, labels)]
    lines += ["", "worst videos"]
    ranked = sorted(
        (selection_score(score([video], labels, config)), video.name)
        for video in tagged
        if video.is_labelled.any()
    )
    lines += [f"{value:8.2f} {name}" for value, name in ranked[:NUM_WORST]]
    return "\n".join(map(printable, lines))


def _tag_lines(
    tagged: Sequence[TaggedVideo], labels: list[str]
) -> Iterator[str]:
    """Yields how often each tag is true, its precision and its recall."""
    rows = np.concatenate([video.is_labelled for video in tagged])
    truth, predicted = (
        np.concatenate([_to_sets(x, labels) for x in tags])[rows]
        for tags in (
            [video.labels for video in tagged],
            [video.prediction.tags for video in tagged],
        )
    )
    labels = [printable(label) for label in labels]
    width = max(len(label) for label in labels)
    yield f"{'tag':<{width}}    frames  precision  recall"
    for label, true, guess in zip(labels, truth.T, predicted.T, strict=True):
        right = (true & guess).sum()
        yield (
            f"{label:<{width}}{true.sum():>10}"
            f"{_percent(right, guess.sum()):>11}"
            f"{_percent(right, true.sum()):>8}"
        )


def _to_sets(tags: np.ndarray, labels: list[str]) -> np.ndarray:
    """Returns <bool>[time, classes] of one tag a frame, or of sets of them."""
    if tags.ndim == 2:
        return tags > 0
    return tags[:, None] == np.arange(len(labels))


def _percent(part: int, total: int) -> str:
    return f"{100 * part / total:.1f}" if total else "-"


def draw_videos(
    tagged: Sequence[TaggedVideo], predictor: Predictor, path: Path
) -> None:
    """Draws the truth of videos above the predictions.

    Raises:
        UserError: if matplotlib is missing, or the file cannot be written.
    """
    labels, config = predictor.labels, predictor.config
    rows, in_seconds = [], True
    for video in tagged:
        assert video.timing is not None
        times, period, has_times = video.timing
        in_seconds = in_seconds and has_times
        truth = video.labels > 0 if video.labels.ndim == 2 else video.labels
        rows.append(
            timeline.Row(
                video.name,
                segments.find_segments(
                    *video.prediction, labels, times, period
                ),
                segments.find_segments(truth, None, labels, times, period),
                float(times[-1] + period),
            )
        )
    tags = timeline.Tags(labels, config.background, config.multi_label)
    timeline.draw_timeline(rows, tags, in_seconds, path)


def main() -> None:
    """Prints the report and the JSON line."""
    args = evaluate_parser().parse_args()
    predictor = load(args.run)
    config = options.override(predictor.config, args)
    specs = config.data, predictor.config.data
    if not scored.is_own(*specs):
        # Which videos of other data were held out does not matter here.
        config = dataclasses.replace(config, valid_videos="")
    splits = data.open_splits(config)
    split = scored.choose_split(args.split, *specs, splits.examples)
    examples = data.drop_unlabelled(
        select(splits.examples, split), splits.skipped
    )
    tagged = predict_split(predictor, examples, config, args.limit)
    labels = predictor.labels
    scores = score(tagged, labels, config) | {
        "frames": sum(len(video.labels) for video in tagged),
        "examples": len(tagged),
    }
    print(scored.describe_rows(split, len(tagged), *specs))
    print(make_report(tagged, scores, splits.skipped, labels, config))
    if args.timeline:
        draw_videos(tagged, predictor, Path(args.timeline))
    print(json.dumps(scores))


if __name__ == "__main__":
    cli.main(main)
