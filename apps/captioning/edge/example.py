"""Captions pictures without TensorFlow: `python example.py FILE...`.

A file is `.npy` (pixels or features, as the graph `encode` takes them) or, if
Pillow is installed, a picture.
"""

import sys
from pathlib import Path

import numpy as np

from common import edge_runtime as runtime

FOLDER = Path(__file__).parent


def read_input(path: str, shape: list) -> np.ndarray:
    """Reads an input of the graph `encode`, <float32>[1, ...].

    A picture is squeezed to the size of the model, as in training.
    """
    if path.endswith(".npy"):
        return np.load(path)[None].astype("float32")
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    picture = picture.resize((shape[2], shape[1]), Image.Resampling.BILINEAR)
    return np.array(picture, "float32")[None]


def write_caption(ids: list[int], words: list[str], rules: dict) -> str:
    """Joins the words of a caption."""
    text = "".join(f" {words[k - rules['first_id']]}" for k in ids)
    return runtime.replace_all(text, rules["rules"])


def main() -> None:
    """Prints a caption of each file: the likeliest word at each step."""
    description = runtime.read_description(FOLDER)
    rules, decoding = description["text"], description["decoding"]
    words = runtime.read_names(FOLDER / "vocabulary.txt")
    encode = runtime.open_graph(FOLDER, "encode")
    step = runtime.open_graph(FOLDER, "decode_step")
    (spec,) = description["graphs"]["encode"]["inputs"]
    for path in sys.argv[1:]:
        state = encode(**{spec["name"]: read_input(path, spec["shape"])})
        ids = [k for k, _ in runtime.decode_greedily(step, state, **decoding)]
        print(write_caption(ids, words, rules))


if __name__ == "__main__":
    main()
