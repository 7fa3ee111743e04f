import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from common import atomic
from common.errors import UserError
from common.training import checkpoints


def save(folder, model, epoch, step):
    history = [{"epoch": n + 1, "val_accuracy": n / 9} for n in range(epoch)]
    state = {"epoch": epoch, "step": step, "history": history}
    checkpoints.save(folder, model, state)
    return state


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
    expected = save(tmp_path, model, 1, 0)
    path, state = checkpoints.newest(tmp_path)
    assert state == expected
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
        save(tmp_path, model, epoch, step)
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
    save(tmp_path, model, 1, 0)
    save(tmp_path, model, 2, 0)
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
    save(tmp_path, trained_model(), 1, 0)
    for path in tmp_path.glob("*/state.json"):
        path.write_text("")
    with pytest.raises(UserError, match="every checkpoint is damaged"):
        checkpoints.newest(tmp_path)


def test_a_model_of_other_shape_is_refused(tmp_path):
    save(tmp_path, trained_model(), 1, 0)
    path, _ = checkpoints.newest(tmp_path)
    with pytest.raises(UserError, match="the model has changed since"):
        checkpoints.load(path, small_model(units=5))


def test_the_same_place_can_be_saved_twice(tmp_path):
    save(tmp_path, trained_model(1), 1, 4)
    save(tmp_path, trained_model(3), 1, 4)
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
checkpoints.save(folder, model, {"epoch": 0, "step": 1, "history": []})
# The system refuses to let any file grow past this, as a full disk would.
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    checkpoints.save(folder, model, {"epoch": 0, "step": 2, "history": []})
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
    assert left == "['epoch-0000-step-00000001']"
    _, state = checkpoints.newest(tmp_path / "checkpoints")
    assert state["step"] == 1


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


def test_no_bit_of_the_state_changes_without_a_word(tmp_path, capsys):
    expected = save(tmp_path, trained_model(1), 1, 0)
    (path,) = tmp_path.glob("*/state.json")
    content = path.read_bytes()
    harmless = 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            _, state = checkpoints.newest(tmp_path)
        except UserError:  # Every checkpoint, that is: the only one.
            assert "damaged checkpoint (" in capsys.readouterr().out
        else:
            assert state == expected
            harmless += 1  # Blanks between the values.
    assert harmless < len(content)


@pytest.mark.parametrize(
    "content",
    ["[]", "null", "{}", "1", '{"epoch": "1"}', "[" * 100_000, "\xff"],
)
def test_what_is_no_state_is_damage(tmp_path, content, capsys):
    save(tmp_path, trained_model(1), 1, 0)
    save(tmp_path, trained_model(1), 2, 0)
    newest = tmp_path / "epoch-0002-step-00000000" / checkpoints.STATE
    newest.write_bytes(content.encode("latin-1"))
    _, state = checkpoints.newest(tmp_path)
    assert state["epoch"] == 1
    assert "damaged checkpoint (" in capsys.readouterr().out


@pytest.mark.parametrize("name", [checkpoints.STATE, checkpoints.VARIABLES])
def test_a_pipe_in_a_checkpoint_is_damage(tmp_path, name, capsys):
    save(tmp_path, trained_model(1), 1, 0)
    save(tmp_path, trained_model(1), 2, 0)
    newest = tmp_path / "epoch-0002-step-00000000" / name
    newest.unlink()
    os.mkfifo(newest)
    _, state = checkpoints.newest(tmp_path)
    assert state["epoch"] == 1
    assert "a pipe or a device, not a file" in capsys.readouterr().out


def test_a_state_of_before_0_3_is_read(tmp_path):
    expected = save(tmp_path, trained_model(1), 1, 0)
    (path,) = tmp_path.glob("*/state.json")
    arrays = json.loads(path.read_text())[checkpoints.VARIABLES]
    path.write_text(json.dumps(expected | {"sha256": arrays}))
    _, state = checkpoints.newest(tmp_path)
    assert state == expected


def test_other_files_among_the_checkpoints_stay(tmp_path):
    save(tmp_path, trained_model(1), 1, 0)
    mine = tmp_path / "epoch-0001-step-00000000" / "notes.txt"
    mine.write_text("mine")
    (tmp_path / "epoch-notes").mkdir()
    for epoch in (2, 3):
        save(tmp_path, trained_model(1), epoch, 0)
    assert mine.read_text() == "mine"
    assert (tmp_path / "epoch-notes").exists()
