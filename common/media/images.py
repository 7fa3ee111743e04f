"""Pictures as pixels, decoded inside the TensorFlow graph.

The same operations run in training, in the features command and in the
exported model, so that what is served cannot differ from what was trained.

JPEG, PNG, GIF (its first frame) and BMP are read, turned as their EXIF data
say. What is transparent becomes white. A picture is squeezed to a square: a
caption speaks of all of it, so nothing is cropped.

A picture that breaks off is never patched up: TensorFlow's way to do so
(`try_recover_truncated`) does not come back from some contents.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import tensorflow as tf

from common.data.skipped import Skipped
from common.media import bitmaps, file_kinds, gifs, orientation

MAX_PIXELS = 100_000_000  # 0.3 GB while decoding; 2.4 if transparent.
GREY = 128.0  # What stands in for a picture that cannot be read.

# With the name of its first chunk, or a size that is read would be another's.
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_GIFS = (b"GIF87a", b"GIF89a")
_BMP = bitmaps.SIGNATURE
_JPEG = b"\xff\xd8\xff"
# Each scan of a JPEG goes over all its pixels; ten are usual. In a film or a
# picture behind the first there seems to be one in every 64 KiB.
_SCAN, _FREE_SCANS, _SCAN_BYTES = b"\xff\xda", 100, 2**14
_FEW_PIXELS = 2**20
_SIGNATURES = (_JPEG, _PNG, *_GIFS, _BMP)

# A message of TensorFlow may quote the file, whose bytes are no text.
DECODING_ERRORS = (tf.errors.OpError, UnicodeDecodeError)

# The path of a picture's file, or the content of one.
Picture = str | Path | bytes
PictureT = TypeVar("PictureT", bound=Picture)


def has_image_signature(contents: tf.Tensor) -> tf.Tensor:
    """Checks that contents begin as one of the formats does.

    Args:
        contents: <string>[...], of files.

    Returns:
        <bool>[...].

    Example:
        >>> has_image_signature(tf.constant([b"GIF89a...", b"a text"])).numpy()
        array([ True, False])
    """
    matches = [_starts_with(contents, start) for start in _SIGNATURES]
    return tf.reduce_any(tf.stack(matches), axis=0)


def decode_image(content: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes a picture and squeezes it to a square.

    Args:
        content: <string>[], of a file.
        size: height and width of the result.

    Returns:
        <float32>[size, size, 3], RGB, 0 to 255. What is no picture, or has
        more than MAX_PIXELS, is an error of TensorFlow.
    """
    squeezed = tf.image.resize(_decode(content), (size, size), antialias=True)
    # Turned when it is small already.
    turned = _turn_upright(squeezed, content)
    return tf.reshape(turned, [size, size, 3])


