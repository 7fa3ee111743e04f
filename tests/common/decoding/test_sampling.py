"""Decoding against a model that can be worked out by hand, and by counting."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from common.decoding import sampling
from common.decoding.sampling import Limits
from tests.support.recurrent import noise

VOCAB, START, END = 5, 0, 1
LIMITS = Limits(START, END, max_length=6)


def markov(seed=0, sharpness=1.0):
    """A model of pairs: the next id depends on the last one alone."""
    table = tf.constant(noise(VOCAB, VOCAB, seed=seed)) * sharpness

    def step(ids, state):
        return tf.gather(table, ids), state + 1

    return step, tf.nn.log_softmax(table).numpy()


def run_in_graph(function, *arguments, **options):
    """Runs a function where the apps run it."""
    return tf.function(lambda: function(*arguments, **options))()


def by_hand(log_probs, limits):
    """The greedy ids and their score, one after the other."""
    ids, score, last = [], 0.0, START
    while True:
        scores = log_probs[last].copy()
        if len(ids) < limits.min_length:
            scores[END] = -np.inf
        last = int(scores.argmax())
        if len(ids) == limits.max_length:
            return ids, score
        score += scores[last]
        if last == END:
            return ids, score
        ids.append(last)


@pytest.mark.parametrize("min_length", [0, 3])
def test_greedy_takes_the_likeliest(min_length):
    limits = LIMITS._replace(min_length=min_length)
    for seed in range(6):
        step, log_probs = markov(seed)
        decoded = sampling.greedy(step, tf.zeros([2]), 2, limits)
        ids, score = by_hand(log_probs, limits)
        assert decoded.ids.shape == (2, 6)
        for row, length in zip(
            decoded.ids.numpy(), decoded.lengths, strict=True
        ):
            assert row[:length].tolist() == ids
            assert (row[length:] == END).all()
        if decoded.lengths[0] < limits.max_length:
            np.testing.assert_allclose(decoded.scores, [score] * 2, rtol=1e-5)


def test_a_graph_decodes_as_eager_code_does():
    step, _ = markov()
    state = tf.zeros([9])
    options = {"temperature": 0.8, "top_k": 4, "top_p": 0.9}
    lengths = LIMITS._replace(max_length=tf.constant([*range(1, 10)]))
    for function, arguments in (
        (sampling.greedy, [LIMITS]),
        (sampling.sample, [LIMITS, (1, 2)]),
        (functools.partial(sampling.sample, **options), [lengths, (1, 2)]),
    ):
        decoded = run_in_graph(function, step, state, 9, *arguments)
        expected = function(step, state, 9, *arguments)
        for a, b in zip(decoded, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_it_stops_when_all_rows_have_ended():
    calls = tf.Variable(0)

    def step(ids, state):
        calls.assign_add(1)
        # Row 0 ends at once, row 1 after two ids.
        end_now = tf.cast(state >= [0.0, 2.0], tf.float32)[:, None]
        ending = tf.one_hot([END] * 2, VOCAB) * 50
        going = tf.one_hot([3] * 2, VOCAB) * 50
        return end_now * ending + (1 - end_now) * going, state + 1

    limits = LIMITS._replace(max_length=100)
    decoded = run_in_graph(sampling.greedy, step, tf.zeros([2]), 2, limits)
    assert decoded.lengths.numpy().tolist() == [0, 2]
    assert calls.numpy() == 3


def test_a_start_that_is_the_end_does_not_stop_it():
    step, log_probs = markov()
    limits = Limits(END, END, max_length=4)
    decoded = sampling.greedy(step, tf.zeros([1]), 1, limits)
    assert decoded.ids[0, 0] == log_probs[END].argmax()


@pytest.mark.parametrize("max_length", [6, tf.zeros([0], tf.int32)])
def test_no_rows(max_length):
    step, _ = markov()
    limits = LIMITS._replace(max_length=max_length)
    for function in (sampling.greedy, sampling.sample):
        seed = [(1, 2)] if function is sampling.sample else []
        decoded = run_in_graph(function, step, tf.zeros([0]), 0, limits, *seed)
        # At least one step, whatever the rows would have allowed.
        steps = max_length if isinstance(max_length, int) else 1
        assert decoded.ids.shape == (0, steps)
        assert decoded.lengths.shape == decoded.scores.shape == (0,)


# A length for each row

LENGTHS = [3, 1, 6, 2, 5]


def endless(seed=0):
    """Of each row another model of pairs, in which the end is unlikely."""
    table = noise(len(LENGTHS), VOCAB, VOCAB, seed=seed)
    table[:, :, END] -= 2
    table = tf.constant(table)

    def step(ids, rows):
        return tf.gather_nd(table, tf.stack([rows, ids], axis=1)), rows

    return step, tf.range(len(LENGTHS)), tf.nn.log_softmax(table).numpy()


def assert_same_rows(decoded, expected):
    """The same sequences; one may be padded further than the other."""
    steps = expected.ids.shape[1]
    np.testing.assert_array_equal(decoded.ids[:, :steps], expected.ids)
    assert (decoded.ids.numpy()[:, steps:] == END).all()
    np.testing.assert_array_equal(decoded.lengths, expected.lengths)
    np.testing.assert_allclose(decoded.scores, expected.scores, rtol=1e-5)


def select_row(decoded, row):
    return sampling.Decoded(*[x[row : row + 1] for x in decoded])


@pytest.mark.parametrize("min_length", [0, 1])
def test_greedy_with_a_length_for_each_row_is_each_row_alone(min_length):
    limits = LIMITS._replace(
        max_length=tf.constant(LENGTHS), min_length=min_length
    )
    for seed in range(2):
        step, rows, _ = endless(seed)
        decoded = sampling.greedy(step, rows, len(LENGTHS), limits)
        assert decoded.ids.shape == (5, max(LENGTHS))
        assert (decoded.lengths == LENGTHS).numpy().any()
        for row, length in enumerate(LENGTHS):
            alone = limits._replace(max_length=length)
            state = rows[row : row + 1]
            expected = sampling.greedy(step, state, 1, alone)
            assert_same_rows(select_row(decoded, row), expected)


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.8}], ids=str)
def test_samples_with_a_length_for_each_row_keep_to_it(options):
    """The same chances are drawn in all rows, whatever their length."""
    step, rows, _ = endless()
    seed = (3, 4)
    limits = LIMITS._replace(max_length=tf.constant(LENGTHS))
    drawn = sampling.sample(step, rows, 5, limits, seed, **options)
    assert (drawn.lengths == LENGTHS).numpy().any()
    for row, length in enumerate(LENGTHS):
        alike = limits._replace(max_length=length)
        expected = sampling.sample(step, rows, 5, alike, seed, **options)
        assert_same_rows(select_row(drawn, row), select_row(expected, row))


def test_scores_of_samples_are_of_the_ids_and_an_end_that_came_by_itself():
    step, rows, log_probs = endless(seed=1)
    limits = LIMITS._replace(max_length=tf.constant(LENGTHS))
    drawn = sampling.sample(step, rows, 5, limits, (5, 6))
    for row, length in enumerate(drawn.lengths.numpy()):
        assert length <= LENGTHS[row]
        path = [START, *drawn.ids[row, :length].numpy(), END]
        score = sum(
            log_probs[row, a, b] for a, b in zip(path, path[1:], strict=False)
        )
        np.testing.assert_allclose(drawn.scores[row], score, rtol=1e-5)


def test_lengths_may_be_known_to_the_graph_alone():
    step, rows, _ = endless()
    signature = [tf.TensorSpec([None], tf.int32)] * 2

    @tf.function(input_signature=signature)
    def graph(rows, lengths):
        limits = LIMITS._replace(max_length=lengths)
        return sampling.greedy(step, rows, tf.shape(rows)[0], limits)

    limits = LIMITS._replace(max_length=tf.constant(LENGTHS))
    expected = sampling.greedy(step, rows, 5, limits)
    assert_same_rows(graph(rows, tf.constant(LENGTHS)), expected)
    none = tf.zeros([0], tf.int32)
    assert graph(none, none).ids.shape == (0, 1)


def first_ids(num=4000, **options):
    """The shares of the first ids drawn, and the model's probabilities."""
    step, log_probs = markov(seed=2)
    seed = options.pop("seed", (3, 4))
    drawn = sampling.sample(step, tf.zeros([num]), num, LIMITS, seed, **options)
    shares = np.bincount(drawn.ids[:, 0], minlength=VOCAB) / num
    return shares, np.exp(log_probs[START]), drawn


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_samples_follow_the_probabilities(temperature):
    shares, probs, _ = first_ids(temperature=temperature)
    expected = probs ** (1 / temperature)
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.03)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_draws_from_k(k):
    shares, probs, _ = first_ids(top_k=k)
    assert set(np.flatnonzero(shares)) == set(np.argsort(-probs)[:k])


