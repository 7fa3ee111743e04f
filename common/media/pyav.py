"""Video files, decoded by PyAV, the Python of ffmpeg's libraries.

A file that breaks off is an error, at its end: labels that were written for
all of it would not fit. Only this module, `streams` and the writer of videos
know PyAV.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError, format_names
from common.media import file_kinds, images, timestamps

if TYPE_CHECKING:
    import av

# The share of the length in its header that a file must reach. Lengths are
# rounded there, and the last frame's own length may be missing.
MIN_LENGTH_SHARE = 0.98
NO_FRAMES = (
    "no frames in this video; if it had some, it is cut off: copy it again"
)
# An animation may be a GIF or WebP, a list of files a text.
_NO_VIDEOS = {
    *["JPEG", "PNG", "BMP", "Git LFS pointer", "HTML page", "zip archive"],
    *["gzip archive", "NumPy array", "WAV sound", "MP3 sound"],
    *["file of macOS about another one", *file_kinds.CONVERTIBLE],
} - {"WebP", "AVIF"}
# Another program, or a person, may have written anything in its place.
_DURATION = re.compile(r"([0-9]{1,9}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]*)?)")
DEFAULT_PERIOD = 1 / 25  # Seconds from frame to frame where no rate is known.


def import_av() -> ModuleType:
    """Returns the package `av`, which is an extra; silences its libraries.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise UserError(
            "videos need the package av: pip install"
            ' "rnn-topologies[video]" (folders of frame pictures do not)'
        ) from error
    av.logging.set_level(None)  # What matters comes as an exception.
    return av


def decode_frames(path: Path) -> Iterator[tuple[float, "av.VideoFrame"]]:
    """Decodes a video file, one frame at a time, in the order of showing.

    Args:
        path: the file.

    Yields:
        Seconds since the first frame, and the frame.

    Raises:
        UserError: if it is no video, or, after its last frame, if it is cut
            off or damaged.
    """
    library = import_av()
    with _open(path) as container:
        video = find_video_stream(container, str(path))
        video.thread_type = "AUTO"
        progress = _Progress(container, video)
        try:
            for packet in container.demux(video):
                progress.check(packet)
                for frame in _decode_packet(packet, progress.total):
                    progress.check(frame)
                    yield progress.add(frame), frame
        except library.FFmpegError as error:
            raise UserError(progress.shortfall(path)) from error
        if not progress.total:
            raise UserError(f"{path}: {NO_FRAMES}")
        if progress.is_short():
            raise UserError(progress.shortfall(path))


def duration(path: Path) -> float:
    """Reads the seconds of a video from its header; 0 if it has none.

    Raises:
        UserError: if it is no video.
    """
    with _open(path) as container:
        video = find_video_stream(container, str(path))
        seconds = _reliable_duration(container, video)
        if not seconds and video.duration and video.time_base:
            seconds = float(video.duration * video.time_base)
        return seconds or (container.duration or 0) / import_av().time_base


def make_resizer(size: int) -> Callable[["av.VideoFrame"], np.ndarray]:
    """Makes a function from a frame to pixels.

    Args:
        size: height and width of the pixels.

    Returns:
        A function from a frame to <uint8>[size, size, 3], RGB, stretched to a
        square, turned and mirrored as the file says how the camera was held.
    """
    reformatter = import_av().video.reformatter.VideoReformatter()
    # Without the last two, swscale is quick with colours and off by shades.
    kinds = import_av().video.reformatter.Interpolation
    exact = kinds.BILINEAR | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT

    def resize(frame: "av.VideoFrame") -> np.ndarray:
        small = reformatter.reformat(
            frame, size, size, "rgb24", interpolation=exact
        )
        return _turn_upright(small.to_ndarray(), _read_matrix(frame))

    return resize


def _read_matrix(frame: "av.VideoFrame") -> np.ndarray:
    """Reads how the pixels of a frame are to be shown.

    Returns:
        <float64>[2, 2]: (x, y) of a pixel times it is where it is shown.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return np.eye(2)
    # [3, 3], of which the last column and row place and scale.
    return np.frombuffer(bytes(side_data), np.int32)[:9].reshape(3, 3)[:2, :2]


def _turn_upright(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turns, and mirrors, a square by quarters, as near as a matrix says.

    Example:
        >>> pixels = np.array([[1, 2], [3, 4]])
        >>> _turn_upright(pixels, np.array([[-1, 0], [0, 1]])).tolist()
        [[2, 1], [4, 3]]
    """
    (x_to_x, x_to_y), (y_to_x, y_to_y) = np.asarray(matrix, np.float64)
    if abs(x_to_y) + abs(y_to_x) > abs(x_to_x) + abs(y_to_y):
        pixels = pixels.swapaxes(0, 1)
        x_to_x, y_to_y = y_to_x, x_to_y
    if x_to_x < 0:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if y_to_y < 0 else pixels


def find_video_stream(
    container: "av.container.InputContainer", name: str
) -> "av.VideoStream":
    """Returns the moving pictures of a file, not its sound or its cover.

    Args:
        container: an open file.
        name: of the file, for error messages.

    Raises:
        UserError: if it has none, they are coded in an unknown way, or a
            frame has more than `images.MAX_PIXELS`.
    """
    cover = import_av().stream.Disposition.attached_pic
    for video in container.streams.video:
        if video.disposition & cover:
            continue
        if video.codec_context is None:
            raise UserError(
                f"{name}: this ffmpeg cannot decode its video: convert it to"
                " H.264"
            )
        _limit_pixels(video, name)
        return video
    kinds = sorted({stream.type for stream in container.streams})
    raise UserError(
        f"{name}: no video in this file, only {format_names(kinds)}"
    )


