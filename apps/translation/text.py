r"""Between strings and token ids, inside the TensorFlow graph.

The same operations run in training and in the exported model, so that what is
served cannot differ from what was trained. They are operations of TensorFlow
itself: a SavedModel needs nothing else.

A text is cut into pieces, each a word with the space before it. What becomes
of a piece depends on the vocabulary:

- `word`: a piece is a token, or unknown.
- `subword`: a piece is cut into the longest tokens that fit, from the left.
- `char`: the same, with a vocabulary of single characters.

The last two work on bytes, and every single byte is a token: nothing is
unknown, and joining the tokens gives back every text exactly.
"""

import re

import keras
import tensorflow as tf

PADDING_ID = 0
UNKNOWN_ID = 1
START_ID = 2
END_ID = 3
NUM_SPECIAL = 4

LEVELS = ("word", "subword", "char")
# Shown where a word is unknown and nothing stands in for it.
UNKNOWN = b" <unk>"

# No text in UTF-8 has this byte: it marks the beginnings of pieces.
_MARK = b"\xff"
# One of the alternatives matches, whatever the next character is.
_PIECE = r"( ?[\pL\pM]+| ?\pN+| ?[^\s\pL\pM\pN]|\s+)"
# Scripts that write no spaces: of these, a character is a word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}"
_WORD = (
    rf"( ?[{_UNSPACED}]| ?(?:[^\PL{_UNSPACED}]|\pM)+"
    r"| ?\pN+| ?[^\s\pL\pM\pN]|\s+)"
)
PATTERNS = {"word": _WORD, "subword": _PIECE, "char": _PIECE}
# Texts without spaces have long pieces, and cutting takes a step for a token.
MAX_WORD_BYTES = 48
# Of a text that is translated: pages, where training had sentences.
MAX_BYTES = 4096


