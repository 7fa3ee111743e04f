"""From text to text: tokens, encoder, decoder and beam search in one model."""

import dataclasses
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common.characters import printable
from common.decoding import beam_search, sampling
from common.decoding.sampling import Decoded, Limits, Sampling
from common.layers.attention import Memory

from . import model, text, vocabulary
from .config import Config
from .decoder import State

# A translation has at most so many tokens for each one of the source, and
# some more for short ones. A sentence's limit is its own: whatever stands
# beside it in a batch changes nothing.
MAX_GROWTH = 2
MAX_MORE = 10
# Of any sentence: a model that never ends takes time by their square.
MAX_STEPS = 1024

# How the end is shown, which is a token of its own.
END = "</s>"
# Spaces of all kinds, not those of ASCII alone.
_BLANK = r"[\s\v\pZ]*"


class Alignment(NamedTuple):
    """A translation and the attention behind each of its tokens.

    Attributes:
        source: the tokens of the source, and its end.
        target: the tokens of the translation, and its end.
        weights: <float32>[target, source], each row sums to 1.
    """

    source: list[str]
    target: list[str]
    weights: np.ndarray


class Explanation(NamedTuple):
    """The translations of each text, and the attention behind the best one.

    Attributes:
        translations: <string>[batch, beam], best first.
        scores: <float32>[batch, beam].
        source_tokens: <string>[batch, source], with their spaces and, last,
            the end, "</s>"; "" on padding.
        target_tokens: <string>[batch, target], which joined are the best
            translation; "" on padding.
        weights: <float32>[batch, target, source], the attention of each token
            of the translation, which sums to 1; 0 on padding.

    A token may be a part of a character: it is U+FFFD then.
    """

    translations: tf.Tensor
    scores: tf.Tensor
    source_tokens: tf.Tensor
    target_tokens: tf.Tensor
    weights: tf.Tensor


