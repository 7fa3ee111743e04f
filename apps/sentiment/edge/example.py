"""Labels texts without TensorFlow: `python example.py TEXT...`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import regex

from common import edge_runtime as runtime

FOLDER = Path(__file__).parent


def encode_text(
    text: str, ids: dict[str, int], rules: dict[str, Any]
) -> np.ndarray:
    """Encodes a text as the graph reads it.

    Args:
        text: any text.
        ids: of the words.
        rules: `text` of the description.

    Returns:
        <int32>[1, words], at least one.
    """
    text = runtime.replace_all(text.lower(), rules["rules"])
    # Python's own split() takes other characters for spaces too.
    words = [word for word in regex.split(rules["spaces"], text) if word]
    words = words or [rules["empty_text"]]
    num_first = rules["max_tokens"] // 2
    num_last = rules["max_tokens"] - num_first
    if len(words) > rules["max_tokens"]:
        words = words[:num_first] + words[-num_last:]
    return np.array([[ids.get(x, rules["unknown_id"]) for x in words]], "int32")


def main() -> None:
    """Prints the label of each text, and its probability."""
    rules = runtime.read_description(FOLDER)["text"]
    words = runtime.read_names(FOLDER / "vocabulary.txt")
    ids = {word: n for n, word in enumerate(words, rules["first_id"])}
    labels = runtime.read_names(FOLDER / "labels.txt")
    classify = runtime.open_graph(FOLDER, "classify")
    for text in sys.argv[1:]:
        probabilities = classify(ids=encode_text(text, ids, rules))
        row = probabilities["probabilities"][0]
        print(f"{labels[row.argmax()]}\t{row.max():.4f}\t{text}")


if __name__ == "__main__":
    main()
