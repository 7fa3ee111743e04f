"""Results that do not depend on the number of processors."""

import tensorflow as tf

from common.errors import UserError


def make_deterministic() -> None:
    """Makes this process compute in one order, whatever machine it is.

    A sum of many numbers is split among the threads, and floats added in
    another order differ in their last bits: so it runs on one thread, and the
    fused LSTM in one part. On a GPU, operations that add in any order are
    replaced by slower ones, or refused.

    Raises:
        UserError: if TensorFlow has been used with more threads before.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError as error:
        raise UserError(
            "--deterministic: TensorFlow runs already, on more than one"
            " thread; expected a new process: start training anew"
        ) from error
    tf.config.experimental.enable_op_determinism()
