"""From a data set to encoded examples: features, broken pictures, options."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from apps.captioning import batches, data, features, text
from apps.captioning.config import Config
from apps.captioning.datasets import Example, samples
from apps.captioning.encoder import encoder_signature
from common.data import feature_files
from common.data.skipped import Skipped
from common.errors import UserError
from tests.support.captioning import (
    BROKEN,
    FROZEN,
    TINY,
    skipped_pictures,
    write_place,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with scenes, some of them broken, and files of features."""
    return write_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def here(place, monkeypatch):
    """Makes the folder the current one."""
    monkeypatch.chdir(place)
    return place


def with_features(name, **options):
    config = dataclasses.replace(TINY, data="scenes", features=f"{name}.npz")
    return dataclasses.replace(config, **options)


@pytest.mark.slow
def test_captions_per_image_say_how_long_an_epoch_is():
    config = dataclasses.replace(TINY, num_examples=40)
    dataset = data.load(config)
    for num_each, num_batches in ((1, 3), (2, 5), (9, 13), (0, 13)):
        config = dataclasses.replace(config, captions_per_image=num_each)
        epoch = batches.make_batches(dataset.train, config, epoch=0)
        assert len(epoch) == num_batches
        valid = batches.make_batches(dataset.valid, config)
        assert len(valid) == 4  # 50 captions.


def test_of_many_validation_images_some_are_chosen_by_chance():
    examples = [Example(f"{k}.png", "", ("a",)) for k in range(50)]
    chosen = data.subsample(examples, 20, seed=0)
    assert chosen == data.subsample(examples, 20, seed=0)
    assert chosen != data.subsample(examples, 20, seed=1)
    assert len(chosen) == 20
    assert chosen == sorted(chosen, key=examples.index)
    assert data.subsample(examples, 50, seed=0) == examples


# Features in place of pictures


def test_features_of_a_known_encoder_are_told_in_the_report(here):
    dataset = data.load(with_features("tiny", encoder_weights="none"))
    assert dataset.report["features_of"] == encoder_signature(FROZEN)
    assert dataset.feature_shape == (4, 6)
    # With the encoder named, the model will know pictures too.
    dataset = data.load(dataclasses.replace(FROZEN, features="tiny.npz"))
    assert dataset.feature_shape is None
    rows = dataset.valid.images.load(np.array([1, 0], np.int32))
    stored = feature_files.load(Path("tiny.npz"))
    places = [stored.rows[f"valid-0000{number}.png"] for number in (1, 0)]
    np.testing.assert_array_equal(rows, stored.values[places])


UNFIT = [
    (
        dataclasses.replace(FROZEN, features="grid.npz"),
        "--features grid.npz: it does not tell which encoder made it; leave"
        " out --encoder TinyNet",
    ),
    (
        dataclasses.replace(FROZEN, features="resized.npz"),
        r"--features resized.npz: features of another encoder: image_size"
        r" 64 \(now 32\), pooled True \(now False\)$",
    ),
    (
        dataclasses.replace(FROZEN, features="tiny.npz", seed=7),
        r"another encoder: weights none, seed 0 \(now none, seed 7\)$",
    ),
    (
        with_features("vector"),
        "--features vector.npz: one vector for each image, and --decoder"
        " attention needs a grid: choose --decoder first_input or",
    ),
    (with_features("gone"), "gone.npz: cannot read it .No such file"),
    (
        dataclasses.replace(FROZEN, data="builtin"),
        "--encoder TinyNet needs files: write the builtin ones with"
        " python -m apps.captioning.datasets.builtin FOLDER, and pass"
        " --data FOLDER",
    ),
    (
        dataclasses.replace(FROZEN, encoder_weights="gone.h5"),
        "--encoder-weights gone.h5: cannot read it .No such file",
    ),
]


def test_features_and_encoders_that_do_not_fit(here):
    for config, message in UNFIT:
        with pytest.raises(UserError, match=message) as caught:
            data.load(config)
        assert "\n" not in str(caught.value)


