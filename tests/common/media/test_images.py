import io
import itertools
import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from common.data.skipped import Skipped
from common.errors import UserError
from common.media import folders, gifs, images, orientation, videos
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


# Formats that TensorFlow reads otherwise, beside Pillow


def pack(picture, kind, **options):
    with io.BytesIO() as file:
        picture.save(file, kind, **options)
        return file.getvalue()


def show(content):
    """Pixels as Pillow shows them before white."""
    picture = Image.open(io.BytesIO(content))
    picture = ImageOps.exif_transpose(picture).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return np.asarray(white.convert("RGB")).astype(int)


def load(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    return images.load_image(tmp_path / "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_pictures_are_turned_as_their_exif_data_say(kind, tmp_path):
    picture = Image.fromarray(NOISE[::, ::-1])
    for number, order in itertools.product(range(1, 9), "<>"):
        exif = Image.Exif()
        exif.endian = order
        exif[0x010E] = "a text that comes before it"
        exif[0x0112] = number
        content = pack(picture, kind, exif=exif, icc_profile=bytes(3000))
        upright = load(content, tmp_path)
        np.testing.assert_allclose(upright, show(content), atol=5)
        np.testing.assert_allclose(
            exact(content, 12), resized(upright, 12), atol=0.001
        )


@pytest.mark.slow
def test_broken_exif_data_turn_nothing():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = pack(Image.fromarray(NOISE), "JPEG", exif=exif)
    start = content.index(b"Exif")
    for place in (*range(start, start + 20), start + 24):
        for value in (0, 255):
            changed = bytearray(content)
            changed[place] = value
            number = orientation.read_orientation(tf.constant(bytes(changed)))
            assert number.numpy() in (1, 6)
    for length in range(start + 40):
        cut = tf.constant(content[:length])
        assert orientation.read_orientation(cut).numpy() in (1, 6)


def bmp_of(depth, pixels, palette=(), masks=(), compression=0, height=2):
    """A BMP of rows of bytes, from the bottom."""
    fields = (40, 3, height, 1, depth, compression, 0, 0, 0, 0, 0)
    table = b"".join(bytes([b, g, r, 0]) for r, g, b in palette)
    table += struct.pack(f"<{len(masks)}I", *masks)
    info = struct.pack("<IiiHHIIiiII", *fields) + table
    head = struct.pack("<2sIII", b"BM", 0, 0, 14 + len(info))
    return head + info + bytes(pixels)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bmp_of_every_depth_of_pillow(mode, tmp_path):
    picture = Image.fromarray(NOISE).convert("RGB")
    picture = picture.quantize(200) if mode == "P" else picture.convert(mode)
    content = pack(picture, "BMP")
    np.testing.assert_array_equal(load(content, tmp_path), show(content))


def test_bmp_by_hand(tmp_path):
    red, blue, lime = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    expected = [[red, blue, lime], [lime, lime, red]]
    rows = {  # The lower row first.
        2: [0b10_10_00_00, 0, 0, 0, 0b00_01_10_00, 0, 0, 0],
        4: [0x22, 0x00, 0, 0, 0x01, 0x20, 0, 0],
    }
    for depth, pixels in rows.items():
        content = bmp_of(depth, pixels, [red, blue, lime])
        np.testing.assert_array_equal(load(content, tmp_path), expected)
    words = {  # As a 5, 5, 5 by default, or as masks say.
        (): [0x03E0, 0x03E0, 0x7C00, 0, 0x7C00, 0x001F, 0x03E0, 0],
        (0xF800, 0x07E0, 0x001F): [
            *[0x07E0, 0x07E0, 0xF800, 0],
            *[0xF800, 0x001F, 0x07E0, 0],
        ],
    }
    for masks, numbers in words.items():
        pixels = struct.pack("<8H", *numbers)
        content = bmp_of(16, pixels, (), masks, 3 if masks else 0)
        np.testing.assert_array_equal(load(content, tmp_path), expected)
        turned = bmp_of(16, pixels, (), masks, 3 if masks else 0, -2)
        np.testing.assert_array_equal(load(turned, tmp_path), expected[::-1])
    packed = bmp_of(8, [3, 0, 0, 1], [red], compression=1)
    assert images.decode_error(packed) == (
        "compressed BMP: convert it to JPEG or PNG"
    )


def test_what_is_transparent_in_a_gif_is_white(tmp_path):
    content = pack(Image.fromarray(NOISE).quantize(8), "GIF", transparency=3)
    np.testing.assert_array_equal(load(content, tmp_path), show(content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP: convert it to JPEG or PNG"),
        (b"II*\0\x08\0\0\0", "TIFF: convert it to JPEG or PNG"),
        (b"\0\0\0\x18ftypheic", "HEIC: convert it to JPEG or PNG"),
        (b"\0\0\0\x18ftypavif", "AVIF: convert it to JPEG or PNG"),
        (b"<?xml?>\n<svg></svg>", "SVG: convert it to JPEG or PNG"),
        (b"%PDF-1.7", "PDF: convert it to JPEG or PNG"),
        (b"\n<!DOCTYPE html>", "HTML page, not a picture"),
        (b"\0\0\0\x18ftypisom", "MP4 video, not a picture"),
        (b"version https://git-lfs", "Git LFS pointer, not a picture"),
        (bytes(9), "not a picture"),
    ],
)
def test_other_files_are_named_for_what_they_are(content, reason):
    assert images.decode_error(content) == reason


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


@pytest.mark.slow
def test_graph_dataset_and_saved_model_give_the_same_pixels(tmp_path):
    module = tf.Module()
    module.read = tf.function(
        lambda contents: images.decode_batch(contents, 16)[0],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(NOISE)
    turned = pack(picture, "JPEG", exif=exif)
    bitmap = pack(picture.quantize(9), "BMP")
    contents = tf.constant([JPEG, turned, b"", CLEAR_PALETTE_PNG, bitmap])
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
    assert images.decode_error(text) == "text, not a picture"
    assert (
        images.decode_error(tmp_path / "no.jpg") == "No such file or directory"
    )
    assert images.decode_error(tmp_path) == "a folder, not a file"
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


@pytest.mark.slow
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
        "text": "text, not a picture",
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


@pytest.mark.slow
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


def test_a_gif_is_measured_by_its_frame_and_cut_after_the_first():
    first = gifs.cut_to_first_frame(tf.constant(ANIMATED_GIF)).numpy()
    with Image.open(io.BytesIO(ANIMATED_GIF)) as whole:
        assert whole.n_frames > 1
        size = whole.size
    with Image.open(io.BytesIO(first)) as cut:
        assert (cut.n_frames, cut.size) == (1, size)
    # A head that says less than the frame has.
    small = ANIMATED_GIF[:6] + b"\1\0\1\0" + ANIMATED_GIF[10:]
    assert gifs.num_pixels(tf.constant(small)) == size[0] * size[1]
    large = ANIMATED_GIF[:6] + b"\xff\xff\xff\xff" + ANIMATED_GIF[10:]
    assert gifs.num_pixels(tf.constant(large)) == 65_535**2
    assert images.decode_error(large) == "more than 100,000,000 pixels"


@pytest.mark.parametrize("length", [0, 5, 10, 13, 20, -30, -1])
def test_a_gif_that_breaks_off_ends_the_search(length):
    content = tf.constant(ANIMATED_GIF[:length])
    assert gifs.num_pixels(content) >= 0
    assert len(gifs.cut_to_first_frame(content).numpy()) <= len(ANIMATED_GIF)


def make_gif(blocks, extensions=b""):
    """A picture of one pixel, with extensions before it and blocks in it."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHBB", 0, 0, 1, 1, 0, 2) + blocks + b"\0"
    return screen + extensions + frame


PIXEL = b"\x02\x44\x01"


@pytest.mark.parametrize(
    "extensions",
    [
        b"",
        b"!\xfe\1a\0",
        b"!\xfe\0\1a\0",
        b"!\xfe\x03a;,\x01!\0!\xf9\x04\0\0\0\0\0",
    ],
)
def test_a_gif_is_cut_behind_its_extensions_and_blocks(extensions):
    frame = make_gif(PIXEL, extensions)
    rest = frame[19 + len(extensions) :] + b";"
    cut = gifs.cut_to_first_frame(tf.constant(frame + rest)).numpy()
    assert cut == frame + b";"
    assert images.decode_error(frame + rest) is None


def test_a_gif_is_read_as_its_decoder_reads_it():
    """Which takes what follows an empty block of an extension for another."""
    large = b"," + struct.pack("<HHHH", 0, 0, 60_000, 60_000)
    content = make_gif(PIXEL, b"!\xfe\0\x2b" + bytes(43) + b"\0" + large)
    assert gifs.num_pixels(tf.constant(content)) == 60_000**2
    assert images.decode_error(content) == "more than 100,000,000 pixels"


def test_a_transparent_colour_that_is_none_changes_nothing():
    """White would be written beyond the palette, into the frame's size."""
    for index in (2, 3, 7, 255):
        control = b"!\xf9\4\1\0\0" + bytes([index]) + b"\0"
        content = tf.constant(make_gif(PIXEL, control))
        assert gifs.whiten_transparent(content) == content


@pytest.mark.parametrize(
    "content",
    [make_gif(b"\1a" * 12_000), make_gif(PIXEL, b"!\xfe\1a\0" * 6_000)],
    ids=["blocks", "extensions"],
)
def test_a_gif_of_more_blocks_than_any_encoder_writes_is_refused(content):
    assert gifs.cut_to_first_frame(tf.constant(content)).numpy() == b";"
    assert images.decode_error(content) == "truncated or damaged"


def test_a_png_is_measured_by_its_own_head():
    """Not by that of a chunk before it, which decoders pass over."""
    data = struct.pack(">II", 1, 1)
    first = struct.pack(">I", len(data)) + b"abCd" + data
    first += struct.pack(">I", zlib.crc32(b"abCd" + data))
    content = PNG[:8] + first + PNG[8:]
    assert images.decode_error(content) == "truncated or damaged"
    assert not images.decode_batch(tf.constant([content]), 4)[1].numpy().any()


def test_a_large_jpeg_of_many_scans_is_refused():
    packed = io.BytesIO()
    options = {"progressive": True, "optimize": True}
    Image.new("L", (1040, 1040)).save(packed, "JPEG", **options)
    content = packed.getvalue()
    assert images.decode_error(content) is None
    scan = content[content.rindex(b"\xff\xda") : -2]
    content = content[:-2] + 100 * scan + content[-2:]
    assert images.decode_error(content) == (
        "JPEG of too many scans: save it again"
    )
    assert not images.decode_batch(tf.constant([content]), 4)[1].numpy().any()


def test_a_pipe_is_no_picture(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert images.decode_error(tmp_path / "a.png") == (
        "a device or a pipe, not a file"
    )
    with pytest.raises(UserError, match="a pipe or a device, not a file"):
        videos.duration(tmp_path / "a.png", 0.0)


def test_links_to_themselves_are_visited_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"")
    for name in "bcdefgh":
        (tmp_path / "a" / name).symlink_to(tmp_path / "a")
    assert list(folders.walk(tmp_path)) == [
        (str(tmp_path), []),
        (str(tmp_path / "a"), ["x.png"]),
    ]
