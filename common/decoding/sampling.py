"""From a model that scores the next id to whole sequences of ids.

Three ways, all batched loops inside the graph that stop when every row has
ended: `greedy` takes the likeliest id at each step, `sample` draws one,
`beam_search` keeps the best few beginnings. What they need of a model is one
function, a step:

    logits, state = step(ids, state)

with ids <int32>[rows], the ids chosen last; state, any nest of tensors with
rows as their first axis; and logits <float>[rows, vocab] of the next ids.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Step = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]
LOWEST = -1e9  # In place of minus infinity, whose sums may be NaN.


class Decoded(NamedTuple):
    """Sequences, padded with the end id.

    Attributes:
        ids: <int32>[batch, max_length], without the start.
        lengths: <int32>[batch], ids before the end id.
        scores: <float32>[batch], log-probability of the ids and the end,
            divided by the length penalty in beam search.
    """

    ids: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor


class Limits(NamedTuple):
    """Where sequences start and end.

    Attributes:
        start_id: the id before the first one.
        end_id: the id after the last one.
        max_length: at most so many ids, the end not counted; at least 1. A
            number, or one for each row: <int32>[batch].
        min_length: no end before so many ids.
    """

    start_id: int
    end_id: int
    max_length: Any
    min_length: int = 0


class Sampling(NamedTuple):
    """The options of `sample` as one value, for those who hand them on."""

    seed: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def greedy(step: Step, state: Any, batch: Any, limits: Limits) -> Decoded:
    """Takes the likeliest id at every step.

    Args:
        step: see the module.
        state: the state before the first step.
        batch: <int>, rows.
        limits: see `Limits`.

    Returns:
        One sequence for each row.

    Example:
        >>> def step(ids, state):  # Counts to 3, then ends.
        ...     return tf.one_hot(tf.minimum(ids + 1, 3), 4) * 9, state
        >>> greedy(step, (), 1, Limits(0, 3, max_length=5)).ids.numpy()
        array([[1, 2, 3, 3, 3]], dtype=int32)
    """
    return _generate(step, state, batch, limits, _likeliest)


def sample(
    step: Step,
    state: Any,
    batch: Any,
    limits: Limits,
    seed: Any,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Decoded:
    """Draws an id at every step.

    Args:
        step: see the module.
        state: the state before the first step.
        batch: <int>, rows.
        limits: see `Limits`.
        seed: <int>[2]: the same seed gives the same ids.
        temperature: above 0; below 1 the likely gets likelier.
        top_k: only the k likeliest ids are drawn; 0 for all.
        top_p: only the likeliest ids that together have at least this
            probability are drawn, above 0, at most 1.

    Returns:
        One sequence for each row; scores are of the model's own
        probabilities.

    Raises:
        ValueError: if an argument is out of range.

    Reference:
        Holtzman et al. 2020, "The curious case of neural text degeneration",
        ICLR, section 3.1 (top-p).
    """
    _check("temperature", temperature, temperature > 0, "above 0")
    _check("top_k", top_k, top_k >= 0, "at least 0")
    _check("top_p", top_p, 0 < top_p <= 1, "above 0 and at most 1")

    def draw(log_probs: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        kept = _nucleus(_top(log_probs / temperature, top_k), top_p)
        at_step = tf.random.experimental.stateless_fold_in(seed, t)
        drawn = tf.random.stateless_categorical(kept, 1, at_step, tf.int32)
        return drawn[:, 0]

    return _generate(step, state, batch, limits, draw)


def _generate(
    step: Step,
    state: Any,
    batch: Any,
    limits: Limits,
    pick: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Decoded:
    """One id after the other, for all rows at one time."""
    end = limits.end_id

    def body(
        t: tf.Tensor, ids: tf.Tensor, scores: tf.Tensor, array: Any, state: Any
    ) -> tuple:
        ended = (ids == end) & (t > 0)
        logits, state = step(ids, state)
        log_probs = allowed_log_probs(logits, t, limits)
        ids = tf.where(ended, end, pick(log_probs, t))
        gained = tf.gather(log_probs, ids, batch_dims=1)
        scores = scores + tf.where(ended, 0.0, gained)
        return t + 1, ids, scores, array.write(t, ids), state

    def goes_on(t: tf.Tensor, ids: tf.Tensor, *_: Any) -> tf.Tensor:
        return (t == 0) | ((t < num_steps) & tf.reduce_any(ids != end))

    num_steps = longest(limits) + 1
    first = tf.fill([batch], limits.start_id)
    array = tf.TensorArray(tf.int32, num_steps, element_shape=[None])
    start = (0, first, tf.zeros([batch]), array, state)
    time, _, scores, array, _ = tf.while_loop(goes_on, body, start)
    # The rest was never written: all rows have ended there.
    ids = tf.transpose(array.gather(tf.range(time)))
    ids = tf.pad(ids, [[0, 0], [0, num_steps - time]], constant_values=end)
    ids = tf.reshape(ids, [batch, num_steps])[:, :-1]
    return Decoded(ids, lengths_until(ids, end), scores)


def longest(limits: Limits) -> Any:
    """The greatest `max_length` of all rows, at least 1."""
    if isinstance(limits.max_length, int):
        return limits.max_length
    return tf.reduce_max(tf.concat([limits.max_length, [1]], 0))


def _likeliest(log_probs: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.argmax(log_probs, axis=-1, output_type=tf.int32)


def allowed_log_probs(
    logits: tf.Tensor, t: tf.Tensor, limits: Limits
) -> tf.Tensor:
    """Log-probabilities of the next ids, with the limits kept.

    Args:
        logits: <float>[rows, vocab].
        t: the number of ids so far, <int32>[].
        limits: see `Limits`.

    Returns:
        <float32>[rows, vocab]. No end before `min_length`, nothing else from
        `max_length` on: such ids are at LOWEST.
    """
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    is_end = tf.range(tf.shape(logits)[1]) == limits.end_id
    too_early = (t < limits.min_length) & is_end
    over = tf.reshape(t >= limits.max_length, [-1, 1])
    too_late = over & ~is_end
    return tf.where(too_early | too_late, LOWEST, log_probs)


def lengths_until(ids: tf.Tensor, end_id: int) -> tf.Tensor:
    """Counts the ids before the first end; all, if there is none.

    Args:
        ids: <int32>[..., time].
        end_id: the id after the last one.

    Returns:
        <int32>[...].

    Example:
        >>> lengths_until(tf.constant([[5, 1, 5], [5, 5, 5]]), 1).numpy()
        array([1, 3], dtype=int32)
    """
    going = tf.math.cumprod(tf.cast(ids != end_id, tf.int32), axis=-1)
    return tf.reduce_sum(going, axis=-1)


def _top(logits: tf.Tensor, k: int) -> tf.Tensor:
    """All but the k greatest of each row are ruled out."""
    if not k:
        return logits
    least = tf.math.top_k(logits, tf.minimum(k, tf.shape(logits)[1])).values
    return tf.where(logits < least[:, -1:], LOWEST, logits)


def _nucleus(logits: tf.Tensor, p: float) -> tf.Tensor:
    """All but the likeliest that have the probability p are ruled out."""
    if p == 1:
        return logits
    ordered = tf.sort(logits, axis=-1, direction="DESCENDING")
    before = tf.cumsum(tf.nn.softmax(ordered), axis=-1, exclusive=True)
    least = tf.reduce_min(tf.where(before < p, ordered, tf.float32.max), -1)
    return tf.where(logits < least[:, None], LOWEST, logits)


def _check(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
