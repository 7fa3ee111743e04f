"""The network: from frames or features to the logits of each frame's tags."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common import LSTM, shapes
from common.layers import checks
from common.layers.states import carry_states, take_states

from . import losses
from .config import Config

# Share of the mean deviation of all features that is added to each: features
# that hardly move are not blown up.
MIN_DEVIATION = 0.1
# Hidden state and cell of each LSTM layer of a stage: <float32>[batch, units].
State = list[list[tf.Tensor]]


def build(
    config: Config,
    num_tags: int,
    dim: int,
    encoder: keras.layers.Layer | None = None,
) -> "FramesToTags":
    """Builds the network that is trained; arguments as of `FramesToTags`."""
    return FramesToTags(config, num_tags, dim, encoder, name="network")


class FramesToTags(keras.Model):
    """The part that is trained: encoder, LSTM layers, logits of every stage.

    Args:
        config: all options.
        num_tags: how many tags there are.
        dim: size of the features of a frame.
        encoder: from pixels to features; None if there are features only.

    Call arguments:
        inputs: frames <uint8>[batch, time, height, width, 3] or features
            <float32>[batch, time, features], and how many of them are real,
            <int32>[batch].

    Returns:
        Logits <float32>[batch, time, stages, classes]; the last stage is the
        answer. Padding does not change them.
    """

    def __init__(
        self,
        config: Config,
        num_tags: int,
        dim: int,
        encoder: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.encoder = encoder
        # Given features may have any scale: `set_statistics` tells it.
        self.mean = self._add_statistic("mean", dim, "zeros")
        self.scale = self._add_statistic("scale", dim, "ones")
        self.tag_weights = self._add_statistic("tag_weights", num_tags, "ones")
        self.seeds = keras.random.SeedGenerator(config.seed)
        # The same features for a whole video: a network that saw the videos of
        # training knows too well which of them to trust.
        self.feature_dropout = keras.layers.SpatialDropout1D(
            config.feature_dropout
        )
        self.stages = [
            Stage(config, num_tags, name=f"stage_{number}")
            for number in range(1, config.num_stages + 1)
        ]
        self.crf = losses.build_crf(config, num_tags)
        if self.crf is not None:
            self.crf.build()
        if encoder is not None:
            encoder.build(None)  # It has its weights already.
        # Creates all weights.
        self((tf.zeros([1, 1, dim]), tf.ones([1], tf.int32)))

    def _add_statistic(self, name: str, size: int, initializer: str) -> Any:
        return self.add_weight(
            shape=(size,), initializer=initializer, trainable=False, name=name
        )

    def set_statistics(
        self,
        mean: np.ndarray | None,
        deviation: np.ndarray | None,
        tag_weights: np.ndarray,
    ) -> None:
        """Sets what the network knows of the training videos.

        Args:
            mean: of given features, <float32>[features]; None for frames.
            deviation: the same, their standard deviation.
            tag_weights: <float32>[classes], what a frame of each tag counts.
        """
        self.tag_weights.assign(tag_weights)
        if mean is not None and deviation is not None:
            self.mean.assign(mean)
            self.scale.assign(1.0 / np.maximum(deviation, 1e-3))

    def encode(self, frames: tf.Tensor) -> tf.Tensor:
        """Encodes frames as <float32>[batch, time, features].

        Features are returned as they are.

        Raises:
            ValueError: for frames without an encoder.
        """
        if frames.shape.rank == 3:
            return frames
        if self.encoder is None:
            raise ValueError(
                "expected features [batch, time, features], got frames"
                f" {frames.shape}: this model was built without an encoder"
            )
        shape = tf.shape(frames)
        flat = tf.reshape(frames, [-1, *frames.shape[2:]])
        features = self.encoder(tf.cast(flat, tf.float32))
        return tf.reshape(features, [shape[0], shape[1], features.shape[-1]])

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Any = False
    ) -> tf.Tensor:
        frames, lengths = inputs
        logits, _ = self.advance(frames, lengths, None, training)
        return logits

    def advance(
        self,
        frames: tf.Tensor,
        lengths: tf.Tensor,
        states: list[State] | None,
        training: Any = False,
    ) -> tuple[tf.Tensor, list[State]]:
        """Computes logits from the states after the frames before.

        Without states it starts a video, causal or not.

        Args:
            frames: frames or features, as of the class.
            lengths: <int32>[batch]; a row of none keeps its state.
            states: of each stage; None at the start of a video.
            training: whether dropout and noise are on.

        Returns:
            Logits, as of the class, and the states after the last frames.
        """
        features = self.encode(frames)
        time = tf.shape(features)[1]
        mask = shapes.sequence_mask(lengths, time)
        features = checks.clear_padding(features, mask)
        values = (features - self.mean) * self.scale
        stride = self.config.stride
        if stride > 1:
            values = average_neighbours(values, mask, stride)
            mask = mask[:, ::stride]
        if training and self.config.input_noise:
            noise = keras.random.normal(tf.shape(values), seed=self.seeds)
            values += self.config.input_noise * noise
        values = self.feature_dropout(values, training=training)
        logits, after = [], []
        for number, stage in enumerate(self.stages):
            before = states[number] if states else None
            stage_logits, state = stage(values, mask, before, training=training)
            logits.append(stage_logits)
            after.append(state)
            values = self.probabilities(stage_logits)
        if stride > 1:
            logits = [tf.repeat(x, stride, axis=1)[:, :time] for x in logits]
        return tf.stack(logits, axis=2), after

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Computes probabilities <float32>[..., classes] of logits."""
        logits = tf.cast(logits, tf.float32)
        if self.config.multi_label:
            return tf.sigmoid(logits)
        return tf.nn.softmax(logits)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        _, lengths = x
        return losses.compute_loss(y, y_pred, sample_weight, lengths, self)


