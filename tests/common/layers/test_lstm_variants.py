"""The LSTM's variants against NumPy, in values and in gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM, LSTMCell, shapes
from common.layers.lstm.variants import VariantLSTMCell, apply_variant_gates
from common.shapes import VARIANTS
from tests.support.recurrent import (
    MODES,
    assert_close,
    diagonal,
    gradients,
    noise,
    sigmoid,
    slow,
    with_noise,
)

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6
LENGTHS = np.array([5, 1, 3])
ZONEOUT = {"zoneout_hidden": 0.3, "zoneout_cell": 0.2}
EVERYTHING = ZONEOUT | {
    "variant": "FGR",
    "peepholes": True,
    "layer_normalization": True,
    "forget_bias": 2.0,
    "projection_units": 3,
}
COUPLED = {
    "variant": "CIFG",
    "peepholes": True,
    "layer_normalization": True,
    "projection_units": 2,
}
CASES = (
    [{"variant": name} for name in (None, *VARIANTS)]
    + [
        {"variant": name, "peepholes": True}
        for name in (None, *VARIANTS)
        if name != "NP"
    ]
    + [
        {"layer_normalization": True},
        {"projection_units": 3},
        {"forget_bias": 3.0},
        ZONEOUT,
        {"variant": "NIG", "activation": "softsign", **ZONEOUT},
        {"variant": "NOAF", "layer_normalization": True, "use_bias": False},
        {"variant": "NOG", "peepholes": True, "projection_units": 1},
        COUPLED,
        EVERYTHING,
    ]
)
GATES = {"NIG": "fgo", "NFG": "igo", "NOG": "ifg", "CIFG": "igo"}


@pytest.fixture(params=CASES, ids=str)
def options(request):
    return request.param


def batch(seed=0):
    return noise(BATCH, TIME, FEATURES, seed=seed)


def mask(time=TIME):
    return shapes.sequence_mask(LENGTHS, time)


def make_layer(options, units=UNITS, **others):
    """A layer around the cell that returns all it can, random weights."""
    cell = VariantLSTMCell(units, **options, **others)
    layer = keras.layers.RNN(
        cell, return_sequences=True, return_state=True, dtype=cell.dtype
    )
    return with_noise(layer)


def states_of(layer, rows=BATCH):
    return [
        noise(rows, size, seed=1 + n) for n, size in enumerate(layer.state_size)
    ]


def by_name(layer):
    return {w.name: w.numpy().astype("float64") for w in layer.weights}


def standardized(z):
    return (z - z.mean()) / np.sqrt(z.var() + 1e-5)


def numpy_pre_activations(x, h, old, w, names):
    """The pre-activations of one row by gate, without peepholes."""
    new, ago = x @ w["kernel"], h @ w["recurrent_kernel"]
    size = len(new) // len(names)
    if old is not None:
        kernel = w["gate_kernel"].reshape(3, size, 3, size)
        for target, name in enumerate("ifo"):
            start = names.index(name) * size
            for source in range(3):
                ago[start : start + size] += (
                    old[source * size : (source + 1) * size]
                    @ kernel[source, :, target]
                )
    if "input_gain" in w:
        new = standardized(new) * w["input_gain"]
        ago = standardized(ago) * w["recurrent_gain"]
    z = new + ago + w.get("bias", 0)
    return dict(zip(names, np.split(z, len(names)), strict=True))


def numpy_step(x, h, c, old, w, variant=None, squash=np.tanh):
    """One row's hidden state, cell and gates after one step, no zoneout."""
    names = GATES.get(variant, "ifgo")
    z, p = numpy_pre_activations(x, h, old, w, names), dict.fromkeys("ifo", 0.0)
    if "peephole_kernel" in w:
        names = [name for name in names if name != "g"]
        p |= dict(zip(names, w["peephole_kernel"], strict=True))
    i = 1.0 if variant == "NIG" else sigmoid(z["i"] + p["i"] * c)
    if variant == "NFG":
        f = 1.0
    elif variant == "CIFG":
        f = 1 - i
    else:
        f = sigmoid(z["f"] + p["f"] * c)
    c = f * c + i * (z["g"] if variant == "NIAF" else squash(z["g"]))
    o = 1.0 if variant == "NOG" else sigmoid(z["o"] + p["o"] * c)
    normalized = c
    if "cell_gain" in w:
        normalized = standardized(c) * w["cell_gain"] + w["cell_offset"]
    h = o * (normalized if variant == "NOAF" else squash(normalized))
    if "projection_kernel" in w:
        h = h @ w["projection_kernel"]
    return h, c, None if old is None else np.concatenate([i, f, o])


