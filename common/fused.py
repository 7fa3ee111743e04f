"""The LSTM over whole sequences as one differentiable operation.

A loop that computes everything step by step, and whose gradient is played
backwards operation by operation, leaves most of a processor idle. Here the
same numbers come from the same equations in another order:

- The input's share of all gates, for all steps, is one matrix product.
- sigmoid(x) = tanh(x / 2) / 2 + 1 / 2: with the halves folded into the
  weights, the four gates of a step take one tanh.
- The gradient is written by hand. In the backward loop stands one product
  with the transposed recurrent kernel; the gradients of the weights are one
  product each, over all steps at once.
- XLA compiles the two loops and nothing else, so that strings, lookups and
  free shapes may stand around them. It compiles again for every new shape.
- Rows do not depend on each other: the batch is cut in as many parts as there
  are processors, and the parts run at the same time.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# A part of fewer rows costs more than it gains.
MIN_ROWS = 8
# Where the number of rows is not known when the graph is made.
MAX_PARTS_OF_UNKNOWN = 4


@tf.autograph.experimental.do_not_convert
def fused_lstm(
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs an LSTM with tanh and sigmoid over a batch of sequences.

    Where `mask` is False, the state stays as it was.

    Args:
        sequences: <float>[batch, time, features], time at least 1.
        hidden: <float>[batch, units], h_0.
        cell: <float>[batch, units], C_0.
        kernel: <float>[features, 4 * units], gates i, f, g, o.
        recurrent_kernel: <float>[units, 4 * units].
        bias: <float>[4 * units].
        mask: <bool>[batch, time], or None.

    Returns:
        The hidden states of all steps <float>[batch, time, units] and the
        cell after the last one <float>[batch, units]. Both are differentiable
        with respect to all arguments but the mask.

    Example:
        >>> from tensorflow import ones
        >>> states, cell = fused_lstm(ones([1, 5, 3]), ones([1, 2]),
        ...     ones([1, 2]), ones([3, 8]), ones([2, 8]), ones([8]))
        >>> states.shape, cell.shape
        (TensorShape([1, 5, 2]), TensorShape([1, 2]))
    """
    if mask is None:
        run, by_row = _lstm, [sequences, hidden, cell]
    else:
        run, by_row = _masked_lstm, [sequences, hidden, cell, mask]
    weights = (kernel, recurrent_kernel, bias)
    num_parts = _num_parts(sequences.shape[0])
    parts = zip(*(_cut(x, num_parts) for x in by_row), strict=True)
    results = [run(*weights, *part) for part in parts]
    states, cells = (tf.concat(x, 0) for x in zip(*results, strict=True))
    units = hidden.shape[1]
    return (
        tf.ensure_shape(states, [*sequences.shape[:2], units]),
        tf.ensure_shape(cells, [sequences.shape[0], units]),
    )


def _num_parts(rows: int | None) -> int:
    """As many as there are processors, if every part has rows enough."""
    num_processors = os.cpu_count() or 1
    if rows is None:
        return min(num_processors, MAX_PARTS_OF_UNKNOWN)
    return max(1, min(num_processors, rows // MIN_ROWS))


def _cut(x: tf.Tensor, num_parts: int) -> list[tf.Tensor]:
    """Cuts the rows in parts of the same size, give or take one."""
    if num_parts == 1:
        return [x]
    rows = x.shape[0] or tf.shape(x)[0]
    edges = [rows * k // num_parts for k in range(num_parts + 1)]
    sizes = [high - low for low, high in zip(edges, edges[1:], strict=False)]
    return tf.split(x, sizes, num=num_parts)


@tf.custom_gradient
def _lstm(*arguments: Any) -> tuple[tuple, Callable]:
    return _with_gradient(*arguments)


@tf.custom_gradient
def _masked_lstm(*arguments: Any) -> tuple[tuple, Callable]:
    real = tf.transpose(arguments[-1])[:, :, None]
    result, gradient = _with_gradient(*arguments[:-1], real=real)
    return result, lambda *upstream: (*gradient(*upstream), None)


def _with_gradient(
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    *,
    real: tf.Tensor | None = None,
) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable]:
    """The outputs, and the function from their gradients to the arguments'.

    Inside, time is the first axis: a step's values lie side by side.
    """
    x = _swapped(sequences)
    halves = _halves(bias)
    projected = _product(x, kernel * halves) + bias * halves
    states, cells, gates = _forward_loop(
        projected, hidden, cell, recurrent_kernel * halves, real
    )

    def gradient(d_states: tf.Tensor, d_cell: tf.Tensor) -> tuple:
        d_gates, d_hidden, d_cell = _backward_loop(
            _swapped(d_states), d_cell, states, cells, gates, cell,
            tf.transpose(recurrent_kernel), real,
        )  # fmt: skip
        from_states = _outer(states[:-1], d_gates[1:])
        from_first = tf.matmul(hidden, d_gates[0], transpose_a=True)
        return (
            _outer(x, d_gates),
            from_states + from_first,
            tf.reduce_sum(d_gates, axis=[0, 1]),
            _swapped(_product(d_gates, tf.transpose(kernel))),
            d_hidden,
            d_cell,
        )

    return (_swapped(states), cells[-1]), gradient


@tf.function(jit_compile=True, autograph=False)
def _forward_loop(
    projected: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    real: tf.Tensor | None,
) -> list[tf.Tensor]:
    """Computes hidden states, cells and gates of all steps.

    Args:
        projected: <float>[time, batch, 4 * units], halves in it.
        hidden: <float>[batch, units], h_0.
        cell: <float>[batch, units], C_0.
        recurrent_kernel: <float>[units, 4 * units], halves in it.
        real: the mask <bool>[time, batch, 1], or None.

    Returns:
        Hidden states and cells <float>[time, batch, units], and the tanh of
        the gates' halved sums <float>[time, batch, 4 * units].
    """

    def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *arrays: Any) -> tuple:
        gates = tf.tanh(projected[t] + h @ recurrent_kernel)
        i, f, g, o = _opened(gates)
        new_c = f * c + i * g
        new_h = o * tf.tanh(new_c)
        if real is not None:
            new_h = tf.where(real[t], new_h, h)
            new_c = tf.where(real[t], new_c, c)
        values = (new_h, new_c, gates)
        written = [a.write(t, v) for a, v in zip(arrays, values, strict=True)]
        return t + 1, new_h, new_c, *written

    time = tf.shape(projected)[0]
    arrays = [tf.TensorArray(projected.dtype, size=time) for _ in range(3)]
    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < time, step, [0, hidden, cell, *arrays]
    )
    return [array.stack() for array in arrays]


