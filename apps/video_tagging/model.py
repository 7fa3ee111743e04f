"""The network: frames or features in, logits of each frame's tags out."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common import LSTM, shapes

from . import losses
from .config import Config

# Hidden state and cell of each LSTM layer of a stage: <float32>[batch, units].
State = list[list[tf.Tensor]]


class FramesToTags(keras.Model):
    """Encoder, LSTM layers, and the logits of every stage: what is trained.

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
        # Given features may have any scale; `adapt` finds it.
        self.mean = self._statistic("mean", dim, "zeros")
        self.scale = self._statistic("scale", dim, "ones")
        self.tag_weights = self._statistic("tag_weights", num_tags, "ones")
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
        self.crf = losses.crf(config, num_tags)
        if self.crf is not None:
            self.crf.build()
        if encoder is not None:
            encoder.build(None)  # It has its weights already.
        # Creates all weights.
        self((tf.zeros([1, 1, dim]), tf.ones([1], tf.int32)))

    def _statistic(self, name: str, size: int, first: str) -> Any:
        return self.add_weight(
            shape=(size,), initializer=first, trainable=False, name=name
        )

    def adapt(
        self,
        mean: np.ndarray | None,
        deviation: np.ndarray | None,
        tag_weights: np.ndarray,
    ) -> None:
        """Takes over what is known of the training videos.

        Args:
            mean: of given features, <float32>[features].
            deviation: the same, their standard deviation.
            tag_weights: <float32>[classes], what a frame of each tag counts.
        """
        self.tag_weights.assign(tag_weights)
        if mean is not None and deviation is not None:
            self.mean.assign(mean)
            self.scale.assign(1.0 / np.maximum(deviation, 1e-3))

    def features(self, frames: tf.Tensor) -> tf.Tensor:
        """Features <float32>[batch, time, features] of frames, or of those.

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
        seen = self.encoder(tf.cast(flat, tf.float32))
        return tf.reshape(seen, [shape[0], shape[1], seen.shape[-1]])

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Any = False
    ) -> tf.Tensor:
        """Computes the outputs; see the class."""
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
        """Goes on from the states after the frames before, if it is causal.

        Args:
            frames: frames or features, as of the class.
            lengths: <int32>[batch]; a row of none keeps its state.
            states: of each stage; None at the start of a video.
            training: whether dropout and noise are on.

        Returns:
            Logits, as of the class, and the states after the last frames.
        """
        features = self.features(frames)
        time = tf.shape(features)[1]
        mask = shapes.sequence_mask(lengths, time)
        values = (features - self.mean) * self.scale
        stride = self.config.stride
        if stride > 1:
            values = mean_of_neighbours(values, mask, stride)
            mask = mask[:, ::stride]
        if training and self.config.input_noise:
            noise = keras.random.normal(tf.shape(values), seed=self.seeds)
            values += self.config.input_noise * noise
        values = self.feature_dropout(values, training=training)
        logits, after = [], []
        for number, stage in enumerate(self.stages):
            before = states[number] if states else None
            found, state = stage(values, mask, before, training=training)
            logits.append(found)
            after.append(state)
            values = self.probabilities(found)
        if stride > 1:
            logits = [tf.repeat(x, stride, axis=1)[:, :time] for x in logits]
        return tf.stack(logits, axis=2), after

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Turns logits <float>[..., classes] into <float32> probabilities."""
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
        """The mean loss of a frame, nats, summed over the stages."""
        _, lengths = x
        return losses.total(y, y_pred, sample_weight, lengths, self)


def mean_of_neighbours(
    values: tf.Tensor, mask: tf.Tensor, stride: int
) -> tf.Tensor:
    """The means of groups of frames that follow each other.

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
        >>> mean_of_neighbours(values, mask, 2).numpy()[0].tolist()
        [[2.0], [5.0]]
    """
    weights = tf.cast(mask[:, :, None], values.dtype)
    missing = -tf.shape(values)[1] % stride
    groups = [
        tf.reduce_sum(
            tf.reshape(
                tf.pad(x, [[0, 0], [0, missing], [0, 0]]),
                [tf.shape(x)[0], -1, stride, x.shape[-1]],
            ),
            axis=2,
        )
        for x in (values * weights, weights)
    ]
    return tf.math.divide_no_nan(*groups)


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
        self.layers = [self._layer(config) for _ in range(config.num_layers)]
        self.to_logits = keras.layers.Dense(num_tags, dtype="float32")

    def _layer(self, config: Config) -> keras.layers.Layer:
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
        """Computes the outputs; see the class."""
        after: State = []
        if self.dense is not None:
            values = self.dense(values)
            values = self.dropout(values, training=training)
        for number, layer in enumerate(self.layers):
            if self.causal:
                before = state[number] if state else None
                values, *states = layer(
                    values, initial_state=before, mask=mask, training=training
                )
                after.append(states)
            else:
                values = layer(values, mask=mask, training=training)
            values = self.dropout(values, training=training)
        return self.to_logits(values), after
