"""Translators without training: random weights say many things, at once."""

import functools

import numpy as np
import tensorflow as tf

from apps.translation import data, pipeline, text
from apps.translation.config import Config
from common.training import Run
from tests.support.recurrent import noise

HARD_TEXTS = {
    "nothing": "",
    "only blanks": " \t\u2003",
    "unknown words": "zzqx wvvk jjpq",
    "unknown characters": "ꙮꙮ ᚠᚢ 𓀀",
    "one word of 3,000 letters": "a" * 3_000,
    "300 words": "We see the small black cats now. " * 43,
    "300 emoji": "😀" * 300,
    "right to left": "אני רואה חתול — أرى قطة!",
    "Chinese and Japanese": "我看见一只猫。猫が見えます。",
    "combining marks": "e\u0301te\u0301 ก็ क्षि",
    "lone surrogates": "We see \ud800 cats \udcff",
    "control characters": "We\x00see\x01\x1b cats",
    "line breaks inside": "We see\nthe\r\ncats\u2028now",
    "invisible characters": "\ufeffcats\u200b\u200d",
}

SOURCE = [" a", " b", " c", " d", "."]
TARGET = [" x", " y", " z", "."]
UNITS, EMBEDDING_DIM = 8, 6
VARIANTS = {
    "none, one way": {"attention": "none", "bidirectional": False},
    "dot, 2 layers": {"attention": "dot", "num_layers": 2},
    "general": {"attention": "general"},
    "additive, 3 layers, untied": {
        "attention": "additive",
        "num_layers": 3,
        "tied_embeddings": False,
    },
    "fed, 2 layers": {"input_feeding": True, "num_layers": 2},
    "fed, additive, untied, one way": {
        "input_feeding": True,
        "attention": "additive",
        "tied_embeddings": False,
        "bidirectional": False,
    },
    "fed, none": {"input_feeding": True, "attention": "none"},
    "bag of words": {"encoder": "bag", "attention": "dot"},
}

SOURCE_IDS = np.array([[4, 5, 6, 8, 3], [7, 1, 3, 0, 0], [3, 0, 0, 0, 0]])
BEFORE = np.array([[2, 4, 5, 6, 7], [2, 7, 1, 0, 0], [2, 0, 0, 0, 0]])
LABELS = np.array([[4, 5, 6, 7, 3], [7, 1, 3, 0, 0], [3, 0, 0, 0, 0]])


def small(seed=7, target=TARGET, level="word", **options):
    """Builds a small translator with random weights."""
    options = {"embedding_dim": EMBEDDING_DIM, "units": UNITS} | options
    translator = pipeline.build(Config(level=level, **options), SOURCE, target)
    randomize(translator, seed)
    return translator


@functools.cache
def built(name):
    """The translator of a variant; not to be changed."""
    return small(**VARIANTS[name])


def close(actual, expected, atol=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def randomize(translator, seed=7, scale=0.8):
    """Gives all weights, biases too, random values."""
    weights = [
        noise(*weight.shape, seed=100 * seed + number) * scale
        for number, weight in enumerate(translator.weights)
    ]
    translator.set_weights(weights)
    # As in every trained model.
    favour(translator, text.PADDING_ID, -9)
    favour(translator, text.START_ID, -9)


def favour(translator, token, by):
    """Makes a token likelier everywhere."""
    decoder = translator.network.decoder
    bias = decoder.output_bias if decoder.is_tied else decoder.readout.bias
    bias.assign(bias + by * tf.one_hot(token, bias.shape[0]))


def make_run(folder):
    """Writes a run folder as training does, of a model of random weights."""
    config = Config(
        run_dir=str(folder / "run"),
        level="word",
        num_examples=300,
        units=24,
        embedding_dim=16,
    )
    dataset = data.load(config)
    translator = pipeline.build(config, **dataset.vocabularies)
    randomize(translator)
    favour(translator, text.END_ID, 3)
    translator.network.compile("adam")
    run = Run(config, pipeline.__package__, "val_bleu")
    run.create(config, dataset.report, **dataset.vocabularies)
    row = {
        "val_score": 1.5,
        "val_bleu": 1.5,
        "val_chrf": 9.25,
        "val_loss": 7.0,
        "seconds": 1.0,
    }
    run.save_epoch(translator.network, translator, row)
    return run.folder
