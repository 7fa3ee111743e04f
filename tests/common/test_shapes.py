"""Shapes: by hand, against NumPy, and in every mode of TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from common import shapes
from tests.support.recurrent import MODES, noise

LENGTHS = [0, 1, 3, 5]
BATCH, TIME = len(LENGTHS), 5


@pytest.fixture(params=[*MODES, "data"])
def mode(request):
    """Runs a function of tensors eagerly, traced, compiled or in tf.data."""
    if request.param != "data":
        return MODES[request.param]

    def in_data(function):
        def run(*args):
            dataset = tf.data.Dataset.from_tensors(args).map(function)
            return next(iter(dataset))

        return run

    return in_data


def sequence(*features):
    return noise(BATCH, TIME, *features)


SHAPES = [
    ((), "pass a batch of sequences"),
    ((4,), "add the batch axis and the time axis"),
    ((2, 8), "did you forget the batch axis?"),
    ((2, 3, 4, 5), "flatten the axes after time into one"),
    ((None, 3, None, 5), "flatten the axes after time into one"),
]


@pytest.mark.parametrize(("shape", "advice"), SHAPES)
def test_check_sequence_says_what_to_do(shape, advice):
    expected = (
        f"read expects [batch, time, features], got shape {shape}: {advice}"
    )
    for value in (shape, tf.TensorShape(shape)):
        with pytest.raises(ValueError) as caught:
            shapes.check_sequence(value, "read")
        assert str(caught.value) == expected


def test_check_sequence_takes_arrays_and_lets_the_unknown_pass():
    with pytest.raises(ValueError, match=r"got shape \(2, 8\): did you forget"):
        shapes.check_sequence(np.ones([2, 8]), "LSTM")
    for value in (np.ones([1, 2, 3]), (None, None, 3), tf.TensorShape(None)):
        assert shapes.check_sequence(value, "LSTM") is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"cell expects \[batch, features\] at each step, got .*\(4,\)"),
        ((2, 3, 4), r"cell expects .* got shape \(2, 3, 4\): pass \[batch,"),
        ((2, 5), r"cell was built for 4 features, got shape \(2, 5\): pass 4"),
    ],
)
def test_check_step_says_what_to_do(shape, message):
    with pytest.raises(ValueError, match=message):
        shapes.check_step(shape, "cell", features=4)


@pytest.mark.parametrize("shape", [(2, 4), (None, None), tf.TensorShape(None)])
def test_check_step_passes_what_fits_or_may_fit(shape):
    assert shapes.check_step(shape, "cell", features=4) is None


def test_mask_marks_the_real_steps(mode):
    mask = mode(lambda lengths: shapes.sequence_mask(lengths, TIME))(LENGTHS)
    expected = [[t < length for t in range(TIME)] for length in LENGTHS]
    assert mask.dtype == tf.bool
    assert mask.numpy().tolist() == expected


def test_mask_is_as_long_as_the_longest_by_default():
    assert shapes.sequence_mask([1, 2]).numpy().tolist() == [
        [True, False],
        [True, True],
    ]


def test_lengths_come_back_from_the_mask(mode):
    back = mode(
        lambda lengths: shapes.sequence_lengths(
            shapes.sequence_mask(lengths, TIME)
        )
    )(LENGTHS)
    assert back.dtype == tf.int32
    assert back.numpy().tolist() == LENGTHS


@pytest.mark.parametrize("features", [(), (2,), (2, 3)])
def test_last_step_is_the_last_real_one(mode, features):
    last = mode(shapes.last_step)(sequence(*features), LENGTHS)
    expected = [
        row[length - 1] if length else np.zeros(features)
        for row, length in zip(sequence(*features), LENGTHS, strict=True)
    ]
    np.testing.assert_array_equal(last, expected)


def test_last_step_lets_nothing_of_the_padding_through():
    x = tf.constant(sequence(2))
    x = tf.where(
        shapes.sequence_mask(LENGTHS, TIME)[..., tf.newaxis], x, np.nan
    )
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(shapes.last_step(x, LENGTHS))
    expected = np.zeros([BATCH, TIME, 2])
    for row, length in enumerate(LENGTHS):
        if length:
            expected[row, length - 1] = 1
    assert np.isfinite(total)
    np.testing.assert_array_equal(tape.gradient(total, x), expected)


@pytest.mark.parametrize("features", [(), (2,), (2, 3)])
def test_reverse_leaves_the_padding_where_it_is(mode, features):
    x = sequence(*features)
    expected = [
        np.concatenate([row[:length][::-1], row[length:]])
        for row, length in zip(x, LENGTHS, strict=True)
    ]
    actual = mode(shapes.reverse_padded)(x, LENGTHS)
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(shapes.reverse_padded(actual, LENGTHS), x)


@pytest.mark.parametrize("value", [b"word", 7, True])
def test_last_step_and_reverse_take_any_type(value):
    x = tf.constant([[value, value], [value, value]])
    assert shapes.last_step(x, [2, 0])[0].numpy() == value
    assert shapes.reverse_padded(x, [2, 0]).dtype == x.dtype


@pytest.mark.parametrize(
    "function",
    [shapes.last_step, shapes.reverse_padded],
    ids=lambda f: f.__name__,
)
def test_lengths_of_wrong_rank_are_named(function):
    message = r"lengths must be \[batch\], got shape \(4, 1\): pass one length"
    with pytest.raises(ValueError, match=message):
        function(sequence(2), np.ones([BATCH, 1], "int32"))


@pytest.mark.parametrize("features", [(), (2,)])
@pytest.mark.parametrize("time", [None, 3, 8])
def test_pad_puts_each_sequence_first_in_its_row(features, time):
    rows = [x[:n] for x, n in zip(sequence(*features), LENGTHS, strict=True)]
    padded, lengths = shapes.pad_sequences(rows, time, value=-1)
    steps = time or TIME
    assert padded.shape == (BATCH, steps, *features)
    assert lengths.numpy().tolist() == [min(n, steps) for n in LENGTHS]
    for row, x, n in zip(padded.numpy(), rows, lengths.numpy(), strict=True):
        np.testing.assert_array_equal(row[:n], x[:n])
        assert np.all(row[n:] == -1)


def test_pad_in_a_graph_of_unknown_lengths():
    pad = tf.function(
        lambda *rows: shapes.pad_sequences(rows),
        input_signature=[tf.TensorSpec([None], tf.int64)] * 3,
    )
    padded, lengths = pad(*[tf.range(n, dtype=tf.int64) for n in (2, 0, 3)])
    assert padded.numpy().tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 2]]
    assert lengths.numpy().tolist() == [2, 0, 3]


def test_pad_takes_lists_strings_and_all_empty():
    padded, lengths = shapes.pad_sequences([[], ["a", "b"], ["c"]], value="")
    assert padded.numpy().tolist() == [[b"", b""], [b"a", b"b"], [b"c", b""]]
    assert lengths.numpy().tolist() == [0, 2, 1]
    padded, lengths = shapes.pad_sequences([[], []], time=2)
    assert padded.numpy().tolist() == [[0, 0], [0, 0]]
    assert lengths.numpy().tolist() == [0, 0]


def test_pad_names_what_does_not_fit():
    with pytest.raises(ValueError, match="at least one sequence, got none"):
        shapes.pad_sequences([])
    message = (
        r"same features in every sequence, got shapes \(3, 4\) and \(2, 5\)"
    )
    with pytest.raises(ValueError, match=message):
        shapes.pad_sequences([noise(3, 4), noise(2, 5)])


def test_parameter_counts():
    # The LSTM's two are published; the others are sums of matrix sizes.
    assert shapes.lstm_parameter_count(features=128, units=64) == 49408
    assert shapes.lstm_parameter_count(features=4096, units=256) == 4457472
    assert shapes.elman_parameter_count(3, 2) == 3 * 2 + 2 * 2 + 2
    assert shapes.jordan_parameter_count(3, 2, 5) == (
        (3 * 2 + 5 * 2 + 2) + (2 * 5 + 5)
    )


def test_parameter_counts_of_the_lstm_with_options():
    # 3 features, 2 units; sums of matrix sizes, weight after weight.
    def count(**options):
        return shapes.lstm_parameter_count(3, 2, **options)

    assert count() == count(variant="NP") == 3 * 8 + 2 * 8 + 8
    for variant in ("NIG", "NFG", "NOG", "CIFG"):
        assert count(variant=variant) == 3 * 6 + 2 * 6 + 6
        assert count(variant=variant, peepholes=True) == 36 + 2 * 2
    for variant in (None, "NIAF", "NOAF"):
        assert count(variant=variant, peepholes=True) == 48 + 3 * 2
    assert count(variant="FGR") == 48 + 6 * 6
    assert count(layer_normalization=True) == 48 + 8 + 8 + 2 + 2
    assert count(projection_units=5) == 3 * 8 + 5 * 8 + 8 + 2 * 5


def test_parameter_count_of_an_unknown_variant_names_the_known():
    with pytest.raises(ValueError, match="one of NIG, .*, FGR, got 'GRU'"):
        shapes.lstm_parameter_count(3, 2, variant="GRU")
