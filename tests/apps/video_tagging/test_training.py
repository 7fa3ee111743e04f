"""Training as users run it: going on, stopping, and what is refused."""

import dataclasses
import os
import shutil
import signal

import numpy as np
import pytest

from apps.video_tagging import batches, scores, train
from apps.video_tagging.config import SMOKE, Config
from apps.video_tagging.datasets import Example, builtin, samples
from apps.video_tagging.predictor import Tagged
from common.errors import UserError
from common.metrics import segments
from common.training import checkpoints, interrupts, runs
from tests.apps.video_tagging.test_data import write_folder

# Small frames, and every kind of chance that has to go on by its seed.
SMALL = dataclasses.replace(
    SMOKE,
    num_examples=10,
    image_size=16,
    units=6,
    batch_size=3,
    window=20,
    input_noise=0.1,
    feature_dropout=0.1,
    dropout=0.2,
    smoothing=0.1,
    causal=True,
    patience=9,
)
# Of features a run takes a second.
FLAGS = {
    "--units": 4,
    "--epochs": 1,
    "--batch-size": 2,
    "--num-layers": 0,
    "--run-dir": "run",
}
SCENES = {
    "train": {"v1": "aab" * 4, "v2": "bbcc" * 3, "v3": "c?a" * 4},
    "valid": {"w1": "abc" * 4},
    "test": {"x1": "cba" * 4},
}


def run_to(folder, epochs, config=SMALL, **options):
    train.train(
        dataclasses.replace(
            config, run_dir=str(folder), epochs=epochs, **options
        )
    )
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


def measured(state):
    names = ("loss", "val_accuracy", "val_edit", "val_f1_50", "val_score")
    return [tuple(row[name] for name in names) for row in state["history"]]


