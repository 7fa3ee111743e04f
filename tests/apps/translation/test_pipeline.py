"""From text to text: attention, search, and what a model is saved as."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.translation import pipeline, text
from apps.translation.config import Config
from apps.translation.predictor import Predictor
from common.decoding import sampling
from common.decoding.sampling import Sampling
from common.errors import UserError
from tests.support.translation import (
    BEFORE,
    LABELS,
    SOURCE_IDS,
    TARGET,
    VARIANTS,
    built,
    close,
    favour,
    randomize,
    small,
)

ATTENDING = [name for name in VARIANTS if "none" not in name]
TEXTS = ["a b c d.", "d", "", "quark b a a a a a b b b.", " ", "c c"]


def padded(ids, more):
    return np.pad(ids, [[0, 0], [0, more]])


def greedy(translator, source):
    memory, state = translator.network.encode(source)
    return sampling.greedy(
        lambda ids, state: translator.network.decoder.step(ids, state, memory),
        *(state, len(source), pipeline.make_limits(source)),
    )


# Attention


@pytest.mark.parametrize("name", ATTENDING)
def test_attention_is_shared_out_among_real_tokens(name):
    ids = tf.constant(np.stack([LABELS, LABELS[::-1]], axis=1), tf.int32)
    weights = built(name).attention_weights(padded(SOURCE_IDS, 2), ids).numpy()
    assert weights.shape == (3, 2, 5, 7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    is_real = padded(SOURCE_IDS, 2) != text.PADDING_ID
    is_real = np.broadcast_to(is_real[:, None, None], weights.shape)
    assert weights[is_real].min() > 0
    assert (weights[~is_real] == 0).all()


@pytest.mark.slow
def test_an_alignment_names_the_tokens_of_both_sides():
    translator = small()
    source, target, weights = translator.align("a quark.")
    assert source == [" a", " <unk>", ".", "</s>"]
    assert target[-1] == "</s>"
    assert weights.shape == (len(target), len(source))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    decoded = translator.search(
        translator.source_tokenizer(tf.constant(["a quark."]))
    )
    tokens = [*translator.target_tokenizer.tokens[4:].numpy()]
    known = [tokens[n - 4].decode() for n in decoded.ids[0, 0] if n > 3]
    assert known == [token for token in target if token in TARGET]


def looking_at(places, source_width, monkeypatch, translator):
    """The decoder looks most at these places <int>[batch, time]."""
    weights = tf.one_hot(places, source_width)[:, None] * 0.5
    # Everywhere a little, also where nothing is.
    weights += 0.1 * tf.range(source_width, dtype=tf.float32) / source_width
    monkeypatch.setattr(
        translator, "attention_weights", lambda source, ids: weights
    )


def test_an_unknown_word_is_the_word_looked_at(monkeypatch):
    translator = small()
    unknown, x = text.UNKNOWN_ID, text.NUM_SPECIAL
    ids = tf.constant([[[unknown, x, unknown, 3]], [[x, unknown, 3, 3]]])
    texts = tf.constant(["the quark b.", "strange"])
    looking_at([[1, 0, 0, 4], [0, 0, 0, 0]], 5, monkeypatch, translator)
    read = translator.detokenize(texts, ids).numpy().tolist()
    assert read == [[b"quark x the"], [b"x strange"]]


def test_an_unknown_word_is_never_the_end_nor_padding(monkeypatch):
    translator = small()
    ids = tf.constant([[[text.UNKNOWN_ID] * 5]] * 2)
    texts = tf.constant(["p q r s", "strange"])
    looking_at([[0, 1, 2, 3, 4]] * 2, 5, monkeypatch, translator)
    first, second = translator.detokenize(texts, ids).numpy()[:, 0]
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
    read = small(**options).detokenize(tf.constant(["quark"]), ids)
    assert read.numpy().tolist() == [[expected]]


# Translations


# Explanations


def check_explanation(translator, texts):
    answer = translator.explain(tf.constant(texts, tf.string))
    translations, scores = translator(tf.constant(texts, tf.string))
    np.testing.assert_array_equal(answer.translations, translations)
    close(answer.scores, scores)
    target = answer.target_tokens.numpy()
    source = answer.source_tokens.numpy()
    weights = answer.weights.numpy()
    assert weights.shape == (len(texts), target.shape[1], source.shape[1])
    for row, one_text in enumerate(texts):
        joined = b"".join(target[row].tolist()).removeprefix(b" ")
        assert joined == translations[row, 0]
        tokens = [x.decode() for x in source[row] if x]
        assert "".join(tokens) == f" {one_text}</s>"
        # Random weights also write ids that have no token.
        is_token = target[row] != b""
        assert not weights[row, ~is_token].any()
        assert not weights[row, :, len(tokens) :].any()
        if not one_text.strip():
            assert not is_token.any()
            continue
        expected = translator.align(one_text)
        expected_weights = expected.weights[np.array(expected.target) != "</s>"]
        close(weights[row, is_token, : len(tokens)], expected_weights)
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["general", "fed, 2 layers"])
def test_an_explanation_is_the_best_translation_and_its_attention(name):
    answer = check_explanation(built(name), TEXTS)
    assert len(set(map(bytes, answer.target_tokens[:, 0].numpy()))) > 1


def test_an_explanation_of_characters():
    spelt = [text.escape_token(bytes([n])) for n in range(256)]
    config = Config(level="char", embedding_dim=6, units=8)
    translator = pipeline.build(config, spelt, spelt)
    randomize(translator)
    favour(translator, text.UNKNOWN_ID, -9)
    explain = translator.explain(tf.constant(["ab\u00e9"]))
    source = explain.source_tokens.numpy()[0].tolist()
    broken = "\ufffd".encode()
    assert source == [b" ", b"a", b"b", broken, broken, b"</s>"]
    for value in explain.target_tokens.numpy().ravel():
        value.decode()


def test_no_texts_have_no_explanation():
    answer = built("general").explain(tf.constant([], tf.string))
    assert answer.source_tokens.shape == answer.target_tokens.shape == (0, 1)
    assert answer.weights.shape == (0, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_saved_model_computes_and_translates_the_same(name, tmp_path):
    translator = built(name)
    translator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.config == translator.config
    for weight, other in zip(translator.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(weight, other)
    inputs = (SOURCE_IDS, BEFORE)
    np.testing.assert_array_equal(
        translator.network(inputs), loaded.network(inputs)
    )
    if name != "fed, 2 layers":
        return
    texts = tf.constant(["d", "quark c", "a."])
    translations, scores = translator(texts, beam=2)
    again, scores_again = loaded(texts, beam=2)
    np.testing.assert_array_equal(translations, again)
    np.testing.assert_array_equal(scores, scores_again)
    assert len(set(scores[:, 0].numpy())) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["general", "fed, none"])
def test_a_translation_does_not_depend_on_its_company(name):
    predict_fn = Predictor.from_model(built(name)).predict_fn
    together, scores = predict_fn(TEXTS)
    for row, one_text in enumerate(TEXTS):
        alone, score = predict_fn([one_text])
        assert alone[0].numpy().tolist() == together[row].numpy().tolist()
        close(score[0], scores[row])


@pytest.mark.slow
def test_a_blank_text_has_a_blank_translation():
    translator = built("general")
    blanks = ["", " ", "\t\n", "\u2003", "\u00a0\v "]
    translations, scores = translator(tf.constant([*blanks, "a"]))
    assert translations.shape == (6, translator.config.beam)
    assert (translations[:5].numpy() == b"").all()
    assert (scores[:5].numpy() == 0).all()
    assert translations[5, 0] != b""
    drawn, scores = translator.sample(tf.constant(blanks), Sampling())
    assert drawn.numpy().tolist() == [[b""]] * 5
    assert scores.numpy().tolist() == [[0]] * 5


@pytest.mark.parametrize("name", ["fed, none", "general"])
def test_no_texts_have_no_translations(name):
    translations, scores = built(name)(tf.constant([], tf.string))
    assert translations.shape == scores.shape == (0, 5)


def test_every_text_has_its_own_limit():
    limits = pipeline.make_limits(tf.constant(SOURCE_IDS))
    assert limits.max_length.numpy().tolist() == [2 * n + 10 for n in (5, 3, 1)]
    never_ending = small()
    favour(never_ending, text.END_ID, -99)
    lengths = never_ending.search(tf.constant(SOURCE_IDS)).lengths
    np.testing.assert_array_equal(lengths[:, 0], limits.max_length)


# The search


def scores_of(translator, source, sequences):
    """The scores of translations of one length, told by the formula."""
    ids = np.array(sequences, np.int32)
    rows, length = ids.shape
    start, end = (np.full([rows, 1], n) for n in (text.START_ID, text.END_ID))
    memory, state = translator.network.encode(source)
    state = tf.nest.map_structure(lambda x: tf.repeat(x, rows, 0), state)
    attended, weights = translator.network.decoder.run(
        np.concatenate([start, ids], axis=1), memory, state
    )
    logits = translator.network.decoder.logits(attended)
    log_probs = tf.nn.log_softmax(logits)
    labels = np.concatenate([ids, end], axis=1)
    scores = tf.gather(log_probs, labels, batch_dims=2).numpy().sum(axis=1)
    scores /= ((5 + length + 1) / 6) ** translator.config.length_penalty
    if translator.config.coverage_penalty:
        covered = np.minimum(weights.numpy().sum(axis=1), 1)
        scores += translator.config.coverage_penalty * np.log(covered).sum(
            axis=1
        )
    return scores


def ids_of(decoded, row=0, place=0):
    return decoded.ids[row, place, : decoded.lengths[row, place]].numpy()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("penalties", [(0.0, 0.0), (1.5, 0.0), (0.5, 0.3)])
def test_a_wide_beam_finds_the_best_of_all(monkeypatch, penalties, seed):
    monkeypatch.setattr(pipeline, "MAX_GROWTH", 0)
    monkeypatch.setattr(pipeline, "MAX_MORE", 2)
    length_penalty, coverage_penalty = penalties
    translator = small(
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
        scores = scores_of(translator, source, sequences)
        ranked += zip(scores, sequences, strict=True)
    ranked.sort(reverse=True)
    decoded = translator.search(source, beam=36)
    for place, (score, ids) in enumerate(ranked[:5]):
        assert tuple(ids_of(decoded, place=place)) == ids
        np.testing.assert_allclose(decoded.scores[0, place], score, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dot, 2 layers", "fed, none"])
def test_scores_are_what_the_network_says_of_the_translation(name):
    translator = built(name)
    decoded = translator.search(tf.constant(SOURCE_IDS))
    for row, place in itertools.product(range(2), range(5)):
        ids = ids_of(decoded, row, place)
        expected = scores_of(translator, SOURCE_IDS[row : row + 1], [ids])
        np.testing.assert_allclose(
            decoded.scores[row, place], expected[0], rtol=1e-4
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy_whatever_the_penalties(seed):
    translator = small(seed, length_penalty=3.0, coverage_penalty=1.0)
    decoded = translator.search(tf.constant(SOURCE_IDS), beam=1)
    expected = greedy(translator, SOURCE_IDS)
    np.testing.assert_array_equal(decoded.ids[:, 0], expected.ids)
    np.testing.assert_array_equal(decoded.lengths[:, 0], expected.lengths)


@pytest.mark.slow
def test_a_beam_in_place_of_that_of_the_config():
    translations, scores = small(beam=4)(tf.constant(TEXTS), beam=2)
    assert translations.shape == scores.shape == (len(TEXTS), 2)
    assert small(beam=4)(tf.constant(TEXTS))[0].shape == (len(TEXTS), 4)


@pytest.mark.slow
def test_a_length_penalty_makes_translations_longer():
    lengths = []
    for length_penalty in (0.0, 5.0):
        translator = small(seed=1, length_penalty=length_penalty)
        favour(translator, text.END_ID, 2)
        lengths.append(translator.search(tf.constant(SOURCE_IDS)).lengths[:, 0])
    assert np.all(lengths[0] <= lengths[1])
    assert np.any(lengths[0] < lengths[1])


# Pretrained vectors


def build_with_vectors(**options):
    config = Config(level="word", units=8, embedding_dim=8, **options)
    words = [" cat", " dog", " the", "."]
    return pipeline.build(config, words, words)


@pytest.mark.slow
def test_pretrained_vectors_stand_where_their_words_are(tmp_path, capsys):
    path = tmp_path / "vectors.txt"
    path.write_text(
        "3 8\ndog 1 2 3 4 5 6 7 8\nbird 0 0 0 0 0 0 0 0\n"
        # Tokens with spaces, as GloVe has them.
        ". . . 5 5 5 5 5 5 5 5\nthe a@b.com 6 6 6 6 6 6 6 6\n"
        ". 8 7 6 5 4 3 2 1\n"
    )
    keras.utils.set_random_seed(3)
    before = build_with_vectors().network
    keras.utils.set_random_seed(3)
    network = build_with_vectors(target_vectors=str(path)).network
    assert f"{path}: vectors of 2 of 4 tokens" in capsys.readouterr().out
    vectors = network.decoder.embedding.embeddings.numpy()
    dog, dot = text.NUM_SPECIAL + 1, text.NUM_SPECIAL + 3
    assert vectors[dog].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert vectors[dot].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    others = [row for row in range(len(vectors)) if row not in (dog, dot)]
    np.testing.assert_array_equal(
        vectors[others],
        before.decoder.embedding.embeddings.numpy()[others],
    )
    np.testing.assert_array_equal(
        network.encoder.embedding.embeddings,
        before.encoder.embedding.embeddings,
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("dog 1 2 3\n", r":1: a vector of 3 numbers, but --embedding-dim is 8"),
        ("dog 1 2 3 4 5 6 7 nan\n", ":1: expected finite numbers, got NaN"),
        ("dog 1 2 3 4 5 6 7 1e99\n", ":1: expected finite numbers, got NaN"),
        (
            "3 9\ncat 1 2 3 4 5 6 7 8 9\n",
            ":2: a vector of 9 numbers, but --embedding-dim is 8",
        ),
        ("dog 1 2 3 4 5 6 7 x\n", r":1: expected a word and numbers: .*'x'"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, content, expected):
    path = tmp_path / "vectors.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=expected):
        build_with_vectors(source_vectors=str(path))
