"""The network: word ids through embedding, LSTM and pooling to one label."""

import keras
import tensorflow as tf
from keras import ops

from common import LSTM, shapes

from . import text
from .config import Config


def build(config: Config, num_words: int, num_classes: int) -> keras.Model:
    """Builds the network that is trained.

    Args:
        config: sizes, depths and dropouts.
        num_words: the size of the vocabulary, without the special ids.
        num_classes: the number of labels.

    Returns:
        A model from ids <int32>[batch, time] to logits
        <float32>[batch, classes]. Padding does not change its outputs.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = ops.not_equal(ids, text.PADDING_ID)
    dropped_ids = WordDropout(config.word_dropout, seed=config.seed)(ids)
    x = keras.layers.Embedding(
        num_words + text.NUM_SPECIAL, config.embedding_dim, name="embedding"
    )(dropped_ids)
    x = keras.layers.SpatialDropout1D(config.embedding_dropout)(x)
    for number in range(config.num_layers):
        # The mask goes in by hand: an implicit one is lost on the way.
        x = _recurrent(config, f"lstm_{number}")(x, mask=mask)
    both_ways = config.bidirectional and config.num_layers > 0
    x = MaskedPooling(config.pooling, both_ways, name="pooling")(x, mask)
    x = keras.layers.Dropout(config.dropout)(x)
    # Softmax and loss are computed in float32 whatever the precision before.
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(ids, logits, name="network")


def _recurrent(config: Config, name: str) -> keras.layers.Layer:
    lstm = LSTM(config.units, return_sequences=True, name=name)
    if config.bidirectional:
        return keras.layers.Bidirectional(lstm, name=name)
    return lstm


@keras.saving.register_keras_serializable(package=__package__)
class WordDropout(keras.layers.Layer):
    """Makes random words unknown while training.

    The model learns not to hang on single words, and what to do with words it
    has never seen (Iyyer et al. 2015, "Deep unordered composition rivals
    syntactic methods for text classification", section 3.2).

    Args:
        rate: the share of words to hide, 0 <= rate < 1.
        seed: of the choice.

    Call arguments:
        ids: <int32>[batch, time]; padding stays padding.

    Returns:
        <int32>[batch, time].
    """

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(
        self, ids: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        if not training or self.rate == 0:
            return ids
        drawn = keras.random.uniform(ops.shape(ids), seed=self.seed_generator)
        hidden = (drawn < self.rate) & (ids != text.PADDING_ID)
        return ops.where(hidden, text.UNKNOWN_ID, ids)

    def get_config(self) -> dict:
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package=__package__)
class MaskedPooling(keras.layers.Layer):
    """Summarises a sequence in one vector, padding left out.

    - `last`: the state after the last real step; of the backward direction
      the state after the first.
    - `max`, `mean`: over the real steps, feature by feature.
    - `attention`: a weighted mean; a step's weight is the softmax of
      v . tanh(W x + b) (Yang et al. 2016, "Hierarchical attention networks
      for document classification", equations 5 to 7).

    Args:
        kinds: which summaries to compute; they are concatenated.
        bidirectional: whether the second half of the features ran backwards.

    Call arguments:
        sequence: <float>[batch, time, features].
        mask: <bool>[batch, time], True for real steps: at least one a row,
            all of them before the padding.

    Returns:
        <float>[batch, len(kinds) * features].

    Example:
        >>> import numpy as np
        >>> steps = np.array([[[1.0, 5.0], [3.0, 1.0], [9.0, 9.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> MaskedPooling(["max", "mean"])(steps, mask).numpy().tolist()
        [[3.0, 5.0, 2.0, 3.0]]
    """

    def __init__(
        self,
        kinds: tuple[str, ...],
        bidirectional: bool = False,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kinds = tuple(kinds)
        self.bidirectional = bidirectional
        # It ends the mask knowingly (`compute_mask`): no need for a warning.
        self.supports_masking = True

    def build(
        self, sequence_shape: tuple, mask_shape: tuple | None = None
    ) -> None:
        if "attention" in self.kinds:
            features = sequence_shape[-1]
            self.hidden = keras.layers.Dense(features, "tanh", name="hidden")
            self.score = keras.layers.Dense(1, use_bias=False, name="score")
            self.hidden.build(sequence_shape)
            self.score.build((*sequence_shape[:-1], features))

    def call(
        self, sequence: keras.KerasTensor, mask: keras.KerasTensor
    ) -> keras.KerasTensor:
        pool = {
            "last": self._last,
            "max": self._max,
            "mean": self._mean,
            "attention": self._attention,
        }
        real = ops.expand_dims(mask, -1)
        # 0 times NaN is none: what lies on padding meets no weight.
        sequence = ops.where(real, sequence, 0.0)
        pools = [pool[kind](sequence, real) for kind in self.kinds]
        return ops.concatenate(pools, axis=-1)

    def _last(
        self, sequence: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        lengths = shapes.sequence_lengths(real[:, :, 0])
        last = shapes.last_step(sequence, lengths)
        if not self.bidirectional:
            return last
        forward, _ = ops.split(last, 2, axis=-1)
        _, backward = ops.split(sequence[:, 0], 2, axis=-1)
        return ops.concatenate([forward, backward], axis=-1)

    def _max(
        self, sequence: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        # Below every tanh output, and finite in half precision.
        low = -1e4
        # `initial` makes the maximum of a batch without rows defined.
        return ops.max(ops.where(real, sequence, low), axis=1, initial=low)

    def _mean(
        self, sequence: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        weights = ops.cast(real, "float32")
        weights /= ops.sum(weights, axis=1, keepdims=True)
        return ops.sum(sequence * ops.cast(weights, sequence.dtype), axis=1)

    def _attention(
        self, sequence: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        weights = self._weights(sequence, real)
        return ops.sum(sequence * ops.cast(weights, sequence.dtype), axis=1)

    def _weights(
        self, sequence: keras.KerasTensor, real: keras.KerasTensor
    ) -> keras.KerasTensor:
        scores = ops.cast(self.score(self.hidden(sequence)), "float32")
        # Not Keras's softmax: it warns of sequences of one step.
        return tf.nn.softmax(ops.where(real, scores, -1e9), axis=1)

    def attention_weights(
        self, sequence: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        """Computes the weight of each step, if `attention` is a kind.

        Args:
            sequence: as of a call.
            mask: as of a call.

        Returns:
            <float32>[batch, time]; a row sums to 1, and is 0 on padding.
        """
        real = ops.expand_dims(mask, -1)
        # As in a call: what lies on padding is of no account.
        sequence = ops.where(real, sequence, 0.0)
        return self._weights(sequence, real)[:, :, 0]

    def compute_mask(self, *args: object, **kwargs: object) -> None:
        """Ends the mask here: the result has no time axis."""

    def compute_output_shape(
        self, sequence_shape: tuple, mask_shape: tuple | None = None
    ) -> tuple:
        return (sequence_shape[0], len(self.kinds) * sequence_shape[-1])

    def get_config(self) -> dict:
        return super().get_config() | {
            "kinds": list(self.kinds),
            "bidirectional": self.bidirectional,
        }
