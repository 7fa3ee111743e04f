import csv
import dataclasses
import json
import os
import platform
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from common.data import json_files, name_lists
from common.errors import UserError
from common.training import Run, runs


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of a test."""

    BY_DATA = ("batch_size",)

    run_dir: str
    units: int = 3
    kinds: tuple[str, ...] = ("max", "mean")
    batch_size: int = 0
    deterministic: bool = False
    epochs: int = 3
    patience: int = 2


def open_run(tmp_path, package="apps.mine", overwrite=False, **options):
    config = Config(str(tmp_path / "run"), **options)
    return Run(config, package, "val_accuracy", overwrite)


def a_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def an_epoch(run, accuracy, loss=2.0):
    model = a_model()
    row = {"loss": 1.0, "val_loss": loss, "val_accuracy": accuracy}
    run.save_epoch(model, model, row | {"seconds": 1.5})


def events(folder):
    """(step, name, value) of all TensorBoard events in a folder."""
    rows = [
        (event.step, value.tag, tf.make_ndarray(value.tensor).item())
        for path in folder.iterdir()
        for record in tf.data.TFRecordDataset(str(path))
        for event in [tf.compat.v1.Event.FromString(record.numpy())]
        for value in event.summary.value
    ]
    return sorted(rows, key=lambda row: row[0])


@pytest.fixture
def run(tmp_path):
    run = open_run(tmp_path)
    run.create(run.config, {"train": {"examples": 5}}, labels=["neg", "pos"])
    return run


def test_nothing_is_written_before_create(tmp_path):
    open_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_create_writes_what_the_run_is(run):
    names = {path.name for path in run.folder.iterdir()}
    assert names == {"config.json", "versions.json", "data.json", "labels.txt"}
    assert runs.load_config(run.folder, Config) == run.config
    assert name_lists.read_names(run.folder / "labels.txt") == ["neg", "pos"]
    versions = json.loads((run.folder / "versions.json").read_text())
    assert versions["app"] == "apps.mine"
    assert versions["keras"] == keras.__version__


def test_epochs_are_logged_and_the_best_model_is_kept(run):
    for accuracy in (0.5, 0.7, 0.6):
        an_epoch(run, accuracy)
        if run.epoch == 2:
            best = (run.folder / "model.keras").read_bytes()
    assert (run.folder / "model.keras").read_bytes() == best
    log = (run.folder / "log.csv").read_text()
    rows = list(csv.DictReader(log.splitlines()))
    assert [row["val_accuracy"] for row in rows] == ["0.5", "0.7", "0.6"]
    summary = json.loads((run.folder / "metrics.json").read_text())
    assert summary["best"]["epoch"] == 2
    assert summary["finished"]
    assert summary["seconds"] == 4.5
    assert events(run.folder / "tensorboard") == [
        (epoch, name, value)
        for epoch, accuracy in ((1, 0.5), (2, 0.7), (3, 0.6))
        for name, value in (
            ("loss", 1.0),
            ("val_loss", 2.0),
            ("val_accuracy", pytest.approx(accuracy)),
            ("seconds", 1.5),
        )
    ]
    assert (run.folder / "curves.png").stat().st_size > 1000


def test_a_run_stops_when_nothing_gets_better(run):
    for accuracy in (0.9, 0.7):
        an_epoch(run, accuracy)
        assert not run.is_finished
    an_epoch(run, 0.8)
    assert run.is_finished
    assert run.best_epoch == 1


def test_a_finished_run_says_which_flag_goes_on(tmp_path):
    for name, options, accuracies, message in (
        (
            "epochs",
            {"epochs": 2},
            (0.5, 0.6),
            "after epoch 2, best 2 (all of --epochs 2); a greater --epochs"
            " goes on",
        ),
        (
            "patience",
            {"patience": 1},
            (0.5, 0.4),
            "after epoch 2, best 1 (none better within --patience 1); a"
            " greater --patience goes on",
        ),
        (
            "both",
            {"epochs": 2, "patience": 1},
            (0.5, 0.4),
            "after epoch 2, best 1 (all of --epochs 2, and none better within"
            " --patience 1); a greater --epochs with a greater --patience goes"
            " on",
        ),
    ):
        run = open_run(tmp_path / name, **options)
        run.create(run.config, {})
        for accuracy in accuracies:
            assert not run.is_finished
            an_epoch(run, accuracy)
        assert run.is_finished
        assert run.finished_message == (
            f"{run.folder}: this run is finished {message}, another --run-dir"
            " or --overwrite begins anew"
        )
        more = {flag: options.get(flag, 9) + 1 for flag in options}
        assert not open_run(tmp_path / name, **more).is_finished


def test_overwrite_begins_anew_once_the_data_are_read(tmp_path, run, capsys):
    an_epoch(run, 0.9)
    before = (run.folder / "config.json").read_text()
    again = open_run(tmp_path, overwrite=True, units=7)
    assert (again.epoch, again.history) == (0, [])
    assert (run.folder / "config.json").read_text() == before
    assert (run.folder / "model.keras").exists()
    again.create(again.config, {}, labels=["new"])
    assert "removing the run that was there" in capsys.readouterr().out
    assert not (run.folder / "model.keras").exists()
    assert runs.load_config(run.folder, Config).units == 7
    assert name_lists.read_names(run.folder / "labels.txt") == ["new"]


def test_overwrite_of_a_run_that_is_not_there_creates_it(tmp_path):
    run = open_run(tmp_path, overwrite=True)
    run.create(run.config, {})
    assert (tmp_path / "run" / "config.json").exists()


def test_overwrite_removes_no_other_folder(tmp_path, run):
    with pytest.raises(UserError, match="a run of apps.mine, not of"):
        open_run(tmp_path, package="apps.other", overwrite=True)
    (run.folder / "config.json").unlink()
    with pytest.raises(UserError, match="exists and is not a run folder"):
        open_run(tmp_path, overwrite=True)
    assert (run.folder / "labels.txt").exists()


def test_overwrite_removes_nothing_of_the_user(tmp_path, run):
    an_epoch(run, 0.9)
    mine = [
        run.folder / "notes.txt",
        run.folder / "plots",
        run.folder / "checkpoints" / "epoch-0001-step-00000000" / "copy.npz",
    ]
    for path in mine:
        path.mkdir()
    again = open_run(tmp_path, overwrite=True)
    message = "train did not write checkpoints/epoch-0001-step-00000000/copy"
    with pytest.raises(UserError, match=message) as caught:
        again.create(again.config, {}, labels=[])
    assert str(caught.value).endswith(
        "copy.npz, notes.txt, plots: move it away, or choose another --run-dir"
    )
    assert (run.folder / "model.keras").exists()
    for path in mine:
        path.rmdir()
    again.create(again.config, {}, labels=[])
    assert not (run.folder / "model.keras").exists()


def test_few_validation_examples_keep_the_last_epoch(tmp_path, capsys):
    run = open_run(tmp_path, patience=1)
    run.create(run.config, {"kept_epoch": "last"})
    for accuracy in (0.9, 0.5):
        an_epoch(run, accuracy)
        assert not run.is_finished
    again = open_run(tmp_path, patience=1)
    assert again.best_epoch == 2
    an_epoch(again, 0.1)
    assert "finished after epoch 3, last 3" in again.finished_message
    assert again.summary(str).startswith("last epoch 3: ")


def test_which_epoch_to_keep_is_best_or_last(tmp_path, run):
    (run.folder / "data.json").write_text('{"kept_epoch": "lasu"}')
    with pytest.raises(UserError, match="kept_epoch is 'lasu', expected best"):
        open_run(tmp_path)


def test_a_run_keeps_on_choosing_its_epoch_as_it_began(tmp_path, run):
    an_epoch(run, 0.9)
    again = open_run(tmp_path)
    again.create(again.config, {"kept_epoch": "last"}, labels=["neg", "pos"])
    an_epoch(again, 0.5)
    assert again.best_epoch == 1
    assert open_run(tmp_path).best_epoch == 1


def test_a_second_process_is_refused(tmp_path, run):
    an_epoch(run, 0.9)
    code = f"""
