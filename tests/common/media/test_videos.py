import struct
import sys
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.media import frame_folders, images, timestamps, videos
from common.media.pyav import NO_FRAMES
from tests.support.videos import write_frame_folder

RATE = 25


def noise(count, size=32, seed=0):
    """Frames that a codec cannot make small, so that a cut is within them."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, [count, size, size, 3], np.uint8)


def levels(count, height=32, width=32):
    """Frames of one grey each, which tells their number."""
    values = np.linspace(20, 235, count).round().astype(np.uint8)
    shape = [count, height, width, 3]
    return np.broadcast_to(values[:, None, None, None], shape)


def encode(path, frames, pts=None, **options):
    """Writes a video with PyAV itself, with times and formats as wished."""
    codec = options.pop("codec", "libx264")
    rotation = options.pop("rotation", 0)
    time_base = options.pop("time_base", Fraction(1, RATE))
    file_options = options.pop("file_options", {})
    format_ = options.pop("format", None)
    with av.open(path, "w", format=format_, options=file_options) as file:
        video = file.add_stream(codec, rate=RATE, options=options)
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = time_base
        if rotation:
            video.set_display_rotation(rotation)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))
            frame.pts = pts[number] if pts else number
            frame.time_base = time_base
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def audio(path):
    with av.open(path, "w") as file:
        sound = file.add_stream("aac", rate=16000)
        for number in range(4):
            silence = np.zeros([1, 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, 1024 * number
            file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def error(function, *args):
    with pytest.raises(UserError) as caught:
        function(*args)
    message = str(caught.value)
    assert "\n" not in message
    return message


def read_error(path):
    return error(videos.read_clip, path, 16, 0)


def greys(clip):
    return clip.values.mean(axis=(1, 2, 3))


# Which frames


def test_all_frames_with_numbers_and_times(tmp_path):
    frames = levels(30)
    clip = videos.read_clip(encode(tmp_path / "a.mp4", frames), 16, 0)
    assert clip.values.shape == (30, 16, 16, 3)
    assert clip.values.dtype == np.uint8
    assert clip.numbers.dtype == np.int64
    assert clip.times.dtype == np.float64
    np.testing.assert_array_equal(clip.numbers, range(30))
    np.testing.assert_allclose(clip.times, np.arange(30) / RATE, atol=1e-9)
    assert clip.total == 30
    np.testing.assert_allclose(greys(clip), frames[:, 0, 0, 0], atol=2)


def first_at_or_after(times, rate):
    """The definition, word for word."""
    kept = []
    for k in range(int((times[-1] + 1e-3) * rate) + 1):
        shown = [i for i, time in enumerate(times) if time >= k / rate - 1e-3]
        if shown and shown[0] not in kept:
            kept.append(shown[0])
    return kept


IRREGULAR = [0, 1, 2, 10, 11, 40, 41, 42, 43, 80, 81, 90, 100]


@pytest.mark.parametrize("rate", [1, 5, 7.5, 10, 25, 100])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_rate_that_varies_is_right_by_times(tmp_path, rate, ending):
    path = tmp_path / f"a.{ending}"
    encode(path, levels(len(IRREGULAR)), IRREGULAR)
    clip = videos.read_clip(path, 16, rate)
    times = np.array(IRREGULAR) / RATE
    expected = first_at_or_after(times, rate)
    np.testing.assert_array_equal(clip.numbers, expected)
    np.testing.assert_allclose(clip.times, times[expected], atol=1e-3)
    wanted = levels(len(IRREGULAR))[expected, 0, 0, 0]
    np.testing.assert_allclose(greys(clip), wanted, atol=2)
    assert clip.total == len(IRREGULAR)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=40, unique=True),
    st.sampled_from([0.5, 1, 3, 12, 29.97, 30]),
)
def test_sampler_keeps_what_the_definition_says(milliseconds, rate):
    # Off the grid, so that rounding decides nothing.
    later = sorted(milliseconds)[1:]
    times = [0.0] + [ms / 1000 + 0.00001 for ms in later]
    sampler = timestamps.Sampler(rate)
    kept = [i for i, time in enumerate(times) if sampler.keeps(time)]
    assert kept == first_at_or_after(times, rate)


def test_rounded_times_keep_an_even_rhythm():
    sampler = timestamps.Sampler(15)
    kept = [i for i in range(30) if sampler.keeps(round(i / 30, 3))]
    assert kept == list(range(0, 30, 2))


def test_times_begin_at_the_first_frame(tmp_path):
    path = tmp_path / "a.ts"
    encode(path, levels(10), range(100, 110), format="mpegts")
    clip = videos.read_clip(path, 16, 0)
    np.testing.assert_allclose(clip.times, np.arange(10) / RATE, atol=1e-4)
    np.testing.assert_allclose(greys(clip), levels(10)[:, 0, 0, 0], atol=2)


def test_a_file_without_times(tmp_path):
    path = tmp_path / "a.mpg"
    encode(path, levels(30), format="h264", bf="0")
    clip = videos.read_clip(path, 16, 5)
    assert clip.total == 30
    np.testing.assert_allclose(clip.times, np.arange(6) / 5, atol=1e-9)


def test_clock_without_times_counts_by_the_rate():
    clock = timestamps.Clock(0.25)
    assert [clock.read(None) for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    assert clock.read(9.0) == 1.0  # Known from here on.
    assert clock.read(9.5) == 1.5


def test_clock_bears_disorder_without_drift():
    clock = timestamps.Clock(1.0)
    times = [5, 5, 7, 6.5, 6.5, 8, 9]
    assert [clock.read(time) for time in times] == [0, 0, 2, 2, 2, 3, 4]


def test_clock_goes_on_where_a_recording_restarts():
    clock = timestamps.Clock(0.5)
    times = [80.0, 80.5, 81.0, 0.0, 0.5, 1.0]
    assert [clock.read(time) for time in times] == [0, 0.5, 1, 1.5, 2, 2.5]


def test_two_recordings_in_one_file(tmp_path):
    one = encode(tmp_path / "a.ts", levels(50), format="mpegts")
    two = tmp_path / "two.mpg"
    two.write_bytes(2 * one.read_bytes())
    clip = videos.read_clip(two, 16, 5)
    assert clip.total == 100
    np.testing.assert_allclose(clip.times, np.arange(20) / 5, atol=1e-3)


def test_a_recording_that_begins_midway(tmp_path):
    path = encode(tmp_path / "a.ts", noise(60), format="mpegts", g="10")
    content = path.read_bytes()
    start = len(content) * 9 // 20 // 188 * 188
    path.write_bytes(content[start:])
    clip = videos.read_clip(path, 16, 0)
    assert 20 < clip.total < 40
    np.testing.assert_allclose(
        clip.times, np.arange(clip.total) / RATE, atol=1e-3
    )


def test_what_an_edit_list_hides_is_no_frame(tmp_path):
    path = tmp_path / "a.mp4"
    encode(
        path,
        levels(100),
        range(-50, 50),
        file_options={"avoid_negative_ts": "disabled"},
        g="250",
    )
    clip = videos.read_clip(path, 16, 0)
    assert clip.total == 50
    np.testing.assert_allclose(clip.times, np.arange(50) / RATE, atol=1e-3)
    np.testing.assert_allclose(greys(clip), levels(100)[50:, 0, 0, 0], atol=2)


# Clips


@pytest.mark.parametrize("rate", [0, 10])
def test_clips_are_the_whole(tmp_path, rate):
    path = encode(tmp_path / "a.mp4", noise(40))
    whole = videos.read_clip(path, 16, rate)
    assert len(whole.values) == (40 if rate == 0 else 16)
    assert whole.total == 40
    for chunk in (1, 4, 10, 1000):
        clips = list(videos.stream_clips(path, 16, rate, chunk))
        sizes = [len(clip.values) for clip in clips]
        assert min(sizes) >= 1
        assert max(sizes) <= chunk
        for field in ("values", "numbers", "times"):
            joined = np.concatenate([getattr(clip, field) for clip in clips])
            np.testing.assert_array_equal(joined, getattr(whole, field))
        totals = [clip.total for clip in clips]
        assert totals == sorted(totals)
        assert totals[-1] == whole.total
        for clip in clips:
            assert clip.numbers[-1] < clip.total


def test_features_and_frames_in_memory_are_clips_too(tmp_path):
    values = np.random.default_rng(0).normal(size=[3, 10]).astype("f")
    np.save(tmp_path / "v.npy", values)
    frames = noise(10, 4)
    for source, expected in ((tmp_path / "v.npy", values.T), (frames, frames)):
        clips = list(videos.stream_clips(source, 4, 2.0, 4))
        assert [len(clip.values) for clip in clips] == [4, 4, 2]
        assert [clip.total for clip in clips] == [4, 8, 10]
        whole = videos.join_clips(clips)
        np.testing.assert_array_equal(whole.values, expected)
        assert whole.values.dtype == expected.dtype
        np.testing.assert_array_equal(whole.numbers, np.arange(10))
        np.testing.assert_array_equal(whole.times, np.arange(10) / 2)
        for one, other in zip(
            whole, videos.read_clip(source, 4, 2.0), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        # The clips themselves stay as they were, with or without values.
        bare = [clip._replace(values=clip.values[:0]) for clip in clips]
        assert len(videos.join_clips(bare).values) == 0
        assert videos.join_clips(bare).total == 10


def test_how_long_the_last_frame_is_shown(tmp_path):
    times = np.array([0, 0.1, 0.3, 0.4])
    video, folder = tmp_path / "a.mp4", tmp_path / "a"
    assert videos.clip_period(video, 2.0, times) == 0.5
    assert videos.clip_period(video, 0.0, times) == pytest.approx(0.1)
    assert videos.clip_period(video, 0.0, times[:1]) == 1
    assert videos.clip_period(folder, 0.0, times) == 1
    known = [
        videos.has_times(source, frame_rate)
        for source in (video, folder, tmp_path / "a.npy")
        for frame_rate in (2.0, 0.0)
    ]
    assert known == [True, True, True, False, True, False]


def test_frames_after_the_last_kept_one_count(tmp_path):
    path = encode(tmp_path / "a.mp4", levels(40))
    (clip,) = videos.stream_clips(path, 16, 0.1, clip_frames=1)
    assert clip.numbers.tolist() == [0]
    assert clip.total == 40


def test_a_stream_takes_constant_memory(tmp_path):
    path = encode(tmp_path / "a.mp4", levels(1500), preset="ultrafast")
    tracemalloc.start()
    try:
        total = sum(len(c.values) for c in videos.stream_clips(path, 64, 0, 64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 1500
    assert peak < 5 * 64 * 64 * 64 * 3 < total * 64 * 64 * 3 / 4


def test_a_video_of_ten_hours(tmp_path):
    pts = range(0, 36_000, 60)
    path = tmp_path / "a.mp4"
    encode(path, levels(600), pts, time_base=Fraction(1), preset="ultrafast")
    assert videos.duration(path, 0) == pytest.approx(36_000, rel=0.002)
    clip = videos.read_clip(path, 16, 1 / 3600)
    assert clip.total == 600
    np.testing.assert_array_equal(clip.times, np.arange(10) * 3600.0)


# Pixels


def test_frames_are_stretched_not_cropped(tmp_path):
    frames = np.zeros([3, 32, 96, 3], np.uint8)
    frames[:, :16, 48:] = [255, 0, 0]
    frames[:, 16:, :48] = [0, 0, 255]
    path = encode(tmp_path / "a.mp4", frames, crf="1")
    found = videos.read_clip(path, 16, 0).values[0].astype(int)
    for place, colour in {
        (2, 2): [0, 0, 0],
        (2, 13): [255, 0, 0],
        (13, 2): [0, 0, 255],
    }.items():
        np.testing.assert_allclose(found[place], colour, atol=12)


@pytest.mark.parametrize("size", [16, 32, 96])
def test_pixels_agree_with_tensorflow(tmp_path, size):
    yy, xx = np.mgrid[:64, :64] / 63
    smooth = np.stack([yy, xx, 1 - (yy + xx) / 2], -1)
    frames = np.broadcast_to((255 * smooth).astype(np.uint8), [2, 64, 64, 3])
    path = encode(tmp_path / "a.mp4", frames, crf="1")
    found = videos.read_clip(path, size, 0).values[0].astype(float)
    expected = tf.image.resize(frames[0], [size, size], antialias=True)
    np.testing.assert_allclose(found, expected, atol=6)


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_camera_held_otherwise(tmp_path, degrees):
    frames = np.zeros([2, 32, 64, 3], np.uint8)
    frames[:, :16, 32:] = 255  # Above on the right.
    path = encode(tmp_path / "a.mp4", frames, rotation=degrees)
    found = videos.read_clip(path, 16, 0).values[0]
    parts = [np.s_[:8, :8], np.s_[:8, 8:], np.s_[8:, 8:], np.s_[8:, :8]]
    quarters = [found[part].mean() > 128 for part in parts]
    # Clockwise from above on the left; a turn to the left goes back.
    assert quarters.index(True) == (1 - degrees // 90) % 4
    assert sum(quarters) == 1


@pytest.mark.parametrize(
    ("matrix", "expected"),  # (x, y) times the matrix is where it is shown.
    [
        ([[1, 0], [0, 1]], [[0, 1], [2, 3]]),
        ([[-1, 0], [0, 1]], [[1, 0], [3, 2]]),
        ([[1, 0], [0, -1]], [[2, 3], [0, 1]]),
        ([[0, 1], [1, 0]], [[0, 2], [1, 3]]),
        ([[0, -1], [-1, 0]], [[3, 1], [2, 0]]),
        ([[0, 1], [-1, 0]], [[2, 0], [3, 1]]),
    ],
)
def test_a_mirrored_picture(tmp_path, matrix, expected):
    shades = np.repeat(np.array([[0, 80], [160, 240]], np.uint8), 16, 0)
    frame = np.repeat(shades, 16, 1)[..., None].repeat(3, 2)
    path = encode(tmp_path / "a.mp4", np.stack([frame] * 2))
    (a, b), (c, d) = (np.array(matrix) * 2**16).tolist()
    packed = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)
    content = path.read_bytes()
    start = content.index(b"tkhd") + 44
    path.write_bytes(content[:start] + packed + content[start + 36 :])
    values = videos.read_clip(path, 16, 0).values[0, 4::8, 4::8, 0]
    np.testing.assert_array_equal(np.round(values / 80), expected)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"\xff\xd8\xff\xe0", "JPEG"), (b"<html>", "HTML page")],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, kind):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert read_error(path) == f"{path}: {kind}, not a video"


# Length


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4")]
    + [("webm", "libvpx"), ("mov", "mpeg4"), ("mpg", "mpeg2video")],
)
def test_formats(tmp_path, ending, codec):
    path = encode(tmp_path / f"a.{ending}", noise(50), codec=codec)
    assert videos.is_video(path)
    assert videos.duration(path, 0) == pytest.approx(2, abs=0.1)
    assert videos.read_clip(path, 16, 0).total == 50


def test_length_of_a_fragmented_file(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = tmp_path / "a.mp4"
    encode(path, levels(50), file_options=options, g="10")
    assert videos.read_clip(path, 16, 0).total == 50
    assert 0 <= videos.duration(path, 0) <= 2.1


# Broken files


def test_no_file(tmp_path):
    path = tmp_path / "a.mp4"
    for function in (read_error, lambda path: error(videos.duration, path, 0)):
        assert function(path) == f"{path}: no such file or folder"


def test_what_is_no_video(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("these are words\n" * 100)
    assert read_error(path) == f"{path}: not a video that ffmpeg can read"
    path.write_bytes(b"")
    assert read_error(path) == f"{path}: empty file"
    assert error(videos.duration, path, 0) == f"{path}: empty file"
    path.unlink()
    assert (
        read_error(audio(path)) == f"{path}: no video in this file, only audio"
    )


def test_a_video_without_frames(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as file:
        video = file.add_stream("libx264", rate=RATE)
        video.height = video.width = 64
        file.start_encoding()
    assert read_error(path) == f"{path}: {NO_FRAMES}"


def test_a_list_of_addresses_is_not_followed(tmp_path):
    target = encode(tmp_path / "b.ts", levels(5), format="mpegts")
    path = tmp_path / "a.mp4"
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
        "http://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    assert read_error(path).startswith(f"{path}: ")
    assert videos.read_clip(target, 16, 0).total == 5


def halved(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def test_an_index_that_is_missing(tmp_path):
    path = halved(encode(tmp_path / "a.mp4", noise(50)))
    assert read_error(path) == (
        f"{path}: cut off: no frame can be read, for the index of such a file"
        " stands at its end: copy it again"
    )


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "mov", "webm"])
def test_a_video_that_is_cut_off(tmp_path, ending):
    codecs = {"avi": "mpeg4", "webm": "libvpx"}
    path = halved(
        encode(
            tmp_path / f"a.{ending}",
            noise(100),
            codec=codecs.get(ending, "libx264"),
            file_options={"movflags": "faststart"},
        )
    )
    clips = videos.stream_clips(path, 16, 0, clip_frames=4)
    assert len(next(clips).values) == 4  # The error comes at the end.
    message = error(list, clips)
    start = f"{path}: cut off or damaged: "
    assert message.startswith(start)
    words = message.removeprefix(start).split()
    assert 20 < int(words[0]) < 70
    assert words[1:4] == ["of", "100", "frames"]
    assert read_error(path) == message


def test_the_last_frames_missing(tmp_path):
    path = tmp_path / "a.mkv"
    encode(path, noise(100), bf="0")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 95 // 100])
    assert " of 100 frames could be read: copy it again" in read_error(path)


def test_a_damaged_packet(tmp_path):
    path = encode(tmp_path / "a.avi", noise(50, 64), codec="mpeg4")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    message = read_error(path)
    assert "50 of 50 frames could be read, some of them damaged" in message


def test_ffmpeg_says_nothing_itself(tmp_path, capfd):
    path = halved(encode(tmp_path / "a.avi", noise(50), codec="mpeg4"))
    av.logging.restore_default_callback()
    read_error(path)
    assert capfd.readouterr() == ("", "")


def test_without_the_package(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", levels(2))
    monkeypatch.setitem(sys.modules, "av", None)
    expected = (
        'videos need the package av: pip install "rnn-topologies[video]"'
        " (folders of frame pictures do not)"
    )
    assert read_error(path) == expected
    assert error(videos.write_video, path, levels(2), 5) == expected
    assert (
        videos.read_clip(
            write_frame_folder(tmp_path / "f", noise(2)), 16, 0
        ).total
        == 2
    )


# Folders of frame pictures


@pytest.mark.parametrize(("rate", "period"), [(0, 1), (4, 0.25)])
def test_pictures_are_frames_in_natural_order(tmp_path, rate, period):
    frames = levels(12)
    folder = write_frame_folder(tmp_path / "a", frames)
    (folder / "labels.txt").write_text("no frame")
    (folder / "._frame3.png").write_text("of an Apple computer")
    clip = videos.read_clip(folder, 32, rate)
    np.testing.assert_array_equal(clip.values, frames)
    np.testing.assert_array_equal(clip.numbers, range(12))
    np.testing.assert_array_equal(clip.times, np.arange(12) * period)
    assert clip.total == 12
    assert videos.duration(folder, rate) == 12 * period
    clips = list(videos.stream_clips(folder, 32, rate, clip_frames=5))
    assert [clip.total for clip in clips] == [5, 10, 12]
    np.testing.assert_array_equal(
        np.concatenate([clip.values for clip in clips]), frames
    )


def test_natural_order():
    names = ["a1", "a2", "a10", "A11", "b", "b3.5", "b3.10", "10", "9"]
    expected = ["9", "10", "a1", "a2", "a10", "A11", "b", "b3.5", "b3.10"]
    assert sorted(names, key=frame_folders.natural_key) == expected


def test_pictures_of_other_sizes_and_kinds(tmp_path):
    folder = write_frame_folder(
        tmp_path / "a", [np.full([40, 20, 3], 90, np.uint8)]
    )
    grey = np.full([7, 9, 1], 200, np.uint8)
    (folder / "z.JPG").write_bytes(tf.io.encode_jpeg(grey).numpy())
    clear = np.full([3, 3, 4], 7, np.uint8)
    (folder / "y.png").write_bytes(tf.io.encode_png(clear).numpy())
    np.testing.assert_allclose(
        videos.read_clip(folder, 16, 0).values,
        np.broadcast_to(  # What is transparent stands before white.
            np.reshape([90, 248, 200], [3, 1, 1, 1]), [3, 16, 16, 3]
        ),
        atol=1,
    )


def test_a_folder_without_pictures(tmp_path):
    expected = (
        f"{tmp_path}: no frames: expected pictures in it, of .jpg, .jpeg, .png"
    )
    assert read_error(tmp_path) == expected
    assert error(videos.duration, tmp_path, 0) == expected


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_broken_picture(tmp_path, share):
    folder = write_frame_folder(tmp_path / "a", noise(5))
    path = folder / "frame3.png"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert read_error(folder) == (
        f"{path}: {'truncated or damaged' if share else 'empty file'}: make the"
        " frames of this video again, or remove it"
    )


# Finding


def test_find(tmp_path):
    write_frame_folder(tmp_path / "b.2", noise(1))
    for name in ("c.MP4", "a.x.mkv", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    found = videos.find_videos(tmp_path)
    assert list(found.items()) == [
        ("a.x", tmp_path / "a.x.mkv"),
        ("b.2", tmp_path / "b.2"),
        ("c", tmp_path / "c.MP4"),
    ]


@pytest.mark.parametrize("other", ["a.mkv", "a"])
def test_find_refuses_two_of_one_name(tmp_path, other):
    (tmp_path / "a.mp4").touch()
    if other == "a":
        write_frame_folder(tmp_path / other, noise(1))
    else:
        (tmp_path / other).touch()
    first, second = sorted(["a.mp4", other])
    assert error(videos.find_videos, tmp_path) == (
        f"{tmp_path}: {first} and {second} have one name, a: rename or remove"
        " one of them"
    )


# Writing


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("rate", [12.0, 29.97])
def test_what_is_written_is_read(tmp_path, monkeypatch, codec, rate):
    found = av.codecs_available & {codec}
    monkeypatch.setattr(av, "codecs_available", found)
    yy, xx = np.mgrid[:64, :64]
    frames = np.stack(
        [np.stack([yy * 3, xx * 3, yy + xx + t], -1) for t in range(24)]
    ).astype(np.uint8)
    path = tmp_path / "new" / "a.mp4"
    videos.write_video(path, frames, rate)
    with av.open(str(path)) as file:
        assert file.streams.video[0].average_rate == Fraction(str(rate))
        assert file.streams.video[0].pix_fmt == "yuv420p"
    clip = videos.read_clip(path, 64, 0)
    np.testing.assert_allclose(clip.times, np.arange(24) / rate, atol=1e-4)
    off = np.abs(clip.values.astype(int) - frames)
    assert off.mean() < 3
    assert [path.name for path in path.parent.iterdir()] == ["a.mp4"]
    assert videos.duration(path, 0) == pytest.approx(24 / rate, rel=1e-3)


def test_odd_sizes_and_one_frame(tmp_path):
    path = tmp_path / "a.mp4"
    videos.write_video(path, np.full([1, 33, 17, 3], 99, np.uint8), 5)
    clip = videos.read_clip(path, 16, 0)
    assert clip.total == 1
    np.testing.assert_allclose(clip.values, 99, atol=3)


def test_a_failed_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("before")
    with pytest.raises(ValueError):  # noqa: PT011
        videos.write_video(path, np.zeros([2, 16, 16, 5], np.uint8), 5)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("tag", ["a:b:c", "1::2", "nan:0:0", "99:99:9999999"])
def test_a_length_that_is_none_is_passed_over(tag, tmp_path):
    path = tmp_path / "a.mkv"
    encode(path, levels(6), codec="mpeg4")
    content = path.read_bytes()
    place = content.index(b"00:00:0", content.index(b"DURATION"))
    changed = tag.encode().ljust(18, b"\0")
    path.write_bytes(content[:place] + changed + content[place + 18 :])
    assert len(videos.read_clip(path, 8, 0.0).values) == 6


def test_frames_of_more_pixels_than_a_picture_may_have(tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    encode(path, levels(2), codec="mpeg4")
    monkeypatch.setattr(images, "MAX_PIXELS", 32 * 32 - 1)
    with pytest.raises(UserError) as error:
        videos.read_clip(path, 8, 0.0)
    assert str(error.value) == (
        f"{path}: frames of 32 x 32 pixels, expected at most 1,023: make them"
        " smaller, with ffmpeg -i OLD -vf scale=1280:-2 NEW"
    )
