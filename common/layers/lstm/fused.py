"""The LSTM over whole sequences as one differentiable operation.

A loop that computes everything step by step, and whose gradient is played
backwards operation by operation, leaves most of a processor idle. Here the
same numbers come from the same equations in another order:

- The input's share of all pre-activations, for all steps, is one product.
- Given the pre-activations, a step is elementwise: while the forward loop has
  all its values at hand, it keeps its local gradients too. So the backward
  loop is linear, with four lines: one product with the transposed recurrent
  kernel, and a few multiplications by local gradients. A tape takes them of
  any elementwise step (`GateStep`), so variants of the LSTM run here as well.
- The gradients of the weights are one product each, over all steps at once.
- XLA compiles the two loops and nothing else, so that strings, lookups and
  free shapes may stand around them. It compiles again for every new shape.
- Rows do not depend on each other: the batch is cut in as many parts as there
  are processors, and the parts run at the same time.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from common.layers.lstm.cell import LSTMCell, masked_matmul
from common.layers.lstm.fused_loops import (
    GateStep,
    LoopConstants,
    backward,
    bias_grad,
    forward,
    peephole_kernel_grad,
    recurrent_kernel_grad,
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

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None = None
    peephole_kernel: tf.Tensor | None = None

    @classmethod
    def from_cell(cls, cell: LSTMCell) -> "Weights":
        """Reads the weights of a cell, as tensors."""
        weights = (getattr(cell, name, None) for name in cls._fields)
        return cls(
            *(w if w is None else tf.convert_to_tensor(w) for w in weights)
        )


def run_fused(
    layer: keras.layers.LSTM,
    step: GateStep,
    sequences: tf.Tensor,
    initial_state: Sequence[tf.Tensor],
    mask: tf.Tensor | None,
    training: bool,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Does the work of `keras.layers.LSTM.inner_loop` with the fused kernel.

    Args:
        layer: a `common.LSTM` that the kernel fits.
        step: the elementwise part of a step of its cell.
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell.
        mask: <bool>[batch, time], or None.
        training: whether dropout is on.

    Returns:
        The last output, all outputs, and the list of the last states.
    """
    cell = layer.cell
    dropout = recurrent_dropout = None
    if training:
        dropout = _stack_masks(cell.get_dropout_mask(sequences[:, 0, :]))
        recurrent_dropout = _stack_masks(
            cell.get_recurrent_dropout_mask(initial_state[0])
        )
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    states, last_cell = fused_lstm(
        sequences,
        *initial_state,
        Weights.from_cell(cell),
        step,
        mask,
        dropout,
        recurrent_dropout,
        bool(training),
    )
    outputs = states
    if mask is not None:
        # Keras repeats the last output at a masked step, which is zero
        # before the first real one, whatever the initial state was.
        has_output = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
        if layer.zero_output_for_mask:
            has_output = mask
        outputs = tf.where(has_output[:, :, None], states, 0.0)
    return outputs[:, -1], outputs, [states[:, -1], last_cell]


def _stack_masks(masks: tf.Tensor | list[tf.Tensor] | None) -> tf.Tensor | None:
    """Stacks Keras's dropout masks, one or one a gate, on a first axis."""
    if masks is None:
        return None
    # They have no gradient, though Keras makes them from the state: a tape
    # that watches it would follow them into the loops, where XLA fails.
    masks = tf.stack(masks if isinstance(masks, list) else [masks])
    return tf.stop_gradient(masks)


@tf.autograph.experimental.do_not_convert
def fused_lstm(
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    weights: Weights,
    step: GateStep = GateStep(),  # noqa: B008  It is immutable.
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
        step: the elementwise part of a step. Default: that of the plain LSTM.
        mask: <bool>[batch, time]. Default None: all steps are real.
        dropout: factors of the inputs <float>[1 or num_gates, batch,
            features], the same at every step. Default None.
        recurrent_dropout: factors of the hidden state <float>[1 or num_gates,
            batch, units], likewise.
        training: whether to keep what the gradient needs. Without, less is
            computed and stored, and a gradient runs the forward loop again.
            Default True.

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
        *(_split_rows(x, num_parts) for x in (sequences, hidden, cell, mask)),
        *(
            _split_rows(x, num_parts, axis=1)
            for x in (dropout, recurrent_dropout)
        ),
    ]
    parts = zip(*by_row, strict=True)
    results = [_run_part(weights, step, training, *part) for part in parts]
    states, cells = (tf.concat(x, 0) for x in zip(*results, strict=True))
    units = hidden.shape[1]
    return (
        tf.ensure_shape(states, [*sequences.shape[:2], units]),
        tf.ensure_shape(cells, [sequences.shape[0], units]),
    )


