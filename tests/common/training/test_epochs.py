"""The loop of a training: epochs, Ctrl-C, divergence, what is printed."""

import dataclasses
import os
import re
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import Interrupted, UserError
from common.training import Run, checkpoints, epochs, interrupts

NUM_BATCHES = 5


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of a test."""

    BY_DATA = ("batch_size",)

    run_dir: str
    epochs: int = 3
    patience: int = 9
    learning_rate: float = 0.1
    learning_rate_decay: float = 0.5
    batch_size: int = 4
    deterministic: bool = False
    passes: int = 1


def a_model():
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    return model


def some_batches(epoch, start):
    rng = np.random.default_rng(epoch)
    rows = rng.normal(size=(4 * NUM_BATCHES, 3)).astype("float32")[4 * start :]
    return tf.data.Dataset.from_tensor_slices((rows[:, :2], rows[:, 2:])).batch(
        4
    )


def train(folder, **options):
    """Trains as an app does; returns the run and its variables."""
    run = Run(Config(str(folder), **options), "apps.mine", "val_score")
    model = a_model()
    run.create(run.config, {"example": "x"})
    run.restore(model)
    for epoch in run.epochs():
        model.optimizer.learning_rate = epoch.learning_rate
        logs = epoch.fit(model, some_batches(epoch.index, epoch.step))
        epoch.save(model, model, logs, {"score": -epoch.index})
        print(epoch.summary(f"score {-epoch.index}"))
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return run, {name: values[name] for name in values.files}, state


def interrupt(monkeypatch, stop_at):
    done = interrupts.Stop.on_train_batch_end
    num_batches = 0

    def interrupted(self, batch, logs=None):
        nonlocal num_batches
        num_batches += 1
        if num_batches == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        done(self, batch, logs)

    monkeypatch.setattr(interrupts.Stop, "on_train_batch_end", interrupted)


def assert_same(values, expected):
    assert values.keys() == expected.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.usefixtures("two_cores")
def test_epochs_decay_the_learning_rate_and_mark_the_best(tmp_path, capsys):
    run, _, state = train(tmp_path / "run")
    rates = [row["learning_rate"] for row in state["history"]]
    assert rates == [0.1, 0.05, 0.025]
    printed = capsys.readouterr().out
    assert (
        "3 weights on the CPU (2 cores); 4 examples a step, 5 steps an epoch,"
        " at most 3 epochs\n"
    ) in printed
    assert re.search(r"1/3: score 0 .best so far.; at most \d+ s left", printed)
    assert "epoch 3/3: score -2\n" in printed
    assert run.is_finished
    assert "this run is finished after epoch 3, best 1" in run.finished_message
    seconds = epochs.format_seconds(sum(r["seconds"] for r in run.history))
    events = run.folder / "tensorboard"
    assert run.summary(lambda scores: f"score {scores['score']}") == (
        "best epoch 1: score 0\n"
        f"3 epochs in {seconds}; tensorboard --logdir {events} shows"
        " them\n\nNext:\n"
        f"  python -m apps.mine.evaluate {run.folder}\n"
        f"  python -m apps.mine.predict {run.folder} x\n"
        f"  python -m apps.mine.export {run.folder}"
    )


def test_two_epochs_and_one_more_are_three(tmp_path):
    _, expected, _ = train(tmp_path / "whole")
    train(tmp_path / "run", epochs=2)
    _, values, _ = train(tmp_path / "run", epochs=3)
    assert_same(values, expected)


# In the middle of an epoch, and at its very end.
@pytest.mark.parametrize(("stop_at", "place"), [(7, (1, 2)), (10, (2, 0))])
def test_a_run_stopped_by_ctrl_c_goes_on_exactly(
    tmp_path, monkeypatch, capsys, signals, stop_at, place
):
    _, expected, reference = train(tmp_path / "whole")
    interrupt(monkeypatch, stop_at)
    with pytest.raises(Interrupted):
        train(tmp_path / "run")
    assert "the same command goes on from here" in capsys.readouterr().out
    _, state = checkpoints.newest(tmp_path / "run" / "checkpoints")
    assert (state["epoch"], state["step"]) == place
    _, values, state = train(tmp_path / "run")
    assert_same(values, expected)
    # The metrics of training too are of the whole epoch.
    rows = [
        [x | {"seconds": 0} for x in y["history"]] for y in (state, reference)
    ]
    assert rows[0] == rows[1]


def test_a_signal_ends_the_process_again_after_training(
    tmp_path, monkeypatch, signals
):
    before = signal.getsignal(signal.SIGINT)
    interrupt(monkeypatch, stop_at=2)
    with pytest.raises(Interrupted):
        train(tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) == before
    with interrupts.graceful() as stop:
        assert signal.getsignal(signal.SIGINT) == stop.request
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_run_that_diverges_says_so(tmp_path):
    message = "the loss is (nan|inf) in epoch 1; try a lower --learning-rate"
    with pytest.raises(UserError, match=message):
        train(tmp_path / "run", learning_rate=1e30)
