"""Keras's own tests of its recurrent layers, with our LSTM in their place."""

import importlib
import types
import unittest

import keras
import pytest

from common import LSTM, LSTMCell

FOLDER = "keras.src.layers.rnn"
LAYER_FILES = ("lstm_test", "bidirectional_test")
# Here Keras uses the LSTM as a cell, or may do so in its next version.
OTHER_FILES = ("rnn_test", "stacked_rnn_cells_test", "time_distributed_test")
FILES = (*LAYER_FILES, *OTHER_FILES)
pytest.importorskip(
    f"{FOLDER}.{FILES[0]}",
    reason="this installation of Keras comes without Keras's own tests",
)
# Keras's test of every layer says shuffle=True of a generator.
pytestmark = pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")
MODULES = {name: importlib.import_module(f"{FOLDER}.{name}") for name in FILES}


@keras.saving.register_keras_serializable(package="tests")
class FusedLSTM(LSTM):
    """Ours on the fused kernel wherever it can, also eagerly."""

    def __init__(self, *args, kernel="fused", **kwargs):
        super().__init__(*args, kernel=kernel, **kwargs)


def members_of(file):
    """(class, method's name) of every test, parametrised ones one by one."""
    return [
        (cls, name)
        for cls in vars(MODULES[file]).values()
        if isinstance(cls, type) and issubclass(cls, unittest.TestCase)
        for name in unittest.defaultTestLoader.getTestCaseNames(cls)
    ]


def marks_of(file, method):
    """Those that Keras set, and slow where it compiles model after model."""
    is_slow = file in OTHER_FILES and method.__name__ == "test_basics"
    slow = [pytest.mark.slow] if is_slow else []
    return [*getattr(method, "pytestmark", []), *slow]


def parameters(*files):
    return [
        pytest.param(
            MODULES[file],
            cls(name),
            marks=marks_of(file, getattr(cls, name)),
            id=f"{file}-{name}",
        )
        for file in files
        for cls, name in members_of(file)
    ]


def refuse(self, *args, **kwargs):
    raise AssertionError("Keras's own layer ran, not ours")


@pytest.fixture
def run(monkeypatch):
    """Runs one of Keras's tests with the given layer as `layers.LSTM`."""

    def run(module, case, layer):
        names = vars(module.layers) | {"LSTM": layer, "LSTMCell": LSTMCell}
        monkeypatch.setattr(module, "layers", types.SimpleNamespace(**names))
        # Ours call neither: whoever does is Keras's own.
        monkeypatch.setattr(keras.layers.LSTM, "__init__", refuse)
        monkeypatch.setattr(keras.layers.LSTMCell, "call", refuse)
        try:
            case.debug()
        finally:
            case.doCleanups()

    was_filtering = keras.config.is_traceback_filtering_enabled()
    yield run
    if was_filtering:  # Keras's tests turn it off and leave it so.
        keras.config.enable_traceback_filtering()


@pytest.mark.parametrize("file", FILES)
def test_every_file_has_tests(file):
    assert members_of(file)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "case"), parameters(*FILES))
def test_auto(run, module, case):
    run(module, case, LSTM)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "case"), parameters(*LAYER_FILES))
def test_fused(run, module, case):
    run(module, case, FusedLSTM)
