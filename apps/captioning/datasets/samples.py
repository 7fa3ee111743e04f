"""A few validation images: shown in training, and something to try later."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import atomic

from .. import datasets

NUM_SHOWN = 3
NUM_WRITTEN = 8
FOLDER = "samples"


def first(
    examples: Sequence[datasets.Example], captions: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The names of the first few examples, with their captions."""
    names = [example.name for example in examples[:NUM_SHOWN]]
    yield from zip(names, captions, strict=False)


def write(run: Path, examples: Sequence[datasets.Example]) -> None:
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


def example_input(
    run: Path, examples: Sequence[datasets.Example], features: str
) -> str:
    """What to type behind `predict RUN`, to see the first of some images.

    Args:
        run: the run folder.
        examples: the images.
        features: the features file of training, if there was one.
    """
    example = examples[0]
    if features:
        return shlex.join(["--features", features, example.name])
    if isinstance(example.image, bytes):
        return shlex.quote(str(run / FOLDER / example.name))
    return shlex.quote(example.image)
