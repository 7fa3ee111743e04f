"""From videos to segments, as the command line prints and writes them."""

import contextlib
import dataclasses
import functools
import io
import json
import os
import sys
import threading

import av
import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import (
    evaluate,
    pipeline,
    predict,
    predictor,
    train,
)
from apps.video_tagging.config import SMOKE, Config
from apps.video_tagging.datasets import annotations_csv, builtin
from apps.video_tagging.outputs import segments
from common.errors import UserError
from common.media import videos
from common.training import runs, trained
from tests.apps.video_tagging.test_data import write_folder

TINY = dataclasses.replace(
    SMOKE,
    num_examples=10,
    epochs=1,
    image_size=16,
    units=8,
    batch_size=5,
    causal=True,
)
DIM = 3  # Of the features of `test_video_tagging_data`.
SCENES = {
    "train": {"v1": "aab" * 4, "v2": "bbcc" * 3, "v3": "c?a" * 4},
    "valid": {"w1": "abc" * 4},
    "test": {"x1": "cba" * 4, "x2": "aab?" * 4},
}


def quickly(config):
    """Trains without a picture of the log, which takes longer than that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_draw_curves", lambda path, history: None)
        return train.train(config)


def make_talkative(run, seen=None):
    """Puts large weights in a run's model, so that its tags change often.

    Args:
        run: the run folder.
        seen: frames, for an encoder whose features should tell them apart.
    """
    model = pipeline.load(run / runs.MODEL)
    network = model.network
    if seen is not None:
        values = network.features(tf.constant(seen[None])).numpy()[0]
        network.adapt(values.mean(0), values.std(0), network.tag_weights)
    for stage in network.stages:
        for number, weight in enumerate(stage.trainable_variables):
            if len(weight.shape) > 1:
                rng = np.random.default_rng(number)
                scale = 4 / np.sqrt(weight.shape[0])
                weight.assign(scale * rng.normal(size=weight.shape))
    model.save(run / runs.MODEL)
    return run


def small_scenes(num):
    """Builtin scenes, one after the other, of 16 by 16 pixels."""
    scenes = builtin.generate("test", num, seed=3)
    pixels = np.concatenate([scene.frames for scene in scenes])
    return pixels[:, ::2, ::2]


@functools.cache
def frames_run(folder):
    """A causal run of seconds on the builtin videos."""
    run = quickly(dataclasses.replace(TINY, run_dir=str(folder / "run")))
    return make_talkative(run, small_scenes(6))


@functools.cache
def features_run(folder, **options):
    """A run of seconds on features."""
    write_folder(folder / "data", SCENES)
    config = dataclasses.replace(
        TINY, data=str(folder / "data"), run_dir=str(folder / "run"), **options
    )
    return make_talkative(quickly(config))


@functools.cache
def opened(run):
    return predictor.load(str(run))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return frames_run(tmp_path_factory.getbasetemp() / "of-frames")


@pytest.fixture(scope="module")
def of_features(tmp_path_factory):
    """Causal, and of features."""
    return features_run(tmp_path_factory.getbasetemp() / "tags-of-features")


@pytest.fixture(scope="module")
def from_both_sides(tmp_path_factory):
    """Of features, not causal."""
    folder = tmp_path_factory.getbasetemp() / "from-both-sides"
    return features_run(folder, causal=False, num_layers=0)


@pytest.fixture
def ask(monkeypatch, capsys):
    """Predicts as the command line does: (lines, errors)."""
    monkeypatch.setattr(predict, "load", opened)

    def ask(run, *args, status=0):
        monkeypatch.setattr("sys.argv", ["predict", str(run), *map(str, args)])
        capsys.readouterr()
        found = 0
        try:
            predict.main()
        except SystemExit as ended:
            found = ended.code
        printed = capsys.readouterr()
        assert found == status, printed.err
        return printed.out.split("\n")[:-1], printed.err.splitlines()

    return ask


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two videos of builtin scenes, one after the other, 12 frames a second."""
    folder = tmp_path_factory.mktemp("clips")
    pixels = small_scenes(6)
    for name, some in (("first", pixels[:190]), ("second", pixels[190:])):
        videos.write_video(folder / f"{name}.mp4", some, builtin.RATE)
    return folder


