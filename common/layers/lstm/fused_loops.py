"""The two loops of the fused LSTM, each compiled by XLA.

Time is the first axis here: the values of one step lie side by side. `d_x`
names the gradient of the loss with respect to x, `dy_dx` a local gradient.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from common.layers.lstm.cell import LSTMState, apply_gates, masked_matmul
from common.layers.types import ActivationFn


class GateStep(NamedTuple):
    """The elementwise part of a step, by default that of the plain LSTM.

    XLA compiles the loops again for a step that is not equal to one before:
    make it of functions of a module, not of new ones at every call.

    Attributes:
        apply: a function of pre-activations <float>[batch, num_gates * units],
            the cell <float>[batch, units], the next two attributes and, if
            there are peepholes, their kernel <float>[num_peepholes, units],
            that returns the next `LSTMState`.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates.
        gates: their letters, in the order of their columns.
        peepholes: letters of the gates with a peephole, in the order of rows.
    """

    apply: Callable[..., LSTMState] = apply_gates
    activation: ActivationFn = keras.activations.tanh
    recurrent_activation: ActivationFn = keras.activations.sigmoid
    gates: str = "ifgo"
    peepholes: str = ""


class LoopConstants(NamedTuple):
    """The arguments of both loops that have no gradient.

    Attributes:
        step: see `GateStep`.
        mask: <bool>[time, batch, 1], False on padding; or None.
        recurrent_dropout: factors of the hidden state <float>[1 or num_gates,
            batch, units], or None.
    """

    step: GateStep
    mask: tf.Tensor | None
    recurrent_dropout: tf.Tensor | None


@tf.function(jit_compile=True, autograph=False)
def forward(
    constants: LoopConstants,
    keep_grads: bool,
    projected: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    peephole_kernel: tf.Tensor,
) -> list[tf.Tensor]:
    """Runs over all steps.

    Args:
        constants: see `LoopConstants`.
        keep_grads: whether to return what `backward` needs.
        projected: the inputs' share of the pre-activations <float>[time,
            batch, num_gates * units].
        hidden: <float>[batch, units], h_0.
        cell: <float>[batch, units], C_0.
        recurrent_kernel: <float>[units, num_gates * units].
        bias: <float>[num_gates * units].
        peephole_kernel: <float>[num_peepholes, units], without rows if there
            are no peepholes.

    Returns:
        The cell after the last step, and the hidden states of all steps
        <float>[time, batch, units]. With `keep_grads` the local gradients of
        all steps, see `_apply_with_local_grads`, and, if there are peepholes,
        the cells of all steps <float>[time, batch, units].
    """
    masks = _unstack(constants.recurrent_dropout)
    apply = _apply_with_local_grads if keep_grads else _apply

    def step(
        t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *arrays: tf.TensorArray
    ) -> tuple:
        pre_activations = projected[t] + bias
        pre_activations += masked_matmul(h, masks, recurrent_kernel)
        new: Sequence[tf.Tensor] = apply(
            constants.step, pre_activations, c, peephole_kernel
        )
        if constants.mask is not None:
            # The state stays: no gradient to the gates, all of it to C_{t-1}.
            old = [h, c, 0.0, 0.0, 1.0][: len(new)]
            new = [
                tf.where(constants.mask[t], x, y)
                for x, y in zip(new, old, strict=True)
            ]
        new_h, new_c, *local_grads = new
        values = [new_h, *local_grads, new_c][: len(arrays)]
        written = [a.write(t, v) for a, v in zip(arrays, values, strict=True)]
        return t + 1, new_h, new_c, *written

    time = tf.shape(projected)[0]
    num_arrays = 1
    if keep_grads:
        num_arrays = 5 if peephole_kernel.shape[0] else 4
    arrays = [tf.TensorArray(projected.dtype, time) for _ in range(num_arrays)]
    _, _, c, *arrays = tf.while_loop(
        lambda t, *_: t < time, step, [0, hidden, cell, *arrays]
    )
    return [c, *(array.stack() for array in arrays)]


@tf.function(jit_compile=True, autograph=False)
def backward(
    constants: LoopConstants,
    d_states: tf.Tensor,
    d_cell: tf.Tensor,
    d_pre: tf.Tensor,
    dh_dc: tf.Tensor,
    dc_dc_prev: tf.Tensor,
    transposed_kernel: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Carries the gradient from the last step to the first.

    Args:
        constants: as for `forward`.
        d_states: <float>[time, batch, units], of the hidden states.
        d_cell: <float>[batch, units], of the last cell.
        d_pre: local gradients of all steps, see `_apply_with_local_grads`.
        dh_dc: likewise.
        dc_dc_prev: likewise.
        transposed_kernel: <float>[num_gates * units, units].

    Returns:
        The gradients of the pre-activations <float>[time, batch, num_gates *
        units], of the first hidden state and of the first cell <float>[batch,
        units].
    """
    masks = _unstack(constants.recurrent_dropout)

    def step(
        t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, array: tf.TensorArray
    ) -> tuple:
        dh = dh + d_states[t]
        dc = dc + dh * dh_dc[t]
        # The output gate acts on h_t, all other gates on C_t.
        targets = [dh if gate == "o" else dc for gate in constants.step.gates]
        d_pre_activations = d_pre[t] * tf.concat(targets, axis=1)
        new_dh = _grad_of_masked_matmul(
            d_pre_activations, masks, transposed_kernel
        )
        if constants.mask is not None:
            new_dh = tf.where(constants.mask[t], new_dh, dh)
        array = array.write(t, d_pre_activations)
        return t - 1, new_dh, dc * dc_dc_prev[t], array

    time = tf.shape(d_pre)[0]
    array = tf.TensorArray(d_pre.dtype, size=time)
    start = [time - 1, tf.zeros_like(d_cell), d_cell, array]
    _, dh, dc, array = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return array.stack(), dh, dc


