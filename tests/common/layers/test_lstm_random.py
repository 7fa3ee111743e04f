"""The LSTM in random configurations, against Keras, torch and differences.

XLA compiles the fused kernel anew for every batch, time and units: those come
from a short list, all else is drawn freely.
"""

import dataclasses

import hypothesis.extra.numpy
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from common import LSTM
from tests.support.recurrent import assert_close, noise

FREE_SIZES = st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(1, 5))
SIZES = {
    "generic": FREE_SIZES,
    "fused": st.just((3, 5, 6)),
    "fused in many sizes": st.sampled_from([(1, 1, 1), (3, 5, 6), (5, 7, 4)]),
}
OPTIONS = {
    "return_sequences": st.booleans(),
    "go_backwards": st.booleans(),
    "use_bias": st.booleans(),
    "zero_output_for_mask": st.booleans(),
    "dtype": st.sampled_from(["float32", "float64"]),
}
MERGE_MODES = ["concat", "sum", "mul", "ave", None]
# Sums over all steps, in another order than Keras's.
TOLERANCES = {
    "float32": {"rtol": 1e-4, "atol": 3e-6},
    "float64": {"rtol": 1e-9, "atol": 1e-12},
}


def few(max_examples):
    """The same examples in every run, and a failure is not made smaller.

    The sizes are small as they are, and each new one would be compiled.
    """
    return settings(
        max_examples=max_examples,
        phases=[Phase.generate],
        derandomize=True,
        deadline=None,
    )


@dataclasses.dataclass
class Case:
    """One configuration; its repr is what a failure prints."""

    kernel: str
    batch: int
    time: int
    features: int
    units: int
    mask: np.ndarray | None
    has_states: bool
    options: dict

    @property
    def dtype(self):
        return self.options["dtype"]

    def inputs(self, num_states=2):
        """Sequences, then states or none."""
        shapes = [(self.batch, self.time, self.features)]
        shapes += [(self.batch, self.units)] * num_states * self.has_states
        return [
            noise(*shape, seed=n).astype(self.dtype)
            for n, shape in enumerate(shapes)
        ]

    def pair(self, wrap=lambda layer: layer):
        """Keras's layer and ours, with the same weights."""
        options = {"return_state": True} | self.options
        theirs = wrap(keras.layers.LSTM(self.units, **options))
        ours = wrap(LSTM(self.units, kernel=self.kernel, **options))
        for layer in (theirs, ours):
            layer.build((self.batch, self.time, self.features))
            layer.set_weights(
                [
                    noise(*w.shape, seed=10 + n)
                    for n, w in enumerate(layer.weights)
                ]
            )
        return theirs, ours


@st.composite
def right_masks(draw, batch, time, shortest=0):
    lengths = st.lists(
        st.integers(shortest, time), min_size=batch, max_size=batch
    )
    return np.arange(time) < np.array(draw(lengths))[:, np.newaxis]


def any_masks(batch, time):
    """None, right-padded or arbitrary; rows may be without a real step."""
    free = hypothesis.extra.numpy.arrays(bool, (batch, time))
    return st.none() | right_masks(batch, time) | free


@st.composite
def cases(draw, kernel, make_mask=any_masks, **fixed):
    batch, time, units = draw(SIZES[kernel])
    options = {name: st.just(value) for name, value in fixed.items()}
    return Case(
        kernel=kernel.partition(" ")[0],
        batch=batch,
        time=time,
        features=draw(st.integers(1, 4)),
        units=units,
        mask=draw(make_mask(batch, time)),
        has_states=draw(st.booleans()),
        options=draw(st.fixed_dictionaries(OPTIONS | options)),
    )


def weighted_sum(results):
    """One number that depends on every value of the results."""
    factors = [noise(*y.shape, seed=20 + n) for n, y in enumerate(results)]
    return sum(
        tf.reduce_sum(y * tf.cast(factor, y.dtype))
        for y, factor in zip(results, factors, strict=True)
    )


