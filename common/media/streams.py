"""Live frames of standard input, a camera or an address; or rows of numbers.

They come one at a time, as soon as they are there. A stream may begin midway
and lose some: what cannot be decoded is left out. Its end, or Ctrl-C, ends
the frames without an error.
"""

import contextlib
import os
import queue
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from common.errors import UserError
from common.media import pyav, timestamps

if TYPE_CHECKING:
    import av

STDIN = "-"
# ffmpeg would read 5 seconds of a stream before it gives the first frame.
# (Its flag nobuffer would throw away the frames that it read.)
_LOW_DELAY = {
    "analyzeduration": "500000",  # Microseconds, if sizes are still unknown.
    "fpsprobesize": "0",
}
# Over UDP, a network would lose packets rather than wait for them.
_NETWORK = {"rtsp_transport": "tcp"}
_TIMEOUT = 30.0  # Seconds of silence after which an address is given up.
# Without a rate, macOS asks its cameras for one that most do not have.
_CAMERA = {"framerate": "30"}


def stream_frames(
    source: str, size: int, frame_rate: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields the frames of a stream, as they come.

    Args:
        source: `-` for standard input, any format that ffmpeg reads as a
            stream (MPEG-TS is written with the least delay; also Matroska,
            fragmented MP4 and others); a camera, by its number, by
            `/dev/videoN` on Linux or by `video=NAME` on Windows; an address
            such as `rtsp://...`; or a file, as quickly as it can be decoded.
        size: height and width that frames are stretched to.
        frame_rate: frames a second to keep, as in `videos.stream_clips`; 0
            for all.

    Yields:
        Seconds since the first frame, and <uint8>[size, size, 3], RGB.

    Raises:
        UserError: if there is no such source, it has no video, or its
            connection breaks.
    """
    # Ctrl-C while we wait for a frame; elsewhere it is the caller's.
    with contextlib.suppress(KeyboardInterrupt):
        yield from _run_in_thread(_sample_frames(source, size, frame_rate))


def parse_features(lines: Iterable[str], dim: int) -> Iterator[np.ndarray]:
    r"""Yields the features of live frames from lines of text.

    Args:
        lines: such as `sys.stdin`: a frame in each, its numbers apart by
            spaces or commas. Blank lines are skipped.
        dim: how many numbers a frame has.

    Yields:
        <float32>[dim].

    Raises:
        UserError: naming the line that is not `dim` finite numbers.

    Example:
        >>> list(parse_features(["1 2.5\n", "3,-4e-1\n"], 2))
        [array([1. , 2.5], dtype=float32), array([ 3. , -0.4], dtype=float32)]
    """
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _parse_row(line, dim, f"standard input, line {number}")
    except KeyboardInterrupt:
        return
    except UnicodeDecodeError as error:
        raise UserError(
            f"standard input, line {number + 1}: expected a line of {dim}"
            " numbers for each frame, got what is not text"
        ) from error


def _parse_row(line: str, dim: int, where: str) -> np.ndarray:
    cells = line.replace(",", " ").split()
    if len(cells) != dim:
        raise UserError(
            f"{where}: expected {dim} numbers, the features of a frame, got"
            f" {len(cells)}"
        )
    numbers = [_parse_number(cell, dim, where) for cell in cells]
    return np.array(numbers, np.float32)


def _parse_number(cell: str, dim: int, where: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(cell)
        if abs(value) <= float(np.finfo(np.float32).max):  # Which nan is not.
            return value
    raise UserError(f"{where}: expected {dim} numbers, got {cell!r}")


class _End(NamedTuple):
    error: BaseException | None


def _run_in_thread(items: Iterator[Any]) -> Iterator[Any]:
    """Yields items from an iterator that runs in a thread of its own.

    There it may wait in ffmpeg, which knows no Ctrl-C: we wait here.
    """
    ready: queue.Queue[Any] = queue.Queue(1)
    is_over = threading.Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if is_over.is_set():
                    return
            ready.put(_End(None))
        except BaseException as error:
            ready.put(_End(error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        is_over.set()
        with contextlib.suppress(queue.Empty):
            ready.get_nowait()  # So that the thread is not held up.


def _sample_frames(
    source: str, size: int, frame_rate: float
) -> Iterator[tuple[float, np.ndarray]]:
    sampler = timestamps.Sampler(frame_rate)
    resize = pyav.make_resizer(size)
    with _open(source) as container:
        for time, frame in _decode_frames(container, _display_name(source)):
            if sampler.keeps(time):
                yield time, resize(frame)


def _decode_frames(
    container: "av.container.InputContainer", name: str
) -> Iterator[tuple[float, "av.VideoFrame"]]:
    library = pyav.import_av()
    video = pyav.find_video_stream(container, name)
    # Threads that decode a frame each would hold back a frame each.
    video.thread_type = "SLICE"
    clock = timestamps.Clock(pyav.frame_period(video))
    total = 0
    try:
        for packet in container.demux(video):
            # Midway into a stream, nothing can be seen until its next picture
            # that does not build on others.
            with contextlib.suppress(library.error.InvalidDataError):
                for frame in packet.decode():
                    total += 1
                    yield clock.read(frame.time), frame
    except library.error.InvalidDataError:
        pass  # Its end.
    except library.FFmpegError as error:
        raise UserError(
            f"{name}: the stream broke: {_reason(error)}"
        ) from error
    if not total:
        raise UserError(f"{name}: no frame could be decoded from this stream")


def _open(source: str) -> "av.container.InputContainer":
    library = pyav.import_av()
    file, options = _resolve(source)
    try:
        return library.open(file, metadata_errors="replace", **options)
    except library.FFmpegError as error:
        advice = ""
        if source == STDIN:
            advice = ": pipe a stream in, such as ffmpeg -i INPUT -f mpegts - |"
        raise UserError(
            f"{_display_name(source)}: cannot read a video from it:"
            f" {_reason(error)}{advice}"
        ) from error


def _resolve(source: str) -> tuple[Any, dict[str, Any]]:
    """Returns what PyAV opens, and its options."""
    if source == STDIN:
        return _Pipe(), {"options": _LOW_DELAY}
    if re.fullmatch(r"[0-9]+|/dev/video[0-9]+|video=.+", source):
        return _resolve_camera(source)
    if "://" in source:
        options = {"options": _LOW_DELAY | _NETWORK, "timeout": _TIMEOUT}
        return source, options
    if not Path(source).exists():
        raise UserError(
            f"{source}: no such file: expected - for standard input, the"
            " number of a camera, an address such as rtsp://..., or a file"
        )
    return str(Path(source).absolute()), {}


def _resolve_camera(source: str) -> tuple[str, dict[str, Any]]:
    if sys.platform == "darwin":
        return source, {"format": "avfoundation", "options": _CAMERA}
    if sys.platform == "win32":
        if not source.startswith("video="):
            raise UserError(
                f'{source}: on Windows name the camera, as in "video=USB'
                ' Camera"; its settings tell its name'
            )
        return source, {"format": "dshow"}
    device = f"/dev/video{source}" if source.isdecimal() else source
    return device, {"format": "v4l2"}


class _Pipe:
    """Standard input that returns what is there, without waiting for more.

    Python's own reader would wait until its buffer is full.
    """

    def read(self, num_bytes: int) -> bytes:
        return os.read(sys.stdin.fileno(), num_bytes)


def _display_name(source: str) -> str:
    return "standard input" if source == STDIN else source


def _reason(error: "av.FFmpegError") -> str:
    if isinstance(error, pyav.import_av().error.ExitError):
        return f"nothing came for {_TIMEOUT:g} seconds"
    return error.strerror or str(error)
