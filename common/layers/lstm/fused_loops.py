"""The two loops of the fused LSTM, each compiled by XLA.

Time is the first axis here: the values of one step lie side by side.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common.layers.lstm.cell import LSTMState
from common.layers.lstm.gates import variant_gates
from common.layers.lstm.options import gates_of, peepholes_of


class Gates(NamedTuple):
    """What turns the gates' sums into the next state.

    Attributes:
        variant: None or a variant of `VariantLSTMCell`, but FGR.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates.
    """

    variant: str | None = None
    activation: Callable[[Any], Any] = keras.activations.tanh
    recurrent_activation: Callable[[Any], Any] = keras.activations.sigmoid


class Given(NamedTuple):
    """What both loops are given beside tensors with gradients.

    Attributes:
        real: the mask <bool>[time, batch, 1], or None.
        dropped: recurrent dropout <float>[1 or num_gates, batch, units], or
            None.
        gates: see `Gates`.
    """

    real: Any
    dropped: Any
    gates: Gates


@tf.function(jit_compile=True, autograph=False)
def forward(
    given: Given,
    projected: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    peepholes: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The cell after the last step, and the hidden states of all steps."""

    def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, array: Any) -> tuple:
        sums = projected[t] + bias
        sums = sums + product(h, given.dropped, recurrent_kernel)
        new_h, new_c = _values(given.gates, sums, c, peepholes)
        if given.real is not None:
            new_h = tf.where(given.real[t], new_h, h)
            new_c = tf.where(given.real[t], new_c, c)
        return t + 1, new_h, new_c, array.write(t, new_h)

    time = tf.shape(projected)[0]
    start = [0, hidden, cell, tf.TensorArray(projected.dtype, size=time)]
    _, _, c, array = tf.while_loop(lambda t, *_: t < time, step, start)
    return c, array.stack()


@tf.function(jit_compile=True, autograph=False)
def forward_with_slopes(
    given: Given,
    projected: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    peepholes: tf.Tensor,
) -> list[tf.Tensor]:
    """As `forward`; then the slopes and, with peepholes, the cells.

    See `_slopes` for the slopes: all are <float>[time, batch, ...].
    """

    def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *arrays: Any) -> tuple:
        sums = projected[t] + bias
        sums = sums + product(h, given.dropped, recurrent_kernel)
        new_h, new_c, *slopes = _slopes(given.gates, sums, c, peepholes)
        if given.real is not None:
            # The state stays: nothing of the sums, all of the memory.
            new = [new_h, new_c, *slopes]
            new_h, new_c, *slopes = (
                tf.where(given.real[t], x, y)
                for x, y in zip(new, [h, c, 0.0, 0.0, 1.0], strict=True)
            )
        values = [new_h, *slopes, new_c][: len(arrays)]
        written = [a.write(t, v) for a, v in zip(arrays, values, strict=True)]
        return t + 1, new_h, new_c, *written

    time = tf.shape(projected)[0]
    num_arrays = 5 if peepholes.shape[0] else 4
    arrays = [tf.TensorArray(projected.dtype, time) for _ in range(num_arrays)]
    _, _, c, *arrays = tf.while_loop(
        lambda t, *_: t < time, step, [0, hidden, cell, *arrays]
    )
    return [c, *(array.stack() for array in arrays)]


@tf.function(jit_compile=True, autograph=False)
def backward(
    given: Given,
    d_states: tf.Tensor,
    d_cell: tf.Tensor,
    of_sums: tf.Tensor,
    of_output: tf.Tensor,
    of_memory: tf.Tensor,
    transposed_kernel: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Carries the gradient from the last step to the first.

    Args:
        given: what the forward loop was given.
        d_states: <float>[time, batch, units], of the hidden states.
        d_cell: <float>[batch, units], of the last cell.
        of_sums: see `_slopes`, as the next two, for all steps.
        of_output: likewise.
        of_memory: likewise.
        transposed_kernel: <float>[num_gates * units, units].

    Returns:
        The gradients of the gates' sums <float>[time, batch, num_gates *
        units], of the first hidden state and cell <float>[batch, units].
    """
    names = gates_of(given.gates.variant)

    def step(t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, array: Any) -> tuple:
        dh = dh + d_states[t]
        dc = dc + dh * of_output[t]
        # The output gate acts on h_t, all other gates on C_t.
        targets = [dh if name == "o" else dc for name in names]
        d_sums = of_sums[t] * tf.concat(targets, axis=1)
        new_dh = _product_back(d_sums, given.dropped, transposed_kernel)
        if given.real is not None:
            new_dh = tf.where(given.real[t], new_dh, dh)
        return t - 1, new_dh, dc * of_memory[t], array.write(t, d_sums)

    time = tf.shape(of_sums)[0]
    array = tf.TensorArray(of_sums.dtype, size=time)
    start = [time - 1, tf.zeros_like(d_cell), d_cell, array]
    _, dh, dc, array = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return array.stack(), dh, dc


def _values(
    gates: Gates, sums: tf.Tensor, cell: tf.Tensor, peepholes: tf.Tensor
) -> LSTMState:
    """h_t and C_t, <float>[batch, units], of a step whose sums are known."""
    seen = peepholes if peepholes.shape[0] else None
    return variant_gates(sums, cell, seen, *gates)


def _slopes(
    gates: Gates, sums: tf.Tensor, cell: tf.Tensor, peepholes: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """As `_values`, then the slopes of the step.

    Returns:
        h_t, C_t; of_sums <float>[batch, num_gates * units], d(h_t)/d(sum) of
        the output gate and d(C_t)/d(sum) of all others; of_output
        d(h_t)/d(C_t) and of_memory d(C_t)/d(C_{t-1}), <float>[batch, units].
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([sums, cell])
        hidden, new_cell = _values(gates, sums, cell, peepholes)
    # Elementwise: the gradient of the sum over all entries is each one's own.
    of_sums, of_memory = tape.gradient(new_cell, [sums, cell])
    of_gate, of_output = tape.gradient(hidden, [sums, new_cell])
    if "o" in gates_of(gates.variant):
        units = cell.shape[1]
        of_sums = tf.concat([of_sums[:, :-units], of_gate[:, -units:]], 1)
    return hidden, new_cell, of_sums, of_output, of_memory


