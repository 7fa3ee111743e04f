"""Reads videos as the network takes them: as frames, or as features of frames.

A frozen encoder sees each frame once: its features are kept in files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from common.data import feature_arrays, feature_cache, feature_store
from common.data.feature_store import FeatureFolder
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import extraction, videos
from common.media.videos import Clip

from .config import Config
from .datasets import Example
from .encoder import build_encoder, encoder_signature, is_trained

# Reads all frames of a video, or their features.
VideoLoader = Callable[[Example], Clip]

USUAL_RATE = 30.0  # Frames a second, to guess how much memory they take.
GIGABYTE = 1e9


def make_loader(
    examples: Sequence[Example], config: Config, skipped: Skipped
) -> tuple[VideoLoader, set[str]]:
    """Makes a loader of videos; computes their features if needed.

    Args:
        examples: videos of training and validation.
        config: all options.
        skipped: notes videos that cannot be read, where features of them are
            computed; else such a video is an error when it is loaded.

    Returns:
        The loader, and the names of the videos that can be read.

    Raises:
        UserError: for features that do not fit each other or the encoder, or
            frames that would not fit in memory.
    """
    paths = {x.name: x.source for x in examples if isinstance(x.source, Path)}
    arrays = [x for x in paths.values() if feature_arrays.is_features(x)]
    if arrays:
        feature_arrays.check_same_dim(arrays)
        if not is_trained(config):
            _check_encoder(config)
    elif is_trained(config):
        _check_memory(paths, config)
    else:
        return _make_cached_loader(paths, config, skipped)

    def load(example: Example) -> Clip:
        return videos.read_clip(
            example.source, config.image_size, config.frame_rate
        )

    return load, {example.name for example in examples}


def _make_cached_loader(
    paths: dict[str, Path], config: Config, skipped: Skipped
) -> tuple[VideoLoader, set[str]]:
    if not paths:
        raise UserError(
            f"--encoder {config.encoder} needs files: write the builtin ones"
            f" with python -m {__package__}.datasets.builtin FOLDER, and pass"
            " --data FOLDER"
        )
    folder = open_cache(config)

    def load(example: Example) -> Clip:
        values = feature_arrays.load(folder.array_path(example.name))
        return Clip(values, *folder.read_times(example.name))

    return load, set(compute_features(paths, config, folder, skipped))


def open_cache(config: Config) -> FeatureFolder:
    """Opens the features of a data set, which all runs share.

    Raises:
        UserError: if the encoder's file of weights is missing.
    """
    signature = encoder_signature(config)
    path = feature_cache.cache_path(config.data, config.encoder, signature)
    return FeatureFolder(path, signature)


def compute_features(
    paths: Mapping[str, Path],
    config: Config,
    folder: FeatureFolder,
    skipped: Skipped,
    batch_size: int = extraction.BATCH_FRAMES,
) -> Iterator[str]:
    """Computes the features that a folder does not have yet.

    Args:
        paths: the videos and folders of frame pictures, by name.
        config: encoder, its weights, size of frames and frame rate.
        folder: where the features are; what it has of other videos stays.
        skipped: notes the videos that cannot be read.
        batch_size: frames that the encoder gets at one time.

    Yields:
        The name of each video, as soon as its features are there.

    Raises:
        UserError: if no video can be read.
    """
    if is_trained(config):
        raise UserError(
            f"--encoder {config.encoder} is trained with the recurrence and"
            " has no features before: name a network of keras.applications"
        )

    return extraction.extract_videos(
        paths,
        lambda: build_encoder(config),
        folder,
        skipped,
        size=config.image_size,
        frame_rate=config.frame_rate,
        batch_size=batch_size,
        seed=config.seed,
    )


def _check_encoder(config: Config) -> None:
    """Checks that features and videos are seen through the same encoder."""
    folder = Path(config.data)
    if not (folder / feature_store.INDEX).is_file():
        raise UserError(
            f"--data {config.data}: it does not tell which encoder made its"
            f" features; leave out --encoder {config.encoder}, and the model"
            " knows features only"
        )
    feature_store.check_encoder(folder, encoder_signature(config))


def _check_memory(paths: Mapping[str, Path], config: Config) -> None:
    size = 3 * config.image_size**2
    total = 0.0
    for path in paths.values():
        seconds = videos.duration(path, config.frame_rate)
        # A folder of pictures has one a second where nothing else is known.
        usual = 1.0 if path.is_dir() else USUAL_RATE
        total += seconds * (config.frame_rate or usual) * size / GIGABYTE
        if total > config.max_gigabytes:
            raise UserError(
                f"{path}: with this video of {seconds / 3600:.1f} hours the"
                f" frames take {total:.1f} GB, and --max-gigabytes is"
                f" {config.max_gigabytes:g}: choose a lower --frame-rate or"
                " --image-size, or compute features first, with"
                f" python -m {__package__}.features"
            )
