import numpy as np
import pytest
import tensorflow as tf

from common import limits

BAD = [np.nan, np.inf, -np.inf]


@tf.function
def check(values, lengths):
    values = limits.check_rows(values)
    lengths = limits.check_lengths(lengths, tf.shape(values)[1])
    return limits.check_finite(values, lengths)


def test_what_is_within_the_limits_comes_back():
    for rows, time in ((0, 0), (1, 1), (3, 5), (limits.MAX_ROWS, 1)):
        values = np.ones([rows, time, 2], np.float32)
        lengths = np.full([rows], time, np.int32)
        np.testing.assert_array_equal(check(values, lengths), values)


def test_too_many_rows():
    values = np.ones([limits.MAX_ROWS + 1, 1, 2], np.float32)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="at most 1,024 rows in one request",
    ):
        check(values, np.ones([len(values)], np.int32))


@pytest.mark.parametrize("length", [-1, 4, 2**31 - 1])
def test_lengths_beyond_the_steps(length):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="expected lengths from 0 to"
    ):
        check(np.ones([2, 3, 2], np.float32), np.array([3, length], np.int32))


@pytest.mark.parametrize("bad", BAD)
def test_features_that_are_not_finite(bad):
    values = np.ones([2, 3, 2], np.float32)
    values[1, 2, 0] = bad
    np.testing.assert_array_equal(
        check(values, np.array([3, 2], np.int32)), values
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"expected finite .* row and step from 0:\]\s+\[\[1 2\]\]",
    ):
        check(values, np.array([3, 3], np.int32))


def test_states_that_are_not_finite():
    check = tf.function(limits.check_finite)
    state = tf.constant([[1.0, 2.0], [3.0, np.inf]])
    assert check(state[:1]).shape == [1, 2]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"row from 0:\]\s+\[\[1\]\]"
    ):
        check(state)


@pytest.mark.parametrize("is_padded", [False, True])
def test_bytes_of_all_texts(is_padded):
    # 12 bytes, or 3 rows of 6.
    text = tf.constant(["", "aaaaaa", "\u00e9\u00e9\u00e9"])
    num_bytes = 18 if is_padded else 12
    check = tf.function(limits.check_bytes)
    for rows in (text, text[:0]):
        actual = check(rows, num_bytes, is_padded)
        np.testing.assert_array_equal(actual, rows)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=f"expected at most {num_bytes - 1} .* in one request: split",
    ):
        check(text, num_bytes - 1, is_padded)


def test_frames_are_always_finite():
    frames = tf.zeros([1, 2, 4, 4, 3], tf.uint8)
    assert limits.check_finite(frames, tf.constant([2])) is frames
