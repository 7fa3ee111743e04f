"""Shapes: checks that say what to do, padding, masks, lengths, weight counts.

A batch of sequences is `[batch, time, features]`, padded on the right, and
its lengths travel with it. All functions on tensors run eagerly, inside
`tf.function` and inside `tf.data`. A length may be anything from 0 (all
padding) to `time` (no padding).
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# The gates of each variant of the LSTM, in the order of their columns in the
# kernels: i (input), f (forget), g (candidate), o (output).
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

_ADVICE = {
    0: "pass a batch of sequences",
    1: "add the batch axis and the time axis",
    2: "did you forget the batch axis?",
}


def check_sequence(sequence: Any, name: str) -> None:
    """Checks that `sequence` is a batch of sequences of feature vectors.

    Args:
        sequence: <any>[batch, time, features], or only its shape. A shape of
            unknown rank passes: there is nothing to check yet.
        name: of the caller; the message begins with it.

    Raises:
        ValueError: if the rank is not 3, or if there is no step.

    Example:
        >>> check_sequence(tf.zeros([2, 8]), "LSTM")
        Traceback (most recent call last):
        ValueError: LSTM expects [batch, time, features], got shape (2, 8): \
did you forget the batch axis?
    """
    shape = _static_shape(sequence)
    if shape is not None and len(shape) != 3:
        advice = _ADVICE.get(len(shape), "flatten the axes after time into one")
        raise ValueError(
            f"{name} expects [batch, time, features], got shape {shape}: "
            f"{advice}"
        )
    if shape is not None and shape[1] == 0:
        raise ValueError(
            f"{name} expects at least one step, got shape {shape}: leave "
            "empty sequences out or pad them"
        )


def assert_has_steps(sequence: Any, name: str) -> Any:
    """Checks that time is not 0, where it is known only at run time.

    Args:
        sequence: <any>[batch, time, ...].
        name: of the caller; the message begins with it.

    Returns:
        `sequence`. In a graph that XLA compiles nothing is checked.

    Raises:
        tf.errors.InvalidArgumentError: at run time, if there is no step.
    """
    if sequence.shape[1] is not None:
        return sequence
    message = (
        f"{name} expects at least one step, got none: leave empty sequences "
        "out or pad them"
    )
    check = tf.debugging.assert_positive(tf.shape(sequence)[1], message)
    with tf.control_dependencies([check]):
        return tf.identity(sequence)


def check_step(inputs: Any, name: str, features: int | None = None) -> None:
    """Checks that `inputs` is one step of a batch of sequences.

    Args:
        inputs: <any>[batch, features], or only its shape.
        name: of the caller; the message begins with it.
        features: the number of features that the weights were built for; None
            (default) checks the rank only.

    Raises:
        ValueError: if the rank is not 2, or the number of features differs.

    Example:
        >>> check_step((2, 5), "LSTMCell", features=3)
        Traceback (most recent call last):
        ValueError: LSTMCell was built for 3 features, got shape (2, 5): \
