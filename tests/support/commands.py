"""The commands of a user, in this process: a new one takes seconds to start."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
from typing import NamedTuple
from unittest import mock

from common import cli

ROOT = pathlib.Path(__file__).parents[2]
# The packages of all apps on disk, such as "apps.sentiment".
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for pattern in ("*/train.py", "apps/*/train.py")
    for path in ROOT.glob(pattern)
)


class Done(NamedTuple):
    """What a command printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


def as_stdin(content):
    """Standard input that is piped."""
    return io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))


def run_command(module, *args, folder, stdin=b"", status=0):
    """Runs `python -m MODULE ARGS` in a folder, and expects an exit status."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        for _ in range(2)
    )
    argv = [module, *map(str, args)]
    before = os.getcwd()
    code = 0
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", as_stdin(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        os.chdir(folder)
        try:
            cli.main(importlib.import_module(module).main)
        except SystemExit as stopped:
            code = stopped.code or 0
        finally:
            os.chdir(before)
    done = Done(
        out.buffer.getvalue().decode("utf-8", "replace"),
        err.buffer.getvalue().decode("utf-8", "replace"),
        code,
    )
    assert done.status == status, done.stdout + done.stderr
    return done


def error_line(module, *args, folder, **kwargs):
    """Returns the one line that a wrong command prints."""
    done = run_command(module, *args, folder=folder, status=2, **kwargs)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def run_process(module, *args, folder, status=0, path=ROOT):
    """Runs `python -m MODULE ARGS` in a process of its own, as a user does."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(path)])
    }
    # A user's shell does not have what libraries set in this process.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, args)],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=600,
    )
    stdout, stderr = (
        stream.decode("utf-8", "replace")
        for stream in (done.stdout, done.stderr)
    )
    assert done.returncode == status, stdout + stderr
    return Done(stdout, stderr, done.returncode)


class Trained(NamedTuple):
    """An app's run of seconds, and its export.

    Attributes:
        package: such as "apps.sentiment".
        folder: where its commands ran.
        run: the run folder.
        export: the folder of the exported version.
        printed: the output of training.
    """

    package: str
    folder: pathlib.Path
    run: pathlib.Path
    export: pathlib.Path
    printed: str

    @property
    def inputs(self):
        """What `predict` is asked in the line "Next:" of training."""
        return example_inputs(self.run)

    def command(self, verb, *args, **kwargs):
        """Runs a command of the app where it was trained."""
        return run_command(
            f"{self.package}.{verb}", *args, folder=self.folder, **kwargs
        )

    def error(self, verb, *args, **kwargs):
        """Returns the one line of a wrong command of the app."""
        return error_line(
            f"{self.package}.{verb}", *args, folder=self.folder, **kwargs
        )


def example_inputs(run):
    """Returns the arguments after `predict RUN` that training proposes."""
    return shlex.split(json.loads((run / "data.json").read_text())["example"])


def train_once(package, folder):
    """Trains and exports an app with --smoke, in a folder of its own."""
    name = package.rpartition(".")[2]
    done = run_command(f"{package}.train", "--smoke", folder=folder)
    run_command(f"{package}.export", f"runs/{name}", folder=folder)
    export = folder / "exports" / name / "1"
    return Trained(package, folder, folder / "runs" / name, export, done.stdout)
