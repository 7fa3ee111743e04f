"""The whole as one model: frames or features in, tags out."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import shapes

from . import model
from .config import Config
from .encoder import build_encoder

# A tag of a set is there from this probability on.
THRESHOLD = 0.5
# Signatures of an export beside the default one.
FEATURES = "features"
WINDOW = "window"
STEP = "step"

# The states of a causal model, <float32>[batch, units] each, by name.
States = dict[str, tf.Tensor]


class Prediction(NamedTuple):
    """The tags of frames, of a batch of videos or of one video.

    Attributes:
        tags: <int32>[(batch,) time], or with `multi_label`
            <bool>[(batch,) time, classes]. Anything on padding.
        probabilities: <float32>[(batch,) time, classes].
    """

    tags: Any
    probabilities: Any


@keras.saving.register_keras_serializable(package=__package__)
class Tagger(keras.Model):
    """Encoder, network and decoding: tags every frame of a video.

    Args:
        config: all options, as a `Config` or its fields.
        labels: the tags, in the order of the probabilities.
        encoder: from pixels to features, as a layer or its config; None for a
            model of given features, which knows nothing of frames.
        dim: size of the features; the encoder's by default.

    Call arguments:
        frames: <uint8>[batch, time, height, width, 3] or features
            <float32>[batch, time, features].
        lengths: <int32>[batch], how many of them are real.

    Returns:
        `Prediction`: tags and probabilities. Padding does not change them.

    Attributes:
        network: the part that is trained, from frames to logits.
    """

    def __init__(
        self,
        config: Config | dict[str, Any],
        labels: list[str],
        encoder: Any,
        dim: int | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        self.labels = list(labels)
        if isinstance(encoder, dict):
            encoder = keras.saving.deserialize_keras_object(encoder)
        self.dim = encoder.dim if dim is None else dim
        self.network = model.build(
            self.config, len(self.labels), self.dim, encoder
        )
        self.built = True

    @property
    def has_encoder(self) -> bool:
        """True if it takes frames, not only features."""
        return self.network.encoder is not None

    def call(self, frames: tf.Tensor, lengths: tf.Tensor) -> Prediction:
        if self.config.scale == "video":
            features = self.network.encode(frames)
            mask = shapes.sequence_mask(lengths, tf.shape(features)[1])
            frames = model.standardize(features, mask)
        logits = self.network((frames, lengths), training=False)
        return self._decode(logits, lengths)

    def _decode(self, logits: tf.Tensor, lengths: tf.Tensor) -> Prediction:
        last = logits[:, :, -1]
        if self.network.crf is not None:
            mask = shapes.sequence_mask(lengths, tf.shape(last)[1])
            tags = self.network.crf.decode(last, mask)
            return Prediction(tags, self.network.crf.marginals(last, mask))
        probabilities = self.network.probabilities(last)
        if self.config.multi_label:
            return Prediction(probabilities >= THRESHOLD, probabilities)
        tags = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        return Prediction(tags, probabilities)

    def advance(
        self, frames: tf.Tensor, lengths: tf.Tensor, states: States
    ) -> tuple[Prediction, States]:
        """Tags the frames that follow those before; it must be causal.

        Args:
            frames: the next ones, as of the class.
            lengths: how many of them are real; a row of none keeps its state.
            states: those after the frames before; see `zero_states`.

        Returns:
            The tags of these frames, and the states after them.
        """
        logits, after = self.network.advance(
            frames, lengths, _nest_states(states, self.config)
        )
        names = state_names(self.config)
        flat = dict(zip(names, tf.nest.flatten(after), strict=True))
        return self._decode(logits, lengths), flat

    def tag_names(
        self, prediction: Prediction, lengths: tf.Tensor
    ) -> tf.Tensor:
        """Returns tags as <string>[batch, time], "" on padding.

        With `multi_label` the tags of a frame are joined by spaces.
        """
        labels = tf.constant(self.labels)
        if self.config.multi_label:
            names = _join_names(prediction.tags, labels)
        else:
            names = tf.gather(labels, prediction.tags)
        mask = shapes.sequence_mask(lengths, tf.shape(names)[1])
        return tf.where(mask, names, "")

    def get_config(self) -> dict:
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "labels": self.labels,
            "encoder": keras.saving.serialize_keras_object(
                self.network.encoder
            ),
            "dim": self.dim,
        }


def _join_names(tags: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Joins the names of the tags that are there by spaces.

    Args:
        tags: <bool>[batch, time, classes].
        labels: <string>[classes].
    """
    names = tf.where(tags, tf.strings.join([labels, " "]), "")
    return tf.strings.strip(tf.strings.reduce_join(names, axis=-1))


def build(config: Config, labels: list[str], dim: int | None) -> Tagger:
    """Builds the tagger; its `network` is trained.

    Args:
        config: all options.
        labels: the tags.
        dim: size of the features of a model without an encoder; else None.

    Raises:
        UserError: if there is no such encoder, or no such weights for it.
    """
    encoder = build_encoder(config) if dim is None else None
    return Tagger(config, labels, encoder, dim, name="tagger")


def state_names(config: Config) -> list[str]:
    """Returns the names of all states, in the order of stages and layers.

    Example:
        >>> state_names(Config(causal=True, num_stages=2))
        ['stage_1_layer_1_hidden', 'stage_1_layer_1_cell',
        'stage_2_layer_1_hidden', 'stage_2_layer_1_cell']
    """
    return [
        f"stage_{stage}_layer_{layer}_{part}"
        for stage, layer, part in itertools.product(
            range(1, config.num_stages + 1),
            range(1, config.num_layers + 1),
            ("hidden", "cell"),
        )
    ]


def zero_states(config: Config, batch: int = 1) -> States:
    """Returns the states before the first frame."""
    shape = [batch, config.units]
    return {name: tf.zeros(shape) for name in state_names(config)}


def _nest_states(states: States, config: Config) -> list[model.State]:
    """Returns named states by stage and layer."""
    values = (states[name] for name in state_names(config))
    return [
        [_take(values, 2) for _ in range(config.num_layers)]
        for _ in range(config.num_stages)
    ]


def _take(values: Iterator[tf.Tensor], count: int) -> list[tf.Tensor]:
    return list(itertools.islice(values, count))