def _num_parts(rows: int | None) -> int:
    """Returns the number of threads, or fewer if parts had too few rows."""
    num_threads = tf.config.threading.get_intra_op_parallelism_threads()
    num_processors = num_threads or os.cpu_count() or 1
    if rows is None:
        return min(num_processors, MAX_PARTS_OF_UNKNOWN)
    return max(1, min(num_processors, rows // MIN_ROWS))


def _split_rows(x: tf.Tensor | None, num_parts: int, axis: int = 0) -> list:
    """Splits into parts of the same number of rows, give or take one."""
    if x is None or num_parts == 1:
        return [x] * num_parts
    rows = x.shape[axis] or tf.shape(x)[axis]
    edges = [rows * k // num_parts for k in range(num_parts + 1)]
    sizes = [high - low for low, high in zip(edges, edges[1:], strict=False)]
    return tf.split(x, sizes, axis, num=num_parts)


def _run_part(
    weights: Weights,
    step: GateStep,
    training: bool,
    sequences: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    recurrent_dropout: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    # Inside, time is the first axis: a step's values lie side by side.
    mask = None if mask is None else tf.transpose(mask)[:, :, None]
    masks = None if dropout is None else tf.unstack(dropout)
    projected = masked_matmul(_time_first(sequences), masks, weights.kernel)
    recurrent_kernel = tf.convert_to_tensor(weights.recurrent_kernel)
    no_peepholes = tf.zeros([0, hidden.shape[1]], hidden.dtype)
    bias, peepholes = weights.bias, weights.peephole_kernel
    states, last_cell = _run_loops(
        LoopConstants(step, mask, recurrent_dropout),
        training,
        projected,
        hidden,
        cell,
        recurrent_kernel,
        tf.zeros_like(recurrent_kernel[0]) if bias is None else bias,
        no_peepholes if peepholes is None else peepholes,
    )
    return _time_first(states), last_cell


def _run_loops(
    constants: LoopConstants, training: bool, *arguments: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs `forward`, with `backward` as its gradient.

    Args:
        constants: see `LoopConstants`.
        training: whether to keep what the gradient needs.
        *arguments: the tensors that `forward` takes, with gradients.

    Returns:
        All hidden states <float>[time, batch, units], and the last cell.
    """

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> tuple[tuple, Callable]:
        # The rule below is all: nothing of the loops is recorded as well.
        tensors = [tf.stop_gradient(x) for x in arguments]
        last_cell, states, *kept = forward(constants, training, *tensors)

        @tf.custom_gradient
        def gradient(*upstream: tf.Tensor) -> tuple[tuple, Callable]:
            local_grads = kept or forward(constants, True, *tensors)[2:]
            d_states, d_cell = map(tf.stop_gradient, upstream[:2])
            return _gradient(
                constants, tensors, states, local_grads, d_states, d_cell
            ), _refuse_second

        # With the arguments, so that a second gradient finds its way here.
        return (states, last_cell), lambda *up: gradient(*up, *arguments)

    return run(*map(tf.convert_to_tensor, arguments))


def _refuse_second(*_: tf.Tensor) -> None:
    raise NotImplementedError(
        "the fused LSTM has no second gradient: pass kernel='generic' to LSTM"
    )


def _gradient(
    constants: LoopConstants,
    arguments: Sequence[tf.Tensor],
    states: tf.Tensor,
    local_grads: Sequence[tf.Tensor],
    d_states: tf.Tensor,
    d_cell: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Computes the gradients of the tensors that `forward` took, in order."""
    _, hidden, cell, recurrent_kernel, _, peephole_kernel = arguments
    d_pre, dh_dc, dc_dc_prev, *cells = local_grads
    d_pre_activations, d_hidden, d_cell = backward(
        constants, d_states, d_cell, d_pre, dh_dc, dc_dc_prev,
        tf.transpose(recurrent_kernel),
    )  # fmt: skip
    d_peepholes = tf.zeros_like(peephole_kernel)
    if cells:
        d_peepholes = peephole_kernel_grad(
            constants, cell, cells[0], d_pre_activations
        )
    return (
        d_pre_activations,
        d_hidden,
        d_cell,
        recurrent_kernel_grad(constants, hidden, states, d_pre_activations),
        bias_grad(d_pre_activations),
        d_peepholes,
    )


def _time_first(sequences: tf.Tensor) -> tf.Tensor:
    """Turns [batch, time, ...] into [time, batch, ...], or back."""
    return tf.transpose(sequences, [1, 0, 2])
