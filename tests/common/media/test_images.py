import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.skipped import Skipped
from common.media import images
from tests.support.images import (
    ANIMATED_GIF,
    BLUE,
    CLEAR_PALETTE_PNG,
    CMYK_JPEG,
    JPEG,
    NOISE,
    PALETTE_PNG,
    PNG,
    RED,
    bmp,
    grey_png,
)


def exact(content, size):
    return images.decode_image(tf.constant(content), size).numpy()


def one_colour(content, size=4):
    values = exact(content, size)
    assert np.ptp(values, axis=(0, 1)).max() < 0.01
    return values[0, 0]


def resized(pixels, size):
    return tf.image.resize(pixels, [size, size], antialias=True).numpy()


# Formats


@pytest.mark.parametrize("content", [PNG, bmp(NOISE)], ids=["png", "bmp"])
def test_lossless_formats_give_the_pixels_back(content):
    found = images._decode(tf.constant(content))
    np.testing.assert_array_equal(found, NOISE)
    np.testing.assert_allclose(exact(content, 12), resized(NOISE, 12))


def test_jpeg_is_decoded_as_tensorflow_does():
    expected = tf.io.decode_jpeg(JPEG)
    np.testing.assert_allclose(exact(JPEG, 12), resized(expected, 12))


def test_cmyk_jpeg():
    np.testing.assert_allclose(one_colour(CMYK_JPEG), RED, atol=8)


def test_the_first_frame_of_an_animation():
    np.testing.assert_allclose(one_colour(ANIMATED_GIF), RED, atol=1)


@pytest.mark.parametrize("encode", [tf.io.encode_jpeg, tf.io.encode_png])
def test_greyscale_becomes_three_equal_channels(encode):
    content = encode(NOISE[:, :, :1]).numpy()
    values = exact(content, 8)
    np.testing.assert_array_equal(values[..., 0], values[..., 1])
    np.testing.assert_array_equal(values[..., 0], values[..., 2])
    expected = resized(NOISE[:, :, :1], 8)
    if encode is tf.io.encode_png:
        np.testing.assert_allclose(values[..., :1], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_of_16_bits(channels):
    deep = NOISE[..., :channels].astype(np.uint16) * 257
    found = images._decode(tf.constant(tf.io.encode_png(deep).numpy()))
    expected = np.broadcast_to(NOISE[..., :channels], NOISE.shape)
    np.testing.assert_allclose(found, expected, atol=1)


def test_palettes():
    found = images._decode(tf.constant(PALETTE_PNG))
    np.testing.assert_array_equal(found[0], [RED, RED, RED, BLUE])
    found = images._decode(tf.constant(CLEAR_PALETTE_PNG))
    np.testing.assert_array_equal(found[0], [[255] * 3] * 3 + [BLUE])


@pytest.mark.parametrize(
    ("alpha", "expected"), [(255, RED), (0, [255] * 3), (51, [244, 210, 216])]
)
def test_transparent_pixels_stand_before_white(alpha, expected):
    picture = np.array([[[*RED, alpha]] * 3] * 3, np.uint8)
    content = tf.io.encode_png(picture).numpy()
    np.testing.assert_allclose(one_colour(content), expected, atol=0.01)


def test_transparent_greyscale():
    picture = np.array([[[100, 255], [100, 0]]], np.uint8)
    found = images._decode(tf.constant(tf.io.encode_png(picture).numpy()))
    np.testing.assert_array_equal(found, [[[100] * 3, [255] * 3]])


# Sizes


def test_one_pixel_fills_the_square():
    picture = np.array([[RED]], np.uint8)
    for content in (tf.io.encode_png(picture).numpy(), bmp(picture)):
        np.testing.assert_allclose(one_colour(content, 16), RED, atol=0.01)


def test_a_picture_is_squeezed_not_cropped():
    picture = np.zeros([10, 100, 3], np.uint8)
    picture[:, 50:] = 255
    values = exact(tf.io.encode_png(picture).numpy(), 4)[..., 0]
    np.testing.assert_allclose(values, [[0, 0, 255, 255]] * 4, atol=32)


def test_the_largest_picture_passes_and_larger_ones_do_not(monkeypatch):
    assert images.MAX_PIXELS == 10_000 * 10_000
    monkeypatch.setattr(images, "MAX_PIXELS", 600)
    larger = np.zeros([20, 31, 3], np.uint8)
    for encode in (tf.io.encode_png, tf.io.encode_jpeg, bmp):
        content, too_large = (
            made if isinstance(made := encode(x), bytes) else made.numpy()
            for x in (NOISE, larger)
        )
        assert images.decode_error(content) is None
        assert images.decode_error(too_large) == "more than 600 pixels"
        with pytest.raises(tf.errors.OpError):
            exact(too_large, 8)


def test_what_a_head_promises_is_not_allocated():
    bomb = grey_png(1, 1).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000)
    )
    assert images.decode_error(bomb) == "more than 100,000,000 pixels"


@pytest.mark.slow
def test_ten_thousand_squared():
    content = grey_png(10_000, 10_000)
    assert images.decode_error(content) is None
    np.testing.assert_allclose(one_colour(content), [0, 0, 0])


# Batches


