"""One step of an LSTM: its equations in one function, and its cell."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import shapes
from common.layers import checks
from common.layers.types import ActivationFn, Shape, States, Tensor


class LSTMState(NamedTuple):
    """The state of an LSTM between two steps.

    Attributes:
        hidden: <float>[batch, units], h, which is also the output.
        cell: <float>[batch, units], C, the long-term memory.
    """

    hidden: Tensor
    cell: Tensor


def lstm_step(
    inputs: Tensor,
    state: LSTMState,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None = None,
    activation: ActivationFn = keras.activations.tanh,
    recurrent_activation: ActivationFn = keras.activations.sigmoid,
) -> LSTMState:
    """Carries an LSTM's state over one step.

    A pure function: the same arguments always give the same state.

        [i, f, g, o] = x_t W + h_{t-1} U + b
        C_t = sigmoid(f) * C_{t-1} + sigmoid(i) * tanh(g)
        h_t = sigmoid(o) * tanh(C_t)

    Args:
        inputs: <float>[batch, features], x_t.
        state: the state before this step, h_{t-1} and C_{t-1}.
        kernel: <float>[features, 4 * units], W: the columns of the gates
            i (input), f (forget), g (candidate), o (output), in this order.
        recurrent_kernel: <float>[units, 4 * units], U, the same order.
        bias: <float>[4 * units], b, the same order, or None (default).
        activation: of the candidate and of the output. Default tanh.
        recurrent_activation: of the three gates. Default sigmoid.

    Returns:
        The state after this step, h_t and C_t.

    Example:
        >>> ones, zeros = keras.ops.ones, keras.ops.zeros
        >>> state = LSTMState(hidden=zeros([1, 2]), cell=ones([1, 2]))
        >>> state = lstm_step(ones([1, 3]), state, zeros([3, 8]), zeros([2, 8]))
        >>> state.cell.numpy()  # Zero weights: every gate is half open.
        array([[0.5, 0.5]], dtype=float32)
    """
    pre_activations = inputs @ kernel + state.hidden @ recurrent_kernel
    if bias is not None:
        pre_activations = pre_activations + bias
    return apply_gates(
        pre_activations, state.cell, activation, recurrent_activation
    )


def apply_gates(
    pre_activations: Tensor,
    cell: Tensor,
    activation: ActivationFn = keras.activations.tanh,
    recurrent_activation: ActivationFn = keras.activations.sigmoid,
) -> LSTMState:
    """Computes the next state from the pre-activations of the four gates.

    Args:
        pre_activations: <float>[batch, 4 * units], in the order i, f, g, o.
        cell: <float>[batch, units], C_{t-1}.
        activation: of the candidate and of the output. Default tanh.
        recurrent_activation: of the three gates. Default sigmoid.

    Returns:
        The state after this step.

    Example:
        >>> gates = keras.ops.array([[-9.0, 9.0, 0.0, 9.0]])  # Forget nothing,
        >>> state = apply_gates(gates, keras.ops.ones([1, 1]))
        >>> print(f"{state.cell.numpy().item():.3f}")  # take nothing in.
        1.000
    """
    i, f, g, o = keras.ops.split(pre_activations, 4, axis=-1)
    i, f, o = (recurrent_activation(gate) for gate in (i, f, o))
    cell = f * cell + i * activation(g)
    hidden = o * activation(cell)
    return LSTMState(hidden, cell)


@keras.saving.register_keras_serializable(package="common")
class LSTMCell(keras.layers.LSTMCell):
    """One step of an LSTM, for `LSTM` and for `keras.layers.RNN`.

    An Elman network's gradient passes through the same matrix at every step
    and vanishes or explodes. Here it flows along the cell C, which is only
    scaled by the forget gate and added to:

        i_t = sigmoid(x_t W_i + h_{t-1} U_i + b_i)     input gate
        f_t = sigmoid(x_t W_f + h_{t-1} U_f + b_f)     forget gate
        g_t = tanh   (x_t W_g + h_{t-1} U_g + b_g)     candidate
        o_t = sigmoid(x_t W_o + h_{t-1} U_o + b_o)     output gate
        C_t = f_t * C_{t-1} + i_t * g_t
        h_t = o_t * tanh(C_t)

    The candidate g_t is computed from h_{t-1} and x_t, as the gates are. A
    well-known survey (Alom et al. 2018, "The History Began from AlexNet",
    eq. 36) prints this formula wrongly; copying it gives another network.

    Weights, in the order of `get_weights()` and interchangeable with
    `keras.layers.LSTMCell` (which writes c for the candidate g):

        kernel: [features, 4 * units], W_i, W_f, W_g, W_o side by side.
        recurrent_kernel: [units, 4 * units], U_i, U_f, U_g, U_o.
        bias: [4 * units], b_i, b_f, b_g, b_o; absent if `use_bias=False`.

    The forget gate's bias starts at 1 (`unit_forget_bias=True`), so that a
    new cell remembers: with 0 it would halve its memory at every step.

    Dropout draws one mask for a whole sequence. With `recurrent_dropout` the
    four gates have each their own masks, otherwise they share one: both as
    in Keras.

    Args:
        units: size of the hidden state and of the cell, at least 1.
        **kwargs: every other argument of `keras.layers.LSTMCell`, with the
            same defaults.

    Call arguments:
        inputs: <float>[batch, features].
        states: two of <float>[batch, units], hidden and cell.
        training: whether dropout is on. Default False.

    Returns:
        A tuple `(output, states)`: <float>[batch, units], which is the new
        hidden state, and the list of the new hidden state and cell.

    Raises:
        ValueError: if `units` or a rate is out of range; if the inputs are
            not [batch, features], or not of the number of features that the
            cell was built for; if the states are not of their size.

    Example:
        >>> cell = LSTMCell(4)
        >>> output, (hidden, memory) = cell(
        ...     keras.ops.ones([2, 3]), cell.get_initial_state(batch_size=2)
        ... )
        >>> output.shape
        TensorShape([2, 4])

    Reference:
        Hochreiter and Schmidhuber 1997, "Long short-term memory", Neural
        Computation 9; Gers, Schmidhuber and Cummins 2000, "Learning to
        forget", Neural Computation 12 (the forget gate); Jozefowicz, Zaremba
        and Sutskever 2015, "An empirical exploration of recurrent network
        architectures", ICML (its bias of 1).
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        checks.check_rates(dropout=dropout, recurrent_dropout=recurrent_dropout)
        super().__init__(
            checks.check_size("units", units),
            *args,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            **kwargs,
        )

    def build(self, input_shape: Shape) -> None:
        shapes.check_step(input_shape, type(self).__name__)
        super().build(input_shape)

    def call(
        self, inputs: Tensor, states: States, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        name = type(self).__name__
        shapes.check_step(inputs, name, self.kernel.shape[0])
        checks.check_states(states, self.state_size, inputs.shape[0], name)
        inputs = keras.ops.cast(inputs, self.compute_dtype)  # From integers.
        state = self.step(inputs, LSTMState(*states), training)
        return state.hidden, [state.hidden, state.cell]

    def step(
        self, inputs: Tensor, state: LSTMState, training: bool = False
    ) -> LSTMState:
        """Carries the state over one step; a variant of the LSTM overrides it.

        Args:
            inputs: <float>[batch, features].
            state: the state before this step.
            training: whether dropout is on. Default False.

        Returns:
            The state after this step.
        """
        if training and (self.dropout or self.recurrent_dropout):
            return self._step_with_dropout(inputs, state)
        return lstm_step(
            inputs,
            state,
            self.kernel,
            self.recurrent_kernel,
            self.bias,
            self.activation,
            self.recurrent_activation,
        )

    def _step_with_dropout(self, inputs: Tensor, state: LSTMState) -> LSTMState:
        # Keras keeps both masks until the layer has seen the whole sequence.
        masks = self.get_dropout_mask(inputs)
        recurrent_masks = self.get_recurrent_dropout_mask(state.hidden)
        pre_activations = masked_matmul(
            inputs, masks, self.kernel
        ) + masked_matmul(state.hidden, recurrent_masks, self.recurrent_kernel)
        if self.use_bias:
            pre_activations = pre_activations + self.bias
        return apply_gates(
            pre_activations,
            state.cell,
            self.activation,
            self.recurrent_activation,
        )


def masked_matmul(
    x: Tensor, masks: Tensor | Sequence[Tensor] | None, kernel: Tensor
) -> Tensor:
    """Computes `x @ kernel` under dropout.

    Args:
        x: <float>[..., batch, features].
        masks: factors <float>[batch, features] of x: one, a list of one for
            each gate, that is for each block of the kernel's columns, or None.
        kernel: <float>[features, columns].

    Returns:
        <float>[..., batch, columns].
    """
    if masks is None:
        return _matmul(x, kernel)
    if not isinstance(masks, list):
        return _matmul(x * masks, kernel)
    blocks = keras.ops.split(kernel, len(masks), axis=1)
    products = [
        _matmul(x * mask, block)
        for mask, block in zip(masks, blocks, strict=True)
    ]
    return keras.ops.concatenate(products, axis=-1)


def _matmul(x: Tensor, kernel: Tensor) -> Tensor:
    # One product over all steps takes less time than one for each of them.
    return x @ kernel if len(x.shape) == 2 else tf.tensordot(x, kernel, 1)
