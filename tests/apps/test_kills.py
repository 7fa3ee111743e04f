"""Kills at random moments: the same command goes on, and nothing is lost."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest

from tests.support import commands, kills

pytestmark = pytest.mark.slow
WITH_FEATURES = ["apps.captioning", "apps.video_tagging"]
# What a run writes that depends on the clock.
TIMES = ("seconds", "target_tokens_per_second")


@pytest.fixture(scope="module", params=commands.PACKAGES)
def app(request, trained_app):
    return trained_app(request.param)


@pytest.fixture
def killer(request):
    """As many kills as --kills says, at moments of a seed."""
    return kills.Killer(
        request.config.getoption("--kill-seed"),
        request.config.getoption("--kills"),
    )


def assert_same_run(run, expected):
    assert read_arrays(run) == read_arrays(expected)
    assert read_weights(run) == read_weights(expected)
    for name in ("metrics.json", "log.csv"):
        lines = [(x / name).read_text() for x in (run, expected)]
        assert without_times(name, lines[0]) == without_times(name, lines[1])
    files = [sorted(x.name for x in y.iterdir()) for y in (run, expected)]
    assert files[0] == files[1]


def read_arrays(run):
    path = max((run / "checkpoints").iterdir())
    with np.load(path / "variables.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def read_weights(run):
    model = keras.saving.load_model(run / "model.keras", compile=False)
    return [x.numpy().tobytes() for x in model.weights]


def without_times(name, text):
    if name.endswith(".json"):
        values = json.loads(text)
        best = values.pop("best")
        return [
            {x: y for x, y in z.items() if x not in TIMES}
            for z in (values, best)
        ]
    rows = csv.DictReader(text.splitlines())
    return [{x: y for x, y in row.items() if x not in TIMES} for row in rows]


def test_training_that_is_killed_ends_as_if_it_had_not(app, tmp_path, killer):
    while not killer.is_done:
        kill_training(app, tmp_path, killer)
        shutil.rmtree(tmp_path / "runs")


def kill_training(app, folder, killer):
    train = f"{app.package}.train"
    killer.run(train, "--smoke", folder=folder, most=3)
    run = folder / "runs" / app.package.rpartition(".")[2]
    assert_same_run(run, app.run)
    assert kills.leftovers(folder) == []


@pytest.mark.nightly
def test_an_export_that_is_killed_is_there_whole_or_not(app, tmp_path, killer):
    base = tmp_path / "exports" / app.run.name
    expected = list_files(app.export)

    def check():
        versions = [x for x in base.glob("*") if x.name.isdecimal()]
        assert all(list_files(x) == expected for x in versions)

    while not killer.is_done:
        killer.run(
            *[f"{app.package}.export", app.run, "--to", base.parent],
            folder=tmp_path,
            most=3,
            check=check,
        )
        check()
        assert kills.leftovers(tmp_path) == []
        shutil.rmtree(base)


def list_files(folder):
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*"))


@pytest.mark.nightly
@pytest.mark.parametrize("package", WITH_FEATURES)
def test_features_that_are_killed_are_all_there_in_their_order(
    package, tmp_path, killer
):
    builtin = f"{package}.datasets.builtin.__main__"
    commands.run_command(builtin, "data", "--num", "30", folder=tmp_path)
    network = ["--encoder", "MobileNetV2", "--encoder-weights", "none"]
    flags = ["--data", "data", *network, "--image-size", "32", "--to"]
    name = "x.npz" if package == "apps.captioning" else "x"
    features = f"{package}.features"
    killer_of_none = kills.Killer(0, 0)
    killer_of_none.run(
        features, *flags, f"whole/{name}", folder=tmp_path, most=0
    )
    expected = read_files(tmp_path / "whole")
    while not killer.is_done:
        killer.run(features, *flags, f"to/{name}", folder=tmp_path, most=3)
        assert read_files(tmp_path / "to") == expected
        shutil.rmtree(tmp_path / "to")


def read_files(folder):
    """Returns the content of all files, without the times inside of zips."""
    return {
        str(path.relative_to(folder)): read_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_file(path):
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}
