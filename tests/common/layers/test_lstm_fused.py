"""The fused kernel gives the numbers of Keras's own layer."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM
from common.layers.lstm import fused
from common.layers.lstm.choice import why_not_fused
from tests.support.recurrent import (
    CLOSE,
    MODES,
    assert_close,
    diagonal,
    gradients,
    noise,
    slow,
    with_noise,
)

# Sums over all steps, in another order than Keras's.
LOOSE = {"rtol": 1e-4, "atol": 2e-6}

MASKS = {
    "none": None,
    "full": [[1, 1, 1, 1, 1]] * 3,
    "right": [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
    "left": [[0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 1, 0, 1, 0]],
    "empty_row": [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 0, 0]],
}


def pair(shape=(3, 5, 4), units=6, **options):
    """Keras's layer and ours on the fused kernel, with the same weights."""
    theirs = with_noise(keras.layers.LSTM(units, **options), shape)
    ours = LSTM(units, kernel="fused", **options)
    ours.build(shape)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def assert_same(theirs, ours, x, mode="eager", **kwargs):
    """Compares outputs and all gradients, in training unless told."""
    kwargs = {"training": True} | kwargs
    outputs, grads = gradients(theirs, x, **kwargs)
    run = MODES[mode](lambda: gradients(ours, x, **kwargs))
    our_outputs, our_grads = run()
    assert_close(our_outputs, outputs, **CLOSE)
    assert_close(our_grads, grads, **LOOSE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("go_backwards", "zeros"), [(False, False), (True, True)]
)
@pytest.mark.parametrize("name", MASKS)
def test_masks_of_every_kind(name, go_backwards, zeros):
    theirs, ours = pair(
        return_sequences=True,
        return_state=True,
        go_backwards=go_backwards,
        zero_output_for_mask=zeros,
    )
    mask = MASKS[name]
    mask = None if mask is None else np.array(mask, bool)
    states = [noise(3, 6, seed=1), noise(3, 6, seed=2)]
    mode = "graph" if name == "holes" else "eager"
    arguments = {"mask": mask, "initial_state": states, "mode": mode}
    assert_same(theirs, ours, noise(3, 5, 4), **arguments)


@pytest.mark.parametrize(
    ("return_sequences", "training"), [(True, False), (False, True)]
)
def test_without_states(return_sequences, training):
    theirs, ours = pair(return_sequences=return_sequences)
    arguments = {"training": training, "mode": "graph"}
    assert_same(theirs, ours, noise(3, 5, 4), **arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "units"),
    [
        ((17, 4, 3), 4),
        slow((1, 1, 1), 1),
        slow((1, 9, 3), 2),
        slow((16, 3, 2), 5),
        slow((2, 300, 3), 4),
    ],
)
def test_odd_sizes_and_batches_in_parts(shape, units):
    theirs, ours = pair(shape, units, return_sequences=True)
    assert_same(theirs, ours, noise(*shape))


def test_a_batch_without_rows():
    _, ours = pair(return_sequences=True)
    outputs = tf.function(lambda x: ours(x))(tf.zeros([0, 5, 4]))
    assert outputs.shape == (0, 5, 6)


def test_gradients_reach_the_initial_states():
    theirs, ours = pair(return_state=True)
    x = noise(3, 5, 4)
    states = [tf.constant(noise(3, 6, seed=n)) for n in (1, 2)]

    def gradient(layer):
        with tf.GradientTape() as tape:
            tape.watch(states)
            results = layer(x, initial_state=states)
            loss = sum(tf.reduce_sum(y * y) for y in results)
        return tape.gradient(loss, states)

    assert_close(gradient(ours), gradient(theirs), **LOOSE)


def test_gradients_of_states_under_recurrent_dropout_and_no_graph():
    states = [tf.constant(noise(3, 6, seed=n)) for n in (1, 2)]

    def gradient(kernel):
        layer = LSTM(6, recurrent_dropout=0.4, seed=1, kernel=kernel)
        with_noise(layer, (3, 5, 4))
        with tf.GradientTape() as tape:
            tape.watch(states)
            output = layer(noise(3, 5, 4), initial_state=states, training=True)
        return tape.gradient(output, states)

    assert_close(gradient("fused"), gradient("generic"), **LOOSE)


@pytest.mark.slow
def test_free_shapes_and_every_number_of_parts(monkeypatch):
    theirs, ours = pair(return_sequences=True)
    for num_parts in (2, 3):
        monkeypatch.setattr(fused, "_num_parts", lambda _, n=num_parts: n)
        run = tf.function(
            lambda x: ours(x),
            input_signature=[tf.TensorSpec([None, None, 4], tf.float32)],
        )
        for shape in ((3, 5, 4), (1, 5, 4)):
            assert_close(run(noise(*shape)), theirs(noise(*shape)), **CLOSE)


@pytest.mark.parametrize(
    ("processors", "rows", "parts"),
    [(2, 64, 2), (2, 7, 1), (16, 32, 8), (1, 64, 1), (2, 0, 1), (64, None, 4)],
)
def test_the_batch_is_cut_by_processors_and_rows(
    monkeypatch, processors, rows, parts
):
    monkeypatch.setattr(fused.os, "cpu_count", lambda: processors)
    assert fused._num_parts(rows) == parts


@pytest.mark.slow
@pytest.mark.parametrize(
    "rates",
    [(0.5, 0.0), (0.0, 0.5), (0.3, 0.5)],
    ids=["inputs", "states", "both"],
)
def test_dropout_drops_the_same_with_the_same_gradients(rates):
    dropout, recurrent = rates
    theirs, ours = pair(
        dropout=dropout,
        recurrent_dropout=recurrent,
        seed=3,
        return_sequences=True,
    )
    x = noise(3, 5, 4)
    assert np.abs(theirs(x, training=True) - theirs(x)).max() > 0.01
    for layer in (theirs, ours):
        layer.cell.seed_generator.state.assign([7, 7])
    assert_same(theirs, ours, x, training=True)


