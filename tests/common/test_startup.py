import sys

import pytest

from common import startup
from common.errors import Interrupted


@pytest.fixture
def shown(monkeypatch):
    """The errors that Python's own way would show."""
    errors = []
    monkeypatch.setattr(
        sys, "excepthook", lambda _, error, __: errors.append(error)
    )
    return errors


def start(monkeypatch, *words):
    monkeypatch.setattr(sys, "orig_argv", ["python", *words])
    startup.silence_interrupts()


def end_with(error):
    sys.excepthook(type(error), error, None)


def test_ctrl_c_during_imports_is_silent(monkeypatch, shown):
    start(monkeypatch, "-m", "apps.mine.train", "--smoke")
    end_with(KeyboardInterrupt())
    end_with(Interrupted())
    # An import that it broke off may say something else.
    other = ImportError("half a module")
    other.__context__ = KeyboardInterrupt()
    end_with(other)
    assert shown == []
    fault = ValueError("a fault")
    end_with(fault)
    assert shown == [fault]


@pytest.mark.parametrize(
    "words", [("-m", "mine.notes"), ("mine.py", "train"), ("-c", "pass")]
)
def test_other_programs_keep_the_way_of_python(monkeypatch, shown, words):
    start(monkeypatch, *words)
    interrupt = KeyboardInterrupt()
    end_with(interrupt)
    assert shown == [interrupt]
