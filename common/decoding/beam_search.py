"""Beam search: the best few beginnings of a sequence, step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from common.decoding.sampling import (
    LOWEST,
    Decoded,
    Limits,
    Step,
    allowed_log_probs,
    lengths_until,
    longest,
)


class Penalties(NamedTuple):
    """What is taken from a log-probability to rank whole sequences.

    score = log P / ((5 + length) / 6) ** length_penalty
            + coverage_penalty * sum over source of log(min(coverage, 1))

    The length counts the end id. The coverage of a position in the source is
    the attention that it got, over all steps.

    Attributes:
        length_penalty: 0 ranks by log-probability, which prefers the short;
            1 about by its mean.
        coverage_penalty: 0 or more; needs `attention_of` and `source_mask`.
        attention_of: takes the state after a step and gives the attention
            <float>[rows, source] that it paid.
        source_mask: <bool>[batch, source], True where the source is real.

    Reference:
        Wu et al. 2016, "Google's neural machine translation system", eq. 14.
    """

    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    attention_of: Callable[[Any], tf.Tensor] | None = None
    source_mask: tf.Tensor | None = None


class _Alive(NamedTuple):
    """Beginnings that have not ended, best first.

    Attributes:
        ids: <int32>[batch, beam, max_length + 1].
        log_probs: <float32>[batch, beam].
        covered: <float32>[batch, beam, source]; source is 0 where unused.
        state: the model's, rows are batch * beam.
    """

    ids: tf.Tensor
    log_probs: tf.Tensor
    covered: tf.Tensor
    state: Any


class _Ended(NamedTuple):
    """Whole sequences, best first.

    Attributes:
        ids: <int32>[batch, beam, max_length + 1].
        scores: <float32>[batch, beam]; LOWEST where there is none yet.
    """

    ids: tf.Tensor
    scores: tf.Tensor


def beam_search(
    step: Step,
    state: Any,
    batch: Any,
    limits: Limits,
    beam: int,
    penalties: Penalties = Penalties(),  # noqa: B008  It is immutable.
    stop_when_full: bool = False,
) -> Decoded:
    """Finds the best sequences among those that the beam can hold.

    An end counts if it is among the `beam` best continuations. A row stops
    when none of its beginnings can become better than its whole sequences.
    With a beam of 1 and no penalties this is `greedy`.

    Args:
        step: see `common.decoding.sampling`.
        state: the state before the first step, rows are batch.
        batch: <int>, rows.
        limits: see `Limits`.
        beam: beginnings to keep, at least 1.
        penalties: see `Penalties`.
        stop_when_full: whether a row also stops as soon as `beam` of its
            sequences have ended. A length penalty lets the search hope for
            better ones up to the greatest length, mostly in vain.

    Returns:
        `Decoded` with an axis more: ids <int32>[batch, beam, max_length],
        lengths and scores [batch, beam], best first. Where there are fewer
        sequences than the beam, the scores of the rest are below -1e8.

    Raises:
        ValueError: if the beam or a penalty is out of range.

    Example:
        >>> def step(ids, state):  # Counts to 3, then ends.
        ...     return tf.one_hot(tf.minimum(ids + 1, 3), 4) * 9, state
        >>> limits = Limits(start_id=0, end_id=3, max_length=5)
        >>> beam_search(step, (), 1, limits, beam=2).ids[:, 0].numpy()
        array([[1, 2, 3, 3, 3]], dtype=int32)
    """
    _check(beam, penalties)

    most = longest(limits)
    greatest_factor = _length_factor(limits.max_length + 1, penalties)
    of_rows = limits
    if not isinstance(limits.max_length, int):
        of_rows = limits._replace(max_length=tf.repeat(limits.max_length, beam))

    def body(t: tf.Tensor, alive: _Alive, ended: _Ended) -> tuple:
        alive, now = _advance(step, t, alive, ended, of_rows, penalties)
        if stop_when_full:
            # Whatever the other rows of the batch still do.
            full = ended.scores[:, -1] > LOWEST
            ids = tf.where(full[:, None, None], ended.ids, now.ids)
            now = _Ended(ids, tf.where(full[:, None], ended.scores, now.scores))
        return t + 1, alive, now

    def goes_on(t: tf.Tensor, alive: _Alive, ended: _Ended) -> tf.Tensor:
        worst = ended.scores[:, -1]
        hopes = alive.log_probs[:, 0] / greatest_factor > worst
        if stop_when_full:
            hopes &= worst <= LOWEST
        return (t <= most) & tf.reduce_any(hopes)

    start = _start(state, batch, limits, beam, penalties)
    _, _, ended = tf.while_loop(goes_on, body, (0, *start))
    ids = ended.ids[:, :, :-1]
    return Decoded(ids, lengths_until(ids, limits.end_id), ended.scores)


def _check(beam: int, penalties: Penalties) -> None:
    if beam < 1:
        raise ValueError(f"beam must be at least 1, got {beam}")
    for name in ("length_penalty", "coverage_penalty"):
        if getattr(penalties, name) < 0:
            raise ValueError(
                f"{name} must be at least 0, got {getattr(penalties, name)}"
            )
    if penalties.coverage_penalty and (
        penalties.attention_of is None or penalties.source_mask is None
    ):
        raise ValueError(
            "coverage_penalty needs attention_of and source_mask: pass both"
        )


def _start(
    state: Any, batch: Any, limits: Limits, beam: int, penalties: Penalties
) -> tuple[_Alive, _Ended]:
    """One empty beginning in each row, and nothing that has ended."""
    ids = tf.fill([batch, beam, longest(limits) + 1], limits.end_id)
    none = tf.fill([batch, beam], LOWEST)
    log_probs = tf.concat([tf.zeros([batch, 1]), none[:, 1:]], axis=1)
    source = 0
    if penalties.coverage_penalty and penalties.source_mask is not None:
        source = tf.shape(penalties.source_mask)[1]
    covered = tf.zeros([batch, beam, source])
    state = tf.nest.map_structure(lambda x: tf.repeat(x, beam, axis=0), state)
    return _Alive(ids, log_probs, covered, state), _Ended(ids, none)


def _advance(
    step: Step,
    t: tf.Tensor,
    alive: _Alive,
    ended: _Ended,
    limits: Limits,
    penalties: Penalties,
) -> tuple[_Alive, _Ended]:
    """Takes one step with all beginnings, and keeps the best that follow."""
    beam = alive.ids.shape[1]
    last = tf.where(t == 0, limits.start_id, alive.ids[:, :, t - 1])
    logits, state = step(tf.reshape(last, [-1]), alive.state)
    vocab = tf.shape(logits)[1]
    log_probs = allowed_log_probs(logits, t, limits)
    totals = tf.reshape(log_probs, [-1, beam, vocab])
    totals = totals + alive.log_probs[:, :, None]
    # Twice the beam: at most one end follows each, so the beam stays full.
    totals, best = tf.math.top_k(
        tf.reshape(totals, [-1, beam * vocab]),
        tf.minimum(2 * beam, beam * vocab),
    )
    origins, ids = best // vocab, best % vocab
    covered = _covered(alive.covered, state, penalties)
    sequences = _written(_taken(alive.ids, origins), t, ids)
    scores = totals / _length_factor(t + 1, penalties)
    scores += _coverage(_taken(covered, origins), penalties)
    is_end = ids == limits.end_id
    rank = tf.range(tf.shape(ids)[1])
    # In the beam, and possible at all.
    counts = is_end & (rank < beam) & (totals > LOWEST / 2)
    ended = _best_ended(ended, sequences, tf.where(counts, scores, LOWEST))
    totals = tf.where(is_end, 2 * LOWEST, totals)
    log_probs, kept = tf.math.top_k(totals, beam)
    origins = tf.gather(origins, kept, batch_dims=1)
    state = tf.nest.map_structure(lambda x: _taken_rows(x, origins), state)
    sequences, covered = _taken(sequences, kept), _taken(covered, origins)
    return _Alive(sequences, log_probs, covered, state), ended


def _taken(x: tf.Tensor, origins: tf.Tensor) -> tf.Tensor:
    """Of x <any>[batch, beam, ...], those at origins <int32>[batch, n]."""
    return tf.gather(x, origins, batch_dims=1)


def _taken_rows(x: tf.Tensor, origins: tf.Tensor) -> tf.Tensor:
    """As `_taken`, where batch and beam are one axis."""
    batch, beam = tf.unstack(tf.shape(origins))
    first = tf.range(batch)[:, None] * beam
    rows = tf.gather(x, tf.reshape(first + origins, [-1]))
    return tf.ensure_shape(rows, x.shape)


def _written(sequences: tf.Tensor, t: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Puts an id at step t of each sequence."""
    is_here = tf.range(tf.shape(sequences)[2]) == t
    return tf.where(is_here, ids[:, :, None], sequences)


