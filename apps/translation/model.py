"""The network: token ids through an encoder and a decoder with attention."""

from typing import Any

import keras
import tensorflow as tf

from common import LSTM
from common.layers import checks
from common.layers.attention import Memory
from common.layers.states import join_directions

from . import text
from .config import Config
from .decoder import Decoder, LayerStates, State


def build(config: Config, num_source: int, num_target: int) -> "Seq2Seq":
    """Builds the network that is trained.

    Args:
        config: sizes, depths and dropouts.
        num_source: size of the source vocabulary, special ids included.
        num_target: size of the target vocabulary, likewise.

    Returns:
        The network, with all its weights.
    """
    network = Seq2Seq(config, num_source, num_target, name="network")
    one_id = tf.fill([1, 1], text.START_ID)
    network((one_id, one_id))  # Creates the weights.
    return network


class Seq2Seq(keras.Model):
    """Encoder and decoder.

    Call arguments:
        inputs: source ids <int32>[batch, source] and the target ids before
            each label, <int32>[batch, time].
        training: whether dropout is on.

    Returns:
        Logits <float32>[batch, time, vocab]. Padding does not change them.
    """

    def __init__(
        self, config: Config, num_source: int, num_target: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        encoder_class = BagOfWords if config.encoder == "bag" else Encoder
        self.encoder = encoder_class(config, num_source, name="encoder")
        self.decoder = Decoder(config, num_target, name="decoder")

    def encode(
        self, source: tf.Tensor, training: Any = False
    ) -> tuple[Memory, State]:
        """Encodes source ids as the memory and first state of the decoder."""
        values, mask, states = self.encoder(source, training=training)
        memory = self.decoder.make_memory(values, mask)
        return memory, self.decoder.initial_state(states, memory)

    def build(self, *_: Any) -> None:
        """Leaves the weights to the first call: tracing it takes seconds."""

    def call(
        self, inputs: tuple[tf.Tensor, tf.Tensor], training: Any = False
    ) -> tf.Tensor:
        source, target = inputs
        memory, state = self.encode(source, training)
        return self.decoder(target, memory, state, training=training)


class Encoder(keras.layers.Layer):
    """Reads the source: LSTM layers, with residuals from the second on.

    Args:
        config: sizes, depths and dropouts.
        num_ids: size of the source vocabulary, special ids included.

    Call arguments:
        ids: <int32>[batch, source], right-padded, at least one real id a row.
        training: whether dropout is on.

    Returns:
        The outputs of all steps <float>[batch, source, units], their mask
        <bool>[batch, source], and the last states of all layers.
    """

    def __init__(self, config: Config, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = keras.layers.Embedding(
            num_ids, config.embedding_dim, name="embedding"
        )
        self.embedding_dropout = keras.layers.Dropout(config.embedding_dropout)
        self.dropout = keras.layers.Dropout(config.dropout)
        self.lstms = [
            _make_lstm(config, f"lstm_{number}")
            for number in range(config.num_layers)
        ]

    def build(self, *_: Any) -> None:
        """Leaves the weights to the first call: tracing it takes seconds."""

    def call(
        self, ids: tf.Tensor, training: Any = False
    ) -> tuple[tf.Tensor, tf.Tensor, LayerStates]:
        # The mask goes in by hand: an implicit one is lost on the way.
        mask = ids != text.PADDING_ID
        x = self.embedding_dropout(self.embedding(ids), training=training)
        states = []
        for number, lstm in enumerate(self.lstms):
            inputs = self.dropout(x, training=training) if number else x
            y, *last = lstm(inputs, mask=mask, training=training)
            x = x + y if number else y
            states.append(join_directions(lstm, last))
        return self.dropout(x, training=training), mask, tuple(states)


def _make_lstm(config: Config, name: str) -> keras.layers.Layer:
    units = config.units // 2 if config.bidirectional else config.units
    lstm = LSTM(units, return_sequences=True, return_state=True, name=name)
    if config.bidirectional:
        return keras.layers.Bidirectional(lstm, name=name)
    return lstm


class BagOfWords(keras.layers.Layer):
    """Encodes the source without its order, to measure what order is worth.

    Takes the place of `Encoder`, with the same arguments and outputs: the
    output of a token depends on no other, and the decoder begins with the
    mean of them all.

    Args:
        config: sizes and dropouts.
        num_ids: size of the source vocabulary, special ids included.
    """

    def __init__(self, config: Config, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_layers = config.num_layers
        self.embedding = keras.layers.Embedding(
            num_ids, config.embedding_dim, name="embedding"
        )
        self.embedding_dropout = keras.layers.Dropout(config.embedding_dropout)
        self.dense = keras.layers.Dense(config.units, "tanh", name="dense")

    def build(self, *_: Any) -> None:
        """Leaves the weights to the first call: tracing it takes seconds."""

    def call(
        self, ids: tf.Tensor, training: Any = False
    ) -> tuple[tf.Tensor, tf.Tensor, LayerStates]:
        mask = ids != text.PADDING_ID
        x = self.embedding_dropout(self.embedding(ids), training=training)
        values = self.dense(checks.clear_padding(x, mask))
        weights = tf.cast(mask, values.dtype)[:, :, None]
        mean = tf.reduce_sum(values * weights, 1) / tf.reduce_sum(weights, 1)
        return values, mask, ((mean, mean),) * self.num_layers
