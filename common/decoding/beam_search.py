"""Beam search: keeps the best few hypotheses of each row, step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from common.decoding.sampling import (
    LOWEST,
    Decoded,
    Limits,
    Step,
    apply_limits,
    count_until_end,
    largest_max_length,
)


class Penalties(NamedTuple):
    """Penalties that turn log-probabilities of sequences into scores.

    score = log P / ((5 + length) / 6) ** length_penalty
            + coverage_penalty * sum over source of log(min(coverage, 1))

    The length counts the end id. The coverage of a position in the source is
    the attention that it got, over all steps.

    Attributes:
        length_penalty: 0 ranks by log-probability, which prefers the short;
            1 about by its mean. Default 0.
        coverage_penalty: 0 or more; needs `get_attention` and `source_mask`.
            Default 0.
        get_attention: takes the state after a step and returns the attention
            of this step, <float>[rows, source]. Default None.
        source_mask: <bool>[batch, source], True for real positions, False
            for padding. Default None.

    Reference:
        Wu et al. 2016, "Google's neural machine translation system", eq. 14.
    """

    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    get_attention: Callable[[Any], tf.Tensor] | None = None
    source_mask: tf.Tensor | None = None


class _Hypotheses(NamedTuple):
    """Sequences that have not ended yet, best first.

    Attributes:
        ids: <int32>[batch, beam, max_length + 1].
        log_probs: <float32>[batch, beam]; LOWEST or less if there is none.
        coverage: <float32>[batch, beam, source]; source is 0 if unused.
        state: the model's; its rows are batch * beam.
    """

    ids: tf.Tensor
    log_probs: tf.Tensor
    coverage: tf.Tensor
    state: Any


class _Finished(NamedTuple):
    """Sequences with their end, best first.

    Attributes:
        ids: <int32>[batch, beam, max_length + 1].
        scores: <float32>[batch, beam]; LOWEST if there is none yet.
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
    when none of its hypotheses can become better than its finished sequences.
    With a beam of 1 and no penalties this is `greedy`.

    Args:
        step: see `common.decoding.sampling`.
        state: the state before the first step; its rows are batch.
        batch: <int32>[], the number of rows.
        limits: see `Limits`.
        beam: the number of hypotheses to keep, at least 1.
        penalties: see `Penalties`. Default none.
        stop_when_full: True to stop a row also as soon as `beam` of its
            sequences have finished. A length penalty lets the search hope for
            better ones up to the greatest length, mostly in vain. Default
            False.

    Returns:
        `Decoded` with one more axis: ids <int32>[batch, beam, max_length],
        lengths <int32>[batch, beam] and scores <float32>[batch, beam], best
        first. If there are fewer sequences than the beam, the scores of the
        rest are below -1e8.

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

    max_steps = largest_max_length(limits)
    largest_factor = _length_factor(limits.max_length + 1, penalties)
    limits_of_beams = limits
    if not isinstance(limits.max_length, int):
        lengths = tf.repeat(limits.max_length, beam)
        limits_of_beams = limits._replace(max_length=lengths)

    def body(t: tf.Tensor, live: _Hypotheses, finished: _Finished) -> tuple:
        live, now = _advance(
            step, t, live, finished, limits_of_beams, penalties
        )
        if stop_when_full:
            now = _keep_full_rows(finished, now)
        return t + 1, live, now

    def cond(t: tf.Tensor, live: _Hypotheses, finished: _Finished) -> tf.Tensor:
        worst = finished.scores[:, -1]
        can_improve = live.log_probs[:, 0] / largest_factor > worst
        if stop_when_full:
            can_improve &= worst <= LOWEST
        return (t <= max_steps) & tf.reduce_any(can_improve)

    start = _start(state, batch, limits, beam, penalties)
    _, _, finished = tf.while_loop(cond, body, (0, *start))
    ids = finished.ids[:, :, :-1]
    return Decoded(ids, count_until_end(ids, limits.end_id), finished.scores)


def _check(beam: int, penalties: Penalties) -> None:
    if beam < 1:
        raise ValueError(f"beam must be at least 1, got {beam}")
    for name in ("length_penalty", "coverage_penalty"):
        if getattr(penalties, name) < 0:
            raise ValueError(
                f"{name} must be at least 0, got {getattr(penalties, name)}"
            )
    if penalties.coverage_penalty and (
        penalties.get_attention is None or penalties.source_mask is None
    ):
        raise ValueError(
            "coverage_penalty needs get_attention and source_mask: pass both"
        )


def _start(
    state: Any, batch: Any, limits: Limits, beam: int, penalties: Penalties
) -> tuple[_Hypotheses, _Finished]:
    """Makes one empty hypothesis for each row, and no finished sequence."""
    ids = tf.fill([batch, beam, largest_max_length(limits) + 1], limits.end_id)
    none = tf.fill([batch, beam], LOWEST)
    log_probs = tf.concat([tf.zeros([batch, 1]), none[:, 1:]], axis=1)
    source = 0
    if penalties.coverage_penalty and penalties.source_mask is not None:
        source = tf.shape(penalties.source_mask)[1]
    coverage = tf.zeros([batch, beam, source])
    state = tf.nest.map_structure(lambda x: tf.repeat(x, beam, axis=0), state)
    return _Hypotheses(ids, log_probs, coverage, state), _Finished(ids, none)