pass 3 features or make a new cell
    """
    shape = _static_shape(inputs)
    if shape is None:
        return
    if len(shape) != 2:
        raise ValueError(
            f"{name} expects [batch, features] at each step, got shape "
            f"{shape}: pass [batch, time, features] to the layer around it; "
            "did you forget the batch axis?"
        )
    if features is not None and shape[1] not in (None, features):
        raise ValueError(
            f"{name} was built for {features} features, got shape {shape}: "
            f"pass {features} features or make a new cell"
        )


def sequence_mask(lengths: Any, time: Any = None) -> tf.Tensor:
    """Marks the real steps of right-padded sequences.

    Args:
        lengths: <int>[batch], real steps per row.
        time: steps in the padded sequences; the longest length by default.

    Returns:
        <bool>[batch, time], True where a step is real.

    Raises:
        ValueError: if `lengths` is not rank 1.

    Example:
        >>> sequence_mask([2, 0, 3], 3).numpy().astype(int).tolist()
        [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    """
    return tf.sequence_mask(_as_lengths(lengths), time)


def sequence_lengths(mask: Any) -> tf.Tensor:
    """Counts the real steps of each row: the inverse of `sequence_mask`.

    Args:
        mask: <bool>[batch, time], right-padded: no True after a False.

    Returns:
        <int32>[batch], 0 <= length <= time.

    Example:
        >>> sequence_lengths([[True, False], [False, False]]).numpy()
        array([1, 0], dtype=int32)
    """
    return tf.math.count_nonzero(mask, axis=-1, dtype=tf.int32)


def pad_sequences(
    sequences: Sequence[Any], time: int | None = None, value: Any = 0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pads sequences of different lengths on the right, into one batch.

    Args:
        sequences: ids <any>[time_i] or features <any>[time_i, features], a
            list of at least one. Empty sequences are rows of padding.
        time: steps in the result; the longest length by default. Longer
            sequences are cut, and their lengths say so.
        value: what fills the padding; a string for strings.

    Returns:
        A tuple `(padded, lengths)`: <any>[batch, time] or
        <any>[batch, time, features], and <int32>[batch].

    Raises:
        ValueError: if there is no sequence, or if their features differ.

    Example:
        >>> padded, lengths = pad_sequences([[5, 6, 7], [8], []])
        >>> padded.numpy().tolist()
        [[5, 6, 7], [8, 0, 0], [0, 0, 0]]
        >>> lengths.numpy().tolist()
        [3, 1, 0]
    """
    rows = _as_rows(sequences)
    lengths = tf.stack([tf.shape(row)[0] for row in rows])
    ragged = tf.RaggedTensor.from_row_lengths(tf.concat(rows, axis=0), lengths)
    padded = ragged.to_tensor(
        tf.cast(value, ragged.dtype),
        shape=[len(rows), time, *rows[0].shape[1:]],
    )
    return padded, tf.minimum(lengths, tf.shape(padded)[1])


def last_step(sequence: Any, lengths: Any) -> tf.Tensor:
    """Picks the last real step of each sequence.

    Args:
        sequence: <any>[batch, time, ...], time at least 1.
        lengths: <int>[batch], real steps per row, 0 <= length <= time.

    Returns:
        <any>[batch, ...]. Zeros (empty strings) where the length is 0, so
        that nothing of the padding comes through.

    Raises:
        ValueError: if `lengths` is not rank 1.

    Example:
        >>> last_step([[1, 2, 3], [4, 0, 0], [9, 9, 9]], [3, 1, 0]).numpy()
        array([3, 4, 0], dtype=int32)
    """
    sequence, lengths = tf.convert_to_tensor(sequence), _as_lengths(lengths)
    last = tf.gather(sequence, tf.maximum(lengths - 1, 0), batch_dims=1)
    has_steps = tf.reshape(lengths > 0, [-1] + [1] * (last.shape.rank - 1))
    return tf.where(has_steps, last, tf.zeros_like(last))


def reverse_padded(sequence: Any, lengths: Any) -> tf.Tensor:
    """Reverses each sequence in time and leaves its padding at the end.

    Args:
        sequence: <any>[batch, time, ...].
        lengths: <int>[batch], real steps per row, 0 <= length <= time.

    Returns:
        <any>[batch, time, ...], same shape and dtype as `sequence`. Rows of
        length 0 and 1 come back as they are.

    Raises:
        ValueError: if `lengths` is not rank 1.

    Example:
        >>> reverse_padded([[1, 2, 3, 0], [4, 5, 6, 7]], [3, 4]).numpy()
        array([[3, 2, 1, 0],
               [7, 6, 5, 4]], dtype=int32)
    """
    lengths = _as_lengths(lengths)
    return tf.reverse_sequence(sequence, lengths, seq_axis=1, batch_axis=0)


def gate_names(variant: str | None) -> str:
    """Returns the gates of a variant of the LSTM that have weights.

    Args:
        variant: None or one of VARIANTS.

    Returns:
        Letters of "ifgo" in this order: of the input gate, the forget gate,
        the candidate and the output gate.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> gate_names("CIFG")
        'igo'
    """
    if variant not in GATES:
        raise ValueError(
            f"variant must be None or one of {', '.join(VARIANTS)}, got "
            f"{variant!r}"
        )
    return GATES[variant]


def peephole_names(variant: str | None) -> str:
    """Returns the gates of a variant of the LSTM that may have a peephole.

    Args:
        variant: None or one of VARIANTS.

    Returns:
        Letters of "ifo" in this order. The candidate has no peephole.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> peephole_names("NIG")
        'fo'
    """
    gates = gate_names(variant)
    return "" if variant == "NP" else gates.replace("g", "")


def lstm_parameter_count(
    features: int,
    units: int,
    variant: str | None = None,
    peepholes: bool = False,
    layer_normalization: bool = False,
    projection_units: int | None = None,
) -> int:
    """Counts the weights of an LSTM, biases included.

    Args:
        features: size of the inputs.
        units: size of the cell.
        variant: one of VARIANTS, or None (default) with its four gates.
        peepholes: whether each gate but the candidate sees the cell, through
            one weight per unit. Default False.
        layer_normalization: whether there is a gain for each column of W and
            of U, and a gain and an offset for each unit of the cell. Default
            False.
        projection_units: size of the hidden state. Default None: `units`.

    Returns:
        num_gates * units * (features + hidden + 1), each gate having the
        weights of an Elman cell, and those of the options; hidden is
        `projection_units` or `units`.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> lstm_parameter_count(features=128, units=64)
        49408
        >>> lstm_parameter_count(features=128, units=64, peepholes=True)
        49600
    """
    columns = len(gate_names(variant)) * units
    count = (features + (projection_units or units) + 1) * columns
    if peepholes:
        count += len(peephole_names(variant)) * units
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


def _static_shape(value: Any) -> tuple[int | None, ...] | None:
    """Returns a shape with None where unknown, or None if the rank is."""
    shape = tf.TensorShape(getattr(value, "shape", value))
    return None if shape.rank is None else tuple(shape.as_list())


def _as_lengths(lengths: Any) -> tf.Tensor:
    lengths = tf.convert_to_tensor(lengths)
    if lengths.shape.rank not in (1, None):
        raise ValueError(
            f"lengths must be [batch], got shape {tuple(lengths.shape)}: "
            "pass one length for each row"
        )
    return lengths


def _as_rows(sequences: Sequence[Any]) -> list[tf.Tensor]:
    """Converts to tensors of one dtype, all [time_i, ...] with equal `...`."""
    if len(sequences) == 0:
        raise ValueError(
            "pad_sequences expects at least one sequence, got none: "
            "leave empty batches out"
        )
    rows = [tf.convert_to_tensor(sequence) for sequence in sequences]
    example = next((row for row in rows if row.shape[0] != 0), rows[0])
    # An empty list has neither a dtype nor features.
    rows = [example[:0] if row.shape[0] == 0 else row for row in rows]
    for row in rows:
        if not row.shape[1:].is_compatible_with(example.shape[1:]):
            raise ValueError(
                "pad_sequences expects the same features in every sequence, "
                f"got shapes {tuple(example.shape)} and {tuple(row.shape)}: "
                "pad or project them first"
            )
    return rows
