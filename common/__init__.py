"""Recurrent cells, layers and the helpers that the apps share.

Read in this order:
    shapes: rank checks, padding, masks, lengths, parameter counts.
    layers: the LSTM and its variants, Elman, Jordan, attention, CRF.
    losses: cross-entropy over sequences, and how much their steps jump.
    decoding: greedy, sampling and beam search, inside the graph.
    metrics: what the field reports, each with its reference.
    data: files, splits, batches; errors that name the file and the line.
    training: the run folder, checkpoints, Ctrl-C.
    export: SavedModels that check themselves.
    cli, errors, atomic: the command line, its errors, files written whole.

Importing `common` selects Keras's TensorFlow backend, so import it before
`keras`, or set `KERAS_BACKEND=tensorflow` yourself.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# 2 drops information and warnings and keeps errors, such as why a GPU cannot
# be used; 3 drops those too, where there is no GPU to speak of.
_has_gpu = os.path.exists("/dev/nvidiactl")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if _has_gpu else "3")

# What TensorFlow logs at level I, and the notice that comes before it.
_CHATTER = re.compile(r"I\d{4} |WARNING: All log messages before absl::")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops the information that TensorFlow's libraries print as they load.

    They do so before they read TF_CPP_MIN_LOG_LEVEL, on file descriptor 2
    itself. All other lines are printed when loading is over, also when it
    failed.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            sys.stderr.writelines(x for x in held if not _CHATTER.match(x))


def _check_backend(backend: str) -> None:
    if backend != "tensorflow":
        raise ImportError(
            f"common expects Keras on TensorFlow, got the backend {backend!r}: "
            "set KERAS_BACKEND=tensorflow, or import common before keras"
        )


# Keras imports its backend at once: look before it fails on one not installed.
_check_backend(os.environ["KERAS_BACKEND"])
_wants_chatter = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
with contextlib.nullcontext() if _wants_chatter else _quiet():
    import keras

# Keras may have been imported earlier, with the backend of its keras.json.
_check_backend(keras.config.backend())

from common import shapes  # noqa: E402
from common.layers.lstm.cell import LSTMCell  # noqa: E402
from common.layers.lstm.layer import LSTM  # noqa: E402
from common.layers.simple import ElmanCell, JordanCell  # noqa: E402

__all__ = ["LSTM", "ElmanCell", "JordanCell", "LSTMCell", "shapes"]
