"""Encoders: from the pixels of a frame to a vector.

`cnn` is a small network that is trained with the recurrence. Any other name is
a network of `keras.applications`, with weights that others have trained; it
stays as it is, so each frame is seen once and its features are kept.
"""

import keras
import tensorflow as tf

from common.layers import pretrained

from .config import Config

CNN = "cnn"
# Filters of the convolutions; behind each, a side is halved.
_FILTERS = (16, 32, 32)
_UNITS = 64


@keras.saving.register_keras_serializable(package=__package__)
class Encoder(keras.layers.Layer):
    """A convolutional network that sees one frame at a time.

    `cnn` keeps where things are, because motion is read from positions. A
    pretrained network gives the average over all positions. It is not trained
    and always runs as in inference: batch normalisation with the statistics of
    a few frames would undo what its weights know.

    Args:
        network: `cnn`, or the name of a function of `keras.applications`.
        size: height and width of the frames.
        weights: of the network: "imagenet" or a file. They are no part of the
            layer's config, so a saved layer is rebuilt without a download.

    Call arguments:
        pixels: <float32 or uint8>[batch, size, size, 3], 0 to 255.

    Returns:
        <float32>[batch, features].

    Example:
        >>> encoder = Encoder("cnn", size=32)
        >>> encoder(tf.zeros([2, 32, 32, 3], tf.uint8)).shape
        TensorShape([2, 64])
    """

    def __init__(
        self,
        network: str,
        size: int,
        weights: str | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.size = size
        if network == CNN:
            self.base, self.preprocess = _build_cnn(size), _center
        else:
            self.base = pretrained.build_network(network, size, weights)
            self.base.trainable = False
            self.preprocess = pretrained.preprocess_function(network)

    def build(self, input_shape: tuple) -> None:
        self.built = True  # The network came with its weights.

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        pixels = keras.ops.cast(pixels, "float32")
        values = pretrained.run_network(self.base, self.preprocess, pixels)
        if self.network == CNN:
            return values
        return keras.ops.mean(values, axis=(1, 2))

    @property
    def dim(self) -> int:
        """The size of the features of a frame."""
        return self.base.output_shape[-1]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "network": self.network,
            "size": self.size,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Encoder":
        """Rebuilds one that was saved, whose weights come with it.

        A stranger's file must not name others to download or to open.
        """
        return cls(**config | {"weights": None})


def build_encoder(config: Config) -> Encoder:
    """Builds the encoder of a config, with its weights.

    Raises:
        UserError: if there is no such network, or no such weights for it.
    """
    weights = None
    if config.encoder_weights != "none":
        weights = config.encoder_weights
    return Encoder(config.encoder, config.image_size, weights)


def is_trained(config: Config) -> bool:
    """Returns True if the encoder learns, too, so that its features change."""
    return config.encoder == CNN


def encoder_signature(config: Config) -> dict:
    """Returns what tells an encoder's features from those of others, as JSON.

    Raises:
        UserError: if the file of weights is missing.
    """
    return {
        "encoder": config.encoder,
        "weights": pretrained.describe_weights(
            config.encoder_weights, config.seed
        ),
        "image_size": config.image_size,
        "rate": float(config.frame_rate),  # The name in files of before.
    }


def _build_cnn(size: int) -> keras.Model:
    """Builds a network without normalisation: quick, no batch statistics."""
    pixels = keras.Input((size, size, 3))
    values = pixels
    for filters in _FILTERS:
        values = keras.layers.Conv2D(
            filters,
            kernel_size=3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
        )(values)
        # Convolutions with a stride learn shapes many times slower. A last row
        # or column by itself counts, too.
        values = keras.layers.MaxPooling2D(padding="same")(values)
    values = keras.layers.Flatten()(values)
    values = keras.layers.Dense(_UNITS, activation="relu")(values)
    return keras.Model(pixels, values)


def _center(pixels: tf.Tensor) -> tf.Tensor:
    return pixels / 127.5 - 1.0
