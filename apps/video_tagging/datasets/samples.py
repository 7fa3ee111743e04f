"""A few validation videos as files: something to try the model on."""

import shlex
from pathlib import Path

import numpy as np
import tensorflow as tf

from common import atomic

from .. import data

NUM_WRITTEN = 4
FOLDER = "samples"


def write(run: Path, dataset: data.Data) -> None:
    """Writes the first few generated videos, which have no files.

    Each is a folder of pictures: to read those needs no further package.

    Args:
        run: the run folder.
        dataset: has the videos.
    """
    chosen = dataset.some[:NUM_WRITTEN]
    made = [x for x in chosen if isinstance(x.source, np.ndarray)]
    if (run / FOLDER).exists() or not made:
        return
    with atomic.write(run / FOLDER) as partial:
        for example in made:
            assert isinstance(example.source, np.ndarray)
            folder = partial / example.name
            folder.mkdir(parents=True)
            for number, frame in enumerate(example.source):
                picture = tf.io.encode_png(frame).numpy()
                (folder / f"{number:04}.png").write_bytes(picture)


def example_input(run: Path, dataset: data.Data) -> str:
    """What to type behind `predict RUN`, to see the tags of a video.

    Args:
        run: the run folder.
        dataset: has the videos.
    """
    first = dataset.some[0]
    if isinstance(first.source, np.ndarray):
        return shlex.quote(str(run / FOLDER / first.name))
    return shlex.quote(str(first.source))
