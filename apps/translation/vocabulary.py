"""Vocabularies: learnt from texts, and with pretrained word vectors."""

import collections
import itertools
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from common.data import text_files
from common.errors import UserError

from . import text

# Lines of word vectors that tell their size.
NUM_SAMPLED = 1000
# Every byte, so that subwords and characters can spell anything.
BYTES = [bytes([value]) for value in range(256)]


def learn(
    pieces: collections.Counter[bytes], level: str, vocab_size: int
) -> list[str]:
    """Chooses the tokens for texts whose pieces were counted.

    What occurs once teaches nothing about itself and is left out.

    Args:
        pieces: how often each piece occurs, as `text.pieces` cuts them.
        level: one of `text.LEVELS`.
        vocab_size: the most ids, special ones included.

    Returns:
        The tokens, as `text.escape_token` writes them.

    Raises:
        UserError: if bytes alone are more than `vocab_size`, or a package is
            missing.

    Example:
        >>> pieces = collections.Counter({b" a": 3, b" dog": 2, b" cat": 1})
        >>> learn(pieces, "word", vocab_size=10)
        [' a', ' dog']
    """
    size = vocab_size - text.NUM_SPECIAL
    if level == "word":
        return [text.escape_token(token) for token in _frequent(pieces, size)]
    if size < len(BYTES):
        raise UserError(
            f"--vocab-size must be at least {text.NUM_SPECIAL + len(BYTES)}"
            f" for --level {level}, which holds every byte, got {vocab_size}"
        )
    tokens = (
        _subwords(pieces, size)
        if level == "subword"
        else _characters(pieces, size)
    )
    return [text.escape_token(token) for token in tokens]


def _frequent(counts: collections.Counter[bytes], size: int) -> list[bytes]:
    ranked = sorted((-n, token) for token, n in counts.items() if n > 1)
    return [token for _, token in ranked[:size]]


def _characters(pieces: collections.Counter[bytes], size: int) -> list[bytes]:
    counts: collections.Counter[bytes] = collections.Counter()
    for piece, number in pieces.items():
        for character in piece.decode("utf-8", "ignore"):
            counts[character.encode()] += number
    longer = collections.Counter(
        {token: n for token, n in counts.items() if len(token) > 1}
    )
    return BYTES + _frequent(longer, size - len(BYTES))


def _subwords(pieces: collections.Counter[bytes], size: int) -> list[bytes]:
    """Merges byte pairs, from single bytes on.

    Sennrich et al. 2016, "Neural machine translation of rare words with
    subword units", section 3.2.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise UserError(
            "--level subword needs the package tokenizers: pip install"
            ' "rnn-topologies[translation]", or choose --level word or char'
        ) from error
    # In Latin-1 every byte is a character.
    byte_pairs = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        initial_alphabet=[byte.decode("latin-1") for byte in BYTES],
        show_progress=False,
    )
    words = (
        [piece.decode("latin-1")] * number for piece, number in pieces.items()
    )
    byte_pairs.train_from_iterator(words, trainer)
    ranked = sorted(byte_pairs.get_vocab().items(), key=lambda item: item[1])
    return [token.encode("latin-1") for token, _ in ranked]


def load_vectors(
    path: str,
    encoding: str,
    tokenizer: text.Tokenizer,
    embedding: keras.layers.Embedding,
) -> int:
    """Initializes an embedding from pretrained word vectors.

    Words that the file does not have keep the vectors they have.

    Args:
        path: a line is a word, which may have spaces in it, and its numbers,
            between spaces; a first line of two numbers only, as word2vec
            writes it, is passed over.
        encoding: of the file.
        tokenizer: knows the words, by row.
        embedding: the layer, built.

    Returns:
        The number of words with a pretrained vector.

    Raises:
        UserError: if the file cannot be read, or its vectors are of another
            size than the layer's.
    """
    rows = {
        text.unescape_token(line).decode("utf-8", "replace").strip(): row
        for row, line in enumerate(tokenizer.vocabulary, text.NUM_SPECIAL)
    }
    vectors = embedding.embeddings.numpy()
    words = set()
    for number, word, values in _read_vectors(Path(path), encoding):
        if word not in rows:
            continue
        if len(values) != vectors.shape[1]:
            raise UserError(
                f"{path}:{number}: a vector of {len(values)} numbers, but"
                f" --embedding-dim is {vectors.shape[1]}: make them equal"
            )
        vectors[rows[word]] = _parse_vector(values, f"{path}:{number}")
        words.add(word)
    embedding.embeddings.assign(vectors)
    return len(words)


def _read_vectors(
    path: Path, encoding: str
) -> Iterator[tuple[int, str, list[str]]]:
    lines = (
        line.rstrip().split(" ")
        for line in text_files.read_bare_lines(path, encoding)
    )
    first_number = 1
    sample = list(itertools.islice(lines, NUM_SAMPLED))
    if sample and len(sample[0]) == 2 and sample[0][0].isdecimal():
        first_number = 2
        del sample[0]
    # A few tokens, such as ". . .", have spaces: most lines tell the size.
    sizes = collections.Counter(len(fields) for fields in sample)
    num_fields = min(sizes, key=lambda size: (-sizes[size], size), default=1)
    rows = itertools.chain(sample, lines)
    for number, fields in enumerate(rows, first_number):
        start = max(len(fields) - num_fields + 1, 1)
        yield number, " ".join(fields[:start]), fields[start:]


def _parse_vector(values: list[str], where: str) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(value) for value in values], np.float32)
    except ValueError as error:
        reason = str(error)[:80]
        raise UserError(
            f"{where}: expected a word and numbers: {reason}"
        ) from error
    if not np.isfinite(vector).all():
        raise UserError(
            f"{where}: expected finite numbers, got NaN or infinite ones: mend"
            " the line, or remove it"
        )
    return vector
