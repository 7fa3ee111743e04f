"""Padding of any content: no bit of an answer, a loss or a gradient differs.

Where the padding is made of ids, its vector in the embedding is spoilt.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import config as captioning_config
from apps.captioning import model as captioning
from apps.sentiment import model as sentiment
from apps.sentiment.config import POOLINGS, Config
from common.losses import SmoothedCrossEntropy
from tests.support import translation
from tests.support.recurrent import noise
from tests.support.video_tagging import DIM, make_tagger

TIME = 4
LENGTHS = np.array([TIME, 2, 1], np.int32)
REAL = np.arange(TIME) < LENGTHS[:, None]
IDS = np.where(REAL, [[2, 5, 6, 7]], 0).astype(np.int32)


def compute_gradients(loss, tape, network):
    values = [v.value for v in network.trainable_variables]
    gradients = tape.gradient(loss, values)
    return [loss, *(tf.convert_to_tensor(x) for x in gradients)]


def fill(shape, is_spoilt):
    """What lies on padding: zeros, or all that spoils a sum."""
    bad = [np.nan, np.inf, -np.inf, 3e38] if is_spoilt else [0.0]
    return np.resize(bad, shape).astype("f")


def spoil(embedding, is_spoilt):
    """Changes the vector of padding, whose id is 0."""
    vectors = embedding.embeddings.numpy()
    vectors[0] = fill(vectors.shape[1], is_spoilt)
    embedding.embeddings.assign(vectors)


def run_sentiment(is_spoilt, **options):
    keras.utils.set_random_seed(1)
    options = {"units": 3, "embedding_dim": 3, "pooling": POOLINGS} | options
    network = sentiment.build(Config(**options), num_words=9, num_classes=3)
    spoil(network.get_layer("embedding"), is_spoilt)
    with tf.GradientTape() as tape:
        logits = network(IDS)
        labels = tf.constant([0, 1, 2])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_sum(loss)
    return [logits, *compute_gradients(loss, tape, network)]


def run_translation(is_spoilt, **options):
    network = translation.small(**options).network
    spoil(network.encoder.embedding, is_spoilt)
    before, labels = translation.BEFORE, translation.LABELS
    real = labels > 0
    inputs = translation.SOURCE_IDS, before
    with tf.GradientTape() as tape:
        logits = network(inputs)
        loss = compute_loss(labels, logits, real, is_spoilt)
    answers = logits.numpy()[real]
    return [answers, *compute_gradients(loss, tape, network)]


def run_captioning(is_spoilt, **options):
    keras.utils.set_random_seed(1)
    config = captioning_config.Config(
        units=4, embedding_dim=4, dropout=0, embedding_dropout=0, **options
    )
    network = captioning.build(config, num_ids=9, feature_shape=(2, 3))
    inputs = noise(3, 2, 3), IDS
    with tf.GradientTape() as tape:
        logits = network(inputs, training=True)
        loss = compute_loss(IDS, logits, REAL, is_spoilt)
        loss += sum(network.losses)
    answers = logits.numpy()[REAL]
    return [answers, *compute_gradients(loss, tape, network)]


def compute_loss(labels, logits, real, is_spoilt):
    """The loss; labels on spoilt padding are of no class."""
    labels = np.where(real, labels, -7 if is_spoilt else 0)
    return SmoothedCrossEntropy(0.1)(labels, logits, real.astype("f"))


def run_video_tagging(is_spoilt, **options):
    tagger = make_tagger(label_smoothing=0.1, **options)
    shape = (*REAL.shape, 1)
    bad = fill([3, TIME, 3], is_spoilt)
    frames = np.where(REAL.reshape(shape), noise(3, TIME, DIM), bad)
    frames = tf.constant(frames, tf.float32)
    labels = np.where(REAL, 1, -7 if is_spoilt else 0).astype(np.int32)
    if options.get("multi_label"):
        labels = np.where(REAL.reshape(shape), [0, 1, 1], bad).astype("f")
    weights = np.where(REAL, 0.5, bad[:, :, 0]).astype("f")
    answers = [np.asarray(x)[REAL] for x in tagger(frames, LENGTHS)]
    network = tagger.network
    with tf.GradientTape() as tape:
        logits = network((frames, LENGTHS), training=True)
        loss = network.compute_loss((frames, LENGTHS), labels, logits, weights)
    return [*answers, *compute_gradients(loss, tape, network)]


CASES = {
    "sentiment": (run_sentiment, {}),
    "sentiment, bag of words": (run_sentiment, {"num_layers": 0}),
    "sentiment, one way": (run_sentiment, {"bidirectional": False}),
    "translation": (run_translation, {"num_layers": 2}),
    "translation, bag": (run_translation, {"encoder": "bag"}),
    "translation, additive": (run_translation, {"attention": "additive"}),
    "captioning": (run_captioning, {"doubly_stochastic": 1.0}),
    "captioning, first input": (run_captioning, {"decoder": "first_input"}),
    "video tagging": (run_video_tagging, {}),
    "video, causal stages": (
        run_video_tagging,
        {"causal": True, "num_stages": 2, "smoothing": 0.2},
    ),
    "video, one frame at a time": (run_video_tagging, {"num_layers": 0}),
    "video, scaled by itself": (
        run_video_tagging,
        {"scale": "video", "num_layers": 0},
    ),
    "video, stride": (run_video_tagging, {"stride": 3, "num_layers": 0}),
    "video, crf": (run_video_tagging, {"crf": True, "num_layers": 0}),
    "video, sets": (
        run_video_tagging,
        {"multi_label": True, "smoothing": 0.2, "num_layers": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_padding_of_any_content_changes_no_bit(name):
    run, options = CASES[name]
    expected = run(False, **options)
    assert all(np.isfinite(x).all() for x in expected)
    assert any(np.any(x) for x in expected[-3:])
    for x, y in zip(run(True, **options), expected, strict=True):
        np.testing.assert_array_equal(x, y)
