"""Classification metrics from probabilities, over a whole data set."""

import numpy as np


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts the predictions of each class for the examples of each class.

    Args:
        labels: <int>[examples], the true classes.
        predictions: <int>[examples], the predicted classes.
        num_classes: the number of classes.

    Returns:
        <int64>[classes, classes]; row: true class, column: predicted class.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
        array([[1, 1],
               [0, 1]])
    """
    cells = labels * num_classes + predictions
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def accuracy(confusion: np.ndarray) -> float:
    """Computes the share of right predictions, 0 to 1.

    Args:
        confusion: <int>[classes, classes], as `confusion_matrix` returns it.
    """
    return float(np.trace(confusion) / confusion.sum())


def macro_f1(confusion: np.ndarray) -> float:
    """Averages F1 = 2 TP / (2 TP + FP + FN) over classes, 0 to 1.

    Classes that neither occur nor are predicted do not count.

    Args:
        confusion: <int>[classes, classes], as `confusion_matrix` returns it.

    Example:
        >>> round(macro_f1(np.array([[1, 1], [0, 1]])), 4)
        0.6667
    """
    right = 2 * np.diag(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(right[total > 0] / total[total > 0]))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Computes the chance that a positive example scores above a negative.

    The area under the receiver operating characteristic, by the rank sum of
    Mann and Whitney 1947; equal scores count half.

    Args:
        labels: <bool>[examples], True for positive examples.
        scores: <float>[examples].

    Returns:
        0 to 1; NaN if all examples are of one kind.

    Example:
        >>> roc_auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.4, 0.8]))
        0.75
    """
    positive = labels.astype(bool)
    num_positive, num_negative = positive.sum(), (~positive).sum()
    if not num_positive or not num_negative:
        return float("nan")
    _, inverse, counts = np.unique(
        scores, return_inverse=True, return_counts=True
    )
    middle_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = middle_ranks[inverse][positive].sum()
    above = rank_sum - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * num_negative))


def expected_calibration_error(
    confidences: np.ndarray, correct: np.ndarray, num_bins: int = 15
) -> float:
    """Averages the distance of confidence and accuracy over all examples.

    Predictions are sorted into bins of equal width by their confidence
    (Guo et al. 2017, "On calibration of modern neural networks", equation 3).

    Args:
        confidences: <float>[examples], probability of the predicted class.
        correct: <bool>[examples], True if the prediction was right.
        num_bins: bins between 0 and 1. Default 15.

    Returns:
        0 (perfect) to 1.

    Example:
        >>> expected_calibration_error(
        ...     np.array([0.75, 0.75, 0.5, 0.5]), np.array([1, 1, 1, 0]))
        0.125
    """
    # Bins are open below and closed above: ]0, 1/15], ]1/15, 2/15], ...
    bins = np.ceil(confidences * num_bins).astype(int) - 1
    gaps = np.bincount(np.clip(bins, 0, None), weights=confidences - correct)
    return float(np.abs(gaps).sum() / len(confidences))
