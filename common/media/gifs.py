"""The first frame of GIF pictures, and its transparent colour, in the graph.

A decoder that is asked for one frame decodes all of them: small files take
gigabytes. So the others are cut off before.
"""

import tensorflow as tf

_WHITE = b"\xff\xff\xff"
_CONTROL = b"\x21\xf9\x04"  # What begins the block that names the colour.
_CONTROL_BYTES = 8
_IMAGE_BYTES = 10  # Of the block after it, before its own colours.
_SCREEN_BYTES = 13  # Of the header, before the colours of all frames.
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, b";"


def num_pixels(content: tf.Tensor) -> tf.Tensor:
    """Reads the size <int64>[] of the first frame, or of the screen if larger.

    Args:
        content: <string>[], of a GIF file.
    """
    start, _ = _find_first_frame(content)
    screen = _read_bytes(content, 6, 4)
    frame = _read_bytes(content, start + 5, 4)
    sizes = tf.cast(tf.stack([screen, frame]), tf.int64)
    low, high = sizes[:, 0::2], sizes[:, 1::2]
    return tf.reduce_max(tf.reduce_prod(low + 256 * high, axis=1))


def cut_to_first_frame(content: tf.Tensor) -> tf.Tensor:
    """Cuts off what follows the first frame.

    Args:
        content: <string>[], of a GIF file.

    Returns:
        <string>[]; the whole content if it breaks off in the frame.
    """
    _, end = _find_first_frame(content)
    return tf.strings.substr(content, 0, end) + _TRAILER


# A graph, where eager steps of a loop would take seconds.
@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def _find_first_frame(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the first frame begins and ends, <int32>[] each.

    Where there is none, both are the end of the content.
    """
    # One more, so that every place below can be read.
    values = tf.cast(tf.io.decode_raw(content + b"\0", tf.uint8), tf.int32)
    length = tf.strings.length(content)
    first = _SCREEN_BYTES + _count_palette_bytes(_at(values, 10))
    start = _skip_extensions(values, tf.minimum(first, length), length)
    own = _count_palette_bytes(_at(values, start + 9))
    # A byte before the data: the size of its codes.
    data = start + _IMAGE_BYTES + own + 1
    return start, tf.minimum(_skip_blocks(values, data, length), length)


def _at(values: tf.Tensor, place: tf.Tensor | int) -> tf.Tensor:
    return values[tf.minimum(place, tf.size(values) - 1)]


def _skip_extensions(
    values: tf.Tensor, start: tf.Tensor, length: tf.Tensor
) -> tf.Tensor:
    """Returns the place of the first image behind the extensions."""

    def skip(place: tf.Tensor) -> tuple[tf.Tensor]:
        return (tf.minimum(_skip_blocks(values, place + 2, length), length),)

    (place,) = tf.while_loop(
        lambda place: _at(values, place) == _EXTENSION, skip, (start,)
    )
    return tf.where(_at(values, place) == _IMAGE, place, length)


def _skip_blocks(
    values: tf.Tensor, start: tf.Tensor, length: tf.Tensor
) -> tf.Tensor:
    """Returns the place behind blocks, each after a byte that is its size."""
    last = tf.while_loop(
        lambda place: (place < length) & (_at(values, place) > 0),
        lambda place: (place + _at(values, place) + 1,),
        (start,),
    )[0]
    return last + 1


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
    first = tf.minimum(first, tf.strings.length(content))
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
    start = tf.minimum(start, tf.strings.length(content))
    field = tf.strings.substr(content + bytes(size), start, size)
    return tf.cast(tf.io.decode_raw(field, tf.uint8), tf.int32)


def _count_palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def _replace(content: tf.Tensor, start: tf.Tensor, value: bytes) -> tf.Tensor:
    before = tf.strings.substr(content, 0, start)
    after = tf.strings.substr(content, start + len(value), -1)
    return before + value + after
