import subprocess
import sys

import keras
import numpy as np
import pytest

from common import atomic
from common.errors import UserError
from common.training import checkpoints

HISTORY = [{"epoch": 1, "val_accuracy": 0.5}]


def small_model(units=3):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(units),
        ]
    )
    model.compile("adam", "mse")
    return model


def trained_model(num_steps=3):
    model = small_model()
    x = np.random.default_rng(0).normal(size=(8, 4))
    for _ in range(num_steps):
        model.train_on_batch(x, np.ones((8, 3)))
    return model


def values(model):
    return [v.numpy() for v in checkpoints._name_variables(model).values()]


def test_everything_comes_back(tmp_path):
    model = trained_model()
    checkpoints.save(tmp_path, model, 1, 0, HISTORY)
    path, state = checkpoints.newest(tmp_path)
    assert (state["epoch"], state["step"]) == (1, 0)
    assert state["history"] == HISTORY
    other = small_model()
    checkpoints.load(path, other)
    for actual, expected in zip(values(other), values(model), strict=True):
        np.testing.assert_array_equal(actual, expected)
    # Weights 2, dropout's state 1, Adam: iterations, rate, 2 moments each.
    assert len(values(model)) == 2 + 1 + 2 + 4
    assert other.optimizer.iterations == 3


def test_the_two_newest_are_kept(tmp_path):
    model = trained_model()
    for epoch, step in ((1, 0), (1, 7), (2, 0), (10, 0)):
        checkpoints.save(tmp_path, model, epoch, step, HISTORY)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0002-step-00000000",
        "epoch-0010-step-00000000",
    ]


def test_no_checkpoint_is_no_error(tmp_path):
    assert checkpoints.newest(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "no_state", "bad_state"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path, damage, capsys
):
    model = trained_model()
    checkpoints.save(tmp_path, model, 1, 0, HISTORY)
    checkpoints.save(tmp_path, model, 2, 0, HISTORY)
    newest = tmp_path / "epoch-0002-step-00000000"
    if damage in ("cut", "flip"):
        content = bytearray((newest / checkpoints.VARIABLES).read_bytes())
        content[len(content) // 2] ^= 1
        keep = 100 if damage == "cut" else len(content)
        (newest / checkpoints.VARIABLES).write_bytes(content[:keep])
    elif damage == "bad_state":
        (newest / checkpoints.STATE).write_text('{"epoch": 2')
    else:
        (newest / checkpoints.STATE).unlink()
    path, state = checkpoints.newest(tmp_path)
    assert state["epoch"] == 1
    said = capsys.readouterr().out
    assert "epoch-0002-step-00000000: damaged checkpoint" in said
    assert "going back to the one before" in said
    checkpoints.load(path, small_model())


def test_nothing_but_damaged_checkpoints_is_an_error(tmp_path):
    checkpoints.save(tmp_path, trained_model(), 1, 0, HISTORY)
    for path in tmp_path.glob("*/state.json"):
        path.write_text("")
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        checkpoints.newest(tmp_path)


def test_a_model_of_other_shape_is_refused(tmp_path):
    checkpoints.save(tmp_path, trained_model(), 1, 0, HISTORY)
    path, _ = checkpoints.newest(tmp_path)
    with pytest.raises(UserError, match="the model has changed since"):
        checkpoints.load(path, small_model(units=5))


def test_the_same_place_can_be_saved_twice(tmp_path):
    checkpoints.save(tmp_path, trained_model(1), 1, 4, HISTORY)
    checkpoints.save(tmp_path, trained_model(3), 1, 4, HISTORY)
    path, _ = checkpoints.newest(tmp_path)
    model = small_model()
    checkpoints.load(path, model)
    assert model.optimizer.iterations == 3


FULL_DISK = """
import pathlib, resource, sys
import keras
from common import errors
from common.training import checkpoints
folder = pathlib.Path(sys.argv[1])
model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100)])
model.compile("sgd", "mse")
checkpoints.save(folder, model, 1, 0, [])
# The system refuses to let any file grow past this, as a full disk would.
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(folder, model, 2, 0, [])
except errors.UserError as error:
    print(error)
print(sorted(path.name for path in folder.iterdir()))
"""


@pytest.mark.slow
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / "checkpoints"],
        capture_output=True,
        text=True,
    )
    message, left = done.stdout.splitlines()
    assert "cannot write it (File too large); what was there before" in message
    assert left == "['epoch-0001-step-00000000']"
    _, state = checkpoints.newest(tmp_path / "checkpoints")
    assert state["epoch"] == 1


def test_a_failed_write_leaves_neither_file_nor_new_folder(tmp_path):
    target = tmp_path / "new" / "note.txt"
    with pytest.raises(ZeroDivisionError), atomic.write(target) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_what_was_there(tmp_path):
    target = tmp_path / "note.txt"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError), atomic.write(target) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
