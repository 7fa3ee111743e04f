"""Training runs: their folder, their checkpoints, and how they stop.

Read in this order:
    runs: the run folder: config, log, checkpoints, versions.
    checkpoints: the state that continues a training exactly.
    interrupts: Ctrl-C that loses nothing.
    trained: the model of a run folder, found and loaded.
"""
