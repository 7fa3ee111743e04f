"""What is learned: tags that one frame by itself does not show."""

import json

import numpy as np
import pytest

from apps.video_tagging import train
from apps.video_tagging.config import Config
from common.data import json_files
from common.training import logs

TIME = 32


def turning(rng):
    """A point on a circle, and which way it has just turned."""
    has_changed = rng.random(TIME) < 0.25
    way = rng.choice([-1, 1]) * np.cumprod(np.where(has_changed, -1, 1))
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(
        way * rng.uniform(0.6, 1.2, TIME)
    )
    features = np.stack([np.cos(angles), np.sin(angles)])
    return features, np.where(way > 0, "left", "right")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Features that say nothing of the tag, but for those of two frames."""
    folder = tmp_path_factory.mktemp("turning")
    for name in ("features", "groundTruth", "splits"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    for split, num in (("train", 48), ("valid", 16)):
        names = [f"{split}{number}" for number in range(num)]
        for name in names:
            features, tags = turning(rng)
            np.save(folder / "features" / f"{name}.npy", features)
            text = "".join(f"{tag}\n" for tag in tags)
            (folder / "groundTruth" / f"{name}.txt").write_text(text)
        listed = "".join(f"{name}\n" for name in names)
        (folder / "splits" / f"{split}.bundle").write_text(listed)
    return folder


def accuracy(folder, run, monkeypatch, **options):
    monkeypatch.setattr(logs, "draw_curves", lambda path, history: None)
    config = Config(
        data=str(folder),
        run_dir=str(run),
        units=24,
        batch_size=8,
        epochs=8,
        learning_rate=0.02,
        learning_rate_decay=0.95,
        patience=8,
        **options,
    )
    train.train(config)
    return json_files.read(run / "metrics.json")["best"]["val_accuracy"]


@pytest.mark.slow
def test_the_recurrence_sees_what_one_frame_does_not_show(
    folder, tmp_path, monkeypatch
):
    with_it = accuracy(folder, tmp_path / "a", monkeypatch, causal=True)
    without = accuracy(folder, tmp_path / "b", monkeypatch, num_layers=0)
    assert with_it > 90
    assert without < 65


@pytest.mark.nightly
def test_the_default_training_learns_to_tag(command):
    command("apps.video_tagging.train", timeout=3_600)
    done = command("apps.video_tagging.evaluate", "runs/video_tagging")
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["examples"] == Config().num_examples // 8
    assert scores["accuracy"] >= 95


@pytest.mark.nightly
def test_one_frame_by_itself_does_not_show_what_it_does(command):
    # It stays where it is after an epoch, however many follow.
    command(
        "apps.video_tagging.train",
        *["--num-layers", 0, "--epochs", 4, "--run-dir", "run"],
    )
    best = json_files.read(command.folder / "run" / "metrics.json")["best"]
    assert best["val_accuracy"] < 70
