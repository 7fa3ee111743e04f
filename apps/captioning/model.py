"""The network: images and the words so far in, logits of the next words out."""

from typing import Any

import keras
import tensorflow as tf

from common.layers.attention import Memory

from . import text
from .config import Config
from .decoder import Decoder, State


def build(
    config: Config,
    num_ids: int,
    feature_shape: tuple[int, int],
    encoder: keras.layers.Layer | None = None,
) -> "ImageToSequence":
    """Builds the network that is trained.

    Args:
        config: sizes, dropouts, and where the image comes in.
        num_ids: size of the vocabulary, special ids included.
        feature_shape: regions and features that the decoder gets.
        encoder: from pixels to features; None if there are features only.
    """
    return ImageToSequence(
        config, num_ids, feature_shape, encoder, name="network"
    )


class ImageToSequence(keras.Model):
    """Encoder and decoder, which are trained.

    Args:
        config: all options.
        num_ids: size of the vocabulary, special ids included.
        feature_shape: regions and features that the decoder gets.
        encoder: from pixels to features; None (default) if there are features
            only.

    Call arguments:
        inputs: images, either as pixels <float32>[batch, height, width, 3] or
            as features <float32>[batch, regions, features], and the ids before
            each label, <int32>[batch, time].

    Returns:
        Logits <float32>[batch, time, vocab]. Padding does not change them.
    """

    def __init__(
        self,
        config: Config,
        num_ids: int,
        feature_shape: tuple[int, int],
        encoder: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        regions, _ = feature_shape
        self.decoder = Decoder(config, num_ids, regions, name="decoder")
        self.penalty = (
            config.doubly_stochastic if config.decoder == "attention" else 0
        )
        self.scheduled_sampling = config.scheduled_sampling
        self.sampling_epochs = config.sampling_epochs
        self.seed_generator = keras.random.SeedGenerator(config.seed)
        self.sampling_rate = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="sampling_rate"
        )
        if encoder is not None:
            encoder.build(None)  # It has its weights already.
        one_id = tf.fill([1, 1], text.START_ID)
        self((tf.zeros([1, *feature_shape]), one_id))  # Creates all weights.

    def set_epoch(self, epoch: int) -> None:
        """Sets the share of words from the model in an epoch, from 0.

        It grows in equal steps (Bengio et al. 2015, section 2.4: a linear
        decay of the words of the captions).
        """
        growth = min(1, epoch / self.sampling_epochs)
        self.sampling_rate.assign(self.scheduled_sampling * growth)

    def extract_features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the features of pixels; features stay as they are.

        Args:
            images: as of the class.

        Returns:
            <float32>[batch, regions, features].

        Raises:
            ValueError: for pixels without an encoder.
        """
        if images.shape.rank == 3:
            return images
        if self.encoder is None:
            raise ValueError(
                "expected features [batch, regions, features], got pixels"
                f" {images.shape}: this model was built without an encoder"
            )
        return self.encoder(images)

    def encode(
        self, images: tf.Tensor, training: Any = False
    ) -> tuple[Memory, State]:
        """Returns the memory of images, and the state before the first word."""
        features = self.extract_features(images)
        memory = self.decoder.make_memory(features, training)
        return memory, self.decoder.initial_state(memory)

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Any = False
    ) -> tf.Tensor:
        images, ids = inputs
        memory, state = self.encode(images, training)
        if training and self.scheduled_sampling:
            ids = self._sample_words(ids, memory, state)
        logits, weights = self.decoder(ids, memory, state, training=training)
        if training and self.penalty:
            self.add_loss(
                self.penalty * doubly_stochastic_penalty(weights, ids)
            )
        return logits

    def _sample_words(
        self, ids: tf.Tensor, memory: Memory, state: State
    ) -> tf.Tensor:
        """Replaces some words of the captions by words of the model.

        Both are there before the step that reads them: a first pass over the
        captions draws the others, all at once (Duckworth et al. 2019,
        "Parallel scheduled sampling"; the idea is of Bengio et al. 2015,
        "Scheduled sampling for sequence prediction with recurrent neural
        networks").
        """
        logits, _ = self.decoder(ids, memory, state, training=False)
        shape = tf.shape(ids)
        flat = tf.reshape(tf.stop_gradient(logits), [-1, logits.shape[-1]])
        drawn = keras.random.categorical(flat, 1, seed=self.seed_generator)
        drawn = tf.reshape(tf.cast(drawn, ids.dtype), shape)
        # A word drawn after t is read at t + 1; the start stays.
        drawn = tf.concat([ids[:, :1], drawn[:, :-1]], axis=1)
        chance = keras.random.uniform(shape, seed=self.seed_generator)
        replaced = (chance < self.sampling_rate) & (ids != text.PADDING_ID)
        return tf.where(replaced, drawn, ids)


def doubly_stochastic_penalty(weights: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Penalises regions that get too much or too little attention.

    Weights sum to 1 over regions at each step, and should sum to 1 over steps
    too (Xu et al. 2015, "Show, attend and tell", section 4.2.1).

    Args:
        weights: <float32>[batch, time, regions].
        ids: <int32>[batch, time]; steps on padding do not count.

    Returns:
        <float32>[], the mean over batch and regions of (1 - sum) ** 2.

    Example:
        >>> weights = tf.constant([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
        >>> doubly_stochastic_penalty(weights, tf.constant([[2, 7, 0]])).numpy()
        np.float32(0.0)
    """
    is_real = (ids != text.PADDING_ID)[:, :, None]
    totals = tf.reduce_sum(tf.where(is_real, weights, 0.0), axis=1)
    return tf.reduce_mean(tf.square(1.0 - totals))
