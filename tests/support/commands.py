"""The commands of a user, in this process: a new one takes seconds to start."""

import contextlib
import importlib
import io
import os
import sys
from typing import NamedTuple
from unittest import mock

from common import cli


class Done(NamedTuple):
    """What a command printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


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
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
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


class Trained(NamedTuple):
    """An app's run of seconds, and its export."""

    folder: object
    run: object
    export: object
    printed: str


def train_once(app, folder):
    """Trains and exports an app with --smoke, in a folder of its own."""
    done = run_command(f"apps.{app}.train", "--smoke", folder=folder)
    run_command(f"apps.{app}.export", f"runs/{app}", folder=folder)
    export = folder / "exports" / app / "1"
    return Trained(folder, folder / "runs" / app, export, done.stdout)