def numpy_lstm(x, states, w, lengths, options):
    """Outputs at the real steps and last states, in float64."""
    rows = list(zip(*states, strict=True))
    outputs = np.zeros([*x.shape[:2], states[0].shape[1]])
    keep_h = options.get("zoneout_hidden", 0)
    keep_c = options.get("zoneout_cell", 0)
    soft = options.get("activation") == "softsign"
    squash = (lambda v: v / (1 + abs(v))) if soft else np.tanh
    for row, length in enumerate(lengths):
        h, c, *gates = rows[row]
        for t in range(length):
            old = gates[0] if gates else None
            new_h, new_c, old = numpy_step(
                x[row, t], h, c, old, w, options.get("variant"), squash
            )
            h = keep_h * h + (1 - keep_h) * new_h
            c = keep_c * c + (1 - keep_c) * new_c
            gates = [old] if gates else []
            outputs[row, t] = h
        rows[row] = [h, c, *gates]
    return [outputs, *map(np.array, zip(*rows, strict=True))]


def test_layer_is_the_equations_at_every_real_step(options):
    layer = make_layer(options)
    states = states_of(layer)
    y, *last = layer(batch(), initial_state=states, mask=mask())
    y = y * tf.cast(mask(), y.dtype)[:, :, tf.newaxis]
    expected = numpy_lstm(batch(), states, by_name(layer), LENGTHS, options)
    assert_close([y, *last], expected, rtol=1e-5, atol=1e-5)


def central_differences(function, values, width=1e-6):
    """d function / d values, entry after entry, in place and back."""
    grads = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        here = values[place]
        values[place] = here + width
        above = function()
        values[place] = here - width
        grads[place] = (above - function()) / (2 * width)
        values[place] = here
    return grads


