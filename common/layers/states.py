"""States of any recurrent layer: of the LSTM two, of a GRU one.

A network that holds a hidden state and a cell goes on with a cell that has
fewer: what it does not know is carried on as it is.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def take_states(cell: Any, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Takes as many of the states as a cell has, the hidden state first.

    Args:
        cell: of a recurrent layer.
        states: <float>[batch, units] each.
    """
    sizes = cell.state_size
    return list(states[: len(sizes) if isinstance(sizes, list | tuple) else 1])


def carry_states(
    after: Any, before: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """Puts new states in the place of the first of those before.

    Args:
        after: of a cell or a layer, one or several.
        before: those that are held, at least as many.
    """
    new = tuple(after) if isinstance(after, list | tuple) else (after,)
    return (*new, *before[len(new) :])


def step_states(
    cell: Any, inputs: tf.Tensor, states: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
    """Takes one step of a cell.

    Args:
        cell: of a recurrent layer.
        inputs: <float>[batch, features].
        states: those that are held, at least as many as the cell has.

    Returns:
        The output <float>[batch, units], and as many states as were held.

    Example:
        >>> held = [tf.zeros([1, 2]), tf.ones([1, 2])]
        >>> cell = keras.layers.GRUCell(2)  # It has one state.
        >>> _, (hidden, other) = step_states(cell, tf.ones([1, 3]), held)
        >>> other.numpy()
        array([[1., 1.]], dtype=float32)
    """
    output, after = cell(inputs, take_states(cell, states))
    return output, carry_states(after, states)


def join_directions(
    layer: keras.layers.Layer, states: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Joins the last states of a layer to one hidden state and one cell.

    Args:
        layer: recurrent, or `keras.layers.Bidirectional` around such.
        states: what it returns with `return_state`: those of the forward
            direction, then those of the backward direction.

    Returns:
        Two of <float>[batch, directions * units], both directions side by
        side. A layer that has no cell, as the GRU, gives its hidden state for
        both.

    Example:
        >>> layer = keras.layers.Bidirectional(keras.layers.GRU(1))
        >>> states = [tf.constant([[1.0]]), tf.constant([[2.0]])]
        >>> [x.numpy().tolist() for x in join_directions(layer, states)]
        [[[1.0, 2.0]], [[1.0, 2.0]]]
    """
    directions = 2 if isinstance(layer, keras.layers.Bidirectional) else 1
    count = len(states) // directions
    joined = [tf.concat(states[k::count], -1) for k in range(count)]
    return joined[0], joined[min(1, count - 1)]
