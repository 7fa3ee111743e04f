import contextlib
import os
import platform
import re
import signal
import subprocess
import sys

import pytest

from common import locks
from common.errors import UserError

HOLDER = """
import sys, time
from pathlib import Path
from common import locks
lock = locks.Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(path):
    """Holds a lock until the end of the body, or until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate()


def test_a_living_process_keeps_others_out(tmp_path):
    path = tmp_path / "runs" / "mine"
    with another_process(path) as process:
        owner = f"process {process.pid} on {platform.node()}"
        message = f"{path}: in use by {owner}: wait for it, or choose another"
        with pytest.raises(UserError, match=f"^{re.escape(message)}"):
            locks.Lock(path)
        # By another way to the same place.
        (tmp_path / "link").symlink_to(tmp_path / "runs")
        with pytest.raises(UserError, match="in use by"):
            locks.Lock(tmp_path / "link" / "mine")
        locks.Lock(tmp_path / "runs" / "another").release()
    # It ended well: nothing is left, not even the folder it made.
    assert list(tmp_path.iterdir()) == [tmp_path / "link"]
    locks.Lock(path).release()


def test_a_killed_process_keeps_nobody_out(tmp_path):
    path = tmp_path / "mine"
    with another_process(path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert (tmp_path / ".mine.lock").exists()
        locks.Lock(path).release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_forgotten_is_free(tmp_path):
    lock = locks.Lock(tmp_path / "mine")
    del lock
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="something else has this name"):
        locks.Lock(tmp_path / "file" / "run")
    with pytest.raises(UserError, match="choose a shorter name"):
        locks.Lock(tmp_path / ("x" * 300))


def test_the_same_process_may_try_again(tmp_path):
    first = locks.Lock(tmp_path / "mine")
    second = locks.Lock(tmp_path / "mine")  # As in a notebook.
    first.release()
    second.release()
    assert list(tmp_path.iterdir()) == []
