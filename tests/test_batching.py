import numpy as np
import pytest

from common import batching, splits

LENGTHS = np.random.default_rng(3).integers(1, 401, 1000)


def rng():
    return np.random.default_rng(7)


def test_every_example_stands_in_exactly_one_batch():
    widths = batching.bucket_widths(LENGTHS, 5)
    plan = batching.plan(LENGTHS, widths, 32, rng())
    seen = np.concatenate([batch.indices for batch in plan])
    assert sorted(seen) == list(range(1000))


def test_batches_are_as_wide_as_their_bucket_and_hold_their_rows():
    widths = batching.bucket_widths(LENGTHS, 5)
    for batch in batching.plan(LENGTHS, widths, 32, rng()):
        assert batch.width in widths
        assert LENGTHS[batch.indices].max() <= batch.width


def test_only_one_batch_is_smaller():
    widths = batching.bucket_widths(LENGTHS, 5)
    sizes = [len(b.indices) for b in batching.plan(LENGTHS, widths, 32, rng())]
    assert sorted(sizes)[:2] == [1000 % 32, 32]


def test_order_follows_the_seed():
    widths = batching.bucket_widths(LENGTHS, 5)

    def order(seed):
        plan = batching.plan(LENGTHS, widths, 32, np.random.default_rng(seed))
        return np.concatenate([batch.indices for batch in plan]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_buckets_save_most_of_the_padding():
    def padded(num_buckets):
        widths = batching.bucket_widths(LENGTHS, num_buckets)
        plan = batching.plan(LENGTHS, widths, 32, rng())
        return sum(len(b.indices) * b.width for b in plan) / LENGTHS.sum() - 1

    assert padded(1) > 0.9
    assert padded(6) < 0.25


def test_equal_lengths_need_one_width_and_no_examples_no_batch():
    assert batching.bucket_widths(np.full(9, 5), 6) == [8]
    assert batching.plan(np.zeros(0, int), [8], 4) == []


def test_an_example_wider_than_all_buckets_is_refused():
    with pytest.raises(ValueError, match="must reach the longest example, 9"):
        batching.plan(np.array([3, 9]), [8], 4)


def test_a_hash_cuts_one_or_two_tenths():
    films = [f"film {number}" for number in range(5000)]
    both = [splits.split_of(film, ("valid", "test")) for film in films]
    assert both.count("train") == pytest.approx(4000, abs=100)
    assert both.count("valid") == pytest.approx(500, abs=100)
    one = [splits.split_of(film, ("valid",)) for film in films]
    assert one.count("train") == pytest.approx(4500, abs=100)
    assert {splits.split_of(film, ()) for film in films} == {"train"}


def test_the_hash_is_the_same_everywhere():
    texts = ("", "a good film", "日本語")
    assert [splits.part(text) for text in texts] == [6, 5, 4]


def test_a_text_with_a_lone_surrogate_has_a_part():
    assert splits.part("bad \ud800 text") in range(10)
