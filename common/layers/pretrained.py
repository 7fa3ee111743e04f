"""Networks of `keras.applications`, with weights or a quick error."""

import contextlib
import difflib
import hashlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from common.errors import UserError

# Without a network, Keras would wait for minutes before it gives up.
NETWORK_SECONDS = 10.0


def build(name: str, size: int, weights: str | None) -> keras.Model:
    """A network without its top, from pixels to a grid.

    Args:
        name: of its function in `keras.applications`.
        size: height and width of the pictures.
        weights: "imagenet", a file, or None.

    Raises:
        UserError: if there is no such network, or no such weights for it.
    """
    function = _function(name)
    try:
        base = function(
            weights=None, include_top=False, input_shape=(size, size, 3)
        )
    except ValueError as error:
        raise UserError(
            f"--image-size {size}: {name} refuses it ({_first_line(error)})"
        ) from error
    if weights == "imagenet":
        base = _pretrained(name, size)
    elif weights is not None:
        _load(base, name, weights)
    return base


def _function(name: str) -> Callable:
    known = [
        key
        for key, value in vars(keras.applications).items()
        if key[0].isupper() and callable(value)
    ]
    if name in known:
        return getattr(keras.applications, name)
    lower = {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), lower)
    advice = ", ".join(lower[key] for key in near) or "such as MobileNetV2"
    raise UserError(
        f"--encoder {name}: expected cnn or a network of keras.applications:"
        f" {advice}"
    )


def preprocess(name: str) -> Callable:
    """What makes pixels, 0 to 255, the inputs of a network."""
    # Each family of networks has its own, in the module that defines it.
    return sys.modules[_function(name).__module__].preprocess_input


def _pretrained(name: str, size: int) -> keras.Model:
    try:
        with _impatient():
            return _function(name)(
                weights="imagenet",
                include_top=False,
                input_shape=(size, size, 3),
            )
    except Exception as error:  # Keras raises nothing narrower.
        raise UserError(
            f"--encoder-weights imagenet: those of {name} are not in"
            " the cache of Keras, and to download them failed"
            f" ({_first_line(error)}); name a file: --encoder-weights FILE"
        ) from error


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load(base: keras.Model, name: str, weights: str) -> None:
    path = Path(weights)
    if not path.is_file():
        raise UserError(
            f"--encoder-weights {weights}: no such file; expected imagenet,"
            " none, or a file of weights"
        )
    try:
        base.load_weights(path)
    # Keras and h5py raise many kinds, according to what is wrong.
    except Exception as error:
        raise UserError(
            f"--encoder-weights {weights}: these are no weights of {name}"
            f" without its top ({_first_line(error)})"
        ) from error


def checksum(path: Path) -> str:
    """Tells a file of weights from all others.

    Raises:
        UserError: if it is missing.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"--encoder-weights {path}: cannot read it ({error.strerror});"
            " expected imagenet, none, or a file of weights"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
