"""`common` as a package: what it imports, what it saves."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from common import LSTM, ElmanCell, JordanCell, LSTMCell
from tests.support.recurrent import assert_close, noise, with_noise

BATCH, TIME, FEATURES, UNITS, OUTPUTS = 3, 5, 4, 6, 2


def run_python(code, *args, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


LOAD = """
import pathlib, sys
import common
print("imported", file=sys.stderr)
import numpy, keras
for file in pathlib.Path(sys.argv[1]).glob("*.keras"):
    model = keras.saving.load_model(file)
    x = numpy.load(file.with_suffix(".x.npy"))
    numpy.save(file.with_suffix(".y.npy"), model(x).numpy())
"""


def saved_layers():
    sigmoid = {"output_activation": "sigmoid"}
    return {
        "lstm": LSTM(UNITS, "softsign", dropout=0.2, dtype="mixed_float16"),
        "two_way": keras.layers.Bidirectional(LSTM(UNITS), merge_mode="sum"),
        "cell": keras.layers.RNN(LSTMCell(UNITS, use_bias=False)),
        "elman": keras.layers.RNN(ElmanCell(UNITS, "relu")),
        "jordan": keras.layers.RNN(JordanCell(UNITS, OUTPUTS, **sigmoid)),
    }


@pytest.mark.slow
def test_models_load_in_a_fresh_process_that_imports_in_silence(tmp_path):
    x, expected = noise(BATCH, TIME, FEATURES), {}
    for name, layer in saved_layers().items():
        model = keras.Sequential([keras.Input((None, FEATURES)), layer])
        with_noise(model).save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.x.npy", x)
        expected[name] = model(x).numpy()
    result = run_python(LOAD, tmp_path, TF_CPP_MIN_LOG_LEVEL="2")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert result.stderr.startswith("imported\n")
    for name, y in expected.items():
        assert_close(np.load(tmp_path / f"{name}.y.npy"), y)


def test_another_backend_is_refused_before_keras_loads_it():
    result = run_python("import common", KERAS_BACKEND="jax")
    assert result.stderr.splitlines()[-1] == (
        "ImportError: common expects Keras on TensorFlow, got the backend "
        "'jax': set KERAS_BACKEND=tensorflow, or import common before keras"
    )
