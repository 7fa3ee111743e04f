"""What the tests of captioning share: small runs that say much, fast encoders.

Runs are written without training, which would only teach them to say the same
of every picture.
"""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import data, pipeline, predictor, text
from apps.captioning.config import SMOKE
from apps.captioning.datasets import builtin
from apps.captioning.datasets.builtin import __main__ as builtin_folder
from apps.captioning.encoder import Encoder, encoder_signature
from common.data import feature_files
from common.data.splits import SPLITS
from common.training import Run

PACKAGE = "apps.captioning"
# Small pictures and one width of batches: every other one is compiled anew.
TINY = dataclasses.replace(
    SMOKE,
    num_examples=20,
    epochs=1,
    min_count=1,
    max_words=7,
    image_size=32,
    units=16,
    embedding_dim=16,
    batch_size=16,
    num_buckets=1,
)
# A network that is not trained with the decoder.
FROZEN = dataclasses.replace(
    TINY,
    data="scenes",
    decoder="first_input",
    encoder="TinyNet",
    encoder_weights="none",
)
# Pictures of `write_place` that cannot be read, and why not.
BROKEN = {
    "train-00000.png": "not a picture",
    "train-00001.png": "empty file",
    "train-00002.png": "truncated or damaged",
    "valid-00003.png": "truncated or damaged",
}
NUM_SCENES = 40  # More than are read at one time.
ENCODER = {"encoder": "of others", "weights": "x"}


