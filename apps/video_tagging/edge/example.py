"""Tags frames without TensorFlow: `python example.py FILE...`.

A file is `.npy`: frames <uint8>[time, size, size, 3] or features
<float32>[time, features].
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from common import edge_runtime as runtime

FOLDER = Path(__file__).parent


def tag_video(values: np.ndarray, description: dict[str, Any]) -> np.ndarray:
    """Computes the probabilities <float32>[time, classes] of a whole video."""
    if "encode" in description["graphs"]:
        encode = runtime.open_graph(FOLDER, "encode")
        rows = [encode(frame=x[None])["features"] for x in values]
        values = np.concatenate(rows)
    tag = runtime.open_graph(FOLDER, "tag")
    lengths = np.array([len(values)], np.int32)
    return tag(features=values[None], lengths=lengths)["probabilities"][0]


def tag_stream(values: np.ndarray, description: dict[str, Any]) -> np.ndarray:
    """Computes the same frame by frame, as of a camera; states are kept."""
    step = runtime.open_graph(FOLDER, "step")
    first, *specs = description["graphs"]["step"]["inputs"]
    states = {
        spec["name"]: np.zeros([1, spec["shape"][1]], np.float32)
        for spec in specs
    }
    rows = []
    for value in values:
        outputs = step(**{first["name"]: value[None]}, **states)
        rows.append(outputs["probabilities"][0])
        states = {name: outputs[f"next_{name}"] for name in states}
    return np.stack(rows)


def name_tags(row: np.ndarray, labels: list[str], threshold: float) -> str:
    """Names the tag of a frame, or all above a threshold if it is not 0."""
    if not threshold:
        return labels[row.argmax()]
    tags = [x for x, p in zip(labels, row, strict=True) if p >= threshold]
    return " ".join(tags)


def main() -> None:
    """Prints the tags of each frame, in one line a file."""
    description = runtime.read_description(FOLDER)
    labels = runtime.read_names(FOLDER / "labels.txt")
    is_causal = "step" in description["graphs"]
    for path in sys.argv[1:]:
        compute = tag_stream if is_causal else tag_video
        rows = compute(np.load(path), description)
        names = (name_tags(x, labels, description["threshold"]) for x in rows)
        print(", ".join(names))


if __name__ == "__main__":
    main()
