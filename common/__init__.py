"""Recurrent cells, layers and the helpers that the apps share.

Modules:
    lstm: `LSTM`, a layer that takes the place of `keras.layers.LSTM`.
    kernels: which kernel an LSTM takes, and why.
    fused: the LSTM over whole sequences, as one differentiable operation.
    fused_loops: its two loops, forward and backward.
    lstm_cell: `LSTMCell`, and the equations in one short function.
    lstm_variants: `VariantLSTMCell`: peepholes, coupled gates and the like.
    lstm_options: the names of the variants, and which go together.
    lstm_gates: a step of a variant, as pure functions.
    parameter_counts: the number of weights, by formula.
    cells: `ElmanCell` and `JordanCell`, the two simple recurrences.
    shapes: rank checks, padding, masks, lengths, parameter counts.
    attention: `Attention`, where in a memory to look.
    losses: cross-entropy over sequences, and how much their steps jump.
    crf: which tags follow which: a linear-chain conditional random field.
    crf_loops: its loops over time.
    decoding: from scores of the next id to sequences: greedy, sampling.
    beam_search: the best few sequences, with length and coverage penalty.
    cli: a config dataclass as the command line.
    errors: the one exception that means "the user can mend this".
    files: readers that name the file and the line they stumble on.
    lenient: lines of which some may be broken: told, not refused.
    skipped: what a loader left out: how much, why, where.
    zipped: the one text file in a zip.
    splits: held-out data by a hash of the input.
    prepared: data sets of tensorflow-datasets, or a quick error.
    pretrained: networks of `keras.applications`, with weights or a quick error.
    batching: batches of like lengths, in few fixed shapes.
    metrics: what the field reports, each with its reference.
    segment_metrics: a tag for every frame: accuracy, edit score, F1.
    tag_set_metrics: a set of tags for every frame: likelihood, precision, F1.
    caption_metrics: BLEU, ROUGE-L and CIDEr-D, as COCO scores captions.
    caption_tokens: words of captions, as COCO splits them.
    atomic: files and folders that appear whole or not at all.
    checkpoints: everything that continues a training exactly.
    runs: the run folder: config, log, checkpoints, versions.
    trained: the model of a run folder, found and loaded.
    interrupts: Ctrl-C that loses nothing.
    export: SavedModels that check themselves.

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
from common.cells import ElmanCell, JordanCell  # noqa: E402
from common.lstm import LSTM  # noqa: E402
from common.lstm_cell import LSTMCell  # noqa: E402

__all__ = ["LSTM", "ElmanCell", "JordanCell", "LSTMCell", "shapes"]
