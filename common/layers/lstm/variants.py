"""The variants of the LSTM: gates left out or coupled, peepholes, and more.

The elementwise part of a step is `apply_variant_gates`, a pure function. The
rest is in the cell: layer normalization, projection, zoneout.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from common import shapes
from common.layers import checks
from common.layers.lstm.cell import LSTMCell, LSTMState, masked_matmul
from common.layers.lstm.options import OPTIONS, check_options
from common.layers.types import ActivationFn, Config, Shape, States, Tensor

# Of the authors' own code for layer normalization.
EPSILON = 1e-5


class VariantState(NamedTuple):
    """The state of a variant of the LSTM between two steps.

    Attributes:
        hidden: <float>[batch, projection_units or units], also the output.
        cell: <float>[batch, units].
        gates: <float>[batch, 3 * units], the activations of i, f, o with
            variant FGR; None with all others.
    """

    hidden: Tensor
    cell: Tensor
    gates: Tensor | None = None


def apply_variant_gates(
    pre_activations: Tensor,
    cell: Tensor,
    activation: ActivationFn = keras.activations.tanh,
    recurrent_activation: ActivationFn = keras.activations.sigmoid,
    peephole_kernel: Tensor | None = None,
    variant: str | None = None,
) -> LSTMState:
    """Computes the next state from the pre-activations of a variant's gates.

    A pure function, elementwise: see `VariantLSTMCell` for the equations.
    The products with gates of the step before (FGR) are in pre_activations.

    Args:
        pre_activations: <float>[batch, num_gates * units], in the order i, f,
            g, o without the gates that the variant lacks.
        cell: <float>[batch, units], C_{t-1}.
        activation: of the candidate and of the output. Default tanh.
        recurrent_activation: of the gates. Default sigmoid.
        peephole_kernel: <float>[num_peepholes, units], in the order i, f, o
            without the gates that the variant lacks; or None (default).
        variant: one of `shapes.VARIANTS`, or None (default).

    Returns:
        The state after this step, before projection and zoneout.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> z = keras.ops.array([[-9.0, 5.0, 9.0]])  # Take nothing in, and
        >>> one = keras.ops.ones([1, 1])  # with CIFG forget nothing.
        >>> print(f"{apply_variant_gates(z, one, variant='CIFG').cell.numpy()}")
        [[1.]]
    """
    *_, o, cell = compute_gates(
        pre_activations,
        cell,
        activation,
        recurrent_activation,
        peephole_kernel,
        variant,
    )
    return LSTMState(o * output_activation(cell, variant, activation), cell)


@functools.cache
def gate_function(variant: str | None) -> Callable[..., LSTMState]:
    """Returns `apply_variant_gates` of one variant, always the same object."""
    return functools.partial(apply_variant_gates, variant=variant)


def compute_gates(
    pre_activations: Tensor,
    cell: Tensor,
    activation: ActivationFn,
    recurrent_activation: ActivationFn,
    peephole_kernel: Tensor | None,
    variant: str | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Computes the gates and the new cell; see `apply_variant_gates`.

    Returns:
        A tuple `(i, f, o, cell)`: <float>[batch, units] each, the activations
        of the gates, 1.0 for a gate that the variant lacks; and C_t.
    """
    names = shapes.gate_names(variant)
    parts = keras.ops.split(pre_activations, len(names), axis=-1)
    by_gate = dict(zip(names, parts, strict=True))
    peepholes = _peepholes_by_gate(peephole_kernel, variant)

    def gate(name: str, cell: Tensor) -> Tensor:
        if name not in by_gate:
            return 1.0
        z = by_gate[name]
        if name in peepholes:
            z = z + peepholes[name] * cell
        return recurrent_activation(z)

    i = gate("i", cell)
    f = 1.0 - i if variant == "CIFG" else gate("f", cell)
    g = by_gate["g"] if variant == "NIAF" else activation(by_gate["g"])
    cell = f * cell + i * g
    return i, f, gate("o", cell), cell


def _peepholes_by_gate(
    peephole_kernel: Tensor | None, variant: str | None
) -> dict[str, Tensor]:
    if peephole_kernel is None:
        return {}
    rows = keras.ops.unstack(peephole_kernel)
    return dict(zip(shapes.peephole_names(variant), rows, strict=True))


