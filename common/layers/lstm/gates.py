"""The parts of a step of an LSTM's variants, as pure functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from common.layers.lstm.cell import LSTMState
from common.layers.lstm.options import gates_of, peepholes_of

# Of the authors' own code for layer normalization.
EPSILON = 1e-5


class VariantState(NamedTuple):
    """What a variant carries from one step to the next.

    Attributes:
        hidden: <float>[batch, projection_units or units], also the output.
        cell: <float>[batch, units].
        gates: <float>[batch, 3 * units], the open gates i, f, o with variant
            FGR; None with all others.
    """

    hidden: Any
    cell: Any
    gates: Any = None


def variant_gates(
    sums: Any,
    cell: Any,
    peephole_kernel: Any = None,
    variant: str | None = None,
    activation: Callable[[Any], Any] = keras.activations.tanh,
    recurrent_activation: Callable[[Any], Any] = keras.activations.sigmoid,
) -> LSTMState:
    """Turns the sums of a variant's gates into the next state.

    A pure function, elementwise: see `VariantLSTMCell` for the equations.
    The products with gates of the step before (FGR) are part of the sums.

    Args:
        sums: <float>[batch, num_gates * units], before their activations, in
            the order i, f, g, o without those that the variant lacks.
        cell: <float>[batch, units], C_{t-1}.
        peephole_kernel: <float>[num_peepholes, units], in the order i, f, o
            without those that the variant lacks; or None.
        variant: None or one of VARIANTS.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates.

    Returns:
        The state after this step, before projection and zoneout.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> sums = keras.ops.array([[-9.0, 5.0, 9.0]])  # Take nothing in, and
        >>> one = keras.ops.ones([1, 1])  # with CIFG forget nothing.
        >>> print(f"{variant_gates(sums, one, None, 'CIFG').cell.numpy()}")
        [[1.]]
    """
    *_, o, cell = open_gates(
        sums, cell, peephole_kernel, variant, activation, recurrent_activation
    )
    return LSTMState(o * squashed(cell, variant, activation), cell)


def open_gates(
    sums: Any,
    cell: Any,
    peephole_kernel: Any,
    variant: str | None,
    activation: Callable[[Any], Any],
    recurrent_activation: Callable[[Any], Any],
) -> tuple[Any, Any, Any, Any]:
    """Opens the gates and computes the new cell; see `variant_gates`.

    Returns:
        A tuple `(i, f, o, cell)`: <float>[batch, units] each, the gates after
        their activations, 1.0 for a gate that the variant lacks; and C_t.
    """
    names = gates_of(variant)
    totals = dict(
        zip(names, keras.ops.split(sums, len(names), axis=-1), strict=True)
    )
    peepholes = _by_gate(peephole_kernel, variant)

    def opened(name: str, seen: Any) -> Any:
        if name not in totals:
            return 1.0
        total = totals[name]
        if name in peepholes:
            total = total + peepholes[name] * seen
        return recurrent_activation(total)

    i = opened("i", cell)
    f = 1.0 - i if variant == "CIFG" else opened("f", cell)
    g = totals["g"] if variant == "NIAF" else activation(totals["g"])
    cell = f * cell + i * g
    return i, f, opened("o", cell), cell


def _by_gate(peephole_kernel: Any, variant: str | None) -> dict[str, Any]:
    if peephole_kernel is None:
        return {}
    rows = keras.ops.unstack(peephole_kernel)
    return dict(zip(peepholes_of(variant), rows, strict=True))


def squashed(
    cell: Any, variant: str | None, activation: Callable[[Any], Any]
) -> Any:
    """Applies the output's activation to the cell, if the variant has one."""
    return cell if variant == "NOAF" else activation(cell)


def between_gates(gates: Any, gate_kernel: Any) -> Any:
    """Computes what full gate recurrence adds to the gates' sums.

    Args:
        gates: <float>[batch, 3 * units], i, f, o of the step before.
        gate_kernel: <float>[3 * units, 3 * units], from and to i, f, o.

    Returns:
        <float>[batch, 4 * units], for i, f, g, o: zeros for the candidate g.
    """
    i, f, o = keras.ops.split(gates @ gate_kernel, 3, axis=-1)
    return keras.ops.concatenate([i, f, keras.ops.zeros_like(i), o], axis=-1)


def normalized(x: Any, gain: Any, offset: Any = None) -> Any:
    """Normalizes each row to mean 0 and variance 1, then scales and shifts.

    Args:
        x: <float>[batch, size].
        gain: <float>[size].
        offset: <float>[size], or None.

    Returns:
        <float>[batch, size].

    Example:
        >>> two = keras.ops.array([2.0, 2.0])
        >>> normalized(keras.ops.array([[1.0, 5.0]]), two).numpy().round(3)
        array([[-2.,  2.]], dtype=float32)
    """
    return keras.ops.layer_normalization(x, gain, offset, epsilon=EPSILON)


def zoneout(new: Any, old: Any, share: float, seed: Any = None) -> Any:
    """Keeps a share of the old values.

    Args:
        new: <float>[batch, units], what a step computed.
        old: <float>[batch, units], what was there before.
        share: the probability of the old value, 0 to 1.
        seed: a `keras.random.SeedGenerator` in training; None otherwise.

    Returns:
        <float>[batch, units]. In training each entry is the old one or the
        new one; otherwise it is what that is on average.

    Example:
        >>> zoneout(keras.ops.array([4.0]), keras.ops.array([8.0]), 0.25)
        <tf.Tensor: shape=(1,), dtype=float32, numpy=array([5.], ...)>
    """
    if not share:
        return new
    if seed is None:
        return share * old + (1 - share) * new
    # Not in half precision: a share like 0.05 would be met less exactly.
    shape = keras.ops.shape(new)
    draws = keras.random.uniform(shape, dtype="float32", seed=seed)
    return keras.ops.where(draws < share, old, new)
