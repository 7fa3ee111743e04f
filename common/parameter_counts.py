"""How many weights a cell has, from its sizes alone."""

from common.layers.lstm.options import gates_of, peepholes_of


def lstm_parameter_count(
    features: int,
    units: int,
    variant: str | None = None,
    peepholes: bool = False,
    layer_normalization: bool = False,
    projection_units: int | None = None,
) -> int:
    """Counts the weights of an LSTM: of each gate an Elman cell's worth.

    Args:
        features: size of the inputs.
        units: size of the cell.
        variant: None or one of VARIANTS; None has four gates.
        peepholes: whether each gate but the candidate sees the cell, through
            one weight per unit.
        layer_normalization: whether there is a gain for each column of W and
            of U, and a gain and an offset for each unit of the cell.
        projection_units: size of the hidden state, if it is not `units`.

    Returns:
        num_gates * units * (features + hidden + 1), biases included, and
        what the options add; hidden is `projection_units` or `units`.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> lstm_parameter_count(features=128, units=64)
        49408
        >>> lstm_parameter_count(features=128, units=64, peepholes=True)
        49600
    """
    columns = len(gates_of(variant)) * units
    count = (features + (projection_units or units) + 1) * columns
    if peepholes:
        count += len(peepholes_of(variant)) * units
    if variant == "FGR":
        count += (3 * units) ** 2
    if layer_normalization:
        count += 2 * columns + 2 * units
    if projection_units:
        count += units * projection_units
    return count


def elman_parameter_count(features: int, units: int) -> int:
    """Counts the weights of an Elman cell: W, U and b.

    Args:
        features: size of the inputs.
        units: size of the hidden state.

    Returns:
        (features + 1) * units + units ** 2.

    Example:
        >>> elman_parameter_count(features=128, units=64)
        12352
    """
    return (features + 1) * units + units**2


def jordan_parameter_count(features: int, units: int, output_units: int) -> int:
    """Counts the weights of a Jordan cell: W, U, b, then V and c.

    Args:
        features: size of the inputs.
        units: size of the hidden layer.
        output_units: size of the output, which is what is fed back.

    Returns:
        (features + output_units + 1) * units + (units + 1) * output_units.

    Example:
        >>> jordan_parameter_count(features=128, units=64, output_units=10)
        9546
    """
    hidden = (features + output_units + 1) * units
    return hidden + (units + 1) * output_units
