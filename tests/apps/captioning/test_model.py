"""The captioning network against NumPy, and what padding must not change."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import decoder, text
from apps.captioning import model as models
from apps.captioning.config import Config
from apps.captioning.model import doubly_stochastic_penalty
from common.losses import SmoothedCrossEntropy

REGIONS, DIM, VOCAB = 4, 6, 20
KINDS = ("attention", "first_input", "initial_state")
IDS = np.array([[2, 5, 6, 7], [2, 8, 9, 0], [2, 4, 0, 0]], np.int32)


def network(kind="attention", **options):
    keras.utils.set_random_seed(1)
    config = Config(decoder=kind, units=16, embedding_dim=8, **options)
    return models.build(config, VOCAB, (REGIONS, DIM))


def features(rows=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, REGIONS, DIM)).astype("f")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(layer, x):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def lstm_step(decoder, x, hidden, cell):
    kernel, recurrent, bias = decoder.lstm.get_weights()
    i, f, g, o = np.split(x @ kernel + hidden @ recurrent + bias, 4, -1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def numpy_values(decoder, image):
    """The regions as the decoder sees them: normalised and projected."""
    mean = image.mean(-1, keepdims=True)
    variance = image.var(-1, keepdims=True)
    normalized = (image - mean) / np.sqrt(variance + 1e-3)
    gamma, beta = decoder.normalization.get_weights()
    values = dense(decoder.projection, normalized * gamma + beta)
    return np.maximum(values + decoder.positions.numpy(), 0)


def numpy_logits(decoder, image, ids):
    """Xu et al. 2015, one image and one caption, step by step."""
    values = numpy_values(decoder, image)
    mean = values.mean(0)
    hidden = np.tanh(dense(decoder.first_hidden, mean))
    cell = np.tanh(dense(decoder.first_cell, mean))
    keys = values @ decoder.attention.get_weights()[0]
    logits, attention = [], []
    for word in ids:
        x = decoder.embedding.get_weights()[0][word]
        scores = keys @ (hidden + dense(decoder.query, x))
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        gate = sigmoid(dense(decoder.gate, hidden))
        context = gate * (weights @ values)
        hidden, cell = lstm_step(
            decoder, np.concatenate([x, context]), hidden, cell
        )
        readout = np.concatenate([hidden, context, x])
        readout = np.tanh(dense(decoder.combine, readout))
        logits.append(dense(decoder.readout, readout))
        attention.append(weights)
    return np.array(logits), np.array(attention)


def test_attention_equals_the_equations_in_numpy():
    model = network()
    memory, state = model.encode(tf.constant(features(1)))
    ids = IDS[:1]
    logits, weights = model.decoder(tf.constant(ids), memory, state)
    expected, attention = numpy_logits(model.decoder, features(1)[0], ids[0])
    np.testing.assert_allclose(logits[0], expected, atol=1e-5)
    np.testing.assert_allclose(weights[0], attention, atol=1e-6)


def test_the_first_input_is_the_image_and_comes_once():
    model = network("first_input")
    decoder = model.decoder
    mean = numpy_values(decoder, features(1)[0]).mean(0)
    zeros = np.zeros(16)
    hidden, cell = lstm_step(
        decoder, dense(decoder.image_input, mean), zeros, zeros
    )
    expected = []
    for word in IDS[0]:
        x = decoder.embedding.get_weights()[0][word]
        hidden, cell = lstm_step(decoder, x, hidden, cell)
        readout = np.tanh(dense(decoder.combine, hidden))
        expected.append(dense(decoder.readout, readout))
    logits = model((features(1), IDS[:1]))
    np.testing.assert_allclose(logits[0], np.array(expected), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_give_the_logits_of_a_call(kind):
    model = network(kind)
    expected = model((features(), IDS)).numpy()
    memory, state = model.encode(tf.constant(features()))
    for time in range(IDS.shape[1]):
        logits, state = model.decoder.step(
            tf.constant(IDS[:, time]), state, memory
        )
        np.testing.assert_allclose(logits, expected[:, time], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gru_takes_the_place_of_the_lstm(monkeypatch, kind):
    monkeypatch.setattr(decoder, "LSTM", keras.layers.GRU)
    test_steps_give_the_logits_of_a_call(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_matters(kind):
    model = network(kind)
    ids = np.repeat(IDS[:1], 3, axis=0)
    logits = model((features(), ids)).numpy()
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


def test_the_decoder_knows_where_a_region_lies():
    turned = features(1)[:, ::-1].copy()
    for kind in KINDS:
        model = network(kind)
        before, after = (model((x, IDS[:1])) for x in (features(1), turned))
        assert np.abs(before - after).max() > 1e-3


def test_attention_sums_to_one_at_every_step():
    model = network()
    memory, state = model.encode(tf.constant(features()))
    _, weights = model.decoder(tf.constant(IDS), memory, state)
    assert weights.shape == (3, 4, REGIONS)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1, atol=1e-6)


def test_hypotheses_of_one_image_share_its_memory():
    model = network()
    memory, state = model.encode(tf.constant(features()))
    ids = tf.constant([4, 5, 6, 7, 8, 9])
    twice = tf.nest.map_structure(lambda x: tf.repeat(x, 2, axis=0), state)
    together, _ = model.decoder.step(ids, twice, memory)
    for row in range(6):
        image = tf.constant(features()[row // 2 : row // 2 + 1])
        alone, _ = model.decoder.step(
            ids[row : row + 1], *reversed(model.encode(image))
        )
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_loss_nor_gradients(kind):
    model = network(kind, doubly_stochastic=1.0, dropout=0, embedding_dropout=0)
    cross_entropy = SmoothedCrossEntropy(0.1)

    def loss_and_gradients(extra):
        ids = np.pad(IDS, [[0, 0], [0, extra]])
        labels = np.pad(IDS[:, 1:], [[0, 0], [0, 1 + extra]])
        with tf.GradientTape() as tape:
            logits = model((features(), ids), training=True)
            is_real = (labels != text.PADDING_ID).astype("f")
            loss = cross_entropy(labels, logits, sample_weight=is_real)
            loss += tf.add_n(model.losses or [0.0])
        return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = loss_and_gradients(0)
    padded_loss, padded = loss_and_gradients(3)
    np.testing.assert_allclose(padded_loss, loss, rtol=1e-5)
    for one, other in zip(gradients, padded, strict=True):
        one, other = (tf.convert_to_tensor(x) for x in (one, other))
        np.testing.assert_allclose(other, one, atol=1e-5)


def test_the_penalty_by_hand():
    weights = tf.constant([[[0.5, 0.5], [1.0, 0.0], [0.3, 0.7]]])
    # Two real steps: the regions got 1.5 and 0.5.
    value = doubly_stochastic_penalty(weights, tf.constant([[2, 5, 0]]))
    assert value.numpy() == pytest.approx(0.25)


def test_the_penalty_is_added_in_training_alone():
    model = network(doubly_stochastic=2.0)
    model((features(), IDS), training=False)
    assert model.losses == []
    model((features(), IDS), training=True)
    assert len(model.losses) == 1
    assert float(model.losses[0]) > 0


def test_pixels_without_an_encoder_are_refused():
    with pytest.raises(ValueError, match="built without an encoder"):
        network()((np.zeros([1, 8, 8, 3], "f"), IDS[:1]))


def test_sampling_replaces_words_at_its_rate_and_never_the_start():
    model = network("initial_state", scheduled_sampling=0.5)
    memory, state = model.encode(tf.constant(features(1)))
    ids = tf.constant([[text.START_ID] + [5] * 199])
    model.sampling_rate.assign(0.0)
    unchanged = model._sample_words(ids, memory, state)
    np.testing.assert_array_equal(unchanged, ids)
    model.sampling_rate.assign(0.5)
    mixed = model._sample_words(ids, memory, state).numpy()
    assert mixed[0, 0] == text.START_ID
    # Of the replaced words one in VOCAB is drawn as it was.
    assert 60 < (mixed != ids.numpy()).sum() < 140


def test_sampling_leaves_padding_alone():
    model = network("initial_state", scheduled_sampling=0.5)
    model.sampling_rate.assign(1.0)
    memory, state = model.encode(tf.constant(features()))
    mixed = model._sample_words(tf.constant(IDS), memory, state).numpy()
    assert (mixed[IDS == text.PADDING_ID] == text.PADDING_ID).all()


def test_the_share_of_sampled_words_grows_to_its_end():
    model = network("initial_state", scheduled_sampling=0.5, sampling_epochs=2)
    rates = []
    for epoch in range(5):
        model.set_epoch(epoch)
        rates.append(float(model.sampling_rate.numpy()))
    assert rates == [0, 0.25, 0.5, 0.5, 0.5]
    model = network("initial_state")
    model.set_epoch(7)
    assert model.sampling_rate.numpy() == 0
