"""Runs that the tests of captioning share."""

import re

import keras
import pytest

from apps.captioning import predict
from tests.support import captioning, commands


@pytest.fixture(autouse=True)
def tiny_net(monkeypatch):
    """Adds a network of milliseconds to `keras.applications`."""
    monkeypatch.setattr(
        keras.applications, "TinyNet", captioning.TinyNet, raising=False
    )


@pytest.fixture(scope="session")
def pictures_run(tmp_path_factory):
    """A run of pictures, and of features of a known encoder."""
    return captioning.write_pictures_run(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def features_run(tmp_path_factory):
    """A run of features alone."""
    return captioning.write_features_run(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="session")
def loaded(pictures_run):
    """The predictor of the run of pictures."""
    return captioning.open_predictor(str(pictures_run))


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Predicts as the command line does: (lines, lines of errors).

    Lines are without the names of images; `ask.names` keeps those.
    """
    monkeypatch.setattr(predict, "load", captioning.open_predictor)

    def ask(run, *args, status=0, stdin=b""):
        done = commands.run_command(
            predict.__name__,
            *[run, *args],
            folder=tmp_path,
            status=status,
            stdin=stdin,
        )
        lines = done.stdout.split("\n")[:-1]
        ask.names, bare = [], []
        for line in lines:
            first, tab, rest = line.partition("\t")
            is_name = tab and not re.fullmatch(r"-?[0-9]+\.[0-9]{4}", first)
            ask.names.append(first if is_name else "")
            bare.append(rest if is_name else line)
        return bare, done.stderr.splitlines()

    return ask


@pytest.fixture
def ask_error(ask):
    """Predicts what cannot be done: the one line that is printed."""

    def ask_error(run, *args):
        lines, (error,) = ask(run, *args, status=2)
        assert lines == []
        return error

    return ask_error