def assert_same_run(run, other):
    assert measured(run[0]) == measured(other[0])
    assert run[1].keys() == other[1].keys()
    for name, value in run[1].items():
        np.testing.assert_array_equal(value, other[1][name])


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    """Leaves out the picture of the log: it takes longer than an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_draw_curves", lambda path, history: None)
        yield


# Going on


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "whole"


@pytest.fixture(scope="module")
def four_epochs(folder):
    """A run of four epochs in one go: its state and all its variables."""
    return run_to(folder, epochs=4)


def test_two_epochs_and_two_more_are_four(tmp_path, four_epochs, capsys):
    # So the same seed gives the same losses and weights.
    two_epochs = run_to(tmp_path / "run", epochs=2)
    printed = capsys.readouterr().out
    assert "10 training videos with 480 frames, 5 validation vid" in printed
    assert "epoch 2/2: validation accuracy " in printed
    assert measured(two_epochs[0]) == measured(four_epochs[0])[:2]
    assert_same_run(run_to(tmp_path / "run", epochs=4), four_epochs)


def stopped(folder, after, monkeypatch):
    """Trains four epochs until Ctrl-C comes after so many batches."""
    done = interrupts.Stop.on_train_batch_end
    num_done = 0

    def interrupted(self, batch, logs=None):
        nonlocal num_done
        num_done += 1
        if num_done == after:
            os.kill(os.getpid(), signal.SIGINT)
        done(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(interrupts.Stop, "on_train_batch_end", interrupted)
        with pytest.raises(SystemExit) as status:
            run_to(folder, epochs=4)
    assert status.value.code == 130
    return checkpoints.newest(folder / "checkpoints")[1]


def test_a_run_stopped_by_ctrl_c_goes_on_exactly(
    tmp_path, four_epochs, monkeypatch, capsys
):
    dataset = train.data.load(SMALL)
    first = len(batches.batches(dataset.train, SMALL, epoch=0))
    # In the middle of the second epoch.
    state = stopped(tmp_path / "run", first + 2, monkeypatch)
    assert (state["epoch"], state["step"]) == (1, 2)
    assert "the same command goes on from here" in capsys.readouterr().out
    resumed = run_to(tmp_path / "run", epochs=4)
    assert "going on after epoch 1, 2 batches" in capsys.readouterr().out
    # The loss of the epoch that was cut is the mean over its second part.
    resumed[0]["history"][1]["loss"] = four_epochs[0]["history"][1]["loss"]
    assert_same_run(resumed, four_epochs)


def test_a_finished_run_says_so_and_changes_nothing(
    folder, four_epochs, capsys
):
    before = (folder / runs.MODEL).read_bytes()
    assert_same_run(run_to(folder, epochs=4), four_epochs)
    assert "this run is finished after epoch 4" in capsys.readouterr().out
    assert (folder / runs.MODEL).read_bytes() == before


def test_other_options_on_the_same_folder_are_refused(folder, four_epochs):
    with pytest.raises(UserError, match=r"units 6 \(now 5\)"):
        run_to(folder, epochs=4, units=5)


def test_the_log_has_what_users_care_about(folder, four_epochs):
    rows = four_epochs[0]["history"]
    for epoch, row in enumerate(rows):
        rate = SMALL.learning_rate * SMALL.learning_rate_decay**epoch
        assert row["learning_rate"] == rate
        chosen_by = np.mean(
            [row[f"val_{name}"] for name in segments.Scores._fields]
        )
        assert row["val_score"] == pytest.approx(chosen_by)
    header = (folder / "log.csv").read_text().partition("\n")[0].split(",")
    assert header == list(rows[0])
    best = runs.read_json(folder / "metrics.json")["best"]
    assert best["val_score"] == max(row["val_score"] for row in rows)


def test_the_run_has_labels_and_samples(folder, four_epochs):
    assert runs.read_lines(folder / "labels.txt") == list(builtin.TAGS)
    names = sorted(path.name for path in (folder / samples.FOLDER).iterdir())
    scenes = list(builtin.generate("valid", samples.NUM_WRITTEN, SMALL.seed))
    assert names == sorted(scene.name for scene in scenes)
    report = runs.read_json(folder / "data.json")
    assert report["example"] == f"{folder}/samples/{scenes[0].name}"
    pictures = list((folder / samples.FOLDER / names[0]).iterdir())
    assert len(pictures) == len(scenes[0].frames)
    assert report["skipped"] == {}


def test_videos_with_files_are_not_copied(tmp_path):
    example = Example("a", tmp_path / "a b.mp4", None)
    dataset = train.data.Data([], None, None, None, None, [example], {})
    samples.write(tmp_path / "run", dataset)
    assert not (tmp_path / "run").exists()
    expected = f"'{tmp_path}/a b.mp4'"
    assert samples.example_input(tmp_path / "run", dataset) == expected


# Scores


def test_scores_of_one_tag_a_frame():
    truth = [np.array([0, 0, 1, 1, -1, 2]), np.array([2, 2])]
    tags = [np.array([0, 0, 0, 1, 1, 2]), np.array([2, 0])]
    found = [Tagged(x, None) for x in tags]
    known = [x >= 0 for x in truth]
    labels = ["background", "a", "b"]
    result = scores.score(found, truth, known, labels, Config())
    assert result["accuracy"] == pytest.approx(100 * 5 / 7)
    without = segments.score(truth, tags, [0], -1)
    with_it = segments.score(truth, tags, (), -1)
    assert result["edit"] == without.edit
    assert result["f1_50"] == without.f1_50
    assert result["edit_with_background"] == with_it.edit
    assert "accuracy_with_background" not in result
    expected = np.mean(list(without))
    assert scores.one_number(result) == pytest.approx(expected)
    result = scores.score(found, truth, known, ["x", "a", "b"], Config())
    assert result == with_it._asdict()


def test_scores_of_sets_are_of_labelled_frames():
    truth = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "f")
    probabilities = np.array([[0.9, 0.2], [0.4, 0.8], [1, 0.6], [0, 1]], "f")
    known = np.array([True, True, True, False])
    found = [Tagged(probabilities >= 0.5, probabilities)]
    config = Config(multi_label=True)
    result = scores.score(found, [truth], [known], ["a", "b"], config)
    # All of them are right; the last frame is nobody's.
    assert result["micro_f1"] == result["macro_f1"] == 1
    expected = -np.log([0.9, 0.8, 0.6, 0.8, 1, 0.6]).sum() / 3
    assert result["nll"] == pytest.approx(expected, rel=1e-5)
    assert scores.one_number(result) == -result["nll"]


def test_without_validation_the_last_epoch_is_the_best():
    dataset = train.data.Data([], None, None, None, None, [], {})
    first, second = (train.validate(None, dataset, k) for k in (0, 1))
    assert second["score"] > first["score"]
    assert train.said(first) == "no validation videos"


# Data of users


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with features to train on, the current one."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "data", SCENES)
    return tmp_path


@pytest.fixture
def learn(here, monkeypatch, capsys):
    """Trains as the command line does; gives what was printed."""

    def learn(*args, **flags):
        named = FLAGS | {
            "--" + name.replace("_", "-"): value
            for name, value in flags.items()
        }
        given = [str(x) for pair in named.items() for x in pair]
        monkeypatch.setattr(
            "sys.argv", ["train", "--data", "data", *given, *args]
        )
        train.main()
        return capsys.readouterr().out

    return learn


def test_training_on_features(learn, here):
    (here / "data" / "groundTruth" / "v2.txt").unlink()
    printed = learn("--crf", num_layers=1)
    assert "2 training videos with 24 frames, 1 validation videos" in printed
    assert "skipped: 1 (without labels): v2" in printed
    assert "best epoch 1: validation accuracy" in printed
    next_one = "python -m apps.video_tagging.predict run data/features/w1.npy"
    assert next_one in printed
    assert not (here / "run" / samples.FOLDER).exists()
    report = runs.read_json(here / "run" / "data.json")
    assert report["skipped"]["without labels"]["first"] == ["v2"]


def test_sets_of_tags_without_validation(learn, here):
    (here / "data" / "splits" / "valid.bundle").unlink()
    flags = {"valid_videos": "none", "class_weights": "balanced", "epochs": 2}
    printed = learn("--multi-label", **flags)
    assert "3 training videos with 36 frames, 3 tags" in printed
    assert "best epoch 2: no validation videos" in printed


def test_lines_that_do_not_fit_are_cropped(learn, here):
    path = here / "data" / "groundTruth" / "v1.txt"
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match="v1.txt: 2 lines, .* 12 frames"):
        learn()
    assert not (here / "run").exists()
    assert "epoch 1/1" in learn(align="crop")


def test_other_data_in_the_same_folder_are_refused(learn, here):
    learn()
    shutil.move("data", "before")
    scenes = {
        k: {n: t.replace("c", "d") for n, t in v.items()}
        for k, v in SCENES.items()
    }
    write_folder(here / "data", scenes, ["a", "b", "d"])
    with pytest.raises(UserError, match="have changed .*labels.txt differs"):
        learn(epochs=2)
    shutil.rmtree("data")
    shutil.move("before", "data")
    for path in (here / "data" / "features").iterdir():
        np.save(path, np.load(path)[:2])
    with pytest.raises(UserError, match="the model has changed since"):
        learn(epochs=2)


def test_a_run_that_diverges_says_so(learn, here):
    with pytest.raises(
        UserError, match="run: the loss is (nan|inf) in epoch 1; try a lower"
    ):
        learn(learning_rate=1e30, clip_norm=1e30, scale="none")
    assert not (here / "run" / runs.MODEL).exists()


def test_the_command_says_in_one_line_what_is_wrong(command):
    write_folder(command.folder / "data", SCENES)
    values = np.load(command.folder / "data" / "features" / "v3.npy")
    values[0, 5] = np.inf
    np.save(command.folder / "data" / "features" / "v3.npy", values)
    line = command.error("apps.video_tagging.train", "--data", "data")
    assert line.startswith(
        "error: data/features/v3.npy: frame 5 (of 12, from 0) has NaN"
    )
    assert not (command.folder / "runs").exists()