def test_gradients_are_the_slopes_of_the_equations(options):
    layer = make_layer(options, units=2, dtype="float64")
    x, lengths = noise(2, 3, FEATURES).astype("float64"), [3, 2]
    states = [s.astype("float64") for s in states_of(layer, rows=2)]
    w = by_name(layer)

    def weigh(results, total):
        return sum(
            total(y * noise(*y.shape, seed=20 + n))
            for n, y in enumerate(results)
        )

    def loss():
        return weigh(numpy_lstm(x, states, w, lengths, options), np.sum)

    real = shapes.sequence_mask(lengths)
    watched = [tf.constant(x), *map(tf.constant, states)]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y, *last = layer(watched[0], initial_state=watched[1:], mask=real)
        y = y * tf.cast(real, y.dtype)[:, :, tf.newaxis]
        total = weigh([y, *last], tf.reduce_sum)
    assert_close(total, loss(), rtol=1e-9, atol=1e-9)
    variables = [weight.value for weight in layer.weights]
    actual = tape.gradient(total, [*watched, *variables])
    expected = [central_differences(loss, v) for v in (x, *states, *w.values())]
    assert_close(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "mode"), diagonal([EVERYTHING, COUPLED], ["graph", "xla"])
)
def test_every_mode_gives_the_same(options, mode):
    layer = make_layer(options)
    run = MODES[mode](lambda x: gradients(layer, x, mask=mask()))
    expected = gradients(layer, batch(), mask=mask())
    assert_close(run(batch()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [COUPLED, EVERYTHING, ZONEOUT], ids=str)
def test_padding_changes_nothing(options):
    layer = make_layer(options)
    padding = 9 * noise(BATCH, 4, FEATURES, seed=5)
    long = np.concatenate([batch(), padding], axis=1)

    def run(x, mask):
        x = tf.convert_to_tensor(x)
        real = tf.cast(mask, x.dtype)[:, :, tf.newaxis]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, *states = layer(x, mask=mask)
            loss = tf.add_n([tf.reduce_sum((s + 1) ** 3) for s in states])
            loss += tf.reduce_sum(tf.sin(y) * real)
        grads = tape.gradient(loss, [x, *(w.value for w in layer.weights)])
        assert np.all(grads[0][~mask] == 0)
        y = (y * real)[:, :TIME]
        return [y, *states, grads[0][:, :TIME], *grads[1:]]

    assert_close(run(long, mask(TIME + 4)), run(batch(), mask()))


@pytest.mark.parametrize("name", [None, *VARIANTS])
def test_the_elementwise_part_is_one_pure_function(name):
    cell = make_layer({"variant": name, "peepholes": name != "NP"}).cell
    x, (h, c) = batch()[:, 0], [noise(BATCH, UNITS, seed=n) for n in (1, 2)]
    first_gates = [np.zeros([BATCH, 3 * UNITS], "float32")]
    _, new = cell(x, [h, c, *(first_gates if name == "FGR" else [])])
    z = x @ cell.kernel + h @ cell.recurrent_kernel + cell.bias
    peepholes = cell.peephole_kernel
    actual = apply_variant_gates(z, c, peephole_kernel=peepholes, variant=name)
    assert_close(list(actual), new[:2])


def test_parameter_counts_are_those_of_the_built_layers(options):
    counted = ("variant", "peepholes", "layer_normalization")
    sizes = {k: v for k, v in options.items() if k in counted}
    for projection_units in (None, 7):
        sizes["projection_units"] = projection_units
        # Counts need no values: an orthogonal matrix takes its time.
        layer = LSTM(UNITS, recurrent_initializer="zeros", **sizes)
        layer.build((None, None, FEATURES))
        count = shapes.lstm_parameter_count(FEATURES, UNITS, **sizes)
        assert layer.count_params() == count


def test_layer_reports_its_shapes():
    for options, last in (
        (COUPLED, [(2, 2), (2, 6)]),
        (EVERYTHING, [(2, 3), (2, 6), (2, 18)]),
    ):
        layer = LSTM(UNITS, return_sequences=True, return_state=True, **options)
        expected = [(2, 5, last[0][1]), *last]
        assert list(layer.compute_output_shape((2, 5, 4))) == expected
        results = layer(noise(2, 5, 4))
        assert [tuple(y.shape) for y in results] == expected
        symbolic = layer(keras.Input((None, 4)))
        assert [y.shape[-1] for y in symbolic] == [s[-1] for s in expected]


def test_weights_have_their_names_and_places():
    layer = LSTM(UNITS, **EVERYTHING)
    layer.build((None, None, FEATURES))
    assert {w.name: tuple(w.shape) for w in layer.weights} == {
        "kernel": (4, 24),
        "recurrent_kernel": (3, 24),
        "bias": (24,),
        "peephole_kernel": (3, 6),
        "gate_kernel": (18, 18),
        "input_gain": (24,),
        "recurrent_gain": (24,),
        "cell_gain": (6,),
        "cell_offset": (6,),
        "projection_kernel": (6, 3),
    }
    assert layer.weights[0].path == f"{layer.name}/lstm_cell/kernel"


@pytest.mark.parametrize("options", [COUPLED, EVERYTHING], ids=str)
def test_a_saved_model_gives_the_same(tmp_path, options):
    inputs = keras.Input((None, FEATURES))
    layers = [
        LSTM(UNITS, go_backwards=True, **options),
        keras.layers.Bidirectional(LSTM(UNITS, **options)),
        keras.layers.RNN(VariantLSTMCell(UNITS, **options)),
    ]
    model = keras.Model(inputs, [layer(inputs) for layer in layers])
    with_noise(model).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(loaded(batch()), model(batch()))


def test_options_are_saved_where_there_are_any():
    cell = VariantLSTMCell(UNITS, **EVERYTHING)
    layer = LSTM(UNITS, **EVERYTHING)
    for saved in (cell, layer):
        config = saved.get_config()
        assert EVERYTHING.items() <= config.items()
        assert type(saved).from_config(config).get_config() == config
    assert "variant" not in LSTM(UNITS).get_config()


def test_without_options_the_cell_is_keras():
    ours = make_layer({})
    theirs = keras.layers.RNN(
        keras.layers.LSTMCell(UNITS), return_sequences=True, return_state=True
    )
    theirs.build((BATCH, TIME, FEATURES))
    theirs.set_weights(ours.get_weights())
    actual = gradients(ours, batch(), mask=mask())
    assert_close(actual, gradients(theirs, batch(), mask=mask()))


@pytest.mark.parametrize("options", [{}, {"dropout": 0.4}], ids=str)
def test_without_options_one_seed_gives_keras_weights(options):
    results = []
    for cls in (VariantLSTMCell, keras.layers.LSTMCell):
        keras.utils.set_random_seed(7)
        layer = keras.layers.RNN(cls(UNITS, **options))
        results.append(layer(batch(), training=True))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-6)


