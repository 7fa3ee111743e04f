"""Encoders: grids of regions, weights, and signatures of features."""

import json
import urllib.error

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning.config import Config
from apps.captioning.encoder import Encoder, build_encoder, encoder_signature
from common.errors import UserError
from common.layers import pretrained

PIXELS = np.random.default_rng(0).uniform(0, 255, [2, 32, 32, 3]).astype("f")


def config(encoder="TinyNet", weights="none", size=32, **options):
    return Config(
        encoder=encoder, encoder_weights=weights, image_size=size, **options
    )


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "tiny.weights.h5"
    build_encoder(config()).base.save_weights(path)
    return path


def test_cnn_has_a_grid_of_regions():
    encoder = build_encoder(Config())
    features = encoder(tf.zeros([3, 64, 64, 3]))
    assert features.shape == (3, encoder.regions, encoder.dim)
    assert features.shape == (3, 16, 128)
    assert encoder.trainable_variables


def test_a_batch_of_no_pictures():
    for name in ("cnn", "TinyNet"):
        encoder = build_encoder(config(name))
        nothing = tf.zeros([0, 32, 32, 3])
        expected = (0, encoder.regions, encoder.dim)
        assert encoder(nothing).shape == expected
        specs = [tf.TensorSpec([None, 32, 32, 3])]
        assert tf.function(encoder, specs)(nothing).shape == expected


def test_regions_go_row_by_row():
    encoder = build_encoder(Config())
    pixels = np.full([1, 64, 64, 3], 100, "f")
    before = encoder(tf.constant(pixels)).numpy()
    pixels[:, :16, 48:] = 255  # Above, on the right: region 3 and neighbours.
    changed = np.abs(encoder(tf.constant(pixels)).numpy() - before).max((0, 2))
    rows, columns = np.nonzero(changed.reshape(4, 4))
    assert changed[3] > 0
    assert rows.max() <= 1
    assert columns.min() >= 2


def test_pooled_is_the_average_of_the_grid():
    for name in ("cnn", "TinyNet"):
        pooled, grid = (
            build_encoder(config(name, pooled=x, decoder="first_input"))
            for x in (True, False)
        )
        grid.set_weights(pooled.get_weights())
        values = pooled(tf.constant(PIXELS))
        assert values.shape == (2, 1, grid.dim)
        expected = grid(tf.constant(PIXELS)).numpy().mean(1, keepdims=True)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_a_network_gets_the_pixels_that_it_was_made_for():
    module = keras.applications.mobilenet_v2
    encoder = build_encoder(config("MobileNetV2"))
    expected = encoder.base(module.preprocess_input(PIXELS.copy()))
    features = encoder(tf.constant(PIXELS))
    np.testing.assert_allclose(
        features, expected.numpy().reshape(features.shape), rtol=1e-4, atol=1e-5
    )
    for name, module in (
        ("ResNet50", keras.applications.resnet50),
        ("EfficientNetB0", keras.applications.efficientnet),
    ):
        assert pretrained.preprocess_function(name) is module.preprocess_input


def test_a_run_to_go_on_from_brings_its_weights(tmp_path):
    gone = str(tmp_path / "gone.h5")
    with pytest.raises(UserError, match="gone.h5: no such file"):
        build_encoder(config(weights=gone))
    tuned = build_encoder(config(weights=gone, finetune="a run"))
    assert tuned.trainable_variables


def test_a_pretrained_network_keeps_its_statistics_when_trained():
    frozen = build_encoder(config())
    tuned = build_encoder(config(finetune="a run"))
    assert not frozen.trainable_variables
    tuned.set_weights(frozen.get_weights())
    before = [x.numpy() for x in tuned.non_trainable_variables]
    kernel = tuned.trainable_variables[0].numpy()
    model = keras.Sequential([tuned])
    model.compile("sgd", "mse")
    model.fit(PIXELS, np.zeros([2, 16, tuned.dim]), verbose=0)
    assert len(before) == 2  # Mean and variance.
    for old, new in zip(before, tuned.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.any(kernel != tuned.trainable_variables[0].numpy())


def test_weights_come_from_a_file_that_a_saved_layer_does_not_need(
    weights, tmp_path
):
    encoder = build_encoder(config(weights=str(weights)))
    model = keras.Sequential([keras.Input([32, 32, 3]), encoder])
    model.save(tmp_path / "model.keras")
    other = Encoder("TinyNet", 32)
    other.base.load_weights(weights)
    weights.unlink()
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for answer in (other(PIXELS), loaded(PIXELS)):
        np.testing.assert_allclose(answer, model(PIXELS), rtol=1e-5)


# Errors


def test_unknown_networks_have_near_names():
    for name, near in (
        ("mobilenetv2", "MobileNetV2"),
        ("ResNet5", "ResNet50"),
        ("q", "such as"),
    ):
        message = f"--encoder {name}: .*cnn.*{near}"
        with pytest.raises(UserError, match=message):
            build_encoder(config(name))


def test_a_picture_too_small_for_the_network():
    with pytest.raises(UserError, match="--image-size 16: MobileNetV2 refuses"):
        build_encoder(config("MobileNetV2", size=16))


def test_weights_that_do_not_fit(weights, tmp_path):
    with pytest.raises(UserError, match="these are no weights of VGG16"):
        build_encoder(config("VGG16", str(weights)))
    for path in (tmp_path / "other.weights.h5", tmp_path / "weights.txt"):
        path.write_bytes(b"no weights")
        with pytest.raises(UserError, match="no weights of TinyNet"):
            build_encoder(config(weights=str(path)))
    with pytest.raises(UserError, match="gone.h5: no such file; expected"):
        build_encoder(config(weights=str(tmp_path / "gone.h5")))
    with pytest.raises(UserError, match="gone.h5: cannot read it"):
        encoder_signature(config(weights=str(tmp_path / "gone.h5")))


def test_imagenet_without_a_network(monkeypatch, tmp_path):
    def refuse(*args):
        raise urllib.error.URLError("no network")

    files = "keras.src.utils.file_utils"
    monkeypatch.setattr(f"{files}.urlretrieve", refuse)
    monkeypatch.setattr(f"{files}.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(
        UserError, match=r"imagenet: .*no network.*weights FILE"
    ):
        build_encoder(config("VGG16", weights="imagenet"))


# Signatures of features


def test_signatures_tell_encoders_apart(weights):
    configs = [
        config(),
        config(seed=1),
        config(weights="imagenet"),
        config(weights=str(weights)),
        config(size=64),
        config("ResNet50"),
        config(pooled=True, decoder="first_input"),
    ]
    signatures = [json.dumps(encoder_signature(x)) for x in configs]
    assert len(set(signatures)) == len(configs)
    moved = weights.rename(weights.with_name("moved.weights.h5"))
    signature = encoder_signature(config(weights=str(moved)))
    assert json.dumps(signature) == signatures[3]
