"""The LSTM at the edges: one step, no rows, unknown sizes, rows of padding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent import assert_close, gradients, noise, with_noise

from common import LSTM

KERNELS = ["fused", "generic"]
SIZES = [(3, 1, 4), (1, 5, 4), (3, 5, 1), (1, 1, 1)]
# Sums over all steps, in another order than Keras's.
LOOSE = {"rtol": 1e-4, "atol": 2e-6}


def pair(shape, units=2, **options):
    """Keras's layer and ours, with the same weights."""
    kernel = options.pop("kernel")
    theirs = with_noise(keras.layers.LSTM(units, **options), shape)
    ours = LSTM(units, kernel=kernel, **options)
    ours.build(shape)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("units", [1, 3])
def test_one_of_everything(kernel, shape, units):
    theirs, ours = pair(shape, units, kernel=kernel, return_sequences=True)
    x = noise(*shape)
    run = tf.function(lambda: gradients(ours, x, training=True))
    assert_close(run(), gradients(theirs, x, training=True), **LOOSE)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_rows_and_their_gradients(kernel):
    _, ours = pair((0, 5, 4), kernel=kernel, return_sequences=True)
    x = np.zeros((0, 5, 4), "float32")
    results, slopes = tf.function(lambda: gradients(ours, x, training=True))()
    assert results[0].shape == (0, 5, 2)
    assert slopes[0].shape == (0, 5, 4)
    assert all(not np.any(slope) for slope in slopes[1:])


@pytest.mark.parametrize("kernel", KERNELS)
def test_sizes_known_only_later(kernel):
    theirs, ours = pair((None, None, 4), kernel=kernel, return_state=True)
    weights = [v.value for v in ours.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, None, 4])])
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            results = ours(x, training=True)
            loss = tf.add_n([tf.reduce_sum(y * y) for y in results])
        return results, tape.gradient(loss, [x, *weights])

    for shape in ((3, 5, 4), (1, 1, 4), (17, 2, 4)):
        results, slopes = run(noise(*shape))
        with tf.GradientTape() as tape:
            x = tf.constant(noise(*shape))
            tape.watch(x)
            expected = theirs(x, training=True)
            loss = tf.add_n([tf.reduce_sum(y * y) for y in expected])
        sources = [x, *(v.value for v in theirs.trainable_variables)]
        assert_close(results, expected, **LOOSE)
        assert_close(slopes, tape.gradient(loss, sources), **LOOSE)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_steps_are_refused(kernel):
    message = (
        r"LSTM expects at least one step, got shape \(2, 0, 3\): leave empty "
        "sequences out or pad them"
    )
    with pytest.raises(ValueError, match=message):
        LSTM(4, kernel=kernel)(tf.zeros([2, 0, 3]))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("empty", [[1], [0, 1, 2]], ids=["one", "all"])
def test_rows_of_padding_keep_their_state_and_have_no_gradient(kernel, empty):
    _, ours = pair((3, 5, 4), kernel=kernel, return_state=True)
    mask = np.ones((3, 5), bool)
    mask[empty] = False
    states = [tf.constant(noise(3, 2, seed=n)) for n in (1, 2)]
    x = noise(3, 5, 4)
    (output, *last), slopes = gradients(
        ours, x, mask=mask, initial_state=states, training=True
    )
    assert not np.any(output.numpy()[empty])
    for first, state in zip(states, last, strict=True):
        np.testing.assert_array_equal(
            state.numpy()[empty], first.numpy()[empty]
        )
    assert not np.any(slopes[0].numpy()[empty])


@pytest.mark.parametrize("kernel", [*KERNELS, "auto"])
def test_fit_continues_under_a_distribution_strategy(kernel):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    losses = []
    for scope in (strategy.scope, tf.init_scope):
        with scope():
            keras.utils.set_random_seed(0)
            model = keras.Sequential([LSTM(3, kernel=kernel)])
            model.compile("sgd", "mse")
        runs = [
            model.fit(noise(8, 5, 4), noise(8, 3), verbose=0, shuffle=False)
            for _ in range(2)
        ]
        losses.append([run.history["loss"][0] for run in runs])
    assert losses[0][1] < losses[0][0]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_stateful_fit_continues_as_keras_does():
    options = {"stateful": True, "return_sequences": True}
    models = []
    for layer in pair((4, 5, 3), kernel="fused", **options):
        model = keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), layer])
        model.compile("sgd", "mse")
        x, y = noise(12, 5, 3), noise(12, 5, 2, seed=1)
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        models.append(model)
    theirs, ours = (model.layers[-1] for model in models)
    assert_close(ours.states, theirs.states, **LOOSE)
    assert_close(ours.get_weights(), theirs.get_weights(), **LOOSE)
    ours.reset_state()
    assert not any(np.any(state) for state in ours.states)
