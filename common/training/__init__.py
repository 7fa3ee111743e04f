"""Training runs: their folder, their epochs, and how they stop.

Read in this order:
    runs: `Run`, the run folder: config, log, checkpoints, versions, model.
    epochs: `Epoch`: one call of `fit`, then everything is saved.
    schedule: sizes that follow from the amount of data.
    checkpoints: the state that continues a training exactly.
    determinism: the same results on any number of processors.
    interrupts: Ctrl-C that loses nothing.
    logs: the history as a table, TensorBoard events and a picture.
"""

from common.training.runs import Run

__all__ = ["Run"]