def expected_lines(run, path):
    """What should be printed of a video, from the model in one piece."""
    model = pipeline.load(trained.find(run))
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


def test_from_a_video_to_subtitles(command, run, clips):
    path = clips / "first.mp4"
    done = command(
        "apps.video_tagging.predict", run, path, "--srt", "first.srt"
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    check_lines(lines, "first", expected_lines(run, path))
    text = (command.folder / "first.srt").read_text()
    shown = [cue.split("\n")[2] for cue in text.strip().split("\n\n")]
    tags = [line.split("\t")[3] for line in lines]
    assert shown == [tag for tag in tags if tag != "background"]


def test_videos_come_in_their_order(ask, run, clips, tmp_path):
    paths = [clips / "second.mp4", clips / "first.mp4"]
    lines, errors = ask(run, *paths)
    assert errors == []
    parts = [
        [line for line in lines if line.startswith(name)]
        for name in ("second", "first")
    ]
    assert parts[0] + parts[1] == lines
    for path, part in zip(paths, parts, strict=True):
        check_lines(part, path.stem, expected_lines(run, path))
    (tmp_path / "list.txt").write_text(f"{paths[0]}\n{paths[1]}\n")
    assert ask(run, "--file", tmp_path / "list.txt") == (lines, [])


def test_a_long_video_comes_in_pieces(ask, run, clips, monkeypatch):
    path = clips / "first.mp4"
    lines, _ = ask(run, path)
    short = functools.partial(videos.stream_clips, clip_frames=50)
    monkeypatch.setattr(videos, "stream_clips", short)
    assert ask(run, path)[0] == lines


def test_a_table_is_read_again_as_annotations(ask, run, clips, tmp_path):
    table = tmp_path / "annotations.csv"
    paths = [clips / "first.mp4", clips / "second.mp4"]
    lines, _ = ask(run, *paths, "--csv", table)
    config = Config(multi_label=False)
    found = annotations_csv.annotations_in(table, config)
    assert list(found) == ["first", "second"]
    for name, annotation in found.items():
        rows = [x.split("\t") for x in lines if x.startswith(name)]
        assert annotation.unit == "seconds"
        again = [(x.start, x.end, x.tag) for x in annotation.segments]
        assert again == [(float(x[1]), float(x[2]), x[3]) for x in rows]


def test_a_folder_of_subtitles_and_a_timeline(ask, run, clips, tmp_path):
    paths = [clips / "first.mp4", clips / "second.mp4"]
    table, picture = tmp_path / "t.csv", tmp_path / "t.png"
    ask(run, *paths, "--csv", table)
    ask(
        run,
        *paths,
        *["--srt", tmp_path / "srt", "--timeline", picture],
        *["--labels", table],
    )
    names = sorted(path.name for path in (tmp_path / "srt").iterdir())
    assert names == ["first.srt", "second.srt"]
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_what_is_broken_is_told_and_the_others_are_answered(
    ask, run, clips, tmp_path
):
    good = clips / "second.mp4"
    expected, _ = ask(run, good)
    cut = tmp_path / "cut.mp4"
    content = good.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    gone = tmp_path / "gone.mp4"
    table = tmp_path / "t.csv"
    lines, errors = ask(run, cut, good, gone, "--csv", table, status=2)
    assert lines == ["", *expected, ""]
    assert len(errors) == 2
    assert errors[0].startswith(f"error: {cut}: ")
    assert errors[1] == f"error: {gone}: no such file or folder"
    assert set(table.read_text().splitlines()[1:]) == {
        x for x in table.read_text().splitlines() if x.startswith("second,")
    }


def test_nothing_that_can_be_read(ask, run, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"words")
    lines, errors = ask(
        run, tmp_path / "a.mp4", "--csv", tmp_path / "t.csv", status=2
    )
    assert lines == [""]
    assert errors == [
        f"error: {tmp_path}/a.mp4: not a video that ffmpeg can read"
    ]
    assert not (tmp_path / "t.csv").exists()


def test_features_for_a_model_of_frames(ask, run, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros([64, 5], np.float32))
    _, errors = ask(run, path, status=2)
    (error,) = errors
    assert error.startswith(f"error: {path}: features, but this model sees fr")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--live", "-", "a.mp4"], "give videos, or --file FILE"),
        ([], "give videos, or --file FILE"),
        (["a.mp4", "--rate", "-1"], "--rate must be at least 0, got -1"),
        (["--live", "-", "--srt", "a.srt"], "--live writes no files"),
        (["a.mp4", "--labels", "x"], "--labels are for --timeline"),
    ],
)
def test_flags_that_do_not_fit(ask, run, flags, message):
    _, errors = ask(run, *flags, status=2)
    (error,) = errors
    assert error.startswith(f"error: {message}")


