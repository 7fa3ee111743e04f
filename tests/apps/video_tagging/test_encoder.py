import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import encoder as encoders
from apps.video_tagging.config import Config
from common.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, [3, 32, 32, 3], np.uint8)
NETWORKS = ("cnn", "MobileNetV2")


def config(encoder="MobileNetV2", weights="none", size=32, **options):
    return Config(
        encoder=encoder, encoder_weights=weights, image_size=size, **options
    )


@pytest.fixture(scope="module")
def made():
    keras.utils.set_random_seed(0)
    return {name: encoders.build_encoder(config(name)) for name in NETWORKS}


@pytest.fixture
def weights(made, tmp_path):
    path = tmp_path / "mobile.weights.h5"
    made["MobileNetV2"].base.save_weights(path)
    return path


@pytest.mark.parametrize(("name", "dim"), [("cnn", 64), ("MobileNetV2", 1280)])
def test_a_vector_for_each_frame(made, name, dim):
    encoder = made[name]
    assert encoder.dim == dim
    assert encoder.compute_output_shape((None, 32, 32, 3)) == (None, dim)
    found = encoder(tf.constant(PIXELS))
    assert (found.dtype, found.shape) == (tf.float32, (3, dim))
    # Each frame is seen by itself, and bytes are pixels like others.
    alone = encoder(tf.constant(PIXELS[1:2], tf.float32))
    np.testing.assert_allclose(found[1:2], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_no_frames(made, name):
    encoder = made[name]
    nothing = tf.constant(PIXELS[:0])
    assert encoder(nothing).shape == (0, encoder.dim)
    specs = [tf.TensorSpec([None, 32, 32, 3], tf.uint8)]
    function = tf.function(encoder, input_signature=specs)
    assert function(nothing).shape == (0, encoder.dim)


@pytest.mark.parametrize("size", [16, 17, 23, 40])
def test_cnn_takes_any_size_and_sees_the_last_row(size):
    encoder = encoders.build_encoder(config("cnn", size=size))
    pixels = np.full([1, size, size, 3], 100, np.uint8)
    before = encoder(tf.constant(pixels)).numpy()
    pixels[:, -1, -1] = 255
    assert np.abs(encoder(tf.constant(pixels)).numpy() - before).max() > 0


def test_cnn_keeps_where_things_are(made):
    pixels = np.zeros([2, 32, 32, 3], np.uint8)
    pixels[0, 8:12, 8:12] = 255
    pixels[1, 16:20, 16:20] = 255
    left, right = made["cnn"](tf.constant(pixels)).numpy()
    assert np.abs(left - right).max() > 0.1 * np.abs(left).max()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MobileNetV2", keras.applications.mobilenet_v2),
        ("ResNet50", keras.applications.resnet50),
    ],
)
def test_a_network_sees_the_pixels_that_it_was_made_for(name, module):
    encoder = encoders.build_encoder(config(name))
    grid = encoder.base(module.preprocess_input(PIXELS.astype("f"))).numpy()
    np.testing.assert_allclose(
        encoder(tf.constant(PIXELS)), grid.mean((1, 2)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_cnn_is_trained_and_others_stay_as_they_are(made):
    assert encoders.is_trained(config("cnn"))
    assert not encoders.is_trained(config())
    cnn, mobile = (made[name] for name in NETWORKS)
    assert len(cnn.trainable_variables) == 8
    assert not mobile.trainable_variables
    model = keras.Sequential([mobile, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = mobile.get_weights()
    model.fit(PIXELS.astype("f"), np.zeros([3, 1]), verbose=0)
    for old, new in zip(before, mobile.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_loaded_without_the_file_of_weights(name, weights, tmp_path):
    encoder = encoders.build_encoder(config(name, str(weights)))
    model = keras.Sequential([keras.Input([32, 32, 3]), encoder])
    model.save(tmp_path / "model.keras")
    weights.unlink()
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    pixels = PIXELS.astype("f")
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=1e-5)
    trainable = loaded.layers[-1].trainable_variables
    assert bool(trainable) == (name == "cnn")


@pytest.mark.slow
def test_weights_come_from_a_file(made, weights):
    encoder = encoders.build_encoder(config(weights=str(weights)))
    np.testing.assert_array_equal(
        encoder(tf.constant(PIXELS)), made["MobileNetV2"](tf.constant(PIXELS))
    )


@pytest.mark.slow
def test_errors_name_the_flag(weights, tmp_path):
    gone = str(tmp_path / "gone.h5")
    for wrong, message in (
        (config("MobileNetv2"), "--encoder MobileNetv2: .*cnn.*MobileNetV2"),
        (config(size=16), "--image-size 16: MobileNetV2 refuses"),
        (config(weights=gone), "--encoder-weights .*gone.h5: no such file"),
        (config("ResNet50", str(weights)), "these are no weights of ResNet50"),
    ):
        with pytest.raises(UserError, match=message):
            encoders.build_encoder(wrong)
    with pytest.raises(UserError, match="gone.h5: cannot read it"):
        encoders.encoder_signature(config(weights=gone))


def test_signatures_tell_encoders_apart(weights):
    made = [
        config(),
        config(seed=1),
        config(weights="imagenet"),
        config(weights=str(weights)),
        config(size=64),
        config(frame_rate=5.0),
        config("ResNet50"),
    ]
    found = [json.dumps(encoders.encoder_signature(x)) for x in made]
    assert len(set(found)) == len(made)
    moved = weights.rename(weights.with_name("moved.weights.h5"))
    same = config(weights=str(moved))
    assert json.dumps(encoders.encoder_signature(same)) == found[3]
    assert (
        json.dumps(encoders.encoder_signature(config(frame_rate=5))) == found[5]
    )
