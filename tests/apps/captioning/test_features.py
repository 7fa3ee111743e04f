"""The command features: its options, and the encoder that it runs."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import features
from apps.captioning.config import FEATURES, Config
from apps.captioning.encoder import build_encoder
from common.data import feature_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images
from tests.support import commands
from tests.support.images import write_pictures

MODULE = "apps.captioning.features"
OPTIONS = [
    *["--data", "p", "--encoder", "TinyNet", "--encoder-weights", "none"],
    *["--image-size", "32"],
]
CONFIG = dataclasses.replace(
    FEATURES, encoder="TinyNet", encoder_weights="none", image_size=32
)


def test_pictures_are_those_of_the_folder_images_and_all_below(tmp_path):
    write_pictures(tmp_path / "images" / "deep", 2)
    (tmp_path / "images" / "B.PNG").write_bytes(b"")
    (tmp_path / "images" / "notes.txt").write_bytes(b"")
    write_pictures(tmp_path, 1, start=9)
    names = sorted(features.find_pictures(tmp_path))
    assert names == ["000.jpg", "001.jpg", "B.PNG"]
    assert len(features.find_pictures(tmp_path / "images" / "deep")) == 2


def test_folders_that_are_refused(tmp_path):
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
    to, left_out = tmp_path / "f.npz", Skipped()
    computed = features.compute(files, CONFIG, to, left_out)
    assert not left_out.counts
    keras.utils.set_random_seed(CONFIG.seed)
    encoder = build_encoder(CONFIG)
    for name, path in files.items():
        pixels = images.decode_image(tf.io.read_file(str(path)), 32)
        row = computed.take(np.array([computed.rows[name]]))
        expected = encoder(pixels[None])
        np.testing.assert_allclose(row, expected, rtol=1e-2, atol=1e-3)
    # Other features are of another encoder.
    message = "f.npz: features of encoder TinyNet.*choose another --to"
    for changes in ({"seed": 1}, {"image_size": 64}):
        other = dataclasses.replace(CONFIG, **changes)
        with pytest.raises(UserError, match=message):
            features.compute(files, other, to, Skipped())


def test_cnn_has_no_features_before_training(tmp_path):
    with pytest.raises(UserError, match="--encoder cnn is trained with"):
        features.compute({}, Config(), tmp_path / "f.npz", Skipped())


@pytest.mark.slow
def test_the_command_skips_and_lists_what_is_broken(tmp_path):
    def run(*args):
        arguments = [*OPTIONS, *args]
        done = commands.run_command(MODULE, *arguments, folder=tmp_path)
        return done.stdout.splitlines()

    files = write_pictures(tmp_path / "p", 3)
    (tmp_path / "p" / "text.jpg").write_bytes(b"words")
    cut = files["000.jpg"].read_bytes()[:-200]
    (tmp_path / "p" / "cut.jpg").write_bytes(cut)
    last = run("--to", "f.npz")[-1]
    assert last == "f.npz: 3 pictures, 16 regions of 6 features; 2 left out"
    error = commands.error_line(
        MODULE, *OPTIONS, "--pooled", "--to", "f.npz", folder=tmp_path
    )
    assert "f.npz: features of encoder TinyNet" in error
    printed = run("--pooled", "--to", "g.npz")
    assert "skipped: 1 (text, not a picture): text.jpg" in printed
    assert "skipped: 1 (truncated or damaged): cut.jpg" in printed
    last = "g.npz: 3 pictures, 1 regions of 6 features; 2 left out"
    assert printed[-1] == last
    stored = feature_files.load(tmp_path / "g.npz")
    assert stored.values.dtype == np.float16
    assert stored.encoder["pooled"] is True


def test_commands_that_are_refused(tmp_path):
    def refused(*args):
        return commands.error_line(MODULE, *args, folder=tmp_path)

    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_bytes(b"words")
    error = refused(*OPTIONS, "--to", "f.npz")
    assert "none of 1 pictures can be read" in error
    assert not (tmp_path / "f.npz").exists()
    error = refused(*OPTIONS, "--to", "f.txt")
    assert "--to f.txt: expected a file that ends in .npz" in error
    assert "the following arguments are required: --to" in refused(*OPTIONS)
