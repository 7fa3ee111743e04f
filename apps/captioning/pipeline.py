"""From image to sentence: encoder, decoder and beam search in one model."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common.decoding.beam_search import Penalties, beam_search
from common.decoding.sampling import (
    LOWEST,
    Decoded,
    Limits,
    Sampling,
    sample,
)
from common.errors import UserError
from common.media import images
from common.training import trained

from . import encoder as encoders
from . import text
from .config import Config
from .decoder import State
from .model import ImageToSequence

# What may never be written: each has a meaning for the program alone.
_NEVER = (text.PADDING_ID, text.UNKNOWN_ID, text.START_ID)


class Looks(NamedTuple):
    """Where the model looked for each word of a caption.

    Attributes:
        words: the words, and the end.
        weights: <float32>[words, regions], each row sums to 1.
    """

    words: list[str]
    weights: Any


@keras.saving.register_keras_serializable(package=__package__)
class Captioner(keras.Model):
    """Says what is to be seen in images.

    Args:
        config: all options, as a dataclass or a dictionary.
        vocabulary: the words, from id `text.NUM_SPECIAL` on.
        encoder: from pixels to features, as a layer or its config; None for a
            model of given features, which knows nothing of images.
        feature_shape: regions and features of those; the encoder's by default.

    Call arguments:
        content: <string>[batch], the content of picture files.
        beam: beginnings to follow; that of the config by default.

    Returns:
        Captions <string>[batch, beam], best first, and their scores
        <float32>[batch, beam]; see `beam_search.Penalties`. What is no
        picture has an empty caption, with the score 0.
    """

    def __init__(
        self,
        config: Config | dict,
        vocabulary: list[str],
        encoder: Any,
        feature_shape: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        self.writer = text.Writer(vocabulary, name="writer")
        if isinstance(encoder, dict):
            encoder = keras.saving.deserialize_keras_object(encoder)
        if feature_shape is None:
            feature_shape = encoder.regions, encoder.dim
        regions, dim = feature_shape  # A list, where it was saved.
        self.feature_shape = (regions, dim)
        self.network = ImageToSequence(
            self.config,
            self.writer.num_ids,
            self.feature_shape,
            encoder,
            name="network",
        )
        self.built = True

    @property
    def has_encoder(self) -> bool:
        """Whether it can see images, not only features."""
        return self.network.encoder is not None

    def call(
        self, content: tf.Tensor, beam: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the outputs; see the class."""
        pixels, is_picture = self.pixels(content)
        captions, scores = self.of_images(pixels, beam)
        return (
            tf.where(is_picture[:, None], captions, ""),
            tf.where(is_picture[:, None], scores, 0.0),
        )

    def pixels(self, content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels <float32>[batch, size, size, 3] of picture files.

        And <bool>[batch], whether each is a picture; grey stands for others.
        """
        return images.decode_batch(content, self.config.image_size)

    def of_images(
        self, images: tf.Tensor, beam: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Captions and scores, as of the class, of pixels or features."""
        decoded = self.search(images, beam)
        return self.writer(decoded.ids), decoded.scores

    def search(self, images: tf.Tensor, beam: int | None = None) -> Decoded:
        """Finds the best captions of pixels or features; a beam of 1 is greedy.

        Returns:
            Ids <int32>[batch, beam, time], best first.
        """
        step, state = self._steps(images)
        return beam_search(
            step,
            state,
            tf.shape(images)[0],
            self._limits(),
            beam or self.config.beam,
            Penalties(self.config.length_penalty),
            stop_when_full=True,
        )

    def draw(
        self, images: tf.Tensor, sampling: Sampling
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws a caption of each image: <string>[batch], and scores."""
        step, state = self._steps(images)
        decoded = sample(
            step,
            state,
            tf.shape(images)[0],
            self._limits(),
            [sampling.seed, 0],
            sampling.temperature,
            sampling.top_k,
            sampling.top_p,
        )
        return self.writer(decoded.ids), decoded.scores

    def _steps(self, images: tf.Tensor) -> tuple[Any, State]:
        """The step function of decoding, and the first state."""
        memory, state = self.network.look(images)
        never = tf.one_hot(_NEVER, self.writer.num_ids, LOWEST, 0.0)
        never = tf.reduce_min(never, axis=0)

        def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            logits, state = self.network.decoder.step(ids, state, memory)
            return logits + never, state

        return step, state

    def _limits(self) -> Limits:
        return Limits(text.START_ID, text.END_ID, self.config.max_words)

    def looks(self, images: tf.Tensor, beam: int | None = None) -> Looks:
        """Captions one image, and tells where it looked for each word.

        Args:
            images: pixels or features, <float32>[1, ...].
            beam: as of the class.
        """
        decoded = self.search(images, beam)
        length = int(decoded.lengths[0, 0])
        ids = decoded.ids[0, 0, :length].numpy()
        memory, state = self.network.look(images)
        before = tf.constant([[text.START_ID, *ids]], tf.int32)
        _, weights = self.network.decoder(before, memory, state)
        words = [self.writer.vocabulary[k - text.NUM_SPECIAL] for k in ids]
        return Looks([*words, "</s>"], weights[0].numpy())

    def get_config(self) -> dict:
        """Returns every argument, for saving."""
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "vocabulary": self.writer.vocabulary,
            "encoder": keras.saving.serialize_keras_object(
                self.network.encoder
            ),
            "feature_shape": self.feature_shape,
        }


def build(
    config: Config,
    vocabulary: list[str],
    feature_shape: tuple[int, int] | None = None,
) -> Captioner:
    """Builds the whole; its `network` is what is trained.

    Args:
        config: all options.
        vocabulary: the words to know.
        feature_shape: regions and features of a model without an encoder.

    Raises:
        UserError: if there is no such encoder, no such weights for it, or
            nothing in its features to look at.
    """
    encoder = None if feature_shape else encoders.build(config)
    if encoder and encoder.regions == 1 and config.decoder == "attention":
        raise UserError(
            f"--image-size {config.image_size}: {config.encoder} makes one"
            " region of it, and --decoder attention needs a grid: choose a"
            " greater size"
        )
    return Captioner(
        config, vocabulary, encoder, feature_shape, name="captioner"
    )


def load(path: Path) -> Captioner:
    """Loads a captioner that training saved.

    Raises:
        UserError: if the file is damaged.
    """
    return trained.load(path)