@pytest.mark.parametrize(
    ("variant", "peepholes"),
    diagonal(["NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG"], [False, True]),
)
def test_variants_equal_the_generic_loop(variant, peepholes):
    options = {"variant": variant, "peepholes": peepholes}
    generic = with_noise(
        LSTM(6, return_state=True, kernel="generic", **options), (3, 5, 4)
    )
    ours = LSTM(6, return_state=True, kernel="fused", **options)
    ours.build((3, 5, 4))
    ours.set_weights(generic.get_weights())
    mask = np.array(MASKS["holes"], bool)
    assert_same(generic, ours, noise(3, 5, 4), mask=mask, training=True)


@pytest.mark.parametrize(
    "options",
    [
        {"use_bias": False},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        {"peepholes": True},
    ],
    ids=str,
)
def test_options_of_the_gates(options, caplog):
    generic = with_noise(LSTM(6, kernel="generic", **options), (3, 5, 4))
    ours = LSTM(6, kernel="fused", **options)
    ours.build((3, 5, 4))
    ours.set_weights(generic.get_weights())
    with caplog.at_level(logging.INFO, "common.layers.lstm"):
        assert_same(generic, ours, noise(3, 5, 4), training=True)
    assert "fused kernel: it fits" in caplog.text


def test_both_directions():
    keras.utils.set_random_seed(0)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(6))
    ours = keras.layers.Bidirectional(LSTM(6, kernel="fused"))
    with_noise(theirs)
    ours.build((3, 5, 4))
    ours.set_weights(theirs.get_weights())
    assert ours.backward_layer.kernel == "fused"
    mask = np.array(MASKS["right"], bool)
    assert_same(theirs, ours, noise(3, 5, 4), mask=mask)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kernel": "generic"}, 'kernel="generic"'),
        ({"activation": lambda x: x}, "an activation of your own"),
        ({"unroll": True}, "unroll"),
        ({"dtype": "mixed_bfloat16"}, "neither float32 nor float64"),
        ({"variant": "FGR"}, "variant FGR"),
        ({"zoneout_cell": 0.1}, "zoneout_cell"),
        ({"projection_units": 1}, "projection_units"),
    ],
)
def test_what_it_cannot_do_takes_the_generic_loop(options, reason, caplog):
    layer = LSTM(2, **{"kernel": "fused"} | options)
    with caplog.at_level(logging.INFO, "common.layers.lstm"):
        layer(noise(2, 3, 4))
    assert f"generic kernel: {reason}" in caplog.text


def test_auto_is_fused_in_training_in_a_graph_only(caplog):
    layer = LSTM(2)
    x = noise(2, 3, 4)
    with caplog.at_level(logging.INFO, "common.layers.lstm"):
        layer(x, training=True)
        tf.function(lambda: layer(x))()
        assert "fused kernel" not in caplog.text
        tf.function(lambda: layer(x, training=True))()
        assert "fused kernel: it fits" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [({}, "a GPU, where Keras has its own"), ({"variant": "CIFG"}, None)],
)
def test_on_a_gpu_keras_kernel_runs_the_plain_cell_only(options, reason):
    cell = LSTM(2, **options).cell
    facts = {"unroll": False, "trains_in_graph": True, "has_gpu": True}
    assert why_not_fused(cell, "auto", **facts) == reason


@pytest.mark.parametrize("return_sequences", [True, False])
def test_cudnn_is_never_shown_a_row_without_steps(
    monkeypatch, return_sequences
):
    """As if there were a GPU: its kernel refuses such a row."""
    theirs, ours = pair(return_state=True, return_sequences=return_sequences)
    masks = []
    inner_loop = keras.layers.LSTM.inner_loop

    def recording(self, sequences, initial_state, mask, training=False):
        masks.append(np.array(mask))
        return inner_loop(self, sequences, initial_state, mask, training)

    mask = np.array(MASKS["empty_row"], bool)
    states = [noise(3, 6, seed=1), noise(3, 6, seed=2)]
    arguments = {"mask": mask, "initial_state": states}
    expected = gradients(theirs, noise(3, 5, 4), **arguments)
    monkeypatch.setattr(keras.layers.LSTM, "inner_loop", recording)
    monkeypatch.setattr("common.layers.lstm.layer._has_gpu", lambda: True)
    actual = gradients(ours, noise(3, 5, 4), **arguments)
    assert_close(actual, expected, **LOOSE)
    assert masks[0].any(axis=1).all()


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel must be 'auto', 'fused', "):
        LSTM(2, kernel="fast")


def test_the_kernel_is_saved():
    layer = LSTM(2, kernel="generic")
    assert LSTM.from_config(layer.get_config()).kernel == "generic"


@pytest.mark.slow
def test_the_same_numbers_twice():
    _, ours = pair((17, 4, 3), 4, return_sequences=True)
    x = noise(17, 4, 3)
    run = tf.function(lambda: gradients(ours, x, training=True))
    first, again = tf.nest.flatten(run()), tf.nest.flatten(run())
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kernel", ["fused", "generic"])
def test_a_second_gradient_is_right_or_refused(kernel):
    theirs, ours = pair()
    ours.kernel = kernel
    x = tf.constant(noise(3, 5, 4))

    def second(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x, training=True))
            grad = tf.reduce_sum(inner.gradient(loss, x) ** 2)
        return outer.gradient(grad, x)

    if kernel == "generic":
        assert_close(second(ours), second(theirs), **LOOSE)
    else:
        with pytest.raises(NotImplementedError, match="kernel='generic'"):
            second(ours)
