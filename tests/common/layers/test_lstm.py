"""The LSTM against NumPy, and weight for weight against Keras's own."""

import inspect
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM, LSTMCell, shapes
from common.layers.lstm.options import OPTIONS
from tests.support.recurrent import (
    MODES,
    assert_close,
    gradients,
    noise,
    sigmoid,
    with_noise,
)

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6
LENGTHS = np.array([5, 1, 3])


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def batch(seed=0):
    return noise(BATCH, TIME, FEATURES, seed=seed)


def state(seed=1):
    return [noise(BATCH, UNITS, seed=seed), noise(BATCH, UNITS, seed=seed + 1)]


def mask():
    return shapes.sequence_mask(LENGTHS, TIME)


def numpy_lstm(x, h, c, kernel, recurrent_kernel, bias, lengths):
    """Outputs and last state in float64, one row and one step at a time."""
    outputs = np.zeros([*x.shape[:2], h.shape[1]])
    h, c = h.astype("float64"), c.astype("float64")
    for row, length in enumerate(lengths):
        for t in range(length):
            z = x[row, t] @ kernel + h[row] @ recurrent_kernel + bias
            i, f, g, o = np.split(z, 4)
            c[row] = sigmoid(f) * c[row] + sigmoid(i) * np.tanh(g)
            h[row] = sigmoid(o) * np.tanh(c[row])
            outputs[row, t] = h[row]
    return outputs, h, c


def test_layer_is_the_equations_at_every_real_step(mode):
    layer = with_noise(LSTM(UNITS, return_sequences=True, return_state=True))
    y, h, c = mode(layer)(batch(), initial_state=state(), mask=mask())
    y = y * tf.cast(mask(), y.dtype)[:, :, tf.newaxis]
    expected = numpy_lstm(batch(), *state(), *layer.get_weights(), LENGTHS)
    assert_close([y, h, c], expected)


LAYER_OPTIONS = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "return_state": True, "use_bias": False},
    {"return_state": True, "go_backwards": True},
    {"return_sequences": True, "go_backwards": True, "unroll": True},
    {"return_sequences": True, "zero_output_for_mask": True},
    {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
    {"return_state": True, "kernel_regularizer": "l2"},
]


@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_layer_equals_keras_with_gradients(options, masked):
    theirs = with_noise(keras.layers.LSTM(UNITS, **options))
    ours = LSTM(UNITS, **options)
    ours.build((BATCH, TIME, FEATURES))
    ours.set_weights(theirs.get_weights())
    call = {"mask": mask() if masked else None, "initial_state": state()}
    actual = gradients(ours, batch(), **call)
    assert_close(actual, gradients(theirs, batch(), **call))
    assert_close(ours.losses, theirs.losses)
    theirs.set_weights([-w for w in ours.get_weights()])
    ours.set_weights(theirs.get_weights())
    assert_close(ours(batch()), theirs(batch()))


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_gradients_are_the_same_in_every_mode(mode):
    layer = with_noise(LSTM(UNITS, return_sequences=True))
    run = MODES[mode](lambda x: gradients(layer, x, mask=mask()))
    assert_close(run(batch()), gradients(layer, batch(), mask=mask()))


def test_stateful_continues_and_resets_like_keras():
    layers = [cls(UNITS, stateful=True) for cls in (LSTM, keras.layers.LSTM)]
    ours, theirs = (with_noise(layer) for layer in layers)
    first = ours(batch())
    assert_close(first, theirs(batch()))
    second = ours(batch())
    assert_close(second, theirs(batch()))
    assert not np.allclose(first, second)
    ours.reset_state()
    assert_close(ours(batch()), first)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_bidirectional_equals_keras(merge):
    ours, theirs = (
        with_noise(
            keras.layers.Bidirectional(
                cls(UNITS, return_sequences=True, return_state=True), merge
            )
        )
        for cls in (LSTM, keras.layers.LSTM)
    )
    assert type(ours.backward_layer) is LSTM
    assert_close(ours(batch(), mask=mask()), theirs(batch(), mask=mask()))


