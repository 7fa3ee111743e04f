"""The LSTM over whole sequences as one differentiable operation.

A loop that computes everything step by step, and whose gradient is played
backwards operation by operation, leaves most of a processor idle. Here the
same numbers come from the same equations in another order:

- The input's share of all gates, for all steps, is one matrix product.
- Given the gates' sums, a step is elementwise: while the forward loop has all
  its values at hand, it writes down its slopes too. So the backward loop is
  linear, with four lines: one product with the transposed recurrent kernel,
  and a few multiplications by slopes. The slopes are those of
  `variant_gates`, so every variant that it knows runs here.
- The gradients of the weights are one product each, over all steps at once.
- XLA compiles the two loops and nothing else, so that strings, lookups and
  free shapes may stand around them. It compiles again for every new shape.
- Rows do not depend on each other: the batch is cut in as many parts as there
  are processors, and the parts run at the same time.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from common.layers.lstm.fused_loops import (
    Gates,
    Given,
    backward,
    forward,
    forward_with_slopes,
    of_peepholes,
    of_recurrent_kernel,
    product,
    sum_of_rows,
)

# A part of fewer rows costs more than it gains.
MIN_ROWS = 4
# Where the number of rows is not known when the graph is made.
MAX_PARTS_OF_UNKNOWN = 4


class Weights(NamedTuple):
    """The weights of an LSTM.

    Attributes:
        kernel: <float>[features, num_gates * units], W.
        recurrent_kernel: <float>[units, num_gates * units], U.
        bias: <float>[num_gates * units], b, or None.
        peephole_kernel: <float>[num_peepholes, units], p, or None.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any = None
    peephole_kernel: Any = None


@tf.autograph.experimental.do_not_convert
def fused_lstm(
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    weights: Weights,
    gates: Gates = Gates(),  # noqa: B008  It is immutable.
    mask: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    recurrent_dropout: tf.Tensor | None = None,
    training: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs an LSTM over a batch of sequences.

    Where `mask` is False, the state stays as it was.

    Args:
        sequences: <float>[batch, time, features], time at least 1.
        hidden: <float>[batch, units], h_0.
        cell: <float>[batch, units], C_0.
        weights: see `Weights`.
        gates: see `Gates`.
        mask: <bool>[batch, time], or None.
        dropout: factors of the inputs <float>[1 or num_gates, batch,
            features], the same at every step, or None.
        recurrent_dropout: factors of the hidden state <float>[1 or num_gates,
            batch, units], likewise.
        training: whether to keep what the gradient needs. Without, less is
            computed and stored, and a gradient runs the forward loop again.

    Returns:
        The hidden states of all steps <float>[batch, time, units] and the
        cell after the last one <float>[batch, units]. Both are differentiable
        with respect to sequences, states and weights.

    Example:
        >>> from tensorflow import ones
        >>> weights = Weights(ones([3, 8]), ones([2, 8]), ones([8]))
        >>> states, cell = fused_lstm(
        ...     ones([1, 5, 3]), ones([1, 2]), ones([1, 2]), weights)
        >>> states.shape, cell.shape
        (TensorShape([1, 5, 2]), TensorShape([1, 2]))
    """
    num_parts = _num_parts(sequences.shape[0])
    by_row = [
        *(_cut(x, num_parts) for x in (sequences, hidden, cell, mask)),
        *(_cut(x, num_parts, axis=1) for x in (dropout, recurrent_dropout)),
    ]
    parts = zip(*by_row, strict=True)
    results = [_run_part(weights, gates, training, *part) for part in parts]
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


def _cut(x: tf.Tensor | None, num_parts: int, axis: int = 0) -> list:
    """Cuts the rows in parts of the same size, give or take one."""
    if x is None or num_parts == 1:
        return [x] * num_parts
    rows = x.shape[axis] or tf.shape(x)[axis]
    edges = [rows * k // num_parts for k in range(num_parts + 1)]
    sizes = [high - low for low, high in zip(edges, edges[1:], strict=False)]
    return tf.split(x, sizes, axis, num=num_parts)


def _run_part(
    weights: Weights,
    gates: Gates,
    training: bool,
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    recurrent_dropout: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    # Inside, time is the first axis: a step's values lie side by side.
    real = None if mask is None else tf.transpose(mask)[:, :, None]
    projected = product(_swapped(sequences), dropout, weights.kernel)
    recurrent_kernel = tf.convert_to_tensor(weights.recurrent_kernel)
    none = tf.zeros([0, hidden.shape[1]], hidden.dtype)
    bias, peepholes = weights.bias, weights.peephole_kernel
    states, last_cell = _run(
        Given(real, recurrent_dropout, gates),
        training,
        projected,
        hidden,
        cell,
        recurrent_kernel,
        tf.zeros_like(recurrent_kernel[0]) if bias is None else bias,
        none if peepholes is None else peepholes,
    )
    return _swapped(states), last_cell


def _run(
    given: Given, training: bool, *arguments: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """All hidden states <float>[time, batch, units], and the last cell."""

    @tf.custom_gradient
    def run(*arguments: Any) -> tuple[tuple, Callable]:
        # The rule below is all: nothing of the loops is recorded as well.
        constants = [tf.stop_gradient(x) for x in arguments]
        kept: Sequence[Any] | None = None
        if training:
            last_cell, states, *kept = forward_with_slopes(given, *constants)
        else:
            last_cell, states = forward(given, *constants)

        @tf.custom_gradient
        def gradient(*upstream: Any) -> tuple[tuple, Callable]:
            slopes = kept or forward_with_slopes(given, *constants)[2:]
            d_states, d_cell = map(tf.stop_gradient, upstream[:2])
            return _gradient(
                given, constants, states, slopes, d_states, d_cell
            ), _refuse_second

        # With the arguments, so that a second gradient finds its way here.
        return (states, last_cell), lambda *up: gradient(*up, *arguments)

    return run(*map(tf.convert_to_tensor, arguments))


def _refuse_second(*_: Any) -> None:
    raise NotImplementedError(
        "the fused LSTM has no second gradient: pass kernel='generic' to LSTM"
    )


def _gradient(
    given: Given,
    arguments: Sequence[tf.Tensor],
    states: tf.Tensor,
    slopes: Sequence[tf.Tensor],
    d_states: tf.Tensor,
    d_cell: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """The gradients of the tensors that the loops were given, in order."""
    _, hidden, cell, recurrent_kernel, _, peepholes = arguments
    of_sums, of_output, of_memory, *cells = slopes
    d_sums, d_hidden, d_cell = backward(
        given, d_states, d_cell, of_sums, of_output, of_memory,
        tf.transpose(recurrent_kernel),
    )  # fmt: skip
    d_peepholes = tf.zeros_like(peepholes)
    if cells:
        d_peepholes = of_peepholes(given.gates.variant, d_sums, cell, *cells)
    return (
        d_sums,
        d_hidden,
        d_cell,
        of_recurrent_kernel(given.dropped, hidden, states, d_sums),
        sum_of_rows(d_sums),
        d_peepholes,
    )


def _swapped(sequences: tf.Tensor) -> tf.Tensor:
    """[batch, time, ...] as [time, batch, ...], or back."""
    return tf.transpose(sequences, [1, 0, 2])
