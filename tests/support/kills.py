"""Commands that are killed at random moments of a real clock, and repeated.

They are forks of one process that has imported Keras: each begins at once.
"""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time

from common import cli
from common.training import interrupts

# As a shell, a user and a machine without memory end a process.
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# As in tests/conftest.py, which takes them away from pytest.
TRAINING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 300  # Seconds until a command is called a hang.


def start(module, *args, folder):
    """Starts `python -m MODULE ARGS` in a folder; it prints to `log`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.preloaded"])
    process = context.Process(
        target=_run, args=(module, [str(x) for x in args], str(folder))
    )
    process.start()
    return process


def _run(module, args, folder):
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [module, *args]
    # The server of forks ignores Ctrl-C, and pytest's settings are not ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.SIGNALS = TRAINING_SIGNALS
    cli.main(importlib.import_module(module).main)


@dataclasses.dataclass
class Killer:
    """Runs commands to their end, through kills.

    Args:
        seed: of the moments.
        num_kills: how many are to be interrupted.

    Attributes:
        num_fired: the commands that were.
    """

    seed: int
    num_kills: int
    num_fired: int = 0

    def __post_init__(self):
        self._random = random.Random(self.seed)

    @property
    def is_done(self):
        return self.num_fired >= self.num_kills

    def run(self, module, *args, folder, most, check=lambda: None):
        """Runs a command again and again until it ends well.

        Args:
            module: to run.
            *args: its arguments.
            folder: to run it in.
            most: kills of this command, as long as kills are left.
            check: is called after each kill.
        """
        longest = 8.0  # Seconds; of a command that ended, how long it took.
        for _ in range(most):
            if self.is_done:
                break
            process = start(module, *args, folder=folder)
            began = time.monotonic()
            process.join(self._random.uniform(0.1, longest))
            if process.exitcode is not None:
                assert process.exitcode == 0, read_log(folder)
                return
            os.kill(process.pid, self._random.choice(SIGNALS))
            self._wait(process, folder)
            self.num_fired += 1
            longest = max(1.0, time.monotonic() - began)
            check()
        process = start(module, *args, folder=folder)
        self._wait(process, folder)
        assert process.exitcode == 0, read_log(folder)

    def _wait(self, process, folder):
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"it hangs: {read_log(folder)}")


def read_log(folder):
    with contextlib.suppress(OSError):
        return pathlib.Path(folder, "log").read_text(errors="replace")[-5000:]
    return "nothing was printed"


def leftovers(folder):
    """Returns the hidden files below a folder."""
    return sorted(
        str(path.relative_to(folder))
        for path in pathlib.Path(folder).rglob(".*")
        if not path.name.startswith(".nfs")
    )
