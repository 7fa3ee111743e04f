import contextlib
import functools
import http.server
import io
import os
import signal
import subprocess
import sys
import threading

import av
import numpy as np
import pytest

from common.errors import UserError
from common.media import streams, videos
from tests.conftest import ROOT

RATE = 25
READER = """
from common.media import streams
try:
    for number, (time, pixels) in enumerate(streams.stream_frames("-", 32, 0)):
        print(number, f"{time:.2f}", round(pixels.mean()), flush=True)
except KeyboardInterrupt:
    pass  # It came while we printed.
print("end")
"""


class Encoder:
    """Writes a stream frame by frame: greys that tell their number."""

    def __init__(self, file, format_, **file_options):
        self.file = av.open(file, "w", format=format_, options=file_options)
        options = {"tune": "zerolatency", "g": "10"}
        self.video = self.file.add_stream("libx264", RATE, options=options)
        self.video.height = self.video.width = 64
        self.video.pix_fmt = "yuv420p"

    def add(self, number):
        pixels = np.full([64, 64, 3], grey(number), np.uint8)
        pixels[::2, ::2] += np.arange(32, dtype=np.uint8)[:, None] % 3
        frame = av.VideoFrame.from_ndarray(pixels)
        frame.pts = number
        self.file.mux(self.video.encode(frame))

    def close(self):
        self.file.mux(self.video.encode(None))
        self.file.close()


def grey(number):
    return 20 + 2 * number


def encoded(num_frames, format_="matroska", **file_options):
    file = io.BytesIO()
    # Without seeking, as into a pipe.
    file.seekable = lambda: False
    encoder = Encoder(file, format_, **file_options)
    for number in range(num_frames):
        encoder.add(number)
    encoder.close()
    return file.getvalue()


