"""The two simple recurrences: Elman's by the state, Jordan's by the output.

Both are cells for `keras.layers.RNN`:

    keras.layers.RNN(ElmanCell(64), return_sequences=True)
"""

from typing import Any

import keras

from common import shapes
from common.layers import checks
from common.layers.types import (
    Activation,
    ActivationFn,
    Config,
    Initializer,
    Shape,
    States,
    Tensor,
)


def elman_step(
    inputs: Tensor,
    context: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None = None,
    activation: ActivationFn = keras.activations.tanh,
) -> Tensor:
    """Computes the hidden layer of a simple recurrent network at one step.

        h_t = tanh(x_t W + context U + b)

    The context is the network's memory: h_{t-1} in Elman's network, the output
    y_{t-1} in Jordan's.

    Args:
        inputs: <float>[batch, features], x_t.
        context: <float>[batch, context].
        kernel: <float>[features, units], W.
        recurrent_kernel: <float>[context, units], U.
        bias: <float>[units], b, or None (default).
        activation: of the hidden layer. Default tanh.

    Returns:
        <float>[batch, units], h_t.

    Example:
        >>> x = h = keras.ops.ones([1, 1])
        >>> elman_step(x, h, keras.ops.array([[2.0]]), -h - h).numpy()
        array([[0.]], dtype=float32)
    """
    hidden = inputs @ kernel + context @ recurrent_kernel
    return activation(hidden if bias is None else hidden + bias)


