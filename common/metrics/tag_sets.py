"""Metrics of tagging every frame of a sequence with a set of tags.

They are of the frames of all sequences together, without padding and frames
that have no labels. They raise ValueError if the shapes of labels and scores
differ or there is no frame.
"""

import statistics

import numpy as np

_Arrays = tuple[np.ndarray, np.ndarray]


def negative_log_likelihood(
    labels: np.ndarray, scores: np.ndarray, from_logits: bool = True
) -> float:
    """-log p(label) summed over classes, its mean over frames.

    As Bai et al. 2018, "An empirical evaluation of generic convolutional and
    recurrent networks for sequence modeling", section 4, rate models of music.

    Args:
        labels: <bool>[frames, classes].
        scores: <float>[frames, classes], logits of any size; or probabilities.
        from_logits: False if the scores are probabilities.

    Returns:
        nats a frame, 0 or more; infinite if what was certain is false.

    Example:
        >>> negative_log_likelihood(np.ones([2, 1]), np.zeros([2, 1]))
        0.6931471805599453
    """
    labels, scores = _checked(labels, scores)
    if not from_logits:
        with np.errstate(divide="ignore"):
            scores = np.log(scores) - np.log1p(-scores)
    nats = np.logaddexp(0, np.where(labels, -scores, scores))
    return float(nats.sum() / len(labels))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean over positive frames of the precision down to their score.

    Of one class's <bool>[frames] and <float>[frames]. Equal scores are ranked
    as one, as in scikit-learn (Manning et al. 2008, "Introduction to
    information retrieval", section 8.4). 0 to 1; NaN without positive frames.

    Example:
        >>> average_precision(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.1]))
        0.8333333333333333
    """
    labels, scores = _checked(labels, scores)
    if not labels.any():
        return float("nan")
    _, step = np.unique(-scores, return_inverse=True)
    positives = np.bincount(step, weights=labels)
    precision = np.cumsum(positives) / np.cumsum(np.bincount(step))
    return float(positives @ precision / positives.sum())


def mean_average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """`average_precision`, its mean over the classes that occur; else NaN."""
    labels, scores = _checked(labels, scores)
    columns = zip(labels.T, scores.T, strict=True)
    values = [average_precision(*pair) for pair in columns if pair[0].any()]
    return statistics.fmean(values) if values else float("nan")


def micro_f1(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """F1 = 2 TP / (2 TP + FP + FN) with sums over frames and classes.

    Predicted are the tags that score `threshold` or more (0.5 in probabilities
    is 0 in logits). 0 to 1; 1 if there is nothing to find and nothing found.
    """
    found, total = _found(labels, scores, threshold)
    return _f1(found.sum(), total.sum())


def macro_f1_of_labels(
    labels: np.ndarray, scores: np.ndarray, threshold: float
) -> float:
    """As `micro_f1`, the mean over classes that occur or are predicted."""
    counts = zip(*_found(labels, scores, threshold), strict=True)
    values = [_f1(found, total) for found, total in counts if total]
    return statistics.fmean(values) if values else 1.0


def _found(labels: np.ndarray, scores: np.ndarray, threshold: float) -> _Arrays:
    """<int>[classes] each: TP and 2 TP + FP + FN."""
    labels, scores = _checked(labels, scores)
    predicted = scores >= threshold
    total = labels.sum(axis=0) + predicted.sum(axis=0)
    return (labels & predicted).sum(axis=0), total


def _f1(found: int, total: int) -> float:
    return float(2 * found / total) if total else 1.0


def _checked(labels: np.ndarray, scores: np.ndarray) -> _Arrays:
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.shape != scores.shape or not len(labels):
        raise ValueError(
            "expected frames with a score for each label, got labels "
            f"{labels.shape} and scores {scores.shape}"
        )
    return labels.astype(bool), scores.astype(np.float64)
