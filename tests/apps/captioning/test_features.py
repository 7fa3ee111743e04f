import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import encoder as encoders
from apps.captioning import features
from apps.captioning.config import Config
from common.data import feature_files
from common.errors import UserError
from common.media import images
from tests.conftest import ROOT

MODULE = "apps.captioning.features"
OPTIONS = [
    *["--encoder", "MobileNetV2", "--encoder-weights", "none"],
    *["--image-size", "32", "--to", "f.npz"],
]
CONFIG = Config(encoder="MobileNetV2", encoder_weights="none", image_size=32)


def write_pictures(folder, count, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        rng = np.random.default_rng(number)
        picture = rng.integers(0, 256, [24, 32, 3], np.uint8)
        content = tf.io.encode_jpeg(picture).numpy()
        (folder / f"{number:03}.jpg").write_bytes(content)
    return folder


def arrays(n=3, dim=4, **changes):
    rng = np.random.default_rng(0)
    made = {
        "names": np.array([f"{number}.jpg" for number in range(n)]),
        "features": rng.normal(size=[n, 5, dim]).astype("f"),
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def written(folder, **changes):
    np.savez(folder / "given.npz", **arrays(**changes))
    return folder / "given.npz"


# Files of features


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("rank", [2, 3])
def test_load_reads_grids_and_vectors(tmp_path, dtype, rank):
    values = arrays()["features"].astype(dtype)
    values = values[:, 0] if rank == 2 else values
    found = feature_files.load(written(tmp_path, features=values))
    assert (found.regions, found.dim) == ((1 if rank == 2 else 5), 4)
    assert found.rows == {"0.jpg": 0, "1.jpg": 1, "2.jpg": 2}
    assert found.encoder is None
    taken = found.take(np.array([2, 0]))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(
        taken, values[[2, 0]].reshape(2, -1, 4).astype("f")
    )


def test_load_reads_bytes_with_their_scale(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)
    low = np.array([-1, 0, 1, 2], "f")
    step = np.array([0.5, 1, 2, 0], "f")
    path = written(tmp_path, features=values, low=low, step=step)
    found = feature_files.load(path).take(np.arange(3))
    np.testing.assert_allclose(found, low + step * values)


@pytest.mark.parametrize("regions", [1, 3])
def test_what_is_saved_is_loaded(tmp_path, regions):
    values = np.ones([2, regions, 4], np.uint8)
    low, step = np.zeros(4, "f"), np.ones(4, "f")
    given = feature_files.Features(
        ["a", "é"], values, low, step, {"encoder": "X"}, ["1 2", "3 4"]
    )
    feature_files.save(tmp_path / "f.npz", given)
    found = feature_files.load(tmp_path / "f.npz")
    assert (found.names, found.encoder) == (given.names, given.encoder)
    assert found.stamps == given.stamps
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.step, step)
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": None}, "no array names; .* it has features"),
        ({"features": None}, "no array features; .* it has names"),
        ({"names": np.array(["a", "b", "a"])}, "the name a occurs twice"),
        ({"names": np.arange(3)}, r"names must be strings \[n\], got int64"),
        ({"names": np.array(["a"])}, "1 names but 3 rows"),
        (
            {"features": np.zeros([3], "f")},
            r"or \[n, regions, dim\], got \[3\]",
        ),
        ({"features": np.zeros([3, 0], "f")}, r"got \[3, 0\]"),
        ({"features": np.zeros([3, 4], int)}, "must be float16, .* got int64"),
        (
            {"features": np.array([[1], [np.nan], [np.inf]], "f")},
            "features of 1.jpg are not all finite",
        ),
        ({"features": np.zeros([3, 4], np.uint8)}, "need low and step"),
        (
            {
                "features": np.zeros([3, 4], np.uint8),
                "low": np.zeros(4, "f"),
                "step": np.zeros(3, "f"),
            },
            r"step \[4\] .* got step float32 \[3\]",
        ),
        ({"encoder": np.array("MobileNetV2")}, "encoder must be a JSON object"),
        ({"stamps": np.array(["a"])}, "3 names but stamps"),
        ({"names": np.array([{}] * 3, object)}, "expected a file of features"),
    ],
)
def test_files_that_are_refused(tmp_path, changes, message):
    path = written(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as error:
        feature_files.load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match="a.npz: cannot read it .No such file"):
        feature_files.load(path)
    whole = written(tmp_path).read_bytes()
    for content in (b"", b"text", whole[:50], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="a.npz: expected a file of feat"):
            feature_files.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="a.npz: .*an array by itself"):
        feature_files.load(path)


# The pictures of a folder


def test_find_takes_the_folder_images_and_all_below(tmp_path):
    write_pictures(tmp_path / "images" / "deep", 2)
    (tmp_path / "images" / "B.PNG").write_bytes(b"")
    (tmp_path / "images" / "notes.txt").write_bytes(b"")
    write_pictures(tmp_path, 1, start=9)
    assert sorted(features.find(tmp_path)) == ["000.jpg", "001.jpg", "B.PNG"]
    assert len(features.find(tmp_path / "images" / "deep")) == 2


