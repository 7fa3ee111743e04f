"""Videos as pixels: files, by PyAV, and folders with a picture for each frame.

Every frame is stretched to a square of `size` pixels: what happens at its
sides counts, so nothing is cropped. Which frames are kept is decided by the
times at which they are shown, so that a rate that varies does no harm.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import atomic
from common.errors import UserError
from common.media import containers, pictures, timestamps

ENDINGS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg")


class Clip(NamedTuple):
    """A piece of a video.

    Attributes:
        pixels: <uint8>[time, size, size, 3], RGB, of the frames that are kept.
        numbers: <int64>[time], which frames of the video they are, from 0.
        times: <float64>[time], seconds since its first frame when each is
            shown; they never go back.
        total: how many frames of the video have been decoded so far, kept or
            not; in the last clip, all.
    """

    pixels: np.ndarray
    numbers: np.ndarray
    times: np.ndarray
    total: int


def is_video(path: str | Path) -> bool:
    """Whether a file is a video by its ending.

    Example:
        >>> is_video("tea.MP4"), is_video("tea.npy")
        (True, False)
    """
    return Path(path).suffix.lower() in ENDINGS


def find(folder: Path) -> dict[str, Path]:
    """The videos and folders of frame pictures directly in a folder.

    Returns:
        Name without ending to path, by name; hidden ones and everything else
        are left out.

    Raises:
        UserError: if two have one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not _is_source(path):
            continue
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise UserError(
                f"{folder}: {found[name].name} and {path.name} have one name,"
                f" {name}: rename or remove one of them"
            )
        found[name] = path
    return dict(sorted(found.items()))


def _is_source(path: Path) -> bool:
    if path.is_dir():
        return any(pictures.is_picture(inside) for inside in path.iterdir())
    return is_video(path)


def stream(
    source: Path, size: int, rate: float, chunk: int = 256
) -> Iterator[Clip]:
    """Reads a video piece by piece; only one of them is in memory.

    Args:
        source: a video, or a folder of frame pictures.
        size: height and width of the result.
        rate: frames a second to keep: the first one shown at or after each of
            the times k / rate, each at most once; 0 for all. A folder's
            pictures are all kept, and are so many a second (0: one).
        chunk: most frames in a clip.

    Yields:
        Clips of at least one frame.

    Raises:
        UserError: if there is no such file, it is no video, or it breaks off.
    """
    read_some = _of_pictures if _is_folder(source) else _of_video
    yield from read_some(source, size, rate, chunk)


def read(source: Path, size: int, rate: float) -> Clip:
    """Reads all of a video; arguments and errors as of `stream`."""
    clips = list(stream(source, size, rate))
    numbers = np.concatenate([clip.numbers for clip in clips])
    times = np.concatenate([clip.times for clip in clips])
    total = clips[-1].total
    pixels = np.empty([len(numbers), size, size, 3], np.uint8)
    stop = len(pixels)
    # From the end, each piece forgotten at once: not twice the memory.
    while clips:
        piece = clips.pop().pixels
        pixels[stop - len(piece) : stop] = piece
        stop -= len(piece)
    return Clip(pixels, numbers, times, total)


def seconds(source: Path, rate: float) -> float:
    """How long a video is by its header, without decoding; 0 if unknown.

    Args:
        source: a video, or a folder of frame pictures.
        rate: pictures a second of a folder; 0 for one.

    Raises:
        UserError: if there is no such file, or it is no video.
    """
    if _is_folder(source):
        return len(pictures.files(source)) / (rate or 1.0)
    return containers.seconds(source)


def _is_folder(source: Path) -> bool:
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    return source.is_dir()


def _of_pictures(
    folder: Path, size: int, rate: float, chunk: int
) -> Iterator[Clip]:
    files = pictures.files(folder)
    for start in range(0, len(files), chunk):
        pixels = pictures.read(files[start : start + chunk], size)
        stop = start + len(pixels)
        numbers = np.arange(start, stop)
        yield Clip(pixels, numbers, numbers / (rate or 1.0), stop)


def _of_video(path: Path, size: int, rate: float, chunk: int) -> Iterator[Clip]:
    sampler = timestamps.Sampler(rate)
    squeeze = containers.squeezer(size)
    kept: list[tuple[np.ndarray, int, float]] = []
    total = 0
    for time, frame in containers.frames(path):
        if sampler.keeps(time):
            # Not before the next one is there: `total` of the last is final.
            if len(kept) == chunk:
                yield _clip(kept, total)
                kept = []
            kept.append((squeeze(frame), total, time))
        total += 1
    yield _clip(kept, total)


def _clip(kept: list[tuple[np.ndarray, int, float]], total: int) -> Clip:
    pixels, numbers, times = zip(*kept, strict=True)
    return Clip(
        np.stack(pixels),
        np.array(numbers, np.int64),
        np.array(times, np.float64),
        total,
    )


def write(path: Path, frames: np.ndarray, rate: float) -> None:
    """Writes a video that all players know, whole or not at all.

    Args:
        path: a file that ends in .mp4.
        frames: <uint8>[time, height, width, 3], RGB, at least one. An odd
            height or width gets its last line twice: the format has none.
        rate: frames a second.

    Raises:
        UserError: if PyAV is missing or the disk refuses.
    """
    pyav = containers.library()
    odd = [(0, length % 2) for length in frames.shape[1:3]]
    even = np.pad(frames, [(0, 0), *odd, (0, 0)], "edge")
    with atomic.write(path) as partial, pyav.open(str(partial), "w") as file:
        codec, options = _codec()
        video = file.add_stream(
            codec,
            rate=Fraction(rate).limit_denominator(10_000),
            options=options,
        )
        video.height, video.width = even.shape[1:3]
        video.pix_fmt = "yuv420p"
        for number, pixels in enumerate(even):
            frame = pyav.VideoFrame.from_ndarray(pixels)
            frame.pts = number
            file.mux(video.encode(frame))
        file.mux(video.encode(None))


def _codec() -> tuple[str, dict[str, str]]:
    """H.264 where PyAV was built with it, and options of good quality."""
    if "libx264" in containers.library().codecs_available:
        return "libx264", {"crf": "18"}
    return "mpeg4", {"qmin": "2", "qmax": "2"}
