"""Scores of classes against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from common.metrics import classification


@pytest.fixture(params=[2, 3, 7])
def answers(request):
    rng = np.random.default_rng(request.param)
    logits = rng.normal(size=(400, request.param))
    labels = rng.integers(0, request.param, 400)
    logits[np.arange(400), labels] += 0.7
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities


def test_counts_and_f1_equal_scikit_learn(answers):
    labels, probabilities = answers
    predictions = probabilities.argmax(axis=1)
    confusion = classification.confusion_matrix(
        labels, predictions, probabilities.shape[1]
    )
    np.testing.assert_array_equal(
        confusion, reference.confusion_matrix(labels, predictions)
    )
    assert classification.accuracy(confusion) == pytest.approx(
        reference.accuracy_score(labels, predictions)
    )
    assert classification.macro_f1(confusion) == pytest.approx(
        reference.f1_score(labels, predictions, average="macro")
    )


def test_a_class_that_never_occurs_does_not_count():
    confusion = classification.confusion_matrix(
        np.array([0, 0, 1]), np.array([0, 1, 1]), num_classes=4
    )
    assert classification.macro_f1(confusion) == pytest.approx(2 / 3)


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_roc_auc_equals_scikit_learn_with_and_without_ties(digits):
    rng = np.random.default_rng(digits)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=300) + labels, digits)
    assert classification.roc_auc(labels, scores) == pytest.approx(
        reference.roc_auc_score(labels, scores)
    )


def test_roc_auc_of_one_class_is_not_a_number():
    assert np.isnan(classification.roc_auc(np.ones(3), np.arange(3.0)))


def test_calibration_error_by_hand():
    # Two bins: 0.95 with 3 of 4 right, 0.55 with 1 of 2 right.
    confidences = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    correct = np.array([1, 1, 1, 0, 1, 0])
    expected = (4 * abs(0.95 - 0.75) + 2 * abs(0.55 - 0.5)) / 6
    assert classification.expected_calibration_error(
        confidences, correct
    ) == pytest.approx(expected)


def test_calibration_error_at_the_edges_of_bins():
    certain = np.ones(4)
    assert classification.expected_calibration_error(certain, certain) == 0
    assert classification.expected_calibration_error(certain, certain * 0) == 1
    assert classification.expected_calibration_error(certain * 0, certain) == 1
