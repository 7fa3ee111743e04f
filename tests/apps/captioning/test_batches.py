"""Captions as words, and batches of images and captions."""

import os

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import batches, data, text
from apps.captioning.config import Config
from apps.captioning.datasets import Example
from common.metrics.caption_tokens import tokenize
from tests.support.images import grey_png

VOCABULARY = ["a", "dog", "runs", "the", "'s", "n't", "does"]
EXAMPLES = [
    Example("0.png", "0.png", ("a dog", "the dog runs")),
    Example("1.png", "1.png", ("a dog runs the dog", "dog", "a cat")),
]


class NumberLoader:
    """Images that are their own number."""

    def load(self, numbers):
        return tf.cast(numbers, tf.float32)[:, None, None]


def encode(examples=EXAMPLES):
    config = Config(max_words=4)
    encoded = data.encode(examples, None, VOCABULARY, config)
    return encoded._replace(images=NumberLoader())


def rows(dataset):
    """(image, caption) of each row, captions as tuples of ids."""
    for (images, ids), labels, weights in dataset.as_numpy_iterator():
        for image, row, label, weight in zip(
            images, ids, labels, weights, strict=True
        ):
            length = int(weight.sum())
            assert (weight[:length] == 1).all() and not weight[length:].any()
            assert row[0] == text.START_ID
            assert (row[1:length] == label[: length - 1]).all()
            assert label[length - 1] == text.END_ID
            assert not row[length:].any() and not label[length:].any()
            yield int(image[0, 0]), tuple(label[: length - 1].tolist())


def test_each_caption_stands_beside_its_image():
    config = Config(passes=1, batch_size=2)
    pairs = sorted(rows(batches.make_batches(encode(), config)))
    assert pairs == [
        (0, (4, 5)),
        (0, (7, 5, 6)),
        (1, (4, 1)),  # "cat" is unknown.
        (1, (4, 5, 6, 7)),  # Cut after four words.
        (1, (5,)),
    ]


def test_an_epoch_has_its_own_order_and_a_seed_repeats_it():
    many = [Example(f"{k}", "", ("a dog",)) for k in range(40)]
    config = Config(passes=1, batch_size=4)
    orders = [
        list(rows(batches.make_batches(encode(many), config, epoch)))
        for epoch in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_an_epoch_can_begin_in_its_middle():
    config = Config(passes=1, batch_size=2)
    complete = list(
        batches.make_batches(encode(), config, 3).as_numpy_iterator()
    )
    rest = batches.make_batches(encode(), config, 3, start=1)
    assert len(rest) == len(complete) - 1
    for one, other in zip(rest.as_numpy_iterator(), complete[1:], strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@pytest.mark.slow
def test_an_epoch_may_draw_one_caption_of_each_image():
    config = Config(passes=1, batch_size=2, captions_per_image=1)
    epochs = {
        tuple(sorted(rows(batches.make_batches(encode(), config, epoch))))
        for epoch in range(20)
    }
    assert all([image for image, _ in epoch] == [0, 1] for epoch in epochs)
    assert len(epochs) > 3
    # Validation takes all of them.
    assert len(list(rows(batches.make_batches(encode(), config)))) == 5


def test_more_captions_than_there_are_take_them_all():
    images = np.array([0, 0, 1])
    chosen = batches.sample_captions(images, 2, np.random.default_rng(0))
    assert chosen.tolist() == [0, 1, 2]


def test_what_is_written_has_the_words_that_were_read():
    caption = "The dog's dog doesn't run, a dog runs."
    words = tokenize(caption)
    ids = text.map_to_ids(VOCABULARY)
    written = text.Writer(VOCABULARY)(
        tf.constant([text.encode_caption(caption, ids, 100)])
    )
    assert written.numpy()[0] == b"the dog's dog doesn't a dog runs"
    expected = [word for word in words if word in VOCABULARY]
    assert tokenize(written.numpy()[0].decode()) == expected


def test_characters_without_spaces_are_written_without():
    words = ["黑", "色", "ラ", "ー", "メ", "红", "a", "t-shirt"]
    written = text.Writer(words)(tf.constant([[10, 4, 5, 6, 7, 8, 11, 9]]))
    assert written.numpy()[0].decode() == "a 黑色ラーメ t-shirt 红"
    assert tokenize(written.numpy()[0].decode()) == [
        *["a", "黑", "色", "ラ", "ー", "メ", "t-shirt", "红"],
    ]


def test_no_words_are_an_empty_caption():
    writer = text.Writer(VOCABULARY)
    assert writer(tf.constant([[3, 3], [0, 0]])).numpy().tolist() == [b"", b""]
    assert writer(tf.zeros([0, 4, 3], tf.int32)).shape == (0, 4)


def test_rare_words_are_left_out_and_the_vocabulary_has_its_size():
    captions = ["b b b a a a c c", "d"]
    assert text.learn_vocabulary(captions, 2, 100) == ["a", "b", "c"]
    assert text.learn_vocabulary(captions, 1, text.NUM_SPECIAL + 2) == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("num_buckets", [1, 3])
def test_few_shapes(num_buckets):
    rng = np.random.default_rng(0)
    many = [
        Example(f"{k}", "", (" ".join(["dog"] * rng.integers(1, 5)),))
        for k in range(200)
    ]
    config = Config(passes=1, batch_size=8, num_buckets=num_buckets)
    shapes = {
        labels.shape[1]
        for _, labels, _ in batches.make_batches(encode(many), config, 0)
    }
    assert len(shapes) <= num_buckets


def test_names_of_pictures_need_not_be_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"m\xe4\xdfig.png")
    path.write_bytes(grey_png(4, 4))
    loader = batches.PictureLoader([Example("a", str(path), ("a",))], 8)
    assert loader.load(tf.constant([0])).shape == [1, 8, 8, 3]
