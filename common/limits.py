"""Limits of a request to an exported model, checked inside its graph.

What is beyond them is an error with a clear message (`InvalidArgumentError`,
status 400 of TensorFlow Serving) in place of minutes of work.
"""

import tensorflow as tf

MAX_ROWS = 1024


def check_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns the values, if a request has no more than MAX_ROWS of them.

    Args:
        values: <any>[batch, ...].
    """
    num_rows = tf.shape(values)[0]
    check = tf.debugging.assert_less_equal(
        num_rows,
        MAX_ROWS,
        f"expected at most {MAX_ROWS} rows in one request: split it",
    )
    return _after(check, values)


def check_lengths(lengths: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
    """Returns the lengths, if all lie between 0 and the number of steps.

    Args:
        lengths: <int32>[batch].
        time: <int32>[], the steps of the longest row.
    """
    is_inside = tf.reduce_all((lengths >= 0) & (lengths <= time))
    check = tf.debugging.assert_equal(
        is_inside,
        True,
        "expected lengths from 0 to the number of steps of the longest row",
    )
    return _after(check, lengths)


def check_finite(values: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns the values, if no real step of them is NaN or infinite.

    Args:
        values: <float>[batch, time, features]; others are returned as they
            are.
        lengths: <int32>[batch], the real steps; on padding is anything.
    """
    if not values.dtype.is_floating:
        return values
    mask = tf.sequence_mask(lengths, tf.shape(values)[1])
    is_finite = tf.reduce_all(tf.math.is_finite(values), axis=-1)
    check = tf.debugging.assert_equal(
        tf.reduce_all(is_finite | ~mask),
        True,
        "expected finite features: a step within the lengths has NaN or"
        " infinite ones",
    )
    return _after(check, values)


def _after(check: tf.Operation | None, values: tf.Tensor) -> tf.Tensor:
    if check is None:  # Nothing to wait for: it has been checked.
        return values
    with tf.control_dependencies([check]):
        return tf.identity(values)
