"""Metrics of tagging every frame of a sequence with a set of tags.

They take the frames of all sequences together, without padding and without
frames that have no labels. They raise ValueError if the shapes of labels and
scores differ or there is no frame.
"""

import statistics

import numpy as np

_Arrays = tuple[np.ndarray, np.ndarray]


def negative_log_likelihood(
    labels: np.ndarray, scores: np.ndarray, from_logits: bool = True
) -> float:
    """Computes -log p(label) summed over classes, its mean over frames.

    As Bai et al. 2018, "An empirical evaluation of generic convolutional and
    recurrent networks for sequence modeling", section 4, rate models of music.

    Args:
        labels: <bool>[frames, classes].
        scores: <float>[frames, classes], logits of any size; or probabilities.
        from_logits: False if the scores are probabilities. Default True.

    Returns:
        Nats a frame, 0 or more; infinite if a certain prediction is false.

    Example:
        >>> negative_log_likelihood(np.ones([2, 1]), np.zeros([2, 1]))
        0.6931471805599453
    """
    labels, scores = _check(labels, scores)
    if not from_logits:
        with np.errstate(divide="ignore"):
            scores = np.log(scores) - np.log1p(-scores)
    nats = np.logaddexp(0, np.where(labels, -scores, scores))
    return float(nats.sum() / len(labels))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Computes the mean over positive frames of the precision at their score.

    Equal scores are ranked as one, as in scikit-learn (Manning et al. 2008,
    "Introduction to information retrieval", section 8.4).

    Args:
        labels: <bool>[frames] of one class.
        scores: <float>[frames] of the class.

    Returns:
        0 to 1; NaN without positive frames.

    Example:
        >>> average_precision(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.1]))
        0.8333333333333333
    """
    labels, scores = _check(labels, scores)
    if not labels.any():
        return float("nan")
    _, step = np.unique(-scores, return_inverse=True)
    positives = np.bincount(step, weights=labels)
    precision = np.cumsum(positives) / np.cumsum(np.bincount(step))
    return float(positives @ precision / positives.sum())


def mean_average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Averages `average_precision` over classes that occur; NaN if none."""
    labels, scores = _check(labels, scores)
    columns = zip(labels.T, scores.T, strict=True)
    values = [average_precision(*pair) for pair in columns if pair[0].any()]
    return statistics.fmean(values) if values else float("nan")


def micro_f1(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """Computes F1 = 2 TP / (2 TP + FP + FN), with sums over all classes.

    Args:
        labels: <bool>[frames, classes].
        scores: <float>[frames, classes].
        threshold: tags of this score or more are predicted; 0.5 for
            probabilities is 0 for logits.

    Returns:
        0 to 1; 1 if no tag occurs and none is predicted.
    """
    positives, total = _count(labels, scores, threshold)
    return _f1(positives.sum(), total.sum())


def macro_f1(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """Averages F1 over the classes that occur or are predicted."""
    counts = zip(*_count(labels, scores, threshold), strict=True)
    values = [_f1(*pair) for pair in counts if pair[1]]
    return statistics.fmean(values) if values else 1.0


def _count(labels: np.ndarray, scores: np.ndarray, threshold: float) -> _Arrays:
    """Counts TP and 2 TP + FP + FN of each class, <int>[classes]."""
    labels, scores = _check(labels, scores)
    predicted = scores >= threshold
    total = labels.sum(axis=0) + predicted.sum(axis=0)
    return (labels & predicted).sum(axis=0), total


def _f1(true_positives: int, total: int) -> float:
    return float(2 * true_positives / total) if total else 1.0


def _check(labels: np.ndarray, scores: np.ndarray) -> _Arrays:
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.shape != scores.shape or not len(labels):
        raise ValueError(
            "expected frames with a score for each label, got labels "
            f"{labels.shape} and scores {scores.shape}"
        )
    return labels.astype(bool), scores.astype(np.float64)
