"""From image to sentence: encoder, decoder and beam search in one model."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common.decoding.beam_search import Penalties, beam_search
from common.decoding.sampling import (
    LOWEST,
    Decoded,
    Limits,
    Sampling,
    Step,
    sample,
)
from common.errors import UserError
from common.layers.attention import Memory
from common.media import images
from common.training import runs

from . import model, text
from .config import Config
from .decoder import State
from .encoder import build_encoder

# Ids that are never written: each has a meaning for the program alone.
_NEVER = (text.PADDING_ID, text.UNKNOWN_ID, text.START_ID)
# Fields that another run must share to go on from a model.
_MODEL_FIELDS = (
    *["encoder", "image_size", "pooled", "decoder", "attention"],
    *["embedding_dim", "units", "max_words"],
)


class AttentionMaps(NamedTuple):
    """The attention of a caption to the regions of its image.

    Attributes:
        words: the words, and the end.
        weights: <float32>[words, regions], each row sums to 1.
    """

    words: list[str]
    weights: np.ndarray


class Explanation(NamedTuple):
    """The best caption of each picture, and where each of its words looked.

    The regions are a grid over all of the picture, turned as its EXIF data
    say: it is squeezed to a square, not cropped. So row r of `rows` is that
    part of the height, from the top, whatever the shape of the picture.

    Attributes:
        caption: <string>[batch].
        score: <float32>[batch].
        words: <string>[batch, steps], "" on padding.
        weights: <float32>[batch, steps, rows, columns], the attention to each
            region, which sums to 1; 0 on padding.
    """

    caption: tf.Tensor
    score: tf.Tensor
    words: tf.Tensor
    weights: tf.Tensor


@keras.saving.register_keras_serializable(package=__package__)
class Captioner(keras.Model):
    """Writes captions of images.

    Args:
        config: all options, as a `Config` or its fields.
        vocabulary: the words, from id `text.NUM_SPECIAL` on.
        encoder: from pixels to features, as a layer or its config; None for a
            model of the user's features, which takes no pictures.
        feature_shape: regions and features of those; the encoder's by default.

    Call arguments:
        content: <string>[batch], the content of picture files.
        beam: hypotheses to keep; that of the config by default.
        sampling: draws one caption of each image, in place of a beam.

    Returns:
        Captions <string>[batch, beam], best first, and their scores
        <float32>[batch, beam]; see `beam_search.Penalties`. What is no
        picture has an empty caption, with the score 0.

    Attributes:
        network: the part that is trained.
        feature_shape: regions and features that the decoder gets.
    """

    def __init__(
        self,
        config: Config | dict[str, Any],
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
        self.network = model.build(
            self.config, self.writer.num_ids, self.feature_shape, encoder
        )
        self.built = True

    @property
    def has_encoder(self) -> bool:
        """True if it takes pictures, not only features."""
        return self.network.encoder is not None

    @property
    def has_attention(self) -> bool:
        """True if its words look at regions of pictures: it can explain."""
        return self.has_encoder and self.config.decoder == "attention"

    def call(
        self,
        content: tf.Tensor,
        beam: int | None = None,
        sampling: Sampling | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, is_picture = self.decode_pictures(content)
        # What is no picture costs no time of the network.
        pixels = tf.boolean_mask(pixels, is_picture)
        captions, scores = self.caption_images(pixels, beam, sampling)
        return (
            _fill_rows(captions, is_picture, ""),
            _fill_rows(scores, is_picture, 0.0),
        )

    def decode_pictures(
        self, content: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Decodes the content of picture files.

        Returns:
            Pixels <float32>[batch, size, size, 3], grey where there is no
            picture; and <bool>[batch], True for a picture.
        """
        return images.decode_batch(content, self.config.image_size)

    def caption_images(
        self,
        images: tf.Tensor,
        beam: int | None = None,
        sampling: Sampling | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Captions pixels or features; arguments and results as of a call."""
        if sampling is None:
            decoded = self.search(images, beam)
        else:
            decoded = self.sample(images, sampling)
        return self.writer(decoded.ids), decoded.scores

    def explain(self, content: tf.Tensor) -> Explanation:
        """Captions pictures, and tells where each word looked.

        For models that have attention (`has_attention`).

        Args:
            content: <string>[batch], the content of picture files.
        """
        pixels, is_picture = self.decode_pictures(content)
        pixels = tf.boolean_mask(pixels, is_picture)
        memory, state = self.network.encode(pixels)
        decoded = self._search(memory, state)
        ids, lengths = decoded.ids[:, 0], decoded.lengths[:, 0]
        # A step at least: a loop of none has no weights to stack.
        num_steps = tf.reduce_max(tf.concat([lengths, [1]], axis=0))
        ids = ids[:, :num_steps]
        weights = self._attend(ids, memory, state)
        is_word = tf.sequence_mask(lengths, num_steps)
        weights = tf.where(is_word[:, :, None], weights, 0.0)
        encoder: Any = self.network.encoder
        rows, columns = encoder.grid
        shape = [tf.shape(ids)[0], num_steps, rows, columns]
        explanation = Explanation(
            self.writer(ids),
            decoded.scores[:, 0],
            self.writer.split(tf.where(is_word, ids, text.PADDING_ID)),
            tf.reshape(weights, shape),
        )
        blanks = Explanation("", 0.0, "", 0.0)
        return Explanation(
            *(
                _fill_rows(values, is_picture, blank)
                for values, blank in zip(explanation, blanks, strict=True)
            )
        )

    def search(self, images: tf.Tensor, beam: int | None = None) -> Decoded:
        """Finds the best captions of pixels or features; a beam of 1 is greedy.

        Returns:
            Ids <int32>[batch, beam, time], best first.
        """
        return self._search(*self.network.encode(images), beam)

    def _search(
        self, memory: Memory, state: State, beam: int | None = None
    ) -> Decoded:
        return beam_search(
            self.make_step(memory),
            state,
            tf.shape(memory.mask)[0],
            self._limits(),
            beam or self.config.beam,
            Penalties(self.config.length_penalty),
            stop_when_full=True,
        )

    def sample(self, images: tf.Tensor, sampling: Sampling) -> Decoded:
        """Draws a caption of each image.

        Returns:
            Ids <int32>[batch, 1, time].
        """
        memory, state = self.network.encode(images)
        decoded = sample(
            self.make_step(memory),
            state,
            tf.shape(images)[0],
            self._limits(),
            [sampling.seed, 0],
            sampling.temperature,
            sampling.top_k,
            sampling.top_p,
        )
        return Decoded(*(x[:, None] for x in decoded))

    def make_step(self, memory: Memory) -> Step:
        """Returns the step function of decoding: no special word is written.

        Args:
            memory: the images.
        """
        never = tf.one_hot(_NEVER, self.writer.num_ids, LOWEST, 0.0)
        never = tf.reduce_min(never, axis=0)

        def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            logits, state = self.network.decoder.step(ids, state, memory)
            return logits + never, state

        return step

    def _limits(self) -> Limits:
        return Limits(text.START_ID, text.END_ID, self.config.max_words)

    def attention_maps(
        self, image: tf.Tensor, beam: int | None = None
    ) -> AttentionMaps:
        """Captions one image, and returns its attention for each word.

        Args:
            image: pixels or features, <float32>[1, ...].
            beam: as of a call.
        """
        memory, state = self.network.encode(image)
        decoded = self._search(memory, state, beam)
        length = int(decoded.lengths[0, 0])
        ids = decoded.ids[0, 0, :length].numpy()
        written = tf.constant([[*ids, text.END_ID]], tf.int32)
        weights = self._attend(written, memory, state)
        words = [self.writer.vocabulary[k - text.NUM_SPECIAL] for k in ids]
        return AttentionMaps([*words, "</s>"], weights[0].numpy())

    def _attend(
        self, ids: tf.Tensor, memory: Memory, state: State
    ) -> tf.Tensor:
        """Returns the attention <float32>[batch, time, regions] behind ids.

        Args:
            ids: captions <int32>[batch, time], without their start.
            memory: the images.
            state: before the first word.
        """
        starts = tf.fill([tf.shape(ids)[0], 1], text.START_ID)
        before = tf.concat([starts, ids[:, :-1]], axis=1)
        _, weights = self.network.decoder(before, memory, state)
        return weights

    def get_config(self) -> dict:
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "vocabulary": self.writer.vocabulary,
            "encoder": keras.saving.serialize_keras_object(
                self.network.encoder
            ),
            "feature_shape": self.feature_shape,
        }


def _fill_rows(
    values: tf.Tensor, is_filled: tf.Tensor, blank: Any
) -> tf.Tensor:
    """Puts values at the rows that are filled, and blanks at the others.

    Args:
        values: <any>[filled, ...].
        is_filled: <bool>[batch].
        blank: for the other rows.

    Returns:
        <any>[batch, ...].

    Example:
        >>> is_filled = tf.constant([False, True])
        >>> _fill_rows(tf.constant([[7]]), is_filled, 0).numpy()
        array([[0],
               [7]], dtype=int32)
    """
    padding = [[1, 0], *([[0, 0]] * (values.shape.rank - 1))]
    values = tf.pad(values, padding, constant_values=blank)
    numbers = tf.cumsum(tf.cast(is_filled, tf.int32))
    return tf.gather(values, tf.where(is_filled, numbers, 0))


def build(
    config: Config,
    vocabulary: list[str],
    feature_shape: tuple[int, int] | None = None,
    base: Captioner | None = None,
) -> Captioner:
    """Builds the captioner; its `network` is trained.

    Args:
        config: all options.
        vocabulary: the words to know.
        feature_shape: regions and features of a model without an encoder.
        base: a model whose weights to begin with, from `load_base_model`.

    Raises:
        UserError: if there is no such encoder, no such weights for it, or too
            small a grid for attention.
    """
    encoder = None if feature_shape else build_encoder(config)
    if encoder and encoder.regions == 1 and config.decoder == "attention":
        raise UserError(
            f"--image-size {config.image_size}: {config.encoder} makes one"
            " region of it, and --decoder attention needs a grid: choose a"
            " greater size"
        )
    captioner = Captioner(
        config, vocabulary, encoder, feature_shape, name="captioner"
    )
    if base:
        captioner.set_weights(base.get_weights())
    return captioner


def load_base_model(config: Config) -> Captioner | None:
    """Loads the model of the run that `config.finetune` names, if any.

    Raises:
        UserError: if it is no run, or one of another model.
    """
    if not config.finetune:
        return None
    folder = Path(config.finetune)
    if not (folder / runs.MODEL).is_file():
        raise UserError(
            f"--finetune {folder}: expected a run folder with a {runs.MODEL};"
            " train with a frozen encoder first"
        )
    base = runs.load_model(folder, __package__)
    if not base.has_encoder:
        raise UserError(
            f"--finetune {folder}: a model of given features, without an"
            " encoder; train one from images first"
        )
    for name in _MODEL_FIELDS:
        was, now = getattr(base.config, name), getattr(config, name)
        if was != now:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} {now}: the run {folder} to go on from has {was};"
                " repeat its options"
            )
    return base