def _best_ended(
    ended: _Ended, sequences: tf.Tensor, scores: tf.Tensor
) -> _Ended:
    """The best of those that had ended before and those that end now."""
    scores = tf.concat([ended.scores, scores], axis=1)
    sequences = tf.concat([ended.ids, sequences], axis=1)
    scores, kept = tf.math.top_k(scores, ended.scores.shape[1])
    return _Ended(_taken(sequences, kept), scores)


def _length_factor(length: Any, penalties: Penalties) -> tf.Tensor:
    length = tf.cast(length, tf.float32)
    return ((5.0 + length) / 6.0) ** penalties.length_penalty


def _covered(covered: tf.Tensor, state: Any, penalties: Penalties) -> tf.Tensor:
    """<float32>[batch, beam, source], with the attention of this step."""
    if not penalties.coverage_penalty or penalties.attention_of is None:
        return covered
    attention = tf.cast(penalties.attention_of(state), tf.float32)
    return covered + tf.reshape(attention, tf.shape(covered))


def _coverage(covered: tf.Tensor, penalties: Penalties) -> Any:
    """What a score loses for parts of the source that were not looked at."""
    if not penalties.coverage_penalty or penalties.source_mask is None:
        return 0.0
    logs = tf.math.log(tf.clip_by_value(covered, 1e-9, 1.0))
    real = penalties.source_mask[:, None, :]
    lost = tf.reduce_sum(tf.where(real, logs, 0.0), axis=-1)
    return penalties.coverage_penalty * lost
