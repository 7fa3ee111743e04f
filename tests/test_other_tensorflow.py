"""Exports in the TensorFlow of servers, which are behind: 2.19 and 2.20.

Each has an environment of its own, which pip fills: the one set-up of a test
that asks the package index.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.support.commands import PACKAGES

# Asks each signature of each export that has a request, as a client would.
ASK = """
import base64, json, pathlib, sys
import tensorflow as tf

def read(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [read(x) for x in value] if isinstance(value, list) else value

def show(value):
    if isinstance(value, bytes):
        return value.decode()
    return [show(x) for x in value] if isinstance(value, list) else value

answers = {}
for folder in sys.argv[1:]:
    model = tf.saved_model.load(folder)
    for path in sorted(pathlib.Path(folder).glob("request*.json")):
        request = json.loads(path.read_text())
        name = request.get("signature_name", "serving_default")
        signature = model.signatures[name]
        specs = signature.structured_input_signature[1]
        inputs = {key: tf.constant(read(value), specs[key].dtype)
                  for key, value in request["inputs"].items()}
        for key, value in signature(**inputs).items():
            value = show(value.numpy().tolist())
            answers["/".join([folder, name, key])] = value
print(json.dumps({"version": tf.__version__, "answers": answers}))
"""


def ask(python, folders):
    done = subprocess.run(
        [python, "-I", "-c", ASK, *folders],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.nightly
@pytest.mark.parametrize("version", ["2.19.1", "2.20.0"])
def test_exports_answer_alike_in_an_older_tensorflow(
    version, trained_app, tmp_path
):
    subprocess.run(
        [sys.executable, "-m", "venv", tmp_path / "venv"], check=True
    )
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run(
        [python, "-m", "pip", "-q", "install", f"tensorflow-cpu=={version}"],
        check=True,
    )
    folders = [str(trained_app(package).export) for package in PACKAGES]
    older, ours = ask(python, folders), ask(sys.executable, folders)
    assert older["version"] == version
    assert older["answers"].keys() == ours["answers"].keys()
    assert len(ours["answers"]) > len(folders)
    for name, value in ours["answers"].items():
        actual, expected = np.array(older["answers"][name]), np.array(value)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(
                actual, expected, 1e-5, 1e-5, err_msg=name
            )
        else:
            assert actual.tolist() == expected.tolist(), name
