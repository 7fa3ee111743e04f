"""Greedy decoding and sampling: from scores of the next id to sequences.

There are three ways, all batched loops inside the graph that stop when every
row has ended: `greedy` takes the likeliest id at each step, `sample` draws
one, `beam_search` keeps the best few hypotheses. They need one function of a
model, a step:

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
    """Decoded sequences, padded with the end id.

    Attributes:
        ids: <int32>[batch, max_length], without the start id.
        lengths: <int32>[batch], the number of ids before the end id.
        scores: <float32>[batch], log-probability of the ids and the end; with
            the penalties in beam search.
    """

    ids: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor


class Limits(NamedTuple):
    """Start, end and allowed lengths of sequences.

    Attributes:
        start_id: the id before the first one.
        end_id: the id after the last one.
        max_length: the most ids before the end, at least 1. A number, or one
            for each row: <int32>[batch].
        min_length: the fewest ids before the end. Default 0.
    """

    start_id: int
    end_id: int
    max_length: Any
    min_length: int = 0


class Sampling(NamedTuple):
    """The options of `sample` as one value; the seed is a single number."""

    seed: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


def greedy(step: Step, state: Any, batch: Any, limits: Limits) -> Decoded:
    """Takes the likeliest id at every step.

    Args:
        step: see the module.
        state: the state before the first step; its rows are batch.
        batch: <int32>[], the number of rows.
        limits: see `Limits`.

    Returns:
        One sequence for each row.

    Example:
        >>> def step(ids, state):  # Counts to 3, then ends.
        ...     return tf.one_hot(tf.minimum(ids + 1, 3), 4) * 9, state
        >>> greedy(step, (), 1, Limits(0, 3, max_length=5)).ids.numpy()
        array([[1, 2, 3, 3, 3]], dtype=int32)
    """
    return _generate(step, state, batch, limits, _pick_likeliest)


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
        state: the state before the first step; its rows are batch.
        batch: <int32>[], the number of rows.
        limits: see `Limits`.
        seed: <int32>[2]; the same seed gives the same ids.
        temperature: above 0; below 1 likely ids get likelier. Default 1.
        top_k: only the k likeliest ids are drawn; 0 for all. Default 0.
        top_p: only the likeliest ids that together have at least this
            probability are drawn, above 0, at most 1. Default 1.

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

    def pick_random(log_probs: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        logits = _keep_top_p(_keep_top_k(log_probs / temperature, top_k), top_p)
        step_seed = tf.random.experimental.stateless_fold_in(seed, t)
        ids = tf.random.stateless_categorical(logits, 1, step_seed, tf.int32)
        return ids[:, 0]

    return _generate(step, state, batch, limits, pick_random)


def _generate(
    step: Step,
    state: Any,
    batch: Any,
    limits: Limits,
    pick: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Decoded:
    """Picks one id after the other, for all rows at one time."""
    end = limits.end_id

    def body(
        t: tf.Tensor, ids: tf.Tensor, scores: tf.Tensor, array: Any, state: Any
    ) -> tuple:
        ended = (ids == end) & (t > 0)
        logits, state = step(ids, state)
        log_probs = apply_limits(logits, t, limits)
        ids = tf.where(ended, end, pick(log_probs, t))
        gained = tf.gather(log_probs, ids, batch_dims=1)
        scores = scores + tf.where(ended, 0.0, gained)
        return t + 1, ids, scores, array.write(t, ids), state

    def cond(t: tf.Tensor, ids: tf.Tensor, *_: Any) -> tf.Tensor:
        return (t == 0) | ((t < num_steps) & tf.reduce_any(ids != end))

    num_steps = largest_max_length(limits) + 1
    first = tf.fill([batch], limits.start_id)
    array = tf.TensorArray(tf.int32, num_steps, element_shape=[None])
    start = (0, first, tf.zeros([batch]), array, state)
    time, _, scores, array, _ = tf.while_loop(cond, body, start)
    # The rest was never written: all rows have ended there.
    ids = tf.transpose(array.gather(tf.range(time)))
    ids = tf.pad(ids, [[0, 0], [0, num_steps - time]], constant_values=end)
    ids = tf.reshape(ids, [batch, num_steps])[:, :-1]
    return Decoded(ids, count_until_end(ids, end), scores)


def largest_max_length(limits: Limits) -> Any:
    """Returns the largest `max_length` of all rows, at least 1: <int32>[]."""
    if isinstance(limits.max_length, int):
        return limits.max_length
    return tf.reduce_max(tf.concat([limits.max_length, [1]], 0))


def _pick_likeliest(log_probs: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    return tf.argmax(log_probs, axis=-1, output_type=tf.int32)


def apply_limits(logits: tf.Tensor, t: tf.Tensor, limits: Limits) -> tf.Tensor:
    """Computes log-probabilities of the next ids, and rules out some of them.

    Args:
        logits: <float>[rows, vocab].
        t: <int32>[], the number of ids so far.
        limits: see `Limits`.

    Returns:
        <float32>[rows, vocab], at LOWEST for the end before `min_length` and
        for all other ids from `max_length` on.
    """
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    is_end = tf.range(tf.shape(logits)[1]) == limits.end_id
    too_early = (t < limits.min_length) & is_end
    over = tf.reshape(t >= limits.max_length, [-1, 1])
    too_late = over & ~is_end
    return tf.where(too_early | too_late, LOWEST, log_probs)


def count_until_end(ids: tf.Tensor, end_id: int) -> tf.Tensor:
    """Counts the ids before the first end, all if there is none.

    Args:
        ids: <int32>[..., time].
        end_id: the id after the last one.

    Returns:
        <int32>[...].

    Example:
        >>> count_until_end(tf.constant([[5, 1, 5], [5, 5, 5]]), 1).numpy()
        array([1, 3], dtype=int32)
    """
    is_before = tf.math.cumprod(tf.cast(ids != end_id, tf.int32), axis=-1)
    return tf.reduce_sum(is_before, axis=-1)


def _keep_top_k(logits: tf.Tensor, k: int) -> tf.Tensor:
    """Rules out all but the k greatest of each row."""
    if not k:
        return logits
    least = tf.math.top_k(logits, tf.minimum(k, tf.shape(logits)[1])).values
    return tf.where(logits < least[:, -1:], LOWEST, logits)


def _keep_top_p(logits: tf.Tensor, p: float) -> tf.Tensor:
    """Rules out all but the likeliest that have the probability p."""
    if p == 1:
        return logits
    ordered = tf.sort(logits, axis=-1, direction="DESCENDING")
    before = tf.cumsum(tf.nn.softmax(ordered), axis=-1, exclusive=True)
    least = tf.reduce_min(tf.where(before < p, ordered, tf.float32.max), -1)
    return tf.where(logits < least[:, None], LOWEST, logits)


def _check(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