@keras.saving.register_keras_serializable(package="common")
class ElmanCell(keras.layers.SimpleRNNCell):
    """One step of an Elman network, whose hidden layer is fed back.

        h_t = tanh(x_t W + h_{t-1} U + b)

    The simplest recurrence, and the yardstick: its gradient is multiplied by
    U and by the derivative of tanh at every step, so it forgets what lies more
    than some ten steps back. See `common.LSTM` for the remedy.

    Weights, in the order of `get_weights()` and interchangeable with
    `keras.layers.SimpleRNNCell`:

        kernel: [features, units], W.
        recurrent_kernel: [units, units], U.
        bias: [units], b; absent if `use_bias=False`.

    Masking is that of the layer around the cell: at a masked step
    `keras.layers.RNN` keeps the state as it was. What lies there must be
    finite, or gradients are not.

    Args:
        units: size of the hidden layer, which is also the output.
        **kwargs: every other argument of `keras.layers.SimpleRNNCell`, with
            the same defaults (`activation="tanh"`).

    Call arguments:
        sequence: <float>[batch, features], one step.
        states: a list of one, <float>[batch, units].
        training: whether dropout is on. Default False.

    Returns:
        A tuple `(output, states)`: <float>[batch, units] and the list of it.

    Raises:
        ValueError: if `units` or a rate is out of range; if the inputs are
            not [batch, features], or not of the number of features that the
            cell was built for; if the state is not of its size.

    Example:
        >>> layer = keras.layers.RNN(ElmanCell(64))
        >>> layer(keras.ops.ones([2, 5, 128])).shape
        TensorShape([2, 64])
        >>> layer.count_params()
        12352

    Reference:
        Elman 1990, "Finding structure in time", Cognitive Science 14.
    """

    def __init__(self, units: int, *args: Any, **kwargs: Any) -> None:
        _check_arguments(kwargs, units=units)
        super().__init__(units, *args, **kwargs)

    def build(self, input_shape: Shape) -> None:
        shapes.check_step(input_shape, type(self).__name__)
        super().build(input_shape)

    # Keras calls one step of a sequence `sequence`, and so must we.
    def call(
        self, sequence: Tensor, states: States, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        hidden = _compute_hidden(self, sequence, states, training)
        return hidden, [hidden]


@keras.saving.register_keras_serializable(package="common")
class JordanCell(keras.layers.SimpleRNNCell):
    """One step of a Jordan network, whose output is fed back.

        h_t = tanh(x_t W + y_{t-1} U + b)
        y_t = output_activation(h_t V + c)

    The network remembers its own output and nothing else. So a teacher can
    put the right output in its place, and the state is as readable as the
    output.

    The output is linear by default. It serves any loss (logits, regression)
    as it is, and needs no bound of its own: tanh bounds h_t, therefore y_t,
    therefore what is fed back. If the targets are numbers in 0 to 1, pass
    `output_activation="sigmoid"`, as in Jordan's own networks.

    Weights, in the order of `get_weights()`:

        kernel: [features, units], W.
        recurrent_kernel: [output_units, units], U.
        bias: [units], b; absent if `use_bias=False`.
        output_kernel: [units, output_units], V.
        output_bias: [output_units], c; absent if `use_bias=False`.

    Masking is that of the layer around the cell: at a masked step
    `keras.layers.RNN` keeps the state as it was. What lies there must be
    finite, or gradients are not.

    Args:
        units: size of the hidden layer.
        output_units: size of the output, which is also the state.
        activation: of the hidden layer. Default "tanh".
        output_activation: of the output. Default None: linear.
        output_initializer: of V. Default "glorot_uniform".
        **kwargs: every other argument of `keras.layers.SimpleRNNCell`, with
            the same defaults. Those of the kernel, of the recurrence and of
            the bias are for W, U and b; c starts at 0.

    Call arguments:
        sequence: <float>[batch, features], one step.
        states: a list of one, <float>[batch, output_units].
        training: whether dropout is on. Default False.

    Returns:
        A tuple `(output, states)`: <float>[batch, output_units] and the list
        of it.

    Raises:
        ValueError: if `units`, `output_units` or a rate is out of range; if
            the inputs are not [batch, features], or not of the number of
            features that the cell was built for; if the state is not of its
            size.

    Example:
        >>> layer = keras.layers.RNN(JordanCell(64, output_units=10))
        >>> layer(keras.ops.ones([2, 5, 128])).shape
        TensorShape([2, 10])
        >>> layer.count_params()
        9546

    Reference:
        Jordan 1986, "Serial order: a parallel distributed processing
        approach", ICS report 8604, University of California, San Diego.
    """

    def __init__(
        self,
        units: int,
        output_units: int,
        activation: Activation = "tanh",
        output_activation: Activation = None,
        output_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        _check_arguments(kwargs, units=units, output_units=output_units)
        super().__init__(units, activation, **kwargs)
        self.output_units = output_units
        self.output_activation = keras.activations.get(output_activation)
        self.output_initializer = keras.initializers.get(output_initializer)
        self.state_size = self.output_size = output_units

    def build(self, input_shape: Shape) -> None:
        shapes.check_step(input_shape, type(self).__name__)
        self.kernel = self.add_weight(
            (input_shape[-1], self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            (self.output_units, self.units),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = self._add_bias()
        self.output_kernel = self.add_weight(
            (self.units, self.output_units),
            self.output_initializer,
            name="output_kernel",
        )
        self.output_bias = None
        if self.use_bias:
            self.output_bias = self.add_weight(
                (self.output_units,), "zeros", name="output_bias"
            )

    def _add_bias(self) -> keras.Variable | None:
        if not self.use_bias:
            return None
        return self.add_weight(
            (self.units,),
            self.bias_initializer,
            regularizer=self.bias_regularizer,
            constraint=self.bias_constraint,
            name="bias",
        )

    def call(
        self, sequence: Tensor, states: States, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        hidden = _compute_hidden(self, sequence, states, training)
        output = hidden @ self.output_kernel
        if self.use_bias:
            output = output + self.output_bias
        output = self.output_activation(output)
        return output, [output]

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "output_units": self.output_units,
            "output_activation": keras.activations.serialize(
                self.output_activation
            ),
            "output_initializer": keras.initializers.serialize(
                self.output_initializer
            ),
        }


def _check_arguments(kwargs: dict[str, Any], **sizes: Any) -> None:
    """Checks sizes, and the rates among the other arguments."""
    for name, value in sizes.items():
        checks.check_size(name, value)
    rates = ("dropout", "recurrent_dropout")
    checks.check_rates(**{name: kwargs.get(name, 0.0) for name in rates})


def _compute_hidden(
    cell: keras.layers.SimpleRNNCell,
    inputs: Tensor,
    states: States,
    training: bool,
) -> Tensor:
    """Checks the inputs, applies the cell's dropout, takes one Elman step."""
    name = type(cell).__name__
    shapes.check_step(inputs, name, cell.kernel.shape[0])
    checks.check_states(states, [cell.state_size], inputs.shape[0], name)
    (context,) = states
    # Keras keeps both masks until the layer has seen the whole sequence.
    if training and cell.dropout:
        inputs = inputs * cell.get_dropout_mask(inputs)
    if training and cell.recurrent_dropout:
        context = context * cell.get_recurrent_dropout_mask(context)
    return elman_step(
        inputs,
        context,
        cell.kernel,
        cell.recurrent_kernel,
        cell.bias,
        cell.activation,
    )
