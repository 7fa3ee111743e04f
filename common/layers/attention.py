"""Attention over a memory, with dot, general and additive scores."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common.layers import checks
from common.layers.types import Config

SCORES = ("dot", "general", "additive")
# In place of minus infinity, whose softmax over a row of padding is NaN.
_LOWEST = -1e9


class Memory(NamedTuple):
    """The steps of a sequence, or the regions of an image, to attend to.

    Attributes:
        values: <float>[batch, source, features]; contexts are their averages.
        keys: <float>[batch, source, key_features], compared with queries.
        mask: <bool>[batch, source], True where the memory is real; at least
            one a row.
    """

    values: tf.Tensor
    keys: tf.Tensor
    mask: tf.Tensor


@keras.saving.register_keras_serializable(package="common")
class Attention(keras.layers.Layer):
    """Weighs the places of a memory by how well they fit a query.

        weights = softmax over source of score(query, key)
        context = sum over source of weights * value

    with one of the scores

        dot:       q . v                        (features of both must agree)
        general:   q . (W v)
        additive:  u . tanh(W v + Q q)

    W is applied once to the whole memory (`memory`), not at every query.

    Args:
        score: "dot", "general" or "additive".
        features: size of a query.
        memory_features: size of a value.
        **kwargs: of every layer (`name`, `dtype`, `trainable`).

    Call arguments:
        queries: <float>[batch, queries, features]: the steps of a decoder,
            or the hypotheses of a beam search.
        memory: the `Memory` that the method `memory` returns.

    Returns:
        Contexts <float>[batch, queries, memory_features] and weights
        <float32>[batch, queries, source], which sum to 1 and are 0 on
        padding.

    Raises:
        ValueError: if there is no such score, or "dot" meets vectors of
            different size.

    Example:
        >>> attention = Attention("dot", features=2, memory_features=2)
        >>> values = tf.constant([[[9.0, 0.0], [0.0, 9.0], [7.0, 7.0]]])
        >>> mask = tf.constant([[True, True, False]])
        >>> context, weights = attention(
        ...     tf.constant([[[5.0, 0.0]]]), attention.memory(values, mask))
        >>> weights.numpy().round(3).tolist()
        [[[1.0, 0.0, 0.0]]]

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural
        machine translation", section 3.1 (dot, general); Bahdanau et al.
        2015, "Neural machine translation by jointly learning to align and
        translate", appendix A.1.2 (additive).
    """

    def __init__(
        self, score: str, features: int, memory_features: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(
                f"score must be one of {', '.join(SCORES)}, got {score!r}"
            )
        checks.check_size("features", features)
        checks.check_size("memory_features", memory_features)
        if score == "dot" and features != memory_features:
            raise ValueError(
                "score 'dot' needs queries and values of one size, got"
                f" {features} and {memory_features}: choose 'general'"
            )
        self.score = score
        self.features = features
        self.memory_features = memory_features

    def build(self, *_: Any) -> None:
        if self.score == "dot":
            return
        self.memory_kernel = self.add_weight(
            shape=(self.memory_features, self.features), name="memory_kernel"
        )
        if self.score == "additive":
            self.query_kernel = self.add_weight(
                shape=(self.features, self.features), name="query_kernel"
            )
            self.score_kernel = self.add_weight(
                shape=(self.features,), name="score_kernel"
            )

    def memory(self, values: tf.Tensor, mask: tf.Tensor) -> Memory:
        """Computes the keys of a memory, once for all queries.

        Args:
            values: <float>[batch, source, memory_features].
            mask: <bool>[batch, source], True where the memory is real; of
                another dtype likewise what is not 0.

        Returns:
            A `Memory` of the values, their keys and the mask. The values are
            zeros on padding, whatever was there: 0 times NaN is no average.

        Raises:
            ValueError: if the mask is not of the size of the values.
        """
        mask = checks.check_mask(mask, values, type(self).__name__)
        values = checks.clear_padding(values, mask)
        if not self.built:
            self.build()
        keys = values
        if self.score != "dot":
            # Outside a call, mixed precision does not cast by itself.
            kernel = tf.cast(self.memory_kernel, values.dtype)
            keys = tf.tensordot(values, kernel, 1)
        return Memory(values, keys, mask)

    def call(
        self, queries: tf.Tensor, memory: Memory
    ) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.cast(self._scores(queries, memory.keys), tf.float32)
        scores = tf.where(memory.mask[:, None, :], scores, _LOWEST)
        weights = tf.nn.softmax(scores)
        context = tf.cast(weights, memory.values.dtype) @ memory.values
        return context, weights

    def _scores(self, queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        """Returns scores <float>[batch, queries, source]."""
        if self.score != "additive":
            return tf.matmul(queries, keys, transpose_b=True)
        projected = tf.tensordot(queries, self.query_kernel, 1)[:, :, None]
        hidden = tf.tanh(projected + keys[:, None])
        # Not a product with a matrix of one column: that of TensorFlow 2.21
        # writes past its memory for such shapes on a CPU.
        return tf.reduce_sum(hidden * self.score_kernel, axis=-1)

    def get_config(self) -> Config:
        return super().get_config() | {
            "score": self.score,
            "features": self.features,
            "memory_features": self.memory_features,
        }
