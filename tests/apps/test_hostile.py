"""Files of strangers: a model.keras runs, downloads and opens nothing."""

import base64
import io
import json
import marshal
import os
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from apps import captioning, sentiment, video_tagging  # noqa: F401
from apps.captioning import pipeline as captioner
from apps.captioning.encoder import Encoder as ImageEncoder
from apps.video_tagging import pipeline as tagger
from apps.video_tagging.encoder import Encoder as FrameEncoder
from common import export
from common.errors import UserError
from common.layers import pretrained
from common.training import runs


def write_file():
    open("written", "w").close()


CODE = base64.b64encode(marshal.dumps(write_file.__code__)).decode()


def call(module, name, /, **config):
    """A config as Keras writes them, of any name of any module."""
    return {"module": module, "class_name": name, "config": config}


def layer(kind, /, **config):
    return call("keras.layers", kind, name="x", **config)


LAMBDA = layer(
    "Lambda",
    function=call("builtins", "__lambda__", code=CODE, defaults=None),
)
HOSTILE = {
    "Lambda": LAMBDA,
    "Lambda in a model": call("keras", "Sequential", layers=[LAMBDA]),
    "os.system": call("os", "system", command="touch written"),
    "posix.system": call("posix", "system", command="touch written"),
    "subprocess.run": call("subprocess", "run", args=["touch", "written"]),
    "subprocess.Popen": call("subprocess", "Popen", args=["touch", "written"]),
    "eval": call("builtins", "eval", source="open('written', 'w')"),
    "exec": call("builtins", "exec", source="open('written', 'w')"),
    "open": call("builtins", "open", file="written", mode="w"),
    "import": call("importlib", "import_module", name="antigravity"),
    "runpy": call("runpy", "run_path", path_name="evil.py"),
    "pickle": call("pickle", "loads", data="cos\nsystem\n(S'x'\ntR."),
    "shutil": call("shutil", "copy", src="secret", dst="written"),
    "numpy": call("numpy", "save", file="written", arr=[1]),
    "get_file": call(
        "keras.utils", "get_file", fname="x", origin="http://127.0.0.1/x"
    ),
    "load_model": call("keras.saving", "load_model", filepath="secret"),
    "unsafe": call("keras.config", "enable_unsafe_deserialization"),
    "lookup": layer("StringLookup", vocabulary="secret"),
    "words": layer("TextVectorization", vocabulary="secret"),
    "saved model": layer("TFSMLayer", filepath="secret"),
    "torch": layer("TorchModuleWrapper", module="secret"),
    "ours": call("common.atomic", "write_text", path="written", text=""),
    "train": call("apps.sentiment.train", "main"),
    "nothing": {},
    "a list": [],
}


@pytest.fixture(scope="module")
def run(trained_app):
    return trained_app("sentiment").run


def rewrite(run, folder, **contents):
    """A run folder whose model has other files in its archive."""
    shutil.copytree(run, folder)
    path = folder / runs.MODEL
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files | contents).items():
            archive.writestr(name, content)
    return folder


@pytest.mark.parametrize("config", HOSTILE.values(), ids=HOSTILE)
def test_a_model_that_is_a_program_is_refused(
    run, tmp_path, monkeypatch, config
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("secret\n")
    contents = {"config.json": json.dumps(config)}
    folder = rewrite(run, tmp_path / "run", **contents)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="model.keras: ") as caught:
        runs.load_model(folder, "apps.sentiment")
    assert "\n" not in str(caught.value)
    assert "secret\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(ValueError):  # Still in the mode that is safe.
        keras.saving.deserialize_keras_object(LAMBDA)


def link_file(group, name, shape):
    """A link to an array of another file."""
    group[name] = h5py.ExternalLink("secret.h5", "/secret")


def store_outside(group, name, shape):
    """An array whose bytes are those of another file."""
    group.create_dataset(name, shape, "f4", external=[("secret", 0, 4096)])


def view_file(group, name, shape):
    """An array that is a view of one in another file."""
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "secret", shape)
    group.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("replace", [link_file, store_outside, view_file])
def test_weights_that_lie_in_another_file_are_not_read(
    run, tmp_path, monkeypatch, replace
):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(run / runs.MODEL) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights, "a") as file:
        path, shape = find_matrix(file)
        group, _, name = path.rpartition("/")
        del file[path]
        replace(file[group], name, shape)
    secret = np.full(shape, 7, "f4")
    secret.tofile("secret")
    with h5py.File("secret.h5", "w") as file:
        file["secret"] = secret
    contents = {"model.weights.h5": weights.getvalue()}
    folder = rewrite(run, tmp_path / "run", **contents)
    with pytest.raises(UserError, match="model.keras: cannot load it"):
        runs.load_model(folder, "apps.sentiment")


def find_matrix(file):
    """The path and the shape of the first matrix of a file of weights."""
    matrices = []
    file.visititems(
        lambda path, x: (
            matrices.append((path, x.shape))
            if getattr(x, "ndim", 0) == 2
            else None
        )
    )
    return matrices[0]


@pytest.mark.parametrize("build", [captioner.Captioner, tagger.Tagger])
@pytest.mark.parametrize("name", ["Lambda", "os.system", "get_file", "lookup"])
def test_an_encoder_inside_a_model_is_no_program(
    tmp_path, monkeypatch, build, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("secret\n")
    with pytest.raises((ValueError, TypeError)):
        build({}, ["a", "b"], HOSTILE[name])
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("encoder", [ImageEncoder, FrameEncoder])
@pytest.mark.parametrize("weights", ["imagenet", "secret.weights.h5"])
def test_a_model_names_no_weights_to_download_or_open(
    monkeypatch, encoder, weights
):
    def refuse(*args):
        raise AssertionError("it reached for weights")

    monkeypatch.setattr(pretrained, "_download", refuse)
    monkeypatch.setattr(pretrained, "_load_weights", refuse)
    config = {"network": "MobileNetV2", "size": 32, "weights": weights}
    assert encoder.from_config(config).base.count_params() > 2_000_000


def test_a_saved_model_in_a_run_folder_is_not_run(
    trained_app, tmp_path, monkeypatch
):
    app = trained_app("sentiment")
    run = tmp_path / "run"
    shutil.copytree(app.run, run)
    for inside in ("1", "."):
        shutil.copytree(app.export, run / inside, dirs_exist_ok=True)
        assert export.find_saved_model(run) is None
    assert os.path.isfile(run / "saved_model.pb")
