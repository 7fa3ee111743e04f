import pytest
import tensorflow as tf

from common.errors import UserError
from common.training import determinism


def test_it_comes_too_late_once_tensorflow_runs():
    tf.constant(1) + 1
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    with pytest.raises(UserError, match="--deterministic: TensorFlow runs alr"):
        determinism.make_deterministic()
    assert tf.config.threading.get_intra_op_parallelism_threads() == threads