def test_options_at_their_defaults_leave_the_layer_as_it_is():
    layer = LSTM(UNITS, variant=None, peepholes=False, zoneout_cell=0)
    assert type(layer.cell) is LSTMCell
    assert layer.use_cudnn == "auto"
    assert layer.get_config() == LSTM(UNITS, name=layer.name).get_config()


def test_a_layer_with_options_never_takes_cudnn(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    for name, value in (EVERYTHING | {"variant": "NP"}).items():
        layer = LSTM(UNITS, **{name: value})
        assert type(layer.cell) is VariantLSTMCell
        assert (layer.use_cudnn, layer.supports_jit) == (False, True)
    assert not LSTM(UNITS).supports_jit


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"forget_bias": 3.0}, [0, 3, 0, 0]),
        ({"forget_bias": -2.5, "variant": "NIG"}, [-2.5, 0, 0]),
        ({"variant": "CIFG"}, [0, 0, 0]),
        ({"variant": "FGR", "unit_forget_bias": False}, [0, 0, 0, 0]),
        ({"bias_initializer": "ones", "forget_bias": 0.5}, [1, 1.5, 1, 1]),
    ],
    ids=str,
)
def test_forget_bias_is_added_to_the_forget_gate_only(options, expected):
    cell = VariantLSTMCell(2, **options)
    cell.build((None, 3))
    np.testing.assert_array_equal(cell.bias, np.repeat(expected, 2))


def zoned_cell(rate=0.3):
    """A cell with the old state, the new one without zoneout, and with it."""
    options = {"zoneout_hidden": rate, "zoneout_cell": rate, "seed": 5}
    plain, zoned = (
        with_noise(VariantLSTMCell(50, **o), (40, FEATURES))
        for o in ({}, options)
    )
    x = noise(40, FEATURES)
    old = [noise(40, 50, seed=1), noise(40, 50, seed=2)]
    return zoned, x, old, plain(x, old)[1]


@pytest.mark.parametrize("mode", MODES)
def test_zoneout_in_training_keeps_old_values_at_its_rate(mode):
    cell, x, old, new = zoned_cell()
    run = MODES[mode](lambda x, old: cell(x, old, training=True)[1])
    kept = []
    for after, a, b in zip(run(x, old), old, new, strict=True):
        is_old = np.isclose(after, a, rtol=0, atol=1e-6)
        assert np.all(is_old | np.isclose(after, b, rtol=0, atol=1e-5))
        # 2000 draws: the standard deviation of the rate is 0.01.
        assert abs(is_old.mean() - 0.3) < 0.05
        kept.append(is_old)
    # Hidden state and cell are kept independently of each other.
    assert abs((kept[0] & kept[1]).mean() - 0.09) < 0.04


def test_zoneout_in_inference_is_the_expectation():
    cell, x, old, new = zoned_cell()
    average = [0.3 * a + 0.7 * b for a, b in zip(old, new, strict=True)]
    assert_close(cell(x, old)[1], average)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_zoneout_of_none_and_of_all(rate):
    cell, x, old, new = zoned_cell(rate)
    expected = old if rate else new
    assert_close(cell(x, old, training=True)[1], expected)
    assert_close(cell(x, old)[1], expected)


