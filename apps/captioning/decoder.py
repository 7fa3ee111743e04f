"""The decoder: an LSTM that writes word by word, and attends to the image."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import LSTM
from common.layers.attention import Attention, Memory
from common.layers.states import step_states, take_states

from .config import Config


class State(NamedTuple):
    """The state of the decoder between two steps.

    Rows are batch, or batch * beam: the hypotheses for one image lie side by
    side, and share its memory.

    Attributes:
        hidden: <float>[rows, units].
        cell: <float>[rows, units].
        context: <float>[rows, units], the attended regions of the last step,
            gated; zeros without attention.
        weights: <float32>[rows, regions], the attention of the last step;
            zeros without attention.
    """

    hidden: tf.Tensor
    cell: tf.Tensor
    context: tf.Tensor
    weights: tf.Tensor


class Decoder(keras.layers.Layer):
    """Predicts the next word from the words so far and the image.

    The image comes in at one of three places (`config.decoder`):

    - `first_input`: as the input before the first word, and never again
      (Vinyals et al. 2015, "Show and tell", equations 10 to 12).
    - `initial_state`: as the state before the first word.
    - `attention`: at every step, as a mean of its regions (Xu et al. 2015,
      "Show, attend and tell", section 3.1.2 and 4.2):

          query = h + Q x + q
          weights = softmax over regions of score(query, region)
          context = sigmoid(G h + g) * sum over regions of weights * region
          h, c = LSTM([x; context], h, c)

      from a first state that the mean of the regions gives. The gate lets the
      decoder leave the image alone where the next word follows from the words
      before. x, the last word, is not in the query of that paper: without it
      attention comes one word late.

    and the next word is predicted from all of these (equation 7 there):

        logits = V tanh(W [h; context; x] + b) + d

    without context and x where there is no attention. A region is its features
    and its place in the image: relu(W features + position).

    Args:
        config: sizes, dropouts, and where the image comes in.
        num_ids: size of the vocabulary, special ids included.
        num_regions: of an image.

    Call arguments:
        ids: <int32>[rows, time], the words before those to predict.
        memory: the image, from `make_memory`.
        state: the state before the first word, from `initial_state`.
        training: True to apply dropout. Default False.

    Returns:
        Logits <float32>[rows, time, vocab], and the attention of each step
        <float32>[rows, time, regions].
    """

    def __init__(
        self, config: Config, num_ids: int, num_regions: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = config.units
        self.kind = config.decoder
        self.embedding = keras.layers.Embedding(
            num_ids, config.embedding_dim, name="embedding"
        )
        self.feature_dropout = keras.layers.Dropout(config.feature_dropout)
        self.embedding_dropout = keras.layers.Dropout(config.embedding_dropout)
        self.dropout = keras.layers.Dropout(config.dropout)
        # Features of all encoders come to one scale and size.
        self.normalization = keras.layers.LayerNormalization(name="normalize")
        self.projection = keras.layers.Dense(self.units, name="projection")
        # The place of a region, next to its features: "left" needs both.
        self.positions = self.add_weight(
            shape=(num_regions, self.units),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="positions",
        )
        self.lstm = LSTM(
            self.units, return_sequences=True, return_state=True, name="lstm"
        )
        features = config.embedding_dim
        if self.kind == "first_input":
            self.image_input = keras.layers.Dense(features, name="image_input")
        else:
            self.first_hidden = self._dense("first_hidden", "tanh")
            self.first_cell = self._dense("first_cell", "tanh")
        if self.kind == "attention":
            self.attention = Attention(
                config.attention, self.units, self.units, name="attention"
            )
            self.query = self._dense("query", "linear")
            self.gate = self._dense("gate", "sigmoid")
            features += self.units
        # Steps call the cell alone: the layer has no inputs to build it by.
        self.lstm.build((None, None, features))
        self.combine = keras.layers.Dense(config.units, "tanh", name="combine")
        # Softmax and loss are computed in float32, whatever came before.
        self.readout = keras.layers.Dense(
            num_ids, dtype="float32", name="readout"
        )

    def _dense(self, name: str, activation: str) -> keras.layers.Layer:
        return keras.layers.Dense(self.units, activation, name=name)

    def make_memory(self, features: tf.Tensor, training: Any = False) -> Memory:
        """Projects the regions of an image, once for all steps.

        Args:
            features: <float>[batch, regions, features].
            training: True to apply dropout.
        """
        x = self.normalization(features)
        x = self.feature_dropout(x, training=training)
        x = self.projection(x)
        # Outside a call, mixed precision does not cast by itself.
        values = tf.nn.relu(x + tf.cast(self.positions, x.dtype))
        mask = tf.ones(tf.shape(values)[:2], tf.bool)
        if self.kind != "attention":
            return Memory(values, values, mask)
        return self.attention.memory(values, mask)

    def initial_state(self, memory: Memory) -> State:
        """Returns the state before the first word."""
        mean = tf.reduce_mean(memory.values, axis=1)
        zeros = tf.zeros_like(mean)
        weights = tf.zeros_like(memory.mask, tf.float32)
        if self.kind != "first_input":
            hidden, cell = self.first_hidden(mean), self.first_cell(mean)
            return State(hidden, cell, zeros, weights)
        image = self.image_input(mean)
        _, (hidden, cell) = step_states(self.lstm.cell, image, [zeros, zeros])
        return State(hidden, cell, zeros, weights)

    def call(
        self,
        ids: tf.Tensor,
        memory: Memory,
        state: State,
        training: Any = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        x = self.embedding_dropout(self.embedding(ids), training=training)
        if self.kind == "attention":
            states = self._run_stepwise(x, memory, state)
        else:
            first = take_states(self.lstm.cell, [state.hidden, state.cell])
            hidden, *_ = self.lstm(x, initial_state=first, training=training)
            weights = tf.tile(state.weights[:, None], [1, tf.shape(ids)[1], 1])
            states = State(hidden, hidden, hidden, weights)
        features = self.dropout(
            self._readout_features(x, states), training=training
        )
        return self.readout(features), states.weights

    def _run_stepwise(
        self, x: tf.Tensor, memory: Memory, state: State
    ) -> State:
        """Returns states [rows, time, ...]; attention needs the one before."""
        states = tf.scan(
            lambda before, x: self._advance(x, before, memory),
            tf.transpose(x, [1, 0, 2]),
            state,
        )
        return State(*(tf.transpose(x, [1, 0, 2]) for x in states))

    def step(
        self, ids: tf.Tensor, state: State, memory: Memory
    ) -> tuple[tf.Tensor, State]:
        """Takes one step, as `common.decoding` calls it.

        Args:
            ids: <int32>[rows], the last words.
            state: the state before them.
            memory: the image.

        Returns:
            Logits <float32>[rows, vocab] of the next words, and the state.
        """
        x = self.embedding(ids)
        state = self._advance(x, state, memory)
        return self.readout(self._readout_features(x, state)), state

    def _advance(self, x: tf.Tensor, state: State, memory: Memory) -> State:
        """Takes one step from embedded words <float>[rows, features]."""
        context, weights = state.context, state.weights
        if self.kind == "attention":
            query = state.hidden + self.query(x)
            context, weights = self._attend(query, memory)
            context = self.gate(state.hidden) * context
            x = tf.concat([x, context], axis=-1)
        before = [state.hidden, state.cell]
        _, (hidden, cell) = step_states(self.lstm.cell, x, before)
        return State(hidden, cell, context, weights)

    def _attend(
        self, queries: tf.Tensor, memory: Memory
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns context [rows, units] and attention [rows, regions]."""
        rows = tf.shape(queries)[0]
        batch, regions = tf.unstack(tf.shape(memory.mask))
        beam = rows // tf.maximum(batch, 1)
        # All rows of one image at once.
        queries = tf.reshape(queries, [batch, beam, self.units])
        context, weights = self.attention(queries, memory)
        context = tf.reshape(context, [rows, self.units])
        weights = tf.reshape(weights, [rows, regions])
        weights = tf.ensure_shape(weights, [None, memory.mask.shape[1]])
        return context, weights

    def _readout_features(self, x: tf.Tensor, state: State) -> tf.Tensor:
        """Returns <float>[..., units], from which the next word is read off."""
        if self.kind != "attention":
            return self.combine(state.hidden)
        return self.combine(tf.concat([state.hidden, state.context, x], -1))
