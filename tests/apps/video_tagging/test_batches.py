"""Batches of windows: every frame once an epoch, wherever they are cut."""

import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import batches
from apps.video_tagging.batches import Encoded, cut_windows
from apps.video_tagging.config import Config
from common.layers.crf import UNLABELLED

LENGTHS = [9, 1, 17, 4, 30, 8, 8]
SIZES = [0, 1, 3, 8, 100]


def encoded(lengths=LENGTHS):
    """Videos whose frames, labels and weights are their own number."""
    numbers = [
        np.arange(1, length + 1) + 1000 * video
        for video, length in enumerate(lengths)
    ]
    return Encoded(
        [f"v{k}" for k in range(len(lengths))],
        [np.stack([x, -x], axis=1).astype("f") for x in numbers],
        [x.astype(np.int32) for x in numbers],
        [x.astype("f") / 1000 for x in numbers],
    )


def rows(dataset):
    """The numbers of the frames of each row; checks its parts and padding."""
    for (frames, lengths), labels, weights in dataset.as_numpy_iterator():
        for row, length in enumerate(lengths):
            found = labels[row, :length]
            assert (np.diff(found) == 1).all()  # One video, in its order.
            np.testing.assert_array_equal(frames[row, :length, 0], found)
            np.testing.assert_array_equal(frames[row, :length, 1], -found)
            expected = found.astype("f") / 1000
            np.testing.assert_array_equal(weights[row, :length], expected)
            for part in (frames, labels, weights):
                assert not part[row, length:].any()
            yield tuple(found.tolist())


def every_frame():
    return np.concatenate(encoded().labels).tolist()


def epoch_of(epoch, start=0, **options):
    config = Config(passes=1, batch_size=3, **options)
    return batches.make_batches(encoded(), config, epoch, start)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_buckets", [1, 3])
def test_every_frame_is_there_once_an_epoch(size, num_buckets):
    for epoch in range(3):
        dataset = epoch_of(epoch, window=size, num_buckets=num_buckets)
        found = list(rows(dataset))
        assert sorted(x for row in found for x in row) == every_frame()
        assert max(map(len, found)) <= (size or max(LENGTHS))


@pytest.mark.parametrize("num_buckets", [1, 3])
def test_validation_has_whole_videos_in_their_order(num_buckets):
    config = Config(passes=1, batch_size=3, window=4, num_buckets=num_buckets)
    found = list(rows(batches.make_batches(encoded(), config)))
    assert [len(row) for row in found] == LENGTHS
    assert [row[0] for row in found] == [1 + 1000 * k for k in range(7)]


@pytest.mark.parametrize("size", [0, 5])
def test_an_epoch_has_its_own_order_and_a_seed_repeats_it(size):
    orders = [
        list(rows(epoch_of(epoch, window=size, seed=seed)))
        for epoch, seed in ((0, 1), (0, 1), (1, 1), (0, 2))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2] != orders[3] != orders[0]
    # Windows are cut elsewhere; whole videos stay whole.
    are_cut_alike = sorted(orders[0]) == sorted(orders[2])
    assert are_cut_alike == (size == 0)


@pytest.mark.parametrize("size", [0, 5])
def test_an_epoch_can_begin_in_its_middle(size):
    whole = list(epoch_of(3, window=size).as_numpy_iterator())
    rest = epoch_of(3, start=2, window=size)
    assert len(rest) == len(whole) - 2
    for one, other in zip(rest.as_numpy_iterator(), whole[2:], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_windows_have_their_size_but_at_the_ends():
    rng = np.random.default_rng(0)
    lengths = np.array([40, 3, 1])
    firsts = set()
    for _ in range(50):
        of_video = [x for x in cut_windows(lengths, 6, rng) if x.video == 0]
        firsts.add(of_video[0].length)
        assert all(x.length == 6 for x in of_video[1:-1])
        assert 1 <= of_video[-1].length <= 6
        assert sum(x.length for x in of_video) == 40
    assert firsts == {1, 2, 3, 4, 5, 6}


def test_one_shape_for_all_epochs_wherever_they_cut():
    shapes = {
        frames.shape[1:]
        for epoch in range(6)
        for (frames, _), _, _ in epoch_of(epoch, window=6)
    }
    ((width, _),) = shapes
    assert 6 <= width < max(LENGTHS)


def test_few_shapes_of_whole_videos():
    widths = {labels.shape[1] for _, labels, _ in epoch_of(0, num_buckets=3)}
    assert len(widths) <= 3
    assert max(widths) >= 30


def test_pixels_and_sets_of_tags():
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, [n, 4, 4, 3], np.uint8) for n in (3, 5)]
    sets = [rng.integers(0, 2, [n, 6]).astype("f") for n in (3, 5)]
    videos = Encoded(["a", "b"], pixels, sets, [np.ones(3), np.ones(5)])
    dataset = batches.make_batches(videos, Config(passes=1, batch_size=2))
    ((frames, lengths), labels, weights), *others = dataset
    assert not others
    assert (frames.dtype, labels.dtype) == (tf.uint8, tf.float32)
    assert (lengths.dtype, weights.dtype) == (tf.int32, tf.float32)
    for row, length in enumerate((3, 5)):
        np.testing.assert_array_equal(frames[row, :length], pixels[row])
        np.testing.assert_array_equal(labels[row, :length], sets[row])
        assert weights[row].numpy().sum() == length


def test_an_unlabelled_frame_is_no_padding():
    """It is read, and counts in the states of the recurrence."""
    videos = encoded([4])
    videos.labels[0][2] = UNLABELLED
    videos.weights[0][2] = 0
    ((frames, lengths), _, weights) = next(
        iter(batches.make_batches(videos, Config(batch_size=8)))
    )
    assert lengths.numpy().tolist() == [4]
    assert frames[0, 2, 0] == 3
    assert weights[0, 2] == 0 != weights[0, 3]
