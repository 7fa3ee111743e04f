"""A linear-chain conditional random field over sequences of tags."""

from typing import Any

import keras
import tensorflow as tf

from common import shapes
from common.decoding.sampling import LOWEST
from common.layers import checks
from common.layers.crf_loops import (
    Chain,
    best_path,
    log_partition,
    marginals,
)
from common.layers.types import Config

UNLABELLED = -1


@keras.saving.register_keras_serializable(package="common")
class LinearChainCRF(keras.layers.Layer):
    """A distribution over whole sequences of tags, not over each tag alone.

    Of a sequence with the logits x_1 ... x_T, tags y_1 ... y_T score

        score(y) = start[y_1] + end[y_T] + sum over t of x_t[y_t]
                   + sum over t > 1 of transitions[y_{t-1}, y_t]
        log P(y) = score(y) - log Z
        log Z    = log of the sum over all y' of exp(score(y'))

    With its first weights, all 0, the layer changes nothing: P is the product
    of the softmax of each step. Everything is computed in float32, also under
    mixed precision. Sequences are padded on the right, and padding changes no
    value and no gradient.

    Train with `negative_log_likelihood`; then take the best sequence of tags
    (`decode`) or the probabilities of each tag (`marginals`, or the layer
    itself).

    Args:
        classes: the number of tags, at least 1.
        **kwargs: of every layer (`name`, `dtype`, `trainable`).

    Call arguments:
        logits: <float>[batch, time, classes], time at least 1.
        mask: <bool>[batch, time], False on padding. Required.

    Returns:
        `marginals`: <float32>[batch, time, classes].

    Raises:
        ValueError: if `classes` is below 1, or if the logits are of another
            rank or another number of classes.

    Example:
        >>> crf = LinearChainCRF(classes=2)
        >>> crf.build()
        >>> _ = crf.transitions.assign([[2.0, 0.0], [0.0, 2.0]])  # Tags last.
        >>> logits = tf.constant([[[3.0, 0.0], [0.0, 1.0], [3.0, 0.0]]])
        >>> mask = tf.constant([[True, True, True]])
        >>> crf.decode(logits, mask).numpy()  # The softmax says 0, 1, 0.
        array([[0, 0, 0]], dtype=int32)
        >>> crf(logits, mask=mask)[0, :, 1].numpy().round(3)
        array([0.029, 0.084, 0.029], dtype=float32)
        >>> tags = tf.constant([[0, -1, 0]])  # Unlabelled in between.
        >>> crf.negative_log_likelihood(tags, logits, mask).numpy().round(3)
        array([0.053], dtype=float32)

    Reference:
        Lafferty et al. 2001, "Conditional random fields: probabilistic models
        for segmenting and labeling sequence data", ICML, section 3; Sutton
        and McCallum 2012, "An introduction to conditional random fields",
        sections 2.3 (the model), 4.1 (forward-backward, Viterbi), 4.3
        (logarithms), 5.1 (likelihood and its gradient).
    """

    def __init__(self, classes: int, **kwargs: Any) -> None:
        # Mixed precision must round neither inputs nor weights.
        super().__init__(autocast=False, **kwargs)
        self.classes = checks.check_size("classes", classes)
        self.supports_masking = True

    def build(self, *_: Any, **__: Any) -> None:
        weight_shapes = {
            "transitions": (self.classes, self.classes),
            "start": (self.classes,),
            "end": (self.classes,),
        }
        self.transitions, self.start, self.end = (
            self.add_weight(
                shape=shape,
                initializer="zeros",
                dtype="float32",
                autocast=False,
                name=name,
            )
            for name, shape in weight_shapes.items()
        )
        self.built = True

    def call(self, logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return self.marginals(logits, mask)

    def negative_log_likelihood(
        self, tags: tf.Tensor, logits: tf.Tensor, mask: tf.Tensor
    ) -> tf.Tensor:
        """Computes the loss, - log P of the tags.

        Where tags are unlabelled, of all sequences that agree with the rest,

            - log P = log Z - log of the sum over those y of exp(score(y))

        XLA compiles the loops, once for every number of rows and every 128
        steps. There is a first gradient, no second one.

        Args:
            tags: <int32>[batch, time], 0 to classes - 1, or -1 where a step
                is unlabelled. On padding anything.
            logits: <float>[batch, time, classes].
            mask: <bool>[batch, time], False on padding.

        Returns:
            <float32>[batch], nats a sequence. 0 for a row of padding.

        Reference:
            Tsuboi et al. 2008, "Training conditional random fields using
            incomplete annotations", COLING, section 4.
        """
        tags, mask = tf.convert_to_tensor(tags), _check_mask(mask, logits)
        chain = self._chain(logits, mask)
        # A number added to all logits of a step does not change P. Without it,
        # both logs are near 0, and their difference keeps its precision.
        log_probs = tf.nn.log_softmax(chain.scores)
        allowed = tf.one_hot(tags, self.classes, True, False, dtype=tf.bool)
        is_free = (tags == UNLABELLED) | ~mask
        allowed = _time_first(allowed | is_free[:, :, None])
        constrained = tf.where(allowed, log_probs, LOWEST)
        return log_partition(chain._replace(scores=log_probs)) - log_partition(
            chain._replace(scores=constrained)
        )

    def decode(self, logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Finds the most probable sequence of tags, with Viterbi's algorithm.

        Args:
            logits: <float>[batch, time, classes].
            mask: <bool>[batch, time], False on padding.

        Returns:
            Tags <int32>[batch, time], 0 on padding. Of sequences with the same
            score, the one with the lower last tag, and so on backwards.
        """
        mask = _check_mask(mask, logits)
        tags = tf.transpose(best_path(self._chain(logits, mask)))
        return tf.where(mask, tags, 0)

    def marginals(self, logits: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Computes P(y_t = tag) for each step and tag, by forward-backward.

        Args:
            logits: <float>[batch, time, classes].
            mask: <bool>[batch, time], False on padding.

        Returns:
            <float32>[batch, time, classes], over the classes a sum of 1; 0
            on padding.
        """
        mask = _check_mask(mask, logits)
        probabilities = marginals(self._chain(logits, mask))
        probabilities = _time_first(probabilities)
        probabilities = tf.where(mask[:, :, None], probabilities, 0.0)
        return tf.ensure_shape(probabilities, [None, None, self.classes])

    def _chain(self, logits: tf.Tensor, mask: tf.Tensor) -> Chain:
        """Makes a `Chain` of the logits, with 0 on padding."""
        logits = tf.cast(logits, tf.float32)
        if logits.shape[2] not in (None, self.classes):
            raise ValueError(
                f"LinearChainCRF has {self.classes} classes, got logits of"
                f" shape {tuple(logits.shape)}: make both of one size"
            )
        if not self.built:
            self.build()
        logits = shapes.assert_has_steps(logits, "LinearChainCRF")
        logits = tf.where(mask[:, :, None], logits, 0.0)
        return Chain(
            _time_first(logits),
            tf.convert_to_tensor(self.transitions),
            tf.convert_to_tensor(self.start),
            tf.convert_to_tensor(self.end),
            tf.transpose(mask),
        )

    def compute_output_shape(
        self, logits_shape: tuple, mask_shape: tuple | None = None
    ) -> tuple:
        return logits_shape

    def get_config(self) -> Config:
        return super().get_config() | {"classes": self.classes}


def _check_mask(mask: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Checks the sizes of logits and mask, and makes the mask boolean."""
    shapes.check_sequence(logits, "LinearChainCRF")
    return checks.check_mask(
        mask, tf.convert_to_tensor(logits), "LinearChainCRF"
    )


def _time_first(x: tf.Tensor) -> tf.Tensor:
    """Turns [batch, time, ...] into [time, batch, ...], or back."""
    return tf.transpose(x, [1, 0, 2])
