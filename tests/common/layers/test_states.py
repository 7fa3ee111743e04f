"""States of an LSTM, of a GRU, in one direction and in both."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM
from common.layers.states import join_directions, step_states
from tests.support.recurrent import assert_close, noise


@pytest.mark.parametrize("cls", [LSTM, keras.layers.LSTM, keras.layers.GRU])
def test_the_hidden_states_of_both_directions_are_their_last_outputs(cls):
    one = cls(3, return_sequences=True, return_state=True)
    both = keras.layers.Bidirectional(
        cls(3, return_sequences=True, return_state=True)
    )
    x = noise(2, 4, 5)
    outputs, *last = one(x)
    hidden, cell = join_directions(one, last)
    assert_close(hidden, outputs[:, -1])
    assert_close(cell, last[-1])
    outputs, *last = both(x)
    hidden, cell = join_directions(both, last)
    assert_close(hidden[:, :3], outputs[:, -1, :3])
    assert_close(hidden[:, 3:], outputs[:, 0, 3:])
    assert cell.shape == hidden.shape == (2, 6)
    assert np.allclose(hidden, cell) == (cls is keras.layers.GRU)


def test_a_step_gives_as_many_states_as_were_held():
    x, held = noise(2, 5), [tf.ones([2, 3]), 7 * tf.ones([2, 3])]
    for cell, is_carried in (
        (keras.layers.LSTMCell(3), False),
        (keras.layers.GRUCell(3), True),
        (keras.layers.SimpleRNNCell(3), True),
    ):
        output, (hidden, other) = step_states(cell, x, held)
        assert_close(output, hidden)
        assert np.allclose(other, 7) == is_carried
