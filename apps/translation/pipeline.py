"""From text to text: tokens, encoder, decoder and beam search in one model."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common.decoding.beam_search import Penalties, beam_search
from common.decoding.sampling import (
    Decoded,
    Limits,
    Sampling,
    sample,
)
from common.training import trained

from . import text
from .config import Config
from .decoder import State
from .model import Seq2Seq

# A translation has at most so many tokens for each one of the source, and
# some more for short ones. A sentence's limit is its own: whatever stands
# beside it in a batch changes nothing.
MAX_GROWTH = 2
MAX_MORE = 10

# Spaces of all kinds, not those of ASCII alone.
_BLANK = r"[\s\v\pZ]*"


class Alignment(NamedTuple):
    """Where the model looked for each token of a translation.

    Attributes:
        source: the tokens of the source, and its end.
        target: the tokens of the translation, and its end.
        weights: <float32>[target, source], each row sums to 1.
    """

    source: list[str]
    target: list[str]
    weights: Any


@keras.saving.register_keras_serializable(package=__package__)
class Translator(keras.Model):
    """Translates texts.

    Args:
        config: all options, as a dataclass or a dictionary.
        source_vocabulary: the tokens of the source language.
        target_vocabulary: the tokens of the target language.

    Call arguments:
        source: <string>[batch].
        beam: beginnings to follow; that of the config by default.

    Returns:
        Translations <string>[batch, beam], best first, and their scores
        <float32>[batch, beam]; see `beam_search.Penalties`. A blank
        text has a blank translation, with the score 0.
    """

    def __init__(
        self,
        config: Config | dict,
        source_vocabulary: list[str],
        target_vocabulary: list[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        level = self.config.level
        self.source_tokenizer = text.Tokenizer(source_vocabulary, level)
        self.target_tokenizer = text.Tokenizer(target_vocabulary, level)
        self.seq2seq = Seq2Seq(
            self.config,
            self.source_tokenizer.num_ids,
            self.target_tokenizer.num_ids,
            name="seq2seq",
        )
        self.built = True

    def call(
        self, source: tf.Tensor, beam: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the outputs; see the class."""
        decoded = self.search(self.source_tokenizer(source), beam)
        return self._answers(source, decoded.ids, decoded.scores)

    def _answers(
        self, source: tf.Tensor, ids: tf.Tensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Texts for ids <int32>[batch, beam, time]; to nothing, nothing."""
        blank = tf.strings.regex_full_match(source, _BLANK)[:, None]
        translations = tf.where(blank, "", self.read(source, ids))
        return translations, tf.where(blank, 0.0, scores)

    def search(self, ids: tf.Tensor, beam: int | None = None) -> Decoded:
        """Finds the best translations of source ids <int32>[batch, source].

        A beam of 1 is greedy.

        Returns:
            Ids <int32>[batch, beam, time], best first.
        """
        memory, state = self.seq2seq.encode(ids)

        def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return self.seq2seq.decoder.step(ids, state, memory)

        penalties = Penalties(
            self.config.length_penalty,
            self.config.coverage_penalty,
            get_attention=lambda state: state.weights,
            source_mask=memory.mask,
        )
        return beam_search(
            step,
            state,
            tf.shape(ids)[0],
            limits_of(ids),
            beam or self.config.beam,
            penalties,
            stop_when_full=True,
        )

    def draw(
        self, source: tf.Tensor, sampling: Sampling
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws a translation of each text: <string>[batch], scores."""
        ids = self.source_tokenizer(source)
        memory, state = self.seq2seq.encode(ids)
        decoded = sample(
            lambda ids, state: self.seq2seq.decoder.step(ids, state, memory),
            state,
            tf.shape(ids)[0],
            limits_of(ids),
            [sampling.seed, 0],
            sampling.temperature,
            sampling.top_k,
            sampling.top_p,
        )
        translations, scores = self._answers(
            source, decoded.ids[:, None], decoded.scores[:, None]
        )
        return translations[:, 0], scores[:, 0]

    def read(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Writes ids <int32>[batch, beam, time] as texts <string>[batch, beam].

        With words as tokens, an unknown one is replaced by the word of the
        source at which the decoder looked for it (Luong et al. 2015,
        "Addressing the rare word problem", section 3.3).
        """
        tokens = tf.gather(self.target_tokenizer.tokens, ids)
        if self.config.level == "word" and self.config.attention != "none":
            copies = self._looked_at(source, ids)
            tokens = tf.where(ids == text.UNKNOWN_ID, copies, tokens)
        return text.joined(tokens)

    def _looked_at(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """The pieces looked at most: <string>[batch, beam, time]."""
        words = text.pieces(source)
        weights = self.weights_of(self.source_tokenizer(source), ids)
        # Behind the words of each row stands its end, which is none.
        is_word = tf.sequence_mask(words.row_lengths(), tf.shape(weights)[-1])
        weights = tf.where(is_word[:, None, None], weights, -1.0)
        best = tf.argmax(weights, axis=-1)
        return tf.gather(words.to_tensor(b""), best, batch_dims=1)

    def weights_of(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Where the decoder looks for given translations.

        Args:
            source: ids <int32>[batch, source].
            ids: translations <int32>[batch, beam, time].

        Returns:
            <float32>[batch, beam, time, source].
        """
        batch, beam, time = tf.unstack(tf.shape(ids))
        memory, state = self.seq2seq.encode(source)
        state = tf.nest.map_structure(
            lambda x: tf.repeat(x, beam, axis=0), state
        )
        starts = tf.fill([batch * beam, 1], text.START_ID)
        before = tf.reshape(ids, [batch * beam, time])[:, :-1]
        before = tf.concat([starts, before], axis=1)
        _, weights = self.seq2seq.decoder.run(before, memory, state)
        return tf.reshape(weights, [batch, beam, time, tf.shape(source)[1]])

    def align(self, source: str, beam: int | None = None) -> Alignment:
        """Translates one text and tells where the decoder looked."""
        ids = self.source_tokenizer(
            tf.constant([source.encode("utf-8", "replace")])
        )
        decoded = self.search(ids, beam)
        length = int(decoded.lengths[0, 0])
        # The end is a token of its own, which the padding of ids is too.
        best = tf.pad(
            decoded.ids[:, :1, :length],
            [[0, 0], [0, 0], [0, 1]],
            constant_values=text.END_ID,
        )
        weights = self.weights_of(ids, best)[0, 0]
        return Alignment(
            _tokens(self.source_tokenizer, ids[0]),
            _tokens(self.target_tokenizer, best[0, 0]),
            weights.numpy(),
        )

    def get_config(self) -> dict:
        """Returns every argument, for saving."""
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "source_vocabulary": self.source_tokenizer.vocabulary,
            "target_vocabulary": self.target_tokenizer.vocabulary,
        }


def limits_of(ids: tf.Tensor) -> Limits:
    """Start, end and greatest length, for each row of source ids."""
    num_source = tf.math.count_nonzero(
        ids != text.PADDING_ID, axis=1, dtype=tf.int32
    )
    longest = MAX_GROWTH * num_source + MAX_MORE
    return Limits(text.START_ID, text.END_ID, longest)


def _tokens(tokenizer: text.Tokenizer, ids: tf.Tensor) -> list[str]:
    tokens = tf.gather(tokenizer.tokens, ids).numpy()
    return [token.decode("utf-8", "replace") or "</s>" for token in tokens]


def build(
    config: Config, source_vocabulary: list[str], target_vocabulary: list[str]
) -> Translator:
    """Builds the whole; its `seq2seq` is what is trained."""
    return Translator(
        config, source_vocabulary, target_vocabulary, name="translator"
    )


def load(path: Path) -> Translator:
    """Loads a translator that training saved.

    Raises:
        UserError: if the file is damaged.
    """
    return trained.load(path)
