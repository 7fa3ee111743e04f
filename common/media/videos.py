"""Videos in clips: video files, folders of pictures, features, or arrays.

Every frame is stretched to a square of `size` pixels: what happens at its
sides counts, so nothing is cropped. Which frames are kept is decided by the
times at which they are shown, so that a rate that varies does no harm.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import atomic
from common.data import feature_arrays
from common.errors import UserError
from common.media import frame_folders, pyav, timestamps

ENDINGS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg")
# Frames of a clip: enough to be fast, little to hold.
CLIP_FRAMES = 256

# A video file, a folder of frame pictures, a file of features, or the frames
# themselves, <uint8>[time, size, size, 3].
Source = Path | np.ndarray


class Clip(NamedTuple):
    """A piece of a video.

    Attributes:
        values: its frames <uint8>[time, size, size, 3], RGB, or features
            <float32>[time, features].
        numbers: <int64>[time], which frames of the video they are, from 0.
        times: <float64>[time], when each is shown: seconds since the first
            frame, or numbers of frames if not `has_times`; they never go back.
        total: frames of the video up to here, kept or not; in the last clip,
            all.
    """

    values: np.ndarray
    numbers: np.ndarray
    times: np.ndarray
    total: int


def is_video(path: str | Path) -> bool:
    """Returns True if a file is a video by its ending.

    Example:
        >>> is_video("tea.MP4"), is_video("tea.npy")
        (True, False)
    """
    return Path(path).suffix.lower() in ENDINGS


def list_videos(folder: Path) -> list[Path]:
    """Lists the videos and folders of frame pictures directly in a folder.

    Hidden ones and everything else are left out.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and has_frames(path)
    ]


def find_videos(folder: Path) -> dict[str, Path]:
    """Finds the videos and folders of frame pictures directly in a folder.

    Returns:
        Name without ending to path, by name; hidden ones and everything else
        are left out.

    Raises:
        UserError: if two have one name.
    """
    paths: dict[str, Path] = {}
    for path in list_videos(folder):
        name = path.name if path.is_dir() else path.stem
        if name in paths:
            raise UserError(
                f"{folder}: {paths[name].name} and {path.name} have one name,"
                f" {name}: rename or remove one of them"
            )
        paths[name] = path
    return dict(sorted(paths.items()))


def has_frames(path: Path) -> bool:
    """Returns True for a video by its ending, and a folder with frames."""
    if path.is_dir():
        return any(frame_folders.is_frame(inside) for inside in path.iterdir())
    return is_video(path)


def stream_clips(
    source: Source, size: int, frame_rate: float, clip_frames: int = CLIP_FRAMES
) -> Iterator[Clip]:
    """Reads a video in clips; of a file, only one of them is in memory.

    Args:
        source: a video, a folder of pictures, a file of features, or frames.
        size: height and width of the frames.
        frame_rate: of a video, frames a second to keep: the first one shown
            at or after each of the times k / frame_rate, each at most once;
            0 for all. Pictures and features are all kept, and are so many a
            second; 0 if that is not known.
        clip_frames: most frames in a clip.

    Yields:
        Clips of at least one frame.

    Raises:
        UserError: if there is no such file, it is no video, or it breaks off.
    """
    if isinstance(source, np.ndarray):
        yield from _split_array(source, frame_rate, clip_frames)
    elif feature_arrays.is_features(source):
        values = feature_arrays.load(source)
        yield from _split_array(values, frame_rate, clip_frames)
    elif _is_folder(source):
        yield from _read_folder(source, size, frame_rate, clip_frames)
    else:
        yield from _decode_video(source, size, frame_rate, clip_frames)


def read_clip(source: Source, size: int, frame_rate: float) -> Clip:
    """Reads all of a video; arguments and errors as of `stream_clips`."""
    return join_clips(stream_clips(source, size, frame_rate))


def join_clips(clips: Iterable[Clip]) -> Clip:
    """Joins all clips of a video, at least one.

    Clips that come from an iterator are not in memory twice.
    """
    parts = list(clips)
    numbers = np.concatenate([part.numbers for part in parts])
    times = np.concatenate([part.times for part in parts])
    first, total = parts[0].values, parts[-1].total
    stop = sum(len(part.values) for part in parts)
    values = np.empty([stop, *first.shape[1:]], first.dtype)
    # From the end, each part forgotten at once.
    while parts:
        part = parts.pop().values
        values[stop - len(part) : stop] = part
        stop -= len(part)
    return Clip(values, numbers, times, total)