def test_one_vector_of_each_image_is_enough_for_other_decoders(here):
    for kind in ("first_input", "initial_state"):
        dataset = data.load(with_features("vector", decoder=kind))
        assert dataset.feature_shape == (1, 6)


# Broken pictures


def assert_told(dataset):
    assert skipped_pictures(dataset.report) == BROKEN
    assert dataset.report["train"] == {"images": 9, "captions": 45}
    assert dataset.report["valid"] == {"images": 11, "captions": 55}
    assert len(dataset.valid_examples) == 11
    lines = dataset.summary().splitlines()
    assert lines[0].startswith("9 training images with 45 captions, 11 valid")
    assert (
        "skipped: 2 (truncated or damaged): train-00002.png, valid-00003.png"
        in lines
    )


@pytest.mark.slow
def test_broken_pictures_are_left_out_of_training(here):
    dataset = data.load(dataclasses.replace(TINY, data="scenes"))
    assert_told(dataset)
    # So every batch can be made.
    assert len(list(batches.make_batches(dataset.train, TINY, epoch=0))) == 1


@pytest.mark.slow
def test_a_split_of_broken_pictures_alone(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split, name in (("train", "training"), ("valid", "validation")):
        shutil.copytree(place / "scenes", "scenes")
        for path in Path("scenes/images").glob(f"{split}-*"):
            path.write_bytes(b"words")
        message = f"scenes: no {name} images that can be used"
        for config in (dataclasses.replace(TINY, data="scenes"), FROZEN):
            with pytest.raises(UserError, match=message):
                data.load(config)
        shutil.rmtree("scenes")


# Features of a frozen encoder


@pytest.mark.slow
def test_features_are_computed_once(here, tmp_path, monkeypatch, capsys):
    shutil.copytree("scenes", tmp_path / "scenes")
    monkeypatch.chdir(tmp_path)
    dataset = data.load(FROZEN)
    assert "0 pictures reused, 24 to compute" in capsys.readouterr().out
    (cached,) = Path("features").iterdir()
    assert cached.name.startswith("scenes-TinyNet-")
    stored = feature_files.load(cached)
    assert len(stored.names) == 20
    assert set(stored.names).isdisjoint(BROKEN)
    assert_told(dataset)
    rows = dataset.train.images.load(np.array([8], np.int32))
    expected = stored.values[stored.rows["train-00011.png"]]
    np.testing.assert_array_equal(rows[0], expected.astype("f"))
    # What is broken is tried again, and mended here.
    for name in BROKEN:
        good = "train-00005.png" if name.startswith("t") else "valid-00000.png"
        images = tmp_path / "scenes" / "images"
        (images / name).write_bytes((images / good).read_bytes())
    first = data.load(FROZEN)
    assert "20 pictures reused, 4 to compute" in capsys.readouterr().out
    # With nothing to do, no network is built.
    monkeypatch.setattr(features, "build_encoder", None)
    again = data.load(FROZEN)
    assert "24 pictures reused, 0 to compute" in capsys.readouterr().out
    numbers = np.arange(12, dtype=np.int32)
    for one, other in ((first.train, again.train), (first.valid, again.valid)):
        np.testing.assert_array_equal(
            one.images.load(numbers), other.images.load(numbers)
        )


def test_another_encoder_has_a_cache_of_its_own():
    pooled = dataclasses.replace(FROZEN, pooled=True)
    other = dataclasses.replace(FROZEN, data="elsewhere/other scenes")
    paths = [data._cache_path(config) for config in (FROZEN, pooled, other)]
    assert len(set(paths)) == 3
    assert paths[2].name.startswith("other-scenes-TinyNet-")
    assert data._cache_path(dataclasses.replace(FROZEN, units=9)) == paths[0]


# Samples


def test_the_first_pictures_are_written_and_proposed(tmp_path):
    examples = [Example(f"{k} é.png", b"png", ("a",)) for k in range(10)]
    for count in (10, 1):  # Again, as when a run goes on.
        samples.write(tmp_path / "run", examples[:count])
        assert len(list((tmp_path / "run" / "samples").iterdir())) == 8
    path = f"{tmp_path}/run/samples/0 é.png"
    example = samples.example_input(tmp_path / "run", examples[0], "")
    assert example == f"'{path}'"
    example = samples.example_input(tmp_path, examples[0], "f.npz")
    assert example == "--features f.npz '0 é.png'"


def test_pictures_with_files_are_not_copied(tmp_path):
    examples = [Example("a.png", "there/a b.png", ("a",))]
    samples.write(tmp_path / "run", examples)
    assert not (tmp_path / "run").exists()
    assert samples.example_input(tmp_path, examples[0], "") == "'there/a b.png'"


# Options


OPTIONS = [
    ({"pooled": True}, "--decoder attention needs a grid to look at"),
    ({"features": "grid.npz"}, "--features needs --data too"),
    (
        {"features": "grid.npz", "data": "x", "finetune": "y"},
        "--finetune trains the encoder, which --features leave out",
    ),
    ({"image_size": 15}, "--image-size must be at least 16, got 15"),
    ({"num_examples": 9}, "--num-examples must be at least 10, got 9"),
    ({"captions_per_image": -1}, "--captions-per-image must be at least 0"),
    ({"scheduled_sampling": 1.0}, "--scheduled-sampling must be .* below"),
    ({"sampling_epochs": 0}, "--sampling-epochs must be at least 1"),
    ({"vocab_size": 4}, "--vocab-size must be at least 5, got 4"),
    ({"max_words": 0}, "--max-words must be at least 1"),
    ({"learning_rate": 0}, "--learning-rate must be greater than 0"),
    ({"beam": 0}, "--beam must be at least 1, got 0"),
]


def test_options_that_cannot_work():
    for options, expected in OPTIONS:
        with pytest.raises(UserError, match=expected):
            dataclasses.replace(Config(), **options)


def test_the_smallest_vocabulary_has_a_word():
    """The options know the number without importing TensorFlow."""
    smallest = text.NUM_SPECIAL + 1
    assert Config(vocab_size=smallest).vocab_size == smallest
    with pytest.raises(UserError, match="--vocab-size must be at least"):
        Config(vocab_size=smallest - 1)


def test_a_caption_without_a_word_is_an_empty_caption(monkeypatch):
    images = {"a.jpg": (".", "a dog", "!!! ???"), "b.jpg": ("...",)}
    examples = [Example(name, "", texts) for name, texts in images.items()]
    monkeypatch.setattr(
        data.datasets,
        "open_splits",
        lambda *args, **kwargs: {"train": examples},
    )
    left_out = Skipped()
    splits = data.open_splits(TINY, left_out)
    assert splits == {"train": [Example("a.jpg", "", ("a dog",))]}
    assert left_out.report() == {
        "empty caption": {"count": 3, "first": ["a.jpg", "a.jpg", "b.jpg"]},
        "image without a caption": {"count": 1, "first": ["b.jpg"]},
    }


def test_others_take_the_place_of_validation_without_words(monkeypatch):
    train = [Example(f"{n}.jpg", "", ("a dog",)) for n in range(12)]
    splits = {"train": train, "valid": [Example("x.jpg", "", ("?",))]}
    monkeypatch.setattr(data.datasets, "open_splits", lambda *_, **__: splits)
    usable = data.open_splits(TINY, Skipped())
    assert usable["valid"] == [train[0], train[10]]
    assert usable["train"] == [*train[1:10], train[11]]


def test_captions_without_a_frequent_word_are_told():
    config = dataclasses.replace(TINY, min_count=9999)
    message = "--data builtin: no word occurs 9999 times in .* --min-count 1"
    with pytest.raises(UserError, match=message):
        data.load(config)
