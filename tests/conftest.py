"""What every test stands on: no network, no GPU, the user's own commands."""

import functools
import gc
import importlib
import os
import pathlib
import socket
import subprocess
import sys

# Before TensorFlow is imported anywhere.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest

from common import cli
from common.training import interrupts
from tests.support import commands

# A signal ends pytest; only tests of signals ask for `signals`.
SIGNALS, interrupts.SIGNALS = interrupts.SIGNALS, ()
ROOT = commands.ROOT
APPS = [package.rpartition(".")[2] for package in commands.PACKAGES]


def pytest_addoption(parser):
    parser.addoption(
        "--slow", action="store_true", help="also run tests of minutes"
    )
    parser.addoption(
        "--nightly", action="store_true", help="also run whole trainings"
    )
    parser.addoption(
        "--kills",
        type=int,
        default=3,
        metavar="N",
        help="kills of each command in tests/apps/test_kills.py [3]",
    )
    parser.addoption(
        "--fuzz",
        type=int,
        default=20,
        metavar="N",
        help="inputs of each reader in tests/fuzz; above 50 others each time"
        " [20]",
    )
    parser.addoption(
        "--kill-seed",
        type=int,
        default=0,
        metavar="N",
        help="another one kills at other moments [0]",
    )
    parser.addoption(
        "--real-data",
        metavar="FOLDER",
        help="also run the tests on real data, which lie in FOLDER",
    )


def pytest_collection_modifyitems(config, items):
    missing = {
        "slow": not config.getoption("--slow"),
        "nightly": not config.getoption("--nightly"),
        "real_data": not config.getoption("--real-data"),
    }
    for item in items:
        for marker, is_missing in missing.items():
            if is_missing and marker in item.keywords:
                flag = marker.replace("_", "-")
                item.add_marker(pytest.mark.skip(reason=f"needs --{flag}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keeps the tests of one app, which share its run, in one process."""
    from xdist.scheduler import LoadScopeScheduling

    class ByApp(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            for package in commands.PACKAGES:
                app = package.rpartition(".")[2]
                if f"apps/{app}/" in nodeid or f"[{package}" in nodeid:
                    return app
            return nodeid.partition("::")[0]

    return ByApp(config, log)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Any connection but to this machine fails the test that tries it."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            raise AssertionError(f"a test reached for the network: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def signals(monkeypatch):
    """Training catches Ctrl-C, as it does outside of tests."""
    monkeypatch.setattr(interrupts, "SIGNALS", SIGNALS)


@pytest.fixture(scope="session")
def trained_app(tmp_path_factory):
    """Trains and exports each app once: a function of its name or package.

    What it returns is shared by all tests: copy it before you change it.
    """

    @functools.cache
    def trained(app):
        package = app if app in commands.PACKAGES else f"apps.{app}"
        return commands.train_once(package, tmp_path_factory.mktemp("app"))

    return trained


@pytest.fixture(params=APPS)
def app(request):
    """Each app in turn: the name of its folder."""
    return request.param


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data(request):
    """The folder with real data that --real-data names."""
    return pathlib.Path(request.config.getoption("--real-data"))


class Command:
    """Runs `python -m MODULE ...` as a user does, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, module, *args, status=0, stdin=None, timeout=300):
        paths = [str(self.folder), str(ROOT)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        # A user's shell does not have what libraries set in this process.
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, args)],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
        done.stdout = done.stdout.decode("utf-8", "replace")
        done.stderr = done.stderr.decode("utf-8", "replace")
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def error(self, module, *args, **kwargs):
        """The one line that a wrong command prints."""
        done = self(module, *args, status=2, **kwargs)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        return lines[0]


@pytest.fixture
def refusal(tmp_path, monkeypatch, capfd):
    """The one line that a wrong command prints, without a process of its own.

    It takes the module, its arguments, and the folder to run in.
    """

    def refused(module, *args, folder=tmp_path):
        monkeypatch.chdir(folder)
        monkeypatch.setattr("sys.argv", [module, *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main(importlib.import_module(module).main)
        assert caught.value.code == 2
        gc.collect()  # As at the end of a process: what it held is free.
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]

    return refused


@pytest.fixture
def command(tmp_path):
    """Runs commands in the test's own empty folder."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def make_command():
    """Runs commands in a given folder."""
    return Command