@contextlib.contextmanager
def standard_input(monkeypatch, content):
    """A pipe in place of standard input."""
    read, write = os.pipe()

    def feed():
        with open(write, "wb") as file, contextlib.suppress(BrokenPipeError):
            file.write(content)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(read, "rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield
    feeder.join()


def from_stdin(monkeypatch, content, size=32, rate=0.0):
    with standard_input(monkeypatch, content):
        return list(streams.stream_frames("-", size, rate))


def message_of(source, rate=0.0):
    with pytest.raises(UserError) as caught:
        list(streams.stream_frames(source, 16, rate))
    message = str(caught.value)
    assert "\n" not in message
    return message


def check(found, numbers):
    times, frames = zip(*found, strict=True)
    np.testing.assert_allclose(times, np.array(numbers) / RATE, atol=2e-3)
    means = [frame.mean() for frame in frames]
    np.testing.assert_allclose(means, [grey(i) for i in numbers], atol=3)
    for frame in frames:
        assert frame.shape == (32, 32, 3)
        assert frame.dtype == np.uint8


# Standard input


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("matroska", {}),
        ("mpegts", {}),
        ("nut", {}),
        ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
def test_every_frame_of_a_pipe(monkeypatch, format_, options):
    content = encoded(60, format_, **options)
    check(from_stdin(monkeypatch, content), range(60))


def test_frames_are_kept_as_of_a_file(monkeypatch, tmp_path):
    content = encoded(60)
    found = from_stdin(monkeypatch, content, rate=10)
    path = tmp_path / "a.mkv"
    path.write_bytes(content)
    clip = videos.read_clip(path, 32, 10)
    check(found, clip.numbers)
    np.testing.assert_array_equal([frame for _, frame in found], clip.values)
    np.testing.assert_array_equal([time for time, _ in found], clip.times)


def test_a_stream_that_begins_midway(monkeypatch):
    content = encoded(60, "mpegts")
    start = len(content) * 9 // 20 // 188 * 188
    found = from_stdin(monkeypatch, content[start:])
    first = 60 - len(found)
    assert 25 < first < 35
    check([(t + first / RATE, f) for t, f in found], range(first, 60))


def test_what_is_lost_is_left_out(monkeypatch):
    content = bytearray(encoded(60, "mpegts"))
    middle = len(content) // 2 // 188 * 188
    content[middle : middle + 20 * 188] = bytes(20 * 188)
    found = from_stdin(monkeypatch, bytes(content))
    assert 30 < len(found) <= 60
    times = [time for time, _ in found]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(59 / RATE, abs=1e-3)


def test_a_stream_that_breaks_off_has_ended(monkeypatch):
    for format_ in ("mpegts", "matroska"):
        content = encoded(60, format_)
        found = from_stdin(monkeypatch, content[: len(content) * 2 // 3])
        assert 20 < len(found) < 60
        check(found[:-1], range(len(found) - 1))  # The last may be cut.


@pytest.mark.parametrize("content", [b"", b"these are words\n" * 1000])
def test_what_is_no_stream(monkeypatch, content):
    with standard_input(monkeypatch, content):
        message = message_of("-")
    assert message.startswith("standard input: cannot read a video from it: ")
    assert message.endswith(
        ": pipe a stream in, such as ffmpeg -i INPUT -f mpegts - |"
    )


@pytest.mark.slow
def test_live_with_little_delay_until_ctrl_c():
    with subprocess.Popen(
        [sys.executable, "-c", READER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as reader:
        guard = threading.Timer(300, reader.kill)
        guard.start()
        encoder = Encoder(reader.stdin, "mpegts", flush_packets="1")
        lines = []
        for number in range(60):
            encoder.add(number)
            reader.stdin.flush()
            # At first, ffmpeg looks at some to learn the format.
            while len(lines) < number - 20:
                lines.append(reader.stdout.readline())
        while len(lines) < 57:
            lines.append(reader.stdout.readline())
        # No further frame comes: Ctrl-C ends the waiting.
        # Where it comes before the waiting, a user presses it again.
        while reader.poll() is None:
            reader.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                reader.wait(timeout=20)
        lines += reader.stdout.readlines()
        assert reader.stderr.read() == b""
        assert reader.wait() == 0
        guard.cancel()
        with contextlib.suppress(BrokenPipeError):
            encoder.close()
    assert lines[-1] == b"end\n"
    found = np.array([line.split() for line in lines[:-1]], float)
    assert len(found) >= 57
    np.testing.assert_array_equal(found[:, 0], range(len(found)))
    np.testing.assert_allclose(found[:, 1], found[:, 0] / RATE, atol=0.01)
    np.testing.assert_allclose(found[:, 2], grey(found[:, 0]), atol=3)


# Other sources


def test_a_file(tmp_path):
    path = tmp_path / "a:b.mp4"
    path.write_bytes(encoded(20))
    check(list(streams.stream_frames(str(path), 32, 0)), range(20))


def test_a_missing_file(tmp_path):
    assert message_of(str(tmp_path / "no.mp4")) == (
        f"{tmp_path}/no.mp4: no such file: expected - for standard input, the"
        " number of a camera, an address such as rtsp://..., or a file"
    )


def test_a_file_without_video(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("these are words")
    assert message_of(str(path)) == (
        f"{path}: cannot read a video from it: Invalid data found when"
        " processing input"
    )


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_an_address(tmp_path):
    (tmp_path / "a.ts").write_bytes(encoded(20, "mpegts"))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}"
        check(list(streams.stream_frames(f"{address}/a.ts", 32, 0)), range(20))
        missing = message_of(f"{address}/no.ts")
        server.shutdown()
    assert missing == (
        f"{address}/no.ts: cannot read a video from it: Server returned 404"
        " Not Found"
    )


def test_nobody_at_an_address():
    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as server:
        address = f"rtsp://127.0.0.1:{server.server_port}/"
    assert message_of(address) == (
        f"{address}: cannot read a video from it: Connection refused"
    )


@pytest.mark.parametrize(
    ("platform", "source", "file", "options"),
    [
        ("linux", "1", "/dev/video1", {"format": "v4l2"}),
        ("linux", "/dev/video0", "/dev/video0", {"format": "v4l2"}),
        (
            "darwin",
            "0",
            "0",
            {"format": "avfoundation", "options": {"framerate": "30"}},
        ),
        ("win32", "video=A", "video=A", {"format": "dshow"}),
    ],
)
def test_cameras(monkeypatch, platform, source, file, options):
    asked = []

    def no_camera(*args, **kwargs):
        asked.append((args, kwargs))
        raise av.error.FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(av, "open", no_camera)
    assert message_of(source) == (
        f"{source}: cannot read a video from it: No such file or directory"
    )
    assert asked == [((file,), {"metadata_errors": "replace"} | options)]


def test_a_camera_by_number_on_windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert message_of("0") == (
        '0: on Windows name the camera, as in "video=USB Camera"; its settings'
        " tell its name"
    )


def test_the_caller_may_stop_early(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(encoded(20))
    before = set(threading.enumerate())
    found = streams.stream_frames(str(path), 32, 0)
    check([next(found)], [0])
    (worker,) = set(threading.enumerate()) - before
    found.close()
    worker.join(60)
    assert not worker.is_alive()


# Rows of features


def test_rows_are_numbers():
    lines = ["1 2 3\n", "4,5,6\r\n", "\n", " 7, 8\t-9e-1 "]
    found = list(streams.parse_features(iter(lines), 3))
    np.testing.assert_array_equal(
        found, np.array([[1, 2, 3], [4, 5, 6], [7, 8, -0.9]], np.float32)
    )
    assert all(row.dtype == np.float32 for row in found)
    assert list(streams.parse_features([], 3)) == []


def test_rows_come_one_by_one():
    read = []

    def lines():
        for number in range(3):
            read.append(number)
            yield f"{number}\n"

    rows = streams.parse_features(lines(), 1)
    for number in range(3):
        assert next(rows) == [number]
        assert read == list(range(number + 1))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1 2", "expected 3 numbers, the features of a frame, got 2"),
        ("1,2,3,4", "expected 3 numbers, the features of a frame, got 4"),
        ("1 two 3", "expected 3 numbers, got 'two'"),
        ("1 nan 3", "expected 3 numbers, got 'nan'"),
        ("1 2 1e99", "expected 3 numbers, got '1e99'"),
    ],
)
def test_a_wrong_row_is_named(line, expected):
    rows = streams.parse_features(["1 2 3\n", "\n", line], 3)
    next(rows)
    with pytest.raises(UserError) as caught:
        next(rows)
    assert str(caught.value) == f"standard input, line 3: {expected}"


def test_rows_that_are_no_text():
    content = io.TextIOWrapper(io.BytesIO(b"1 2\n\xff\xfe"), "utf-8")
    with pytest.raises(UserError) as caught:
        list(streams.parse_features(content, 2))
    assert str(caught.value).endswith(
        ": expected a line of 2 numbers for each frame, got what is not text"
    )


def test_ctrl_c_ends_rows():
    def lines():
        yield "1\n"
        raise KeyboardInterrupt

    assert list(streams.parse_features(lines(), 1)) == [[1]]
