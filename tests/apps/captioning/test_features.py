import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import encoder as encoders
from apps.captioning import features
from apps.captioning.config import Config
from common.data import feature_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images
from tests.support.images import write_pictures

CONFIG = Config(encoder="MobileNetV2", encoder_weights="none", image_size=16)
OPTIONS = [
    *["--encoder", "MobileNetV2", "--encoder-weights", "none"],
    *["--image-size", "16"],
]


def small_encoder(config):
    """Stands for a network of keras.applications: 4 regions, or 1."""
    layers = [
        keras.layers.Conv2D(3, 8, strides=8),
        keras.layers.Reshape([4, 3]),
    ]
    if config.pooled:
        layers.append(keras.layers.AveragePooling1D(4))
    return keras.Sequential(layers)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(encoders, "build", small_encoder)


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the command in this process, and gives what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        argv = ["features", "--data", "p", "--to", "f.npz", *OPTIONS, *args]
        monkeypatch.setattr(sys, "argv", argv)
        features.main()
        return capsys.readouterr().out.splitlines()

    return run


def test_find_takes_the_folder_images_and_all_below(tmp_path):
    write_pictures(tmp_path / "images" / "deep", 2)
    (tmp_path / "images" / "B.PNG").write_bytes(b"")
    (tmp_path / "images" / "notes.txt").write_bytes(b"")
    write_pictures(tmp_path, 1, start=9)
    names = sorted(features.find_pictures(tmp_path))
    assert names == ["000.jpg", "001.jpg", "B.PNG"]
    assert len(features.find_pictures(tmp_path / "images" / "deep")) == 2


def test_find_refuses(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        features.find_pictures(tmp_path / "none")
    with pytest.raises(UserError, match="no picture below .* end in .jpg"):
        features.find_pictures(tmp_path)
    write_pictures(tmp_path / "a", 1)
    write_pictures(tmp_path / "b", 1)
    message = f"{tmp_path}/a/000.jpg and {tmp_path}/b/000.jpg: duplicated image"
    with pytest.raises(UserError, match=message):
        features.find_pictures(tmp_path)


def test_features_are_those_of_encoder_and_pixels(tmp_path):
    files = write_pictures(tmp_path / "p", 3)
    to, skipped = tmp_path / "f.npz", Skipped()
    computed = features.compute(files, CONFIG, to, skipped)
    assert not skipped.counts
    keras.utils.set_random_seed(CONFIG.seed)
    encoder = encoders.build(CONFIG)
    for name, path in files.items():
        pixels = images.decode_image(tf.io.read_file(str(path)), 16)
        row = computed.take(np.array([computed.rows[name]]))
        expected = encoder(pixels[None])
        np.testing.assert_allclose(row, expected, rtol=1e-2, atol=0.1)
    # Other features are of another encoder.
    message = "f.npz: features of encoder MobileNetV2.*choose another --to"
    for changes in ({"seed": 1}, {"image_size": 32}):
        other = Config(**vars(CONFIG) | changes)
        with pytest.raises(UserError, match=message):
            features.compute(files, other, to, Skipped())


def test_cnn_has_no_features_before_training(tmp_path):
    with pytest.raises(UserError, match="--encoder cnn is trained with"):
        features.compute({}, Config(), tmp_path / "f.npz", Skipped())


def test_command_skips_and_lists_what_is_broken(run, tmp_path):
    files = write_pictures(tmp_path / "p", 3)
    (tmp_path / "p" / "text.jpg").write_bytes(b"words")
    cut = files["000.jpg"].read_bytes()[:-200]
    (tmp_path / "p" / "cut.jpg").write_bytes(cut)
    assert run()[-1] == "f.npz: 3 pictures, 4 regions of 3 features; 2 left out"
    with pytest.raises(UserError, match="f.npz: features of encoder Mobile"):
        run("--pooled")
    printed = run("--pooled", "--to", "g.npz")
    assert "skipped: 1 (not a picture): text.jpg" in printed
    assert "skipped: 1 (truncated or damaged): cut.jpg" in printed
    last = "g.npz: 3 pictures, 1 regions of 3 features; 2 left out"
    assert printed[-1] == last
    stored = feature_files.load(tmp_path / "g.npz")
    assert stored.values.dtype == np.float16
    assert stored.encoder["pooled"] is True


def test_command_refuses(run, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_bytes(b"words")
    with pytest.raises(UserError, match="none of 1 pictures can be read"):
        run()
    assert not (tmp_path / "f.npz").exists()
    with pytest.raises(UserError, match="--to f.txt: expected a file that"):
        run("--to", "f.txt")
