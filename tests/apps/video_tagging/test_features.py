import json
import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import data, features, loader, predictor, train
from apps.video_tagging import encoder as encoders
from apps.video_tagging.config import Config
from apps.video_tagging.datasets.builtin import __main__
from common.data.feature_store import FeatureFolder
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import videos
from tests.support.videos import MeanColours, write_videos

CONFIG = Config(encoder="MobileNetV2", encoder_weights="none", image_size=32)
OPTIONS = ["--encoder-weights", "none", "--image-size", "32"]


@pytest.fixture
def colours(monkeypatch):
    encoder = MeanColours()
    monkeypatch.setattr(loader, "build_encoder", lambda config: encoder)
    return encoder


@pytest.fixture
def run(monkeypatch):
    """Runs the command in this process, which has TensorFlow already."""

    def run(*args):
        argv = ["features", *map(str, args), *OPTIONS]
        monkeypatch.setattr(sys, "argv", argv)
        features.main()

    return run


def load(to, name):
    return np.load(to / "features" / f"{name}.npy")


def compute(files, config, to):
    folder = FeatureFolder(to, encoders.encoder_signature(config))
    return list(loader.compute_features(files, config, folder, Skipped()))


# Computing


def test_features_are_those_of_encoder_and_frames(tmp_path, monkeypatch):
    def small_encoder(config):
        """Stands for a network of keras.applications."""
        return keras.Sequential(
            [
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(5, 8, strides=8),
                keras.layers.GlobalAveragePooling2D(),
            ]
        )

    monkeypatch.setattr(loader, "build_encoder", small_encoder)
    files = write_videos(tmp_path / "v", a=9, b=4)
    config = Config(**vars(CONFIG) | {"frame_rate": 5.0})
    assert compute(files, config, tmp_path / "f") == ["a", "b"]
    keras.utils.set_random_seed(CONFIG.seed)
    encoder = loader.build_encoder(CONFIG)
    for name, path in files.items():
        clip = videos.read_clip(path, 32, 5.0)
        computed = load(tmp_path / "f", name)
        assert (computed.dtype, computed.shape) == (
            np.float16,
            (5, len(clip.values)),
        )
        expected = encoder(tf.constant(clip.values)).numpy().T
        np.testing.assert_allclose(computed, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"frame_rate": 5.0}, {"image_size": 40}]
)
def test_features_of_another_encoder_are_refused(tmp_path, colours, changes):
    files = write_videos(tmp_path / "v", a=5)
    compute(files, CONFIG, tmp_path / "f")
    other = Config(**vars(CONFIG) | changes)
    message = "features.json: features of .*, not of encoder MobileNetV2.*--to"
    with pytest.raises(UserError, match=message):
        compute(files, other, tmp_path / "f")


def test_cnn_has_no_features_before_training(tmp_path):
    with pytest.raises(UserError, match="--encoder cnn is trained with"):
        compute({}, Config(), tmp_path / "f")


def test_runs_of_one_data_set_and_encoder_share_features(tmp_path):
    options = {"encoder": "MobileNetV2", "encoder_weights": "none"}
    paths = [
        loader.open_cache(Config(data=data, seed=seed, **options)).path
        for data in (str(tmp_path / "a b"), "c")
        for seed in (0, 1, 1)
    ]
    assert paths[1] == paths[2]
    assert len(set(paths)) == 4
    assert paths[0].name.startswith("a-b-MobileNetV2-")


# The command


def lines(path):
    return path.read_text().splitlines()


@pytest.fixture
def labelled(tmp_path):
    """Four videos of 20 frames in the layout of ms-tcn."""
    data = tmp_path / "data"
    write_videos(data / "videos", a=20, b=20, c=20, d=20)
    (data / "groundTruth").mkdir()
    for name in "abcd":
        text = "open fridge\n" * 7 + "?\n" + "close fridge\n" * 12
        (data / "groundTruth" / f"{name}.txt").write_text(text)
    (data / "mapping.txt").write_text("0 close fridge\n1 open fridge\n")
    (data / "splits").mkdir()
    (data / "splits" / "train.bundle").write_text("a.txt\nb.txt\nc.txt\n")
    (data / "splits" / "test.bundle").write_text("d.txt\n")
    return data


