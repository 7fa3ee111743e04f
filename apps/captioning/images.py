"""From the content of a picture's file to pixels, inside the TensorFlow graph.

The same operations run in training, in the features command and in the
exported model, so that what is served cannot differ from what was trained.

JPEG, PNG, GIF (its first frame) and BMP are read. What is transparent in a PNG
becomes white. A picture is squeezed to a square: a caption speaks of all of
it, so nothing is cropped. Ignored are the EXIF orientation (turn such pictures
before) and the palette of a BMP.

A picture that breaks off is never patched up: TensorFlow's way to do so
(`try_recover_truncated`) does not come back from some contents.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from common.data.skipped import Skipped

from . import datasets

MAX_PIXELS = 100_000_000  # 0.3 GB while decoding; 2.4 if transparent.
GREY = 128.0  # What stands in for a picture that cannot be read.

_PNG = b"\x89PNG\r\n\x1a\n"
_GIFS = (b"GIF87a", b"GIF89a")
_BMP = b"BM"
_JPEG = b"\xff\xd8\xff"
_STARTS = (_JPEG, _PNG, *_GIFS, _BMP)


def recognised(contents: tf.Tensor) -> tf.Tensor:
    """Whether contents begin as one of the formats does.

    Args:
        contents: <string>[...].

    Returns:
        <bool>[...].

    Example:
        >>> recognised(tf.constant([b"GIF89a...", b"a text", b""])).numpy()
        array([ True, False, False])
    """
    found = [_starts(contents, start) for start in _STARTS]
    return tf.reduce_any(tf.stack(found), axis=0)


def pixels(content: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes a picture and squeezes it to a square.

    Args:
        content: <string>[], of a file.
        size: height and width of the result.

    Returns:
        <float32>[size, size, 3], 0 to 255. What is no picture, or has more
        than MAX_PIXELS, is an error of TensorFlow.
    """
    return tf.image.resize(_decoded(content), (size, size), antialias=True)


