"""The options of our LSTM beyond those of Keras's, and their checks."""

from typing import Any

from common import shapes
from common.layers import checks

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


def check_no_cudnn(use_cudnn: bool | str, options: dict[str, Any]) -> None:
    """Checks that a layer with options was not asked for cuDNN outright.

    Args:
        use_cudnn: the layer's argument: True, False or "auto".
        options: a value for each of OPTIONS; the message names those that are
            not at their defaults.

    Raises:
        ValueError: if `use_cudnn` is True.

    Example:
        >>> check_no_cudnn(True, OPTIONS | {"variant": "CIFG"})
        Traceback (most recent call last):
        ValueError: use_cudnn must be 'auto' or False with variant, got True: \
cuDNN knows the plain LSTM only
    """
    if use_cudnn not in ("auto", False):
        names = [name for name, x in options.items() if x != OPTIONS[name]]
        raise ValueError(
            f"use_cudnn must be 'auto' or False with {', '.join(names)}, got "
            f"{use_cudnn!r}: cuDNN knows the plain LSTM only"
        )


def check_options(
    options: dict[str, Any], use_bias: bool, unit_forget_bias: bool
) -> None:
    """Checks all options of a `VariantLSTMCell`, alone and together.

    Args:
        options: a value for each of OPTIONS.
        use_bias: the cell's argument.
        unit_forget_bias: the cell's argument.

    Raises:
        ValueError: at the first that is out of range or does not fit.

    Example:
        >>> check_options(OPTIONS | {"projection_units": 0}, True, True)
        Traceback (most recent call last):
        ValueError: projection_units must be None or a positive integer, got 0
    """
    gates = shapes.gate_names(options["variant"])
    if options["variant"] == "NP" and options["peepholes"]:
        raise ValueError(
            "variant 'NP' means no peepholes, got peepholes=True: leave out "
            "one of them"
        )
    for name in ("zoneout_hidden", "zoneout_cell"):
        checks.check_rates(**{name: options[name]})
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
    """Checks that `forget_bias` has a bias to be added to."""
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
