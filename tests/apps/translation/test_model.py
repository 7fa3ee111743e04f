"""The network: what it computes must not depend on how it is asked."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.translation import batches as encoded
from apps.translation import datasets, pipeline, predict, text, train
from apps.translation.config import Config
from common.decoding import sampling
from common.decoding.sampling import Sampling
from common.shapes import lstm_parameter_count
from tests.support.recurrent import noise

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
LOOKING = [name for name in VARIANTS if "none" not in name]

SOURCE_IDS = np.array([[4, 5, 6, 8, 3], [7, 1, 3, 0, 0], [3, 0, 0, 0, 0]])
BEFORE = np.array([[2, 4, 5, 6, 7], [2, 7, 1, 0, 0], [2, 0, 0, 0, 0]])
LABELS = np.array([[4, 5, 6, 7, 3], [7, 1, 3, 0, 0], [3, 0, 0, 0, 0]])
TEXTS = ["a b c d.", "d", "", "quark b a a a a a b b b.", " ", "c c"]


def small(seed=7, target=TARGET, level="word", **options):
    """A model with weights of any value, biases too."""
    options = {"embedding_dim": EMBEDDING_DIM, "units": UNITS} | options
    whole = pipeline.build(Config(level=level, **options), SOURCE, target)
    weights = [
        noise(*weight.shape, seed=100 * seed + number) * 0.8
        for number, weight in enumerate(whole.weights)
    ]
    whole.set_weights(weights)
    # As in every trained model.
    favour(whole, text.PADDING_ID, -9)
    favour(whole, text.START_ID, -9)
    return whole


def favour(whole, token, by):
    """Makes a token likelier everywhere."""
    decoder = whole.seq2seq.decoder
    bias = decoder.output_bias if decoder.is_tied else decoder.readout.bias
    bias.assign(bias + by * tf.one_hot(token, bias.shape[0]))


@functools.cache
def built(name):
    return small(**VARIANTS[name])


def padded(ids, more):
    return np.pad(ids, [[0, 0], [0, more]])


def close(actual, expected, atol=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def greedy(whole, source):
    memory, state = whole.seq2seq.encode(source)
    return sampling.greedy(
        lambda ids, state: whole.seq2seq.decoder.step(ids, state, memory),
        *(state, len(source), pipeline.limits_of(source)),
    )


# The network


@pytest.mark.parametrize("name", VARIANTS)
def test_step_by_step_the_logits_are_those_of_training(name):
    seq2seq = built(name).seq2seq
    taught = seq2seq((SOURCE_IDS, BEFORE))
    memory, state = seq2seq.encode(SOURCE_IDS)
    _, weights = seq2seq.decoder.run(BEFORE, memory, state)
    for t in range(BEFORE.shape[1]):
        logits, state = seq2seq.decoder.step(BEFORE[:, t], state, memory)
        close(logits, taught[:, t])
        close(state.weights, weights[:, t])


@pytest.mark.parametrize("name", VARIANTS)
def test_padding_changes_no_logits(name):
    seq2seq = built(name).seq2seq
    wider = seq2seq((padded(SOURCE_IDS, 4), padded(BEFORE, 3)))
    close(wider[:, : BEFORE.shape[1]], seq2seq((SOURCE_IDS, BEFORE)))
    alone = seq2seq((SOURCE_IDS[1:2, :3], BEFORE[1:2, :3]))
    close(wider[1:2, :3], alone)


def loss_and_gradients(seq2seq, more=0):
    source, before, labels = (
        padded(ids, more) for ids in (SOURCE_IDS, BEFORE, LABELS)
    )
    with tf.GradientTape() as tape:
        logits = seq2seq((source, before))
        weights = (labels != text.PADDING_ID).astype("float32")
        loss = seq2seq.compute_loss(source, labels, logits, weights)
    variables = [v.value for v in seq2seq.trainable_variables]
    gradients = tape.gradient(loss, variables)
    return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]


@pytest.mark.parametrize(
    "name", ["none, one way", "additive, 3 layers, untied", "fed, 2 layers"]
)
def test_padding_changes_neither_loss_nor_gradient(name):
    whole = built(name)
    train.compile_model(whole.seq2seq, whole.config)
    loss, gradients = loss_and_gradients(whole.seq2seq)
    padded_loss, padded_gradients = loss_and_gradients(whole.seq2seq, more=3)
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
    seq2seq = small(num_layers=2, input_feeding=input_feeding, **shares).seq2seq
    given = (SOURCE_IDS, BEFORE)
    calm = seq2seq(given)
    np.testing.assert_array_equal(seq2seq(given), calm)
    first, second = (seq2seq(given, training=True) for _ in range(2))
    for drawn, other in ((first, calm), (second, calm), (first, second)):
        assert np.abs(drawn - other).max() > 0.01


def test_with_input_feeding_too_dropout_lies_between_layers():
    shares = {"embedding_dropout": 0.0, "dropout": 0.5}
    seq2seq = small(num_layers=2, input_feeding=True, **shares).seq2seq
    memory, state = seq2seq.encode(SOURCE_IDS)
    calm, drawn = (
        seq2seq.decoder.run(BEFORE, memory, state, training)[0]
        for training in (False, True)
    )
    assert np.abs(calm - drawn).max() > 0.01


@pytest.mark.parametrize("name", ["general", "fed, 2 layers"])
def test_only_input_feeding_sees_what_was_attended_last(name):
    decoder = built(name).seq2seq.decoder
    memory, state = built(name).seq2seq.encode(SOURCE_IDS)
    other = state._replace(attended=state.attended + 1)
    logits, _ = decoder.step(BEFORE[:, 0], state, memory)
    other_logits, _ = decoder.step(BEFORE[:, 0], other, memory)
    differ = np.abs(logits - other_logits).max() > 0.01
    assert differ == decoder.input_feeding


def test_without_dropout_training_computes_the_same():
    seq2seq = small(num_layers=2, embedding_dropout=0.0, dropout=0.0).seq2seq
    given = (SOURCE_IDS, BEFORE)
    close(seq2seq(given, training=True), seq2seq(given), atol=1e-6)


@pytest.mark.parametrize("name", ["general", "bag of words"])
def test_only_the_bag_of_words_is_blind_to_their_order(name):
    seq2seq = built(name).seq2seq
    turned = SOURCE_IDS[:, [2, 0, 1, 3, 4]]
    difference = seq2seq((turned, BEFORE))[0] - seq2seq((SOURCE_IDS, BEFORE))[0]
    assert (np.abs(difference).max() < 1e-5) == (name == "bag of words")


def test_the_number_of_parameters():
    whole = small(num_layers=2, input_feeding=True)
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
    assert whole.count_params() == sum(expected.values())
    assert whole.seq2seq.count_params() == sum(expected.values())


# Where it looks


@pytest.mark.parametrize("name", LOOKING)
def test_attention_is_shared_out_among_real_tokens(name):
    ids = tf.constant(np.stack([LABELS, LABELS[::-1]], axis=1), tf.int32)
    weights = built(name).weights_of(padded(SOURCE_IDS, 2), ids).numpy()
    assert weights.shape == (3, 2, 5, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    is_real = padded(SOURCE_IDS, 2) != text.PADDING_ID
    is_real = np.broadcast_to(is_real[:, None, None], weights.shape)
    assert weights[is_real].min() > 0
    assert (weights[~is_real] == 0).all()


def test_an_alignment_names_the_tokens_of_both_sides():
    whole = small()
    source, target, weights = whole.align("a quark.")
    assert source == [" a", " <unk>", ".", "</s>"]
    assert target[-1] == "</s>"
    assert weights.shape == (len(target), len(source))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    decoded = whole.search(whole.source_tokenizer(tf.constant(["a quark."])))
    tokens = [*whole.target_tokenizer.tokens[4:].numpy()]
    known = [tokens[n - 4].decode() for n in decoded.ids[0, 0] if n > 3]
    assert known == [token for token in target if token in TARGET]


def looking_at(places, source_width, monkeypatch, whole):
    """The decoder looks most at these places <int>[batch, time]."""
    weights = tf.one_hot(places, source_width)[:, None] * 0.5
    # Everywhere a little, also where nothing is.
    weights += 0.1 * tf.range(source_width, dtype=tf.float32) / source_width
    monkeypatch.setattr(whole, "weights_of", lambda source, ids: weights)


def test_an_unknown_word_is_the_word_looked_at(monkeypatch):
    whole = small()
    unknown, x = text.UNKNOWN_ID, text.NUM_SPECIAL
    ids = tf.constant([[[unknown, x, unknown, 3]], [[x, unknown, 3, 3]]])
    texts = tf.constant(["the quark b.", "strange"])
    looking_at([[1, 0, 0, 4], [0, 0, 0, 0]], 5, monkeypatch, whole)
    found = whole.read(texts, ids).numpy().tolist()
    assert found == [[b"quark x the"], [b"x strange"]]


def test_an_unknown_word_is_never_the_end_nor_padding(monkeypatch):
    whole = small()
    ids = tf.constant([[[text.UNKNOWN_ID] * 5]] * 2)
    texts = tf.constant(["p q r s", "strange"])
    looking_at([[0, 1, 2, 3, 4]] * 2, 5, monkeypatch, whole)
    first, second = whole.read(texts, ids).numpy()[:, 0]
    assert first == b"p q r s s"
    assert second == b" ".join([b"strange"] * 5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"attention": "none"}, b"<unk> x"),
        ({"level": "char"}, b"<unk> x"),
        ({}, b"quark x"),
    ],
)
def test_what_stands_in_for_an_unknown_word(options, expected):
    ids = tf.constant([[[text.UNKNOWN_ID, text.NUM_SPECIAL]]])
    found = small(**options).read(tf.constant(["quark"]), ids)
    assert found.numpy().tolist() == [[expected]]


# Translations


@pytest.mark.parametrize("name", VARIANTS)
def test_a_saved_model_translates_the_same(name, tmp_path):
    whole = built(name)
    whole.save(tmp_path / "model.keras")
    loaded = pipeline.load(tmp_path / "model.keras")
    assert loaded.config == whole.config
    for weight, other in zip(whole.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    texts = tf.constant(["d", "quark c", "a."])
    translations, scores = whole(texts, beam=2)
    again, scores_again = loaded(texts, beam=2)
    np.testing.assert_array_equal(translations, again)
    np.testing.assert_array_equal(scores, scores_again)
    assert len(set(scores[:, 0].numpy())) == 3


@pytest.mark.parametrize("name", ["general", "fed, none"])
def test_a_translation_does_not_depend_on_its_company(name):
    answer = predict.of_model(built(name)).answer
    together, scores = answer(TEXTS)
    for row, one_text in enumerate(TEXTS):
        found, score = answer([one_text])
        assert found[0].numpy().tolist() == together[row].numpy().tolist()
        close(score[0], scores[row])


def test_a_blank_text_has_a_blank_translation():
    whole = built("general")
    blanks = ["", " ", "\t\n", "\u2003", "\u00a0\v "]
    translations, scores = whole(tf.constant([*blanks, "a"]))
    assert translations.shape == (6, whole.config.beam)
    assert (translations[:5].numpy() == b"").all()
    assert (scores[:5].numpy() == 0).all()
    assert translations[5, 0] != b""
    drawn, scores = whole.draw(tf.constant(blanks), Sampling())
    assert drawn.numpy().tolist() == [b""] * 5
    assert scores.numpy().tolist() == [0] * 5


@pytest.mark.parametrize("name", ["fed, none", "general"])
def test_no_texts_have_no_translations(name):
    translations, scores = built(name)(tf.constant([], tf.string))
    assert translations.shape == scores.shape == (0, 5)


def test_every_text_has_its_own_limit():
    limits = pipeline.limits_of(tf.constant(SOURCE_IDS))
    assert limits.max_length.numpy().tolist() == [2 * n + 10 for n in (5, 3, 1)]
    never_ending = small()
    favour(never_ending, text.END_ID, -99)
    lengths = never_ending.search(tf.constant(SOURCE_IDS)).lengths
    np.testing.assert_array_equal(lengths[:, 0], limits.max_length)


# The search


def scores_of(whole, source, sequences):
    """The scores of translations of one length, told by the formula."""
    ids = np.array(sequences, np.int32)
    rows, length = ids.shape
    start, end = (np.full([rows, 1], n) for n in (text.START_ID, text.END_ID))
    memory, state = whole.seq2seq.encode(source)
    state = tf.nest.map_structure(lambda x: tf.repeat(x, rows, 0), state)
    attended, weights = whole.seq2seq.decoder.run(
        np.concatenate([start, ids], axis=1), memory, state
    )
    logits = whole.seq2seq.decoder.logits(attended)
    log_probs = tf.nn.log_softmax(logits)
    labels = np.concatenate([ids, end], axis=1)
    scores = tf.gather(log_probs, labels, batch_dims=2).numpy().sum(axis=1)
    scores /= ((5 + length + 1) / 6) ** whole.config.length_penalty
    if whole.config.coverage_penalty:
        covered = np.minimum(weights.numpy().sum(axis=1), 1)
        scores += whole.config.coverage_penalty * np.log(covered).sum(axis=1)
    return scores


def found(decoded, row=0, place=0):
    return decoded.ids[row, place, : decoded.lengths[row, place]].numpy()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("penalties", [(0.0, 0.0), (1.5, 0.0), (0.5, 0.3)])
def test_a_wide_beam_finds_the_best_of_all(monkeypatch, penalties, seed):
    monkeypatch.setattr(pipeline, "MAX_GROWTH", 0)
    monkeypatch.setattr(pipeline, "MAX_MORE", 2)
    length_penalty, coverage_penalty = penalties
    whole = small(
        seed,
        target=[" x", " y"],
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
    )
    source = tf.constant(SOURCE_IDS[:1])
    others = [n for n in range(6) if n != text.END_ID]
    ranked = []
    for length in range(3):
        sequences = [*itertools.product(others, repeat=length)]
        scores = scores_of(whole, source, sequences)
        ranked += zip(scores, sequences, strict=True)
    ranked.sort(reverse=True)
    decoded = whole.search(source, beam=36)
    for place, (score, ids) in enumerate(ranked[:5]):
        assert tuple(found(decoded, place=place)) == ids
        np.testing.assert_allclose(decoded.scores[0, place], score, rtol=1e-4)


@pytest.mark.parametrize("name", ["dot, 2 layers", "fed, none"])
def test_scores_are_what_the_network_says_of_the_translation(name):
    whole = built(name)
    decoded = whole.search(tf.constant(SOURCE_IDS))
    for row, place in itertools.product(range(2), range(5)):
        ids = found(decoded, row, place)
        expected = scores_of(whole, SOURCE_IDS[row : row + 1], [ids])
        np.testing.assert_allclose(
            decoded.scores[row, place], expected[0], rtol=1e-4
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy_whatever_the_penalties(seed):
    whole = small(seed, length_penalty=3.0, coverage_penalty=1.0)
    decoded = whole.search(tf.constant(SOURCE_IDS), beam=1)
    expected = greedy(whole, SOURCE_IDS)
    np.testing.assert_array_equal(decoded.ids[:, 0], expected.ids)
    np.testing.assert_array_equal(decoded.lengths[:, 0], expected.lengths)


def test_a_beam_in_place_of_that_of_the_config():
    translations, scores = small(beam=4)(tf.constant(TEXTS), beam=2)
    assert translations.shape == scores.shape == (len(TEXTS), 2)
    assert small(beam=4)(tf.constant(TEXTS))[0].shape == (len(TEXTS), 4)


def test_a_length_penalty_makes_translations_longer():
    lengths = []
    for length_penalty in (0.0, 5.0):
        whole = small(seed=1, length_penalty=length_penalty)
        favour(whole, text.END_ID, 2)
        lengths.append(whole.search(tf.constant(SOURCE_IDS)).lengths[:, 0])
    assert np.all(lengths[0] <= lengths[1])
    assert np.any(lengths[0] < lengths[1])


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
        embedding_dim=16,
        label_smoothing=0.0,
        embedding_dropout=0.0,
        dropout=0.0,
        learning_rate=0.02,
        num_buckets=1,
    )
    known = sorted({f" {word}" for row in words for word in row})
    keras.utils.set_random_seed(1)
    whole = pipeline.build(config, known, [word.upper() for word in known])
    train.compile_model(whole.seq2seq, config)
    tokenizers = [whole.source_tokenizer, whole.target_tokenizer]
    batches = encoded.batches(encoded.encode(pairs, tokenizers), config)
    (batch,) = batches.as_numpy_iterator()
    losses = [whole.seq2seq.train_on_batch(*batch) for _ in range(60)]
    assert losses[0] > 2
    assert losses[-1] < 0.1
    translations, _ = whole(tf.constant([pair.source for pair in pairs]))
    best = [found.decode() for found in translations[:, 0].numpy()]
    assert best == [pair.target for pair in pairs]
