import json
import urllib.error

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import encoder as encoders
from apps.captioning.config import Config
from common.errors import UserError

PIXELS = np.random.default_rng(0).uniform(0, 255, [2, 32, 32, 3]).astype("f")


def config(encoder="MobileNetV2", weights="none", size=32, **options):
    return Config(
        encoder=encoder, encoder_weights=weights, image_size=size, **options
    )


@pytest.fixture(scope="module")
def mobile():
    return encoders.build(config())


@pytest.fixture
def weights(mobile, tmp_path):
    path = tmp_path / "mobile.weights.h5"
    mobile.base.save_weights(path)
    return path


def test_cnn_has_a_grid_of_regions():
    encoder = encoders.build(Config())
    features = encoder(tf.zeros([3, 64, 64, 3]))
    assert features.shape == (3, encoder.regions, encoder.dim)
    assert features.shape == (3, 16, 128)
    assert encoder.trainable_variables


@pytest.mark.parametrize("name", ["cnn", "MobileNetV2"])
def test_a_batch_of_no_pictures(name):
    encoder = encoders.build(config(name))
    nothing = tf.zeros([0, 32, 32, 3])
    expected = (0, encoder.regions, encoder.dim)
    assert encoder(nothing).shape == expected
    specs = [tf.TensorSpec([None, 32, 32, 3])]
    assert tf.function(encoder, specs)(nothing).shape == expected


def test_regions_go_row_by_row():
    encoder = encoders.build(Config())
    pixels = np.full([1, 64, 64, 3], 100, "f")
    before = encoder(tf.constant(pixels)).numpy()
    pixels[:, :16, 48:] = 255  # Above, on the right: region 3 and neighbours.
    changed = np.abs(encoder(tf.constant(pixels)).numpy() - before).max((0, 2))
    rows, columns = np.nonzero(changed.reshape(4, 4))
    assert changed[3] > 0
    assert rows.max() <= 1
    assert columns.min() >= 2


@pytest.mark.parametrize("name", ["cnn", "MobileNetV2"])
def test_pooled_is_the_average_of_the_grid(name):
    options = {"pooled": True, "decoder": "first_input"}
    pooled = encoders.build(config(name, **options))
    grid = encoders.build(config(name))
    grid.set_weights(pooled.get_weights())
    values = pooled(tf.constant(PIXELS))
    assert values.shape == (2, 1, grid.dim)
    expected = grid(tf.constant(PIXELS)).numpy().mean(1, keepdims=True)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MobileNetV2", keras.applications.mobilenet_v2),
        ("ResNet50", keras.applications.resnet50),
        ("EfficientNetB0", keras.applications.efficientnet),
    ],
)
def test_a_network_sees_the_pixels_that_it_was_made_for(name, module):
    encoder = encoders.build(config(name))
    expected = encoder.base(module.preprocess_input(PIXELS.copy()))
    found = encoder(tf.constant(PIXELS))
    np.testing.assert_allclose(
        found, expected.numpy().reshape(found.shape), rtol=1e-4, atol=1e-5
    )


def test_a_run_to_go_on_from_brings_its_weights(tmp_path):
    gone = str(tmp_path / "gone.h5")
    with pytest.raises(UserError, match="gone.h5: no such file"):
        encoders.build(config(weights=gone))
    tuned = encoders.build(config(weights=gone, finetune="a run"))
    assert tuned.trainable_variables


def test_a_pretrained_network_keeps_its_statistics_when_trained(mobile):
    frozen = encoders.build(config())
    tuned = encoders.build(config(finetune="a run"))
    assert not frozen.trainable_variables
    assert tuned.trainable_variables
    tuned.set_weights(mobile.get_weights())
    before = [x.numpy() for x in tuned.non_trainable_variables]
    model = keras.Sequential([tuned])
    model.compile("sgd", "mse")
    model.fit(PIXELS, np.zeros([2, 1, tuned.dim]), verbose=0)
    after = [x.numpy() for x in tuned.non_trainable_variables]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", ["cnn", "MobileNetV2"])
def test_saved_and_loaded_without_the_file_of_weights(name, weights, tmp_path):
    encoder = encoders.build(config(name, str(weights)))
    model = keras.Sequential([keras.Input([32, 32, 3]), encoder])
    model.save(tmp_path / "model.keras")
    weights.unlink()
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(PIXELS), model(PIXELS), rtol=1e-5)


def test_weights_come_from_a_file(mobile, weights):
    encoder = encoders.build(config(weights=str(weights)))
    np.testing.assert_array_equal(
        encoder(tf.constant(PIXELS)), mobile(tf.constant(PIXELS))
    )


# Errors


@pytest.mark.parametrize(
    ("name", "near"),
    [("mobilenetv2", "MobileNetV2"), ("ResNet5", "ResNet50"), ("q", "such as")],
)
def test_unknown_networks_have_near_names(name, near):
    with pytest.raises(UserError, match=f"--encoder {name}: .*cnn.*{near}"):
        encoders.build(config(name))


def test_a_picture_too_small_for_the_network():
    with pytest.raises(UserError, match="--image-size 16: MobileNetV2 refuses"):
        encoders.build(config(size=16))


def test_weights_that_do_not_fit(weights, tmp_path):
    with pytest.raises(UserError, match="these are no weights of ResNet50"):
        encoders.build(config("ResNet50", str(weights)))
    other = tmp_path / "other.weights.h5"
    other.write_bytes(b"no weights")
    for path in (other, tmp_path / "weights.txt"):
        path.write_bytes(b"no weights")
        with pytest.raises(UserError, match="no weights of MobileNetV2"):
            encoders.build(config(weights=str(path)))
    with pytest.raises(UserError, match="gone.h5: no such file; expected"):
        encoders.build(config(weights=str(tmp_path / "gone.h5")))
    with pytest.raises(UserError, match="gone.h5: cannot read it"):
        encoders.signature(config(weights=str(tmp_path / "gone.h5")))


def test_imagenet_without_a_network(monkeypatch, tmp_path):
    def refuse(*args):
        raise urllib.error.URLError("no network")

    files = "keras.src.utils.file_utils"
    monkeypatch.setattr(f"{files}.urlretrieve", refuse)
    monkeypatch.setattr(f"{files}.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(
        UserError, match=r"imagenet: .*no network.*weights FILE"
    ):
        encoders.build(config(weights="imagenet", size=224))


# What identifies features


def test_signatures_tell_encoders_apart(weights):
    made = [
        config(),
        config(seed=1),
        config(weights="imagenet"),
        config(weights=str(weights)),
        config(size=64),
        config("ResNet50"),
        config(pooled=True, decoder="first_input"),
    ]
    found = [json.dumps(encoders.signature(x)) for x in made]
    assert len(set(found)) == len(made)
    moved = weights.rename(weights.with_name("moved.weights.h5"))
    assert (
        json.dumps(encoders.signature(config(weights=str(moved)))) == found[3]
    )
