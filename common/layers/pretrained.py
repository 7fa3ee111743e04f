"""Networks of `keras.applications`, with their weights or a quick error."""

import contextlib
import difflib
import hashlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from common.errors import UserError

# Without a network, Keras would wait for minutes before it gives up.
NETWORK_SECONDS = 10.0


def build_network(
    name: str, size: int, weights: str | None = None
) -> keras.Model:
    """Builds a network without its top, from pixels to a grid of vectors.

    Args:
        name: of its function in `keras.applications`.
        size: height and width of the pictures.
        weights: "imagenet", a file, or None (default): drawn by chance.

    Returns:
        A model from <float32>[batch, size, size, 3], preprocessed as
        `preprocess_function` does it, to <float32>[batch, height, width,
        features].

    Raises:
        UserError: if there is no such network, or no such weights for it.
    """
    function = _network_function(name)
    try:
        base = function(
            weights=None, include_top=False, input_shape=(size, size, 3)
        )
    except ValueError as error:
        raise UserError(
            f"--image-size {size}: {name} refuses it ({_first_line(error)})"
        ) from error
    if weights == "imagenet":
        base = _download(name, size)
    elif weights is not None:
        _load_weights(base, name, weights)
    return base


def _network_function(name: str) -> Callable:
    names = [
        key
        for key, value in vars(keras.applications).items()
        if key[0].isupper() and callable(value)
    ]
    if name in names:
        return getattr(keras.applications, name)
    lower = {key.lower(): key for key in names}
    near = difflib.get_close_matches(name.lower(), lower)
    advice = ", ".join(lower[key] for key in near) or "such as MobileNetV2"
    raise UserError(
        f"--encoder {name}: expected cnn or a network of keras.applications:"
        f" {advice}"
    )


def preprocess_function(name: str) -> Callable:
    """Returns the function from pixels, 0 to 255, to inputs of a network.

    Raises:
        UserError: if there is no such network.
    """
    # Each family of networks has its own, in the module that defines it.
    return sys.modules[_network_function(name).__module__].preprocess_input


def _download(name: str, size: int) -> keras.Model:
    try:
        with _network_timeout():
            return _network_function(name)(
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
def _network_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load_weights(base: keras.Model, name: str, weights: str) -> None:
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


def run_network(
    network: keras.Model,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    pixels: tf.Tensor,
) -> tf.Tensor:
    """Runs a network as in inference, also on a batch without rows.

    Args:
        network: from inputs to vectors, or to a grid of them.
        preprocess: from pixels to inputs.
        pixels: <float32>[batch, size, size, 3], 0 to 255.

    Returns:
        <float32>[batch, ...].

    Example:
        >>> network = keras.Sequential([keras.layers.Conv2D(4, 8, strides=8)])
        >>> pixels = tf.zeros([0, 16, 16, 3])
        >>> run_network(network, lambda pixels: pixels / 255, pixels).shape
        TensorShape([0, 2, 2, 4])
    """
    # TensorFlow's convolutions fail on a batch of no rows.
    num_rows = tf.shape(pixels)[0]
    missing = tf.maximum(1 - num_rows, 0)
    padded = tf.pad(pixels, [[0, missing], [0, 0], [0, 0], [0, 0]])
    return network(preprocess(padded), training=False)[:num_rows]


def describe_weights(weights: str, seed: int) -> str:
    """Returns a text that tells the weights of an encoder from all others.

    Args:
        weights: "imagenet", "none", or a file.
        seed: of the weights drawn by chance, with "none".

    Raises:
        UserError: if the file is missing.

    Example:
        >>> describe_weights("none", seed=3)
        'none, seed 3'
    """
    if weights == "none":
        return f"none, seed {seed}"
    if weights == "imagenet":
        return weights
    return f"sha256 {checksum(Path(weights))}"


def checksum(path: Path) -> str:
    """Computes the SHA-256 of a file of weights.

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
