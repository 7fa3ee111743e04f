"""The LSTM at the edges: sizes of one and none, empty rows, replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM
from tests.support.recurrent import (
    assert_close,
    diagonal,
    gradients,
    noise,
    slow,
    with_noise,
)

# XLA compiles the fused kernel again for every other size.
BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6
# Sums over all steps, in another order than Keras's.
LOOSE = {"rtol": 1e-4, "atol": 2e-6}


@pytest.fixture(params=["fused", "generic"])
def kernel(request):
    return request.param


def pair(kernel, units=UNITS, features=FEATURES, batch=None, **options):
    """Keras's layer and ours, with the same weights."""
    return [
        with_noise(layer, (batch, None, features))
        for layer in (
            keras.layers.LSTM(units, **options),
            LSTM(units, kernel=kernel, **options),
        )
    ]


def squares(layer, x, mask=None, states=None):
    """Results, and the gradients of the sum of their squares, for any shape."""
    watched = [x, *(states or [])]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        results = layer(x, mask=mask, initial_state=states, training=True)
        results = tf.nest.flatten(results)
        loss = tf.add_n([tf.reduce_sum(y * y) for y in results])
    variables = [v.value for v in layer.trainable_variables]
    return results, tape.gradient(loss, [*watched, *variables])


@pytest.mark.parametrize(
    ("kernel", "sizes"),
    [
        ("generic", (1, 1, 1, 1)),
        ("fused", (1, 1, 1, 1)),
        ("fused", (BATCH, TIME, 1, UNITS)),
        *(
            slow(kernel, sizes)
            for kernel in ("generic", "fused")
            for sizes in ((3, 1, 3, 4), (1, 5, 3, 4), (3, 5, 3, 1))
        ),
    ],
)
def test_one_of_each(kernel, sizes):
    batch, time, features, units = sizes
    options = {"return_sequences": True, "return_state": True}
    theirs, ours = pair(kernel, units, features, **options)
    x = noise(batch, time, features)
    run = tf.function(lambda: gradients(ours, x, training=True))
    assert_close(run(), gradients(theirs, x), **LOOSE)


def test_a_batch_without_rows(kernel):
    _, ours = pair(kernel, return_sequences=True, return_state=True)
    run = tf.function(lambda x: squares(ours, x))
    (y, h, c), (of_x, *of_weights) = run(tf.zeros([0, TIME, FEATURES]))
    assert y.shape == (0, TIME, UNITS)
    assert h.shape == c.shape == (0, UNITS)
    assert of_x.shape == (0, TIME, FEATURES)
    assert_close(of_weights, [np.zeros(w.shape) for w in ours.weights])


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_unknown_batch_and_time(kernel, masked):
    theirs, ours = pair(kernel, return_sequences=True, return_state=True)
    signature = [tf.TensorSpec([None, None, FEATURES], tf.float32)]
    signature += [tf.TensorSpec([None, None], tf.bool)] * masked
    run = tf.function(
        lambda *arguments: squares(ours, *arguments), input_signature=signature
    )
    for batch, time in ((BATCH, TIME), (1, 1)):
        x = tf.constant(noise(batch, time, FEATURES))
        mask = [tf.constant(noise(batch, time, seed=1) > 0)] * masked
        assert_close(run(x, *mask), squares(theirs, x, *mask), **LOOSE)


@pytest.mark.parametrize("run", [lambda f: f, tf.function])
def test_no_step_is_refused(kernel, run):
    _, ours = pair(kernel)
    with pytest.raises(ValueError) as caught:
        run(lambda: ours(tf.zeros([2, 0, FEATURES])))()
    assert (
        "LSTM expects at least one step, got shape (2, 0, 4): leave empty "
        "sequences out or pad them"
    ) in str(caught.value)


def test_no_step_of_unknown_time_is_an_error_too(kernel):
    _, ours = pair(kernel)
    signature = [tf.TensorSpec([None, None, FEATURES], tf.float32)]
    run = tf.function(lambda x: ours(x), input_signature=signature)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="expects at least one step"
    ):
        run(tf.zeros([2, 0, FEATURES]))


@pytest.mark.parametrize("empty", [[1], [0, 1, 2]], ids=["one", "all"])
def test_rows_of_padding_keep_their_state(kernel, empty):
    _, ours = pair(kernel, return_sequences=True, return_state=True)
    mask = np.ones([BATCH, TIME], bool)
    mask[empty] = False
    x = tf.constant(noise(BATCH, TIME, FEATURES))
    states = [tf.constant(noise(BATCH, UNITS, seed=n)) for n in (1, 2)]
    run = tf.function(lambda: squares(ours, x, mask, states))
    (y, *last), (of_x, of_h, of_c, *of_weights) = run()
    for result in (y, of_x):
        assert not np.any(result.numpy()[empty])
    for before, after, grad in zip(states, last, (of_h, of_c), strict=True):
        assert_close(after.numpy()[empty], before.numpy()[empty])
        assert_close(grad.numpy()[empty], 2 * before.numpy()[empty])
    learns = len(empty) < BATCH
    assert [np.any(grad.numpy()) for grad in of_weights] == [learns] * 3


def model_of(layer, batch=None):
    """A layer and a dense one behind it, compiled, with known weights."""
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES), batch_size=batch),
            layer,
            keras.layers.Dense(1),
        ]
    )
    with_noise(model)
    model.compile("sgd", "mse")
    return model


def fit(model):
    x, y = noise(6, TIME, FEATURES), noise(6, 1, seed=1)
    model.fit(x, y, batch_size=2, shuffle=False, verbose=0)


# In training in a graph, "auto" is fused.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["auto", slow("fused")])
def test_a_mirrored_strategy_fits_twice(name):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    expected = model_of(keras.layers.LSTM(UNITS))
    with strategy.scope():
        model = model_of(LSTM(UNITS, kernel=name))
    for _ in range(2):
        fit(model)
        fit(expected)
        assert_close(model.get_weights(), expected.get_weights(), **LOOSE)


@pytest.mark.parametrize("name", ["auto", slow("fused")])
def test_a_mirrored_strategy_runs_twice(name):
    theirs, _ = pair(name)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        _, ours = pair(name)
    x = tf.constant(noise(BATCH, TIME, FEATURES))
    run = tf.function(lambda: strategy.run(lambda: squares(ours, x)))
    for _ in range(2):
        assert_close(run(), squares(theirs, x), **LOOSE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "jit_compile"),
    diagonal(["fused", "generic"], ["auto", False]),
)
def test_stateful_fit_equals_keras(kernel, jit_compile):
    layers = pair(kernel, batch=2, stateful=True)
    models = [model_of(layer, batch=2) for layer in layers]
    for model in models:
        model.compile("sgd", "mse", jit_compile=jit_compile)
        fit(model)
    theirs, ours = layers
    assert_close(models[1].get_weights(), models[0].get_weights(), **LOOSE)
    assert_close(list(ours.states), list(theirs.states), **LOOSE)
    assert all(np.any(state) for state in ours.states)
    ours.reset_state()
    theirs.reset_state()
    assert not any(np.any(state) for state in ours.states)
    x = noise(2, TIME, FEATURES)
    assert_close(ours(x), theirs(x), **LOOSE)
