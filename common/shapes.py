"""Shapes: checks that say what to do, padding, masks, lengths, counts.

A batch of sequences is `[batch, time, features]`, padded on the right, and
its lengths travel with it. All functions on tensors run eagerly, inside
`tf.function` and inside `tf.data`. A length may be anything from 0 (all
padding) to `time` (no padding).
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from common.parameter_counts import (
    elman_parameter_count,
    jordan_parameter_count,
    lstm_parameter_count,
)

__all__ = [
    "check_sequence",
    "check_step",
    "elman_parameter_count",
    "jordan_parameter_count",
    "last_step",
    "lengths_of",
    "lstm_parameter_count",
    "pad_sequences",
    "reverse_padded",
    "sequence_mask",
    "with_a_step",
]

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
        name: who asks; the message begins with it.

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


def with_a_step(sequence: Any, name: str) -> Any:
    """Checks, where time is known only at run time, that it is not 0.

    Args:
        sequence: <any>[batch, time, ...].
        name: who asks; the message begins with it.

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
        name: who asks; the message begins with it.
        features: the number of features that the weights were built for.

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


def lengths_of(mask: Any) -> tf.Tensor:
    """Counts the real steps of each row: the inverse of `sequence_mask`.

    Args:
        mask: <bool>[batch, time], right-padded: no True after a False.

    Returns:
        <int32>[batch], 0 <= length <= time.

    Example:
        >>> lengths_of([[True, True, False], [False] * 3]).numpy().tolist()
        [2, 0]
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


def _static_shape(value: Any) -> tuple[int | None, ...] | None:
    """The shape as a tuple with None where unknown; None if the rank is."""
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
    """Tensors of one dtype, all [time_i, ...] with the same axes after time."""
    if len(sequences) == 0:
        raise ValueError(
            "pad_sequences expects at least one sequence, got none: "
            "leave empty batches out"
        )
    rows = [tf.convert_to_tensor(sequence) for sequence in sequences]
    example = next((row for row in rows if row.shape[0] != 0), rows[0])
    # An empty list knows neither its dtype nor its features.
    rows = [example[:0] if row.shape[0] == 0 else row for row in rows]
    for row in rows:
        if not row.shape[1:].is_compatible_with(example.shape[1:]):
            raise ValueError(
                "pad_sequences expects the same features in every sequence, "
                f"got shapes {tuple(example.shape)} and {tuple(row.shape)}: "
                "pad or project them first"
            )
    return rows
