"""The decoder: an LSTM that attends to the source at every token."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import LSTM
from common.layers.attention import Attention, Memory
from common.layers.states import step_states, take_states

from .config import Config

# Of each layer its hidden state and cell, two of <float>[rows, units].
LayerStates = tuple[tuple[tf.Tensor, tf.Tensor], ...]


class State(NamedTuple):
    """The decoder's state between two steps.

    Rows are batch, or batch * beam: the hypotheses of one sentence lie side by
    side, and share its memory.

    Attributes:
        layers: see `LayerStates`.
        attentional: <float>[rows, units], the vector that gave the last
            logits.
        weights: <float32>[rows, source], of its attention.
    """

    layers: LayerStates
    attentional: tf.Tensor
    weights: tf.Tensor


class Decoder(keras.layers.Layer):
    """Predicts the next token from the tokens so far and the source.

        x = embedding of the last token  (and the last attentional vector)
        h = LSTM(x), layer upon layer, with residuals from the second on
        context = attention(h)
        attentional = tanh(W [context; h] + b)
        logits = E (V attentional + d) + c

    E is the embedding itself with `tied_embeddings`, and V brings the
    attentional vector to its size (Press and Wolf 2017); else one layer does
    both. Attention after the LSTM and input feeding are those of Luong et al.
    2015, sections 3 and 3.3, whichever score is chosen.

    Args:
        config: sizes, depths and dropouts.
        num_ids: size of the target vocabulary, special ids included.

    Call arguments:
        ids: <int32>[rows, time], the tokens before those to predict.
        memory: the source, as `make_memory` returns it.
        state: the state before the first of them.
        training: whether dropout is on.

    Returns:
        Logits <float32>[rows, time, vocab].
    """

    def __init__(self, config: Config, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = config.units
        self.input_feeding = config.input_feeding
        layers = range(config.num_layers)
        self.embedding = keras.layers.Embedding(
            num_ids, config.embedding_dim, name="embedding"
        )
        self.embedding_dropout = keras.layers.Dropout(config.embedding_dropout)
        self.dropout = keras.layers.Dropout(config.dropout)
        self.bridges = [self._make_dense(f"bridge_{k}") for k in layers]
        self.cell_bridges = [
            self._make_dense(f"cell_bridge_{k}") for k in layers
        ]
        self.lstms = [self._make_lstm(f"lstm_{k}") for k in layers]
        if self.input_feeding:  # Only their cells are called.
            features = config.embedding_dim + self.units
            for number, lstm in enumerate(self.lstms):
                lstm.build((None, None, self.units if number else features))
        self.attention = None
        if config.attention != "none":
            self.attention = Attention(
                config.attention, self.units, self.units, name="attention"
            )
        self.combine = self._make_dense("combine")
        self.is_tied = config.tied_embeddings
        # Softmax and loss are computed in float32 whatever comes before.
        self.readout = keras.layers.Dense(
            config.embedding_dim if self.is_tied else num_ids,
            dtype=None if self.is_tied else "float32",
            name="readout",
        )
        if self.is_tied:
            self.output_bias = self.add_weight(
                shape=(num_ids,), initializer="zeros", name="output_bias"
            )

    def _make_dense(self, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(self.units, "tanh", name=name)

    def _make_lstm(self, name: str) -> keras.layers.Layer:
        return LSTM(
            self.units, return_sequences=True, return_state=True, name=name
        )

    def make_memory(self, values: tf.Tensor, mask: tf.Tensor) -> Memory:
        """Prepares the encoder's outputs, once for all steps.

        Args:
            values: <float>[batch, source, units].
            mask: <bool>[batch, source], True where the source is real.
        """
        if self.attention is None:
            return Memory(values, values, mask)
        return self.attention.memory(values, mask)

    def initial_state(self, states: LayerStates, memory: Memory) -> State:
        """Returns the state before the first token.

        Args:
            states: the last ones of the encoder's layers.
            memory: the source.
        """
        layers = tuple(
            (hidden_bridge(hidden), cell_bridge(cell))
            for hidden_bridge, cell_bridge, (hidden, cell) in zip(
                self.bridges, self.cell_bridges, states, strict=True
            )
        )
        return State(
            layers,
            attentional=tf.zeros_like(layers[0][0]),
            weights=tf.zeros_like(memory.mask, tf.float32),
        )

    def build(self, *_: Any) -> None:
        """Leaves the weights to the first call: tracing it takes seconds."""

    def call(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        training: Any = False,
    ) -> tf.Tensor:
        attentional, _ = self.run(ids, memory, state, training)
        return self.logits(self.dropout(attentional, training=training))

    def run(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        training: Any = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs over target tokens.

        Args:
            ids: <int32>[rows, time], the tokens before those to predict.
            memory: the source.
            state: the state before the first of them.
            training: whether dropout is on.

        Returns:
            Attentional vectors <float>[rows, time, units], and the weights of
            the attention <float32>[rows, time, source].
        """
        x = self.embedding_dropout(self.embedding(ids), training=training)
        if self.input_feeding:
            return self._run_stepwise(x, memory, state, training)
        for number, lstm in enumerate(self.lstms):
            inputs = self.dropout(x, training=training) if number else x
            first = take_states(lstm.cell, state.layers[number])
            y, *_ = lstm(inputs, initial_state=first, training=training)
            x = x + y if number else y
        return self._attend(x, memory)

    def _run_stepwise(
        self, x: tf.Tensor, memory: Memory, state: State, training: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs step by step: input feeding needs all of the step before."""
        # One mask for all steps (Gal and Ghahramani 2016, section 4).
        ones = tf.ones_like(state.attentional)
        dropout_mask = self.dropout(ones, training=training)
        states = tf.scan(
            lambda before, x: self._advance(x, before, memory, dropout_mask),
            tf.transpose(x, [1, 0, 2]),
            state,
        )
        return (
            tf.transpose(states.attentional, [1, 0, 2]),
            tf.transpose(states.weights, [1, 0, 2]),
        )

    def step(
        self, ids: tf.Tensor, state: State, memory: Memory
    ) -> tuple[tf.Tensor, State]:
        """Takes one step: a `Step` of `common.decoding.sampling`.

        Args:
            ids: <int32>[rows], the last tokens.
            state: the state before them.
            memory: the source.

        Returns:
            Logits <float32>[rows, vocab] of the next tokens, and the state.
        """
        state = self._advance(self.embedding(ids), state, memory)
        return self.logits(state.attentional), state

    def _advance(
        self,
        x: tf.Tensor,
        state: State,
        memory: Memory,
        dropout_mask: Any = 1.0,
    ) -> State:
        """Takes one step from embedded tokens <float>[rows, features]."""
        layers = []
        if self.input_feeding:
            x = tf.concat([x, state.attentional], axis=-1)
        for number, lstm in enumerate(self.lstms):
            inputs = x * dropout_mask if number else x
            y, after = step_states(lstm.cell, inputs, state.layers[number])
            x = x + y if number else y
            layers.append(after)
        attentional, weights = self._attend(x[:, None], memory)
        return State(tuple(layers), attentional[:, 0], weights[:, 0])

    def _attend(
        self, queries: tf.Tensor, memory: Memory
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Attends to the source from states <float>[rows, time, units]."""
        rows, time, _ = tf.unstack(tf.shape(queries))
        batch, source = tf.unstack(tf.shape(memory.mask))
        beam = rows // tf.maximum(batch, 1)
        if self.attention is None:
            return self.combine(queries), tf.zeros([rows, time, source])
        # All queries to one sentence, by any of its rows, at once.
        grouped = tf.reshape(queries, [batch, beam * time, self.units])
        context, weights = self.attention(grouped, memory)
        context = tf.reshape(context, tf.shape(queries))
        attentional = self.combine(tf.concat([context, queries], axis=-1))
        return attentional, tf.reshape(weights, [rows, time, source])

    def logits(self, attentional: tf.Tensor) -> tf.Tensor:
        """Computes logits <float32>[..., vocab] from <float>[..., units]."""
        logits = self.readout(attentional)
        if not self.is_tied:
            return logits
        logits = tf.matmul(logits, self.embedding.embeddings, transpose_b=True)
        return tf.cast(logits + self.output_bias, tf.float32)
