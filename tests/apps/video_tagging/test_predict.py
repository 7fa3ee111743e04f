"""From videos to segments, as the command line prints and writes them."""

import contextlib
import dataclasses
import io
import os
import shutil
import sys
import threading

import av
import numpy as np
import pytest

from apps.video_tagging import config, predict
from apps.video_tagging.datasets import (
    LabelOptions,
    annotations_csv,
    builtin,
)
from apps.video_tagging.outputs import segments, timeline
from apps.video_tagging.predictor import Predictor
from common.errors import UserError
from common.media import videos
from common.training import runs
from tests.support.video_tagging import (
    DIM,
    LABELS,
    feature_path,
    make_tagger,
)


@pytest.fixture
def ask(monkeypatch, capsys, load_once):
    """Predicts as the command line does: (lines, errors)."""
    monkeypatch.setattr(predict, "load", load_once)

    def ask(run, *args, status=0):
        monkeypatch.setattr("sys.argv", ["predict", str(run), *map(str, args)])
        capsys.readouterr()
        code = 0
        try:
            predict.main()
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        assert code == status, printed.err
        return printed.out.split("\n")[:-1], printed.err.splitlines()

    return ask


@pytest.fixture(scope="module")
def clips(tmp_path_factory, small_frames):
    """Two videos of builtin scenes, one after the other, 12 frames a second."""
    folder = tmp_path_factory.mktemp("clips")
    parts = {"first": small_frames[:190], "second": small_frames[190:]}
    for name, frames in parts.items():
        videos.write_video(folder / f"{name}.mp4", frames, builtin.RATE)
    return folder


def expected_lines(run, path):
    """What should be printed of a video, from the model in one piece."""
    model = runs.load_model(run)
    clip = videos.read_clip(path, 16, 0.0)
    found = model(clip.values[None], np.array([clip.total]))
    tags = found.tags.numpy()[0]
    starts = [0, *(np.flatnonzero(np.diff(tags)) + 1)]
    assert len(starts) > 4
    for start, end in zip(starts, [*starts[1:], len(tags)], strict=True):
        tag = tags[start]
        confidence = found.probabilities[0, start:end, tag].numpy().mean()
        yield start, end, builtin.TAGS[tag], float(confidence)


def check_lines(lines, name, expected):
    rows = [line.split("\t") for line in lines]
    expected = list(expected)
    assert len(rows) == len(expected)
    for row, (start, end, tag, confidence) in zip(rows, expected, strict=True):
        assert (row[0], row[3]) == (name, tag)
        assert float(row[1]) == pytest.approx(start / builtin.RATE, abs=2e-3)
        assert float(row[2]) == pytest.approx(end / builtin.RATE, abs=2e-3)
        assert float(row[4]) == pytest.approx(confidence, abs=0.006)


# Videos


@pytest.mark.slow
def test_from_a_video_to_subtitles(ask, frames_run, clips, tmp_path):
    path = clips / "first.mp4"
    lines, errors = ask(frames_run, path, "--srt", tmp_path / "first.srt")
    assert errors == []
    check_lines(lines, "first", expected_lines(frames_run, path))
    text = (tmp_path / "first.srt").read_text()
    shown = [cue.split("\n")[2] for cue in text.strip().split("\n\n")]
    tags = [line.split("\t")[3] for line in lines]
    assert shown == [tag for tag in tags if tag != "background"]


@pytest.mark.slow
def test_videos_come_in_their_order(ask, frames_run, clips, tmp_path):
    paths = [clips / "second.mp4", clips / "first.mp4"]
    lines, errors = ask(frames_run, *paths)
    assert errors == []
    parts = [
        [line for line in lines if line.startswith(name)]
        for name in ("second", "first")
    ]
    assert parts[0] + parts[1] == lines
    for path, part in zip(paths, parts, strict=True):
        check_lines(part, path.stem, expected_lines(frames_run, path))
    (tmp_path / "list.txt").write_text(f"{paths[0]}\n{paths[1]}\n")
    assert ask(frames_run, "--file", tmp_path / "list.txt") == (lines, [])


