import dataclasses
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.sentiment import data, model, text, train
from apps.sentiment.config import POOLINGS, SMOKE, Config
from common.errors import UserError
from common.training import checkpoints, interrupts

SMALL = dataclasses.replace(SMOKE, num_examples=300, word_dropout=0.1)
NUM_WORDS, NUM_CLASSES = 30, 3


def small_model(**options):
    config = dataclasses.replace(Config(), embedding_dim=6, units=5, **options)
    keras.utils.set_random_seed(4)
    return model.build(config, NUM_WORDS, NUM_CLASSES), config


def ids_and_labels():
    rng = np.random.default_rng(5)
    ids = np.zeros((4, 9), np.int32)
    for row, length in enumerate((9, 4, 1, 6)):
        ids[row, :length] = rng.integers(1, NUM_WORDS + 2, length)
    return ids, np.array([0, 1, 2, 1])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_no_output(pooling, bidirectional):
    classifier, _ = small_model(
        pooling=(pooling,), bidirectional=bidirectional, num_layers=2
    )
    ids, _ = ids_and_labels()
    wider = np.pad(ids, [[0, 0], [0, 7]])
    np.testing.assert_allclose(
        classifier(ids), classifier(wider), rtol=0, atol=1e-6
    )
    alone = classifier(ids[2:3, :1])
    np.testing.assert_allclose(classifier(ids)[2:3], alone, rtol=0, atol=1e-6)


def loss_and_gradients(classifier, ids, labels):
    with tf.GradientTape() as tape:
        loss = classifier.compute_loss(ids, labels, classifier(ids))
    variables = [v.value for v in classifier.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


def test_padding_changes_neither_loss_nor_gradient():
    classifier, config = small_model(pooling=POOLINGS)
    train.compile_model(classifier, config)
    ids, labels = ids_and_labels()
    wider = np.pad(ids, [[0, 0], [0, 7]])
    loss, gradients = loss_and_gradients(classifier, ids, labels)
    padded_loss, padded_gradients = loss_and_gradients(
        classifier, wider, labels
    )
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-6)
    for gradient, padded in zip(gradients, padded_gradients, strict=True):
        assert np.abs(gradient).max() > 0
        np.testing.assert_allclose(gradient, padded, rtol=0, atol=1e-6)


def test_batching_and_padding_change_no_metric():
    classifier, config = small_model()
    train.compile_model(classifier, config)
    ids, labels = ids_and_labels()
    whole = classifier.evaluate(ids, labels, return_dict=True, verbose=0)
    examples = data.Encoded(
        ids=ids[ids > 0],
        starts=np.array([0, 9, 13, 14, 20]),
        labels=labels.astype(np.int32),
    )
    batches = data.batches(examples, dataclasses.replace(config, batch_size=3))
    assert [len(ids) for ids, _ in batches] == [3, 1]
    batched = classifier.evaluate(batches, return_dict=True, verbose=0)
    assert batched["accuracy"] == pytest.approx(whole["accuracy"])
    assert batched["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_probabilities_of_text_sum_to_one_and_ignore_company():
    classifier, _ = small_model(pooling=("last", "attention"))
    text_model = model.with_text(classifier, [*"abcdefghij"], max_tokens=8)
    texts = tf.constant(["a b c", "", "j i h g f e d c b a"])
    together = text_model(texts).numpy()
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-6)
    alone = np.concatenate([text_model(texts[k : k + 1]) for k in range(3)])
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


def test_it_can_learn_eight_examples_by_heart():
    classifier, config = small_model(dropout=0.0, embedding_dropout=0.0)
    config = dataclasses.replace(config, learning_rate=0.02)
    train.compile_model(classifier, config)
    rng = np.random.default_rng(2)
    ids = rng.integers(1, NUM_WORDS + 2, (8, 12))
    labels = rng.integers(0, NUM_CLASSES, 8)
    before = classifier.evaluate(ids, labels, verbose=0)[0]
    classifier.fit(ids, labels, epochs=60, verbose=0)
    after, accuracy = classifier.evaluate(ids, labels, verbose=0)
    assert before > 1
    assert after < 0.1
    assert accuracy == 1