def average_neighbours(
    values: tf.Tensor, mask: tf.Tensor, stride: int
) -> tf.Tensor:
    """Averages groups of frames that follow each other.

    Args:
        values: <float32>[batch, time, features].
        mask: <bool>[batch, time], True where a frame is real; others do not
            count.
        stride: frames of a group; the last may have fewer.

    Returns:
        <float32>[batch, ceil(time / stride), features].

    Example:
        >>> values = tf.constant([[[1.0], [3.0], [5.0], [9.0]]])
        >>> mask = tf.constant([[True, True, True, False]])
        >>> average_neighbours(values, mask, 2).numpy()[0].tolist()
        [[2.0], [5.0]]
    """
    values = checks.clear_padding(values, mask)
    weights = tf.cast(mask[:, :, None], values.dtype)
    missing = (stride - tf.shape(values)[1] % stride) % stride
    groups = [
        tf.reduce_sum(
            tf.reshape(
                tf.pad(x, [[0, 0], [0, missing], [0, 0]]),
                [tf.shape(x)[0], -1, stride, x.shape[-1]],
            ),
            axis=2,
        )
        for x in (values, weights)
    ]
    return tf.math.divide_no_nan(*groups)


def standardize(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Scales the features of each video to mean 0, deviation about 1.

    The differences between videos as a whole (the room, the light, the person)
    are gone, and the changes within them are left.

    Args:
        values: <float32>[batch, time, features].
        mask: <bool>[batch, time], True where a frame is real.

    Returns:
        <float32>[batch, time, features]. Padding does not change it, and is 0.

    Example:
        >>> values = tf.constant([[[1.0], [3.0], [7.0]]])
        >>> mask = tf.constant([[True, True, False]])
        >>> standardize(values, mask)[0, :, 0].numpy().round(3)
        array([-0.909,  0.909,  0.   ], dtype=float32)
    """
    values = checks.clear_padding(values, mask)
    weights = tf.cast(mask[:, :, None], values.dtype)
    count = tf.maximum(tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(values, axis=1, keepdims=True) / count
    centred = tf.where(mask[:, :, None], values - mean, 0.0)
    variance = tf.reduce_sum(centred**2, axis=1, keepdims=True) / count
    deviation = tf.sqrt(variance)
    floor = MIN_DEVIATION * tf.reduce_mean(deviation, axis=-1, keepdims=True)
    return tf.math.divide_no_nan(centred, deviation + floor)


class Stage(keras.layers.Layer):
    """LSTM layers and the logits of each frame.

    Args:
        config: number and size of the layers, dropout, `causal`. Without
            layers each frame is seen by itself, through a dense layer.
        num_tags: how many tags there are.

    Call arguments:
        values: <float32>[batch, time, features].
        mask: <bool>[batch, time], True where a frame is real.
        state: of a causal stage, after the frames before; None for zeros.

    Returns:
        Logits <float32>[batch, time, classes], and the states.
    """

    def __init__(self, config: Config, num_tags: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.causal = config.causal
        self.dense = None
        if not config.num_layers:
            self.dense = keras.layers.Dense(config.units, "relu")
        self.dropout = keras.layers.Dropout(config.dropout)
        self.layers = [
            self._make_layer(config) for _ in range(config.num_layers)
        ]
        self.to_logits = keras.layers.Dense(num_tags, dtype="float32")

    def _make_layer(self, config: Config) -> keras.layers.Layer:
        layer = LSTM(
            config.units,
            recurrent_dropout=config.recurrent_dropout,
            return_sequences=True,
            return_state=self.causal,
        )
        return layer if self.causal else keras.layers.Bidirectional(layer)

    def call(
        self,
        values: tf.Tensor,
        mask: tf.Tensor,
        state: State | None = None,
        training: Any = False,
    ) -> tuple[tf.Tensor, State]:
        after: State = []
        if self.dense is not None:
            values = self.dense(values)
            values = self.dropout(values, training=training)
        for number, layer in enumerate(self.layers):
            if self.causal:
                before = state[number] if state else []
                first = take_states(layer.cell, before) or None
                values, *states = layer(
                    values, initial_state=first, mask=mask, training=training
                )
                after.append(list(carry_states(states, before)))
            else:
                values = layer(values, mask=mask, training=training)
            values = self.dropout(values, training=training)
        return self.to_logits(values), after
