"""Limits of a request to an exported model, checked inside its graph.

What is beyond them is an error with a clear message (`InvalidArgumentError`,
status 400 of TensorFlow Serving) in place of minutes of work.
"""

import tensorflow as tf

MAX_ROWS = 1024
MAX_PICTURES = 256  # A network for photographs takes megabytes for each.


def check_rows(values: tf.Tensor, most: int = MAX_ROWS) -> tf.Tensor:
    """Returns the values, if a request has no more of them.

    Args:
        values: <any>[batch, ...].
        most: rows of a request. Default MAX_ROWS.
    """
    check = tf.debugging.assert_less_equal(
        tf.shape(values)[0],
        most,
        f"expected at most {most:,} rows in one request: split it",
    )
    return _after(check, values)


def check_bytes(
    text: tf.Tensor, most: int, is_padded: bool = False
) -> tf.Tensor:
    """Returns the texts, if a request has no more bytes of them.

    Args:
        text: <string>[batch].
        most: bytes of a request.
        is_padded: whether each row counts as the longest does, where a model
            takes as long for it. Default False.
    """
    lengths = tf.cast(tf.strings.length(text), tf.int64)
    if is_padded:
        # Of no rows, the longest has no byte.
        longest = tf.reduce_max(tf.concat([lengths, [0]], 0))
        num_bytes = longest * tf.size(text, tf.int64)
        size = "rows times bytes of the longest text"
    else:
        num_bytes = tf.reduce_sum(lengths)
        size = "bytes of texts"
    check = tf.debugging.assert_less_equal(
        num_bytes,
        tf.constant(most, tf.int64),
        f"expected at most {most:,} {size} in one request: split it",
    )
    return _after(check, text)


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


def check_finite(
    values: tf.Tensor, lengths: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the values, if no real step of them is NaN or infinite.

    Args:
        values: <float>[batch, time, features], or a state <float>[batch,
            units]; others are returned as they are.
        lengths: <int32>[batch], the real steps; on padding is anything. All
            are real by default.
    """
    if not values.dtype.is_floating:
        return values
    is_bad = tf.reduce_any(~tf.math.is_finite(values), axis=-1)
    if lengths is not None:
        is_bad &= tf.sequence_mask(lengths, tf.shape(values)[1])
    steps = "row and step" if values.shape.rank == 3 else "row"
    check = tf.debugging.Assert(
        ~tf.reduce_any(is_bad),
        [
            "expected finite features and states, without NaN or infinity;"
            f" the first others, {steps} from 0:",
            tf.where(is_bad)[:1],
        ],
    )
    return _after(check, values)


def _after(check: tf.Operation | None, values: tf.Tensor) -> tf.Tensor:
    if check is None:  # Nothing to wait for: it has been checked.
        return values
    with tf.control_dependencies([check]):
        return tf.identity(values)