def run_to(folder, epochs, **options):
    config = dataclasses.replace(
        SMALL, run_dir=str(folder), epochs=epochs, **options
    )
    train.train(config)
    path, state = checkpoints.newest(folder / "checkpoints")
    with np.load(path / checkpoints.VARIABLES) as values:
        return state, {name: values[name] for name in values.files}


@pytest.fixture(scope="module")
def four_epochs(tmp_path_factory):
    """A run of four epochs in one go: its state and all its variables."""
    return run_to(tmp_path_factory.mktemp("runs") / "whole", epochs=4)


def losses(state):
    return [(row["loss"], row["val_loss"]) for row in state["history"]]


def assert_same_run(run, other):
    assert losses(run[0]) == losses(other[0])
    assert run[1].keys() == other[1].keys()
    for name, value in run[1].items():
        np.testing.assert_array_equal(value, other[1][name])


def test_the_same_seed_gives_the_same_losses_and_weights(tmp_path, four_epochs):
    assert_same_run(run_to(tmp_path / "again", epochs=4), four_epochs)


def test_another_seed_gives_other_losses(tmp_path, four_epochs):
    state, _ = run_to(tmp_path / "other", epochs=1, seed=1)
    assert losses(state)[0] != losses(four_epochs[0])[0]


def test_two_epochs_and_two_more_are_four(tmp_path, four_epochs):
    run_to(tmp_path / "run", epochs=2)
    assert_same_run(run_to(tmp_path / "run", epochs=4), four_epochs)


# An epoch has 10 batches: in the middle of one, and at its very end.
@pytest.mark.parametrize(("stop_at", "place"), [(14, (1, 4)), (20, (2, 0))])
def test_a_run_stopped_by_ctrl_c_goes_on_exactly(
    tmp_path, four_epochs, monkeypatch, capsys, stop_at, place
):
    done = interrupts.Stop.on_train_batch_end
    num_batches = 0

    def interrupted(self, batch, logs=None):
        nonlocal num_batches
        num_batches += 1
        if num_batches == stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        done(self, batch, logs)

    monkeypatch.setattr(interrupts.Stop, "on_train_batch_end", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run_to(tmp_path / "run", epochs=4)
    assert stopped.value.code == 130
    assert "the same command goes on from here" in capsys.readouterr().out
    _, state = checkpoints.newest(tmp_path / "run" / "checkpoints")
    assert (state["epoch"], state["step"]) == place
    resumed = run_to(tmp_path / "run", epochs=4)
    # The loss of the epoch that was cut is the mean over its second part.
    if place[1]:
        resumed[0]["history"][1]["loss"] = four_epochs[0]["history"][1]["loss"]
    assert_same_run(resumed, four_epochs)


def test_signals_are_handed_back(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    with interrupts.graceful() as stop:
        assert signal.getsignal(signal.SIGINT) == stop.request
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_run_that_diverges_says_so(tmp_path):
    with pytest.raises(
        UserError, match="the loss is nan in epoch 1; try a low"
    ):
        run_to(tmp_path / "run", 1, learning_rate=1e30, clip_norm=1e30)


def test_a_finished_run_says_so_and_changes_nothing(tmp_path, capsys):
    run_to(tmp_path / "run", epochs=1)
    model_file = tmp_path / "run" / "model.keras"
    before = model_file.read_bytes()
    capsys.readouterr()
    run_to(tmp_path / "run", epochs=1)
    assert "this run is finished after epoch 1" in capsys.readouterr().out
    assert model_file.read_bytes() == before


def test_other_options_on_the_same_folder_are_refused(tmp_path):
    run_to(tmp_path / "run", epochs=1)
    with pytest.raises(UserError, match=r"units 16 \(now 8\)"):
        run_to(tmp_path / "run", epochs=1, units=8)