def TinyNet(weights, include_top, input_shape):  # noqa: N802
    """Stands for a function of `keras.applications`: 4 x 4 regions of 6."""
    layers = [
        keras.layers.Conv2D(6, 8, strides=8, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
    ]
    return keras.Sequential([keras.Input(input_shape), *layers])


def preprocess_input(pixels):
    """Stands for the function that Keras has beside each network."""
    return pixels / 100.0


def scene_contents():
    """The content of some picture files, each another one."""
    return [s.png for s in builtin.generate("test", NUM_SCENES, seed=3)]


def write_run(config, captioner, dataset):
    """Writes the folder of a run of one epoch, with a model that was made."""
    captioner.network.compile("sgd", "mse")
    run = Run(config, PACKAGE, "val_cider")
    run.create(config, dataset.report, vocabulary=dataset.vocabulary)
    row = {"loss": 1.0, "val_cider": 0.5, "val_bleu_4": 10.0, "val_loss": 1.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.training.logs.draw_curves", lambda *_: None)
        patch.setattr("common.training.logs.write_events", lambda *_: None)
        run.save_epoch(captioner.network, captioner, row | {"seconds": 1.0})
    return run.folder


def make_talkative(captioner, images):
    """Puts large weights in a decoder: it says much, some of it short."""
    search = tf.function(lambda images: captioner.search(images))
    for seed in range(40):
        _enlarge(captioner.network.decoder, np.random.default_rng(seed))
        decoded = search(images)
        captions = captioner.writer(decoded.ids[:, 0]).numpy()
        lengths = decoded.lengths.numpy()[:, 0]
        is_varied = len(set(captions)) > len(captions) // 3
        if is_varied and 0 < lengths.min() < lengths.max():
            return
    pytest.fail("no weights that say much")


def _enlarge(decoder, rng):
    for variable in decoder.weights:
        if len(variable.shape) > 1:
            scale = 3 / np.sqrt(variable.shape[0])
            if "embedding" in variable.path:
                scale = 3
            elif "projection" in variable.path or "readout" in variable.path:
                scale *= 3
            variable.assign(scale * rng.normal(size=variable.shape))
        elif "gamma" not in variable.path:
            variable.assign(tf.zeros(variable.shape))
    bias = np.zeros(decoder.readout.bias.shape)
    bias[text.END_ID] = rng.uniform(0, 12)
    decoder.readout.bias.assign(bias)


def scene_names():
    """The names of the pictures of `builtin_folder.write(..., 12, 0)`."""
    return [
        f"{split}-{number:05}.png" for split in SPLITS for number in range(12)
    ]


def write_features(path, **changes):
    """Writes a file of features that no encoder here can make."""
    names = scene_names()
    rng = np.random.default_rng(0)
    values = rng.normal(size=[len(names), 4, 6]).astype("f")
    features = feature_files.Features(names, values, encoder=ENCODER)
    feature_files.save(path, dataclasses.replace(features, **changes))
    return path


def write_features_run(folder):
    """A run of features alone."""
    builtin_folder.write(folder / "scenes", 12, seed=0)
    path = write_features(folder / "grid.npz")
    config = dataclasses.replace(
        TINY,
        data=str(folder / "scenes"),
        features=str(path),
        run_dir=str(folder / "run"),
    )
    dataset = data.load(config)
    captioner = pipeline.build(
        config, dataset.vocabulary, dataset.feature_shape
    )
    make_talkative(captioner, feature_files.load(path).values)
    return write_run(config, captioner, dataset)


def write_pictures_run(folder):
    """A run of pictures, and of the features that its encoder makes of them."""
    builtin_folder.write(folder / "scenes", 12, seed=0)
    keras.utils.set_random_seed(0)
    encoder = Encoder("cnn", TINY.image_size)
    names = scene_names()
    paths = [folder / "scenes" / "images" / name for name in names]
    dataset = data.load(dataclasses.replace(TINY, data=str(folder / "scenes")))
    config = dataclasses.replace(
        TINY,
        data=str(folder / "scenes"),
        encoder="TinyNet",  # A cnn is never frozen; no one asks what it is.
        features=str(folder / "grid.npz"),
        run_dir=str(folder / "run"),
    )
    captioner = pipeline.Captioner(config, dataset.vocabulary, encoder)
    contents = [path.read_bytes() for path in paths]
    pixels, _ = captioner.decode_pictures(contents)
    values = encoder(pixels).numpy()
    signature = {"encoder": "TinyNet", "weights": "a file"}
    stored = feature_files.Features(names, values, encoder=signature)
    feature_files.save(folder / "grid.npz", stored)
    make_talkative(captioner, captioner.decode_pictures(scene_contents())[0])
    dataset.report["features_of"] = signature
    return write_run(config, captioner, dataset)


def write_place(place):
    """Writes scenes, some of them broken, and files of features."""
    builtin_folder.write(place / "scenes", 12, seed=0)
    rng = np.random.default_rng(0)
    names = scene_names()
    signature = encoder_signature(FROZEN)
    for name, regions, encoder in (
        ("grid", 4, None),
        ("vector", 1, None),
        ("tiny", 4, signature),
        ("resized", 4, signature | {"image_size": 64, "pooled": True}),
    ):
        values = rng.normal(size=[len(names), regions, 6]).astype("f")
        stored = feature_files.Features(
            [*names[1:], "other.png"], values, encoder=encoder
        )
        feature_files.save(place / f"{name}.npz", stored)
    images = place / "scenes" / "images"
    content = (images / "train-00002.png").read_bytes()
    (images / "train-00000.png").write_bytes(b"these are words")
    (images / "train-00001.png").write_bytes(b"")
    (images / "train-00002.png").write_bytes(content[:-200])
    (images / "valid-00003.png").write_bytes(content[:300])
    return place


def skipped_pictures(report):
    """Name to reason of what a report names as skipped."""
    return {
        name: reason
        for reason, skipped in report["skipped"].items()
        for name in skipped["first"]
    }


def open_predictor(path, beam=None, sampling=None):
    """Loads a run or an export once, and makes each of its functions once."""
    return _open_predictor(path, beam, sampling)


@functools.cache  # Of all arguments: a default is another key.
def _open_predictor(path, beam, sampling):
    if beam is None and sampling is None:
        return predictor.load(path)
    opened = _open_predictor(path, None, None)
    if opened.model is None or (beam is not None and beam < 1):
        return predictor.load(path, beam, sampling)
    return predictor.Predictor.from_model(
        opened.model, beam, sampling, opened.encoder
    )
