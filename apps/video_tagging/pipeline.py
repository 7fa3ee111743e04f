"""From frames to tags: encoder, network and decoding in one model."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import shapes
from common.training import trained

from . import encoder as encoders
from . import scaling
from .config import Config
from .model import FramesToTags, State

# A tag of a set is there from this probability on.
THRESHOLD = 0.5


class Found(NamedTuple):
    """What the model says of some frames.

    Attributes:
        tags: their numbers <int32>[batch, time], or with `multi_label`
            <bool>[batch, time, classes]. Anything on padding.
        probabilities: <float32>[batch, time, classes].
    """

    tags: Any
    probabilities: Any


@keras.saving.register_keras_serializable(package=__package__)
class Tagger(keras.Model):
    """Says what is going on in every frame of a video.

    Args:
        config: all options, as a dataclass or a dictionary.
        labels: the tags, in the order of the probabilities.
        encoder: from pixels to features, as a layer or its config; None for a
            model of given features, which knows nothing of frames.
        dim: size of the features; the encoder's by default.

    Call arguments:
        frames: <uint8>[batch, time, height, width, 3] or features
            <float32>[batch, time, features].
        lengths: <int32>[batch], how many of them are real.

    Returns:
        `Found`: tags and probabilities. Padding does not change them.
    """

    def __init__(
        self,
        config: Config | dict,
        labels: list[str],
        encoder: Any,
        dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        self.labels = list(labels)
        if isinstance(encoder, dict):
            encoder = keras.saving.deserialize_keras_object(encoder)
        self.dim = encoder.dim if dim is None else dim
        self.network = FramesToTags(
            self.config, len(self.labels), self.dim, encoder, name="network"
        )
        self.built = True

    @property
    def has_encoder(self) -> bool:
        """Whether it can see frames, not only features."""
        return self.network.encoder is not None

    def call(self, frames: tf.Tensor, lengths: tf.Tensor) -> Found:
        """Computes the outputs; see the class."""
        if self.config.scale == "video":
            features = self.network.features(frames)
            mask = shapes.sequence_mask(lengths, tf.shape(features)[1])
            frames = scaling.standardized(features, mask)
        logits = self.network((frames, lengths), training=False)
        return self._found(logits, lengths)

    def _found(self, logits: tf.Tensor, lengths: tf.Tensor) -> Found:
        last = logits[:, :, -1]
        if self.network.crf is not None:
            mask = shapes.sequence_mask(lengths, tf.shape(last)[1])
            tags = self.network.crf.decode(last, mask)
            return Found(tags, self.network.crf.marginals(last, mask))
        probabilities = self.network.probabilities(last)
        if self.config.multi_label:
            return Found(probabilities >= THRESHOLD, probabilities)
        tags = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        return Found(tags, probabilities)

    def advance(
        self, frames: tf.Tensor, lengths: tf.Tensor, states: list[State]
    ) -> tuple[Found, list[State]]:
        """Goes on after the frames before; the model must be causal.

        Args:
            frames: the next ones, as of the class.
            lengths: how many of them are real; a row of none keeps its state.
            states: those after the frames before; see `states.zeros`.

        Returns:
            What is found in these frames, and the states after them.
        """
        logits, states = self.network.advance(frames, lengths, states)
        return self._found(logits, lengths), states

    def names(self, found: Found, lengths: tf.Tensor) -> tf.Tensor:
        """Tags as <string>[batch, time], "" on padding.

        With `multi_label` the tags of a frame are joined by spaces.
        """
        labels = tf.constant(self.labels)
        if self.config.multi_label:
            names = _joined(found.tags, labels)
        else:
            names = tf.gather(labels, found.tags)
        mask = shapes.sequence_mask(lengths, tf.shape(names)[1])
        return tf.where(mask, names, "")

    def get_config(self) -> dict:
        """Returns every argument, for saving."""
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "labels": self.labels,
            "encoder": keras.saving.serialize_keras_object(
                self.network.encoder
            ),
            "dim": self.dim,
        }


def _joined(tags: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The names of the tags that are there, joined by spaces.

    Args:
        tags: <bool>[batch, time, classes].
        labels: <string>[classes].
    """
    behind = tf.strings.join([labels, " "])
    names = tf.where(tags, behind, "")
    return tf.strings.strip(tf.strings.reduce_join(names, axis=-1))


def build(config: Config, labels: list[str], dim: int | None) -> Tagger:
    """Builds the whole; its `network` is what is trained.

    Args:
        config: all options.
        labels: the tags.
        dim: size of the features of a model without an encoder; else None.

    Raises:
        UserError: if there is no such encoder, or no such weights for it.
    """
    encoder = encoders.build(config) if dim is None else None
    return Tagger(config, labels, encoder, dim, name="tagger")


def load(path: Path) -> Tagger:
    """Loads a tagger that training saved.

    Raises:
        UserError: if the file is damaged.
    """
    return trained.load(path)
