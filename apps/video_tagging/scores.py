"""The metrics of tagged videos."""

import statistics
from collections.abc import Sequence

import numpy as np

from common.layers.crf import UNLABELLED
from common.metrics import segments, tag_sets

from .config import Config
from .pipeline import THRESHOLD
from .predictor import Tagged

SMALLEST = 1e-7


def score(
    found: Sequence[Tagged],
    truth: Sequence[np.ndarray],
    is_labelled: Sequence[np.ndarray],
    labels: list[str],
    config: Config,
) -> dict[str, float]:
    """The metrics of some videos.

    Args:
        found: what the model says of each.
        truth: its labels, as of `data.encode_labels`.
        is_labelled: <bool>[time] of each, which frames have labels.
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
        return _score_sets(found, truth, is_labelled)
    tags = [tagged.tags for tagged in found]
    background = [k for k, x in enumerate(labels) if x == config.background]
    scores = segments.score(truth, tags, background, UNLABELLED)
    result = scores._asdict()
    if background:
        scores = segments.score(truth, tags, (), UNLABELLED)
        for name, value in scores._asdict().items():
            if name != "accuracy":
                result[f"{name}_with_background"] = value
    return result


def _score_sets(
    found: Sequence[Tagged],
    truth: Sequence[np.ndarray],
    is_labelled: Sequence[np.ndarray],
) -> dict[str, float]:
    metrics = tag_sets
    rows = np.concatenate(is_labelled)
    labels = np.concatenate(truth)[rows]
    scores = np.concatenate([x.probabilities for x in found])[rows]
    # In float32 a probability may round to 1: that is not to be sure.
    sure = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return {
        "nll": metrics.negative_log_likelihood(labels, sure, False),
        "mean_average_precision": metrics.mean_average_precision(
            labels, scores
        ),
        "micro_f1": metrics.micro_f1(labels, scores, THRESHOLD),
        "macro_f1": metrics.macro_f1(labels, scores, THRESHOLD),
    }


def one_number(scores: dict[str, float]) -> float:
    """What to choose the best epoch by; the greater, the better.

    The mean of accuracy, edit score and the three F1: each by itself can be
    had at the price of the others. With `multi_label` the likelihood.
    """
    if "nll" in scores:
        return -scores["nll"]
    return statistics.fmean(scores[name] for name in segments.Scores._fields)
