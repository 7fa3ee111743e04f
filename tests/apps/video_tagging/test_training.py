"""Training as users run it: what goes on, and data that do not fit."""

import shutil

import numpy as np
import pytest

from apps.video_tagging import datasets, train
from apps.video_tagging.datasets import Example, builtin, samples
from common.data import json_files, name_lists
from common.errors import UserError
from common.metrics import segments
from common.training import checkpoints, logs
from tests.support import commands
from tests.support.video_tagging import LABELS, write_folder

FLAGS = {
    "--units": 4,
    "--epochs": 1,
    "--batch-size": 2,
    "--num-layers": 0,
    "--run-dir": "run",
}
# Every kind of chance that has to go on by its seed.
CHANCE = {
    "--window": 5,
    "--input-noise": 0.1,
    "--feature-dropout": 0.1,
    "--dropout": 0.2,
    "--smoothing": 0.1,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with features to train on, the current one."""
    monkeypatch.chdir(tmp_path)
    # The picture of the log takes longer than an epoch.
    monkeypatch.setattr(logs, "draw_curves", lambda path, history: None)
    write_folder(tmp_path / "data")
    return tmp_path


@pytest.fixture
def learn(here, monkeypatch, capsys):
    """Trains as the command line does; gives what was printed."""

    def learn(flags, *args):
        pairs = (FLAGS | flags).items()
        argv = ["train", "--data", "data", *args]
        argv += [str(word) for pair in pairs for word in pair]
        monkeypatch.setattr("sys.argv", argv)
        train.main()
        return capsys.readouterr().out

    return learn


def checkpoint(run):
    """The history of a run, without times, and all of its variables."""
    path, state = checkpoints.newest(run / "checkpoints")
    history = [
        {name: row[name] for name in row if name != "seconds"}
        for row in state["history"]
    ]
    with np.load(path / checkpoints.VARIABLES) as values:
        return history, {name: values[name] for name in values.files}


@pytest.mark.slow
def test_an_epoch_and_one_more_are_two_whatever_is_drawn(learn, here):
    learn(CHANCE | {"--run-dir": "a", "--epochs": 2})
    learn(CHANCE | {"--run-dir": "b", "--epochs": 1})
    printed = learn(CHANCE | {"--run-dir": "b", "--epochs": 2})
    assert "going on after epoch 1" in printed
    (history, variables), (other, others) = map(
        checkpoint, (here / "a", here / "b")
    )
    assert history == other
    assert variables.keys() == others.keys()
    for name, value in variables.items():
        np.testing.assert_array_equal(value, others[name])
    check_log(here / "a", history)


def check_log(run, history):
    """The best epoch is chosen by the mean of the five scores."""
    for row in history:
        scores = [row[f"val_{name}"] for name in segments.Scores._fields]
        assert row["val_score"] == pytest.approx(np.mean(scores))
    header = (run / "log.csv").read_text().partition("\n")[0].split(",")
    assert set(header) == {*history[0], "seconds"}
    best = json_files.read(run / "metrics.json")["best"]
    assert best["val_score"] == max(row["val_score"] for row in history)


def test_generated_videos_are_written_as_samples(tmp_path):
    examples = datasets.open_splits("builtin", num_examples=10).examples
    samples.write_samples(tmp_path, examples["valid"])
    folder = tmp_path / samples.FOLDER
    names = sorted(path.name for path in folder.iterdir())
    scenes = list(builtin.generate("valid", samples.NUM_WRITTEN, 0))
    assert names == sorted(scene.name for scene in scenes)
    example = samples.example_input(tmp_path, examples["valid"])
    assert example == f"{folder}/{scenes[0].name}"
    pictures = list((folder / names[0]).iterdir())
    assert len(pictures) == len(scenes[0].frames)


def test_videos_with_files_are_not_copied(tmp_path):
    examples = [Example("a", tmp_path / "a b.mp4", None)]
    samples.write_samples(tmp_path / "run", examples)
    assert not (tmp_path / "run").exists()
    expected = f"'{tmp_path}/a b.mp4'"
    assert samples.example_input(tmp_path / "run", examples) == expected


def test_training_on_features(learn, here):
    (here / "data" / "groundTruth" / "v2.txt").unlink()
    printed = learn({})
    assert "2 training videos with 24 frames, 1 validation videos" in printed
    assert "skipped: 1 (without labels): v2" in printed
    assert "epoch 1/1: validation accuracy " in printed
    assert "best epoch 1: validation accuracy" in printed
    next_one = "python -m apps.video_tagging.predict run data/features/w1.npy"
    assert next_one in printed
    assert not (here / "run" / samples.FOLDER).exists()
    assert name_lists.read_names(here / "run" / "labels.txt") == LABELS
    report = json_files.read(here / "run" / "data.json")
    assert report["skipped"]["without labels"]["first"] == ["v2"]


@pytest.mark.slow
def test_sets_of_tags_without_validation(learn, here):
    (here / "data" / "splits" / "valid.bundle").unlink()
    flags = {"--valid-videos": "none", "--class-weights": "balanced"}
    printed = learn(flags | {"--epochs": 2}, "--multi-label")
    assert "3 training videos with 36 frames, 3 tags" in printed
    assert "best epoch 2: no validation videos" in printed


def test_lines_that_do_not_fit_are_cropped(learn, here):
    path = here / "data" / "groundTruth" / "v1.txt"
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match="v1.txt: 2 lines, .* 12 frames"):
        learn({})
    assert not (here / "run").exists()
    assert "epoch 1/1" in learn({"--align": "crop"})


@pytest.mark.slow
def test_other_data_in_the_same_folder_are_refused(learn, here):
    learn({})
    shutil.move("data", "before")
    splits = {"train": {"v1": "aabd"}, "valid": {"w1": "abd"}}
    write_folder(here / "data", splits, ["a", "b", "d"])
    with pytest.raises(UserError, match="have changed .*labels.txt differs"):
        learn({"--epochs": 2})
    shutil.rmtree("data")
    shutil.move("before", "data")
    for path in (here / "data" / "features").iterdir():
        np.save(path, np.load(path)[:2])
    with pytest.raises(UserError, match="the model has changed since"):
        learn({"--epochs": 2})


@pytest.mark.slow
def test_a_run_with_the_old_name_of_a_flag_is_refused(learn, here):
    learn({})
    path = here / "run" / "config.json"
    text = path.read_text().replace('"frame_rate"', '"rate"')
    path.write_text(text)
    line = commands.error_line(
        "apps.video_tagging.evaluate", "run", folder=here
    )
    assert "config.json: written by another version of this app" in line
    assert "(unknown: rate); train again" in line


def test_the_command_says_in_one_line_what_is_wrong(here):
    values = np.load(here / "data" / "features" / "v3.npy")
    values[0, 5] = np.inf
    np.save(here / "data" / "features" / "v3.npy", values)
    line = commands.error_line(
        "apps.video_tagging.train", "--data", "data", folder=here
    )
    assert line.startswith(
        "error: data/features/v3.npy: frame 5 (of 12, from 0) has NaN"
    )
    assert not (here / "runs").exists()