def test_command_writes_a_folder_to_train_on(
    labelled, tmp_path, colours, run, capsys
):
    to = tmp_path / "f"
    run("--data", labelled, "--to", to, "--frame-rate", "5")
    out = capsys.readouterr().out.splitlines()
    assert out[-2] == f"{to}: 4 videos"
    assert out[-1].endswith(
        f".train --data {to} --encoder MobileNetV2 --image-size 32"
        " --frame-rate 5 --encoder-weights none"
    )
    expected = ["open fridge"] * 4 + ["close fridge"] * 6
    assert lines(to / "groundTruth" / "d.txt") == expected
    for name in ("mapping.txt", "splits/train.bundle", "splits/test.bundle"):
        assert (to / name).read_text() == (labelled / name).read_text()
    config = Config(data=str(to), frame_rate=5.0, valid_videos="c")
    found = data.open_splits(config)
    names = {k: [x.name for x in v] for k, v in found.examples.items()}
    assert names == {"train": ["a", "b"], "valid": ["c"], "test": ["d"]}
    assert found.labels == ["close fridge", "open fridge"]
    assert not found.skipped.counts


def test_command_keeps_unlabelled_frames(labelled, tmp_path, colours, run):
    run("--data", labelled, "--to", tmp_path / "f")
    found = lines(tmp_path / "f" / "groundTruth" / "a.txt")
    assert found == lines(labelled / "groundTruth" / "a.txt")


def test_command_with_sets_of_tags(labelled, tmp_path, colours, run):
    text = "\n" * 10 + "x y\n" * 10
    for name in "abcd":
        (labelled / "groundTruth" / f"{name}.txt").write_text(text)
    (labelled / "mapping.txt").unlink()
    to = tmp_path / "f"
    options = ["--multi-label", "--frame-rate", "5"]
    run("--data", labelled, "--to", to, *options)
    assert lines(to / "groundTruth" / "a.txt") == [""] * 5 + ["x y"] * 5
    assert lines(to / "mapping.txt") == ["0 x", "1 y"]


def test_command_refuses_tags_that_it_could_not_write(tmp_path, colours, run):
    source, to = tmp_path / "data", tmp_path / "f"
    write_videos(source / "videos", v0=5, v1=5)
    path = source / "annotations.csv"
    header = "video,start_frame,end_frame,tag\n"
    path.write_text(f"{header}v0,0,5,take cup\n")
    with pytest.raises(UserError, match="csv:2: the tag 'take cup' has a spa"):
        run("--data", source, "--to", to, "--multi-label")
    path.write_text(f'{header}v0,0,5,cut\nv1,0,5,"take\ncup"\n')
    with pytest.raises(UserError, match=r"csv:4: the tag 'take\\ncup' has a l"):
        run("--data", source, "--to", to)
    path.write_text(f"{header}v0,0,5,take cup\n")
    (source / "mapping.txt").write_text("0 stir\n1 take cup\n")
    with pytest.raises(UserError, match="txt:2: the tag 'take cup' has a spa"):
        run("--data", source, "--to", to, "--multi-label")
    assert not to.exists()


def test_command_leaves_out_names_that_no_list_can_hold(
    labelled, tmp_path, colours, run, capsys
):
    videos, to = labelled / "videos", tmp_path / "f"
    (videos / "d.mp4").rename(videos / os.fsdecode(b"m\xe4\xdfig.mp4"))
    (videos / "c.mp4").rename(videos / "two\nlines.mp4")
    (labelled / "splits" / "train.bundle").unlink()
    (labelled / "splits" / "test.bundle").unlink()
    for name in ("two\nlines", os.fsdecode(b"m\xe4\xdfig")):
        text = (labelled / "groundTruth" / "c.txt").read_text()
        (labelled / "groundTruth" / f"{name}.txt").write_text(text)
    run("--data", labelled, "--to", to, "--frame-rate", "5")
    out = capsys.readouterr().out
    assert "skipped: 2 (name that no list can hold): " in out
    assert r"m\udce4\udcdfig" in out
    assert r"two\nlines" in out
    assert f"{to}: 2 videos" in out
    listed = [x.read_text() for x in (to / "splits").iterdir()]
    assert sorted("".join(listed).split()) == ["a.txt", "b.txt"]


