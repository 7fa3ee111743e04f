"""The loops over time of a linear-chain conditional random field.

Time could also be a tree that joins [classes, classes] matrices of neighbours,
log2(time) times. Value and gradient of the log partition of 8 rows of 1000
steps, the best of several runs on two processor cores:

    classes    loop     loop by XLA    tree       tree by XLA
    11         39 ms    6 ms           47 ms      53 ms
    48         98 ms    25 ms          6600 ms    not tried

A product of two matrices costs `classes` times as much as that of a vector and
a matrix, and the tree keeps them all for its gradient: 5 GB in the last row.
The loop, with a gradient of its own, keeps its messages alone, <float32>[time,
batch, classes]. So training takes the loop with XLA, and prediction, where each
sequence has another length, the loop without.

Time is the first axis here: the values of one step lie side by side. A row's
last state is carried over its padding.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# XLA takes about a second for every new shape. Padding up to a multiple of so
# many steps makes the shapes few.
STEPS = 128


class Chain(NamedTuple):
    """The scores of a batch of chains.

    Attributes:
        scores: of each tag at each step <float32>[time, batch, classes], time
            at least 1; 0 on padding.
        transitions: of each tag after each other <float32>[classes (from),
            classes (to)].
        start: of each tag as the first one <float32>[classes].
        end: of each tag as the last one <float32>[classes].
        mask: <bool>[time, batch], False on padding, which is at the end.
    """

    scores: tf.Tensor
    transitions: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor
    mask: tf.Tensor


def _messages(chain: Chain, reduce: Callable[..., tf.Tensor]) -> tf.Tensor:
    """Computes the messages of forward-backward, or of Viterbi's algorithm.

    With forward variables s, up to a constant for each step and row,

        message_0[j] = start[j]
        message_t[j] = reduce over i of (s_{t-1}[i] + transitions[i, j])
        s_t[j]       = message_t[j] + scores_t[j]

    Args:
        chain: see `Chain`.
        reduce: tf.reduce_logsumexp sums over all paths, tf.reduce_max takes
            the best one.

    Returns:
        <float32>[time, batch, classes].
    """

    def step(t: tf.Tensor, state: tf.Tensor, array: tf.TensorArray) -> tuple:
        message = reduce(state[:, :, None] + chain.transitions, axis=1)
        message = tf.where(chain.mask[t][:, None], message, state)
        state = _subtract_max(message + chain.scores[t])
        return t + 1, state, array.write(t, message)

    time = tf.shape(chain.scores)[0]
    first = tf.broadcast_to(chain.start, tf.shape(chain.scores)[1:])
    array = tf.TensorArray(tf.float32, time).write(0, first)
    start = (1, _subtract_max(first + chain.scores[0]), array)
    return tf.while_loop(lambda t, *_: t < time, step, start)[-1].stack()


def _subtract_max(state: tf.Tensor) -> tf.Tensor:
    """Shifts the best tag to 0: growing sums would lose precision."""
    return state - tf.reduce_max(state, axis=-1, keepdims=True)


def _forward(chain: Chain) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the log partition <float32>[batch], and the messages."""
    messages = _messages(chain, tf.reduce_logsumexp)
    sums = messages + chain.scores
    # All shifts of the loop; over padding it shifts by 0.
    shifts = tf.reduce_sum(tf.reduce_max(sums, axis=2), axis=0)
    last = tf.reduce_logsumexp(_subtract_max(sums[-1]) + chain.end, axis=1)
    return shifts + last, messages


