"""Scores of sets of tags against scikit-learn, and by hand."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from common.metrics import tag_sets as metrics

relaxed = settings(deadline=None, derandomize=True)


def rounded(seed, digits=1, num_frames=60, num_classes=5):
    """Labels and logits of many equal values."""
    rng = np.random.default_rng(seed)
    labels = rng.random((num_frames, num_classes)) < 0.3
    logits = rng.normal(size=labels.shape) + labels
    return labels, np.round(logits, digits)


def test_negative_log_likelihood_by_hand():
    labels = np.array([[1, 0], [1, 1]])
    probabilities = np.array([[0.5, 0.5], [0.25, 1.0]])
    result = metrics.negative_log_likelihood(
        labels, probabilities, from_logits=False
    )
    assert result == pytest.approx(4 * math.log(2) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_negative_log_likelihood_of_logits_and_probabilities(seed):
    labels, logits = rounded(seed)
    probabilities = 1 / (1 + np.exp(-logits))
    expected = reference.log_loss(
        labels.ravel(), probabilities.ravel(), normalize=False
    ) / len(labels)
    for scores, from_logits in ((logits, True), (probabilities, False)):
        assert metrics.negative_log_likelihood(
            labels, scores, from_logits
        ) == pytest.approx(expected)


def test_negative_log_likelihood_of_large_logits():
    labels, logits = np.array([[1, 0, 1]]), np.array([[1e4, -1e4, -1e4]])
    assert metrics.negative_log_likelihood(labels, logits) == 1e4
    # Not rounded to 0, even of 32-bit logits.
    logits = np.array([[40, -40, 40]], np.float32)
    assert metrics.negative_log_likelihood(labels, logits) == pytest.approx(
        3 * math.exp(-40), rel=1e-6
    )


def test_certain_probabilities_are_right_or_infinitely_wrong():
    labels = np.array([[1, 0]])
    for certain, expected in (([[1, 0]], 0), ([[0, 0]], math.inf)):
        assert expected == metrics.negative_log_likelihood(
            labels, np.array(certain), from_logits=False
        )


def test_average_precision_by_hand():
    labels = np.array([1, 0, 1, 0])
    # Precision 1 / 1 at the first positive, 2 / 3 at the second.
    for scores, expected in (
        ([4, 3, 2, 1], (1 + 2 / 3) / 2),
        ([4, 3, 3, 1], (1 + 2 / 3) / 2),  # Equal: no luck of the order.
        ([0, 0, 0, 0], 1 / 2),
        ([2, 1, 2, 1], 1),
    ):
        assert metrics.average_precision(
            labels, np.array(scores)
        ) == pytest.approx(expected)


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_average_precision_equals_scikit_learn(digits):
    labels, scores = rounded(digits, digits)
    for column in range(labels.shape[1]):
        assert metrics.average_precision(
            labels[:, column], scores[:, column]
        ) == pytest.approx(
            reference.average_precision_score(
                labels[:, column], scores[:, column]
            )
        )
    assert metrics.mean_average_precision(labels, scores) == pytest.approx(
        reference.average_precision_score(labels, scores)
    )


def test_classes_that_do_not_occur_have_no_average_precision():
    labels, scores = rounded(0)
    expected = metrics.mean_average_precision(labels, scores)
    more = [np.pad(array, [(0, 0), (1, 2)]) for array in (labels, scores)]
    assert metrics.mean_average_precision(*more) == expected
    assert np.isnan(metrics.average_precision(labels[:, 0] & 0, scores[:, 0]))
    assert np.isnan(metrics.mean_average_precision(labels & 0, scores))


def test_f1_of_sets_by_hand():
    labels = np.array([[1, 0, 0], [1, 1, 0]])
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.3]])
    # Found: 1 of 2 and no other; 1 of 1 and one other; the third is silent.
    assert metrics.micro_f1(labels, scores, 0.5) == pytest.approx(4 / 6)
    assert metrics.macro_f1(labels, scores, 0.5) == pytest.approx(
        (2 / 3 + 2 / 3) / 2
    )
    assert metrics.macro_f1(labels, scores, 0.51) == pytest.approx(
        (2 / 3 + 1) / 2
    )


@pytest.mark.parametrize("threshold", [-0.4, 0.3, 1.2, 2.6])
def test_f1_of_sets_equals_scikit_learn(threshold):
    labels, scores = rounded(3, num_frames=12)
    labels[:, 0] = False  # Predicted at low thresholds only.
    predicted = scores >= threshold
    for function, average in (
        (metrics.micro_f1, "micro"),
        (metrics.macro_f1, "macro"),
    ):
        assert function(labels, scores, threshold) == pytest.approx(
            reference.f1_score(
                labels, predicted, average=average, zero_division=np.nan
            )
        )


@relaxed
@given(st.integers(0, 99), st.randoms())
def test_metrics_of_sets_do_not_depend_on_the_order_of_frames(seed, random):
    labels, logits = rounded(seed, num_frames=9)
    order = [*range(9)]
    random.shuffle(order)
    for function in (
        metrics.negative_log_likelihood,
        metrics.mean_average_precision,
        lambda *arrays: metrics.micro_f1(*arrays, 0.5),
        lambda *arrays: metrics.macro_f1(*arrays, 0.5),
    ):
        assert function(labels[order], logits[order]) == pytest.approx(
            function(labels, logits)
        )


@relaxed
@given(st.integers(0, 99))
def test_perfect_scores_are_rated_best(seed):
    labels, _ = rounded(seed, num_frames=1 + seed % 4)
    assert metrics.micro_f1(labels, labels * 1.0, 0.5) == 1
    assert metrics.macro_f1(labels, labels * 1.0, 0.5) == 1
    if labels.any():
        assert metrics.mean_average_precision(labels, labels * 1.0) == 1
    assert metrics.negative_log_likelihood(labels, labels * 200 - 100) < 1e-9


def test_nothing_to_find_and_nothing_found_is_right():
    silent = np.zeros([2, 3])
    assert metrics.micro_f1(silent, silent, 0.5) == 1
    assert metrics.macro_f1(silent, silent, 0.5) == 1


def test_shapes_that_do_not_fit_are_named():
    for function in (
        metrics.negative_log_likelihood,
        metrics.average_precision,
        metrics.mean_average_precision,
        lambda *arrays: metrics.micro_f1(*arrays, 0.5),
        lambda *arrays: metrics.macro_f1(*arrays, 0.5),
    ):
        for shapes in (((3, 2), (4, 2)), ((0, 2), (0, 2))):
            text = re.escape(f"labels {shapes[0]} and scores {shapes[1]}")
            with pytest.raises(ValueError, match=text):
                function(*map(np.ones, shapes))
