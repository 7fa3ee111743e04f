"""Losses over sequences, averaged over the real steps."""

from typing import Any

import keras
import tensorflow as tf


def smoothed_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Computes the cross-entropy with smoothed targets.

    The target distribution is 1 - label_smoothing on the label, and the rest
    spread evenly over the vocabulary.

    Args:
        labels: <int32>[batch, time].
        logits: <float>[batch, time, vocab]; computed in float32.
        label_smoothing: 0 to 1. Default 0: plain cross-entropy.

    Returns:
        <float32>[batch, time], nats.

    Example:
        >>> loss = smoothed_cross_entropy([[1]], tf.constant([[[0.0, 0.0]]]))
        >>> loss.numpy().round(4)
        array([[0.6931]], dtype=float32)

    Reference:
        Szegedy et al. 2016, "Rethinking the Inception architecture for
        computer vision", section 7.
    """
    logits = tf.cast(logits, tf.float32)
    # - (1 - e) log p(label) - e mean(log p), without the term of both.
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not label_smoothing:
        return loss
    label_logits = tf.gather(logits, labels, batch_dims=2)
    mean_logits = tf.reduce_mean(logits, -1)
    return loss + label_smoothing * (label_logits - mean_logits)


def truncated_mean_squared_error(
    log_probs: tf.Tensor, mask: tf.Tensor, threshold: float = 4.0
) -> tf.Tensor:
    """Computes how much log-probabilities jump from one step to the next.

    The mean over steps and classes of min(|d|, threshold) ** 2, where
    d = log p[t] - log p[t - 1], and no gradient goes to p[t - 1]. Jumps above
    the threshold, where one segment ends and another begins, cost no more.

    Args:
        log_probs: <float32>[batch, time, classes].
        mask: <bool>[batch, time], True where a step is real.
        threshold: nats. Default 4.

    Returns:
        <float32>[], nats squared; 0 if no row has two steps. Padding does not
        change it.

    Example:
        >>> log_probs = tf.constant([[[-1.0, -0.5], [-1.0, -0.5], [-9.0, 0.0]]])
        >>> jumps = truncated_mean_squared_error
        >>> jumps(log_probs, tf.constant([[True, True, False]])).numpy()
        np.float32(0.0)
        >>> jumps(log_probs, tf.constant([[True, True, True]])).numpy()
        np.float32(4.0625)

    Reference:
        Abu Farha and Gall 2019, "MS-TCN: multi-stage temporal convolutional
        network for action segmentation", equations 9 to 11.
    """
    # First of all: 0 times NaN is no way to leave it out.
    log_probs = tf.where(mask[:, :, None], log_probs, 0.0)
    jumps = tf.abs(log_probs[:, 1:] - tf.stop_gradient(log_probs[:, :-1]))
    squares = tf.reduce_mean(tf.minimum(jumps, threshold) ** 2, axis=-1)
    weights = tf.cast(mask[:, 1:] & mask[:, :-1], tf.float32)
    return tf.math.divide_no_nan(
        tf.reduce_sum(weights * squares), tf.reduce_sum(weights)
    )


class SmoothedCrossEntropy(keras.losses.Loss):
    """The mean of `smoothed_cross_entropy` over the steps of weight 1.

    Args:
        label_smoothing: 0 to 1. Default 0.

    Call arguments:
        y_true: labels <int32>[batch, time].
        y_pred: logits <float>[batch, time, vocab].
        sample_weight: <float32>[batch, time], 0 on padding.

    Returns:
        <float32>[], nats a step. Padding does not change it.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__(name="loss", reduction="mean_with_sample_weight")
        self.label_smoothing = label_smoothing

    def __call__(
        self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None
    ) -> tf.Tensor:
        if sample_weight is not None:
            # On padding is anything, which may be the number of no class.
            zeros = tf.zeros_like(y_true)
            y_true = tf.where(sample_weight > 0, y_true, zeros)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        labels = tf.cast(y_true, tf.int32)
        return smoothed_cross_entropy(labels, y_pred, self.label_smoothing)
