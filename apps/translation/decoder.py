"""The decoder: an LSTM that looks back at the source for every token."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import LSTM
from common.layers.attention import Attention, Memory

from .config import Config

# Of each layer its hidden state and cell, two of <float>[rows, units].
LayerStates = tuple[tuple[tf.Tensor, tf.Tensor], ...]


class State(NamedTuple):
    """What the decoder carries from one step to the next.

    Rows are batch, or batch * beam: the beam's beginnings of one sentence lie
    side by side, and share its memory.

    Attributes:
        layers: see `LayerStates`.
        attended: <float>[rows, units], what the last logits were read off.
        weights: <float32>[rows, source], where the decoder looked for them.
    """

    layers: LayerStates
    attended: tf.Tensor
    weights: tf.Tensor


class Decoder(keras.layers.Layer):
    """Tells the next token from the tokens so far and the source.

        x = embedding of the last token  (and what was attended last)
        h = LSTM(x), layer upon layer, with residuals from the second on
        context = attention(h)
        attended = tanh(W [context; h] + b)
        logits = E (V attended + d) + c

    E is the embedding itself with `tied_embeddings`, and V brings what was
    attended to its size (Press and Wolf 2017); else one layer does both.
    Attention after the LSTM and input feeding are those of Luong et al. 2015,
    sections 3 and 3.3, whichever score is chosen.

    Args:
        config: sizes, depths and dropouts.
        num_ids: size of the target vocabulary, special ids included.

    Call arguments:
        ids: <int32>[rows, time], the tokens before those to be told.
        memory: the source, as `memory` makes it.
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
        self.bridges = [self._tanh(f"bridge_{k}") for k in layers]
        self.cell_bridges = [self._tanh(f"cell_bridge_{k}") for k in layers]
        self.lstms = [self._lstm(f"lstm_{k}") for k in layers]
        if self.input_feeding:  # Only their cells are called.
            features = config.embedding_dim + self.units
            for number, lstm in enumerate(self.lstms):
                lstm.build((None, None, self.units if number else features))
        self.attention = None
        if config.attention != "none":
            self.attention = Attention(
                config.attention, self.units, self.units, name="attention"
            )
        self.combine = self._tanh("combine")
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

    def _tanh(self, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(self.units, "tanh", name=name)

    def _lstm(self, name: str) -> keras.layers.Layer:
        return LSTM(
            self.units, return_sequences=True, return_state=True, name=name
        )

    def memory(self, values: tf.Tensor, mask: tf.Tensor) -> Memory:
        """Prepares the encoder's outputs, once for all steps.

        Args:
            values: <float>[batch, source, units].
            mask: <bool>[batch, source], True where the source is real.
        """
        if self.attention is None:
            return Memory(values, values, mask)
        return self.attention.memory(values, mask)

    def start(self, states: LayerStates, memory: Memory) -> State:
        """The state before the first token, from the encoder's last ones."""
        layers = tuple(
            (hidden_bridge(hidden), cell_bridge(cell))
            for hidden_bridge, cell_bridge, (hidden, cell) in zip(
                self.bridges, self.cell_bridges, states, strict=True
            )
        )
        nothing = tf.zeros_like(layers[0][0])
        return State(layers, nothing, tf.zeros_like(memory.mask, tf.float32))

    def call(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        training: Any = False,
    ) -> tf.Tensor:
        """Computes the outputs; see the class."""
        attended, _ = self.run(ids, memory, state, training)
        return self.logits(self.dropout(attended, training=training))

    def run(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        training: Any = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Goes through given tokens.

        Returns:
            What was attended <float>[rows, time, units], and where
            <float32>[rows, time, source].
        """
        x = self.embedding_dropout(self.embedding(ids), training=training)
        if self.input_feeding:
            return self._run_stepwise(x, memory, state, training)
        for number, lstm in enumerate(self.lstms):
            given = self.dropout(x, training=training) if number else x
            first = list(state.layers[number])
            y, *_ = lstm(given, initial_state=first, training=training)
            x = x + y if number else y
        return self._attend(x, memory)

    def _run_stepwise(
        self, x: tf.Tensor, memory: Memory, state: State, training: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """With input feeding a step needs all of the step before."""
        # Drawn once for all steps (Gal and Ghahramani 2016, section 4).
        ones = tf.ones_like(state.attended)
        kept = self.dropout(ones, training=training)
        states = tf.scan(
            lambda before, x: self._advance(x, before, memory, kept),
            tf.transpose(x, [1, 0, 2]),
            state,
        )
        return (
            tf.transpose(states.attended, [1, 0, 2]),
            tf.transpose(states.weights, [1, 0, 2]),
        )

    def step(
        self, ids: tf.Tensor, state: State, memory: Memory
    ) -> tuple[tf.Tensor, State]:
        """Takes one step, as `common.decoding.sampling` wants it.

        Args:
            ids: <int32>[rows], the last tokens.
            state: the state before them.
            memory: the source.

        Returns:
            Logits <float32>[rows, vocab] of the next tokens, and the state.
        """
        state = self._advance(self.embedding(ids), state, memory)
        return self.logits(state.attended), state

    def _advance(
        self, x: tf.Tensor, state: State, memory: Memory, kept: Any = 1.0
    ) -> State:
        """One step from embedded tokens <float>[rows, features]."""
        layers = []
        if self.input_feeding:
            x = tf.concat([x, state.attended], axis=-1)
        for number, lstm in enumerate(self.lstms):
            given = x * kept if number else x
            y, after = lstm.cell(given, list(state.layers[number]))
            x = x + y if number else y
            layers.append(tuple(after))
        attended, weights = self._attend(x[:, None], memory)
        return State(tuple(layers), attended[:, 0], weights[:, 0])

    def _attend(
        self, queries: tf.Tensor, memory: Memory
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Looks back at the source from states <float>[rows, time, units]."""
        rows, time, _ = tf.unstack(tf.shape(queries))
        batch, source = tf.unstack(tf.shape(memory.mask))
        beam = rows // tf.maximum(batch, 1)
        if self.attention is None:
            return self.combine(queries), tf.zeros([rows, time, source])
        # All that is asked of one sentence, by any of its rows, at once.
        asked = tf.reshape(queries, [batch, beam * time, self.units])
        context, weights = self.attention(asked, memory)
        context = tf.reshape(context, tf.shape(queries))
        attended = self.combine(tf.concat([context, queries], axis=-1))
        return attended, tf.reshape(weights, [rows, time, source])

    def logits(self, attended: tf.Tensor) -> tf.Tensor:
        """Scores all tokens: <float>[..., units] to <float32>[..., vocab]."""
        scores = self.readout(attended)
        if not self.is_tied:
            return scores
        scores = tf.matmul(scores, self.embedding.embeddings, transpose_b=True)
        return tf.cast(scores + self.output_bias, tf.float32)