def product(x: tf.Tensor, factors: tf.Tensor | None, kernel: tf.Tensor) -> Any:
    """`x @ kernel`, under dropout.

    Args:
        x: <float>[..., batch, a].
        factors: <float>[1 or num_gates, batch, a], for all gates or for each
            one's columns; or None.
        kernel: <float>[a, b].

    Returns:
        <float>[..., batch, b].
    """
    if factors is None:
        return tf.tensordot(x, kernel, 1)
    columns = tf.split(kernel, factors.shape[0], axis=1)
    products = [
        tf.tensordot(x * factor, column, 1)
        for factor, column in zip(tf.unstack(factors), columns, strict=True)
    ]
    return tf.concat(products, axis=-1)


def _product_back(
    d_sums: tf.Tensor, factors: tf.Tensor | None, transposed_kernel: tf.Tensor
) -> tf.Tensor:
    """The gradient of `product` with respect to x, for one step."""
    if factors is None:
        return d_sums @ transposed_kernel
    count = factors.shape[0]
    parts = zip(
        tf.split(d_sums, count, axis=1),
        tf.split(transposed_kernel, count, axis=0),
        tf.unstack(factors),
        strict=True,
    )
    return tf.add_n([(part @ rows) * factor for part, rows, factor in parts])


def of_recurrent_kernel(
    factors: tf.Tensor | None,
    hidden: tf.Tensor,
    states: tf.Tensor,
    d_sums: tf.Tensor,
) -> tf.Tensor:
    """The gradient of `product` with respect to the kernel, of all steps.

    Args:
        factors: see `product`.
        hidden: <float>[batch, units], h_0.
        states: <float>[time, batch, units], h_1 and so on.
        d_sums: <float>[time, batch, num_gates * units].

    Returns:
        <float>[units, num_gates * units].
    """
    if factors is None:
        # Without a copy of all states behind the first one.
        first = tf.matmul(hidden, d_sums[0], transpose_a=True)
        return _outer(states[:-1], d_sums[1:]) + first
    before = tf.concat([hidden[None], states[:-1]], axis=0)
    parts = tf.split(d_sums, factors.shape[0], axis=2)
    products = [
        _outer(before * factor, part)
        for factor, part in zip(tf.unstack(factors), parts, strict=True)
    ]
    return tf.concat(products, axis=1)


def of_peepholes(
    variant: str | None, d_sums: tf.Tensor, cell: tf.Tensor, cells: tf.Tensor
) -> tf.Tensor:
    """The gradient of the peepholes <float>[num_peepholes, units].

    Args:
        variant: see `Gates`.
        d_sums: <float>[time, batch, num_gates * units].
        cell: <float>[batch, units], C_0.
        cells: <float>[time, batch, units], C_1 and so on.
    """
    names = gates_of(variant)
    by_gate = dict(
        zip(names, tf.split(d_sums, len(names), axis=2), strict=True)
    )
    before = tf.concat([cell[None], cells[:-1]], axis=0)
    # The output gate sees the new cell, the others see the old one.
    return tf.stack(
        [
            tf.reduce_sum(
                by_gate[name] * (cells if name == "o" else before), axis=[0, 1]
            )
            for name in peepholes_of(variant)
        ]
    )


def sum_of_rows(d_sums: tf.Tensor) -> tf.Tensor:
    """The gradient of the bias, <float>[num_gates * units]."""
    # As a product it takes half the time of tf.reduce_sum.
    time, batch = tf.unstack(tf.shape(d_sums)[:2])
    return _outer(tf.ones([time, batch, 1], d_sums.dtype), d_sums)[0]


def _outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """The sum of left^T right over all steps and rows: <float>[a, b]."""
    left = tf.reshape(left, [-1, left.shape[-1]])
    right = tf.reshape(right, [-1, right.shape[-1]])
    return tf.matmul(left, right, transpose_a=True)
