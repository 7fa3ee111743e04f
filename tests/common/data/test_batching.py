import numpy as np
import pytest

from common.data import batching, splits

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


@pytest.mark.parametrize("multiple", [1, 4, 8, 50])
def test_widths_are_multiples_that_hold_the_longest(multiple):
    widths = batching.bucket_widths(LENGTHS, 5, multiple)
    assert all(width % multiple == 0 for width in widths)
    assert LENGTHS.max() <= widths[-1] < LENGTHS.max() + multiple
    assert widths == sorted(set(widths))


def test_without_rounding_buckets_hold_as_many_examples():
    widths = batching.bucket_widths(np.arange(1, 101), 4, multiple=1)
    assert widths == [26, 51, 76, 100]


SIZE_OF_WIDTH = {80: 9, 160: 5, 240: 4, 320: 3, 400: 2}


def sized_plan(seed=7):
    widths, sizes = zip(*SIZE_OF_WIDTH.items(), strict=True)
    generator = np.random.default_rng(seed)
    return batching.plan(LENGTHS, list(widths), sizes, generator)


def test_each_width_has_its_batch_size():
    plan = sized_plan()
    odd = [b for b in plan if len(b.indices) != SIZE_OF_WIDTH[b.width]]
    assert {batch.width for batch in plan} == set(SIZE_OF_WIDTH)
    assert len(odd) <= 1
    for batch in odd:
        assert batch.width == 400
        assert 0 < len(batch.indices) < 2


@pytest.mark.parametrize("seed", range(3))
def test_every_example_stands_in_one_batch_of_any_size(seed):
    plan = sized_plan(seed)
    seen = np.concatenate([batch.indices for batch in plan])
    assert sorted(seen) == list(range(1000))
    for batch in plan:
        assert LENGTHS[batch.indices].max() <= batch.width


def test_what_does_not_fill_its_batch_moves_to_the_next_width():
    lengths = np.array([1, 2, 3, 9, 9, 17])
    plan = batching.plan(lengths, [8, 16, 24], [2, 3, 4])
    assert [(b.indices.tolist(), b.width) for b in plan] == [
        ([0, 1], 8),
        ([2, 3, 4], 16),
        ([5], 24),
    ]


def test_one_size_for_all_is_the_same_as_one_for_each():
    widths = batching.bucket_widths(LENGTHS, 5)
    one = batching.plan(LENGTHS, widths, 32, rng())
    each = batching.plan(LENGTHS, widths, [32] * len(widths), rng())
    for a, b in zip(one, each, strict=True):
        assert a.width == b.width
        np.testing.assert_array_equal(a.indices, b.indices)


def test_sizes_for_other_widths_are_refused():
    with pytest.raises(ValueError, match="could not be broadcast"):
        batching.plan(np.array([3, 9]), [8, 16], [4, 2, 1])


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
    assert [splits.hash_bucket(text) for text in texts] == [6, 5, 4]


def test_a_text_with_a_lone_surrogate_has_a_part():
    assert splits.hash_bucket("bad \ud800 text") in range(10)


def test_sizes_that_nobody_chose_are_told():
    lengths = np.array([1, 2])
    with pytest.raises(
        ValueError, match="batch_size must be at least 1, got 0"
    ):
        batching.plan(lengths, [8], 0)
    with pytest.raises(ValueError, match="passes must be at least 1, got 0"):
        batching.repeat(lambda: batching.plan(lengths, [8], 2), 0)


def test_every_pass_has_each_example_in_another_order():
    rng = np.random.default_rng(0)
    lengths = np.arange(1, 9)
    planned = batching.repeat(lambda: batching.plan(lengths, [8], 8, rng), 3)
    orders = [batch.indices.tolist() for batch in planned]
    assert [sorted(order) for order in orders] == [list(range(8))] * 3
    assert len({tuple(order) for order in orders}) == 3
