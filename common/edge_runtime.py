"""Runs the graphs of an edge export, with NumPy and the runtime alone.

An export has a copy of this file, `runtime.py`, beside its `example.py`: it
imports neither TensorFlow nor this project.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

DESCRIPTION = "model.json"
# In a description, $1 is what the first group of a pattern matched.
_GROUP = re.compile(r"\$(\d)")

Arrays = dict[str, np.ndarray]
# From inputs by name to outputs by name.
RunFn = Callable[..., Arrays]


def read_description(folder: Path) -> dict[str, Any]:
    """Reads inputs, outputs and special ids of an export."""
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))


def read_names(path: Path) -> list[str]:
    """Reads a vocabulary or labels: one name a line, some as JSON strings."""
    lines = path.read_bytes().decode("utf-8").split("\n")[:-1]
    return [_decode_name(line) for line in lines]


def _decode_name(line: str) -> str:
    if line.startswith('"') and line.endswith('"') and "\\" in line:
        try:
            return str(json.loads(line))
        except ValueError:
            return line  # A name of its own, with quotes and a backslash.
    return line


def open_graph(folder: Path, name: str) -> RunFn:
    """Opens a graph of an export.

    Args:
        folder: of the export.
        name: of the graph, such as "encode".

    Returns:
        A function from inputs by name to outputs by name.
    """
    graph = read_description(folder)["graphs"][name]
    path = str(folder / graph["file"])
    if path.endswith(".tflite"):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(path).get_signature_runner()
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    outputs = [output["name"] for output in graph["outputs"]]

    def run(**inputs: np.ndarray) -> Arrays:
        values = session.run(outputs, inputs)
        return dict(zip(outputs, values, strict=True))

    return run


def replace_all(text: str, rules: list[list[str]]) -> str:
    r"""Replaces pattern after pattern; they are those of a description.

    `\p{L}` is a letter: Python's own `re` does not know it, `regex` does.
    """
    import regex

    for pattern, replacement in rules:
        text = regex.sub(pattern, _GROUP.sub(r"\\\1", replacement), text)
    return text


def decode_greedily(
    step: RunFn, state: Arrays, start: int, end: int, longest: int
) -> Iterator[tuple[int, Arrays]]:
    """Yields the likeliest id of each step, and the outputs that gave it.

    Args:
        step: the graph `decode_step`.
        state: the outputs of the graph `encode`, of one row.
        start: the id before the first one.
        end: the id after the last one.
        longest: the most ids.
    """
    last = start
    for _ in range(longest):
        outputs = step(ids=np.array([last], np.int32), **state)
        last = int(outputs["logits"][0].argmax())
        if last == end:
            return
        yield last, outputs
        state = {
            name: outputs.get(f"next_{name}", value)
            for name, value in state.items()
        }