def test_stacked_cells_equal_keras():
    ours, theirs = (
        with_noise(keras.layers.RNN([cls(UNITS), cls(2)]))
        for cls in (LSTMCell, keras.layers.LSTMCell)
    )
    assert_close(ours(batch(), mask=mask()), theirs(batch(), mask=mask()))


DROPOUTS = [{"dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.3}]


@pytest.mark.parametrize("options", DROPOUTS, ids=str)
def test_one_global_seed_gives_keras_weights_and_dropout(options):
    results = []
    for cls in (LSTM, keras.layers.LSTM):
        keras.utils.set_random_seed(7)
        layer = cls(UNITS, return_sequences=True, **options)
        after = keras.layers.Dense(3)  # Draws its seed after the layer's.
        results.append([layer(batch(), training=True), after(batch())])
    assert_close(results[0], results[1])


@pytest.mark.parametrize("options", DROPOUTS, ids=str)
def test_dropout_is_off_in_inference_and_random_in_training(options):
    plain, dropped = with_noise(LSTM(UNITS)), with_noise(LSTM(UNITS, **options))
    assert_close(dropped(batch()), plain(batch()))
    first, second = (dropped(batch(), training=True) for _ in range(2))
    assert not np.allclose(first, second)


def test_dropout_keeps_one_mask_for_the_whole_sequence():
    # A cell that adds up its inputs: i, f and o are open, there is no squash.
    layer = LSTM(1, None, None, dropout=0.5, return_sequences=True, seed=3)
    layer.build((64, 4, 1))
    layer.set_weights(
        [np.array([[0, 0, 1, 0]]), np.zeros([1, 4]), np.array([1, 1, 0, 1])]
    )
    sums = np.squeeze(layer(np.ones([64, 4, 1]), training=True), -1)
    # Kept inputs count double, so that the mean is as without dropout.
    assert {tuple(row) for row in sums} == {(0, 0, 0, 0), (2, 4, 6, 8)}


def test_padding_changes_nothing():
    layer = with_noise(LSTM(UNITS, return_sequences=True, return_state=True))
    padding = 9 * noise(BATCH, 4, FEATURES, seed=5)
    long = np.concatenate([batch(), padding], axis=1)
    long_mask = shapes.sequence_mask(LENGTHS, TIME + 4)

    def run(x, mask):
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, h, c = layer(x, mask=mask)
            last = shapes.last_step(y, LENGTHS)
            loss = tf.reduce_sum((last + 2 * h + 3 * c) ** 2)
        weights = [w.value for w in layer.weights]
        x_gradient, *others = tape.gradient(loss, [x, *weights])
        assert_close(x_gradient[:, TIME:], 0 * x[:, TIME:])
        return [y[:, :TIME], h, c, x_gradient[:, :TIME], *others]

    assert_close(run(long, long_mask), run(batch(), mask()))


@pytest.mark.parametrize("lengths", [[5, 5, 5], [1, 1, 1], [0, 5, 1]])
def test_lengths_from_none_to_all(lengths):
    layer = with_noise(LSTM(UNITS, return_state=True))
    mask = shapes.sequence_mask(lengths, TIME)
    y, h, c = layer(batch(), initial_state=state(), mask=mask)
    weights = layer.get_weights()
    _, *expected = numpy_lstm(batch(), *state(), *weights, lengths)
    # Of a row without steps the state stays, and the output is 0.
    has_steps = np.array(lengths)[:, np.newaxis] > 0
    assert_close([y, h, c], [expected[0] * has_steps, *expected])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_computes_low_and_stores_high(dtype):
    layer = with_noise(LSTM(UNITS, return_state=True, dtype=f"mixed_{dtype}"))
    results, grads = gradients(layer, batch(), mask=mask())
    assert {result.dtype.name for result in results} == {dtype}
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert {grad.dtype.name for grad in grads} == {"float32"}
    exact = with_noise(LSTM(UNITS, return_state=True))(batch(), mask=mask())
    # 8 bits of mantissa (bfloat16) leave 2 to 3 digits.
    results = [tf.cast(result, "float32") for result in results]
    assert_close(results, exact, rtol=0, atol=5e-2)


def test_float64_is_as_good_as_numpy():
    layer = with_noise(LSTM(UNITS, return_state=True, dtype="float64"))
    x, weights = batch().astype("float64"), layer.get_weights()
    zeros = np.zeros([BATCH, UNITS])
    _, *expected = numpy_lstm(x, zeros, zeros, *weights, LENGTHS)
    assert_close(layer(x, mask=mask())[1:], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("features", "units", "count"), [(128, 64, 49408), (4096, 256, 4457472)]
)
def test_parameter_count(features, units, count):
    # Two published counts; the model needs no values, only shapes.
    layer = LSTM(units, recurrent_initializer="zeros")
    layer.build((None, None, features))
    assert layer.count_params() == count
    assert shapes.lstm_parameter_count(features, units) == count


def test_constructor_and_config_are_keras():
    ours, theirs = (
        cls(UNITS, dropout=0.1, name="reader", return_state=True, seed=1)
        for cls in (LSTM, keras.layers.LSTM)
    )
    parameters, keras_parameters = (
        [
            (p.name, p.default, p.kind)
            for p in inspect.signature(cls).parameters.values()
        ]
        for cls in (LSTM, keras.layers.LSTM)
    )
    *of_keras, kwargs = keras_parameters
    options = [
        (name, default, inspect.Parameter.KEYWORD_ONLY)
        for name, default in OPTIONS.items()
    ]
    kernel = ("kernel", "auto", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert parameters == [*of_keras, kernel, *options, kwargs]
    assert ours.get_config() == theirs.get_config() | {"kernel": "auto"}
    assert LSTM.from_config(ours.get_config()).get_config() == ours.get_config()


def test_layer_owns_one_cell():
    layer = with_noise(LSTM(UNITS, name="reader"))
    assert [weight.path for weight in layer.weights] == [
        f"reader/lstm_cell/{name}"
        for name in ("kernel", "recurrent_kernel", "bias")
    ]
    assert [type(part) for part in layer._flatten_layers()] == [LSTM, LSTMCell]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unroll": True},
        {"use_bias": False},
        {"use_cudnn": False},
        {"activation": "relu"},
        {"recurrent_activation": "tanh"},
    ],
    ids=str,
)
def test_jit_is_off_where_keras_turns_it_off_for_cudnn(monkeypatch, options):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    ours, theirs = (cls(2, **options) for cls in (LSTM, keras.layers.LSTM))
    assert ours.supports_jit == theirs.supports_jit


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("wrap", [lambda x: x, keras.layers.Bidirectional])
def test_wrong_rank_names_the_missing_axis(built, wrap):
    layer = wrap(LSTM(UNITS))
    if built:
        layer.build((2, 3, 8))
    with pytest.raises(ValueError) as caught:
        layer(noise(2, 8))
    assert (
        "LSTM expects [batch, time, features], got shape (2, 8): did you "
        in str(caught.value)
    )


def test_wrong_features_and_wrong_cudnn_are_named():
    layer = with_noise(LSTM(UNITS))
    with pytest.raises(ValueError, match=r"LSTMCell was built for 4 features"):
        layer(noise(2, 3, 8))
    with pytest.raises(ValueError, match=r"use_cudnn must be .* got 'yes'"):
        LSTM(UNITS, use_cudnn="yes")


def test_a_mask_is_taken_without_a_warning():
    """Also in Keras 3.16, whose own layers warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs = LSTM(UNITS, return_sequences=True)(batch(), mask=mask())
    assert outputs.shape == (BATCH, TIME, UNITS)