def test_find_refuses(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        features.find(tmp_path / "none")
    with pytest.raises(UserError, match="no picture below .* end in .jpg"):
        features.find(tmp_path)
    write_pictures(tmp_path / "a", 1)
    write_pictures(tmp_path / "b", 1)
    message = f"{tmp_path}/a/000.jpg and {tmp_path}/b/000.jpg: duplicated image"
    with pytest.raises(UserError, match=message):
        features.find(tmp_path)


# Computing


def test_features_are_those_of_encoder_and_pixels(tmp_path):
    files = features.find(write_pictures(tmp_path / "p", 3))
    found, left_out = features.compute(files, CONFIG, tmp_path / "f.npz")
    assert not left_out.counts
    keras.utils.set_random_seed(CONFIG.seed)
    encoder = encoders.build(CONFIG)
    for name, path in files.items():
        pixels = images.decode_image(tf.io.read_file(str(path)), 32)
        expected = encoder(pixels[None])
        row = found.take(np.array([found.rows[name]]))
        np.testing.assert_allclose(row, expected, rtol=1e-2, atol=1e-3)


def test_only_what_is_missing_or_changed_is_computed(
    tmp_path, capsys, monkeypatch
):
    folder = write_pictures(tmp_path / "p", 4)
    to = tmp_path / "f.npz"
    first, _ = features.compute(features.find(folder), CONFIG, to)
    write_pictures(folder, 1, start=7)
    content = (folder / "000.jpg").read_bytes()
    (folder / "001.jpg").write_bytes(content)
    second, _ = features.compute(features.find(folder), CONFIG, to)
    assert "3 pictures reused, 2 to compute" in capsys.readouterr().out
    assert second.names == [*first.names, "007.jpg"]
    np.testing.assert_allclose(second.values[1], second.values[0], atol=1e-3)
    np.testing.assert_array_equal(second.values[2:4], first.values[2:4])
    # With nothing to do, no network is built.
    monkeypatch.setattr(encoders, "build", None)
    third, _ = features.compute(features.find(folder), CONFIG, to)
    np.testing.assert_array_equal(third.values, second.values)


def test_a_picture_that_broke_has_no_old_features(tmp_path):
    folder = write_pictures(tmp_path / "p", 2)
    to = tmp_path / "f.npz"
    features.compute(features.find(folder), CONFIG, to)
    (folder / "001.jpg").write_bytes(b"words")
    found, left_out = features.compute(features.find(folder), CONFIG, to)
    assert found.names == ["000.jpg"]
    assert left_out.places == {"not a picture": ["001.jpg"]}


def test_cnn_has_no_features_before_training(tmp_path):
    with pytest.raises(UserError, match="--encoder cnn is trained with"):
        features.compute({}, Config(), tmp_path / "f.npz")


# The command


def test_command_skips_and_lists_what_is_broken(command):
    folder = write_pictures(command.folder / "p", 3)
    (folder / "text.jpg").write_bytes(b"words")
    whole = (folder / "000.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[:-200])
    done = command(MODULE, "--data", "p", *OPTIONS, "--pooled")
    assert "skipped: 1 (not a picture): text.jpg" in done.stdout
    assert "skipped: 1 (truncated or damaged): cut.jpg" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last == "f.npz: 3 pictures, 1 regions of 1280 features; 2 left out"
    found = feature_files.load(command.folder / "f.npz")
    assert found.values.dtype == np.float16
    assert found.encoder["pooled"] is True
    error = command.error(MODULE, "--data", "p", *OPTIONS)
    assert "f.npz: features of encoder MobileNetV2" in error
    assert "choose another --to" in error


def test_command_without_a_picture_that_works(command):
    (command.folder / "p").mkdir()
    (command.folder / "p" / "a.jpg").write_bytes(b"words")
    error = command.error(MODULE, "--data", "p", *OPTIONS)
    assert "p: none of 1 pictures can be read" in error
    assert not (command.folder / "f.npz").exists()


def test_command_goes_on_after_a_kill(command):
    write_pictures(command.folder / "p", 120)
    options = ["--data", "p", *OPTIONS, "--batch-size", "1"]
    parts = command.folder / "f.npz.parts"
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, *options],
        cwd=command.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 120
    while not list(parts.glob("[0-9]*.npz")) and time.monotonic() < end:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (command.folder / "f.npz").exists()
    done = command(MODULE, *options)
    reused = int(done.stdout.split(": ")[1].split()[0])
    assert 8 <= reused < 120
    assert not parts.exists()
    resumed = feature_files.load(command.folder / "f.npz")
    files = features.find(command.folder / "p")
    at_once, _ = features.compute(files, CONFIG, command.folder / "g.npz")
    assert resumed.names == at_once.names == list(files)
    assert resumed.encoder == at_once.encoder
    np.testing.assert_allclose(
        resumed.values, at_once.values, rtol=1e-2, atol=1e-3
    )