def has_times(source: Source, frame_rate: float) -> bool:
    """Returns True if it is known when the frames of a source are shown."""
    is_timed = isinstance(source, Path) and is_video(source)
    return is_timed or frame_rate > 0


def clip_period(source: Source, frame_rate: float, times: np.ndarray) -> float:
    """Returns how long the last frame is shown, in the unit of `times`.

    Args:
        source: of the frames.
        frame_rate: frames a second, as of `stream_clips`.
        times: <float64>[time], of all frames.
    """
    if frame_rate > 0:
        return 1.0 / frame_rate
    if has_times(source, frame_rate) and len(times) > 1:
        return float(np.median(np.diff(times)))
    return 1.0


def duration(source: Path, frame_rate: float) -> float:
    """Returns the seconds of a video by its header; 0 if unknown.

    Args:
        source: a video, or a folder of frame pictures.
        frame_rate: pictures a second of a folder; 0 for one.

    Raises:
        UserError: if there is no such file, or it is no video.
    """
    if _is_folder(source):
        return len(frame_folders.list_frames(source)) / (frame_rate or 1.0)
    return pyav.duration(source)


def _is_folder(source: Path) -> bool:
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    return source.is_dir()


def _split_array(
    values: np.ndarray, frame_rate: float, clip_frames: int
) -> Iterator[Clip]:
    for start in range(0, len(values), clip_frames):
        chunk = values[start : start + clip_frames]
        yield _make_even_clip(chunk, start, frame_rate)


def _read_folder(
    folder: Path, size: int, frame_rate: float, clip_frames: int
) -> Iterator[Clip]:
    paths = frame_folders.list_frames(folder)
    for start in range(0, len(paths), clip_frames):
        chunk = paths[start : start + clip_frames]
        pixels = frame_folders.read_frames(chunk, size)
        yield _make_even_clip(pixels, start, frame_rate)


def _make_even_clip(values: np.ndarray, start: int, frame_rate: float) -> Clip:
    stop = start + len(values)
    numbers = np.arange(start, stop)
    return Clip(values, numbers, numbers / (frame_rate or 1.0), stop)


def _decode_video(
    path: Path, size: int, frame_rate: float, clip_frames: int
) -> Iterator[Clip]:
    sampler = timestamps.Sampler(frame_rate)
    resize = pyav.make_resizer(size)
    frames: list[tuple[np.ndarray, int, float]] = []
    total = 0
    for time, frame in pyav.decode_frames(path):
        if sampler.keeps(time):
            # Not before the next one is there: `total` of the last is final.
            if len(frames) == clip_frames:
                yield _make_clip(frames, total)
                frames = []
            frames.append((resize(frame), total, time))
        total += 1
    yield _make_clip(frames, total)


def _make_clip(frames: list[tuple[np.ndarray, int, float]], total: int) -> Clip:
    pixels, numbers, times = zip(*frames, strict=True)
    return Clip(
        np.stack(pixels),
        np.array(numbers, np.int64),
        np.array(times, np.float64),
        total,
    )


def write_video(path: Path, frames: np.ndarray, frame_rate: float) -> None:
    """Writes a video that all players know, whole or not at all.

    Args:
        path: a file with one of `ENDINGS` but .webm; all players know .mp4.
        frames: <uint8>[time, height, width, 3], RGB, at least one. An odd
            height or width gets its last line twice: the format has none.
        frame_rate: frames a second.

    Raises:
        UserError: if PyAV is missing or the disk refuses.
    """
    av = pyav.import_av()
    odd = [(0, length % 2) for length in frames.shape[1:3]]
    even = np.pad(frames, [(0, 0), *odd, (0, 0)], "edge")
    with atomic.write(path) as partial, av.open(str(partial), "w") as file:
        codec, options = _choose_codec()
        video = file.add_stream(
            codec,
            rate=Fraction(frame_rate).limit_denominator(10_000),
            options=options,
        )
        video.height, video.width = even.shape[1:3]
        video.pix_fmt = "yuv420p"
        for number, pixels in enumerate(even):
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts = number
            file.mux(video.encode(frame))
        file.mux(video.encode(None))


def _choose_codec() -> tuple[str, dict[str, str]]:
    """Returns H.264 where PyAV was built with it, and options of quality."""
    if "libx264" in pyav.import_av().codecs_available:
        return "libx264", {"crf": "18"}
    return "mpeg4", {"qmin": "2", "qmax": "2"}
