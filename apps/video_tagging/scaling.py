"""Scales of features: of the training videos, or of each video by itself."""

import tensorflow as tf

# Of the mean deviation of all features: what hardly moves is not blown up.
SMALLEST = 0.1


def standardized(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Gives every feature of a video the mean 0 and a deviation of about 1.

    What differs between videos as a whole (the room, the light, the person)
    is gone, and what changes within them is left.

    Args:
        values: <float32>[batch, time, features].
        mask: <bool>[batch, time], True where a frame is real.

    Returns:
        <float32>[batch, time, features]. Padding does not change it, and is 0.

    Example:
        >>> values = tf.constant([[[1.0], [3.0], [7.0]]])
        >>> mask = tf.constant([[True, True, False]])
        >>> standardized(values, mask)[0, :, 0].numpy().round(3)
        array([-0.909,  0.909,  0.   ], dtype=float32)
    """
    weights = tf.cast(mask[:, :, None], values.dtype)
    count = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(weights * values, axis=1, keepdims=True) / count
    centred = weights * (values - mean)
    variance = tf.reduce_sum(centred**2, axis=1, keepdims=True) / count
    deviation = tf.sqrt(variance)
    floor = SMALLEST * tf.reduce_mean(deviation, axis=-1, keepdims=True)
    return tf.math.divide_no_nan(centred, deviation + floor)
