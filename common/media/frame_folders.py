"""Folders with a picture for each frame of a video."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.media import images

ENDINGS = (".jpg", ".jpeg", ".png")


def is_frame(path: Path) -> bool:
    """Returns True for a file that is named as a frame is, and not hidden."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def list_frames(folder: Path) -> list[Path]:
    """Lists the pictures of a folder, frame 2 before frame 10.

    Raises:
        UserError: if there are none.
    """
    paths = [path for path in folder.iterdir() if is_frame(path)]
    if not paths:
        raise UserError(
            f"{folder}: no frames: expected pictures in it, of"
            f" {', '.join(ENDINGS)}"
        )
    return sorted(paths, key=lambda path: (natural_key(path.name), path.name))


def natural_key(name: str) -> list[str | int]:
    """Makes a key that sorts the numbers in names by their size.

    Example:
        >>> sorted(["f10.png", "f9.png", "f010b.png"], key=natural_key)
        ['f9.png', 'f10.png', 'f010b.png']
    """
    parts = re.split(r"([0-9]+)", name.lower())
    # Text and numbers take turns, so that like meets like.
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def read_frames(paths: list[Path], size: int) -> np.ndarray:
    """Reads pictures of any sizes, each stretched to a square.

    As `images.decode_image` does, also of EXIF data and transparency.

    Args:
        paths: of the pictures.
        size: height and width of the result.

    Returns:
        <uint8>[time, size, size, 3], RGB.

    Raises:
        UserError: naming the first that cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return np.stack(
            list(pool.map(lambda path: _read_frame(path, size), paths))
        )


def decode_frame(content: bytes, size: int) -> np.ndarray:
    """Decodes the content of a picture file, stretched to a square.

    Returns:
        <uint8>[size, size, 3], RGB.

    Raises:
        Exception: one of `images.DECODING_ERRORS`, if it is no picture.
    """
    with tf.device("CPU:0"):
        return _decode_frame(content, size).numpy()


def _read_frame(path: Path, size: int) -> np.ndarray:
    try:
        return decode_frame(images.read_bytes(path), size)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except images.DECODING_ERRORS as error:
        reason = images.decode_error(path) or "cannot be decoded"
        raise UserError(
            f"{path}: {reason}: make the frames of this video again, or remove"
            " it"
        ) from error


@tf.function(
    input_signature=[
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([], tf.int32),
    ],
    autograph=False,
)
def _decode_frame(content: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    pixels = images.decode_image(content, size)
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)