@keras.saving.register_keras_serializable(package=__package__)
class Translator(keras.Model):
    """Two tokenizers, the network between them, and the search.

    Args:
        config: all options, as a `Config` or its fields.
        source_vocabulary: the tokens of the source language.
        target_vocabulary: the tokens of the target language.

    Call arguments:
        source: <string>[batch].
        beam: hypotheses to follow; by default that of the config.

    Returns:
        Translations <string>[batch, beam], best first, and their scores
        <float32>[batch, beam]; see `beam_search.Penalties`. A blank
        text has a blank translation, with the score 0.

    Attributes:
        network: the part that is trained, from ids to logits.
    """

    def __init__(
        self,
        config: Config | dict[str, Any],
        source_vocabulary: list[str],
        target_vocabulary: list[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        level = self.config.level
        self.source_tokenizer = text.Tokenizer(source_vocabulary, level)
        self.target_tokenizer = text.Tokenizer(target_vocabulary, level)
        self.network = model.build(
            self.config,
            self.source_tokenizer.num_ids,
            self.target_tokenizer.num_ids,
        )
        self.built = True

    def call(
        self, source: tf.Tensor, beam: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        source = text.cut_text(source)
        decoded = self.search(self.source_tokenizer(source), beam)
        return self._to_text(source, decoded.ids, decoded.scores)

    def _to_text(
        self, source: tf.Tensor, ids: tf.Tensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Converts ids <int32>[batch, beam, time] to texts and scores."""
        blank = _is_blank(source)[:, None]
        translations = tf.where(blank, "", self.detokenize(source, ids))
        return translations, tf.where(blank, 0.0, scores)

    def explain(self, source: tf.Tensor) -> Explanation:
        """Translates texts, with the attention behind the best translations.

        Args:
            source: <string>[batch].
        """
        source = text.cut_text(source)
        ids = self.source_tokenizer(source)
        memory, state = self.network.encode(ids)
        decoded = self._search(ids, memory, state)
        blank = _is_blank(source)
        # Words that are copied take the attention of the others too.
        beam = None if self._copies_words else 1
        weights = self._attend(memory, state, decoded.ids[:, :beam])
        tokens = self._write_tokens(source, decoded.ids, weights)
        lengths = tf.where(blank, 0, decoded.lengths[:, 0])
        # A step at least, as the source has.
        num_steps = tf.reduce_max(tf.concat([lengths, [1]], axis=0))
        target = text.to_utf8(tokens[:, 0, :num_steps])
        # A model may write the padding, too, of which there is no token.
        is_token = tf.sequence_mask(lengths, num_steps) & (target != "")
        weights = weights[:, 0, :num_steps]
        return Explanation(
            tf.where(blank[:, None], "", text.join_tokens(tokens)),
            tf.where(blank[:, None], 0.0, decoded.scores),
            self._source_tokens(source, ids),
            tf.where(is_token, target, ""),
            tf.where(is_token[:, :, None], weights, 0.0),
        )

    def _source_tokens(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Returns the tokens of texts, as of `Explanation`."""
        tokens = tf.gather(self.source_tokenizer.tokens, ids)
        if self.config.level == "word":  # Unknown ones have no token.
            words = text.pieces(source, self.config.level)
            # The end, a column more, is no word.
            tokens = tf.pad(words.to_tensor(b""), [[0, 0], [0, 1]])
        return tf.where(ids == text.END_ID, END, text.to_utf8(tokens))

    def search(self, ids: tf.Tensor, beam: int | None = None) -> Decoded:
        """Finds the best translations of source ids <int32>[batch, source].

        A beam of 1 is greedy.

        Returns:
            Ids <int32>[batch, beam, time], best first.
        """
        return self._search(ids, *self.network.encode(ids), beam)

    def _search(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        beam: int | None = None,
    ) -> Decoded:
        def step(ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return self.network.decoder.step(ids, state, memory)

        penalties = beam_search.Penalties(
            self.config.length_penalty,
            self.config.coverage_penalty,
            get_attention=lambda state: state.weights,
            source_mask=memory.mask,
        )
        return beam_search.beam_search(
            step,
            state,
            tf.shape(ids)[0],
            make_limits(ids),
            beam or self.config.beam,
            penalties,
            stop_when_full=True,
        )

    def sample(
        self, source: tf.Tensor, options: Sampling
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Samples a translation of each text.

        Args:
            source: <string>[batch].
            options: temperature, seed and so on.

        Returns:
            Translations <string>[batch, 1] and scores <float32>[batch, 1].
        """
        source = text.cut_text(source)
        ids = self.source_tokenizer(source)
        memory, state = self.network.encode(ids)
        decoded = sampling.sample(
            lambda ids, state: self.network.decoder.step(ids, state, memory),
            state,
            tf.shape(ids)[0],
            make_limits(ids),
            [options.seed, 0],
            options.temperature,
            options.top_k,
            options.top_p,
        )
        return self._to_text(
            source, decoded.ids[:, None], decoded.scores[:, None]
        )

    def detokenize(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Joins ids <int32>[batch, beam, time] to texts <string>[batch, beam].

        With words as tokens, an unknown one is replaced by the word of the
        source to which the decoder attended most (Luong et al. 2015,
        "Addressing the rare word problem", section 3.3).
        """
        weights = None
        if self._copies_words:
            weights = self.attention_weights(self.source_tokenizer(source), ids)
        return text.join_tokens(self._write_tokens(source, ids, weights))

    @property
    def has_attention(self) -> bool:
        """True if it attends to the source, so that it can explain."""
        return self.config.attention != "none"

    @property
    def _copies_words(self) -> bool:
        return self.config.level == "word" and self.has_attention

    def _write_tokens(
        self, source: tf.Tensor, ids: tf.Tensor, weights: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns the tokens of ids: <string>[batch, beam, time].

        Args:
            source: <string>[batch].
            ids: <int32>[batch, beam, time].
            weights: their attention, where words of the source are copied.
        """
        tokens = tf.gather(self.target_tokenizer.tokens, ids)
        if not self._copies_words:
            return tokens
        copies = self._attended_words(source, weights)
        return tf.where(ids == text.UNKNOWN_ID, copies, tokens)

    def _attended_words(
        self, source: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Returns the words attended to most: <string>[batch, beam, time]."""
        words = text.pieces(source, self.config.level)
        # Behind the words of each row stands its end, which is none.
        is_word = tf.sequence_mask(words.row_lengths(), tf.shape(weights)[-1])
        weights = tf.where(is_word[:, None, None], weights, -1.0)
        best = tf.argmax(weights, axis=-1)
        return tf.gather(words.to_tensor(b""), best, batch_dims=1)

    def attention_weights(self, source: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Computes the attention behind each token of translations.

        Args:
            source: ids <int32>[batch, source].
            ids: translations <int32>[batch, beam, time].

        Returns:
            <float32>[batch, beam, time, source].
        """
        return self._attend(*self.network.encode(source), ids)

    def _attend(
        self, memory: Memory, state: State, ids: tf.Tensor
    ) -> tf.Tensor:
        batch, beam, time = tf.unstack(tf.shape(ids))
        state = tf.nest.map_structure(
            lambda x: tf.repeat(x, beam, axis=0), state
        )
        starts = tf.fill([batch * beam, 1], text.START_ID)
        before = tf.reshape(ids, [batch * beam, time])[:, :-1]
        before = tf.concat([starts, before], axis=1)
        _, weights = self.network.decoder.run(before, memory, state)
        source = tf.shape(memory.mask)[1]
        return tf.reshape(weights, [batch, beam, time, source])

    def align(self, source: str, beam: int | None = None) -> Alignment:
        """Translates one text, and returns the attention with the tokens."""
        ids = self.source_tokenizer(
            text.cut_text(tf.constant([source.encode("utf-8", "replace")]))
        )
        decoded = self.search(ids, beam)
        length = int(decoded.lengths[0, 0])
        # The end is a token of its own, which the padding of ids is too.
        best = tf.pad(
            decoded.ids[:, :1, :length],
            [[0, 0], [0, 0], [0, 1]],
            constant_values=text.END_ID,
        )
        weights = self.attention_weights(ids, best)[0, 0]
        return Alignment(
            _token_names(self.source_tokenizer, ids[0]),
            _token_names(self.target_tokenizer, best[0, 0]),
            weights.numpy(),
        )

    def get_config(self) -> dict:
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "source_vocabulary": self.source_tokenizer.vocabulary,
            "target_vocabulary": self.target_tokenizer.vocabulary,
        }


def make_limits(ids: tf.Tensor) -> Limits:
    """Returns start, end and greatest length, for each row of source ids."""
    num_source = tf.math.count_nonzero(
        ids != text.PADDING_ID, axis=1, dtype=tf.int32
    )
    longest = tf.minimum(MAX_GROWTH * num_source + MAX_MORE, MAX_STEPS)
    return Limits(text.START_ID, text.END_ID, longest)


def _token_names(tokenizer: text.Tokenizer, ids: tf.Tensor) -> list[str]:
    tokens = tf.gather(tokenizer.tokens, ids).numpy()
    return [token.decode("utf-8", "replace") or END for token in tokens]


def _is_blank(texts: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_full_match(texts, _BLANK)


def build(
    config: Config, source_vocabulary: list[str], target_vocabulary: list[str]
) -> Translator:
    """Builds the translator, from pretrained vectors where config names some.

    Its `network` is trained.

    Raises:
        UserError: if a file of vectors cannot be read or does not fit.
    """
    translator = Translator(
        config, source_vocabulary, target_vocabulary, name="translator"
    )
    _load_vectors(translator)
    return translator


def _load_vectors(translator: Translator) -> None:
    config, network = translator.config, translator.network
    for path, side, tokenizer in (
        (config.source_vectors, network.encoder, translator.source_tokenizer),
        (config.target_vectors, network.decoder, translator.target_tokenizer),
    ):
        if path:
            num_words = vocabulary.load_vectors(
                path, config.encoding, tokenizer, side.embedding
            )
            num_tokens = len(tokenizer.vocabulary)
            counts = f"vectors of {num_words} of {num_tokens} tokens"
            print(f"{printable(path)}: {counts}")
