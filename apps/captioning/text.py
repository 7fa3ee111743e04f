"""Captions as words: ids in training, a sentence from the exported model.

Words are those that the metrics count: lower case, without punctuation,
contractions in two, Chinese characters and kana one by one
(`common.metrics.caption_tokens`). Reading captions happens in Python, before
training; writing them is part of the graph that is served.
"""

import collections
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from common.metrics.caption_tokens import tokenize

PADDING_ID = 0
UNKNOWN_ID = 1
START_ID = 2
END_ID = 3
NUM_SPECIAL = 4

# Between two characters of scripts that write no spaces.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}]"
_GAP = rf"({_UNSPACED}) ({_UNSPACED})"
# What belongs to the word before it: "the dog 's tail", "does n't".
_CONTRACTION = r" ('(?:s|m|d|re|ve|ll)|n't)\b"
# From words, each with a space before it, to a sentence. A character is at the
# end of one match alone: gaps are closed twice.
RULES = (
    (_CONTRACTION, r"\1"),
    (_GAP, r"\1\2"),
    (_GAP, r"\1\2"),
    ("^ ", ""),
)


def learn_vocabulary(
    captions: Iterable[str], min_count: int, vocab_size: int
) -> list[str]:
    """Returns the words that occur often enough, the most frequent first.

    Args:
        captions: all of training.
        min_count: rarer words are left out.
        vocab_size: the most ids, special ones included.

    Example:
        >>> learn_vocabulary(["A dog runs.", "the dog", "A cat"], 2, 100)
        ['a', 'dog']
    """
    counts = collections.Counter(
        word for caption in captions for word in tokenize(caption)
    )
    ranked = sorted((-n, word) for word, n in counts.items() if n >= min_count)
    return [word for _, word in ranked[: vocab_size - NUM_SPECIAL]]


def map_to_ids(vocabulary: list[str]) -> dict[str, int]:
    """Returns the id of each word.

    Example:
        >>> map_to_ids(["a", "dog"])
        {'a': 4, 'dog': 5}
    """
    return {
        word: number + NUM_SPECIAL for number, word in enumerate(vocabulary)
    }


def encode_caption(
    caption: str, ids: dict[str, int], max_words: int
) -> np.ndarray:
    """Encodes a caption as ids <int32>[words], without start and end.

    Args:
        caption: any text.
        ids: from `map_to_ids`.
        max_words: later words are left out.

    Example:
        >>> encode_caption("A dog barks!", map_to_ids(["a", "dog"]), 10)
        array([4, 5, 1], dtype=int32)
    """
    words = tokenize(caption)[:max_words]
    return np.array([ids.get(word, UNKNOWN_ID) for word in words], np.int32)


@keras.saving.register_keras_serializable(package=__package__)
class Writer(keras.layers.Layer):
    """Writes ids as a caption.

    Args:
        vocabulary: the words from id NUM_SPECIAL on.

    Call arguments:
        ids: <int32>[..., time]; special ids are left out.

    Returns:
        <string>[...], UTF-8.

    Example:
        >>> writer = Writer(["the", "dog", "'s", "tail"])
        >>> writer(tf.constant([[4, 5, 6, 7, 3, 3]])).numpy()
        array([b"the dog's tail"], dtype=object)
    """

    def __init__(self, vocabulary: list[str], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.vocabulary = list(vocabulary)
        # Padding, unknown, start and end are nothing to read.
        words = [b""] * NUM_SPECIAL + [b" " + x.encode() for x in vocabulary]
        self.words = tf.constant(words)

    @property
    def num_ids(self) -> int:
        """The size of the vocabulary, special ids included."""
        return NUM_SPECIAL + len(self.vocabulary)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        text = tf.strings.reduce_join(tf.gather(self.words, ids), axis=-1)
        for pattern, replacement in RULES:
            text = tf.strings.regex_replace(text, pattern, replacement)
        return text

    def split(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the word of each id, "" for special ones: <string>[...]."""
        return tf.strings.strip(tf.gather(self.words, ids))

    def get_config(self) -> dict:
        return super().get_config() | {"vocabulary": self.vocabulary}
