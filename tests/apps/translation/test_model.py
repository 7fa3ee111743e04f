"""The network: what it computes must not depend on how it is asked."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.translation import (
    batches,
    data,
    datasets,
    decoder,
    model,
    pipeline,
    text,
)
from apps.translation.config import Config
from common.losses import SmoothedCrossEntropy
from common.shapes import lstm_parameter_count
from tests.support.translation import (
    BEFORE,
    EMBEDDING_DIM,
    LABELS,
    SOURCE,
    SOURCE_IDS,
    TARGET,
    UNITS,
    VARIANTS,
    built,
    close,
    small,
)


def padded(ids, more):
    return np.pad(ids, [[0, 0], [0, more]])


@pytest.mark.parametrize("name", VARIANTS)
def test_step_by_step_the_logits_are_those_of_training(name):
    network = built(name).network
    taught = network((SOURCE_IDS, BEFORE))
    memory, state = network.encode(SOURCE_IDS)
    _, weights = network.decoder.run(BEFORE, memory, state)
    for t in range(BEFORE.shape[1]):
        logits, state = network.decoder.step(BEFORE[:, t], state, memory)
        close(logits, taught[:, t])
        close(state.weights, weights[:, t])


@pytest.mark.slow
@pytest.mark.parametrize("where", ["model", "decoder", "both"])
@pytest.mark.parametrize("feeding", [False, True])
def test_a_gru_takes_the_place_of_an_lstm(monkeypatch, where, feeding):
    for module in (model, decoder):
        if where in (module.__name__.rpartition(".")[2], "both"):
            monkeypatch.setattr(module, "LSTM", keras.layers.GRU)
    network = small(num_layers=2, input_feeding=feeding).network
    taught = network((SOURCE_IDS, BEFORE))
    memory, state = network.encode(SOURCE_IDS)
    for t in range(BEFORE.shape[1]):
        logits, state = network.decoder.step(BEFORE[:, t], state, memory)
        close(logits, taught[:, t])
    wider = network((padded(SOURCE_IDS, 4), padded(BEFORE, 3)))
    close(wider[:, : BEFORE.shape[1]], taught)


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_changes_no_logits(name):
    network = built(name).network
    wider = network((padded(SOURCE_IDS, 4), padded(BEFORE, 3)))
    close(wider[:, : BEFORE.shape[1]], network((SOURCE_IDS, BEFORE)))
    alone = network((SOURCE_IDS[1:2, :3], BEFORE[1:2, :3]))
    close(wider[1:2, :3], alone)


def loss_and_gradients(network, more=0):
    source, before, labels = (
        padded(ids, more) for ids in (SOURCE_IDS, BEFORE, LABELS)
    )
    with tf.GradientTape() as tape:
        logits = network((source, before))
        weights = (labels != text.PADDING_ID).astype("float32")
        loss = network.compute_loss(source, labels, logits, weights)
    variables = [v.value for v in network.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


@pytest.mark.parametrize(
    "name", ["none, one way", "additive, 3 layers, untied", "fed, 2 layers"]
)
def test_padding_changes_neither_loss_nor_gradient(name):
    translator = built(name)
    loss = SmoothedCrossEntropy(translator.config.label_smoothing)
    translator.network.compile(loss=loss)
    loss, gradients = loss_and_gradients(translator.network)
    padded_loss, padded_gradients = loss_and_gradients(
        translator.network, more=3
    )
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-6)
    for gradient, other in zip(gradients, padded_gradients, strict=True):
        assert np.abs(gradient).max() > 0
        close(gradient, other, atol=1e-6)


@pytest.mark.parametrize(
    ("dropped", "input_feeding"),
    [("embedding_dropout", False), ("dropout", False), ("dropout", True)],
)
def test_dropout_is_on_in_training_only(dropped, input_feeding):
    shares = {"embedding_dropout": 0.0, "dropout": 0.0, dropped: 0.5}
    network = small(num_layers=2, input_feeding=input_feeding, **shares).network
    given = (SOURCE_IDS, BEFORE)
    calm = network(given)
    np.testing.assert_array_equal(network(given), calm)
    first, second = (network(given, training=True) for _ in range(2))
    for drawn, other in ((first, calm), (second, calm), (first, second)):
        assert np.abs(drawn - other).max() > 0.01


def test_with_input_feeding_too_dropout_lies_between_layers():
    shares = {"embedding_dropout": 0.0, "dropout": 0.5}
    network = small(num_layers=2, input_feeding=True, **shares).network
    memory, state = network.encode(SOURCE_IDS)
    calm, drawn = (
        network.decoder.run(BEFORE, memory, state, training)[0]
        for training in (False, True)
    )
    assert np.abs(calm - drawn).max() > 0.01


@pytest.mark.parametrize("name", ["general", "fed, 2 layers"])
def test_only_input_feeding_sees_the_last_attentional_vector(name):
    decoder = built(name).network.decoder
    memory, state = built(name).network.encode(SOURCE_IDS)
    other = state._replace(attentional=state.attentional + 1)
    logits, _ = decoder.step(BEFORE[:, 0], state, memory)
    other_logits, _ = decoder.step(BEFORE[:, 0], other, memory)
    differ = np.abs(logits - other_logits).max() > 0.01
    assert differ == decoder.input_feeding


def test_without_dropout_training_computes_the_same():
    network = small(num_layers=2, embedding_dropout=0.0, dropout=0.0).network
    given = (SOURCE_IDS, BEFORE)
    close(network(given, training=True), network(given), atol=1e-6)


@pytest.mark.parametrize("name", ["general", "bag of words"])
def test_only_the_bag_of_words_is_blind_to_their_order(name):
    network = built(name).network
    turned = SOURCE_IDS[:, [2, 0, 1, 3, 4]]
    difference = network((turned, BEFORE))[0] - network((SOURCE_IDS, BEFORE))[0]
    assert (np.abs(difference).max() < 1e-5) == (name == "bag of words")


def test_the_number_of_parameters():
    translator = small(num_layers=2, input_feeding=True)
    num_source, num_target = len(SOURCE) + 4, len(TARGET) + 4
    half = UNITS // 2
    expected = {
        "embeddings": (num_source + num_target) * EMBEDDING_DIM,
        "encoder": 2 * lstm_parameter_count(EMBEDDING_DIM, half)
        + 2 * lstm_parameter_count(UNITS, half),
        "bridges": 2 * 2 * (UNITS + 1) * UNITS,
        "decoder": lstm_parameter_count(EMBEDDING_DIM + UNITS, UNITS)
        + lstm_parameter_count(UNITS, UNITS),
        "attention": UNITS * UNITS,
        "combine": (2 * UNITS + 1) * UNITS,
        "readout": (UNITS + 1) * EMBEDDING_DIM + num_target,
    }
    assert translator.count_params() == sum(expected.values())
    assert translator.network.count_params() == sum(expected.values())


@pytest.mark.slow
def test_it_can_learn_eight_pairs_by_heart():
    rng = np.random.default_rng(2)
    words = [
        ["".join(rng.permuted([*"abcdef"])) for _ in range(n)]
        for n in (1, 2, 3, 3, 4, 5, 5, 6)
    ]
    pairs = [
        datasets.Pair(" ".join(row), " ".join(row[::-1]).upper(), "")
        for row in words
    ]
    config = Config(
        level="word",
        units=32,
        bidirectional=False,
        embedding_dim=16,
        label_smoothing=0.0,
        embedding_dropout=0.0,
        dropout=0.0,
        batch_tokens=512,
        num_buckets=1,
    )
    known = sorted({f" {word}" for row in words for word in row})
    keras.utils.set_random_seed(1)
    translator = pipeline.build(config, known, [word.upper() for word in known])
    translator.network.compile(
        keras.optimizers.Adam(0.02, global_clipnorm=1.0),
        SmoothedCrossEntropy(),
    )
    tokenizers = [translator.source_tokenizer, translator.target_tokenizer]
    dataset = batches.make_batches(data.encode(pairs, tokenizers), config)
    (batch,) = dataset.as_numpy_iterator()
    losses = [translator.network.train_on_batch(*batch) for _ in range(60)]
    assert losses[0] > 2
    assert losses[-1] < 0.1
    translations, _ = translator(tf.constant([pair.source for pair in pairs]))
    best = [row.decode() for row in translations[:, 0].numpy()]
    assert best == [pair.target for pair in pairs]