def counting(**options):
    """A layer whose cell counts its steps: C_t = C_{t-1} + 1, h_t = C_t."""
    layer = LSTM(
        32, None, None, return_sequences=True, return_state=True, **options
    )
    layer.build((4, 9, 1))
    zeros = [np.zeros(w.shape) for w in layer.weights]
    layer.set_weights([*zeros[:2], np.ones(4 * 32)])
    return layer


@pytest.mark.parametrize("mode", ["graph", slow("eager"), slow("xla")])
def test_zoneout_draws_anew_at_every_step(mode):
    layer = counting(zoneout_cell=0.5, seed=3)
    run = MODES[mode](lambda x: layer(x, training=True))
    y, _, last = run(np.zeros([4, 9, 1], "float32"))
    # h_t is the count before zoneout: what it gains on h_{t-1} says whether
    # the step before was kept.
    counted = np.diff(np.concatenate([y, last[:, np.newaxis] + 1], 1), axis=1)
    assert set(np.unique(counted)) == {0.0, 1.0}
    assert abs(counted.mean() - 0.5) < 0.1
    patterns = {tuple(np.ravel(counted[:, t])) for t in range(9)}
    assert len(patterns) == 9
    assert not np.array_equal(run(np.zeros([4, 9, 1], "float32"))[0], y)


@pytest.mark.parametrize("mode", ["xla", slow("eager"), slow("graph")])
def test_zoneout_drops_gradients_of_what_it_drops(mode):
    layer = counting(zoneout_cell=0.5, seed=3)
    x = np.zeros([4, 9, 1], "float32")

    @MODES[mode]
    def grad(x):
        with tf.GradientTape() as tape:
            _, _, count = layer(x, training=True)
        return count, tape.gradient(count, layer.cell.bias.value)

    count, grads = grad(x)
    # The count is a sum of i * g over the steps that were not kept (plus f *
    # C): its grad by the bias of i, and of g, is their number.
    i, _, g, _ = np.split(grads, 4)
    assert_close([i, g], [np.sum(count, axis=0)] * 2)


def test_dropout_has_a_mask_for_each_gate():
    cell = VariantLSTMCell(2, variant="CIFG", recurrent_dropout=0.5)
    assert len(cell.get_recurrent_dropout_mask(tf.ones([3, 2]))) == 3


@pytest.mark.parametrize("kind", ["dropout", "recurrent_dropout"])
def test_dropout_is_random_in_training_only(kind):
    plain, dropped = make_layer(COUPLED), make_layer(COUPLED, **{kind: 0.5})
    assert_close(dropped(batch()), plain(batch()))
    first, second = (dropped(batch(), training=True)[0] for _ in range(2))
    assert not np.allclose(first, second)


def test_recurrent_dropout_masks_each_gate_by_its_own():
    cell = make_layer({"variant": "NFG"}, recurrent_dropout=0.5, seed=2).cell
    x, (h, c) = batch()[:, 0], [noise(BATCH, UNITS, seed=n) for n in (1, 2)]
    masks = cell.get_recurrent_dropout_mask(h)
    hidden, _ = cell(x, [h, c], training=True)
    w, u, b = cell.get_weights()
    recurrent = [
        (h * m) @ k for m, k in zip(masks, np.split(u, 3, 1), strict=True)
    ]
    i, g, o = np.split(x @ w + np.concatenate(recurrent, 1) + b, 3, 1)
    new_c = c + sigmoid(i) * np.tanh(g)
    assert_close(hidden, sigmoid(o) * np.tanh(new_c))


def test_backwards_both_ways_and_unrolled():
    plain = with_noise(LSTM(UNITS, return_sequences=True, **EVERYTHING))

    def twin(**options):
        options = {"return_sequences": True, **EVERYTHING, **options}
        return with_noise(LSTM(UNITS, **options))

    expected = plain(batch(), mask=mask())
    assert_close(twin(unroll=True)(batch(), mask=mask()), expected)
    flipped = plain(batch()[:, ::-1])
    assert_close(twin(go_backwards=True)(batch()), flipped)
    both = keras.layers.Bidirectional(plain)
    both.build(batch().shape)
    both.backward_layer.set_weights(plain.get_weights())
    both.forward_layer.set_weights(plain.get_weights())
    y = both(batch())
    assert_close(y[..., :3], plain(batch()))
    assert_close(y[..., 3:], flipped[:, ::-1])


