"""Batches: every example once, few shapes, an order by seed and epoch."""

import numpy as np
import pytest

from apps.sentiment import text
from apps.sentiment.batches import Encoded, make_batches
from apps.sentiment.config import Config

LENGTHS = [3, 1, 9, 17, 2, 5, 8, 30, 4, 6, 7, 20, 21, 22, 25]


@pytest.fixture
def examples():
    starts = np.cumsum([0, *LENGTHS])
    ids = np.repeat(np.arange(len(LENGTHS)) + 10, LENGTHS)
    return Encoded(ids.astype(np.int32), starts, np.arange(len(LENGTHS)))


def batches(examples, epoch=None, start=0, seed=0):
    config = Config(passes=1, batch_size=4, num_buckets=2, seed=seed)
    dataset = make_batches(examples, config, epoch, start)
    rows = list(dataset.as_numpy_iterator())
    assert dataset.cardinality() == len(rows)
    return rows


def order(rows):
    return [label for _, labels in rows for label in labels.tolist()]


@pytest.mark.parametrize("epoch", [None, 0, 1])
def test_every_example_comes_once_padded_on_the_right(examples, epoch):
    rows = batches(examples, epoch)
    assert sorted(order(rows)) == list(range(len(LENGTHS)))
    for ids, labels in rows:
        for row, label in zip(ids, labels, strict=True):
            length = LENGTHS[label]
            assert row[:length].tolist() == [label + 10] * length
            assert set(row[length:].tolist()) <= {text.PADDING_ID}


def test_shapes_are_few_and_fixed(examples):
    shapes = {ids.shape for ids, _ in batches(examples, epoch=0)}
    assert shapes == {(4, 8), (4, 32), (3, 32)}  # The last is what is left.


def test_order_follows_seed_and_epoch(examples):
    first = order(batches(examples, epoch=1))
    assert order(batches(examples, epoch=1)) == first
    assert order(batches(examples, epoch=2)) != first
    assert order(batches(examples, epoch=1, seed=1)) != first


def test_an_epoch_goes_on_where_it_was_left(examples):
    rest = order(batches(examples, epoch=1, start=2))
    assert order(batches(examples, epoch=1))[-len(rest) :] == rest
    assert len(batches(examples, epoch=1, start=2)) == 2