def decode_batch(contents: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in which a row may be anything at all.

    Args:
        contents: <string>[batch]; batch may be 0.
        size: height and width of the result.

    Returns:
        The pixels <float32>[batch, size, size, 3], all GREY where nothing
        could be decoded; and <bool>[batch], True for a picture.

    Example:
        >>> decode_batch(tf.constant([b"a text"]), 32)[1].numpy()
        array([False])
    """
    num_rows = tf.shape(contents)[0]
    # Only a dataset goes on after a row that fails.
    rows = tf.data.Dataset.from_tensor_slices((tf.range(num_rows), contents))
    decoded = rows.map(
        lambda row, content: (row, decode_image(content, size)),
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


def load_image(path: Path) -> np.ndarray:
    """Reads a picture in its own size, for people to look at.

    Returns:
        <float32>[height, width, 3], RGB, 0 to 255.
    """
    content = tf.constant(path.read_bytes())
    decoded = tf.cast(_decode(content), tf.float32)
    return _turn_upright(decoded, content).numpy()


def read_size(picture: Picture) -> tuple[int, int]:
    """Reads height and width from the header of a picture that can be decoded.

    Args:
        picture: a path, or the content of a file.
    """
    content = read_bytes(picture)
    if content.startswith(_JPEG):
        height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
    elif content.startswith(_PNG):
        width, height = struct.unpack(">ii", content[16:24])
    elif content.startswith(_BMP):
        width, height = struct.unpack("<ii", content[18:26])
    else:
        width, height = struct.unpack("<HH", content[6:10])
    return abs(height), width


def read_bytes(picture: Picture) -> bytes:
    """Returns the content of a picture's file, or the content itself.

    Raises:
        OSError: if there is no such file, or the path is no file.
    """
    if isinstance(picture, bytes):
        return picture
    path = Path(picture)
    if path.exists() and not path.is_file():
        # Reading a pipe would wait for ever.
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise OSError(0, f"{kind}, not a file")
    return path.read_bytes()


def decode_error(picture: Picture) -> str | None:
    """Returns the reason why a picture cannot be decoded, or None if it can.

    Args:
        picture: a path, or the content of a file.

    Example:
        >>> decode_error(b"a text")
        'text, not a picture'
        >>> decode_error(b"RIFF....WEBPVP8 ")
        'WebP: convert it to JPEG or PNG'
    """
    try:
        content = read_bytes(picture)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # A name with a zero in it.
        return str(error)
    if not content:
        return "empty file"
    kind = file_kinds.name_kind(content)
    if kind not in file_kinds.READABLE:
        return _explain_kind(kind)
    try:
        if _num_pixels(tf.constant(content)) > MAX_PIXELS:
            return f"more than {MAX_PIXELS:,} pixels"
        if kind == "BMP" and not bitmaps.is_supported(tf.constant(content)):
            return "compressed BMP: convert it to JPEG or PNG"
        if _has_many_scans(tf.constant(content)):
            return "JPEG of too many scans: save it again"
        _decode(tf.constant(content))
    except DECODING_ERRORS:
        return "truncated or damaged"
    return None


def _explain_kind(kind: str) -> str:
    """Explains why a kind of file is no picture that can be decoded."""
    if kind in file_kinds.CONVERTIBLE:
        return f"{kind}: convert it to JPEG or PNG"
    return f"{kind}, not a picture" if kind else "not a picture"


def find_unreadable(pictures: Mapping[str, Picture]) -> dict[str, str]:
    """Decodes many pictures, in parallel.

    Args:
        pictures: paths or contents, by name.

    Returns:
        Name to `decode_error` of those that cannot be decoded.
    """
    contents = tf.data.Dataset.from_generator(
        lambda: _read_contents(pictures.values()),
        output_signature=(
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([], tf.string),
        ),
    )
    # The size, so that decoding cannot be optimised away.
    sizes = contents.map(
        lambda number, content: (number, tf.size(_decode(content))),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).ignore_errors()
    good = {int(number) for number, _ in sizes.as_numpy_iterator()}
    return {
        name: reason
        for number, (name, picture) in enumerate(pictures.items())
        if number not in good and (reason := decode_error(picture))
    }


def drop_unreadable(
    pictures: Mapping[str, PictureT], skipped: Skipped
) -> dict[str, PictureT]:
    """Returns the pictures that can be decoded; notes the others as skipped.

    Args:
        pictures: paths or contents, by name.
        skipped: notes why a picture is left out.
    """
    unreadable = find_unreadable(pictures)
    for name, reason in unreadable.items():
        skipped.add(reason, name)
    return {
        name: picture
        for name, picture in pictures.items()
        if name not in unreadable
    }


def _read_contents(pictures: Iterable[Picture]) -> Iterator[tuple[int, bytes]]:
    for number, picture in enumerate(pictures):
        try:
            yield number, read_bytes(picture)
        except (OSError, ValueError):
            yield number, b""  # `decode_error` finds out why.


def _starts_with(contents: tf.Tensor, start: bytes) -> tf.Tensor:
    return _read_field(contents, 0, len(start)) == start


def _read_field(contents: tf.Tensor, position: int, length: int) -> tf.Tensor:
    """Returns <string>[...] of so many bytes; of 0s where there are fewer."""
    padded = contents + bytes(position + length)
    return tf.strings.substr(padded, position, length)


def _decode(content: tf.Tensor) -> tf.Tensor:
    """Decodes a picture <string>[] to <uint8>[height, width, 3], as stored."""
    return _decode_limited(content, tf.constant(MAX_PIXELS, tf.int64))


# Traced once, wherever it is used.
@tf.function(
    input_signature=[
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([], tf.int64),
    ],
    autograph=False,
)
def _decode_limited(content: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
    # Changed before it is measured, not after.
    content = tf.cond(
        _is_gif(content),
        lambda: gifs.whiten_transparent(content),
        lambda: content,
    )
    # The decoder is laxer than `has_image_signature`, and its limit is
    # greater. Nothing in place of a content is an error of its own.
    is_refused = ~has_image_signature(content) | (
        _num_pixels(content) > max_pixels
    )
    is_refused |= _has_many_scans(content)
    content = tf.where(is_refused, b"", content)
    decoded = tf.case(
        [
            (
                _starts_with(content, _PNG) & _has_alpha(content),
                lambda: _decode_over_white(content),
            ),
            (_starts_with(content, _BMP), lambda: bitmaps.decode_bmp(content)),
            (_is_gif(content), lambda: _decode_gif(content)),
        ],
        lambda: _decode_rest(content),
    )
    return tf.ensure_shape(decoded, [None, None, 3])


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.float32),
        tf.TensorSpec([], tf.string),
    ],
    autograph=False,
)
def _turn_upright(pixels: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
    number = orientation.read_orientation(content)
    return orientation.turn_upright(pixels, number)


def _is_gif(content: tf.Tensor) -> tf.Tensor:
    return _starts_with(content, _GIFS[0]) | _starts_with(content, _GIFS[1])


def _decode_gif(content: tf.Tensor) -> tf.Tensor:
    return _decode_rest(gifs.cut_to_first_frame(content))


def _decode_rest(content: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_image(content, channels=3, expand_animations=False)


def _has_alpha(content: tf.Tensor) -> tf.Tensor:
    """Checks that a PNG has an alpha channel, or transparent colours."""
    # Not asked of the decoder: it gives opaque pictures of less than 8 bits an
    # alpha of 1 in 255.
    has_channel = _read_number(content, 25, "uint8") >= 4
    return has_channel | tf.strings.regex_full_match(content, r"\C*tRNS\C*")


def _decode_over_white(content: tf.Tensor) -> tf.Tensor:
    """Puts a PNG before white, in 16 bits: floats would take twice as much."""
    decoded = tf.cast(tf.io.decode_png(content, channels=4), tf.uint16)
    colours, alpha = decoded[..., :3], decoded[..., 3:]
    mixed = colours * alpha + 255 * (255 - alpha)
    return tf.cast((mixed + 127) // 255, tf.uint8)


def _num_pixels(content: tf.Tensor) -> tf.Tensor:
    """Reads the number of pixels <int64>[] from the header of a file."""
    return tf.case(
        [
            (_starts_with(content, _JPEG), lambda: _jpeg_area(content)),
            (
                _starts_with(content, _PNG),
                lambda: _area(content, (16, 20), "int32"),
            ),
            (_starts_with(content, _BMP), lambda: bitmaps.num_pixels(content)),
            (_is_gif(content), lambda: gifs.num_pixels(content)),
        ],
        lambda: tf.constant(0, tf.int64),
    )


def _has_many_scans(content: tf.Tensor) -> tf.Tensor:
    """Checks for a large JPEG that takes minutes for each of its kilobytes."""
    most = _FREE_SCANS + tf.strings.length(content) // _SCAN_BYTES
    return tf.cond(
        _starts_with(content, _JPEG) & (_num_pixels(content) > _FEW_PIXELS),
        lambda: tf.size(tf.strings.split(content, _SCAN)) - 1 > most,
        lambda: tf.constant(False),
    )


def _jpeg_area(content: tf.Tensor) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(content, tf.int32)
    return tf.reduce_prod(tf.cast(shape[:2], tf.int64))


def _area(content: tf.Tensor, positions: tuple, dtype: str) -> tf.Tensor:
    height, width = (
        _read_number(content, position, dtype, is_little=False)
        for position in positions
    )
    return height * width


def _read_number(
    content: tf.Tensor, position: int, dtype: str, is_little: bool = True
) -> tf.Tensor:
    size = tf.dtypes.as_dtype(dtype).size
    field = _read_field(content, position, size)
    number = tf.io.decode_raw(field, dtype, little_endian=is_little)[0]
    return tf.cast(number, tf.int64)
