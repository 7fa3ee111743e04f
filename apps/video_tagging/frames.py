"""The frames of one video, wherever they are: in pieces, or all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.data import feature_arrays
from common.media import videos

from .config import Config

# Frames of a piece: enough to be fast, little to hold.
CHUNK = 256


class Piece(NamedTuple):
    """Some frames of a video, one after the other.

    Attributes:
        values: frames <uint8>[time, size, size, 3] or features
            <float32>[time, features].
        numbers: <int64>[time], which frames of the video they are, from 0.
        times: <float64>[time], when they are shown: seconds from the start,
            or numbers of frames if `has_times` is false.
        total: frames of the video up to here, looked at or not.
    """

    values: np.ndarray
    numbers: np.ndarray
    times: np.ndarray
    total: int


Source = Path | np.ndarray


def is_features(source: Source) -> bool:
    """Whether a source has features, not frames."""
    return isinstance(source, Path) and source.suffix == feature_arrays.ENDING


def has_times(source: Source, config: Config) -> bool:
    """Whether it is known when the frames of a source are shown."""
    is_video = isinstance(source, Path) and videos.is_video(source)
    return is_video or config.rate > 0


def period(source: Source, config: Config, times: np.ndarray) -> float:
    """How long the last frame is shown, in the unit of `times`."""
    if config.rate > 0:
        return 1.0 / config.rate
    if has_times(source, config) and len(times) > 1:
        return float(np.median(np.diff(times)))
    return 1.0


def pieces(source: Source, config: Config) -> Iterator[Piece]:
    """Reads a video piece by piece.

    Args:
        source: a file of features, a video, a folder of pictures, or the
            frames themselves.
        config: its `image_size` and `rate`.

    Raises:
        UserError: if it cannot be read; what was wrong and where is named.
    """
    if isinstance(source, Path) and not is_features(source):
        clips = videos.stream(source, config.image_size, config.rate, CHUNK)
        for clip in clips:
            yield Piece(*clip)
        return
    values = source if isinstance(source, np.ndarray) else None
    if values is None:
        assert isinstance(source, Path)
        values = feature_arrays.load(source)
    for start in range(0, len(values), CHUNK):
        numbers = np.arange(start, min(start + CHUNK, len(values)))
        times = numbers / (config.rate or 1.0)
        chunk = values[start : start + CHUNK]
        yield Piece(chunk, numbers, times, start + len(chunk))


def whole(source: Source, config: Config) -> Piece:
    """Reads all of a video; see `pieces`.

    Raises:
        UserError: as `pieces`.
    """
    if isinstance(source, Path) and not is_features(source):
        # Takes care not to hold the frames twice.
        clip = videos.read(source, config.image_size, config.rate)
        return Piece(*clip)
    return joined(list(pieces(source, config)))


def joined(some: list[Piece]) -> Piece:
    """One piece of all pieces of a video, at least one."""
    values, numbers, times, totals = zip(*some, strict=True)
    return Piece(
        np.concatenate(values),
        np.concatenate(numbers),
        np.concatenate(times),
        totals[-1],
    )
