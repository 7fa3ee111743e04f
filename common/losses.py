"""Losses over sequences, averaged over the real steps."""

import keras
import tensorflow as tf


def smoothed_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Cross-entropy with targets that leave some probability to all others.

    The target distribution is 1 - label_smoothing on the label, and the rest
    spread evenly over the vocabulary.

    Args:
        labels: <int32>[batch, time].
        logits: <float>[batch, time, vocab]; computed in float32.
        label_smoothing: 0 to 1.

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
    # - (1 - e) log p(label) - e mean(log p), with what both share taken out.
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not label_smoothing:
        return loss
    of_label = tf.gather(logits, labels, batch_dims=2)
    return loss + label_smoothing * (of_label - tf.reduce_mean(logits, -1))


class SmoothedCrossEntropy(keras.losses.Loss):
    """`smoothed_cross_entropy`, as a mean over the steps of weight 1.

    Args:
        label_smoothing: 0 to 1.

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

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Computes the losses of all steps."""
        labels = tf.cast(y_true, tf.int32)
        return smoothed_cross_entropy(labels, y_pred, self.label_smoothing)