def test_one_subtitle_file_for_two_videos(ask, run, clips):
    paths = [clips / "first.mp4", clips / "second.mp4"]
    with pytest.raises(UserError, match="--srt a.srt: one file for 2 videos"):
        ask(run, *paths, "--srt", "a.srt")


def test_two_videos_of_one_name_keep_their_subtitles(ask, run, clips, tmp_path):
    path = clips / "first.mp4"
    with pytest.raises(UserError, match="two videos of one name"):
        ask(run, path, path, "--srt", tmp_path / "srt")
    assert not (tmp_path / "srt").exists()


def test_a_video_without_any_tag_has_a_line():
    video = predict.Video("empty", [], 4.0, True, None)
    assert list(predict.show(video)) == ["empty\t0\t4.000\t-\t"]


def test_labels_that_are_not_there(ask, run, clips, tmp_path):
    flags = ["--timeline", tmp_path / "t.png", "--labels", tmp_path / "none"]
    _, errors = ask(run, clips / "first.mp4", *flags, status=2)
    (error,) = errors
    assert error.startswith(f"error: --labels {tmp_path}/none: expected anno")
    (tmp_path / "a.csv").write_text("video,start,end,tag\nx,0,1,y\n")
    flags[-1] = tmp_path / "a.csv"
    _, errors = ask(run, clips / "first.mp4", *flags, status=2)
    assert errors == [
        f"error: --labels {tmp_path}/a.csv: none of the video first"
    ]


# Features


def features_of(run, name):
    return run.parent / "data" / "features" / f"{name}.npy"


def test_features_have_numbers_of_frames(ask, of_features):
    path = features_of(of_features, "x1")
    model = pipeline.load(trained.find(of_features))
    values = np.load(path).T
    found = model(values[None], np.array([12]))
    times = np.arange(12.0)
    rows = segments.of_tags(
        found.tags.numpy()[0],
        found.probabilities.numpy()[0],
        ["a", "b", "c"],
        times,
        1,
    )
    assert len(rows) > 2
    expected = [segments.line("x1", row, False) for row in rows]
    assert ask(of_features, path) == (expected, [])
    lines, _ = ask(of_features, path, "--rate", 4)
    expected = [
        segments.line("x1", x._replace(start=x.start / 4, end=x.end / 4), True)
        for x in rows
    ]
    assert lines == expected


def test_subtitles_need_times(ask, of_features, tmp_path):
    path = features_of(of_features, "x1")
    with pytest.raises(UserError, match="--srt needs times: say with --rate"):
        ask(of_features, path, "--srt", tmp_path / "a.srt")
    ask(of_features, path, "--srt", tmp_path / "a.srt", "--rate", 5)
    assert " --> " in (tmp_path / "a.srt").read_text()


def test_features_of_another_size(ask, of_features, tmp_path):
    path, good = tmp_path / "a.npy", features_of(of_features, "x1")
    np.save(path, np.zeros([DIM + 1, 5], np.float32))
    lines, errors = ask(of_features, path, good, status=2)
    assert lines[0] == "" and len(lines) > 2
    (error,) = errors
    assert error.startswith(f"error: {path}: ")
    assert "4" in error and "3" in error