def results_and_gradients(layer, inputs, mask):
    """All results, and the gradients of all inputs and weights."""
    inputs = [tf.convert_to_tensor(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        x, *states = inputs
        results = layer(
            x, initial_state=states or None, mask=mask, training=True
        )
        results = tf.nest.flatten(results)
        loss = weighted_sum(results)
    variables = [v.value for v in layer.trainable_variables]
    return results, tape.gradient(loss, [*inputs, *variables])


def assert_same(case, theirs, ours, inputs):
    actual = results_and_gradients(ours, inputs, case.mask)
    expected = results_and_gradients(theirs, inputs, case.mask)
    assert_close(actual, expected, **TOLERANCES[case.dtype])
    assert {y.dtype.name for y in tf.nest.flatten(actual)} == {case.dtype}


@few(10)
@given(cases("generic"))
def test_generic_equals_keras(case):
    assert_same(case, *case.pair(), case.inputs())


@few(12)
@given(cases("fused"))
def test_fused_equals_keras(case):
    assert_same(case, *case.pair(), case.inputs())


@pytest.mark.slow
@few(90)
@given(cases("generic") | cases("fused in many sizes"))
def test_many_configurations_equal_keras(case):
    assert_same(case, *case.pair(), case.inputs())


def both_ways(dtype, merge_mode="concat"):
    return lambda layer: keras.layers.Bidirectional(
        layer, merge_mode, dtype=dtype
    )


def both_cases(kernel):
    generic, fused = (
        cases(name, go_backwards=False) for name in ("generic", kernel)
    )
    return generic | fused, st.sampled_from(MERGE_MODES)


def assert_both_ways_same(case, merge_mode):
    pair = case.pair(both_ways(case.dtype, merge_mode))
    assert_same(case, *pair, case.inputs(num_states=4))


@few(6)
@given(*both_cases("fused"))
def test_bidirectional_equals_keras(case, merge_mode):
    assert_both_ways_same(case, merge_mode)


@pytest.mark.slow
@few(25)
@given(*both_cases("fused in many sizes"))
def test_many_bidirectional_configurations_equal_keras(case, merge_mode):
    assert_both_ways_same(case, merge_mode)


def in_torch(torch, case, inputs, weights, bidirectional):
    """What `everything` gives, from torch.nn.LSTM, biases taken once."""
    layer = torch.nn.LSTM(
        case.features,
        case.units,
        batch_first=True,
        bidirectional=bidirectional,
        dtype=torch.float64,
    )
    with torch.no_grad():
        parts = zip(*[iter(weights)] * 3, strict=True)
        for (w, u, b), mine in zip(parts, layer.all_weights, strict=True):
            for to, value in zip(mine, (w.T, u.T, b, 0 * b), strict=True):
                to.copy_(torch.tensor(value))
    x, *states = (torch.tensor(v, requires_grad=True) for v in inputs)
    hidden_and_cell = torch.stack(states[::2]), torch.stack(states[1::2])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, case.mask.sum(1), batch_first=True, enforce_sorted=False
    )
    outputs, last = layer(packed, hidden_and_cell)
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(
        outputs, batch_first=True, total_length=case.time
    )
    # Hidden and cell of one direction, then of the other.
    return layer, [x, *states], [outputs, *torch.stack(last, 1).flatten(0, 1)]


def torch_gradients(torch, layer, inputs, results):
    loss = sum(
        (y * torch.tensor(noise(*y.shape, seed=20 + n))).sum()
        for n, y in enumerate(results)
    )
    loss.backward()
    weights = [
        gradient
        for w, u, b, _ in layer.all_weights
        for gradient in (w.grad.T, u.grad.T, b.grad)
    ]
    return [*(x.grad for x in inputs), *weights]


@few(30)
@given(
    st.sampled_from(["generic", "fused in many sizes"]).flatmap(
        lambda kernel: cases(
            kernel,
            lambda batch, time: right_masks(batch, time, shortest=1),
            return_sequences=True,
            go_backwards=False,
            use_bias=True,
            zero_output_for_mask=True,
            dtype="float64",
        )
    ),
    st.booleans(),
)
def test_equals_torch(case, bidirectional):
    torch = pytest.importorskip("torch")
    case.has_states = True
    inputs = case.inputs(num_states=4 if bidirectional else 2)
    wrap = both_ways(case.dtype) if bidirectional else lambda layer: layer
    _, ours = case.pair(wrap)
    results, gradients = results_and_gradients(ours, inputs, case.mask)
    layer, sources, expected = in_torch(
        torch, case, inputs, ours.get_weights(), bidirectional
    )
    grads = torch_gradients(torch, layer, sources, expected)
    expected = [y.detach() for y in expected]
    assert_close(results, expected, **TOLERANCES["float64"])
    assert_close(gradients, grads, **TOLERANCES["float64"])


def central_differences(loss, variable, step=1e-5):
    """d(loss)/d(variable), one value of the variable after the other."""
    middle, grads = variable.numpy(), np.zeros(variable.shape)
    for index in np.ndindex(*variable.shape):
        both = []
        for shift in (step, -step):
            moved = middle.copy()
            moved[index] += shift
            variable.assign(moved)
            both.append(loss().numpy())
        grads[index] = (both[0] - both[1]) / (2 * step)
    variable.assign(middle)
    return grads


@pytest.mark.parametrize("kernel", ["generic", "fused"])
@few(1)
@given(st.data())
def test_gradients_are_central_differences(kernel, data):
    case = data.draw(cases(kernel, dtype="float64"))
    _, ours = case.pair()
    sources = [tf.Variable(x) for x in case.inputs()]

    @tf.function
    def loss():
        x, *states = map(tf.convert_to_tensor, sources)
        results = ours(
            x,
            initial_state=states or None,
            mask=case.mask,
            training=True,
        )
        return weighted_sum(tf.nest.flatten(results))

    with tf.GradientTape() as tape:
        value = loss()
    variables = [*sources, *(v.value for v in ours.trainable_variables)]
    expected = [central_differences(loss, v) for v in variables]
    actual = tape.gradient(value, variables)
    assert_close(actual, expected, rtol=1e-6, atol=1e-8)


@few(2)
@given(cases("fused"))
def test_fused_gives_the_same_bits_twice(case):
    _, ours = case.pair()
    inputs = case.inputs()
    run = tf.function(lambda: results_and_gradients(ours, inputs, case.mask))
    first, again = tf.nest.flatten(run()), tf.nest.flatten(run())
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
