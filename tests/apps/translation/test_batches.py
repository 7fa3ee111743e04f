import numpy as np
import pytest

from apps.translation import batches, text
from apps.translation.config import Config

LENGTHS = [
    *[(3, 2), (1, 1), (7, 9), (17, 15), (2, 3), (5, 5), (8, 6), (30, 31)],
    *[(4, 3), (6, 7), (20, 19), (11, 21), (22, 22), (25, 20)],
]


def sequences(column, offset):
    lengths = [couple[column] for couple in LENGTHS]
    ids = np.repeat(np.arange(len(LENGTHS)) + offset, lengths)
    return batches.Sequences(ids.astype(np.int32), np.cumsum([0, *lengths]))


@pytest.fixture
def pairs():
    """Pair n consists of ids n + 10, its translation of ids n + 50."""
    return batches.Encoded(sequences(0, 10), sequences(1, 50))


def make_batches(pairs, epoch=None, start=0, **options):
    config = Config(
        **{"passes": 1, "batch_tokens": 64, "num_buckets": 2} | options
    )
    dataset = batches.make_batches(pairs, config, epoch, start)
    result = list(dataset.as_numpy_iterator())
    assert dataset.cardinality() == len(result)
    return result


def order(result):
    return [
        n for (source, _), *_ in result for n in (source[:, 0] - 10).tolist()
    ]


@pytest.mark.parametrize("epoch", [None, 0, 1])
def test_every_pair_comes_once_padded_on_the_right(pairs, epoch):
    result = make_batches(pairs, epoch)
    assert sorted(order(result)) == list(range(len(LENGTHS)))
    for batch in result:
        (source, before), labels, weights = batch
        assert source.shape == before.shape == labels.shape == weights.shape
        assert weights.dtype == np.float32
        for row, number in enumerate(order([batch])):
            num_source, num_target = LENGTHS[number]
            told = [number + 50] * num_target
            sides = (
                (source, [number + 10] * num_source + [text.END_ID]),
                (before, [text.START_ID, *told]),
                (labels, [*told, text.END_ID]),
                (weights, [1] * (num_target + 1)),
            )
            for side, expected in sides:
                num_real = len(expected)
                assert side[row, :num_real].tolist() == expected
                assert (side[row, num_real:] == text.PADDING_ID).all()


def test_shapes_are_few_and_fixed(pairs):
    shapes = [labels.shape for _, labels, _ in make_batches(pairs, epoch=0)]
    assert set(shapes) == {(5, 12), (2, 32), (1, 32)}
    assert shapes.count((1, 32)) == 1  # What is left.
    one = {labels.shape for _, labels, _ in make_batches(pairs, num_buckets=1)}
    assert one == {(2, 32)}


@pytest.mark.parametrize("batch_tokens", [33, 64, 100])
def test_no_batch_has_more_tokens_than_allowed(pairs, batch_tokens):
    result = make_batches(pairs, num_buckets=4, batch_tokens=batch_tokens)
    assert all(labels.size <= batch_tokens for _, labels, _ in result)


def test_a_sentence_longer_than_a_batch_stands_alone(pairs):
    result = make_batches(pairs, batch_tokens=1)
    assert [len(labels) for _, labels, _ in result] == [1] * len(LENGTHS)


def test_order_follows_seed_and_epoch(pairs):
    first = order(make_batches(pairs, epoch=1))
    assert order(make_batches(pairs, epoch=1)) == first
    assert order(make_batches(pairs, epoch=2)) != first
    assert order(make_batches(pairs, epoch=1, seed=1)) != first


def test_without_an_epoch_the_order_is_that_of_the_data(pairs):
    assert order(make_batches(pairs, num_buckets=1)) == list(
        range(len(LENGTHS))
    )


def test_an_epoch_goes_on_where_it_was_left(pairs):
    whole = make_batches(pairs, epoch=1)
    rest = make_batches(pairs, epoch=1, start=2)
    assert len(rest) == len(whole) - 2
    assert order(rest) == order(whole[2:])
    assert make_batches(pairs, epoch=1, start=len(whole)) == []


def test_target_tokens_are_counted_with_their_ends(pairs):
    labels = [labels for _, labels, _ in make_batches(pairs)]
    num_real = sum((ids != text.PADDING_ID).sum() for ids in labels)
    assert pairs.num_target_tokens == num_real
