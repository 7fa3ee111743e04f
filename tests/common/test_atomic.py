import errno
import os
import subprocess
import sys

import pytest

from common import atomic, errors
from common.errors import UserError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_body_leaves_what_was_there(tmp_path):
    path = tmp_path / "a" / "note.txt"
    atomic.write_text(path, "old")
    with pytest.raises(ValueError, match="mine"), atomic.write(path) as partial:
        partial.write_text("new")
        raise ValueError("mine")
    assert path.read_text() == "old"
    assert names(path.parent) == ["note.txt"]


def test_a_folder_takes_the_place_of_another(tmp_path):
    for text in ("old", "new"):
        with atomic.write(tmp_path / "folder") as partial:
            partial.mkdir()
            (partial / f"{text}.txt").write_text(text)
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["new.txt"]


def test_folders_made_for_a_failed_file_are_removed(tmp_path):
    with pytest.raises(ValueError), atomic.write(tmp_path / "a" / "b" / "c"):
        raise ValueError
    assert names(tmp_path) == []


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    leftovers = [
        tmp_path / ".partial-0123456789ab-run",  # Of the folder itself.
        tmp_path / ".partial-77-run",  # As before 0.3.0.
        run / ".partial-0123456789ab-model.keras",
        run / "checkpoints" / ".partial-ba9876543210-epoch-1",
    ]
    others = [
        tmp_path / ".partial-0123456789ab-another",
        run / ".partial-mine",
        run / "partial-0123456789ab-x",
        run / "checkpoints" / "epoch-1",
    ]
    for path in (*leftovers, *others):
        path.mkdir(parents=True)
        (path / "file").write_text("x")
    atomic.remove_leftovers(run)
    assert not [path for path in leftovers if path.exists()]
    assert all(path.exists() for path in others)


KILLED = """
import os, signal, sys
from pathlib import Path
from common import atomic
with atomic.write(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_a_hidden_file_that_can_be_removed(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert len(names(tmp_path)) == 2
    assert path.read_text() == "old"
    atomic.remove_leftovers(path)
    assert names(tmp_path) == ["note.txt"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device.*: make room, then run"),
        (errno.EROFS, "Read-only.*: the disk is read-only: choose another"),
        (errno.EACCES, "Permission denied.*: choose a place where you may"),
        (errno.EEXIST, "File exists.*: something else has this name: move"),
        (errno.EIO, "Input/output error.*: the disk fails: choose another"),
    ],
)
def test_the_advice_is_of_the_error(tmp_path, number, advice):
    path = tmp_path / "note.txt"
    with (
        pytest.raises(UserError, match=f"^{path}: cannot write it .{advice}"),
        atomic.write(path),
    ):
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="something else has this name"):
        atomic.write_text(tmp_path / "file" / "a" / "b.txt", "x")
    with pytest.raises(UserError, match="choose a shorter name"):
        atomic.write_text(tmp_path / ("x" * 300), "x")
    assert names(tmp_path) == ["file"]


def test_errors_of_tensorflow_are_told_apart():
    import tensorflow as tf

    full = tf.errors.ResourceExhaustedError(
        None, None, "/x/events; No space left on device"
    )
    assert errors.is_of_system(full)
    assert errors.reason(full) == "No space left on device"
    memory = tf.errors.ResourceExhaustedError(None, None, "OOM: [9, 9]")
    assert not errors.is_of_system(memory)
    assert not errors.is_of_system(ValueError("No space left on device"))
