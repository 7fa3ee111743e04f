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
    serving: a server for them.
    options, cli, errors: a config dataclass as the command line; its errors.
    atomic, locks: files that appear whole or not at all; one owner for each.

Importing `common` selects Keras's TensorFlow backend, so import it before
`keras`, or set `KERAS_BACKEND=tensorflow` yourself.
"""

import importlib
from typing import TYPE_CHECKING, Any

from common import startup

if TYPE_CHECKING:
    from common import shapes
    from common.layers.lstm.cell import LSTMCell
    from common.layers.lstm.layer import LSTM
    from common.layers.simple import ElmanCell, JordanCell

__all__ = ["LSTM", "ElmanCell", "JordanCell", "LSTMCell", "shapes"]

_MODULES = {
    "LSTM": "common.layers.lstm.layer",
    "LSTMCell": "common.layers.lstm.cell",
    "ElmanCell": "common.layers.simple",
    "JordanCell": "common.layers.simple",
    "shapes": "common.shapes",
}


def __getattr__(name: str) -> Any:
    """Imports a public name, and Keras with it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    startup.load_keras()
    module = importlib.import_module(_MODULES[name])
    return module if name == "shapes" else getattr(module, name)


startup.silence_interrupts()
startup.choose_backend()
if startup.needs_keras():  # Saved models find our layers once they are here.
    for _name in __all__:
        globals()[_name] = __getattr__(_name)
