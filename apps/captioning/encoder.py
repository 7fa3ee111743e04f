"""Encoders: from the pixels of a picture to a vector for each of its regions.

`cnn` is a small network that is trained with the decoder. Any other name is a
network of `keras.applications`, with weights that others have trained.
"""

import keras
import tensorflow as tf

from common.layers import pretrained

from .config import Config

CNN = "cnn"
# Filters of the convolutions; behind each, a side is halved: 64 pixels become 4
# regions. With 8 a decoder takes twice as long to find out where to look.
_FILTERS = (16, 32, 64, 128)


@keras.saving.register_keras_serializable(package=__package__)
class Encoder(keras.layers.Layer):
    """A convolutional network, as a grid of regions.

    The network always runs as in inference, also while it is trained: batch
    normalisation with the statistics of a small batch would undo what the
    pretrained weights know.

    Args:
        network: `cnn`, or the name of a function of `keras.applications`.
        size: height and width of the pictures.
        pooled: True for one vector, the average of all regions, in place of a
            grid. Default False.
        weights: of the network: "imagenet", a file, or None (default): drawn
            by chance. They are no part of the layer's config, so a saved layer
            is rebuilt without a download.

    Call arguments:
        pixels: <float32>[batch, size, size, 3], 0 to 255.

    Returns:
        <float32>[batch, regions, features]; the regions of the first row from
        left to right, then those of the next. One if pooled.

    Example:
        >>> encoder = Encoder("cnn", size=64)
        >>> encoder(tf.zeros([2, 64, 64, 3])).shape
        TensorShape([2, 16, 128])
    """

    def __init__(
        self,
        network: str,
        size: int,
        pooled: bool = False,
        weights: str | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.size = size
        self.pooled = pooled
        if network == CNN:
            self.base, self.preprocess = _build_cnn(size), _scale
        else:
            self.base = pretrained.build_network(network, size, weights)
            self.preprocess = pretrained.preprocess_function(network)

    def build(self, input_shape: tuple) -> None:
        self.built = True  # The network came with its weights.

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        grid = pretrained.run_network(self.base, self.preprocess, pixels)
        if self.pooled:
            return keras.ops.mean(grid, axis=(1, 2))[:, None]
        return keras.ops.reshape(grid, (-1, self.regions, self.dim))

    @property
    def grid(self) -> tuple[int, int]:
        """The rows and columns of regions of a picture; 1 x 1 if pooled."""
        _, height, width, _ = self.base.output_shape
        return (1, 1) if self.pooled else (height, width)

    @property
    def regions(self) -> int:
        """The number of vectors of a picture."""
        rows, columns = self.grid
        return rows * columns

    @property
    def dim(self) -> int:
        """The size of a vector."""
        return self.base.output_shape[-1]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.regions, self.dim)

    def get_config(self) -> dict:
        return super().get_config() | {
            "network": self.network,
            "size": self.size,
            "pooled": self.pooled,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Encoder":
        """Rebuilds one that was saved, whose weights come with it.

        A stranger's file must not name others to download or to open.
        """
        return cls(**config | {"weights": None})


def build_encoder(config: Config) -> Encoder:
    """Builds the encoder of a config, with its weights.

    It is trained if it is `cnn`, or if `config.finetune` says so.

    Raises:
        UserError: if there is no such network, or no such weights for it.
    """
    weights = None
    # A run to go on from brings weights of its own.
    if config.encoder_weights != "none" and not config.finetune:
        weights = config.encoder_weights
    encoder = Encoder(config.encoder, config.image_size, config.pooled, weights)
    encoder.trainable = is_trained(config)
    return encoder


def is_trained(config: Config) -> bool:
    """Returns True if the encoder learns too, so that its features change."""
    return config.encoder == CNN or bool(config.finetune)


def encoder_signature(config: Config) -> dict:
    """Returns a JSON object that differs between encoders and their weights.

    Raises:
        UserError: if the file of weights is missing.
    """
    return {
        "encoder": config.encoder,
        "weights": pretrained.describe_weights(
            config.encoder_weights, config.seed
        ),
        "image_size": config.image_size,
        "pooled": config.pooled,
    }


def _build_cnn(size: int) -> keras.Model:
    """Builds a small network; without normalisation: no batch statistics."""
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
        # Convolutions with a stride learn shapes many times slower.
        values = keras.layers.MaxPooling2D()(values)
    return keras.Model(pixels, values)


def _scale(pixels: tf.Tensor) -> tf.Tensor:
    return pixels / 127.5 - 1.0
