"""Checks of what layers are made of and called with, in one line each."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from common.layers.types import States, Tensor


def check_size(name: str, value: Any) -> int:
    """Checks a number of units, features or classes.

    Args:
        name: of the argument.
        value: an integer, of Python or of NumPy.

    Returns:
        The value as an int of Python.

    Raises:
        ValueError: if it is no integer or not above 0.

    Example:
        >>> check_size("units", "64")
        Traceback (most recent call last):
        ValueError: units must be a positive integer, got '64'
    """
    try:
        size = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        size = 0
    if size <= 0:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return size


def check_rates(**rates: Any) -> None:
    """Checks rates by name, such as `dropout`: numbers from 0 to 1.

    Raises:
        ValueError: at the first that is none.

    Example:
        >>> check_rates(dropout=0.5, recurrent_dropout=2)
        Traceback (most recent call last):
        ValueError: recurrent_dropout must be between 0 and 1, got 2
    """
    for name, rate in rates.items():
        try:
            is_rate = 0 <= float(rate) <= 1 and not isinstance(rate, str)
        except (TypeError, ValueError):
            is_rate = False
        if not is_rate:
            raise ValueError(f"{name} must be between 0 and 1, got {rate!r}")


def check_mask(mask: Any, sequences: Tensor, name: str) -> Tensor:
    """Checks the mask of sequences, and makes it boolean.

    Args:
        mask: <any>[batch, time], 0 or False on padding; [batch, time, 1] too,
            as in Keras.
        sequences: <any>[batch, time, ...].
        name: of the layer; the message begins with it.

    Returns:
        <bool>[batch, time]. Where a size is not known before, it is checked
        at run time, but not in a graph that XLA compiles.

    Raises:
        ValueError: if the mask is of another size.

    Example:
        >>> check_mask(tf.ones([2, 4]), tf.ones([2, 5, 3]), "LSTM")
        Traceback (most recent call last):
        ValueError: LSTM expects a mask [batch, time] of shape (2, 5), as the \
sequences have, got shape (2, 4)
    """
    mask = tf.convert_to_tensor(mask)
    if mask.shape.rank == 3 and mask.shape[2] == 1:
        mask = mask[:, :, 0]
    expected = tf.TensorShape(sequences.shape[:2])
    message = (
        f"{name} expects a mask [batch, time] of shape {tuple(expected)}, as"
        " the sequences have"
    )
    if mask.shape.rank != 2 or not mask.shape.is_compatible_with(expected):
        raise ValueError(f"{message}, got shape {tuple(mask.shape)}")
    mask = tf.cast(mask, tf.bool)
    if mask.shape.is_fully_defined() and expected.is_fully_defined():
        return mask
    check = tf.debugging.assert_equal(
        tf.shape(mask), tf.shape(sequences)[:2], message
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(mask)


def check_states(
    states: States | None,
    sizes: Sequence[int],
    batch: int | None,
    name: str,
) -> None:
    """Checks the states that a recurrent layer or its cell is called with.

    As in Keras, a state of one row is that of all rows.

    Args:
        states: the states, or None, which passes.
        sizes: the sizes that are expected, in order.
        batch: rows of the inputs, or None if not known.
        name: of the layer; the message begins with it.

    Raises:
        ValueError: if there are more or fewer, or of another size.

    Example:
        >>> check_states(tf.ones([2, 4]), [4, 4], 2, "LSTM")
        Traceback (most recent call last):
        ValueError: LSTM expects a list of 2 states of shapes (2, 4), (2, 4), \
got one tensor of shape (2, 4)
        >>> check_states([tf.ones([1, 4]), tf.ones([3, 4])], [4, 4], 2, "LSTM")
        Traceback (most recent call last):
        ValueError: LSTM expects a list of 2 states of shapes (2, 4), (2, 4), \
got shapes (1, 4), (3, 4)
    """
    if states is None:
        return
    expected = [tf.TensorShape([batch, size]) for size in sizes]
    if isinstance(states, list | tuple):
        actual = [tf.TensorShape(getattr(x, "shape", None)) for x in states]
        if len(actual) == len(expected) and all(
            x.is_compatible_with(y) or x.is_compatible_with([1, y[1]])
            for x, y in zip(actual, expected, strict=True)
        ):
            return
        got = f"shapes {_join(actual)}" if actual else "an empty list"
    else:
        size = tf.TensorShape(getattr(states, "shape", None))
        got = f"one tensor of shape {_join([size])}"
    states_of = "state of shape" if len(sizes) == 1 else "states of shapes"
    raise ValueError(
        f"{name} expects a list of {len(sizes)} {states_of} {_join(expected)},"
        f" got {got}"
    )


def repeat_states(states: States | None, sequences: Tensor) -> States | None:
    """Repeats states of one row for all rows of a batch.

    Args:
        states: of sizes that `check_states` takes, or None.
        sequences: <any>[batch, time, ...].

    Returns:
        <float>[batch, units] each, or None.

    Example:
        >>> (state,) = repeat_states([tf.ones([1, 4])], tf.ones([2, 5, 3]))
        >>> state.shape
        TensorShape([2, 4])
    """
    if states is None:
        return None
    batch = sequences.shape[0]

    def repeat(state: Tensor) -> Tensor:
        if state.shape[0] != 1 or batch == 1:
            return state
        return tf.repeat(state, tf.shape(sequences)[0], axis=0)

    return [repeat(tf.convert_to_tensor(state)) for state in states]


def _join(sizes: Sequence[tf.TensorShape]) -> str:
    return ", ".join(
        "unknown" if size.rank is None else str(tuple(size)) for size in sizes
    )


def clear_padding(sequences: Tensor, mask: Tensor) -> Tensor:
    """Puts zeros in the place of masked steps.

    Whatever was there, NaN and infinity too, meets no weight: 0 times NaN
    would be the gradient of a step that counts for nothing. For layers whose
    results do not depend on masked steps.

    Args:
        sequences: <float>[batch, time, features].
        mask: <bool>[batch, time].

    Returns:
        The same shape and dtype as the sequences.

    Example:
        >>> x = tf.constant([[[1.0], [float("nan")]]])
        >>> clear_padding(x, tf.constant([[True, False]])).numpy().tolist()
        [[[1.0], [0.0]]]
    """

    @tf.custom_gradient
    def clear(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        zero = tf.zeros([], x.dtype)
        is_real = mask[:, :, tf.newaxis]
        # What comes back from a masked step is 0, or NaN in a row that has
        # NaN in its real steps.
        return tf.where(is_real, x, zero), lambda dy: tf.where(
            is_real, dy, zero
        )

    return clear(sequences)
