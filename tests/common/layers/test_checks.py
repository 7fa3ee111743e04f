"""Masks of any dtype, padding of any content, arguments that cannot be."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM, ElmanCell, JordanCell, LSTMCell
from common.layers.attention import Attention
from common.layers.crf import LinearChainCRF
from common.layers.lstm import VariantLSTMCell
from tests.support.recurrent import (
    MODES,
    assert_close,
    gradients,
    noise,
    with_noise,
)

BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 6
RIGHT = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
HOLES = np.array([[0, 1, 1, 0, 1], [1, 0, 0, 1, 1], [0, 0, 1, 1, 0]])
DTYPES = ("bool", "int32", "uint8", "int64", "float32")

KINDS = {
    "generic": {"kernel": "generic"},
    "fused": {"kernel": "fused"},
    "generic, backwards": {"kernel": "generic", "go_backwards": True},
    "fused, backwards": {"kernel": "fused", "go_backwards": True},
    "unrolled": {"unroll": True},
    "fused, dropout": {"kernel": "fused", "dropout": 0.4, "seed": 1},
    "recurrent dropout": {"recurrent_dropout": 0.4, "seed": 1},
    "CIFG, peepholes": {
        "kernel": "fused",
        "variant": "CIFG",
        "peepholes": True,
    },
    "FGR, normalized": {"variant": "FGR", "layer_normalization": True},
    "projection, zoneout": {"projection_units": 2, "zoneout_cell": 0.1},
    "zeros for padding": {"kernel": "fused", "zero_output_for_mask": True},
}


def dirty(x, mask, value):
    """The inputs with another value at masked steps."""
    return np.where(mask[:, :, np.newaxis] > 0, x, value).astype("float32")


@pytest.mark.parametrize("options", KINDS.values(), ids=list(KINDS))
def test_no_padding_reaches_a_result_or_a_gradient(options):
    x = noise(BATCH, TIME, FEATURES)
    layer = with_noise(
        LSTM(UNITS, return_sequences=True, return_state=True, **options)
    )
    start = [keras.ops.copy(v) for v in layer.non_trainable_variables]
    run = tf.function(
        lambda x, mask: gradients(
            layer, x, mask=mask, training="dropout" in str(options)
        )
    )

    def compute(value, mask):
        for variable, first in zip(
            layer.non_trainable_variables, start, strict=True
        ):  # Of the dropout's seed.
            variable.assign(first)
        return run(tf.constant(dirty(x, mask, value)), tf.constant(mask > 0))

    for mask in (RIGHT, HOLES):
        expected = compute(0.0, mask)
        for value in (np.nan, np.inf, -np.inf):
            assert_close(compute(value, mask), expected, rtol=0, atol=0)
        d_x = expected[1][0].numpy()
        assert not d_x[mask == 0].any()
        assert np.isfinite(d_x).all()
        assert d_x[mask > 0].any()


@pytest.mark.parametrize("kernel", ["generic", "fused"])
def test_a_row_with_nan_has_no_gradient_at_its_padding(kernel):
    x = dirty(noise(BATCH, TIME, FEATURES), np.ones([BATCH, TIME]), 0)
    x[1, 0] = np.nan  # A real step.
    layer = with_noise(LSTM(UNITS, kernel=kernel))
    _, (d_x, *_) = gradients(layer, tf.constant(x), mask=RIGHT)
    assert np.isnan(d_x[1, 0]).all()
    assert not d_x.numpy()[RIGHT == 0].any()
    assert np.isfinite(d_x[0]).all()


@pytest.mark.parametrize("kernel", ["generic", "fused"])
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_state_of_one_row_is_that_of_all_rows_as_in_keras(kernel, mode):
    x = noise(BATCH, TIME, FEATURES)
    states = [tf.constant(noise(1, UNITS, seed=n)) for n in (1, 2)]

    def gradient(layer):
        with tf.GradientTape() as tape:
            tape.watch(states)
            output = layer(x, initial_state=states, mask=HOLES)
        return output, tape.gradient(output, states)

    ours = with_noise(LSTM(UNITS, kernel=kernel))
    theirs = with_noise(keras.layers.LSTM(UNITS))
    assert_close(MODES[mode](lambda: gradient(ours))(), gradient(theirs))


def test_a_cell_takes_a_state_of_one_row_too():
    states = [noise(1, UNITS, seed=1), noise(1, UNITS, seed=2)]
    x = noise(BATCH, FEATURES)
    ours, theirs = LSTMCell(UNITS), keras.layers.LSTMCell(UNITS)
    ours.build(x.shape), theirs.build(x.shape)
    ours.set_weights(theirs.get_weights())
    assert_close(ours(x, states)[0], theirs(x, states)[0])


def test_padding_of_both_directions_and_in_keras_reach():
    x = noise(BATCH, TIME, FEATURES)
    layer = with_noise(keras.layers.Bidirectional(LSTM(UNITS)))
    run = tf.function(lambda x: gradients(layer, x, mask=RIGHT > 0))
    expected = run(tf.constant(dirty(x, RIGHT, 0.0)))
    actual = run(tf.constant(dirty(x, RIGHT, np.nan)))
    assert_close(actual, expected, rtol=0, atol=0)


def test_masks_of_every_dtype_are_those_of_keras():
    x = noise(BATCH, TIME, FEATURES)
    theirs = with_noise(keras.layers.LSTM(UNITS, return_sequences=True))
    ours = with_noise(LSTM(UNITS, return_sequences=True))
    expected = theirs(x, mask=tf.constant(HOLES > 0))
    for dtype in DTYPES:
        assert_close(ours(x, mask=HOLES.astype(dtype)), expected)
    assert_close(ours(x, mask=HOLES[:, :, np.newaxis]), expected)


def test_a_graph_that_trains_takes_a_mask_of_numbers():
    sequences = keras.Input((TIME, FEATURES))
    mask = keras.Input((TIME,), dtype="int32")
    results = []
    for layer in (LSTM(UNITS, kernel="fused"), keras.layers.LSTM(UNITS)):
        hidden = with_noise(layer)(sequences, mask=mask)
        model = keras.Model([sequences, mask], hidden)
        run = tf.function(functools.partial(weight_gradients, model))
        x = noise(BATCH, TIME, FEATURES)
        results.append(run([tf.constant(x), tf.constant(HOLES, "int32")]))
    assert_close(*results)


def weight_gradients(model, inputs):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(inputs, training=True) ** 2)
    weights = [weight.value for weight in model.trainable_variables]
    return tape.gradient(loss, weights)


def test_attention_and_chain_take_such_masks_and_padding():
    x, queries = noise(BATCH, TIME, FEATURES), noise(BATCH, 2, FEATURES)
    mask = RIGHT.copy()
    mask[2, 0] = 1  # A memory has at least one place.
    for score in ("dot", "general", "additive"):
        attention = Attention(score, FEATURES, FEATURES)

        def attend(values, attention=attention):
            return attention(queries, attention.memory(values, mask))

        assert_close(attend(dirty(x, mask, np.nan)), attend(x))
    chain = LinearChainCRF(FEATURES)
    tags = np.zeros([BATCH, TIME], "int32")
    for value in (np.nan, np.inf):
        assert_close(
            chain.negative_log_likelihood(tags, dirty(x, mask, value), mask),
            chain.negative_log_likelihood(tags, x, mask > 0),
        )


WRONG_CALLS = {
    "a short mask": (
        {"mask": np.ones([3, 4])},
        "LSTM expects a mask [batch, time] of shape (3, 5), as the sequences"
        " have, got shape (3, 4)",
    ),
    "a mask of one row": (
        {"mask": np.ones([1, 5])},
        "LSTM expects a mask [batch, time] of shape (3, 5), as the sequences"
        " have, got shape (1, 5)",
    ),
    "a mask of features": (
        {"mask": np.ones([3, 5, 4])},
        "LSTM expects a mask [batch, time] of shape (3, 5), as the sequences"
        " have, got shape (3, 5, 4)",
    ),
    "one state": (
        {"initial_state": [np.ones([3, 6])]},
        "LSTM expects a list of 2 states of shapes (3, 6), (3, 6), got shapes"
        " (3, 6)",
    ),
    "a tensor": (
        {"initial_state": tf.ones([3, 6])},
        "LSTM expects a list of 2 states of shapes (3, 6), (3, 6), got one"
        " tensor of shape (3, 6)",
    ),
    "three states": (
        {"initial_state": 3 * [np.ones([3, 6])]},
        "LSTM expects a list of 2 states of shapes (3, 6), (3, 6), got shapes"
        " (3, 6), (3, 6), (3, 6)",
    ),
    "a state of another size": (
        {"initial_state": [np.ones([3, 6]), np.ones([3, 5])]},
        "LSTM expects a list of 2 states of shapes (3, 6), (3, 6), got shapes"
        " (3, 6), (3, 5)",
    ),
    "states of two rows": (
        {"initial_state": 2 * [np.ones([2, 6])]},
        "LSTM expects a list of 2 states of shapes (3, 6), (3, 6), got shapes"
        " (2, 6), (2, 6)",
    ),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_masks_and_states_are_named(name):
    arguments, message = WRONG_CALLS[name]
    for layer in (LSTM(UNITS), LSTM(UNITS, kernel="fused")):
        with pytest.raises(ValueError) as caught:
            layer(noise(BATCH, TIME, FEATURES), **arguments)
        assert message in str(caught.value)


def test_a_mask_that_is_wrong_at_run_time_is_named():
    layer = with_noise(LSTM(UNITS))
    free = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None])]
    run = tf.function(lambda x, mask: layer(x, mask=mask), free)
    x = noise(BATCH, TIME, FEATURES)
    assert_close(run(x, HOLES.astype("float32")), layer(x, mask=HOLES))
    with pytest.raises(tf.errors.InvalidArgumentError, match="as the sequenc"):
        run(x, np.ones([3, 4], "float32"))


def test_cells_name_wrong_states():
    x = noise(BATCH, FEATURES)
    for cell, states, expected in (
        (LSTMCell(2), 1, "2 states of shapes (3, 2), (3, 2)"),
        (VariantLSTMCell(2, variant="FGR"), 2, "3 states of shapes (3, 2),"),
        (ElmanCell(2), 2, "1 state of shape (3, 2), got"),
        (JordanCell(2, 5), 2, "1 state of shape (3, 5), got"),
    ):
        with pytest.raises(ValueError) as caught:
            cell(x, states * [np.ones([3, 2], "float32")])
        assert f"{type(cell).__name__} expects a list of {expected}" in str(
            caught.value
        )


def test_wrong_arguments_are_named():
    for value in ("64", 0, -1, 2.0, None, True):
        message = f"units must be a positive integer, got {value!r}"
        for make in (
            LSTM,
            LSTMCell,
            VariantLSTMCell,
            ElmanCell,
            lambda units: JordanCell(units, 2),
        ):
            with pytest.raises(ValueError) as caught:
                make(value)
            assert str(caught.value) == message
    for name in ("dropout", "recurrent_dropout"):
        for value in (2, -0.1, "0.5", None, float("nan")):
            message = f"{name} must be between 0 and 1, got {value!r}"
            for cls in (LSTM, LSTMCell, VariantLSTMCell, ElmanCell):
                with pytest.raises(ValueError) as caught:
                    cls(2, **{name: value})
                assert str(caught.value) == message
    assert LSTM(np.int64(3)).units == 3