def test_a_batch_is_its_pictures():
    contents = [JPEG, PNG, CMYK_JPEG, ANIMATED_GIF, bmp(NOISE)]
    found, is_read = images.decode_batch(tf.constant(contents), 16)
    assert is_read.numpy().all()
    for values, content in zip(found, contents, strict=True):
        np.testing.assert_allclose(values, exact(content, 16))


def test_rows_that_are_no_pictures_leave_the_others_alone():
    contents = [b"", PNG, b"a text", JPEG[:300], b"BMW", JPEG, PNG[:60]]
    found, is_read = images.decode_batch(tf.constant(contents), 16)
    good = [False, True, False, False, False, True, False]
    assert is_read.numpy().tolist() == good
    for values, content, is_good in zip(found, contents, good, strict=True):
        expected = exact(content, 16) if is_good else images.GREY
        np.testing.assert_allclose(
            values, np.broadcast_to(expected, [16] * 2 + [3])
        )


@pytest.mark.parametrize("contents", [[], [b""], [b"", b"x"]])
def test_batches_without_a_picture(contents):
    found, is_read = images.decode_batch(tf.constant(contents, tf.string), 8)
    assert found.shape == (len(contents), 8, 8, 3)
    assert is_read.numpy().tolist() == [False] * len(contents)


def test_graph_dataset_and_saved_model_give_the_same_pixels(tmp_path):
    module = tf.Module()
    module.read = tf.function(
        lambda contents: images.decode_batch(contents, 16)[0],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    contents = tf.constant([JPEG, PNG, b"", CLEAR_PALETTE_PNG])
    expected = images.decode_batch(contents, 16)[0]
    np.testing.assert_array_equal(loaded.read(contents), expected)
    dataset = tf.data.Dataset.from_tensors(contents)
    (mapped,) = dataset.map(lambda x: images.decode_batch(x, 16)[0])
    np.testing.assert_array_equal(mapped, expected)


def test_formats_are_recognised_by_their_first_bytes():
    good = [JPEG, PNG, ANIMATED_GIF, bmp(NOISE), b"\xff\xd8\xff"]
    # The decoder would take it.
    strange = ANIMATED_GIF.replace(b"GIF87a", b"GIF88a")
    assert images.decode_error(strange) == "not a picture"
    assert not images.decode_batch(tf.constant([strange]), 8)[1]
    bad = [b"", b"\xff\xd8", b"text", JPEG[1:], b"GIF88a", b"\x89PNG"]
    found = images.has_image_signature(tf.constant(good + bad)).numpy().tolist()
    assert found == [True] * len(good) + [False] * len(bad)


# What is wrong


def test_problems_have_words(tmp_path):
    text = tmp_path / "text.jpg"
    text.write_bytes(b"these are words")
    assert images.decode_error(text) == "not a picture"
    assert (
        images.decode_error(tmp_path / "no.jpg") == "No such file or directory"
    )
    assert images.decode_error(tmp_path) == "not a file"
    assert images.decode_error(b"") == "empty file"
    good = tmp_path / "good.jpg"
    good.write_bytes(JPEG)
    assert images.decode_error(good) is None
    np.testing.assert_array_equal(
        images.load_image(good), tf.io.decode_jpeg(JPEG)
    )


@pytest.mark.parametrize("content", [JPEG, PNG, bmp(NOISE)])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_picture_that_breaks_off(content, share):
    cut = content[: int(len(content) * share)]
    assert images.decode_error(cut) == "truncated or damaged"


def test_many_are_checked_at_once(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    pictures = {
        "good": PNG,
        "cut": JPEG[:-9],
        "file": str(path),
        "gone": tmp_path / "b.png",
        "text": b"words",
    }
    expected = {
        "cut": "truncated or damaged",
        "gone": "No such file or directory",
        "text": "not a picture",
    }
    assert images.find_unreadable(pictures) == expected
    assert images.find_unreadable({}) == {}
    skipped = Skipped()
    kept = images.drop_unreadable(pictures, skipped)
    assert kept == {"good": PNG, "file": str(path)}
    assert skipped.counts == dict.fromkeys(expected.values(), 1)


SMALL_PNG = exact(PNG, 8)
decode_batch = tf.function(
    lambda contents: images.decode_batch(contents, 8),
    input_signature=[tf.TensorSpec([None], tf.string)],
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([JPEG, PNG, ANIMATED_GIF, CMYK_JPEG, bmp(NOISE)]),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=5
    ),
    st.integers(0, 10_000),
)
def test_no_bytes_do_harm(content, changes, length):
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    changed = bytes(changed[:length])
    reason = images.decode_error(changed)
    found, is_read = decode_batch(tf.constant([changed, PNG]))
    assert is_read.numpy().tolist() == [reason is None, True]
    np.testing.assert_allclose(found[1], SMALL_PNG)
    assert 0 <= found[0].numpy().min() <= found[0].numpy().max() <= 255.01


def test_sizes_are_those_of_the_decoded_picture(tmp_path):
    wide = np.zeros([3, 5, 3], np.uint8)
    for content in [
        tf.io.encode_jpeg(wide).numpy(),
        tf.io.encode_png(wide).numpy(),
        bmp(wide),
    ]:
        assert images.read_size(content) == (3, 5)
    assert images.read_size(ANIMATED_GIF) == (2, 4)
    (tmp_path / "a.png").write_bytes(PNG)
    assert images.read_size(tmp_path / "a.png") == (20, 30)