def test_command_with_labels_that_do_not_fit(labelled, tmp_path, colours, run):
    to = tmp_path / "f"
    (labelled / "groundTruth" / "b.txt").write_text("open fridge\n" * 18)
    with pytest.raises(UserError, match="b.txt: 18 lines.*--align crop"):
        run("--data", labelled, "--to", to)
    run("--data", labelled, "--to", to, "--align", "crop")
    found = lines(to / "groundTruth" / "b.txt")
    assert found == ["open fridge"] * 18 + ["?"] * 2


def test_command_with_segments(tmp_path, colours, run):
    source, to = tmp_path / "data", tmp_path / "f"
    write_videos(source / "videos", **{f"v{n}": 20 for n in range(4)})
    rows = "".join(f"v{n},0.5,1.0,wave\n" for n in range(4))
    (source / "annotations.csv").write_text("video,start,end,tag\n" + rows)
    run("--data", source, "--to", to, "--frame-rate", "5")
    expected = ["background"] * 3 + ["wave"] * 2 + ["background"] * 5
    assert lines(to / "groundTruth" / "v1.txt") == expected
    assert lines(to / "mapping.txt") == ["0 background", "1 wave"]
    splits = data.open_splits(Config(data=str(source))).examples
    again = data.open_splits(Config(data=str(to))).examples
    assert {k: [x.name for x in v] for k, v in splits.items()} == {
        k: [x.name for x in v] for k, v in again.items()
    }


def test_command_without_labels(tmp_path, colours, run, capsys):
    write_videos(tmp_path / "data", a=5, b=6)
    run("--data", tmp_path / "data", "--to", tmp_path / "f")
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"{tmp_path / 'f'}: 2 videos"
    found = json.loads((tmp_path / "f" / "features.json").read_text())
    assert sorted(found["videos"]) == ["a", "b"]
    assert found["encoder"]["encoder"] == "MobileNetV2"


def test_command_refuses(labelled, tmp_path, colours, run):
    with pytest.raises(UserError, match="expected a folder of videos; .*built"):
        run("--data", tmp_path / "none", "--to", tmp_path / "f")
    with pytest.raises(UserError, match="--to .*: the folder of videos itself"):
        run("--data", labelled, "--to", labelled)
    with pytest.raises(UserError, match="--to .*: there is something in it"):
        run("--data", labelled, "--to", labelled / "videos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no videos: expected"):
        run("--data", tmp_path / "empty", "--to", tmp_path / "f")
    (labelled / "features").mkdir()
    with pytest.raises(UserError, match="it has a folder features"):
        run("--data", labelled, "--to", tmp_path / "f")
    assert not (tmp_path / "f").exists()


# Training on them


def test_features_of_unknown_or_other_encoders(
    labelled, tmp_path, colours, run
):
    run("--data", labelled, "--to", tmp_path / "to")
    known = {**vars(CONFIG), "data": str(tmp_path / "to")}
    assert data.load(Config(**known)).dim is None  # The encoder is known.
    assert data.load(Config(**known | {"encoder": "cnn"})).dim == 3
    with pytest.raises(
        UserError, match="features of .* not of .*image_size 64"
    ):
        data.load(Config(**known | {"image_size": 64}))
    (tmp_path / "to" / "features.json").unlink()
    with pytest.raises(UserError, match="it does not tell which encoder made"):
        data.load(Config(**known))


@pytest.mark.slow
def test_a_model_of_a_frozen_encoder_tags_videos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    __main__.write(tmp_path / "shapes", 3, 0, False)
    options = {"data": "shapes", "run_dir": "run", "epochs": 1, "units": 8}
    train.train(Config(**vars(CONFIG) | options))
    tagger = predictor.load("run")
    assert tagger.takes_frames
    path = tmp_path / "shapes" / "videos" / "test-00000.mp4"
    clip = videos.read_clip(path, 32, 0.0)
    of_frames = tagger.predict_chunks([clip.values[:30], clip.values[30:]])
    seen = tagger.encode_fn(clip.values)
    assert seen.shape[1] == tagger.dim == 1280
    of_features = tagger.predict_chunks([seen])
    np.testing.assert_allclose(of_frames[1], of_features[1], atol=1e-5)
    cached = next((tmp_path / "features").glob("*/features/train-00000.npy"))
    assert np.load(cached).shape == (1280, 48)
