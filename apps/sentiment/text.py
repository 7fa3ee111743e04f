"""From strings to word numbers, inside the TensorFlow graph.

The same operations run in training and in the exported model, so that what is
served cannot differ from what was trained.
"""

from typing import Any

import keras
import tensorflow as tf

PADDING_ID = 0
UNKNOWN_ID = 1
NUM_SPECIAL = 2

# Words are shorter; of a longer text, the middle is not looked at.
BYTES_PER_TOKEN = 256

# Stands for a text without words: every row keeps one real step.
EMPTY_TEXT = "<empty>"

# Kept out of the punctuation rule while it runs; no text contains it after.
_APOSTROPHE = "\x01"

RULES = (
    (r"<[a-z/][^<>]*>", " "),  # HTML, such as the line breaks of web reviews.
    (r"[’`\x{02BC}]", "'"),
    (_APOSTROPHE, " "),
    # "didn't" is "did n't" and "it's" is "it 's", as in the Penn Treebank:
    # the negation becomes one word, whatever the verb.
    (r"n't\b", f" n{_APOSTROPHE}t "),
    (r"'(s|re|ve|ll|d|m)\b", rf" {_APOSTROPHE}\1 "),
    # Punctuation, symbols and emoji are words of their own, and so are the
    # characters of scripts that write no spaces.
    (rf"([^\pL\pM\pN\s{_APOSTROPHE}]|\p{{Han}}|\p{{Hiragana}}|\p{{Katakana}})",
     r" \1 "),
    (_APOSTROPHE, "'"),
    (r"[\s\pZ]+", " "),
)  # fmt: skip


def tokenize(text: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts into lower-case words and punctuation marks.

    Args:
        text: <string>[batch], UTF-8; invalid bytes become U+FFFD.

    Returns:
        <string>[batch, (words)], at least one word in every row.

    Example:
        >>> for words in tokenize(tf.constant(["It isn't bad!", ""])):
        ...     print([word.decode() for word in words.numpy()])
        ['it', 'is', "n't", 'bad', '!']
        ['<empty>']
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
    text = tf.strings.lower(text, encoding="utf-8")
    for pattern, replacement in RULES:
        text = tf.strings.regex_replace(text, pattern, replacement)
    text = tf.strings.strip(text)
    text = tf.where(tf.equal(text, ""), EMPTY_TEXT, text)
    return tf.strings.split(text)


def cut_text(text: tf.Tensor, max_tokens: int) -> tf.Tensor:
    """Takes out the middle of texts with many more bytes than are read.

    Args:
        text: <string>[batch].
        max_tokens: words of a text that are read.

    Returns:
        <string>[batch], of at most BYTES_PER_TOKEN bytes a word.

    Example:
        >>> cut_text(tf.constant(["a" * 999 + " end"]), 2).numpy()[0][-5:]
        b'a end'
    """
    half = BYTES_PER_TOKEN * max_tokens // 2
    length = tf.strings.length(text)
    # No place may lie outside of a text, however short.
    start = tf.maximum(length - half, 0)
    behind = tf.strings.substr(text, start, tf.fill(tf.shape(start), half))
    ends = tf.strings.substr(text, 0, half) + " " + behind
    # Characters that the cuts went through are left out.
    ends = tf.strings.unicode_transcode(ends, "UTF-8", "UTF-8", "ignore")
    return tf.where(length > 2 * half, ends, text)


def keep_ends(words: tf.RaggedTensor, max_tokens: int) -> tf.RaggedTensor:
    """Shortens long rows: the first and the last words stay, half and half.

    Reviews tell their verdict at the beginning or at the end.

    Args:
        words: <any>[batch, (words)].
        max_tokens: the most words to keep, at least 2.

    Returns:
        <any>[batch, (words)], every row at most `max_tokens` long.

    Example:
        >>> keep_ends(tf.ragged.constant([[1, 2, 3, 4, 5], [6]]), 4).to_list()
        [[1, 2, 4, 5], [6]]
    """
    num_first = max_tokens // 2
    first, rest = words[:, :num_first], words[:, num_first:]
    return tf.concat([first, rest[:, num_first - max_tokens :]], axis=1)


def pad_rows(rows: tf.RaggedTensor, padding: Any) -> tf.Tensor:
    """Pads rows to the longest of them, at least one step.

    Args:
        rows: <any>[batch, (time)].
        padding: what stands behind the end of a row.

    Returns:
        <any>[batch, time].

    Example:
        >>> pad_rows(tf.ragged.constant([[1, 2], [3]]), 0).numpy().tolist()
        [[1, 2], [3, 0]]
    """
    values = rows.to_tensor(padding)
    # A batch of no rows has no words: it still needs one step to run.
    missing = tf.maximum(1 - tf.shape(values)[1], 0)
    return tf.pad(values, [[0, 0], [0, missing]], constant_values=padding)


@keras.saving.register_keras_serializable(package=__package__)
class Vectorizer(keras.layers.Layer):
    """Turns texts into padded word ids.

    Id 0 is padding, 1 is every unknown word, the vocabulary follows.

    Args:
        vocabulary: the known words, without the two special ids.
        max_tokens: longer texts keep their first and last words.

    Call arguments:
        text: <string>[batch].

    Returns:
        <int32>[batch, time], right-padded; time is at least 1, and every row
        begins with a real word.

    Example:
        >>> vectorizer = Vectorizer(["a", "good", "film"], max_tokens=8)
        >>> vectorizer(tf.constant(["A good, good film", "", "film"])).numpy()
        array([[2, 3, 1, 3, 4],
               [1, 0, 0, 0, 0],
               [4, 0, 0, 0, 0]], dtype=int32)
    """

    def __init__(
        self, vocabulary: list[str], max_tokens: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary = list(vocabulary)
        self.max_tokens = max_tokens
        self.lookup = keras.layers.StringLookup(
            vocabulary=self.vocabulary, mask_token="", dtype="int64"
        )

    def build(self, text_shape: tuple) -> None:
        self.lookup.build(text_shape)

    def split(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Splits texts into the words that are read: <string>[batch, (time)].

        A text without words has the one word EMPTY_TEXT.
        """
        text = cut_text(text, self.max_tokens)
        return keep_ends(tokenize(text), self.max_tokens)

    def look_up(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Returns the ids <int32>[batch, (time)] of words."""
        ids = tf.cast(self.lookup(words.flat_values), tf.int32)
        return words.with_flat_values(ids)

    def ragged_ids(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns the ids before padding: <int32>[batch, (time)]."""
        return self.look_up(self.split(text))

    def call(self, text: tf.Tensor) -> tf.Tensor:
        return pad_rows(self.ragged_ids(text), PADDING_ID)

    def compute_output_spec(self, text: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((text.shape[0], None), dtype="int32")

    def get_config(self) -> dict:
        return super().get_config() | {
            "vocabulary": self.vocabulary,
            "max_tokens": self.max_tokens,
        }
