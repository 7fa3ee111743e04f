"""Small taggers, runs of seconds and folders of features to train on."""

import dataclasses
import json

import keras
import numpy as np
import tensorflow as tf

from apps.video_tagging import data, pipeline
from apps.video_tagging.config import SMOKE, Config
from common.training import Run, runs
from tests.support.recurrent import noise

LABELS = ["a", "b", "c"]
DIM = 3
SCENES = {
    "train": {"v1": "aab" * 4, "v2": "bbcc" * 3, "v3": "c?a" * 4},
    "valid": {"w1": "abc" * 4},
    "test": {"x1": "cba" * 4, "x2": "aab?" * 4},
}
TINY = dataclasses.replace(
    SMOKE,
    num_examples=10,
    epochs=1,
    image_size=16,
    units=8,
    batch_size=5,
    causal=True,
)


def make_tagger(takes_frames=False, **options):
    """A tagger that was not trained; its weights are large enough to matter."""
    keras.utils.set_random_seed(1)
    config = Config(units=5, **options)
    tagger = pipeline.build(config, LABELS, None if takes_frames else DIM)
    for number, weight in enumerate(tagger.network.trainable_variables):
        if not takes_frames:
            weight.assign(noise(*weight.shape, seed=number) / 2)
    return tagger


def make_features(name, length):
    """Features <float32>[dim, time] of a video, drawn by its name."""
    rng = np.random.default_rng(list(name.encode()))
    return (10 + 3 * rng.normal(size=[DIM, length])).astype(np.float32)


def write_folder(folder, splits=SCENES, mapping=LABELS):
    """Writes a folder of features in the layout of ms-tcn."""
    for part in ("features", "groundTruth", "splits"):
        (folder / part).mkdir(parents=True)
    for split, tags_by_name in splits.items():
        names = "".join(f"{name}.txt\n" for name in tags_by_name)
        (folder / "splits" / f"{split}.bundle").write_text(names)
        for name, tags in tags_by_name.items():
            values = make_features(name, len(tags))
            np.save(folder / "features" / f"{name}.npy", values)
            lines = "".join(f"{tag}\n" for tag in tags)
            (folder / "groundTruth" / f"{name}.txt").write_text(lines)
    if mapping:
        lines = "".join(f"{k} {tag}\n" for k, tag in enumerate(mapping))
        (folder / "mapping.txt").write_text(lines)
    return folder


def feature_path(run, name):
    """The features of a video of `write_features_run`."""
    return run.parent / "data" / "features" / f"{name}.npy"


def write_features_run(folder, **options):
    """Writes `data`, and a `run` on it whose tags change often."""
    write_folder(folder / "data")
    return _write_run(folder, None, data=str(folder / "data"), **options)


def write_frames_run(folder, frames):
    """Writes a `run` on builtin clips; its tags of some frames change."""
    return _write_run(folder, frames)


def _write_run(folder, frames, **options):
    """Writes the run folder that training would, without training."""
    config = dataclasses.replace(TINY, run_dir=str(folder / "run"), **options)
    dataset = data.load(config)
    tagger = pipeline.build(config, dataset.labels, dataset.dim)
    tagger.network.set_statistics(*dataset.statistics)
    run = Run(config, "apps.video_tagging", "val_score")
    run.create(config, dataset.report, labels=dataset.labels)
    make_talkative(tagger, frames)
    tagger.save(run.folder / runs.MODEL)
    best = {"epoch": 1, "val_accuracy": 12.5, "val_score": 10.0}
    (run.folder / runs.METRICS).write_text(json.dumps({"best": best}))
    return run.folder


def make_talkative(tagger, frames=None):
    """Gives a tagger large weights, so that its tags change often.

    Args:
        tagger: the model.
        frames: <uint8>[time, size, size, 3], for an encoder whose features
            should tell them apart.
    """
    network = tagger.network
    if frames is not None:
        values = network.encode(tf.constant(frames[None])).numpy()[0]
        network.set_statistics(
            values.mean(0), values.std(0), network.tag_weights
        )
    for stage in network.stages:
        for number, weight in enumerate(stage.trainable_variables):
            if len(weight.shape) > 1:
                rng = np.random.default_rng(number)
                scale = 4 / np.sqrt(weight.shape[0])
                weight.assign(scale * rng.normal(size=weight.shape))