def _limit_pixels(video: "av.VideoStream", name: str) -> None:
    """Refuses frames of gigabytes, which small files can claim to have."""
    if video.width * video.height > images.MAX_PIXELS:
        raise UserError(
            f"{name}: frames of {video.width} x {video.height} pixels, expected"
            f" at most {images.MAX_PIXELS:,}: make them smaller, with ffmpeg -i"
            " OLD -vf scale=1280:-2 NEW"
        )
    # The size may change on the way.
    video.codec_context.options = {"max_pixels": str(images.MAX_PIXELS)}


def frame_period(video: "av.VideoStream") -> float:
    """Returns the seconds from a frame to the next, on average."""
    rate = video.average_rate or video.guessed_rate
    return float(1 / rate) if rate else DEFAULT_PERIOD


class _Progress:
    """The frames decoded so far, compared with the length in the header."""

    def __init__(
        self,
        container: "av.container.InputContainer",
        video: "av.VideoStream",
    ) -> None:
        self.total = 0
        self.is_damaged = False
        self._period = frame_period(video)
        self._duration = _reliable_duration(container, video)
        self._clock = timestamps.Clock(self._period)
        self._end = 0.0
        # Parts of broadcasts are lost or pasted together, and marked for it.
        self._tolerates = container.format.name == "mpegts"

    def check(self, data: "av.Packet[av.VideoStream] | av.VideoFrame") -> None:
        self.is_damaged |= data.is_corrupt and not self._tolerates

    def add(self, frame: "av.VideoFrame") -> float:
        """Counts a frame; returns the time at which it is shown."""
        now = self._clock.read(frame.time)
        self.total += 1
        # Some headers count from 0 also where the first frame comes later.
        begin = max(now, frame.time or 0.0)
        length = float(frame.duration * (frame.time_base or 0))
        self._end = max(self._end, begin + (length or self._period))
        return now

    def is_short(self) -> bool:
        return self.is_damaged or self._end < MIN_LENGTH_SHARE * self._duration

    def shortfall(self, path: Path) -> str:
        expected = max(round(self._duration / self._period), self.total)
        of_them = f" of {expected}" if self._duration else ""
        damaged = ", some of them damaged" if self.is_damaged else ""
        return (
            f"{path}: cut off or damaged: {self.total}{of_them} frames could"
            f" be read{damaged}: copy it again, or make a sound video of what"
            " is left, with ffmpeg -i OLD NEW, and labels for that"
        )


def _open(path: Path) -> "av.container.InputContainer":
    library = import_av()
    _check_kind(path)
    try:
        return library.open(
            # Else a colon in a name would make it an address.
            str(path.absolute()),
            metadata_errors="replace",
            # A file may be a list of files, or of addresses in the net.
            options={"protocol_whitelist": "file"},
        )
    except library.FFmpegError as error:
        raise UserError(f"{path}: {_open_error(path, error)}") from error


def _check_kind(path: Path) -> None:
    """Refuses what is no video, but which ffmpeg may take for one.

    Raises:
        UserError: naming what it is.
    """
    if not path.is_file():
        if path.exists() and not path.is_dir():
            # Reading a pipe would wait for ever.
            raise UserError(f"{path}: a pipe or a device, not a file")
        return
    try:
        with path.open("rb") as stream:
            kind = file_kinds.name_kind(stream.read(file_kinds.HEAD_BYTES))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    if kind in _NO_VIDEOS:
        raise UserError(f"{path}: {kind}, not a video")


def _open_error(path: Path, error: "av.FFmpegError") -> str:
    if isinstance(error, EOFError):
        return NO_FRAMES
    if not isinstance(error, import_av().error.InvalidDataError):
        return error.strerror or str(error)
    with open(path, "rb") as stream:
        head = stream.read(8)
    if not head:
        return "empty file"
    if head[4:] == b"ftyp":
        return (
            "cut off: no frame can be read, for the index of such a file"
            " stands at its end: copy it again"
        )
    return "not a video that ffmpeg can read"


def _decode_packet(
    packet: "av.Packet[av.VideoStream]", total: int
) -> "list[av.VideoFrame]":
    try:
        return packet.decode()
    except import_av().error.InvalidDataError:
        if total:
            raise
        return []  # A recording may begin midway, in what nobody can see.


def _reliable_duration(
    container: "av.container.InputContainer", video: "av.VideoStream"
) -> float:
    """Returns the seconds in those headers that can be trusted; else 0.

    Others are guesses of ffmpeg from the size of the file, or from what is
    left of it.
    """
    tag = video.metadata.get("DURATION", "")  # Of Matroska.
    if match := _DURATION.fullmatch(tag):
        hours, minutes, seconds = map(float, match.groups())
        return 3600 * hours + 60 * minutes + seconds
    if container.format.name == "avi":
        return video.frames * frame_period(video)
    if video.frames and video.duration and video.time_base:
        return float(video.duration * video.time_base)
    return 0.0
