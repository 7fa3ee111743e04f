"""The inference kernel gives the numbers of the generic loop."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from common import LSTM
from common.layers.kernels import for_inference
from common.layers.lstm import inference
from tests.common.layers.test_lstm_fused import MASKS
from tests.common.layers.test_lstm_random import (
    OPTIONS,
    Case,
    any_masks,
    both_ways,
    few,
)
from tests.support.recurrent import assert_close, noise, with_noise

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
WAYS = ("block", "loop")


@st.composite
def cases(draw):
    # Times below, at and above the steps of a turn.
    batch, time = draw(st.integers(1, 5)), draw(st.integers(1, 19))
    return Case(
        kernel="inference",
        batch=batch,
        time=time,
        features=draw(st.integers(1, 4)),
        units=draw(st.integers(1, 5)),
        mask=draw(any_masks(batch, time)),
        has_states=draw(st.booleans()),
        options=draw(st.fixed_dictionaries(OPTIONS)),
    )


def take_way(monkeypatch, way):
    rows = 99 if way == "block" else 0
    monkeypatch.setattr(inference, "max_block_rows", lambda cell: rows)


def pair(shape=(3, 11, 4), units=6, **options):
    """The generic loop and the inference kernel, with the same weights."""
    generic = with_noise(LSTM(units, kernel="generic", **options), shape)
    ours = LSTM(units, kernel="inference", **options)
    ours.build(shape)
    ours.set_weights(generic.get_weights())
    return generic, ours


def assert_same(case, wrap, num_states, in_graph):
    theirs, ours = case.pair(wrap)
    x, *states = map(tf.constant, case.inputs(num_states))
    arguments = {"initial_state": states or None, "mask": case.mask}
    expected = tf.nest.flatten(theirs(x, **arguments))

    def run(x):
        return tf.nest.flatten(ours(x, **arguments))

    if in_graph:
        # Neither batch nor time is known when the graph is made.
        spec = tf.TensorSpec([None, None, case.features], x.dtype)
        run = tf.function(run, input_signature=[spec])
    actual = run(x)
    assert_close(actual, expected, **TOLERANCE)
    assert {y.dtype.name for y in actual} == {case.dtype}


@pytest.mark.parametrize("way", WAYS)
@few(6)
@given(cases())
def test_random_configurations_equal_keras(way, case):
    with pytest.MonkeyPatch.context() as monkeypatch:
        if case.dtype == "float32":
            take_way(monkeypatch, way)
        assert_same(case, lambda layer: layer, 2, in_graph=False)


@few(4)
@given(cases(), st.booleans())
def test_bidirectional_and_in_a_graph(case, is_both):
    wrap, num_states = (lambda layer: layer), 2
    if is_both:
        case.options["go_backwards"] = False
        wrap, num_states = both_ways(case.dtype), 4
    assert_same(case, wrap, num_states, in_graph=True)


@pytest.mark.slow
@few(100)
@given(cases(), st.booleans(), st.booleans())
def test_many_configurations_equal_keras(case, is_both, in_graph):
    wrap, num_states = (lambda layer: layer), 2
    if is_both:
        case.options["go_backwards"] = False
        wrap, num_states = both_ways(case.dtype), 4
    assert_same(case, wrap, num_states, in_graph)


@pytest.mark.parametrize("way", WAYS)
def test_masks_of_every_kind_and_the_batch_chosen_in_the_graph(
    way, monkeypatch
):
    limit = {"block": 3, "loop": 2}[way]
    monkeypatch.setattr(inference, "max_block_rows", lambda cell: limit)
    generic, ours = pair(return_sequences=True, return_state=True)
    states = [tf.constant(noise(3, 6, seed=n)) for n in (1, 2)]
    x = tf.constant(noise(3, 5, 4))
    specs = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None], bool)]

    @tf.function(input_signature=specs)
    def run(x, mask):
        return ours(x, mask=mask, initial_state=states)

    for mask in filter(None, MASKS.values()):
        mask = tf.cast(mask, tf.bool)
        expected = generic(x, mask=mask, initial_state=states)
        assert_close(run(x, mask), expected, **TOLERANCE)


@pytest.mark.parametrize("way", WAYS)
def test_what_lies_on_masked_steps_changes_nothing(way, monkeypatch):
    take_way(monkeypatch, way)
    _, ours = pair(return_sequences=True, return_state=True)
    x = noise(3, 5, 4)
    mask = np.array(MASKS["holes"], bool)
    with_nan = np.where(mask[:, :, None], x, np.nan)
    expected = ours(x, mask=mask)
    assert_close(ours(with_nan, mask=mask), expected)


@pytest.mark.parametrize("way", WAYS)
def test_long_sequences_and_many_rows(way, monkeypatch):
    take_way(monkeypatch, way)
    generic, ours = pair((5, 203, 3), 4, return_sequences=True)
    x = noise(5, 203, 3)
    assert_close(ours(x), generic(x), **TOLERANCE)


@pytest.mark.parametrize("way", WAYS)
def test_batches_without_rows(way, monkeypatch):
    take_way(monkeypatch, way)
    _, ours = pair(return_sequences=True, return_state=True)
    run = tf.function(lambda x, mask: ours(x, mask=mask))
    for mask in (None, tf.zeros([0, 11], tf.bool)):
        results = run(tf.zeros([0, 11, 4]), mask)
        assert [y.shape for y in results] == [(0, 11, 6), (0, 6), (0, 6)]


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "CIFG", "peepholes": True},
        {"variant": "NOG", "use_bias": False},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
    ],
)
def test_other_equations_take_the_loop(options):
    generic, ours = pair(return_sequences=True, return_state=True, **options)
    assert inference.max_block_rows(ours.cell) == 0
    x, mask = noise(3, 11, 4), np.arange(11) < np.array([[11], [9], [2]])
    assert_close(ours(x, mask=mask), generic(x, mask=mask), **TOLERANCE)


def test_stateful_layers_go_on():
    generic, ours = pair(stateful=True)
    mask = np.arange(11) < np.array([[11], [9], [0]])
    for seed in (1, 2):
        x = noise(3, 11, 4, seed=seed)
        assert_close(ours(x, mask=mask), generic(x, mask=mask), **TOLERANCE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("in_graph", [False, True])
def test_a_gradient_is_refused(way, in_graph, monkeypatch):
    """The operation has one, of the gates in another order."""
    take_way(monkeypatch, way)
    _, ours = pair()
    x = tf.constant(noise(3, 11, 4))

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = ours(x)
        return tape.gradient(y, x)

    with pytest.raises(LookupError, match='pass kernel="generic"'):
        (tf.function(gradient, autograph=False) if in_graph else gradient)()


def test_in_training_it_is_auto(caplog):
    generic, ours = pair(dropout=0.5)
    with caplog.at_level(logging.INFO, "common.layers.lstm"):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(ours(noise(3, 11, 4), training=True))
        assert tape.gradient(loss, ours.cell.kernel.value) is not None
        assert "generic kernel: not training in a graph" in caplog.text
        ours(noise(3, 11, 4))
        assert "inference kernel: it fits" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unroll": True}, "unroll"),
        ({"dtype": "mixed_bfloat16"}, "neither float32 nor float64"),
        ({"projection_units": 1}, "projection_units"),
    ],
)
def test_what_it_cannot_do_takes_the_generic_loop(options, reason, caplog):
    layer = LSTM(2, kernel="inference", **options)
    with caplog.at_level(logging.INFO, "common.layers.lstm"):
        layer(noise(2, 3, 4))
    assert f"generic kernel: {reason}" in caplog.text


def test_for_inference_sets_all_layers_and_sets_them_back():
    wrapper = keras.layers.Bidirectional(LSTM(3, kernel="generic"))
    model = keras.Sequential([keras.Input((None, 2)), wrapper])
    layers = [wrapper.forward_layer, wrapper.backward_layer]

    @for_inference(model)
    def kernels():
        return [layer.kernel for layer in layers]

    assert kernels() == ["inference"] * 2
    assert [layer.kernel for layer in layers] == ["generic"] * 2


def test_graphs_hold_both_ways_and_compile_nothing():
    _, ours = pair()
    spec = tf.TensorSpec([None, None, 4])
    function = tf.function(lambda x: ours(x), input_signature=[spec])
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [
        *graph.node,
        *(n for f in graph.library.function for n in f.node_def),
    ]
    operations = {node.op for node in nodes}
    assert {"BlockLSTMV2", "StatelessWhile", "StatelessIf"} <= operations
    assert not any("_XlaMustCompile" in f.attr for f in graph.library.function)
