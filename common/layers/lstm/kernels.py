"""Which kernel an LSTM takes, and what lies between the layer and it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from common.layers.lstm.cell import LSTMCell
from common.layers.lstm.fused import Gates, Weights, fused_lstm
from common.layers.lstm.variants import VariantLSTMCell

KERNELS = ("auto", "fused", "generic")
# What reaches beyond one step's elementwise values.
NOT_FUSED = (
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
    """Says what speaks against the fused kernel.

    Args:
        cell: the layer's cell.
        kernel: one of KERNELS.
        unroll: whether the layer writes its loop out.
        has_gpu: whether TensorFlow sees a GPU. The plain cell has cuDNN there.
        trains_in_graph: whether a graph for training is being made: there
            shapes are few and steps are many, and compiling pays.

    Returns:
        The reason in words, or None if nothing speaks against it.

    Example:
        >>> facts = {"unroll": False, "trains_in_graph": True}
        >>> why_not_fused(LSTMCell(2), "auto", has_gpu=False, **facts)
        >>> why_not_fused(LSTMCell(2), "auto", has_gpu=True, **facts)
        'a GPU, where Keras has its own'
    """
    facts = {
        'kernel="generic"': kernel == "generic",
        "a cell of your own": type(cell) not in (LSTMCell, VariantLSTMCell),
        "a GPU, where Keras has its own": has_gpu and type(cell) is LSTMCell,
        "unroll": unroll,
        "variant FGR": getattr(cell, "variant", None) == "FGR",
        **{name: bool(getattr(cell, name, None)) for name in NOT_FUSED},
        "an activation of your own": not (
            _is_of_keras(cell.activation)
            and _is_of_keras(cell.recurrent_activation)
        ),
        "neither float32 nor float64": cell.compute_dtype
        not in ("float32", "float64"),
        "not training in a graph": kernel == "auto" and not trains_in_graph,
    }
    return next((name for name, holds in facts.items() if holds), None)


def _is_of_keras(activation: Callable[[Any], Any]) -> bool:
    """Whether XLA can surely compile it, and the same at every step."""
    return getattr(activation, "__module__", "").startswith("keras.")


def run_fused(
    layer: Any, sequences: Any, initial_state: Any, mask: Any, training: Any
) -> tuple[Any, Any, list[Any]]:
    """Does the work of `keras.layers.LSTM.inner_loop` with the fused kernel.

    Args:
        layer: a `common.LSTM` that nothing of `why_not_fused` holds for.
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell.
        mask: <bool>[batch, time], or None.
        training: whether dropout is on.

    Returns:
        The last output, all outputs, and the list of the last states.
    """
    cell = layer.cell
    dropout = recurrent_dropout = None
    if training:
        dropout = _stacked(cell.get_dropout_mask(sequences[:, 0, :]))
        recurrent_dropout = _stacked(
            cell.get_recurrent_dropout_mask(initial_state[0])
        )
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    states, last_cell = fused_lstm(
        sequences,
        *initial_state,
        _weights_of(cell),
        _gates_of(cell),
        mask,
        dropout,
        recurrent_dropout,
        bool(training),
    )
    outputs = states
    if mask is not None:
        # Keras repeats the last output at a masked step, which is zero
        # before the first real one, whatever the initial state was.
        seen = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
        shown = mask if layer.zero_output_for_mask else seen
        outputs = tf.where(shown[:, :, None], states, 0.0)
    return outputs[:, -1], outputs, [states[:, -1], last_cell]


def _weights_of(cell: LSTMCell) -> Weights:
    names = ("kernel", "recurrent_kernel", "bias", "peephole_kernel")
    given = (getattr(cell, name, None) for name in names)
    return Weights(
        *(w if w is None else tf.convert_to_tensor(w) for w in given)
    )


def _gates_of(cell: LSTMCell) -> Gates:
    variant = getattr(cell, "variant", None)
    return Gates(variant, cell.activation, cell.recurrent_activation)


def _stacked(masks: Any) -> Any:
    """Keras's dropout masks, one or one a gate, as a tensor with that axis."""
    if masks is None:
        return None
    return tf.stack(masks if isinstance(masks, list) else [masks])


def run_with_a_step_in_each_row(
    inner_loop: Callable[..., tuple[Any, Any, list[Any]]],
    sequences: Any,
    initial_state: Any,
    mask: Any,
    training: Any,
) -> tuple[Any, Any, list[Any]]:
    """Runs a loop that refuses rows without a real step, as cuDNN's does.

    Such a row is lent its first step, and what comes of it is dropped.

    Args:
        inner_loop: that of `keras.layers.LSTM`.
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell.
        mask: <bool>[batch, time].
        training: whether dropout is on.

    Returns:
        What `inner_loop` returns; in those rows zeros, and the initial state.
    """
    empty = ~tf.reduce_any(mask, axis=1, keepdims=True)
    lent = tf.concat([mask[:, :1] | empty, mask[:, 1:]], axis=1)
    last, outputs, states = inner_loop(sequences, initial_state, lent, training)
    pairs = zip(initial_state, states, strict=True)
    return (
        tf.where(empty, 0.0, last),
        tf.where(empty[:, :, None], 0.0, outputs),
        [tf.where(empty, first, state) for first, state in pairs],
    )