def test_frames_for_a_model_of_features(ask, of_features, clips):
    path = clips / "first.mp4"
    _, errors = ask(of_features, path, status=2)
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


def test_a_stream_has_the_tags_of_the_file(ask, run, clips, monkeypatch):
    path = clips / "second.mp4"
    with standard_input(monkeypatch, as_stream(path)):
        lines, errors = ask(run, "--live", "-")
    assert errors == []
    rows = [line.split("\t") for line in lines]
    expected = list(expected_lines(run, path))
    assert [row[1] for row in rows] == [tag for _, _, tag, _ in expected]
    times = [float(row[0]) for row in rows]
    starts = [start / builtin.RATE for start, *_ in expected]
    np.testing.assert_allclose(times, starts, atol=2e-3)


def test_a_stream_of_features(ask, of_features, monkeypatch):
    path = features_of(of_features, "x2")
    text = "".join(
        ",".join(map(repr, row)) + "\n" for row in np.load(path).T.tolist()
    )
    lines, _ = ask(of_features, path)
    segments_ = [line.split("\t") for line in lines]
    with standard_input(monkeypatch, text.encode()):
        lines, _ = ask(of_features, "--live", "-")
    rows = [line.split("\t") for line in lines]
    found = [(float(row[0]), row[1]) for row in rows]
    assert found == [(float(x[1]), x[3]) for x in segments_]
    with (
        standard_input(monkeypatch, b"1 2 3\n1 2\n"),
        pytest.raises(
            UserError, match="standard input, line 2: expected 3 numbers"
        ),
    ):
        ask(of_features, "--live", "-")


def test_what_cannot_be_live(ask, of_features, from_both_sides):
    with pytest.raises(UserError, match="train one with --causal"):
        ask(from_both_sides, "--live", "-")
    with pytest.raises(UserError, match="--live 0: this model knows features"):
        ask(of_features, "--live", "0")


# Evaluation


def scored(run, capsys, monkeypatch, *args):
    monkeypatch.setattr("sys.argv", ["evaluate", str(run), *map(str, args)])
    monkeypatch.setattr(evaluate, "load", opened)
    capsys.readouterr()
    evaluate.main()
    *report, last = capsys.readouterr().out.splitlines()
    return json.loads(last), report


def test_evaluation_of_features(of_features, capsys, monkeypatch, tmp_path):
    picture = tmp_path / "t.png"
    found, report = scored(
        of_features, capsys, monkeypatch, "--timeline", picture
    )
    assert (found["examples"], found["frames"]) == (2, 12 + 16)
    model = opened(str(of_features))
    right = total = 0
    for name, tags in SCENES["test"].items():
        values = np.load(features_of(of_features, name)).T
        answer = model.of_chunks([values])
        for tag, true in zip(answer.tags, tags, strict=True):
            total += true != "?"
            right += "abc"[tag] == true
    assert found["accuracy"] == pytest.approx(100 * right / total)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    header = report.index("tag    frames  precision  recall")
    counts = [line.split()[:2] for line in report[header + 1 : header + 4]]
    assert counts == [["a", "12"], ["b", "8"], ["c", "4"]]
    worst = report[report.index("worst videos") + 1 :]
    assert sorted(line.split()[1] for line in worst) == ["x1", "x2"]


def test_evaluation_of_a_part(of_features, capsys, monkeypatch):
    one = ["--split", "all", "--limit", 3]
    found, _ = scored(of_features, capsys, monkeypatch, *one)
    assert found["examples"] == 3
    with pytest.raises(UserError, match="--split dev: expected all or one of"):
        scored(of_features, capsys, monkeypatch, "--split", "dev")


def test_evaluation_of_what_is_not_there():
    with pytest.raises(UserError, match="no videos to evaluate"):
        evaluate.collect(None, [], Config())
    splits = {"train": [1], "valid": [2, 3]}
    assert evaluate.select(splits, "all") == [1, 2, 3]
