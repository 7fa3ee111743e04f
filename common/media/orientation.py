"""The orientation of a JPEG or PNG, from its EXIF data.

Read and followed inside the TensorFlow graph; its decoders do neither.

References:
    CIPA DC-008 (Exif 2.32), tag Orientation.
"""

import tensorflow as tf

UPRIGHT = 1
_TAG = 0x0112
_SHORT = 3  # A type of values: 2 bytes. Others have 4.
_ENTRY = 12  # Bytes of an entry of a table of tags.
# EXIF data stand before the pixels, in at most 64 KiB; a profile of colours
# may come first.
_HEAD = 2**18
_PADDING = 16  # Zeros, so that each field may be read where a file breaks off.
# What stands before them in a JPEG: a marker, a length, and this name.
_JPEG, _MARKER, _NAME = b"\xff\xd8", b"\xff\xe1", b"Exif\x00\x00"
_PNG, _CHUNK = b"\x89PNG", b"eXIf"


def read_orientation(content: tf.Tensor) -> tf.Tensor:
    """Reads the orientation of a picture.

    Args:
        content: <string>[], of a file.

    Returns:
        <int64>[], 1 to 8 as EXIF has them; 1, upright, where nothing is told.
    """
    head = tf.strings.substr(content, 0, _HEAD)
    is_png = tf.strings.substr(head, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(head, 0, len(_JPEG)) == _JPEG
    name = tf.where(is_png, _CHUNK, _NAME)
    parts = tf.strings.split(head, name, maxsplit=1)
    # Zeros first, for a name without as much before it.
    before = bytes(4) + parts[0]
    marker = tf.strings.substr(before, tf.strings.length(parts[0]), 2)
    has_exif = (tf.size(parts) == 2) & (
        is_png | (is_jpeg & (marker == _MARKER))
    )
    return tf.cond(
        has_exif,
        lambda: _read_tag(
            tf.io.decode_raw(parts[1] + bytes(_PADDING), tf.uint8)
        ),
        lambda: tf.constant(UPRIGHT, tf.int64),
    )


def turn_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns, or mirrors, a picture that was held in another way.

    Args:
        pixels: [height, width, channels].
        orientation: from `read_orientation`.

    Returns:
        The same pixels; [width, height, channels] for 5 to 8.

    Example:
        >>> pixels = tf.constant([[[1], [2], [3]]])
        >>> turn_upright(pixels, tf.constant(6))[..., 0].numpy().tolist()
        [[1], [2], [3]]
        >>> turn_upright(pixels, tf.constant(3))[..., 0].numpy().tolist()
        [[3, 2, 1]]
    """
    number = tf.cast(orientation, tf.int64)
    is_swapped = number >= 5
    is_upside_down = _is_one_of(number, (3, 4, 7, 8))
    is_mirrored = _is_one_of(number, (2, 3, 6, 7))

    def turn() -> tf.Tensor:
        order = tf.where(is_swapped, [1, 0, 2], [0, 1, 2])
        axes = tf.boolean_mask([0, 1], [is_upside_down, is_mirrored])
        return tf.reverse(tf.transpose(pixels, order), axes)

    # Nearly all pictures are upright: no copy is made of those.
    turned = tf.cond(number == UPRIGHT, lambda: pixels, turn)
    return tf.ensure_shape(turned, [None, None, pixels.shape[-1]])


def _is_one_of(number: tf.Tensor, numbers: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(number == tf.constant(numbers, tf.int64))


def _read_tag(values: tf.Tensor) -> tf.Tensor:
    """Reads the orientation from EXIF data <uint8>[size], padded."""
    # Numbers may have their first byte, or their last, before the others.
    is_little = tf.reduce_all(values[:2] == list(b"II"))
    last = tf.size(values, tf.int64) - _PADDING
    table = tf.minimum(_read_number(values[4:8], is_little), last)
    count = _read_number(values[table : table + 2], is_little)
    count = tf.minimum(count, (last - table) // _ENTRY)
    entries = tf.reshape(
        values[table + 2 : table + 2 + _ENTRY * count], [-1, _ENTRY]
    )
    tags = _read_number(entries[:, :2], is_little)
    numbers = tf.where(
        _read_number(entries[:, 2:4], is_little) == _SHORT,
        _read_number(entries[:, 8:10], is_little),
        _read_number(entries[:, 8:12], is_little),
    )
    is_valid = (tags == _TAG) & (numbers >= 1) & (numbers <= 8)
    upright = tf.constant([UPRIGHT], tf.int64)
    return tf.concat([numbers[is_valid], upright], axis=0)[0]


def _read_number(field: tf.Tensor, is_little: tf.Tensor) -> tf.Tensor:
    """Reads numbers <int64>[...] from their bytes <uint8>[..., size]."""
    field = tf.where(is_little, field, tf.reverse(field, [-1]))
    places = 256 ** tf.range(tf.shape(field, tf.int64)[-1])
    return tf.reduce_sum(tf.cast(field, tf.int64) * places, axis=-1)
