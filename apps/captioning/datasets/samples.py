"""A few validation images to try the trained model on."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from common import atomic

from .example import Example

NUM_WRITTEN = 8
FOLDER = "samples"


def write(run: Path, examples: Sequence[Example]) -> None:
    """Writes the first few pictures of generated data, which have no files.

    Args:
        run: the run folder.
        examples: the validation images.
    """
    chosen = examples[:NUM_WRITTEN]
    if (run / FOLDER).exists() or not isinstance(chosen[0].image, bytes):
        return
    with atomic.write(run / FOLDER) as partial:
        partial.mkdir()
        for example in chosen:
            assert isinstance(example.image, bytes)
            (partial / example.name).write_bytes(example.image)


def example_input(run: Path, example: Example, features: str) -> str:
    """Returns the words behind `predict RUN` that caption an image.

    Args:
        run: the run folder.
        example: a validation image.
        features: the features file of training, or "".
    """
    if features:
        return shlex.join(["--features", features, example.name])
    if isinstance(example.image, bytes):
        return shlex.quote(str(run / FOLDER / example.name))
    return shlex.quote(example.image)
