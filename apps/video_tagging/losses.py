"""The loss: cross-entropy, jumps between frames, or a CRF."""

from typing import Any

import tensorflow as tf

from common import shapes
from common.layers.crf import LinearChainCRF
from common.losses import (
    smoothed_cross_entropy,
    truncated_mean_squared_error,
)

from .config import Config


def build_crf(config: Config, num_tags: int) -> LinearChainCRF | None:
    """Builds the layer that learns which tags follow which, if there is one."""
    if not config.crf:
        return None
    return LinearChainCRF(num_tags, name="crf")


def compute_loss(
    labels: tf.Tensor,
    logits: tf.Tensor,
    weights: tf.Tensor,
    lengths: tf.Tensor,
    network: Any,
) -> tf.Tensor:
    """Computes the mean loss of a frame, summed over the stages.

    Args:
        labels: <int32>[batch, time], -1 where a frame has no label; with
            `multi_label` <float32>[batch, time, classes] of 0 and 1.
        logits: <float32>[batch, time, stages, classes].
        weights: <float32>[batch, time], 0 on padding and unlabelled frames.
        lengths: <int32>[batch].
        network: with its `config`, `tag_weights`, and the `crf` of the last
            stage, if there is one.

    Returns:
        <float32>[], nats.
    """
    config, crf = network.config, network.crf
    logits = tf.cast(logits, tf.float32)
    mask = shapes.sequence_mask(lengths, tf.shape(logits)[1])
    # 0 times NaN is none: nothing of the padding meets a weight.
    logits = tf.where(mask[:, :, None, None], logits, 0.0)
    weights = tf.where(mask, weights, 0.0)
    is_real = mask[:, :, None] if config.multi_label else mask
    labels = tf.where(is_real, labels, tf.zeros_like(labels))
    num_frames = tf.maximum(tf.reduce_sum(weights), 1.0)
    stages = tf.unstack(logits, axis=2)
    result = tf.zeros([])
    for number, stage_logits in enumerate(stages, 1):
        if crf is not None and number == len(stages):
            losses = crf.negative_log_likelihood(labels, stage_logits, mask)
        else:
            losses = frame_losses(
                labels, stage_logits, network.tag_weights, config
            )
            losses *= weights
        result += tf.reduce_sum(losses) / num_frames
        if config.smoothing:
            logs = log_probabilities(stage_logits, config)
            jumps = truncated_mean_squared_error(logs, mask)
            result += config.smoothing * jumps
    return result


def log_probabilities(logits: tf.Tensor, config: Config) -> tf.Tensor:
    """Returns log-probabilities <float32>[batch, time, classes] of logits."""
    if config.multi_label:
        return tf.math.log_sigmoid(logits)
    return tf.nn.log_softmax(logits)


def frame_losses(
    labels: tf.Tensor, logits: tf.Tensor, tag_weights: tf.Tensor, config: Config
) -> tf.Tensor:
    """Computes the cross-entropy <float32>[batch, time] of frames, nats.

    With `multi_label` it is the sum over the tags, and the weight of a tag
    counts where the tag is.
    """
    smooth = config.label_smoothing
    if config.multi_label:
        labels = labels * (1 - smooth) + smooth / 2
        losses = tf.nn.weighted_cross_entropy_with_logits(
            labels, logits, tag_weights
        )
        return tf.reduce_sum(losses, axis=-1)
    labels = tf.maximum(labels, 0)  # Unlabelled frames have no weight.
    losses = smoothed_cross_entropy(labels, logits, smooth)
    return losses * tf.gather(tag_weights, labels)
