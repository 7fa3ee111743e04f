"""Training: what is special to captions; the rest is every app's contract."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from apps.captioning import evaluate, pipeline, train
from apps.captioning.config import Config
from apps.captioning.datasets import samples
from common.data import json_files
from common.errors import UserError
from common.training import Run, checkpoints, logs, runs
from tests.support import commands
from tests.support.captioning import (
    BROKEN,
    FROZEN,
    TINY,
    skipped_pictures,
    write_place,
)

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow

# Little pictures, and all that draws by chance.
SAMPLED = dataclasses.replace(
    TINY,
    image_size=16,
    decoder="initial_state",
    epochs=2,
    scheduled_sampling=0.5,
    sampling_epochs=1,
    dropout=0.2,
)


@pytest.fixture(scope="module", autouse=True)
def no_pictures_of_logs():
    """Leaves out the picture of the log: it takes longer than an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "draw_curves", lambda path, history: None)
        yield


def train_to(folder, epochs, config=SAMPLED):
    """Trains; gives the state and all variables of the newest checkpoint."""
    config = dataclasses.replace(config, run_dir=str(folder), epochs=epochs)
    train.train(config)
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


def validation(state):
    return [
        {name: row[name] for name in row if name.startswith("val_")}
        for row in state["history"]
    ]


@pytest.fixture
def no_decoding(monkeypatch):
    """Validates captions that nobody searched for: a beam is slow to trace."""

    def predict_split(predictor, examples, loader):
        return [
            evaluate.Prediction(example, example.captions[k % 2])
            for k, example in enumerate(examples)
        ]

    monkeypatch.setattr(evaluate, "predict_split", predict_split)


# Chance


def test_another_seed_has_other_weights(tmp_path, monkeypatch):
    class StoppedError(Exception):
        pass

    begun = []

    def restore(self, network):
        weights = [value.ravel() for value in network.get_weights()]
        begun.append(np.concatenate(weights))
        raise StoppedError

    monkeypatch.setattr(Run, "restore", restore)
    for number, seed in enumerate((0, 0, 1)):
        config = dataclasses.replace(SAMPLED, seed=seed, min_count=1)
        with pytest.raises(StoppedError):
            train_to(tmp_path / f"{number}", 1, config)
    first, again, other = begun
    np.testing.assert_array_equal(first, again)
    assert first.shape == other.shape
    assert np.mean(first != other) > 0.7  # Biases begin with zeros.


def test_sampled_words_and_their_rate_go_on_with_a_run(
    tmp_path, capsys, no_decoding
):
    reference = train_to(tmp_path / "reference", epochs=2)
    train_to(tmp_path / "run", epochs=1)
    resumed = train_to(tmp_path / "run", epochs=2)
    assert validation(resumed[0]) == validation(reference[0])
    assert resumed[1].keys() == reference[1].keys()
    for name, value in resumed[1].items():
        np.testing.assert_array_equal(value, reference[1][name])
    scalars = [v for name, v in resumed[1].items() if name.endswith(" ()")]
    # Beside it: step and learning rate of the optimizer.
    assert [float(x) for x in scalars].count(0.5) == 1
    printed = capsys.readouterr().out
    assert "20 training images with 100 captions, 10 validation" in printed
    assert printed.count(" -> ") == 4 * evaluate.NUM_SAMPLES
    assert "epoch 2/2: validation CIDEr " in printed
    check_run(tmp_path / "reference", reference[0]["history"])


def check_run(run, rows):
    for epoch, row in enumerate(rows):
        rate = SAMPLED.learning_rate * SAMPLED.learning_rate_decay**epoch
        assert row["learning_rate"] == rate
        assert row["val_cider"] >= 0 and 0 <= row["val_bleu_4"] <= 100
    header = (run / "log.csv").read_text().partition("\n")[0].split(",")
    assert header == list(rows[0])
    best = json_files.read(run / "metrics.json")["best"]
    assert best["val_cider"] == max(row["val_cider"] for row in rows)
    names = sorted(path.name for path in (run / samples.FOLDER).iterdir())
    assert names == [f"valid-0000{number}.png" for number in range(8)]
    report = json_files.read(run / "data.json")
    assert report["example"] == f"{run}/samples/valid-00000.png"
    assert report["train"] == {"images": 20, "captions": 100}
    assert report["skipped"] == {}
    assert report["features_of"] is None