def test_stateful_continues_and_resets():
    layer = with_noise(LSTM(UNITS, stateful=True, **EVERYTHING))
    x = batch()
    first, second = layer(x), layer(x)
    once = with_noise(LSTM(UNITS, **EVERYTHING))
    assert_close(second, once(np.concatenate([x, x], axis=1)))
    layer.reset_state()
    assert_close(layer(x), first)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_computes_low_and_stores_high(dtype):
    make = {"return_state": True, **EVERYTHING}
    layer = with_noise(LSTM(UNITS, dtype=f"mixed_{dtype}", **make))
    results, grads = gradients(layer, batch(), mask=mask(), training=True)
    assert {result.dtype.name for result in results} == {dtype}
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert {grad.dtype.name for grad in grads} == {"float32"}
    results = layer(batch(), mask=mask())
    exact = with_noise(LSTM(UNITS, **make))(batch(), mask=mask())
    # 8 bits of mantissa (bfloat16) leave 2 to 3 digits.
    results = [tf.cast(result, "float32") for result in results]
    assert_close(results, exact, rtol=2e-2, atol=1e-1)


WRONG = [
    (
        {"variant": "GRU"},
        "variant must be None or one of NIG, NFG, NOG, NIAF, NOAF, CIFG, NP, "
        "FGR, got 'GRU'",
    ),
    (
        {"variant": "NP", "peepholes": True},
        "variant 'NP' means no peepholes, got peepholes=True: leave out one of "
        "them",
    ),
    (
        {"zoneout_hidden": 1.5},
        "zoneout_hidden must be between 0 and 1, got 1.5",
    ),
    ({"zoneout_cell": -0.1}, "zoneout_cell must be between 0 and 1, got -0.1"),
    (
        {"zoneout_cell": float("nan")},
        "zoneout_cell must be between 0 and 1, got nan",
    ),
    (
        {"projection_units": 0},
        "projection_units must be None or a positive integer, got 0",
    ),
    (
        {"projection_units": 2.0},
        "projection_units must be None or a positive integer, got 2.0",
    ),
    (
        {"forget_bias": 2.0, "variant": "NFG"},
        "forget_bias must be left at 1.0 where it has no effect, got 2.0: "
        "variant 'NFG' has no forget gate of its own",
    ),
    (
        {"forget_bias": 2.0, "variant": "CIFG"},
        "forget_bias must be left at 1.0 where it has no effect, got 2.0: "
        "variant 'CIFG' has no forget gate of its own",
    ),
    (
        {"forget_bias": 2.0, "use_bias": False},
        "forget_bias must be left at 1.0 where it has no effect, got 2.0: "
        "use_bias=False leaves no bias",
    ),
    (
        {"forget_bias": 2.0, "unit_forget_bias": False},
        "forget_bias must be left at 1.0 where it has no effect, got 2.0: "
        "unit_forget_bias=False adds nothing",
    ),
]


@pytest.mark.parametrize("cls", [LSTM, VariantLSTMCell])
@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_options_are_named(cls, options, message):
    with pytest.raises(ValueError) as caught:
        cls(UNITS, **options)
    assert str(caught.value) == message


def test_wrong_units_shapes_and_cudnn_are_named():
    with pytest.raises(ValueError, match="units must be .* got -1"):
        LSTM(-1, variant="CIFG")
    with pytest.raises(ValueError) as caught:
        LSTM(UNITS, use_cudnn=True, **COUPLED)
    assert str(caught.value) == (
        "use_cudnn must be 'auto' or False with variant, peepholes, "
        "layer_normalization, projection_units, got True: cuDNN knows the "
        "plain LSTM only"
    )
    layer = with_noise(LSTM(UNITS, variant="CIFG"))
    with pytest.raises(ValueError, match="Cell was built for 4 features"):
        layer(noise(2, 3, 8))
    with pytest.raises(ValueError, match="did you forget the batch axis"):
        layer(noise(2, 8))