def _backward(
    chain: Chain, messages: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the probabilities of the tags and of pairs of neighbours.

    From the last step to the first, with m for the messages,

        P(i at t-1 | j at t) = exp(s_{t-1}[i] + transitions[i, j] - m_t[j])
        P(i at t-1, j at t)  = P(i at t-1 | j at t) P(j at t)

    whose exponents are never above 0, however far apart the scores are.

    Args:
        chain: see `Chain`.
        messages: <float32>[time, batch, classes], from `_forward`.
        weights: <float32>[batch], of the rows.

    Returns:
        Weighted probabilities of the tags <float32>[time, batch, classes],
        those of the last step on padding; and of the pairs, summed over time
        and batch, <float32>[classes (from), classes (to)].
    """
    states = _subtract_max(messages + chain.scores)

    def step(
        t: tf.Tensor, tags: tf.Tensor, pairs: tf.Tensor, array: tf.TensorArray
    ) -> tuple:
        exponents = states[t - 1][:, :, None] + chain.transitions
        new_pairs = tf.exp(exponents - messages[t][:, None]) * tags[:, None]
        is_real = chain.mask[t][:, None]
        new_pairs = tf.where(is_real[:, None], new_pairs, 0.0)
        tags = tf.where(is_real, tf.reduce_sum(new_pairs, axis=2), tags)
        pairs += tf.reduce_sum(new_pairs, axis=0)
        return t - 1, tags, pairs, array.write(t - 1, tags)

    last = tf.shape(states)[0] - 1
    tags = weights[:, None] * tf.nn.softmax(states[-1] + chain.end)
    array = tf.TensorArray(tf.float32, last + 1).write(last, tags)
    start = (last, tags, tf.zeros_like(chain.transitions), array)
    *_, pairs, array = tf.while_loop(lambda t, *_: t > 0, step, start)
    return array.stack(), pairs


_compile = tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
_compiled_forward = _compile(_forward)
_compiled_backward = _compile(_backward)


@tf.autograph.experimental.do_not_convert
def log_partition(chain: Chain) -> tf.Tensor:
    """Computes the log of the sum of exp(score) over all paths of each row.

    For training: XLA compiles it for each new number of rows and 128 steps.
    It has a first gradient, no second one.

    Args:
        chain: see `Chain`.

    Returns:
        <float32>[batch], nats; 0 for a row of padding.

    Raises:
        NotImplementedError: if a second gradient is asked for.

    Example:
        >>> chain = Chain(  # Two steps of three equal tags: nine paths.
        ...     scores=tf.zeros([2, 1, 3]), transitions=tf.zeros([3, 3]),
        ...     start=tf.zeros(3), end=tf.zeros(3), mask=tf.fill([2, 1], True))
        >>> tf.exp(log_partition(chain)).numpy().round(4)
        array([9.], dtype=float32)
    """
    padding = -tf.shape(chain.scores)[0] % STEPS
    scores = tf.pad(chain.scores, [[0, padding], [0, 0], [0, 0]])
    mask = tf.pad(chain.mask, [[0, padding], [0, 0]])
    log_sums = _log_partition(scores, *chain[1:-1], mask)
    return tf.where(chain.mask[0], log_sums, 0.0)


@tf.custom_gradient
def _log_partition(*chain: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    # The rule below is all: nothing of the loop is recorded as well.
    constants = Chain(*map(tf.stop_gradient, chain))
    log_sums, messages = _compiled_forward(constants)

    @tf.custom_gradient
    def gradient(weights: tf.Tensor, *_: tf.Tensor) -> tuple[tuple, Callable]:
        weights = tf.stop_gradient(weights)
        tags, pairs = _compiled_backward(constants, messages, weights)
        d_scores = tf.where(constants.mask[:, :, None], tags, 0.0)
        first, last = (tf.reduce_sum(tags[t], axis=0) for t in (0, -1))
        return (d_scores, pairs, first, last), _refuse_second

    def gradient_of_chain(weights: tf.Tensor) -> tuple:
        # With the chain, so that a second gradient finds its way to the error.
        return *gradient(weights, *chain), None

    return log_sums, gradient_of_chain


def _refuse_second(*_: tf.Tensor) -> None:
    raise NotImplementedError(
        "the log partition has no second gradient: take the gradient of"
        " `marginals`, which has one"
    )


@tf.function(autograph=False, reduce_retracing=True)
def marginals(chain: Chain) -> tf.Tensor:
    """Computes the probability of each tag at each step, by forward-backward.

    Without XLA: for sequences of any length.

    Args:
        chain: see `Chain`.

    Returns:
        <float32>[time, batch, classes]; over the classes they sum to 1, also
        on padding, which repeats the last step.

    Example:
        >>> chain = Chain(  # A tag is followed by the other one, for sure.
        ...     scores=tf.constant([[[9.0, 0.0]], [[0.0, 0.0]]]),
        ...     transitions=tf.constant([[0.0, 99.0], [99.0, 0.0]]),
        ...     start=tf.zeros(2), end=tf.zeros(2), mask=tf.fill([2, 1], True))
        >>> marginals(chain)[:, 0].numpy().round(3).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _, messages = _forward(chain)
    tags, _ = _backward(chain, messages, tf.ones_like(messages[0, :, 0]))
    # Over thousands of steps the sums drift by as many roundings.
    return tags / tf.reduce_sum(tags, axis=2, keepdims=True)


@tf.function(autograph=False, reduce_retracing=True)
def best_path(chain: Chain) -> tf.Tensor:
    """Finds the best path with Viterbi's algorithm; of equals, the first.

    Without XLA: for sequences of any length.

    Args:
        chain: see `Chain`.

    Returns:
        <int32>[time, batch], on padding the last tag.

    Example:
        >>> chain = Chain(
        ...     scores=tf.constant([[[9.0, 0.0]], [[1.0, 0.0]]]),
        ...     transitions=tf.constant([[0.0, 99.0], [99.0, 0.0]]),
        ...     start=tf.zeros(2), end=tf.zeros(2), mask=tf.fill([2, 1], True))
        >>> best_path(chain)[:, 0].numpy()
        array([0, 1], dtype=int32)
    """
    states = _messages(chain, tf.reduce_max) + chain.scores
    transitions_to = tf.transpose(chain.transitions)

    def step(t: tf.Tensor, tags: tf.Tensor, array: tf.TensorArray) -> tuple:
        previous = _argmax(states[t - 1] + tf.gather(transitions_to, tags))
        tags = tf.where(chain.mask[t], previous, tags)
        return t - 1, tags, array.write(t - 1, tags)

    last = tf.shape(states)[0] - 1
    tags = _argmax(states[-1] + chain.end)
    array = tf.TensorArray(tf.int32, last + 1).write(last, tags)
    start = (last, tags, array)
    return tf.while_loop(lambda t, *_: t > 0, step, start)[-1].stack()


def _argmax(scores: tf.Tensor) -> tf.Tensor:
    return tf.argmax(scores, axis=-1, output_type=tf.int32)
