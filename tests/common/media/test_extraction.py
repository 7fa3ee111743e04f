"""What is computed, what is reused, and what is skipped."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from common.data.feature_files import FeatureFile
from common.data.feature_store import FeatureFolder
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import extraction, images, videos
from tests.support.images import write_pictures
from tests.support.videos import (
    MeanColours,
    moving_square,
    write_frame_folder,
    write_videos,
)

SIGNATURE = {"encoder": "X"}


@pytest.fixture
def colours():
    return MeanColours()


def extract_images(files, to, encoder, skipped=None, batch_size=2):
    return extraction.extract_images(
        files,
        lambda: lambda pixels: encoder(pixels)[:, None],  # As one region.
        FeatureFile(to, SIGNATURE),
        Skipped() if skipped is None else skipped,
        size=16,
        batch_size=batch_size,
    )


def extract_videos(files, to, encoder, skipped=None, rate=0.0, batch_size=4):
    return list(
        extraction.extract_videos(
            files,
            lambda: encoder,
            FeatureFolder(to, SIGNATURE),
            Skipped() if skipped is None else skipped,
            size=16,
            frame_rate=rate,
            batch_size=batch_size,
        )
    )


# Progress


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_at_times(monkeypatch, capsys, is_terminal):
    now = [0.0]
    monkeypatch.setattr(extraction.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    progress = extraction._Progress("1 of 2: a")
    for seconds in (0.1, 1.0, 1.1, 61.0):
        now[0] = seconds
        progress.show(f"at {seconds} s")
    progress.end("9 frames")
    end = "1 of 2: a, 9 frames, 61.0 s"
    lines = ["1 of 2: a, at 1.0 s", "1 of 2: a, at 61.0 s", end]
    expected = "".join(f"\x1b[K{line}\r" for line in lines)[:-1] + "\n"
    if not is_terminal:
        expected = f"{lines[1]}\n{end}\n"
    assert capsys.readouterr().out == expected


# Pictures


@pytest.mark.slow
def test_features_of_pictures_are_those_of_their_pixels(tmp_path, colours):
    files = write_pictures(tmp_path / "p", 5)
    features = extract_images(files, tmp_path / "f.npz", colours)
    assert features.names == list(files)
    assert features.values.dtype == np.float16
    for name, path in files.items():
        content = tf.constant(path.read_bytes())
        expected = images.decode_image(content, 16).numpy().mean((0, 1))
        row = features.take(np.array([features.rows[name]]))
        np.testing.assert_allclose(row[0, 0], expected, rtol=1e-3)


@pytest.mark.slow
def test_only_pictures_that_are_missing_or_changed_are_computed(
    tmp_path, colours, capsys
):
    folder, to = tmp_path / "p", tmp_path / "f.npz"
    first = extract_images(write_pictures(folder, 4), to, colours)
    files = write_pictures(folder, 1, start=7)
    files["001.jpg"].write_bytes(files["000.jpg"].read_bytes() + b"\0")
    colours.seen = 0
    second = extract_images(files, to, colours)
    assert f"{to}: 3 pictures reused, 2 to compute" in capsys.readouterr().out
    assert colours.seen == 2
    assert second.names == [*first.names, "007.jpg"]
    np.testing.assert_array_equal(second.values[1], second.values[0])
    np.testing.assert_array_equal(second.values[2:4], first.values[2:4])
    # With nothing to do, no network is built.
    store = FeatureFile(to, SIGNATURE)
    third = extraction.extract_images(
        files, None, store, Skipped(), size=16, batch_size=2
    )
    np.testing.assert_array_equal(third.values, second.values)


@pytest.mark.slow
@pytest.mark.parametrize("num_pictures", [1, 5])
def test_pictures_go_on_where_a_kill_stopped_them(
    tmp_path, colours, monkeypatch, num_pictures
):
    monkeypatch.setattr(extraction, "PART_BATCHES", 2)
    files = write_pictures(tmp_path / "p", 6)
    at_once = extract_images(files, tmp_path / "g.npz", colours, batch_size=1)
    to = tmp_path / "f.npz"
    with monkeypatch.context() as patch:
        patch.setattr(
            extraction,
            "_decode_images",
            stop_after(extraction._decode_images, num_pictures),
        )
        with pytest.raises(KeyboardInterrupt):
            extract_images(files, to, colours, batch_size=1)
    assert not to.exists()
    colours.seen = 0
    resumed = extract_images(files, to, colours, batch_size=1)
    assert colours.seen == 6 - num_pictures // 2 * 2
    assert not to.with_name("f.npz.parts").exists()
    assert resumed.names == at_once.names == list(files)
    np.testing.assert_array_equal(resumed.values, at_once.values)


def stop_after(function, count):
    """The first results of a generator function, then Ctrl-C."""

    def stopped(*args):
        for number, item in enumerate(function(*args)):
            if number == count:
                raise KeyboardInterrupt
            yield item

    return stopped


@pytest.mark.slow
def test_pictures_that_cannot_be_read_are_skipped(tmp_path, colours):
    files = write_pictures(tmp_path / "p", 3)
    to, skipped = tmp_path / "f.npz", Skipped()
    extract_images(files, to, colours)
    cut = files["000.jpg"].read_bytes()[:-200]
    files["001.jpg"].write_bytes(b"words")
    files["cut.jpg"] = tmp_path / "p" / "cut.jpg"
    files["cut.jpg"].write_bytes(cut)
    features = extract_images(files, to, colours, skipped)
    assert features.names == ["000.jpg", "002.jpg"]  # No old features.
    assert skipped.places == {
        "text, not a picture": ["001.jpg"],
        "truncated or damaged": ["cut.jpg"],
    }


def test_no_picture_that_can_be_read(tmp_path, colours):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"words")
    message = (
        f"none of 1 pictures can be read, such as {path}: text, not a picture"
    )
    with pytest.raises(UserError, match=message):
        extract_images({"a.jpg": path}, tmp_path / "f.npz", colours)
    assert not (tmp_path / "f.npz").exists()
    with pytest.raises(UserError, match="none of 0 pictures can be read$"):
        extract_images({}, tmp_path / "f.npz", colours)


# Videos


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "features.json"
    }


def load(to, name):
    return np.load(to / "features" / f"{name}.npy")


def test_features_of_videos_are_those_of_their_frames(tmp_path, colours):
    files = write_videos(tmp_path / "v", a=40)
    source = tmp_path / "v" / "b"
    files["b"] = write_frame_folder(source, moving_square(11))
    to = tmp_path / "f"
    assert extract_videos(files, to, colours, rate=5.0) == ["a", "b"]
    assert colours.seen == 20 + 11
    times = FeatureFolder(to, SIGNATURE).read_times("a")
    np.testing.assert_array_equal(times.numbers, np.arange(0, 40, 2))
    np.testing.assert_allclose(times.times, np.arange(20) / 5)
    assert times.total == 40
    for name, path in files.items():
        expected = videos.read_clip(path, 16, 5.0).values.mean((1, 2)).T
        np.testing.assert_allclose(load(to, name), expected, rtol=1e-3)


@pytest.mark.slow
def test_only_videos_that_are_missing_or_changed_are_computed(
    tmp_path, capsys, colours
):
    folder, to = tmp_path / "v", tmp_path / "f"
    files = write_videos(folder, a=9, b=8)
    pictures = write_frame_folder(folder / "d", moving_square(3))
    extract_videos(files | {"d": pictures}, to, colours)
    before = content(to)
    videos.write_video(folder / "b.mp4", moving_square(12), 10.0)
    (pictures / "frame2.png").unlink()
    files = write_videos(folder / "new", c=5) | videos.find_videos(folder)

    colours.seen = 0
    extract_videos(files, to, colours)
    printed = capsys.readouterr().out
    assert f"{to}: 1 videos reused, 3 to compute" in printed
    assert "1 of 4: c, 5 frames, " in printed
    assert colours.seen == 12 + 5 + 2
    after = content(to)
    assert after["features/a.npy"] == before["features/a.npy"]
    assert load(to, "b").shape == (3, 12)
    # With nothing to do, no network is built.
    store = FeatureFolder(to, SIGNATURE)
    names = extraction.extract_videos(
        files, None, store, Skipped(), size=16, frame_rate=0.0
    )
    assert list(names) == list(files)
    assert content(to) == after


@pytest.mark.parametrize("num_frames", [3, 9, 16, 22])
def test_a_video_goes_on_where_a_kill_stopped_it(
    tmp_path, colours, monkeypatch, num_frames
):
    monkeypatch.setattr(extraction, "PART_FRAMES", 8)
    files = write_videos(tmp_path / "v", a=23)
    at_once, to = tmp_path / "at_once", tmp_path / "f"
    extract_videos(files, at_once, colours)
    with monkeypatch.context() as patch:
        stopped = stop_after(videos.stream_clips, num_frames // 4)
        patch.setattr(videos, "stream_clips", stopped)
        with pytest.raises(KeyboardInterrupt):
            extract_videos(files, to, colours)
    assert not (to / "features" / "a.npy").exists()
    colours.seen = 0
    extract_videos(files, to, colours)
    assert colours.seen == 23 - num_frames // 8 * 8
    assert content(to) == content(at_once)


def test_a_kill_before_the_parts_are_joined(tmp_path, colours, monkeypatch):
    files = write_videos(tmp_path / "v", a=9)
    extract_videos(files, tmp_path / "at_once", colours)

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FeatureFolder, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            extract_videos(files, tmp_path / "f", colours)
    colours.seen = 0
    extract_videos(files, tmp_path / "f", colours)
    assert colours.seen == 0
    assert content(tmp_path / "f") == content(tmp_path / "at_once")


def test_a_broken_video_is_skipped_and_the_others_go_on(tmp_path, colours):
    files = write_videos(tmp_path / "v", a=5, b=6, c=7)
    to, skipped = tmp_path / "f", Skipped()
    extract_videos(files, to, colours)
    files["b"].write_bytes(b"words")
    assert extract_videos(files, to, colours, skipped) == ["a", "c"]
    assert skipped.places == {"not a video that ffmpeg can read": ["b"]}
    # What it had before is no longer true.
    assert not FeatureFolder(to, SIGNATURE).array_path("b").exists()
    assert load(to, "c").shape == (3, 7)


def test_no_video_that_can_be_read(tmp_path, colours):
    files = write_videos(tmp_path / "v", a=5)
    files["a"].write_bytes(b"words")
    skipped = Skipped()
    skipped.add("without labels", "b")
    message = "none of 1 videos can be read, such as .*a.mp4: not a video"
    with pytest.raises(UserError, match=message):
        extract_videos(files, tmp_path / "f", colours, skipped)


def test_a_full_disk_is_no_broken_video(tmp_path, colours, monkeypatch):
    def refuse(*args):
        raise UserError("no space left")

    monkeypatch.setattr(FeatureFolder, "add_part", refuse)
    files = write_videos(tmp_path / "v", a=5, b=5)
    with pytest.raises(UserError, match="no space left"):
        extract_videos(files, tmp_path / "f", colours)


def test_names_of_pictures_need_not_be_utf8(tmp_path, colours):
    files = write_pictures(tmp_path / "in", 2)
    name = os.fsdecode(b"m\xe4\xdfig.png")
    first = next(iter(files))
    files[name] = files.pop(first).rename(tmp_path / "in" / name)
    to = tmp_path / "f.npz"
    assert name in extract_images(files, to, colours).names
    seen = colours.seen
    assert name in extract_images(files, to, colours).names
    assert colours.seen == seen


def test_features_that_tell_nothing_apart_are_noted(tmp_path, colours, capsys):
    (path,) = write_pictures(tmp_path / "p", 1).values()
    extract_images({"a": path, "b": path}, tmp_path / "x.npz", colours)
    assert capsys.readouterr().err == (
        "note: the features of all 2 pictures are equal: the encoder tells"
        " them not apart; try --encoder-weights imagenet, another --encoder or"
        " --image-size\n"
    )