import sys
sys.path[:0] = {sys.path!r}
from tests.common.training.test_run import open_run
from pathlib import Path
open_run(Path({str(tmp_path)!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    last = done.stderr.splitlines()[-1]
    assert f"in use by process {os.getpid()} on {platform.node()}: wait" in last


def test_what_a_kill_left_is_removed(tmp_path, run):
    left = [
        tmp_path / ".partial-0123456789ab-run",
        run.folder / ".partial-0123456789ab-model.keras",
        run.folder / "checkpoints" / ".partial-44-epoch-0001-step-00000000",
    ]
    for path in left:
        path.mkdir(parents=True)
    open_run(tmp_path)
    assert not [path for path in left if path.exists()]


def test_of_equal_scores_the_lower_loss_is_better_and_progress(run):
    for loss in (0.9, 0.7, 0.8, 0.6, 0.6, 0.65):
        assert not run.is_finished
        an_epoch(run, 0.5, loss)
        run.config = dataclasses.replace(run.config, epochs=9)
    assert run.best_epoch == 4
    assert run.is_finished


def test_sizes_that_were_left_open_are_kept_when_a_run_goes_on(tmp_path):
    first = open_run(tmp_path)
    first.create(dataclasses.replace(first.config, batch_size=8), {})
    assert open_run(tmp_path).config.batch_size == 8
    with pytest.raises(UserError, match=r"batch_size 8 \(now 4\)"):
        open_run(tmp_path, batch_size=4)


def test_an_opened_run_knows_where_it_stands(tmp_path, run, capsys):
    an_epoch(run, 0.9)
    again = open_run(tmp_path, epochs=9)
    assert (again.epoch, again.step, again.best_epoch) == (1, 0, 1)
    again.restore(a_model())
    assert "going on after epoch 1" in capsys.readouterr().out
    again.create(again.config, {}, labels=["neg", "pos"])
    assert runs.load_config(again.folder, Config).epochs == 9


def test_other_options_are_refused_by_name_and_value(tmp_path, run):
    with pytest.raises(UserError, match=r"other options: units 3 \(now 4\)"):
        open_run(tmp_path, units=4)
    with pytest.raises(UserError, match=r"kinds \['max', 'mean'\] \(now"):
        open_run(tmp_path, kinds=("max",))


def test_of_long_values_the_ends_are_told(tmp_path, run):
    old, new = ("/home/me/" + "data/" * 20 + name for name in ("old", "new"))
    first = open_run(tmp_path / "a", kinds=(old,))
    first.create(first.config, {})
    with pytest.raises(UserError, match=r"old'\] \(now .*new'\]\); repeat"):
        open_run(tmp_path / "a", kinds=(new,))


def test_a_run_of_another_app_is_refused(tmp_path, run):
    with pytest.raises(
        UserError, match="a run of apps.mine, not of apps.other"
    ):
        open_run(tmp_path, package="apps.other")


def test_changed_data_are_refused(tmp_path, run):
    with pytest.raises(UserError, match="labels.txt differs"):
        open_run(tmp_path).create(run.config, {}, labels=["neg", "pos", "new"])


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not a run folder"):
        open_run(tmp_path)


def test_a_config_of_another_version_is_refused(run):
    (run.folder / "config.json").write_text('{"run_dir": "x", "gone": 1}')
    with pytest.raises(UserError, match="written by another version.*gone"):
        runs.load_config(run.folder, Config)


def test_a_broken_config_is_named(run):
    (run.folder / "config.json").write_text("{")
    with pytest.raises(UserError, match="config.json:1: not JSON"):
        runs.load_config(run.folder, Config)


def test_lines_keep_every_odd_character(tmp_path):
    run = open_run(tmp_path)
    words = ["\x85", "\u2028", "a b", "é", "\r"]
    run.create(run.config, {}, vocabulary=words)
    assert name_lists.read_names(run.folder / "vocabulary.txt") == words


def test_a_folder_that_tensorflow_cannot_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="--run-dir .*: this name is not UTF-8"):
        open_run(tmp_path / os.fsdecode(b"m\xe4\xdfig"))


def test_a_run_goes_on_with_names_of_any_characters(tmp_path):
    names = ["good\nreview", '"quoted"', "a\tb", ""]
    report = {"skipped": {"m\udce4.png\x1b": 1}}
    run = open_run(tmp_path)
    run.create(run.config, report, labels=names)
    assert json_files.read(run.folder / "data.json") == report
    open_run(tmp_path).create(run.config, report, labels=names)
    path = run.folder / "labels.txt"
    path.write_text(path.read_text().removesuffix("\n") + "\n\n")
    with pytest.raises(UserError, match=r"labels.txt differs"):
        open_run(tmp_path).create(run.config, report, labels=names)
