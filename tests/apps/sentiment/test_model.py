"""The network and the pipeline: padding, pooling, word dropout."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.sentiment import batches, export, model, pipeline, text
from apps.sentiment.config import POOLINGS, Config

NUM_WORDS, NUM_CLASSES = 30, 3


def small_model(**options):
    config = dataclasses.replace(Config(), embedding_dim=6, units=5, **options)
    keras.utils.set_random_seed(4)
    return model.build(config, NUM_WORDS, NUM_CLASSES), config


def compile_model(network, learning_rate=4e-3):
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )


def ids_and_labels():
    rng = np.random.default_rng(5)
    ids = np.zeros((4, 9), np.int32)
    for row, length in enumerate((9, 4, 1, 6)):
        ids[row, :length] = rng.integers(1, NUM_WORDS + 2, length)
    return ids, np.array([0, 1, 2, 1])


def explained(texts, pooling=("max", "attention")):
    keras.utils.set_random_seed(4)
    config = Config(embedding_dim=6, units=5, pooling=pooling)
    classifier = pipeline.build(config, ["not", "bad"], ["no", "yes"])
    return classifier, classifier.explain(tf.constant(texts, tf.string))


def test_an_explanation_weighs_the_words_that_were_read():
    texts = ["Not BAD, zzz", "", "bad"]
    classifier, (probabilities, tokens, weights) = explained(texts)
    assert tokens.numpy().tolist() == [
        [b"not", b"bad", b",", b"zzz"],
        [b""] * 4,
        [b"bad", b"", b"", b""],
    ]
    expected = classifier(tf.constant(texts))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(weights.numpy().sum(axis=1), 1, rtol=1e-6)
    assert (weights.numpy()[1:, 1:] == 0).all()
    assert weights[1, 0] == weights[2, 0] == 1


def test_the_weights_are_those_of_the_pooling():
    """With attention alone, what is pooled is the weighted mean."""
    classifier, (probabilities, _, weights) = explained(
        ["a b c"], ["attention"]
    )
    network = classifier.network
    inside = keras.Model(network.input, network.get_layer("pooling").input[0])
    sequence = inside(classifier.vectorizer(tf.constant(["a b c"])))
    pooled = tf.einsum("bt,btf->bf", weights, sequence)
    logits = network.get_layer("logits")(pooled)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), rtol=1e-5)


def test_without_attention_there_is_nothing_to_explain():
    # Every step of a long text takes time here.
    config = Config(embedding_dim=6, units=5, pooling=("max",), max_tokens=4)
    classifier = pipeline.build(config, ["not", "bad"], ["no", "yes"])
    assert not classifier.has_attention
    archive = export.make_archive(classifier)
    assert list(archive._endpoint_names) == ["serving_default"]
    cases = export.make_cases(classifier)
    assert {case.signature for case in cases} == {"serving_default"}


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_no_output(pooling, bidirectional):
    network, _ = small_model(
        pooling=(pooling,), bidirectional=bidirectional, num_layers=2
    )
    ids, _ = ids_and_labels()
    wider = np.pad(ids, [[0, 0], [0, 7]])
    np.testing.assert_allclose(network(ids), network(wider), rtol=0, atol=1e-6)
    alone = network(ids[2:3, :1])
    np.testing.assert_allclose(network(ids)[2:3], alone, rtol=0, atol=1e-6)


def loss_and_gradients(network, ids, labels):
    with tf.GradientTape() as tape:
        loss = network.compute_loss(ids, labels, network(ids))
    variables = [v.value for v in network.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


def test_padding_changes_neither_loss_nor_gradient():
    network, _ = small_model(pooling=POOLINGS)
    compile_model(network)
    ids, labels = ids_and_labels()
    wider = np.pad(ids, [[0, 0], [0, 7]])
    loss, gradients = loss_and_gradients(network, ids, labels)
    padded_loss, padded_gradients = loss_and_gradients(network, wider, labels)
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-6)
    for gradient, padded in zip(gradients, padded_gradients, strict=True):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(gradient, padded, rtol=0, atol=1e-6)


def test_batching_and_padding_change_no_metric():
    network, config = small_model()
    compile_model(network)
    ids, labels = ids_and_labels()
    whole = network.evaluate(ids, labels, return_dict=True, verbose=0)
    examples = batches.Encoded(
        ids=ids[ids > 0],
        starts=np.array([0, 9, 13, 14, 20]),
        labels=labels.astype(np.int32),
    )
    config = dataclasses.replace(config, batch_size=3)
    dataset = batches.make_batches(examples, config)
    assert [len(ids) for ids, _ in dataset] == [3, 1]
    batched = network.evaluate(dataset, return_dict=True, verbose=0)
    assert batched["accuracy"] == pytest.approx(whole["accuracy"])
    assert batched["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_probabilities_of_text_sum_to_one_and_ignore_company():
    config = Config(
        embedding_dim=6, units=5, pooling=("last", "attention"), max_tokens=8
    )
    classifier = pipeline.build(config, [*"abcdefghij"], ["x", "y", "z"])
    texts = tf.constant(["a b c", "", "j i h g f e d c b a"])
    together = classifier(texts).numpy()
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-6)
    alone = np.concatenate([classifier(texts[k : k + 1]) for k in range(3)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_poolings_by_hand():
    steps = np.array([[[1.0, -5.0], [3.0, -1.0], [9.0, 9.0]]], np.float32)
    mask = np.array([[True, True, False]])

    def pool(*kinds, bidirectional=False):
        layer = model.MaskedPooling(kinds, bidirectional)
        return layer(steps, mask).numpy().tolist()

    assert pool("max") == [[3, -1]]
    assert pool("mean") == [[2, -3]]
    assert pool("last") == [[3, -1]]
    assert pool("last", bidirectional=True) == [[3, -5]]


def test_attention_weighs_real_steps_by_their_score():
    layer = model.MaskedPooling(("attention",))
    steps = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    mask = np.array([[True] * 4, [True, True, False, False]])
    pooled = layer(steps, mask).numpy()
    hidden, bias, score = [weight.numpy() for weight in layer.weights]
    scores = (np.tanh(steps @ hidden + bias) @ score)[..., 0]
    weights = np.exp(scores) * mask
    weights /= weights.sum(axis=1, keepdims=True)
    expected = (weights[..., None] * steps).sum(axis=1)
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-6)


def test_word_dropout_hides_words_only_in_training():
    layer = model.WordDropout(0.5, seed=3)
    ids = np.tile([[2, 3, 4, 0]], [200, 1])
    np.testing.assert_array_equal(layer(ids), ids)
    dropped = layer(ids, training=True).numpy()
    assert 0.4 < (dropped[:, :3] == text.UNKNOWN_ID).mean() < 0.6
    assert not dropped[:, 3].any()


@pytest.mark.slow
def test_it_can_learn_eight_examples_by_heart():
    network, _ = small_model(dropout=0.0, embedding_dropout=0.0)
    compile_model(network, learning_rate=0.02)
    rng = np.random.default_rng(2)
    ids = rng.integers(1, NUM_WORDS + 2, (8, 12))
    labels = rng.integers(0, NUM_CLASSES, 8)
    before = network.evaluate(ids, labels, verbose=0)[0]
    network.fit(ids, labels, epochs=60, verbose=0)
    after, accuracy = network.evaluate(ids, labels, verbose=0)
    assert before > 1
    assert after < 0.1
    assert accuracy == 1
