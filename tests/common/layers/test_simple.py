"""Every cell against NumPy, and weight for weight against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import ElmanCell, JordanCell, LSTMCell, shapes
from common.layers.lstm.cell import LSTMState, lstm_step
from tests.support.recurrent import (
    MODES,
    assert_close,
    gradients,
    noise,
    sigmoid,
    with_noise,
)

BATCH, TIME, FEATURES, UNITS, OUTPUTS = 3, 5, 4, 6, 2
LENGTHS = np.array([5, 1, 3])

CELLS = {
    "lstm": lambda **options: LSTMCell(UNITS, **options),
    "elman": lambda **options: ElmanCell(UNITS, **options),
    "jordan": lambda **options: JordanCell(UNITS, OUTPUTS, **options),
}
TWINS = {
    LSTMCell: keras.layers.LSTMCell,
    ElmanCell: keras.layers.SimpleRNNCell,
}


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture(params=CELLS)
def make_cell(request):
    return CELLS[request.param]


def batch():
    return noise(BATCH, TIME, FEATURES)


def mask(time=TIME):
    return shapes.sequence_mask(LENGTHS, time)


def states_of(cell):
    return [
        noise(*state.shape, seed=1 + n)
        for n, state in enumerate(cell.get_initial_state(batch_size=BATCH))
    ]


def make_layer(cell, **options):
    """A layer around the cell that returns all it can."""
    return keras.layers.RNN(
        cell, return_sequences=True, return_state=True, **options
    )


def numpy_lstm_step(x, h, c, w, u, b):
    i, f, g, o = np.hsplit(x @ w + h @ u + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def numpy_elman(x, h, w, u, b, lengths):
    """Outputs at the real steps and last states, in float64."""
    h, outputs = h.astype("float64"), np.zeros([*x.shape[:2], h.shape[1]])
    for row, length in enumerate(lengths):
        for t in range(length):
            h[row] = outputs[row, t] = np.tanh(x[row, t] @ w + h[row] @ u + b)
    return outputs, h


def numpy_jordan(x, y, w, u, b, v, c, lengths):
    """Outputs at the real steps and last outputs, in float64."""
    y, outputs = y.astype("float64"), np.zeros([*x.shape[:2], y.shape[1]])
    for row, length in enumerate(lengths):
        for t in range(length):
            hidden = np.tanh(x[row, t] @ w + y[row] @ u + b)
            y[row] = outputs[row, t] = sigmoid(hidden @ v + c)
    return outputs, y


def test_lstm_step_is_the_equations(mode):
    weights = with_noise(LSTMCell(UNITS), (BATCH, FEATURES)).get_weights()
    x, h, c = batch()[:, 0], *states_of(LSTMCell(UNITS))
    actual = mode(lstm_step)(x, LSTMState(h, c), *weights)
    assert_close(actual, numpy_lstm_step(x, h, c, *weights))


@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (ElmanCell(UNITS), numpy_elman),
        (
            JordanCell(UNITS, OUTPUTS, output_activation="sigmoid"),
            numpy_jordan,
        ),
    ],
    ids=["elman", "jordan"],
)
def test_layer_is_the_equations_at_every_real_step(cell, reference, mode):
    layer, states = with_noise(make_layer(cell)), states_of(cell)
    y, last = mode(layer)(batch(), initial_state=states, mask=mask())
    y = y * tf.cast(mask(), y.dtype)[:, :, tf.newaxis]
    expected = reference(batch(), *states, *layer.get_weights(), LENGTHS)
    assert_close([y, last], expected)


def test_jordan_output_is_linear_unless_told():
    cell = JordanCell(UNITS, OUTPUTS, activation=None, use_bias=False)
    w, u, v = with_noise(cell, (BATCH, FEATURES)).get_weights()
    x, (y,) = batch()[:, 0], states_of(cell)
    assert_close(cell(x, [y])[0], (x @ w + y @ u) @ v)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (LSTMCell, {}),
        (LSTMCell, {"use_bias": False}),
        (LSTMCell, {"activation": "relu", "recurrent_activation": "tanh"}),
        (LSTMCell, {"activation": None, "recurrent_activation": None}),
        (LSTMCell, {"implementation": 1}),
        (ElmanCell, {}),
        (ElmanCell, {"use_bias": False}),
        (ElmanCell, {"activation": "relu"}),
        (ElmanCell, {"activation": None}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_cell_equals_keras_both_ways(cls, options):
    ours, theirs = cls(UNITS, **options), TWINS[cls](UNITS, **options)
    layer, twin = with_noise(make_layer(ours)), make_layer(theirs)
    twin.build((BATCH, TIME, FEATURES))
    twin.set_weights(layer.get_weights())
    kwargs = {"initial_state": states_of(ours), "mask": mask()}
    actual = gradients(layer, batch(), **kwargs)
    assert_close(actual, gradients(twin, batch(), **kwargs))
    twin.set_weights([-w for w in layer.get_weights()])
    layer.set_weights(twin.get_weights())
    assert_close(layer(batch()), twin(batch()))


@pytest.mark.parametrize("cls", TWINS)
def test_stacked_cells_equal_keras(cls):
    ours = with_noise(make_layer([cls(UNITS), cls(2)]))
    theirs = with_noise(make_layer([TWINS[cls](UNITS), TWINS[cls](2)]))
    assert_close(ours(batch(), mask=mask()), theirs(batch(), mask=mask()))


@pytest.mark.parametrize("cls", TWINS)
def test_one_seed_gives_keras_weights_and_dropout(cls):
    results = []
    for maker in (cls, TWINS[cls]):
        keras.utils.set_random_seed(7)
        layer = make_layer(maker(UNITS, dropout=0.4, recurrent_dropout=0.3))
        results.append(layer(batch(), training=True))
    assert_close(results[0], results[1])


@pytest.mark.parametrize("kind", ["dropout", "recurrent_dropout"])
def test_dropout_is_random_in_training_only(make_cell, kind):
    plain = with_noise(make_layer(make_cell()))
    dropped = with_noise(make_layer(make_cell(**{kind: 0.5})))
    assert_close(dropped(batch()), plain(batch()))
    first, second = (dropped(batch(), training=True)[0] for _ in range(2))
    assert not np.allclose(first, second)


def test_padding_changes_nothing(make_cell):
    layer = with_noise(make_layer(make_cell(), zero_output_for_mask=True))
    padding = 9 * noise(BATCH, 4, FEATURES, seed=5)
    long = np.concatenate([batch(), padding], axis=1)

    def run(x, mask):
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, *states = layer(x, mask=mask)
            loss = tf.add_n([tf.reduce_sum((s + 1) ** 3) for s in states])
            loss += tf.reduce_sum(tf.sin(y))
        grads = tape.gradient(loss, [x, *(w.value for w in layer.weights)])
        assert np.all(grads[0][~mask] == 0)
        return [y[:, :TIME], *states, grads[0][:, :TIME], *grads[1:]]

    assert_close(run(long, mask(TIME + 4)), run(batch(), mask()))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_computes_low_and_stores_high(make_cell, dtype):
    layer = with_noise(make_layer(make_cell(dtype=f"mixed_{dtype}")))
    results, grads = gradients(layer, batch())
    assert {value.dtype.name for value in results} == {"float32"}
    assert {grad.dtype.name for grad in grads} == {"float32"}
    states = layer.cell.get_initial_state(batch_size=BATCH)
    output, states = layer.cell(batch()[:, 0], states)
    assert {value.dtype.name for value in [output, *states]} == {dtype}
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    # 8 bits of mantissa (bfloat16) leave 2 to 3 digits.
    exact = with_noise(make_layer(make_cell()))(batch())
    assert_close(results, exact, rtol=2e-2, atol=1e-1)


def test_parameter_counts_are_those_of_the_built_cells():
    cells = [
        (LSTMCell(6), shapes.lstm_parameter_count(4, 6)),
        (ElmanCell(6), shapes.elman_parameter_count(4, 6)),
        (JordanCell(6, 2), shapes.jordan_parameter_count(4, 6, 2)),
    ]
    for cell, count in cells:
        cell.build((None, 4))
        assert cell.count_params() == count


def test_config_holds_every_argument():
    cell = JordanCell(
        UNITS,
        OUTPUTS,
        "relu",
        "sigmoid",
        "he_normal",
        use_bias=False,
        kernel_regularizer="l2",
        recurrent_constraint="unit_norm",
        dropout=0.1,
        name="speaker",
    )
    config = cell.get_config()
    assert JordanCell.from_config(config).get_config() == config
    assert config["output_units"] == OUTPUTS
    assert config["output_activation"] == "sigmoid"
    assert config["output_initializer"]["class_name"] == "HeNormal"
    assert config["kernel_regularizer"]["class_name"] == "L2"
    for ours, theirs in TWINS.items():
        arguments = {"dropout": 0.1, "name": "cell", "seed": 1}
        config = theirs(UNITS, **arguments).get_config()
        assert ours(UNITS, **arguments).get_config() == config


def test_wrong_shapes_are_named(make_cell):
    cell = make_cell()
    name = type(cell).__name__
    with pytest.raises(ValueError) as caught:
        keras.layers.RNN(cell)(noise(2, 8))
    assert str(caught.value) == (
        f"{name} expects [batch, features] at each step, got shape (2,): pass "
        "[batch, time, features] to the layer around it; did you forget the "
        "batch axis?"
    )
    layer = with_noise(keras.layers.RNN(make_cell()))
    with pytest.raises(ValueError, match=f"{name} was built for 4 features"):
        layer(noise(2, 3, 8))


def test_jordan_needs_an_output():
    with pytest.raises(ValueError, match="output_units must be .*, got 0"):
        JordanCell(UNITS, 0)
