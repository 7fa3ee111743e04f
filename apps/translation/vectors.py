"""Pretrained word vectors, from a text file of word2vec's or GloVe's form."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from common.data import text_files
from common.errors import UserError

from . import text


def fill(
    embedding: keras.layers.Embedding,
    tokenizer: text.Tokenizer,
    path: str,
    encoding: str,
) -> int:
    """Gives the words that a file knows the vectors that it has for them.

    Args:
        embedding: the layer to fill.
        tokenizer: knows which row is which word.
        path: a line is a word and its numbers, between spaces; a first line
            of two numbers only, as word2vec writes it, is passed over.
        encoding: the file's.

    Returns:
        How many words were found.

    Raises:
        UserError: if the file cannot be read, or its vectors are of another
            size than the layer's.
    """
    rows = {
        text.token_of(line).decode("utf-8", "replace").strip(): row
        for row, line in enumerate(tokenizer.vocabulary, text.NUM_SPECIAL)
    }
    vectors = embedding.embeddings.numpy()
    found = set()
    for number, word, values in _lines(Path(path), encoding):
        if word not in rows:
            continue
        if len(values) != vectors.shape[1]:
            raise UserError(
                f"{path}:{number}: a vector of {len(values)} numbers, but"
                f" --embedding-dim is {vectors.shape[1]}: make them equal"
            )
        vectors[rows[word]] = _numbers(values, f"{path}:{number}")
        found.add(word)
    embedding.embeddings.assign(vectors)
    return len(found)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in enumerate(
        text_files.read_bare_lines(path, encoding), 1
    ):
        word, *values = line.rstrip().split(" ")
        is_header = number == 1 and len(values) == 1 and word.isdigit()
        if not is_header:
            yield number, word, values


def _numbers(values: list[str], where: str) -> np.ndarray:
    try:
        return np.array([float(value) for value in values], np.float32)
    except ValueError as error:
        raise UserError(f"{where}: expected a word and numbers: {error}") from (
            error
        )
