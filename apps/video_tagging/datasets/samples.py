"""A few videos as files: something to try the model on."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from common import atomic

from .example import Example

NUM_WRITTEN = 4
FOLDER = "samples"


def write_samples(run: Path, examples: Sequence[Example]) -> None:
    """Writes the first few generated videos, which have no files.

    Each is a folder of pictures: to read those needs no further package.

    Args:
        run: the run folder.
        examples: the videos; those that have files are left out.
    """
    clips = {
        example.name: example.source
        for example in examples[:NUM_WRITTEN]
        if isinstance(example.source, np.ndarray)
    }
    if (run / FOLDER).exists() or not clips:
        return
    with atomic.write(run / FOLDER) as partial:
        for name, frames in clips.items():
            (partial / name).mkdir(parents=True)
            for number, frame in enumerate(frames):
                picture = tf.io.encode_png(frame).numpy()
                (partial / name / f"{number:04}.png").write_bytes(picture)


def example_input(run: Path, examples: Sequence[Example]) -> str:
    """Returns an argument of `predict RUN` that shows the tags of a video.

    Args:
        run: the run folder.
        examples: the videos, at least one.
    """
    first = examples[0]
    if isinstance(first.source, np.ndarray):
        return shlex.quote(str(run / FOLDER / first.name))
    return shlex.quote(str(first.source))