# Features and encoders


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with scenes, some of them broken, and files of features."""
    return write_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def here(place, monkeypatch):
    """Makes the folder the current one."""
    monkeypatch.chdir(place)
    return place


def test_training_on_features_of_others(here):
    flags = {
        "--data": "scenes",
        "--features": "grid.npz",
        "--captions-per-image": 0,
        "--epochs": 1,
        "--units": 8,
        "--batch-size": 16,
        "--run-dir": "given",
    }
    arguments = [str(x) for pair in flags.items() for x in pair]
    done = commands.run_command(
        "apps.captioning.train", "--smoke", *arguments, folder=here
    )
    # Nobody opens the pictures: only one has no features.
    for line in (
        "11 training images with 55 captions, 12 validation",
        "skipped: 1 (without features): train-00000.png",
        "skipped: 1 (features without a caption): other.png",
        "apps.captioning.predict given --features grid.npz valid-00000.png",
    ):
        assert line in done.stdout
    model = runs.load_model(here / "given")
    assert not model.has_encoder
    assert model.feature_shape == (4, 6)
    assert not (here / "given" / "samples").exists()
    assert json_files.read(here / "given" / "data.json")["features_of"] is None
    config = dataclasses.replace(FROZEN, finetune="given", run_dir="x")
    with pytest.raises(UserError, match="--finetune given: a model of given f"):
        pipeline.load_base_model(config)


def train_and_watch(config):
    """Trains; gives the weights with which it began."""
    begun = []
    restore = Run.restore

    def watch(self, network):
        begun.extend(network.get_weights())
        restore(self, network)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "restore", watch)
        train.train(config)
    return begun


def is_statistic(variable):
    return "moving_" in variable.path


def test_a_frozen_encoder_stays_and_finetuning_goes_on_with_all_weights(
    here, capsys, no_decoding
):
    begun = train_and_watch(dataclasses.replace(FROZEN, run_dir="frozen"))
    head = capsys.readouterr().out.partition("loss: ")[0]
    for line in (
        "skipped: 1 (text, not a picture): train-00000.png",
        "skipped: 1 (empty file): train-00001.png",
        "skipped: 2 (truncated or damaged): train-00002.png, valid-00003.png",
        "9 training images with 45 captions, 11 validation images with 55",
    ):
        assert line in head
    report = json_files.read(here / "frozen" / "data.json")
    assert skipped_pictures(report) == BROKEN
    assert report["example"] == "scenes/images/valid-00000.png"
    base = runs.load_model(here / "frozen")
    encoder_ids = {id(x) for x in base.network.encoder.weights}
    changed = {True: 0, False: 0}
    for variable, before in zip(base.network.weights, begun, strict=True):
        is_same = np.array_equal(variable.numpy(), before)
        changed[id(variable) in encoder_ids] += not is_same
    assert changed[True] == 0
    assert changed[False] > 5

    config = dataclasses.replace(
        FROZEN, finetune="frozen", run_dir="finetuned", min_count=3
    )
    begun = train_and_watch(config)
    printed = capsys.readouterr().out
    assert "pictures reused" not in printed  # It reads the pictures.
    assert "skipped: 1 (empty file): train-00001.png" in printed
    for value, other in zip(begun, base.network.get_weights(), strict=True):
        np.testing.assert_array_equal(value, other)
    tuned = runs.load_model(here / "finetuned")
    # Words are those of the run, though some are rarer than three.
    assert tuned.writer.vocabulary == base.writer.vocabulary
    for new, old in zip(
        tuned.network.encoder.weights, base.network.encoder.weights, strict=True
    ):
        is_same = np.array_equal(new.numpy(), old.numpy())
        assert is_same == is_statistic(old) or "kernel" not in old.path
    check_refusals(config)


def check_refusals(config):
    """Refuses to go on from another model, before anything is written."""
    for field, value, message in [
        ("units", 9, "--units 9: the run frozen to go on from has 16; repeat"),
        ("decoder", "initial_state", "--decoder initial_state: .* first_input"),
        ("image_size", 64, "--image-size 64: the run frozen .* has 32"),
        ("encoder", "cnn", "--encoder cnn: the run frozen .* TinyNet"),
        ("pooled", True, "--pooled True: the run frozen .* has False"),
    ]:
        changes = {field: value, "run_dir": "new"}
        with pytest.raises(UserError, match=message):
            train.train(dataclasses.replace(config, **changes))
        assert not Path("new").exists()


def test_finetuning_what_is_no_run(here):
    expected = "--finetune scenes: expected a run folder with a model.keras"
    with pytest.raises(UserError, match=expected):
        pipeline.load_base_model(dataclasses.replace(FROZEN, finetune="scenes"))
    assert pipeline.load_base_model(Config()) is None
