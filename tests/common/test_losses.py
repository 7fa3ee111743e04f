"""The smoothed cross-entropy against its definition, written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.losses import (
    SmoothedCrossEntropy,
    smoothed_cross_entropy,
    truncated_mean_squared_error,
)
from tests.support.recurrent import MODES, assert_close, noise

SMOOTHINGS = [0.0, 0.1, 0.7, 1.0]
BATCH, TIME, VOCAB = 3, 5, 7


def example(scale=3.0, seed=0):
    labels = np.random.default_rng(seed).integers(0, VOCAB, (BATCH, TIME))
    logits = scale * noise(BATCH, TIME, VOCAB, seed=seed)
    return labels.astype("int32"), logits


def step_weights():
    """Weight 1 on real steps, 0 on padding."""
    lengths = np.array([5, 1, 3])
    return (np.arange(TIME) < lengths[:, np.newaxis]).astype("float32")


def numpy_log_softmax(logits):
    logits = np.asarray(logits, "float64")
    highest = logits.max(-1, keepdims=True)
    powers = np.exp(logits - highest)
    return logits - highest - np.log(powers.sum(-1, keepdims=True))


def target_distribution(labels, vocab, smoothing):
    target = np.full([*labels.shape, vocab], smoothing / vocab)
    for place in np.ndindex(labels.shape):
        target[(*place, labels[place])] += 1 - smoothing
    return target


def by_definition(labels, logits, smoothing):
    target = target_distribution(labels, logits.shape[-1], smoothing)
    return -(target * numpy_log_softmax(logits)).sum(-1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_it_is_the_cross_entropy_with_the_whole_target(smoothing, seed):
    labels, logits = example(seed=seed)
    loss = smoothed_cross_entropy(labels, logits, smoothing)
    expected = by_definition(labels, logits, smoothing)
    assert_close(loss, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_the_same_in_a_graph(mode):
    labels, logits = example()
    function = MODES[mode](lambda *x: smoothed_cross_entropy(*x, 0.1))
    expected = by_definition(labels, logits, 0.1)
    assert_close(function(labels, logits), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_the_gradient_is_the_probabilities_less_the_target(smoothing):
    labels, logits = example()
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = smoothed_cross_entropy(labels, logits, smoothing)
    probs = np.exp(numpy_log_softmax(logits))
    expected = probs - target_distribution(labels, VOCAB, smoothing)
    assert_close(tape.gradient(loss, logits), expected, atol=1e-6)


def test_without_smoothing_it_is_that_of_keras():
    labels, logits = example()
    expected = keras.losses.sparse_categorical_crossentropy(
        labels, logits, from_logits=True
    )
    assert_close(smoothed_cross_entropy(labels, logits), expected)


def test_with_smoothing_it_is_that_of_keras_for_whole_targets():
    labels, logits = example()
    expected = keras.losses.categorical_crossentropy(
        np.eye(VOCAB)[labels], logits, from_logits=True, label_smoothing=0.1
    )
    loss = smoothed_cross_entropy(labels, logits, 0.1)
    assert_close(loss, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_far_off_logits_stay_finite(smoothing):
    labels, logits = example(scale=1e4)
    loss = smoothed_cross_entropy(labels, logits, smoothing)
    assert_close(loss, by_definition(labels, logits, smoothing), rtol=1e-5)


# A sum over the vocabulary is too great for float16, too fine for bfloat16.
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_short_floats_are_computed_in_float32(dtype, smoothing):
    labels, logits = example()
    logits = tf.cast(20_000 + 100 * logits, dtype)
    loss = smoothed_cross_entropy(labels, logits, smoothing)
    assert loss.dtype == tf.float32
    exact = tf.cast(logits, tf.float64).numpy()
    assert_close(loss, by_definition(labels, exact, smoothing), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_mean_of_short_floats_is_float32_too(dtype):
    labels, logits = example()
    logits = tf.cast(logits, dtype)
    loss = SmoothedCrossEntropy(0.1)(labels, logits, step_weights())
    assert loss.dtype == tf.float32
    exact = tf.cast(logits, tf.float32)
    expected = SmoothedCrossEntropy(0.1)(labels, exact, step_weights())
    assert_close(loss, expected)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_the_loss_is_the_mean_over_the_steps_of_weight_one(smoothing):
    labels, logits = example()
    weights = step_weights()
    loss = SmoothedCrossEntropy(smoothing)(labels, logits, weights)
    steps = by_definition(labels, logits, smoothing)[weights == 1]
    assert len(steps) == 9
    assert_close(loss, steps.mean(), rtol=1e-5, atol=1e-5)


def test_without_weights_it_is_the_mean_over_all_steps():
    labels, logits = example()
    loss = SmoothedCrossEntropy(0.1)(labels, logits)
    assert_close(loss, by_definition(labels, logits, 0.1).mean())


def test_no_real_step_at_all_is_a_loss_of_nothing():
    labels, logits = example()
    loss = SmoothedCrossEntropy(0.1)(labels, logits, 0 * step_weights())
    assert loss == 0


def value_and_gradient(labels, logits, weights):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SmoothedCrossEntropy(0.1)(labels, logits, weights)
    return loss, tape.gradient(loss, logits).numpy()


def test_padding_changes_neither_value_nor_gradient():
    labels, logits = example()
    weights = step_weights()
    expected, of_short = value_and_gradient(labels, logits, weights)
    # Other values on the padding there is, and steps and a row more.
    padding = weights == 0
    labels, logits = labels.copy(), logits.copy()
    labels[padding], logits[padding] = 2, 1e3
    more = [[0, 1], [0, 4]]
    loss, of_long = value_and_gradient(
        np.pad(labels, more, constant_values=3),
        np.pad(logits, [*more, [0, 0]], constant_values=-50),
        np.pad(weights, more),
    )
    assert_close(loss, expected)
    assert not of_long[np.pad(weights, more) == 0].any()
    assert_close(of_long[:BATCH, :TIME], of_short)
    assert np.abs(of_short[~padding]).min() > 0


def test_a_model_reports_it_over_batches():
    labels, logits = example()
    inputs = keras.Input([TIME, VOCAB])
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss=SmoothedCrossEntropy(0.1))
    loss = model.evaluate(
        logits, labels, sample_weight=step_weights(), verbose=0
    )
    expected = by_definition(labels, logits, 0.1)[step_weights() == 1].mean()
    assert_close(loss, expected)


# Jumps from one step to the next


def jumps_by_definition(logs, weights, threshold):
    costs = []
    for row, length in zip(logs, weights.sum(1).astype(int), strict=True):
        for time in range(1, length):
            jumps = np.abs(row[time] - row[time - 1])
            costs.append(np.minimum(jumps, threshold) ** 2)
    return np.mean(costs)


@pytest.mark.parametrize("threshold", [0.5, 4.0, 100.0])
def test_jumps_are_those_of_the_definition(threshold):
    _, logits = example()
    logs = numpy_log_softmax(logits).astype("float32")
    found = truncated_mean_squared_error(logs, step_weights() == 1, threshold)
    expected = jumps_by_definition(logs, step_weights(), threshold)
    assert found.shape == ()
    assert_close(found, expected, rtol=1e-5)


def jumps_and_gradient(logs, mask, threshold=4.0):
    logs = tf.constant(logs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logs)
        loss = truncated_mean_squared_error(logs, mask, threshold)
    return loss, tape.gradient(loss, logs).numpy()


def test_no_gradient_goes_to_the_step_before_or_beyond_the_threshold():
    logs = [[[0.0, 0.0], [1.0, -9.0], [3.0, -9.5]]]
    _, gradient = jumps_and_gradient(logs, np.ones([1, 3], bool))
    # 2 d / 4 of the jumps d from step 0 to 1 and from 1 to 2.
    assert_close(gradient, np.array([[[0, 0], [0.5, 0], [1.0, -0.25]]]))


def test_padding_changes_no_jump():
    _, logits = example()
    mask = step_weights() == 1
    expected, of_short = jumps_and_gradient(logits, mask)
    changed = np.where(mask[..., None], logits, -77)
    more = [[0, 1], [0, 4]]
    loss, of_long = jumps_and_gradient(
        np.pad(changed, [*more, [0, 0]], constant_values=50),
        np.pad(mask, more),
    )
    assert_close(loss, expected)
    assert_close(of_long[:BATCH, :TIME], of_short)
    assert not of_long[np.pad(mask, more) == 0].any()


@pytest.mark.parametrize("time", [1, 3])
def test_one_step_or_none_has_no_jump(time):
    for mask in (np.arange(time) < 1, np.zeros(time, bool)):
        logs = noise(1, time, VOCAB)
        loss, gradient = jumps_and_gradient(logs, mask[None])
        assert loss == 0
        assert not gradient.any()