@tf.function(jit_compile=True, autograph=False)
def _backward_loop(
    d_states: tf.Tensor,
    d_cell: tf.Tensor,
    states: tf.Tensor,
    cells: tf.Tensor,
    gates: tf.Tensor,
    first_cell: tf.Tensor,
    transposed_kernel: tf.Tensor,
    real: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Carries the gradient from the last step to the first.

    Args:
        d_states: <float>[time, batch, units], of the hidden states.
        d_cell: <float>[batch, units], of the last cell.
        states: what `_forward_loop` gave.
        cells: likewise.
        gates: likewise.
        first_cell: <float>[batch, units], C_0.
        transposed_kernel: <float>[4 * units, units].
        real: the mask <bool>[time, batch, 1], or None.

    Returns:
        The gradients of the gates' sums <float>[time, batch, 4 * units], of
        the first hidden state and of the first cell <float>[batch, units].
    """

    def step(t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, array: Any) -> tuple:
        i, f, g, o = _opened(gates[t])
        before = tf.where(t > 0, cells[tf.maximum(t - 1, 0)], first_cell)
        output = tf.tanh(cells[t])
        dh = dh + d_states[t]
        new_dc = dc + dh * o * (1 - output * output)
        d_gates = tf.concat(
            [
                new_dc * g * i * (1 - i),
                new_dc * before * f * (1 - f),
                new_dc * i * (1 - g * g),
                dh * output * o * (1 - o),
            ],
            axis=1,
        )
        new_dc = new_dc * f
        if real is not None:
            d_gates = tf.where(real[t], d_gates, tf.zeros_like(d_gates))
            new_dc = tf.where(real[t], new_dc, dc)
        new_dh = d_gates @ transposed_kernel
        if real is not None:
            new_dh = tf.where(real[t], new_dh, dh)
        return t - 1, new_dh, new_dc, array.write(t, d_gates)

    time = tf.shape(gates)[0]
    array = tf.TensorArray(gates.dtype, size=time)
    start = [time - 1, tf.zeros_like(d_cell), d_cell, array]
    _, dh, dc, array = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return array.stack(), dh, dc


def _halves(bias: tf.Tensor) -> tf.Tensor:
    """<float>[4 * units]: 1/2 for the sigmoid gates i, f, o, and 1 for g."""
    units = bias.shape[0] // 4
    factors = [0.5] * 2 * units + [1.0] * units + [0.5] * units
    return tf.constant(factors, bias.dtype)


def _opened(gates: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """i, f, g and o from the tanh of their halved sums."""
    i, f, g, o = tf.split(gates, 4, axis=1)
    return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5


def _swapped(sequences: tf.Tensor) -> tf.Tensor:
    """[batch, time, ...] as [time, batch, ...], or back."""
    return tf.transpose(sequences, [1, 0, 2])


def _product(sequence: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[time, batch, a] @ [a, b], over all steps at once."""
    time, batch = tf.unstack(tf.shape(sequence)[:2])
    flat = tf.reshape(sequence, [-1, kernel.shape[0]]) @ kernel
    return tf.reshape(flat, [time, batch, kernel.shape[1]])


def _outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """The sum of left^T right over all steps and rows: <float>[a, b]."""
    left = tf.reshape(left, [-1, left.shape[-1]])
    right = tf.reshape(right, [-1, right.shape[-1]])
    return tf.matmul(left, right, transpose_a=True)