def _apply(
    step: GateStep,
    pre_activations: tf.Tensor,
    cell: tf.Tensor,
    peephole_kernel: tf.Tensor,
) -> LSTMState:
    """Computes h_t and C_t, <float>[batch, units]."""
    peepholes = [peephole_kernel] if peephole_kernel.shape[0] else []
    activations = step.activation, step.recurrent_activation
    return step.apply(pre_activations, cell, *activations, *peepholes)


def _apply_with_local_grads(
    step: GateStep,
    pre_activations: tf.Tensor,
    cell: tf.Tensor,
    peephole_kernel: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Computes h_t and C_t, and the local gradients of the step.

    Returns:
        h_t and C_t; d_pre <float>[batch, num_gates * units], the derivative
        of h_t by the output gate's pre-activation and of C_t by all others;
        dh_dc of h_t by C_t, and dc_dc_prev of C_t by C_{t-1}, <float>[batch,
        units].
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([pre_activations, cell])
        hidden, new_cell = _apply(step, pre_activations, cell, peephole_kernel)
    # Elementwise: the gradient of the sum over all entries is each one's own.
    d_pre, dc_dc_prev = tape.gradient(new_cell, [pre_activations, cell])
    d_output, dh_dc = tape.gradient(hidden, [pre_activations, new_cell])
    if "o" in step.gates:
        units = cell.shape[1]
        d_pre = tf.concat([d_pre[:, :-units], d_output[:, -units:]], 1)
    return hidden, new_cell, d_pre, dh_dc, dc_dc_prev


def _unstack(masks: tf.Tensor | None) -> list[tf.Tensor] | None:
    return None if masks is None else tf.unstack(masks)


def _grad_of_masked_matmul(
    d_product: tf.Tensor,
    masks: list[tf.Tensor] | None,
    transposed_kernel: tf.Tensor,
) -> tf.Tensor:
    """Computes the gradient of `masked_matmul` with respect to x, of a step."""
    if masks is None:
        return d_product @ transposed_kernel
    parts = zip(
        tf.split(d_product, len(masks), axis=1),
        tf.split(transposed_kernel, len(masks), axis=0),
        masks,
        strict=True,
    )
    return tf.add_n([(part @ rows) * mask for part, rows, mask in parts])


def recurrent_kernel_grad(
    constants: LoopConstants,
    hidden: tf.Tensor,
    states: tf.Tensor,
    d_pre_activations: tf.Tensor,
) -> tf.Tensor:
    """Computes the gradient of the recurrent kernel, over all steps.

    Args:
        constants: as for `forward`.
        hidden: <float>[batch, units], h_0.
        states: <float>[time, batch, units], h_1 and so on.
        d_pre_activations: <float>[time, batch, num_gates * units].

    Returns:
        <float>[units, num_gates * units].
    """
    masks = _unstack(constants.recurrent_dropout)
    if masks is None:
        # Without a copy of all states behind the first one.
        first = tf.matmul(hidden, d_pre_activations[0], transpose_a=True)
        return _sum_of_outer(states[:-1], d_pre_activations[1:]) + first
    previous = tf.concat([hidden[None], states[:-1]], axis=0)
    parts = tf.split(d_pre_activations, len(masks), axis=2)
    products = [
        _sum_of_outer(previous * mask, part)
        for mask, part in zip(masks, parts, strict=True)
    ]
    return tf.concat(products, axis=1)


def peephole_kernel_grad(
    constants: LoopConstants,
    cell: tf.Tensor,
    cells: tf.Tensor,
    d_pre_activations: tf.Tensor,
) -> tf.Tensor:
    """Computes the gradient of the peepholes, over all steps.

    Args:
        constants: as for `forward`.
        cell: <float>[batch, units], C_0.
        cells: <float>[time, batch, units], C_1 and so on.
        d_pre_activations: <float>[time, batch, num_gates * units].

    Returns:
        <float>[num_peepholes, units].
    """
    gates = constants.step.gates
    parts = tf.split(d_pre_activations, len(gates), axis=2)
    by_gate = dict(zip(gates, parts, strict=True))
    previous = tf.concat([cell[None], cells[:-1]], axis=0)
    # The output gate sees the new cell, the others see the old one.
    rows = [
        by_gate[gate] * (cells if gate == "o" else previous)
        for gate in constants.step.peepholes
    ]
    return tf.stack([tf.reduce_sum(row, axis=[0, 1]) for row in rows])


def bias_grad(d_pre_activations: tf.Tensor) -> tf.Tensor:
    """Computes the gradient of the bias, <float>[num_gates * units]."""
    # As a product it takes half the time of tf.reduce_sum.
    time, batch = tf.unstack(tf.shape(d_pre_activations)[:2])
    ones = tf.ones([time, batch, 1], d_pre_activations.dtype)
    return _sum_of_outer(ones, d_pre_activations)[0]


def _sum_of_outer(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Sums left^T right over all steps and rows: <float>[a, b]."""
    left = tf.reshape(left, [-1, left.shape[-1]])
    right = tf.reshape(right, [-1, right.shape[-1]])
    return tf.matmul(left, right, transpose_a=True)