def pieces(text: tf.Tensor, level: str = "subword") -> tf.RaggedTensor:
    """Cuts texts into words, numbers and marks with the space before them.

    A space is put in front, so that a word at the beginning is the same piece
    as elsewhere; joined, the pieces are that space and the text.

    Args:
        text: <string>[batch], UTF-8; invalid bytes become U+FFFD.
        level: with "word", each Chinese character or Japanese kana is a
            piece; the other levels cut pieces further themselves.

    Returns:
        <string>[batch, (pieces)], at least one in every row.

    Example:
        >>> pieces(tf.constant(["It's 5 o'clock!"])).to_list()
        [[b' It', b"'", b's', b' 5', b' o', b"'", b'clock', b'!']]
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
    spaced = b" " + text
    marked = tf.strings.regex_replace(spaced, PATTERNS[level], _MARK + rb"\1")
    # In front of the first mark there is nothing.
    return _split_long(tf.strings.split(marked, _MARK)[:, 1:])


def _split_long(words: tf.RaggedTensor) -> tf.RaggedTensor:
    """Cuts words longer than MAX_WORD_BYTES into several pieces."""
    # At once, a text of a million bytes without a space would be copied
    # 20,000 times.
    for size in (MAX_WORD_BYTES**3, MAX_WORD_BYTES**2, MAX_WORD_BYTES):
        words = _cut(words, size)
    return words


def _cut(words: tf.RaggedTensor, size: int) -> tf.RaggedTensor:
    flat = words.flat_values
    num_parts = (tf.strings.length(flat) - 1) // size + 1
    num_parts = tf.cast(num_parts, words.row_splits.dtype)
    starts = tf.ragged.range(num_parts).flat_values * size
    parts = _substring(tf.repeat(flat, num_parts), starts, size)
    parts = tf.RaggedTensor.from_row_lengths(parts, num_parts)
    return words.with_flat_values(parts).merge_dims(1, 2)


def _substring(text: tf.Tensor, start: tf.Tensor, length: int) -> tf.Tensor:
    lengths = tf.fill(tf.shape(start), tf.cast(length, start.dtype))
    return tf.strings.substr(text, start, lengths)


def escape_token(token: bytes) -> str:
    r"""Writes any bytes as one line of text; `unescape_token` reads it.

    Example:
        >>> escape_token(b"\xc3\xa9t\xc3\n")
        'ét\\xc3\\x0a'
    """
    escaped = re.sub(rb"[\x00-\x1f\\\x7f]", _hex, token)
    return escaped.decode("utf-8", "backslashreplace")


def _hex(match: re.Match) -> bytes:
    return b"\\x%02x" % match[0][0]


def unescape_token(line: str) -> bytes:
    r"""Reads a line that `escape_token` wrote.

    Example:
        >>> unescape_token("ét\\xc3\\x0a")
        b'\xc3\xa9t\xc3\n'
    """
    return re.sub(
        rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), line.encode("utf-8")
    )


def cut_text(text: tf.Tensor) -> tf.Tensor:
    """Cuts texts <string>[batch] to MAX_BYTES, and between two characters.

    Example:
        >>> cut = cut_text(tf.constant(["short", "x" + "é" * 9_999]))
        >>> tf.strings.length(cut).numpy()
        array([   5, 4095], dtype=int32)
    """
    cut = tf.strings.substr(text, 0, MAX_BYTES)
    cut = tf.strings.unicode_transcode(cut, "UTF-8", "UTF-8", "ignore")
    return tf.where(tf.strings.length(text) > MAX_BYTES, cut, text)


@keras.saving.register_keras_serializable(package=__package__)
class Tokenizer(keras.layers.Layer):
    """Turns texts into token ids, and ids into texts.

    Ids 0 to 3 are padding, unknown, start and end; the vocabulary follows.

    Args:
        vocabulary: the tokens, as `escape_token` writes them. Those of
            `subword` and `char` hold all 256 bytes.
        level: one of LEVELS.

    Call arguments:
        text: <string>[batch].

    Returns:
        <int32>[batch, time], right-padded; every row has an end.

    Example:
        >>> tokenizer = Tokenizer([" a", " dog", "."], "word")
        >>> tokenizer(tf.constant(["a dog.", "a cat"])).numpy()
        array([[4, 5, 6, 3],
               [4, 1, 3, 0]], dtype=int32)
    """

    def __init__(
        self, vocabulary: list[str], level: str, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary = list(vocabulary)
        self.level = level
        tokens = [unescape_token(line) for line in self.vocabulary]
        # There may be no word that occurs twice; TensorFlow wants one key.
        self.max_bytes = max(map(len, tokens), default=0)
        ids = tf.range(NUM_SPECIAL, NUM_SPECIAL + len(tokens))
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([b"", *tokens]), tf.concat([[-1], ids], 0)
            ),
            -1,
        )
        # Padding, start and end are nothing to read.
        self.tokens = tf.constant([b"", UNKNOWN, b"", b"", *tokens])

    @property
    def num_ids(self) -> int:
        """Size of the vocabulary, special ids included."""
        return NUM_SPECIAL + len(self.vocabulary)

    def ragged_ids(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Returns ids without an end or padding: <int32>[batch, (time)]."""
        words = pieces(text, self.level)
        if self.level == "word":
            ids = self.table.lookup(words.flat_values)
            return words.with_flat_values(tf.where(ids < 0, UNKNOWN_ID, ids))
        # A word is cut once, however often it occurs.
        distinct, places = tf.unique(words.flat_values)
        ids = tf.gather(self._longest_tokens(distinct), places)
        return words.with_flat_values(ids).merge_dims(1, 2)

    def _longest_tokens(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Takes the longest token off each word until nothing is left."""
        lengths = tf.range(1, self.max_bytes + 1)[None, :]

        def body(rest: tf.Tensor, ids: tf.Tensor) -> tuple:
            heads = tf.strings.substr(rest[:, None], 0 * lengths, lengths)
            head_ids = self.table.lookup(heads)
            # Lengths beyond the end of a word give the same head once more.
            best = tf.reduce_max(tf.where(head_ids < 0, 1, lengths), axis=1)
            next_ids = tf.gather(head_ids, best - 1, batch_dims=1)
            # A byte that is no token is unknown; after the end is padding.
            next_ids = tf.where(next_ids < 0, UNKNOWN_ID, next_ids)
            next_ids = tf.where(rest == b"", PADDING_ID, next_ids)
            best = tf.minimum(best, tf.strings.length(rest))
            rest = _substring(rest, best, MAX_WORD_BYTES)
            return rest, tf.concat([ids, next_ids[:, None]], axis=1)

        no_ids = tf.zeros([tf.shape(words)[0], 0], tf.int32)
        _, ids = tf.while_loop(
            lambda rest, _: tf.reduce_any(rest != b""),
            body,
            (words, no_ids),
            shape_invariants=(words.shape, tf.TensorShape([None, None])),
        )
        return tf.RaggedTensor.from_tensor(ids, padding=PADDING_ID)

    def is_known(self, words: tf.Tensor, is_full: bool = True) -> tf.Tensor:
        """Tells words that were learnt from those that are spelt.

        A subword vocabulary that is not full has every word that training
        shows twice as one token. In a full one, a rare word has parts too, and
        only one in parts of less than two characters counts as unknown.

        Args:
            words: <string>[words], as `pieces` cuts them.
            is_full: whether the vocabulary is as large as it may be.

        Returns:
            <bool>[words].
        """
        if self.level == "word":
            return self.table.lookup(words) >= 0
        num_tokens = self._longest_tokens(words).row_lengths()
        letters = tf.strings.length(tf.strings.strip(words), "UTF8_CHAR")
        letters = tf.cast(letters, num_tokens.dtype)
        if self.level == "char":  # The space before a word is a token too.
            return num_tokens <= letters + 1
        return (num_tokens == 1) | (is_full & (letters >= 2 * num_tokens))

    def call(self, text: tf.Tensor) -> tf.Tensor:
        ids = self.ragged_ids(text)
        ends = tf.fill([ids.nrows(), 1], END_ID)
        ids = tf.concat([ids, ends], axis=1).to_tensor(PADDING_ID)
        # A batch of no rows still needs one step to run.
        missing = tf.maximum(1 - tf.shape(ids)[1], 0)
        return tf.pad(ids, [[0, 0], [0, missing]])

    def decode(self, ids: tf.Tensor) -> tf.Tensor:
        """Joins tokens to texts.

        Args:
            ids: <int32>[..., time]; special ids are left out, but unknown
                ones read "<unk>".

        Returns:
            <string>[...], UTF-8.

        Example:
            >>> tokenizer = Tokenizer([" a", " dog", "."], "word")
            >>> tokenizer.decode(tf.constant([[4, 5, 6, 3, 0]])).numpy()
            array([b'a dog.'], dtype=object)
        """
        return join_tokens(tf.gather(self.tokens, ids))

    def compute_output_spec(self, text: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((text.shape[0], None), dtype="int32")

    def get_config(self) -> dict:
        return super().get_config() | {
            "vocabulary": self.vocabulary,
            "level": self.level,
        }


def join_tokens(tokens: tf.Tensor) -> tf.Tensor:
    """Joins tokens <string>[..., time] to texts <string>[...].

    The space that `pieces` puts in front is taken off; bytes that are no
    UTF-8, which a model may well produce, become U+FFFD.
    """
    text = tf.strings.reduce_join(tokens, axis=-1)
    text = tf.strings.regex_replace(text, "^ ", "", replace_global=False)
    return to_utf8(text)


def to_utf8(text: tf.Tensor) -> tf.Tensor:
    """Replaces bytes that are no UTF-8 by U+FFFD: <string>[...]."""
    return tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