def output_activation(
    cell: Tensor, variant: str | None, activation: ActivationFn
) -> Tensor:
    """Applies the output's activation to the cell, if the variant has one."""
    return cell if variant == "NOAF" else activation(cell)


def gate_recurrence(gates: Tensor, gate_kernel: Tensor) -> Tensor:
    """Computes the term of full gate recurrence in the pre-activations.

    Args:
        gates: <float>[batch, 3 * units], i, f, o of the step before.
        gate_kernel: <float>[3 * units, 3 * units], from and to i, f, o.

    Returns:
        <float>[batch, 4 * units], for i, f, g, o: zeros for the candidate g.
    """
    i, f, o = keras.ops.split(gates @ gate_kernel, 3, axis=-1)
    return keras.ops.concatenate([i, f, keras.ops.zeros_like(i), o], axis=-1)


def normalize_rows(
    x: Tensor, gain: Tensor, offset: Tensor | None = None
) -> Tensor:
    """Normalizes each row to mean 0 and variance 1, then scales and shifts."""
    return keras.ops.layer_normalization(x, gain, offset, epsilon=EPSILON)


def zoneout(
    new: Tensor,
    old: Tensor,
    rate: float,
    seed: keras.random.SeedGenerator | None = None,
) -> Tensor:
    """Keeps old values at a rate.

    Args:
        new: <float>[batch, units], computed by a step.
        old: <float>[batch, units], those before the step.
        rate: the probability of the old value, 0 to 1.
        seed: of the draws in training; None (default) in inference.

    Returns:
        <float>[batch, units]. In training each entry is the old one or the
        new one; in inference it is the average of that.

    Example:
        >>> zoneout(keras.ops.array([4.0]), keras.ops.array([8.0]), 0.25)
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([5.], ...)>
    """
    if not rate:
        return new
    if seed is None:
        return rate * old + (1 - rate) * new
    # Not in half precision: a rate like 0.05 would be met less exactly.
    shape = keras.ops.shape(new)
    draws = keras.random.uniform(shape, dtype="float32", seed=seed)
    return keras.ops.where(draws < rate, old, new)


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

    Each variant changes one line and lacks the weights that it leaves out:

        NIG    no input gate           i_t = 1          gates f, g, o
        NFG    no forget gate          f_t = 1          gates i, g, o
        NOG    no output gate          o_t = 1          gates i, f, g
        NIAF   no input activation     g_t = x_t W_g + h_{t-1} U_g + b_g
        NOAF   no output activation    h_t = o_t * C_t
        CIFG   coupled input, forget   f_t = 1 - i_t    gates i, g, o
        NP     no peepholes            p = 0            as None
        FGR    full gate recurrence    [i, f, o]_{t-1} R in those of i, f, o

    NFG is the cell of 1997. FGR's state holds the three gates' activations too,
    zeros at first. The options, which all combine:

        layer_normalization (Ba et al., eqs. 20 to 22):
            z = LN(x_t W) * input_gain + LN(h_{t-1} U) * recurrent_gain + b
            h_t = o_t * tanh(LN(C_t) * cell_gain + cell_offset)
        projection_units (Sak et al.):
            h_t = (o_t * tanh(C_t)) P
        zoneout_hidden, zoneout_cell (Krueger et al.), last of all:
            training: each h_t, C_t is h_{t-1}, C_{t-1} with this probability
            inference: h_t = z h_{t-1} + (1 - z) h_t, the expectation; also C

    LN subtracts the mean and divides by the standard deviation, over all
    pre-activations of a step at once, and over the cell. Of the paper's three
    offsets, those of the two products would be added to each other and to b:
    they are b. That of the cell stands inside tanh, and stays. The cell that
    is carried on, and that peepholes see, is C_t itself. FGR's product belongs
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
        variant: one of the names above, or None (default).
        peepholes: whether gates see the cell. Default False.
        layer_normalization: whether the pre-activations and the cell are
            normalized. Default False.
        forget_bias: where the forget gate's bias starts, with `use_bias` and
            `unit_forget_bias`. Default 1.
        zoneout_hidden: probability to keep a hidden value. Default 0.
        zoneout_cell: probability to keep a value of the cell. Default 0.
        projection_units: size of the hidden state. Default None: `units`.
        **kwargs: every other argument of `keras.layers.LSTMCell`, with the
            same defaults.

    Call arguments:
        inputs: <float>[batch, features].
        states: two of <float>[batch, units], hidden (or [batch,
            projection_units]) and cell; with FGR [batch, 3 * units] too.
        training: whether dropout and zoneout draw. Default False.

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
            self.dropout_mask_count = len(shapes.gate_names(variant))

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that `LSTMCell` has not, by name."""
        return {name: getattr(self, name) for name in OPTIONS}

    def get_config(self) -> Config:
        return {**super().get_config(), **self.options}

    def build(self, input_shape: Shape) -> None:
        shapes.check_step(input_shape, type(self).__name__)
        columns = len(shapes.gate_names(self.variant)) * self.units
        self.kernel = self._add("kernel", (input_shape[-1], columns), "kernel")
        self.recurrent_kernel = self._add(
            "recurrent_kernel", (self.output_size, columns), "recurrent"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._add("bias", (columns,), "bias", self._init_bias)
        self._add_gate_kernels()
        if self.layer_normalization:
            self._add_normalization(columns)
        if self.projection_units:
            self.projection_kernel = self._add(
                "projection_kernel", (self.units, self.output_size), "kernel"
            )

    def _add(
        self,
        name: str,
        shape: Shape,
        role: str,
        initializer: Callable[..., Tensor] | None = None,
    ) -> keras.Variable:
        """Adds a weight with the arguments `<role>_initializer` and so on."""
        return self.add_weight(
            shape,
            initializer or getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
            name=name,
        )

    def _init_bias(self, shape: Shape, dtype: str | None = None) -> Tensor:
        bias = self.bias_initializer(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        gates = shapes.gate_names(self.variant)
        extra = [self.forget_bias * (gate == "f") for gate in gates]
        return bias + keras.ops.cast(np.repeat(extra, self.units), dtype)

    def _add_gate_kernels(self) -> None:
        self.peephole_kernel = None
        if self.peepholes:
            num_peepholes = len(shapes.peephole_names(self.variant))
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
        self, inputs: Tensor, states: States, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        name = type(self).__name__
        shapes.check_step(inputs, name, self.kernel.shape[0])
        checks.check_states(states, self.state_size, inputs.shape[0], name)
        inputs = keras.ops.cast(inputs, self.compute_dtype)  # From integers.
        state = self.step(inputs, VariantState(*states), training)
        return state.hidden, [part for part in state if part is not None]

    def step(  # type: ignore[override]  # Its state may hold gates too.
        self, inputs: Tensor, state: VariantState, training: bool = False
    ) -> VariantState:
        i, f, o, cell = compute_gates(
            self._pre_activations(inputs, state, training),
            state.cell,
            self.activation,
            self.recurrent_activation,
            self.peephole_kernel,
            self.variant,
        )
        hidden = o * self._output_activation(cell)
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

    def _pre_activations(
        self, inputs: Tensor, state: VariantState, training: bool
    ) -> Tensor:
        masks = recurrent_masks = None
        if training:
            # Keras keeps both until the layer has seen the whole sequence.
            masks = self.get_dropout_mask(inputs)
            recurrent_masks = self.get_recurrent_dropout_mask(state.hidden)
        new = masked_matmul(inputs, masks, self.kernel)
        old = masked_matmul(
            state.hidden, recurrent_masks, self.recurrent_kernel
        )
        if state.gates is not None:
            old = old + gate_recurrence(state.gates, self.gate_kernel)
        if self.layer_normalization:
            new = normalize_rows(new, self.input_gain)
            old = normalize_rows(old, self.recurrent_gain)
        return new + old if self.bias is None else new + old + self.bias

    def _output_activation(self, cell: Tensor) -> Tensor:
        if self.layer_normalization:
            cell = normalize_rows(cell, self.cell_gain, self.cell_offset)
        return output_activation(cell, self.variant, self.activation)