def read_batch(contents: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in which a row may be anything at all.

    Args:
        contents: <string>[batch]; batch may be 0.
        size: height and width of the result.

    Returns:
        pixels <float32>[batch, size, size, 3], all GREY where nothing could be
        decoded, and <bool>[batch], whether it could.

    Example:
        >>> read_batch(tf.constant([b"a text"]), 32)[1].numpy()
        array([False])
    """
    num_rows = tf.shape(contents)[0]
    # Only a dataset goes on after a row that fails.
    rows = tf.data.Dataset.from_tensor_slices((tf.range(num_rows), contents))
    decoded = rows.map(
        lambda row, content: (row, pixels(content, size)),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).ignore_errors()
    # One row more, so that there is a batch even if all fail.
    blank = tf.fill([num_rows + 1, size, size, 3], GREY)
    last = tf.data.Dataset.from_tensors((num_rows, blank[-1]))
    together = decoded.concatenate(last).batch(tf.cast(num_rows, tf.int64) + 1)
    places, values = together.get_single_element()
    places = places[:, None]
    filled = tf.tensor_scatter_nd_update(blank, places, values)
    is_read = tf.scatter_nd(places, tf.ones_like(places[:, 0]), [num_rows + 1])
    return filled[:-1], is_read[:-1] > 0


def file_pixels(path: Path) -> np.ndarray:
    """A picture as it is, for people to look at.

    Returns:
        <float32>[height, width, 3], 0 to 255.
    """
    decoded = _decoded(tf.io.read_file(str(path)))
    return tf.cast(decoded, tf.float32).numpy()


def problem(picture: Path | bytes) -> str | None:
    """Why a picture cannot be read, in words; None if it can.

    Args:
        picture: a file, or its content.

    Example:
        >>> problem(b"a text")
        'not a picture'
    """
    try:
        content = _content(picture)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # A name with a zero in it.
        return str(error)
    if not content:
        return "empty file"
    if not recognised(tf.constant(content)):
        return "not a picture"
    try:
        if _num_pixels(tf.constant(content)) > MAX_PIXELS:
            return f"more than {MAX_PIXELS:,} pixels"
        _decoded(tf.constant(content))
    except tf.errors.OpError:
        return "truncated or damaged"
    return None


def check(examples: Iterable[datasets.Example]) -> dict[str, str]:
    """Decodes the images of many examples, in parallel.

    Returns:
        What `problem` says, by name, of those that cannot be read.
    """
    listed = list(examples)
    contents = tf.data.Dataset.from_generator(
        lambda: _contents(listed),
        output_signature=(
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([], tf.string),
        ),
    )
    # The size, so that decoding cannot be optimised away.
    sizes = contents.map(
        lambda number, content: (number, tf.size(_decoded(content))),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).ignore_errors()
    good = {int(number) for number, _ in sizes.as_numpy_iterator()}
    return {
        example.name: reason
        for number, example in enumerate(listed)
        if number not in good and (reason := problem(_picture(example)))
    }


def without_broken(
    examples: Iterable[datasets.Example], skipped: Skipped
) -> list[datasets.Example]:
    """The examples whose images can be read; notes the others."""
    listed = list(examples)
    broken = check(listed)
    for name, reason in broken.items():
        skipped.add(reason, name)
    return [example for example in listed if example.name not in broken]


def content_of(example: datasets.Example) -> bytes:
    """The content of an example's picture file."""
    return _content(_picture(example))


def _contents(examples: list[datasets.Example]) -> Iterator[tuple[int, bytes]]:
    for number, example in enumerate(examples):
        try:
            yield number, content_of(example)
        except OSError:
            yield number, b""  # `problem` finds out why.


def _picture(example: datasets.Example) -> Path | bytes:
    image = example.image
    return image if isinstance(image, bytes) else Path(image)


def _content(picture: Path | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if picture.exists() and not picture.is_file():
        raise OSError(0, "not a file")  # Reading a pipe would wait for ever.
    return picture.read_bytes()


def _starts(contents: tf.Tensor, start: bytes) -> tf.Tensor:
    return _bytes(contents, 0, len(start)) == start


def _bytes(contents: tf.Tensor, position: int, length: int) -> tf.Tensor:
    """<string>[...] of so many bytes; of none where there are fewer."""
    padded = contents + bytes(position + length)
    return tf.strings.substr(padded, position, length)


def _decoded(content: tf.Tensor) -> tf.Tensor:
    """Decodes a picture <string>[] to <uint8>[height, width, 3]."""
    # The decoder is laxer than `recognised`, and its limit is greater. Nothing
    # in place of a content is an error of its own.
    refused = ~recognised(content) | (_num_pixels(content) > MAX_PIXELS)
    content = tf.where(refused, b"", content)
    decoded = tf.cond(
        _starts(content, _PNG) & _has_alpha(content),
        lambda: _over_white(content),
        lambda: tf.io.decode_image(
            content, channels=3, expand_animations=False
        ),
    )
    return tf.ensure_shape(decoded, [None, None, 3])


def _has_alpha(content: tf.Tensor) -> tf.Tensor:
    """Whether a PNG has an alpha channel, or transparent colours."""
    # Not asked of the decoder: it gives opaque pictures of less than 8 bits an
    # alpha of 1 in 255.
    has_channel = _number(content, 25, "uint8") >= 4
    return has_channel | tf.strings.regex_full_match(content, r"\C*tRNS\C*")


def _over_white(content: tf.Tensor) -> tf.Tensor:
    """Puts a PNG before white, in 16 bits: floats would take twice as much."""
    decoded = tf.cast(tf.io.decode_png(content, channels=4), tf.uint16)
    colours, alpha = decoded[..., :3], decoded[..., 3:]
    mixed = colours * alpha + 255 * (255 - alpha)
    return tf.cast((mixed + 127) // 255, tf.uint8)


def _num_pixels(content: tf.Tensor) -> tf.Tensor:
    """What the head of a file says of its size: <int64>[]."""
    return tf.case(
        [
            (_starts(content, _JPEG), lambda: _jpeg_pixels(content)),
            (
                _starts(content, _PNG),
                lambda: _product(content, (16, 20), "int32", False),
            ),
            (
                _starts(content, _BMP),
                lambda: _product(content, (18, 22), "int32", True),
            ),
        ],
        lambda: _product(content, (6, 8), "uint16", True),
    )


def _jpeg_pixels(content: tf.Tensor) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(content, tf.int32)
    return tf.reduce_prod(tf.cast(shape[:2], tf.int64))


def _product(
    content: tf.Tensor, positions: tuple, dtype: str, is_little: bool
) -> tf.Tensor:
    height, width = (
        _number(content, position, dtype, is_little) for position in positions
    )
    # A BMP with its first row on top has a negative height.
    return tf.abs(height * width)


def _number(
    content: tf.Tensor, position: int, dtype: str, is_little: bool = True
) -> tf.Tensor:
    size = tf.dtypes.as_dtype(dtype).size
    field = _bytes(content, position, size)
    number = tf.io.decode_raw(field, dtype, little_endian=is_little)[0]
    return tf.cast(number, tf.int64)