def _advance(
    step: Step,
    t: tf.Tensor,
    live: _Hypotheses,
    finished: _Finished,
    limits: Limits,
    penalties: Penalties,
) -> tuple[_Hypotheses, _Finished]:
    """Extends all hypotheses by one id, and keeps the best results."""
    beam = live.ids.shape[1]
    last = tf.where(t == 0, limits.start_id, live.ids[:, :, t - 1])
    logits, state = step(tf.reshape(last, [-1]), live.state)
    log_probs = apply_limits(logits, t, limits)
    totals, parents, ids = _best_continuations(log_probs, live)
    coverage = _add_attention(live.coverage, state, penalties)
    sequences = _write_ids(_gather_beams(live.ids, parents), t, ids)
    scores = totals / _length_factor(t + 1, penalties)
    scores += _coverage_score(_gather_beams(coverage, parents), penalties)
    is_end = ids == limits.end_id
    rank = tf.range(tf.shape(ids)[1])
    # In the beam, and possible at all.
    counts = is_end & (rank < beam) & (totals > LOWEST / 2)
    scores = tf.where(counts, scores, LOWEST)
    finished = _update_finished(finished, sequences, scores)
    log_probs, best = tf.math.top_k(tf.where(is_end, 2 * LOWEST, totals), beam)
    parents = tf.gather(parents, best, batch_dims=1)
    state = tf.nest.map_structure(lambda x: _gather_states(x, parents), state)
    sequences = _gather_beams(sequences, best)
    coverage = _gather_beams(coverage, parents)
    return _Hypotheses(sequences, log_probs, coverage, state), finished


def _best_continuations(
    log_probs: tf.Tensor, live: _Hypotheses
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Selects twice as many continuations as the beam holds, best first.

    At most one end follows each hypothesis, so the beam stays full.

    Args:
        log_probs: <float32>[batch * beam, vocab], of the next ids.
        live: the hypotheses.

    Returns:
        Log-probabilities <float32>[batch, 2 * beam], and the hypotheses that
        are continued and the ids that follow, <int32>[batch, 2 * beam].
    """
    beam, vocab = live.ids.shape[1], tf.shape(log_probs)[1]
    totals = tf.reshape(log_probs, [-1, beam, vocab])
    totals = totals + live.log_probs[:, :, None]
    totals, best = tf.math.top_k(
        tf.reshape(totals, [-1, beam * vocab]),
        tf.minimum(2 * beam, beam * vocab),
    )
    return totals, best // vocab, best % vocab


def _gather_beams(x: tf.Tensor, parents: tf.Tensor) -> tf.Tensor:
    """Gathers x <any>[batch, beam, ...] at parents <int32>[batch, n]."""
    return tf.gather(x, parents, batch_dims=1)


def _gather_states(x: tf.Tensor, parents: tf.Tensor) -> tf.Tensor:
    """Gathers x <any>[batch * beam, ...] at parents <int32>[batch, beam]."""
    batch, beam = tf.unstack(tf.shape(parents))
    first = tf.range(batch)[:, None] * beam
    rows = tf.gather(x, tf.reshape(first + parents, [-1]))
    return tf.ensure_shape(rows, x.shape)


def _write_ids(sequences: tf.Tensor, t: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Puts an id at step t of each sequence."""
    is_here = tf.range(tf.shape(sequences)[2]) == t
    return tf.where(is_here, ids[:, :, None], sequences)


def _update_finished(
    finished: _Finished, sequences: tf.Tensor, scores: tf.Tensor
) -> _Finished:
    """Keeps the best of the finished sequences and of those that end now."""
    scores = tf.concat([finished.scores, scores], axis=1)
    sequences = tf.concat([finished.ids, sequences], axis=1)
    scores, best = tf.math.top_k(scores, finished.scores.shape[1])
    return _Finished(_gather_beams(sequences, best), scores)


def _keep_full_rows(before: _Finished, after: _Finished) -> _Finished:
    """Leaves rows as they were that were full, whatever other rows do."""
    full = before.scores[:, -1] > LOWEST
    ids = tf.where(full[:, None, None], before.ids, after.ids)
    return _Finished(ids, tf.where(full[:, None], before.scores, after.scores))


def _length_factor(length: Any, penalties: Penalties) -> tf.Tensor:
    length = tf.cast(length, tf.float32)
    return ((5.0 + length) / 6.0) ** penalties.length_penalty


def _add_attention(
    coverage: tf.Tensor, state: Any, penalties: Penalties
) -> tf.Tensor:
    """Adds the attention of this step to <float32>[batch, beam, source]."""
    if not penalties.coverage_penalty or penalties.get_attention is None:
        return coverage
    attention = tf.cast(penalties.get_attention(state), tf.float32)
    return coverage + tf.reshape(attention, tf.shape(coverage))


def _coverage_score(coverage: tf.Tensor, penalties: Penalties) -> Any:
    """Computes what is added to scores for the coverage, 0 or less."""
    if not penalties.coverage_penalty or penalties.source_mask is None:
        return 0.0
    logs = tf.math.log(tf.clip_by_value(coverage, 1e-9, 1.0))
    mask = penalties.source_mask[:, None, :]
    total = tf.reduce_sum(tf.where(mask, logs, 0.0), axis=-1)
    return penalties.coverage_penalty * total