@pytest.mark.parametrize("p", [0.01, 0.5, 0.8, 0.99])
def test_top_p_draws_from_the_fewest_that_reach_p(p):
    shares, probs, _ = first_ids(top_p=p)
    order = np.argsort(-probs)
    count = int(np.searchsorted(np.cumsum(probs[order]), p)) + 1
    assert set(np.flatnonzero(shares)) == set(order[:count])


def test_top_1_is_greedy():
    step, _ = markov(seed=4)
    state = tf.zeros([3])
    expected = sampling.greedy(step, state, 3, LIMITS)
    drawn = sampling.sample(step, state, 3, LIMITS, (1, 2), top_k=1)
    for a, b in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_step_draws_anew():
    def step(ids, state):
        return tf.tile([[0.0, -99.0, 0.0, 0.0, 0.0]], [4000, 1]), state

    drawn = sampling.sample(step, (), 4000, LIMITS, (3, 4)).ids.numpy()
    for step_number in range(1, 6):
        same = np.mean(drawn[:, step_number] == drawn[:, step_number - 1])
        assert same == pytest.approx(1 / 4, abs=0.03)


def test_the_seed_decides():
    *_, first = first_ids(num=50, seed=(1, 2))
    *_, again = first_ids(num=50, seed=(1, 2))
    *_, other = first_ids(num=50, seed=(1, 3))
    np.testing.assert_array_equal(first.ids, again.ids)
    assert np.any(first.ids != other.ids)


def test_wrong_options_are_told():
    step, _ = markov()
    for options, message in (
        ({"temperature": 0}, "temperature must be above 0, got 0"),
        ({"top_k": -1}, "top_k must be at least 0, got -1"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            sampling.sample(step, tf.zeros([1]), 1, LIMITS, (1, 2), **options)
