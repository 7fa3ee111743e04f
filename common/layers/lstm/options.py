"""The variants and options of the LSTM: their names, and which go together."""

from typing import Any

# The gates that have sums of their own, in the order of their columns.
GATES = {
    None: "ifgo",
    "NIG": "fgo",  # No input gate: i = 1.
    "NFG": "igo",  # No forget gate: f = 1.
    "NOG": "ifg",  # No output gate: o = 1.
    "NIAF": "ifgo",  # No input activation function: g is linear.
    "NOAF": "ifgo",  # No output activation function: h = o * C.
    "CIFG": "igo",  # Coupled input and forget gates: f = 1 - i.
    "NP": "ifgo",  # No peepholes.
    "FGR": "ifgo",  # Full gate recurrence: the gates see each other.
}
VARIANTS = tuple(name for name in GATES if name is not None)

# The arguments of VariantLSTMCell that LSTMCell has not, and their defaults.
OPTIONS: dict[str, Any] = {
    "variant": None,
    "peepholes": False,
    "layer_normalization": False,
    "forget_bias": 1.0,
    "zoneout_hidden": 0.0,
    "zoneout_cell": 0.0,
    "projection_units": None,
}


def gates_of(variant: str | None) -> str:
    """Names the gates of a variant of the LSTM that have weights.

    Args:
        variant: None or one of VARIANTS.

    Returns:
        Letters of "ifgo" in this order: of the input gate, the forget gate,
        the candidate and the output gate.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> gates_of("CIFG")
        'igo'
    """
    if variant not in GATES:
        raise ValueError(
            f"variant must be None or one of {', '.join(VARIANTS)}, got "
            f"{variant!r}"
        )
    return GATES[variant]


def peepholes_of(variant: str | None) -> str:
    """Names the gates of a variant of the LSTM that peepholes can lead to.

    Args:
        variant: None or one of VARIANTS.

    Returns:
        Letters of "ifo" in this order. The candidate has no peephole.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> peepholes_of("NIG")
        'fo'
    """
    gates = gates_of(variant)
    return "" if variant == "NP" else gates.replace("g", "")


def pop_options(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes the options of `VariantLSTMCell` out of a layer's arguments.

    Args:
        arguments: keyword arguments, changed in place.

    Returns:
        The options that are not at their defaults.

    Example:
        >>> arguments = {"name": "reader", "peepholes": True, "variant": None}
        >>> pop_options(arguments), arguments
        ({'peepholes': True}, {'name': 'reader'})
    """
    given = {
        name: arguments.pop(name, default) for name, default in OPTIONS.items()
    }
    return {name: x for name, x in given.items() if x != OPTIONS[name]}


def without_cudnn(use_cudnn: bool | str, options: dict[str, Any]) -> bool:
    """Turns cuDNN off for a layer with options.

    Args:
        use_cudnn: what the layer was asked for: True, False or "auto".
        options: those given; the message names them.

    Returns:
        False.

    Raises:
        ValueError: if the layer was asked for cuDNN outright.

    Example:
        >>> without_cudnn("auto", {"variant": "CIFG"})
        False
    """
    if use_cudnn not in ("auto", False):
        raise ValueError(
            f"use_cudnn must be 'auto' or False with {', '.join(options)}, got "
            f"{use_cudnn!r}: cuDNN knows the plain LSTM only"
        )
    return False


def check_options(
    options: dict[str, Any], use_bias: bool, unit_forget_bias: bool
) -> None:
    """Checks all options of a `VariantLSTMCell`, alone and together.

    Args:
        options: a value for each of OPTIONS.
        use_bias: the cell's argument.
        unit_forget_bias: the cell's argument.

    Raises:
        ValueError: at the first that is wrong.

    Example:
        >>> check_options(OPTIONS | {"projection_units": 0}, True, True)
        Traceback (most recent call last):
        ValueError: projection_units must be None or a positive integer, got 0
    """
    gates = gates_of(options["variant"])
    if options["variant"] == "NP" and options["peepholes"]:
        raise ValueError(
            "variant 'NP' means no peepholes, got peepholes=True: leave out "
            "one of them"
        )
    for name in ("zoneout_hidden", "zoneout_cell"):
        if not 0 <= options[name] <= 1:
            raise ValueError(
                f"{name} must be between 0 and 1, got {options[name]!r}"
            )
    units = options["projection_units"]
    if units is not None and (type(units) is not int or units <= 0):
        raise ValueError(
            "projection_units must be None or a positive integer, got "
            f"{units!r}"
        )
    if options["forget_bias"] != OPTIONS["forget_bias"]:
        _check_forget_bias(options, "f" in gates, use_bias, unit_forget_bias)


def _check_forget_bias(
    options: dict[str, Any],
    has_gate: bool,
    use_bias: bool,
    unit_forget_bias: bool,
) -> None:
    """Checks that there is a bias for it to be added to."""
    reason = None
    if not has_gate:
        reason = f"variant {options['variant']!r} has no forget gate of its own"
    elif not use_bias:
        reason = "use_bias=False leaves no bias"
    elif not unit_forget_bias:
        reason = "unit_forget_bias=False adds nothing"
    if reason:
        raise ValueError(
            f"forget_bias must be left at 1.0 where it has no effect, got "
            f"{options['forget_bias']!r}: {reason}"
        )
