"""The choice of an LSTM's kernel: what does not fit each of them, and why."""

from common.layers.lstm.cell import LSTMCell
from common.layers.lstm.variants import VariantLSTMCell
from common.layers.types import ActivationFn

KERNELS = ("auto", "fused", "generic", "inference")
# The options whose steps are not elementwise.
NOT_ELEMENTWISE = (
    "layer_normalization",
    "zoneout_hidden",
    "zoneout_cell",
    "projection_units",
)


def why_not_fused(
    cell: LSTMCell,
    kernel: str,
    *,
    unroll: bool,
    has_gpu: bool,
    trains_in_graph: bool,
) -> str | None:
    """Returns the reason why the fused kernel does not fit, if there is one.

    Args:
        cell: the layer's cell.
        kernel: one of KERNELS.
        unroll: whether the layer writes its loop out.
        has_gpu: whether TensorFlow sees a GPU. The plain cell has cuDNN there.
        trains_in_graph: whether a graph for training is being made: there
            shapes are few and steps are many, and compiling pays.

    Returns:
        The reason in words, or None if the kernel fits.

    Example:
        >>> facts = {"unroll": False, "trains_in_graph": True}
        >>> why_not_fused(LSTMCell(2), "auto", has_gpu=False, **facts)
        >>> why_not_fused(LSTMCell(2), "auto", has_gpu=True, **facts)
        'a GPU, where Keras has its own'
    """
    reasons = {
        'kernel="generic"': kernel == "generic",
        "a GPU, where Keras has its own": has_gpu and type(cell) is LSTMCell,
        **_bars_of_loops(cell, unroll),
        "not training in a graph": kernel != "fused" and not trains_in_graph,
    }
    return next((name for name, holds in reasons.items() if holds), None)


def why_not_inference(
    cell: LSTMCell, *, unroll: bool, fits_cudnn: bool
) -> str | None:
    """Returns the reason why that kernel does not fit, if there is one.

    Args:
        cell: the layer's cell.
        unroll: whether the layer writes its loop out.
        fits_cudnn: whether Keras takes the cuDNN kernel.

    Returns:
        The reason in words, or None if the kernel fits.

    Example:
        >>> cell = LSTMCell(2, activation="relu")
        >>> why_not_inference(cell, unroll=False, fits_cudnn=False)
        >>> why_not_inference(cell, unroll=True, fits_cudnn=False)
        'unroll'
    """
    reasons = {
        "a GPU, where Keras has its own": fits_cudnn,
        **_bars_of_loops(cell, unroll),
    }
    return next((name for name, holds in reasons.items() if holds), None)


def _bars_of_loops(cell: LSTMCell, unroll: bool) -> dict[str, bool]:
    """Returns what our own loops cannot do, and whether it is asked."""
    return {
        "a cell of your own": type(cell) not in (LSTMCell, VariantLSTMCell),
        "unroll": unroll,
        "variant FGR": getattr(cell, "variant", None) == "FGR",
        **{name: bool(getattr(cell, name, None)) for name in NOT_ELEMENTWISE},
        "an activation of your own": not (
            _is_keras_activation(cell.activation)
            and _is_keras_activation(cell.recurrent_activation)
        ),
        "neither float32 nor float64": cell.compute_dtype
        not in ("float32", "float64"),
    }


def _is_keras_activation(activation: ActivationFn) -> bool:
    """Returns True if XLA can surely compile it, the same at every step."""
    return getattr(activation, "__module__", "").startswith("keras.")
