"""Translates without TensorFlow: `python example.py SENTENCE...`."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import regex

from common import edge_runtime as runtime

FOLDER = Path(__file__).parent


def read_tokens(name: str) -> list[bytes]:
    """Reads a vocabulary."""
    lines = runtime.read_names(FOLDER / f"{name}_vocabulary.txt")
    return [unescape(line) for line in lines]


def unescape(line: str) -> bytes:
    r"""Returns the bytes of a token, written as \x0a where they are no text."""
    return re.sub(
        rb"\\x(..)", lambda match: bytes([int(match[1], 16)]), line.encode()
    )


def cut_words(text: str, rules: dict[str, Any]) -> list[bytes]:
    """Cuts a text into words, each with the space before it."""
    text = text.encode()[: rules["max_bytes"]].decode("utf-8", "ignore")
    words = regex.findall(rules["pattern"], " " + text)
    size = rules["max_word_bytes"]
    return [
        word[start : start + size]
        for word in map(str.encode, words)
        for start in range(0, len(word), size)
    ]


def encode_words(
    words: list[bytes], ids: dict[bytes, int], rules: dict[str, Any]
) -> list[int]:
    """Encodes words as ids, with an end; longest tokens first."""
    result, longest = [], max(map(len, ids), default=1)
    for word in words:
        if rules["level"] == "word":
            result.append(ids.get(word, rules["unknown_id"]))
            continue
        while word:
            lengths = range(min(longest, len(word)), 0, -1)
            size = next((n for n in lengths if word[:n] in ids), 1)
            result.append(ids.get(word[:size], rules["unknown_id"]))
            word = word[size:]
    return [*result, rules["end_id"]]


def translate(text: str, description: dict[str, Any], graphs: dict) -> str:
    """Translates a text: the likeliest token at each step."""
    rules, decoding = description["text"], description["decoding"]
    words = cut_words(text, rules)
    ids = encode_words(words, graphs["ids"], rules)
    state = graphs["encode"](ids=np.array([ids], np.int32))
    longest = decoding["growth"] * len(ids) + decoding["more"]
    tokens = []
    for token, outputs in runtime.decode_greedily(
        graphs["decode_step"],
        state,
        decoding["start"],
        decoding["end"],
        min(longest, decoding["longest"]),
    ):
        if token == rules["unknown_id"] and rules["copies_unknown"] and words:
            # The word that it looked at most; the end is none.
            place = outputs["next_weights"][0, : len(words)].argmax()
            tokens.append(words[place])
        else:
            tokens.append(graphs["tokens"][token])
    return b"".join(tokens).decode("utf-8", "replace").removeprefix(" ")


def open_graphs() -> dict[str, Any]:
    """Opens the graphs, and reads the tokens of both languages."""
    special = [b"", b" <unk>", b"", b""]
    source = read_tokens("source")
    return {
        "ids": {token: k for k, token in enumerate(source, len(special))},
        "tokens": [*special, *read_tokens("target")],
        "encode": runtime.open_graph(FOLDER, "encode"),
        "decode_step": runtime.open_graph(FOLDER, "decode_step"),
    }


def main() -> None:
    """Prints the translation of each sentence."""
    description, graphs = runtime.read_description(FOLDER), open_graphs()
    for text in sys.argv[1:]:
        print(translate(text, description, graphs) if text.strip() else "")


if __name__ == "__main__":
    main()
