"""Folders with a picture for each frame of a video."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from common.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png")


def is_picture(path: Path) -> bool:
    """Whether a file is named as a frame is; hidden files are not."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def files(folder: Path) -> list[Path]:
    """The pictures of a folder, frame 2 before frame 10.

    Raises:
        UserError: if there are none.
    """
    found = [path for path in folder.iterdir() if is_picture(path)]
    if not found:
        raise UserError(
            f"{folder}: no frames: expected pictures in it, of"
            f" {', '.join(ENDINGS)}"
        )
    return sorted(found, key=lambda path: (natural(path.name), path.name))


def natural(name: str) -> list[str | int]:
    """A key that sorts the numbers in names by their size.

    Example:
        >>> sorted(["f10.png", "f9.png", "f010b.png"], key=natural)
        ['f9.png', 'f10.png', 'f010b.png']
    """
    parts = re.split(r"([0-9]+)", name.lower())
    # Text and numbers take turns, so that like meets like.
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def read(paths: list[Path], size: int) -> np.ndarray:
    """Reads pictures of any sizes, each stretched to a square.

    Ignored are transparency and the EXIF orientation.

    Returns:
        <uint8>[time, size, size, 3].

    Raises:
        UserError: naming the first that cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda path: _read(path, size), paths)))


def _read(path: Path, size: int) -> np.ndarray:
    try:
        with tf.device("CPU:0"):
            picture = tf.io.decode_image(
                path.read_bytes(), channels=3, expand_animations=False
            )
            resized = tf.image.resize(picture, (size, size), antialias=True)
            rounded = tf.clip_by_value(tf.round(resized), 0, 255)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except tf.errors.OpError as error:
        raise UserError(
            f"{path}: not a whole JPEG or PNG picture: make the frames of this"
            " video again, or remove it"
        ) from error
    return tf.cast(rounded, tf.uint8).numpy()
