"""BMP pictures of every depth, decoded inside the TensorFlow graph.

TensorFlow itself takes the numbers of a palette for shades of grey, and reads
neither 1 nor 16 bits a pixel. Not read is run-length compression.
"""

from typing import NamedTuple

import tensorflow as tf

SIGNATURE = b"BM"
_HEADER = 14 + 124  # Bytes of the longest.
_OLD = 12  # Bytes of the header of OS/2, which has other fields.
_PLAIN, _MASKS = 0, 3  # Kinds of compression that are none.
_MASKS_AT = 54
_ALPHA_FROM = 56  # Bytes of headers that have a mask for alpha, too.
# Where 16 bits have no masks of their own: five for each colour.
_MASKS_16 = (0x7C00, 0x03E0, 0x001F, 0)
_MASKS_32 = (0xFF0000, 0x00FF00, 0x0000FF, 0)


class Header(NamedTuple):
    """The fields of a BMP's header, <int64>[] but for the masks.

    Attributes:
        pixels_at: where the pixels begin.
        size: bytes of the second part of the header.
        width: pixels of a row.
        height: rows; negative if the first is on top.
        depth: bits of a pixel.
        compression: one of the kinds above, or another.
        masks: <int64>[4], of red, green, blue and alpha, if it has some.
    """

    pixels_at: tf.Tensor
    size: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    depth: tf.Tensor
    compression: tf.Tensor
    masks: tf.Tensor


def num_pixels(content: tf.Tensor) -> tf.Tensor:
    """Reads the number of pixels <int64>[] from the header of a BMP."""
    header = _read_header(content)
    return tf.abs(header.height) * header.width


def is_supported(content: tf.Tensor) -> tf.Tensor:
    """Checks that a BMP is not compressed, and has a depth that is known."""
    return _is_supported(_read_header(content))


def decode_bmp(content: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP.

    Args:
        content: <string>[], of a file.

    Returns:
        <uint8>[height, width, 3], RGB. What is transparent, by a mask for it,
        stands before white. A file that breaks off, or is not `is_supported`,
        is an error of TensorFlow.
    """
    header = _read_header(content)
    num_rows = tf.abs(header.height)
    row_bytes = (header.width * header.depth + 31) // 32 * 4
    body = tf.strings.substr(content, header.pixels_at, num_rows * row_bytes)
    body = tf.where(_is_supported(header), body, "")  # Too little.
    rows = tf.reshape(tf.io.decode_raw(body, tf.uint8), [num_rows, row_bytes])
    pixels = tf.case(
        [
            (header.depth <= 8, lambda: _decode_palette(content, header, rows)),
            (header.depth == 24, lambda: _decode_bytes(rows, header.width)),
        ],
        lambda: _decode_masks(header, rows),
    )
    # The first row is the lowest, unless the height is negative.
    axes = tf.boolean_mask([0], [header.height > 0])
    return tf.reverse(pixels, axes)


def _read_header(content: tf.Tensor) -> Header:
    # Zeros where there are fewer.
    start = tf.strings.substr(content + bytes(_HEADER), 0, _HEADER)
    halves = tf.cast(tf.io.decode_raw(start, tf.uint16), tf.int64)

    def read(position: int) -> tf.Tensor:
        return halves[position // 2] + 2**16 * halves[position // 2 + 1]

    size = read(14)
    is_old = size == _OLD
    height = read(22)
    height = tf.where(height >= 2**31, height - 2**32, height)
    masks = [read(_MASKS_AT + 4 * place) for place in range(4)]
    # The shortest header has three masks behind it, and then the pixels.
    masks[3] *= tf.cast(size >= _ALPHA_FROM, tf.int64)
    return Header(
        pixels_at=read(10),
        size=size,
        width=tf.where(is_old, halves[9], read(18)),
        height=tf.where(is_old, halves[10], height),
        depth=tf.where(is_old, halves[12], halves[14]),
        compression=read(30) * tf.cast(~is_old, tf.int64),
        masks=tf.stack(masks),
    )


def _is_supported(header: Header) -> tf.Tensor:
    depths = tf.constant([1, 2, 4, 8, 16, 24, 32], tf.int64)
    is_known = tf.reduce_any(header.depth == depths)
    has_masks = (header.compression == _MASKS) & (header.depth >= 16)
    is_plain = (header.compression == _PLAIN) | has_masks
    return is_known & is_plain & (header.height != 0) & (header.width > 0)


def _decode_palette(
    content: tf.Tensor, header: Header, rows: tf.Tensor
) -> tf.Tensor:
    """Looks up the colours of rows <uint8>[height, bytes]."""
    # The leftmost pixel is in the highest bits.
    shifts = tf.range(8 - header.depth, -1, -header.depth)
    numbers = tf.bitwise.right_shift(
        rows[:, :, None], tf.cast(shifts, tf.uint8)
    )
    highest = tf.cast(2**header.depth - 1, tf.uint8)
    numbers = tf.bitwise.bitwise_and(numbers, highest)
    numbers = tf.reshape(numbers, [tf.shape(rows)[0], -1])[:, : header.width]
    palette = _read_palette(content, header)
    return tf.gather(palette, tf.cast(numbers, tf.int32))


def _read_palette(content: tf.Tensor, header: Header) -> tf.Tensor:
    """Reads the colours <uint8>[256, 3], RGB; black after the last."""
    entry = 4 - tf.cast(header.size == _OLD, tf.int64)
    start = 14 + header.size
    num_colours = tf.minimum(
        (header.pixels_at - start) // entry, 2**header.depth
    )
    field = tf.strings.substr(content, start, num_colours * entry)
    colours = tf.reshape(tf.io.decode_raw(field, tf.uint8), [-1, entry])
    padding = [[0, 256 - tf.shape(colours)[0]], [0, 0]]
    return tf.pad(tf.reverse(colours[:, :3], [1]), padding)


def _decode_bytes(rows: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    colours = tf.reshape(rows[:, : 3 * width], [tf.shape(rows)[0], -1, 3])
    return tf.reverse(colours, [2])


def _decode_masks(header: Header, rows: tf.Tensor) -> tf.Tensor:
    """Decodes rows <uint8>[height, bytes] of 16 or 32 bits a pixel."""
    shape = [tf.shape(rows)[0], -1]
    words = tf.cond(
        header.depth == 16,
        lambda: tf.cast(
            tf.bitcast(tf.reshape(rows, [*shape, 2]), tf.uint16), tf.uint32
        ),
        lambda: tf.bitcast(tf.reshape(rows, [*shape, 4]), tf.uint32),
    )[:, : header.width]
    usual = tf.where(
        header.depth == 16,
        tf.constant(_MASKS_16, tf.int64),
        tf.constant(_MASKS_32, tf.int64),
    )
    masks = tf.where(header.compression == _MASKS, header.masks, usual)
    picked = tf.bitwise.bitwise_and(words[..., None], tf.cast(masks, tf.uint32))
    values = tf.math.divide_no_nan(
        tf.cast(picked, tf.float32) * 255, tf.cast(masks, tf.float32)
    )
    share = tf.where(masks[3] > 0, values[..., 3:] / 255, 1.0)
    mixed = values[..., :3] * share + 255 * (1 - share)
    # Shades between two are rounded down, as other programs do.
    return tf.cast(mixed + 0.001, tf.uint8)