def test_a_long_video_comes_in_pieces(ask, frames_run, clips, monkeypatch):
    path = clips / "first.mp4"
    lines, _ = ask(frames_run, path)
    stream_clips = videos.stream_clips

    def stream_short_clips(source, size, frame_rate):
        return stream_clips(source, size, frame_rate, clip_frames=50)

    monkeypatch.setattr(videos, "stream_clips", stream_short_clips)
    assert ask(frames_run, path)[0] == lines


def test_a_table_is_read_again_as_annotations(ask, frames_run, clips, tmp_path):
    table = tmp_path / "annotations.csv"
    paths = [clips / "first.mp4", clips / "second.mp4"]
    lines, _ = ask(frames_run, *paths, "--csv", table)
    found = annotations_csv.read_table(table, LabelOptions())
    assert list(found) == ["first", "second"]
    for name, annotation in found.items():
        rows = [x.split("\t") for x in lines if x.startswith(name)]
        assert annotation.unit == "seconds"
        again = [(x.start, x.end, x.tag) for x in annotation.segments]
        assert again == [(float(x[1]), float(x[2]), x[3]) for x in rows]


def test_a_folder_of_subtitles_and_a_timeline(ask, frames_run, clips, tmp_path):
    paths = [clips / "first.mp4", clips / "second.mp4"]
    table, picture = tmp_path / "t.csv", tmp_path / "t.png"
    ask(frames_run, *paths, "--csv", table)
    ask(
        frames_run,
        *paths,
        *["--srt", tmp_path / "srt", "--timeline", picture],
        *["--labels", table],
    )
    names = sorted(path.name for path in (tmp_path / "srt").iterdir())
    assert names == ["first.srt", "second.srt"]
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_what_is_broken_is_told_and_the_others_are_answered(
    ask, frames_run, clips, tmp_path
):
    good = clips / "second.mp4"
    expected, _ = ask(frames_run, good)
    cut = tmp_path / "cut.mp4"
    content = good.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    gone = tmp_path / "gone.mp4"
    table = tmp_path / "t.csv"
    lines, errors = ask(frames_run, cut, good, gone, "--csv", table, status=2)
    assert lines == ["", *expected, ""]
    assert len(errors) == 2
    assert errors[0].startswith(f"error: {cut}: ")
    assert errors[1] == f"error: {gone}: no such file or folder"
    assert set(table.read_text().splitlines()[1:]) == {
        x for x in table.read_text().splitlines() if x.startswith("second,")
    }


def test_nothing_that_can_be_read(ask, frames_run, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"words")
    lines, errors = ask(
        frames_run, tmp_path / "a.mp4", "--csv", tmp_path / "t.csv", status=2
    )
    assert lines == [""]
    assert errors == [
        f"error: {tmp_path}/a.mp4: not a video that ffmpeg can read"
    ]
    assert not (tmp_path / "t.csv").exists()


def test_features_for_a_model_of_frames(ask, frames_run, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros([64, 5], np.float32))
    _, errors = ask(frames_run, path, status=2)
    (error,) = errors
    assert error.startswith(f"error: {path}: features, but this model sees fr")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--live", "-", "a.mp4"], "give videos, or --file FILE"),
        ([], "give videos, or --file FILE"),
        (["a.mp4", "--labels", "x"], "--labels are for --timeline"),
        (["--live", "-", "--csv", "a.csv"], "--live writes no files"),
        (["--live", "-", "--srt", "a.srt"], "--live writes no files"),
    ],
)
def test_flags_that_do_not_fit(ask, frames_run, flags, message):
    _, errors = ask(frames_run, *flags, status=2)
    (error,) = errors
    assert error.startswith(f"error: {message}")


def test_one_subtitle_file_for_two_videos(ask, frames_run, clips):
    paths = [clips / "first.mp4", clips / "second.mp4"]
    with pytest.raises(UserError, match="--srt a.srt: one file for 2 videos"):
        ask(frames_run, *paths, "--srt", "a.srt")


