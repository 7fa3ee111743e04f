"""Transparent colours of GIF pictures, inside the TensorFlow graph."""

import tensorflow as tf

_WHITE = b"\xff\xff\xff"
_CONTROL = b"\x21\xf9\x04"  # What begins the block that names the colour.
_CONTROL_BYTES = 8
_IMAGE_BYTES = 10  # Of the block after it, before its own colours.
_SCREEN_BYTES = 13  # Of the header, before the colours of all frames.


def whiten_transparent(content: tf.Tensor) -> tf.Tensor:
    """Makes the transparent colour of the first frame white, and opaque.

    TensorFlow's decoder leaves such pixels black.

    Args:
        content: <string>[], of a GIF file.

    Returns:
        <string>[], the same content but for the colour.
    """
    header = _read_bytes(content, 0, _SCREEN_BYTES)
    first = _SCREEN_BYTES + _count_palette_bytes(header[10])
    # Before the first frame there are but small blocks.
    rest = tf.strings.substr(content, first, 2**16)
    parts = tf.strings.split(rest, _CONTROL, maxsplit=1)
    control = first + tf.strings.length(parts[0])
    fields = _read_bytes(content, control, _CONTROL_BYTES + _IMAGE_BYTES)
    has_own = fields[_CONTROL_BYTES + 9] >= 128
    palette = tf.where(
        has_own, control + _CONTROL_BYTES + _IMAGE_BYTES, _SCREEN_BYTES
    )
    is_transparent = (
        (tf.size(parts) == 2)
        & (fields[3] % 2 == 1)
        & (fields[_CONTROL_BYTES] == 0x2C)
    )
    return tf.cond(
        is_transparent,
        lambda: _replace(
            _replace(content, control + 3, b"\x00"),
            palette + 3 * fields[6],
            _WHITE,
        ),
        lambda: content,
    )


def _read_bytes(content: tf.Tensor, start: tf.Tensor, size: int) -> tf.Tensor:
    """Returns <int32>[size], 0s where there are fewer."""
    field = tf.strings.substr(content + bytes(size), start, size)
    return tf.cast(tf.io.decode_raw(field, tf.uint8), tf.int32)


def _count_palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def _replace(content: tf.Tensor, start: tf.Tensor, value: bytes) -> tf.Tensor:
    before = tf.strings.substr(content, 0, start)
    after = tf.strings.substr(content, start + len(value), -1)
    return before + value + after
