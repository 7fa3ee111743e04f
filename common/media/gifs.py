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
_EXTENSION_BYTES = 3  # With the size of its first block.
# Encoders fill their blocks, of 255 bytes at most; texts in extensions may be
# read as small ones.
_FREE_BLOCKS, _MEAN_BLOCK = 10_000, 128


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
        <string>[]; the whole content if it breaks off in the frame, nothing
        of it if it has none, or more blocks than any encoder writes.
    """
    _, end = _find_first_frame(content)
    return tf.strings.substr(content, 0, end) + _TRAILER


# A graph, where eager steps of a loop would take seconds.
@tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
def _find_first_frame(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the first frame begins and ends, <int32>[] each.

    Where there is none, it begins at the end of the content and ends at 0.
    """
    length = tf.strings.length(content)
    # Zeros behind it, so that every place below can be read.
    padded = content + bytes(_IMAGE_BYTES)
    values = tf.cast(tf.io.decode_raw(padded, tf.uint8), tf.int32)
    first = _SCREEN_BYTES + _count_palette_bytes(_read_bytes(content, 10, 1)[0])
    place = _skip_blocks(values, first, length, is_data=False)
    has_frame = values[place] == _IMAGE
    start = tf.where(has_frame, place, length)
    # A byte before the data: the size of its codes.
    data = start + _IMAGE_BYTES + _count_palette_bytes(values[start + 9]) + 1
    end = _skip_blocks(values, data, length, is_data=True)
    return start, tf.where(has_frame & (end >= 0), end, 0)


def _skip_blocks(
    values: tf.Tensor, start: tf.Tensor, length: tf.Tensor, is_data: bool
) -> tf.Tensor:
    """Returns the place behind the data of a frame, or behind extensions.

    Both are blocks, each after a byte that is its size, and then a 0.

    Args:
        values: <int32>[size], the bytes of a file, and zeros.
        start: <int32>[].
        length: <int32>[], of the file.
        is_data: False for extensions, of which there may be several.

    Returns:
        <int32>[], at most the length; -1, which is a zero, if the blocks are
        so many and so small that a walk through them would take minutes.
    """

    def walk(place: tf.Tensor, value: tf.Tensor, is_inside: tf.Tensor) -> tuple:
        # The decoder reads a block after an empty first one, too; where it
        # went another way, it would find frames that were not measured.
        first = _EXTENSION_BYTES + values[place + 2]
        step = tf.where(is_inside, value + 1, first)
        place = tf.minimum(place + step, length)
        return place, values[place], ~is_inside | (value > 0)

    def goes_on(
        _: tf.Tensor, value: tf.Tensor, is_inside: tf.Tensor
    ) -> tf.Tensor:
        return is_inside if is_data else is_inside | (value == _EXTENSION)

    start = tf.minimum(start, length)
    place, _, is_inside = tf.while_loop(
        goes_on,
        walk,
        (start, values[start], tf.constant(is_data)),
        maximum_iterations=_FREE_BLOCKS + length // _MEAN_BLOCK,
    )
    return tf.where(is_inside, -1, place)


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
    flags = tf.where(has_own, fields[_CONTROL_BYTES + 9], header[10])
    is_transparent = (
        (tf.size(parts) == 2)
        & (3 * fields[6] < _count_palette_bytes(flags))
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
    field = tf.strings.substr(content, start, size) + bytes(size)
    return tf.cast(tf.io.decode_raw(field, tf.uint8)[:size], tf.int32)


def _count_palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def _replace(content: tf.Tensor, start: tf.Tensor, value: bytes) -> tf.Tensor:
    before = tf.strings.substr(content, 0, start)
    after = tf.strings.substr(content, start + len(value), -1)
    return before + value + after
