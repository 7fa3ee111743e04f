"""Training runs: their folder, their epochs, and how they stop.

Read in this order:
    run: `Run`: one training, and the folder that it writes.
    runs: those folders as they are stored: options, model, app.
    epochs: `Epoch`: one call of `fit`, then everything is saved.
    schedule: sizes that follow from the amount of data.
    checkpoints: the state that continues a training exactly.
    determinism: the same results on any number of processors.
    interrupts: Ctrl-C that loses nothing.
    logs: the history as a table, TensorBoard events and a picture.
"""

from common.training.run import Run

__all__ = ["Run"]
