"""The variants of the LSTM: gates left out or coupled, peepholes, and more.

The elementwise part of a step is `variant_gates`, a pure function; what wraps
around it is in the cell: layer normalization, projection, zoneout.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from common import shapes
from common.layers.lstm.cell import LSTMCell, masked_matmul
from common.layers.lstm.gates import (
    VariantState,
    between_gates,
    normalized,
    open_gates,
    squashed,
    variant_gates,
    zoneout,
)
from common.layers.lstm.options import (
    GATES,
    OPTIONS,
    VARIANTS,
    check_options,
    gates_of,
    peepholes_of,
)

__all__ = [
    "GATES",
    "VARIANTS",
    "VariantLSTMCell",
    "gates_of",
    "peepholes_of",
    "variant_gates",
]


@keras.saving.register_keras_serializable(package="common")
class VariantLSTMCell(LSTMCell):
    """One step of a variant of the LSTM, for `LSTM` and `keras.layers.RNN`.

    With peepholes this is the LSTM of Greff et al. 2017; without, p = 0:

        i_t = sigmoid(x_t W_i + h_{t-1} U_i + p_i * C_{t-1} + b_i)
        f_t = sigmoid(x_t W_f + h_{t-1} U_f + p_f * C_{t-1} + b_f)
        g_t = tanh   (x_t W_g + h_{t-1} U_g + b_g)
        C_t = f_t * C_{t-1} + i_t * g_t
        o_t = sigmoid(x_t W_o + h_{t-1} U_o + p_o * C_t + b_o)
        h_t = o_t * tanh(C_t)

    Each variant changes one line and has no weights for what is gone:

        NIG    no input gate           i_t = 1          gates f, g, o
        NFG    no forget gate          f_t = 1          gates i, g, o
        NOG    no output gate          o_t = 1          gates i, f, g
        NIAF   no input activation     g_t = x_t W_g + h_{t-1} U_g + b_g
        NOAF   no output activation    h_t = o_t * C_t
        CIFG   coupled input, forget   f_t = 1 - i_t    gates i, g, o
        NP     no peepholes            p = 0            as None
        FGR    full gate recurrence    [i, f, o]_{t-1} R in the sums of i, f, o

    NFG is the cell of 1997. FGR's state carries the three open gates too,
    zeros at first. The options, which all combine:

        layer_normalization (Ba et al., eqs. 20 to 22):
            sums = LN(x_t W) * input_gain + LN(h_{t-1} U) * recurrent_gain + b
            h_t = o_t * tanh(LN(C_t) * cell_gain + cell_offset)
        projection_units (Sak et al.):
            h_t = (o_t * tanh(C_t)) P
        zoneout_hidden, zoneout_cell (Krueger et al.), last of all:
            training: each h_t, C_t is h_{t-1}, C_{t-1} with this probability
            inference: h_t = z h_{t-1} + (1 - z) h_t, the expectation; also C

    LN subtracts the mean and divides by the standard deviation, over all
    sums of a step at once, and over the cell. Of the paper's three offsets,
    those of the two products would be added to each other and to b: they are
    b. That of the cell stands inside tanh, and stays. The cell that is
    carried on, and that peepholes see, is C_t itself. FGR's product belongs
    to h_{t-1} U, inside its LN. h_t is computed from C_t before zoneout.

    Weights, those that there are, in the order of `get_weights()`:

        kernel: [features, num_gates * units], W, gates in order i, f, g, o.
        recurrent_kernel: [projection_units or units, num_gates * units], U.
        bias: [num_gates * units], b; absent if `use_bias=False`.
        peephole_kernel: [num_peepholes, units], p, in order i, f, o.
        gate_kernel: [3 * units, 3 * units], R, from and to i, f, o.
        input_gain: [num_gates * units].
        recurrent_gain: [num_gates * units].
        cell_gain: [units].
        cell_offset: [units].
        projection_kernel: [units, projection_units], P.

    R takes the arguments of U (`recurrent_initializer` and so on), P those of
    W. Dropout is as in `LSTMCell`, with as many recurrent masks as gates.

    Args:
        units: size of the cell, at least 1.
        variant: None or one of the names above.
        peepholes: whether gates see the cell.
        layer_normalization: whether sums and cell are normalized.
        forget_bias: where the forget gate's bias starts, with `use_bias` and
            `unit_forget_bias`.
        zoneout_hidden: probability to keep a hidden value, 0 to 1.
        zoneout_cell: probability to keep a value of the cell, 0 to 1.
        projection_units: size of the hidden state, or None for `units`.
        **kwargs: every other argument of `keras.layers.LSTMCell`.

    Call arguments:
        inputs: <float>[batch, features].
        states: two of <float>[batch, units], hidden (or [batch,
            projection_units]) and cell; with FGR [batch, 3 * units] too.
        training: whether dropout and zoneout draw.

    Returns:
        A tuple `(output, states)`: the new hidden state, and a list of all.

    Raises:
        ValueError: if an option is out of range or does not fit the others;
            if the inputs are not [batch, features], or not of the number of
            features that the cell was built for.

    Example:
        >>> layer = keras.layers.RNN(VariantLSTMCell(64, variant="CIFG"))
        >>> layer(keras.ops.ones([2, 5, 128])).shape
        TensorShape([2, 64])
        >>> layer.count_params()  # Three quarters of an LSTM's.
        37056

    Reference:
        Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber 2017, "LSTM: a
        search space odyssey", IEEE TNNLS 28(10), sections II and III; Ba,
        Kiros and Hinton 2016, "Layer normalization"; Sak, Senior and Beaufays
        2014, "Long short-term memory recurrent neural network architectures
        for large scale acoustic modeling", Interspeech; Krueger et al. 2017,
        "Zoneout: regularizing RNNs by randomly preserving hidden
        activations", ICLR.
    """

    def __init__(
        self,
        units: int,
        variant: str | None = None,
        peepholes: bool = False,
        layer_normalization: bool = False,
        forget_bias: float = 1.0,
        zoneout_hidden: float = 0.0,
        zoneout_cell: float = 0.0,
        projection_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.variant = variant
        self.peepholes = peepholes
        self.layer_normalization = layer_normalization
        self.forget_bias = forget_bias
        self.zoneout_hidden = zoneout_hidden
        self.zoneout_cell = zoneout_cell
        self.projection_units = projection_units
        check_options(self.options, self.use_bias, self.unit_forget_bias)
        self.output_size = projection_units or units
        self.state_size = [self.output_size, units]
        if variant == "FGR":
            self.state_size.append(3 * units)
        if self.implementation == 1:
            self.dropout_mask_count = len(gates_of(variant))

    @property
    def options(self) -> dict[str, Any]:
        """Returns the arguments that `LSTMCell` has not."""
        return {name: getattr(self, name) for name in OPTIONS}

    def get_config(self) -> dict[str, Any]:
        """Returns every argument, for saving."""
        return {**super().get_config(), **self.options}

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights; see the class."""
        shapes.check_step(input_shape, type(self).__name__)
        columns = len(gates_of(self.variant)) * self.units
        self.kernel = self._add("kernel", (input_shape[-1], columns), "kernel")
        self.recurrent_kernel = self._add(
            "recurrent_kernel", (self.output_size, columns), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._add("bias", (columns,), "bias", self._first_bias)
        self._add_between_gates()
        if self.layer_normalization:
            self._add_normalization(columns)
        if self.projection_units:
            self.projection_kernel = self._add(
                "projection_kernel", (self.units, self.output_size), "kernel"
            )

    def _add(
        self, name: str, shape: tuple, role: str, initializer: Any = None
    ) -> Any:
        """Adds a weight with the arguments `<role>_initializer` and so on."""
        return self.add_weight(
            shape,
            initializer or getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
            name=name,
        )

    def _first_bias(self, shape: tuple, dtype: Any = None) -> Any:
        bias = self.bias_initializer(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        extra = [self.forget_bias * (g == "f") for g in gates_of(self.variant)]
        return bias + keras.ops.cast(np.repeat(extra, self.units), dtype)

    def _add_between_gates(self) -> None:
        self.peephole_kernel = None
        if self.peepholes:
            num_peepholes = len(peepholes_of(self.variant))
            # Orthogonality is for matrices. Small values: a new cell is close
            # to one without peepholes, whose gates the cell does not saturate.
            self.peephole_kernel = self.add_weight(
                (num_peepholes, self.units),
                keras.initializers.RandomNormal(stddev=0.1),
                name="peephole_kernel",
            )
        if self.variant == "FGR":
            side = 3 * self.units
            self.gate_kernel = self._add(
                "gate_kernel", (side, side), "recurrent"
            )

    def _add_normalization(self, columns: int) -> None:
        for name, size, value in (
            ("input_gain", columns, "ones"),
            ("recurrent_gain", columns, "ones"),
            ("cell_gain", self.units, "ones"),
            ("cell_offset", self.units, "zeros"),
        ):
            setattr(self, name, self.add_weight((size,), value, name=name))

    def call(
        self, inputs: Any, states: Sequence[Any], training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Takes one step; see the class."""
        shapes.check_step(inputs, type(self).__name__, self.kernel.shape[0])
        inputs = keras.ops.cast(inputs, self.compute_dtype)  # From integers.
        state = self.step(inputs, VariantState(*states), training)
        return state.hidden, [part for part in state if part is not None]

    def step(self, inputs: Any, state: Any, training: bool = False) -> Any:
        """Carries the state over one step.

        Args:
            inputs: <float>[batch, features].
            state: the `VariantState` before this step.
            training: whether dropout and zoneout draw.

        Returns:
            The `VariantState` after this step.
        """
        i, f, o, cell = open_gates(
            self._sums(inputs, state, training),
            state.cell,
            self.peephole_kernel,
            self.variant,
            self.activation,
            self.recurrent_activation,
        )
        hidden = o * self._squashed(cell)
        if self.projection_units:
            hidden = hidden @ self.projection_kernel
        gates = None
        if self.variant == "FGR":
            gates = keras.ops.concatenate([i, f, o], axis=-1)
        seed = self.seed_generator if training else None
        return VariantState(
            zoneout(hidden, state.hidden, self.zoneout_hidden, seed),
            zoneout(cell, state.cell, self.zoneout_cell, seed),
            gates,
        )

    def _sums(self, inputs: Any, state: VariantState, training: bool) -> Any:
        masks = recurrent_masks = None
        if training:
            # Keras keeps both until the layer has seen the whole sequence.
            masks = self.get_dropout_mask(inputs)
            recurrent_masks = self.get_recurrent_dropout_mask(state.hidden)
        new = masked_matmul(inputs, masks, self.kernel)
        old = masked_matmul(
            state.hidden, recurrent_masks, self.recurrent_kernel
        )
        if self.variant == "FGR":
            old = old + between_gates(state.gates, self.gate_kernel)
        if self.layer_normalization:
            new = normalized(new, self.input_gain)
            old = normalized(old, self.recurrent_gain)
        return new + old if self.bias is None else new + old + self.bias

    def _squashed(self, cell: Any) -> Any:
        if self.layer_normalization:
            cell = normalized(cell, self.cell_gain, self.cell_offset)
        return squashed(cell, self.variant, self.activation)
