"""How videos are seen in training: as frames, or as features of frames."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.data import feature_arrays, feature_store
from common.data.feature_store import FeatureFolder
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import videos

from . import datasets, encoder, features
from .config import Config

Examples = list[datasets.Example]
# Reads the frames of a video, or their features.
Look = Callable[[datasets.Example], videos.Clip]

USUAL_RATE = 30.0  # Frames a second, to guess how much memory they take.
GIGABYTE = 1e9


def look(
    examples: Examples, config: Config, skipped: Skipped
) -> tuple[Look, set[str]]:
    """Chooses how to see some videos.

    Args:
        examples: videos of training and validation.
        config: all options.
        skipped: notes videos that cannot be read, where features of them are
            computed; else such a video is an error when it is looked at.

    Returns:
        What reads a video, and the names of those that can be read.

    Raises:
        UserError: for features that do not fit each other or the encoder, or
            frames that would not fit in memory.
    """
    paths = {
        example.name: example.source
        for example in examples
        if isinstance(example.source, Path)
    }
    names = {example.name for example in examples}

    def read(example: datasets.Example) -> videos.Clip:
        return videos.read_clip(example.source, config.image_size, config.rate)

    arrays = [x for x in paths.values() if feature_arrays.is_features(x)]
    if arrays:
        feature_arrays.check_same_dim(arrays)
        if not encoder.is_trained(config):
            _check_encoder(config)
        return read, names
    if encoder.is_trained(config):
        _check_memory(paths, config)
        return read, names
    if not paths:
        raise UserError(
            f"--encoder {config.encoder} needs files: write the builtin ones"
            f" with python -m {__package__}.datasets.builtin FOLDER, and pass"
            " --data FOLDER"
        )
    # A frozen encoder sees each frame once and for all.
    folder = features.open_cache(config)
    done = set(features.compute(paths, config, folder, skipped))

    def of_cache(example: datasets.Example) -> videos.Clip:
        values = feature_arrays.load(folder.array_path(example.name))
        return videos.Clip(values, *folder.read_times(example.name))

    return of_cache, done


def _check_encoder(config: Config) -> None:
    """Features and videos must be seen through the same encoder."""
    folder = Path(config.data)
    if not (folder / feature_store.INDEX).is_file():
        raise UserError(
            f"--data {config.data}: it does not tell which encoder made its"
            f" features; leave out --encoder {config.encoder}, and the model"
            " knows features only"
        )
    FeatureFolder(folder, encoder.signature(config))  # Refuses another one.


def _check_memory(paths: dict[str, Path], config: Config) -> None:
    size = 3 * config.image_size**2
    total = 0.0
    for path in paths.values():
        seconds = videos.duration(path, config.rate)
        # A folder of pictures has one a second where nothing else is known.
        usual = 1.0 if path.is_dir() else USUAL_RATE
        total += seconds * (config.rate or usual) * size / GIGABYTE
        if total > config.max_gigabytes:
            raise UserError(
                f"{path}: with this video of {seconds / 3600:.1f} hours the"
                f" frames take {total:.1f} GB, and --max-gigabytes is"
                f" {config.max_gigabytes:g}: choose a lower --rate or"
                " --image-size, or compute features first, with"
                f" python -m {__package__}.features"
            )


def given_dim(seen: np.ndarray, config: Config) -> int | None:
    """The size of features of which no encoder is known; else None.

    Args:
        seen: what the network gets of a video.
        config: names the encoder.
    """
    if seen.ndim == 2 and encoder.is_trained(config):
        return seen.shape[1]
    return None
