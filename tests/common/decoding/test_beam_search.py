"""Beam search against all sequences there are, one by one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from common.decoding import sampling
from common.decoding.beam_search import Penalties, beam_search
from common.decoding.sampling import Limits
from tests.support.recurrent import noise

VOCAB, START, END = 4, 0, 1
LIMITS = Limits(START, END, max_length=3)


def model(seed=0, batch=2, sharpness=2.0):
    """Rows differ, and the next id depends on the last one and the step."""
    table = noise(batch, 4, VOCAB, VOCAB, seed=seed) * sharpness
    table = tf.constant(table)
    log_probs = tf.nn.log_softmax(table).numpy().astype("float64")

    def step(ids, state):
        row, t = state
        scores = tf.gather_nd(table, tf.stack([row, t, ids], axis=1))
        return scores, (row, t + 1)

    return step, (tf.range(batch), tf.zeros([batch], tf.int32)), log_probs


def all_sequences(limits, log_probs, row, length_penalty=0.0):
    """Every sequence that may be, with its score, best first."""
    others = [x for x in range(VOCAB) if x != END]
    sequences = []
    for length in range(limits.min_length, limits.max_length + 1):
        for ids in itertools.product(others, repeat=length):
            path = zip([limits.start_id, *ids], [*ids, END], strict=True)
            total = sum(
                log_probs[row, t, a, b] for t, (a, b) in enumerate(path)
            )
            factor = ((5 + length + 1) / 6) ** length_penalty
            sequences.append((total / factor, ids))
    return sorted(sequences, reverse=True)


def run_in_graph(*arguments, **options):
    return tf.function(lambda: beam_search(*arguments, **options))()


def listed(decoded, row, place):
    length = int(decoded.lengths[row, place])
    return tuple(decoded.ids[row, place, :length].numpy().tolist())


@pytest.mark.parametrize("min_length", [0, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_that_holds_all_finds_the_n_best(length_penalty, min_length):
    step, state, log_probs = model(batch=6)
    limits = LIMITS._replace(min_length=min_length)
    penalties = Penalties(length_penalty=length_penalty)
    decoded = beam_search(step, state, 6, limits, VOCAB**3, penalties)
    for row in range(6):
        expected = all_sequences(limits, log_probs, row, length_penalty)
        for place, (score, ids) in enumerate(expected[:10]):
            assert listed(decoded, row, place) == ids
            np.testing.assert_allclose(
                decoded.scores[row, place], score, rtol=1e-4
            )


def test_a_beam_as_wide_as_the_vocabulary_finds_the_best_of_a_toy():
    limits = LIMITS._replace(max_length=2)
    step, state, log_probs = model(batch=16)
    decoded = beam_search(step, state, 16, limits, VOCAB)
    for row in range(16):
        best = all_sequences(limits, log_probs, row)[0]
        assert listed(decoded, row, 0) == best[1]


def test_a_beam_of_one_is_greedy():
    step, state, _ = model(batch=12)
    decoded = beam_search(step, state, 12, LIMITS, 1)
    expected = sampling.greedy(step, state, 12, LIMITS)
    for a, b in zip(decoded, expected, strict=True):
        np.testing.assert_allclose(a[:, 0], b, rtol=1e-5)


def test_a_graph_searches_as_eager_code_does():
    step, state, _ = model(batch=4)
    limits = LIMITS._replace(min_length=1)
    arguments = [step, state, 4, limits, 3, Penalties(0.5)]
    expected = beam_search(*arguments)
    for a, b in zip(run_in_graph(*arguments), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("beam", [2, 3])
def test_sequences_differ_and_are_in_order(beam):
    step, state, _ = model(7)
    decoded = beam_search(step, state, 2, LIMITS, beam)
    for row in range(2):
        sequences = {listed(decoded, row, place) for place in range(beam)}
        assert len(sequences) == beam
    assert np.all(np.diff(decoded.scores, axis=1) <= 0)


def test_rows_are_searched_by_themselves():
    step, (rows, t), _ = model(3)
    both = beam_search(step, (rows, t), 2, LIMITS, 3)
    alone = beam_search(step, (rows[1:], t[1:]), 1, LIMITS, 3)
    for a, b in zip(both, alone, strict=True):
        np.testing.assert_allclose(a[1:], b, rtol=1e-5)


def test_it_stops_early():
    calls = tf.Variable(0)

    def step(ids, state):
        calls.assign_add(1)
        return tf.one_hot(tf.fill(tf.shape(ids), END), VOCAB) * 50, state

    limits = LIMITS._replace(max_length=100)
    decoded = run_in_graph(step, (), 1, limits, 1)
    assert decoded.lengths.numpy().tolist() == [[0]]
    assert calls.numpy() == 1


NONE = tf.zeros([0], tf.int32)


@pytest.mark.parametrize(("max_length", "steps"), [(3, 3), (NONE, 1)])
def test_no_rows(max_length, steps):
    step, _, _ = model()
    limits = LIMITS._replace(max_length=max_length)
    decoded = run_in_graph(step, (NONE, NONE), 0, limits, 3)
    assert decoded.ids.shape == (0, 3, steps)
    assert decoded.lengths.shape == decoded.scores.shape == (0, 3)


LENGTHS = [2, 3, 1, 3]


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_length_for_each_row_is_a_search_of_that_length(beam, length_penalty):
    lengths = np.array(LENGTHS * 2)
    step, (rows, t), _ = model(batch=8)
    penalties = Penalties(length_penalty=length_penalty)
    limits = LIMITS._replace(max_length=tf.constant(lengths))
    decoded = beam_search(step, (rows, t), 8, limits, beam, penalties)
    assert decoded.ids.shape == (8, beam, 3)
    for length in set(LENGTHS):
        here = np.flatnonzero(lengths == length)
        state = tf.gather(rows, here), tf.gather(t, here)
        alone = LIMITS._replace(max_length=length)
        expected = beam_search(step, state, len(here), alone, beam, penalties)
        ids, counts, scores = (values.numpy()[here] for values in decoded)
        np.testing.assert_array_equal(ids[:, :, :length], expected.ids)
        assert (ids[:, :, length:] == END).all()
        np.testing.assert_array_equal(counts, expected.lengths)
        np.testing.assert_allclose(scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("min_length", [0, 1])
def test_a_beam_that_holds_all_finds_the_n_best_up_to_each_length(min_length):
    step, state, log_probs = model(5, batch=4)
    limits = LIMITS._replace(
        max_length=tf.constant(LENGTHS), min_length=min_length
    )
    decoded = beam_search(step, state, 4, limits, VOCAB**3, Penalties(1.0))
    for row, length in enumerate(LENGTHS):
        own = limits._replace(max_length=length)
        expected = all_sequences(own, log_probs, row, length_penalty=1.0)
        for place, (score, ids) in enumerate(expected[:10]):
            assert listed(decoded, row, place) == ids
            np.testing.assert_allclose(
                decoded.scores[row, place], score, rtol=1e-4
            )
        # More there are not, and what fills the beam says so.
        assert np.all(decoded.scores[row, len(expected) :] < -1e8)


def test_a_row_that_may_grow_is_followed_beside_one_that_may_not():
    """An end at once is likeliest, but a long sequence is better by far."""
    table = np.zeros([21, VOCAB], "float32")
    table[0] = np.log([0.05, 0.5, 0.4, 0.05])
    table[1:20, 2] = table[20, END] = 50

    def step(ids, t):
        return tf.gather(table, t), t + 1

    limits = LIMITS._replace(max_length=tf.constant([1, 20]))
    t = tf.zeros([2], tf.int32)
    decoded = beam_search(step, t, 2, limits, 1, Penalties(length_penalty=1.0))
    assert decoded.lengths.numpy().tolist() == [[0], [20]]


def test_lengths_may_be_known_to_the_graph_alone():
    step, (rows, t), _ = model(2, batch=4)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)] * 3)
    def graph(rows, t, lengths):
        limits = LIMITS._replace(max_length=lengths)
        return beam_search(
            *[step, (rows, t), tf.shape(rows)[0], limits, 2],
            stop_when_full=True,
        )

    lengths = tf.constant(LENGTHS)
    limits = LIMITS._replace(max_length=lengths)
    expected = beam_search(step, (rows, t), 4, limits, 2, stop_when_full=True)
    for a, b in zip(graph(rows, t, lengths), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert graph(NONE, NONE, NONE).ids.shape == (0, 2, 1)


def test_coverage_prefers_those_who_looked_everywhere():
    """Id 2 looks at the first word, id 3 at the second; 2 is likelier."""
    looks = tf.constant([[1.0, 0], [0, 0], [1, 0], [0, 1]])
    scores = tf.constant([[0.0, 3.0, 3.2, 3.0]])

    def step(ids, attention):
        return tf.repeat(scores, tf.shape(ids)[0], 0), tf.gather(looks, ids)

    limits = LIMITS._replace(min_length=2, max_length=3)
    mask = tf.constant([[True, True]])
    best = {}
    for penalty in (0.0, 5.0):
        penalties = Penalties(0.0, penalty, lambda x: x, mask)
        decoded = beam_search(step, tf.zeros([1, 2]), 1, limits, 8, penalties)
        best[penalty] = listed(decoded, 0, 0)
    assert best[0.0] == (2, 2)
    assert 3 in best[5.0]


def test_wrong_options_are_told():
    step, state, _ = model()
    for beam, penalties, message in (
        (0, Penalties(), "beam must be at least 1, got 0"),
        (1, Penalties(-1.0), "length_penalty must be at least 0, got -1.0"),
        (1, Penalties(0.0, 1.0), "coverage_penalty needs get_attention and"),
    ):
        with pytest.raises(ValueError, match=message):
            beam_search(step, state, 2, LIMITS, beam, penalties)


@pytest.mark.parametrize("length_penalty", [0.0, 3.0])
def test_a_row_that_stops_when_full_does_not_depend_on_the_others(
    length_penalty,
):
    penalties = Penalties(length_penalty=length_penalty)
    num_rows, beam = 4, 2
    step, state, _ = model(3, batch=num_rows)

    def search(rows):
        start = tf.nest.map_structure(lambda x: tf.gather(x, rows), state)
        return beam_search(
            *[step, start, len(rows), LIMITS, beam, penalties],
            stop_when_full=True,
        )

    together = search([*range(num_rows)])
    for row in range(num_rows):
        alone = search([row])
        for values, expected in zip(alone, together, strict=True):
            np.testing.assert_allclose(values[0], expected[row], rtol=1e-6)
    assert (together.scores > sampling.LOWEST).numpy().all()


def test_a_beam_of_one_that_stops_when_full_is_greedy_with_any_penalty():
    step, state, _ = model(5, batch=8)
    decoded = beam_search(
        *[step, state, 8, LIMITS, 1, Penalties(length_penalty=4.0)],
        stop_when_full=True,
    )
    expected = sampling.greedy(step, state, 8, LIMITS)
    np.testing.assert_array_equal(decoded.ids[:, 0], expected.ids)
