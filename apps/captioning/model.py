"""The network: images and the words so far in, logits of the next words out."""

from typing import Any

import keras
import tensorflow as tf

from common.layers.attention import Memory

from . import text
from .config import Config
from .decoder import Decoder, State


class ImageToSequence(keras.Model):
    """Encoder and decoder: what is trained.

    Args:
        config: all options.
        num_ids: size of the vocabulary, special ids included.
        feature_shape: regions and features that the decoder gets.
        encoder: from pixels to features; None if there are features only.

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
        self.samples = config.scheduled_sampling > 0
        self.seeds = keras.random.SeedGenerator(config.seed)
        # How often a word comes from the model itself; training raises it.
        self.sampling_rate = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="sampling_rate"
        )
        if encoder is not None:
            encoder.build(None)  # It has its weights already.
        one_id = tf.fill([1, 1], text.START_ID)
        self((tf.zeros([1, *feature_shape]), one_id))  # Creates all weights.

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Features <float32>[batch, regions, features] of pixels, or of those.

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

    def look(
        self, images: tf.Tensor, training: Any = False
    ) -> tuple[Memory, State]:
        """Sees the images: what the decoder needs before its first step."""
        memory = self.decoder.memory(self.features(images), training)
        return memory, self.decoder.start(memory)

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Any = False
    ) -> tf.Tensor:
        """Computes the outputs; see the class."""
        images, ids = inputs
        memory, state = self.look(images, training)
        if training and self.samples:
            ids = self._sampled(ids, memory, state)
        logits, weights = self.decoder(ids, memory, state, training=training)
        if training and self.penalty:
            self.add_loss(self.penalty * unevenness(weights, ids))
        return logits

    def _sampled(
        self, ids: tf.Tensor, memory: Memory, state: State
    ) -> tf.Tensor:
        """Puts the model's own words in the place of some of those given.

        Both are known before the step that reads them: a first pass over the
        given words draws the others, all at once (Duckworth et al. 2019,
        "Parallel scheduled sampling"; the idea is of Bengio et al. 2015,
        "Scheduled sampling for sequence prediction with recurrent neural
        networks").
        """
        logits, _ = self.decoder(ids, memory, state, training=False)
        shape = tf.shape(ids)
        flat = tf.reshape(tf.stop_gradient(logits), [-1, logits.shape[-1]])
        drawn = keras.random.categorical(flat, 1, seed=self.seeds)
        drawn = tf.reshape(tf.cast(drawn, ids.dtype), shape)
        # What follows the word at t stands at t + 1; the start stays.
        drawn = tf.concat([ids[:, :1], drawn[:, :-1]], axis=1)
        chance = keras.random.uniform(shape, seed=self.seeds)
        replaced = (chance < self.sampling_rate) & (ids != text.PADDING_ID)
        return tf.where(replaced, drawn, ids)


def unevenness(weights: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """How far the looks at the regions of an image are from one for each.

    The doubly stochastic attention of Xu et al. 2015, section 4.2.1: weights
    sum to 1 over regions at each step, and should sum to 1 over steps too.

    Args:
        weights: <float32>[batch, time, regions].
        ids: <int32>[batch, time]; steps on padding do not count.

    Returns:
        <float32>[], the mean over batch and regions of (1 - sum) ** 2.

    Example:
        >>> weights = tf.constant([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
        >>> unevenness(weights, tf.constant([[2, 7, 0]])).numpy()
        np.float32(0.0)
    """
    is_real = tf.cast(ids != text.PADDING_ID, weights.dtype)
    looked = tf.reduce_sum(weights * is_real[:, :, None], axis=1)
    return tf.reduce_mean(tf.square(1.0 - looked))