def test_two_videos_of_one_name_keep_their_subtitles(
    ask, frames_run, clips, tmp_path
):
    path = clips / "first.mp4"
    with pytest.raises(UserError, match="two videos of one name"):
        ask(frames_run, path, path, "--srt", tmp_path / "srt")
    assert not (tmp_path / "srt").exists()


def test_files_of_one_name_have_their_folders_before_it(
    ask, features_run, tmp_path
):
    paths = [tmp_path / name / "frames.npy" for name in ("clip_1", "clip_2")]
    for path, name in zip(paths, ("x1", "x2"), strict=True):
        path.parent.mkdir()
        shutil.copy(feature_path(features_run, name), path)
    to = tmp_path / "srt"
    lines, _ = ask(features_run, *paths, "--frame-rate", 4, "--srt", to)
    names = dict.fromkeys(line.split("\t")[0] for line in lines)
    assert list(names) == ["clip_1/frames", "clip_2/frames"]
    written = sorted(str(x.relative_to(to)) for x in to.rglob("*.srt"))
    assert written == ["clip_1/frames.srt", "clip_2/frames.srt"]
    lines, _ = ask(features_run, paths[0])
    assert {line.split("\t")[0] for line in lines} == {"frames"}


def test_the_truth_of_files_of_one_name(tmp_path):
    for key in ("clip/frames", "frames"):
        (tmp_path / f"{key}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"{key}.txt").write_text("a\n")
    path = tmp_path / "clip" / "frames.npy"
    for labels, name in ((tmp_path, "clip/frames"), (tmp_path / "clip", "")):
        example = predict._find_truth(labels, path, name, config.Config())
        assert (example.name, example.annotation.lines) == ("frames", ("a",))


def test_a_video_without_any_tag_has_a_line():
    video = predict.VideoSegments("empty", [], None, 4.0, True)
    assert list(predict.format_video(video)) == ["empty\t0\t4.000\t-\t"]


def test_labels_that_are_not_there(ask, frames_run, clips, tmp_path):
    flags = ["--timeline", tmp_path / "t.png", "--labels", tmp_path / "none"]
    _, errors = ask(frames_run, clips / "first.mp4", *flags, status=2)
    (error,) = errors
    assert error.startswith(f"error: --labels {tmp_path}/none: expected anno")
    (tmp_path / "a.csv").write_text("video,start,end,tag\nx,0,1,y\n")
    flags[-1] = tmp_path / "a.csv"
    _, errors = ask(frames_run, clips / "first.mp4", *flags, status=2)
    assert errors == [
        f"error: --labels {tmp_path}/a.csv: none of the video first; it has x"
    ]


# Features


def test_features_have_numbers_of_frames(ask, features_run):
    path = feature_path(features_run, "x1")
    model = runs.load_model(features_run)
    values = np.load(path).T
    found = model(values[None], np.array([12]))
    times = np.arange(12.0)
    rows = segments.find_segments(
        found.tags.numpy()[0],
        found.probabilities.numpy()[0],
        LABELS,
        times,
        1,
    )
    assert len(rows) > 2
    expected = [segments.format_segment("x1", row, False) for row in rows]
    assert ask(features_run, path) == (expected, [])
    lines, _ = ask(features_run, path, "--frame-rate", 4)
    expected = [
        segments.format_segment(
            "x1", x._replace(start=x.start / 4, end=x.end / 4), True
        )
        for x in rows
    ]
    assert lines == expected


def test_subtitles_need_times(ask, features_run, tmp_path):
    path = feature_path(features_run, "x1")
    with pytest.raises(
        UserError, match="--srt needs times: say with --frame-rate"
    ):
        ask(features_run, path, "--srt", tmp_path / "a.srt")
    ask(features_run, path, "--srt", tmp_path / "a.srt", "--frame-rate", 5)
    assert " --> " in (tmp_path / "a.srt").read_text()


def test_features_of_another_size(ask, features_run, tmp_path):
    path, good = tmp_path / "a.npy", feature_path(features_run, "x1")
    np.save(path, np.zeros([DIM + 1, 5], np.float32))
    lines, errors = ask(features_run, path, good, status=2)
    assert lines[0] == "" and len(lines) > 2
    (error,) = errors
    assert error.startswith(f"error: {path}: ")
    assert "4" in error and "3" in error


def test_frames_for_a_model_features_run(ask, features_run, clips):
    path = clips / "first.mp4"
    _, errors = ask(features_run, path, status=2)
    (error,) = errors
    expected = f"error: {path}: frames, but this model knows features only"
    assert error.startswith(expected)


# Live


@contextlib.contextmanager
def standard_input(monkeypatch, content):
    """A pipe in place of standard input."""
    read, write = os.pipe()

    def feed():
        with open(write, "wb") as file, contextlib.suppress(BrokenPipeError):
            file.write(content)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(read) as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield
    feeder.join()


def as_stream(path):
    """The same packets as a stream."""
    file = io.BytesIO()
    file.seekable = lambda: False
    with av.open(str(path)) as before, av.open(file, "w", "matroska") as after:
        video = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(before.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                after.mux(packet)
    return file.getvalue()


def test_a_stream_has_the_tags_of_the_file(ask, frames_run, clips, monkeypatch):
    path = clips / "second.mp4"
    with standard_input(monkeypatch, as_stream(path)):
        lines, errors = ask(frames_run, "--live", "-")
    assert errors == []
    rows = [line.split("\t") for line in lines]
    expected = list(expected_lines(frames_run, path))
    assert [row[1] for row in rows] == [tag for _, _, tag, _ in expected]
    times = [float(row[0]) for row in rows]
    starts = [start / builtin.RATE for start, *_ in expected]
    np.testing.assert_allclose(times, starts, atol=2e-3)


def test_a_stream_features_run(ask, features_run, monkeypatch):
    path = feature_path(features_run, "x2")
    text = "".join(
        ",".join(map(repr, row)) + "\n" for row in np.load(path).T.tolist()
    )
    lines, _ = ask(features_run, path)
    segments_ = [line.split("\t") for line in lines]
    with standard_input(monkeypatch, text.encode()):
        lines, _ = ask(features_run, "--live", "-")
    rows = [line.split("\t") for line in lines]
    found = [(float(row[0]), row[1]) for row in rows]
    assert found == [(float(x[1]), x[3]) for x in segments_]
    with (
        standard_input(monkeypatch, b"1 2 3\n1 2\n"),
        pytest.raises(
            UserError, match="standard input, line 2: expected 3 numbers"
        ),
    ):
        ask(features_run, "--live", "-")


def test_what_cannot_be_live(ask, features_run):
    with pytest.raises(UserError, match="train one with --causal"):
        Predictor.from_model(make_tagger()).make_stream_fn()
    with pytest.raises(UserError, match="--live 0: this model knows features"):
        ask(features_run, "--live", "0")


def test_a_negative_frame_rate(ask, frames_run):
    message = "--frame-rate must be at least 0, got -1.0"
    with pytest.raises(UserError, match=message):
        ask(frames_run, "a.mp4", "--frame-rate", "-1")


def test_the_help_tells_how_many_videos_a_timeline_has():
    assert config.MAX_TIMELINES == timeline.MAX_VIDEOS


def test_another_frame_rate_than_that_of_training_is_noted():
    model = Predictor(None, [], True, 0, None, None, None, 30.0)
    for rate, remark in {
        0: "",
        30: "",
        25: "",
        45: "",
        20: "",
        60: "60 frames a second, where training had 30: pass --frame-rate 30",
        12.5: "12.5 frames a second, where training had 30: pass --frame-rate"
        " 30",
    }.items():
        assert model.describe_rate(rate) == remark
    unknown = dataclasses.replace(model, frame_rate=0.0)
    assert unknown.describe_rate(60) == ""
