"""Ctrl-C that ends training after the running step, with nothing lost."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import keras

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(keras.callbacks.Callback):
    """A callback that ends `fit` after one epoch, or the batch of a signal.

    Validation and checkpoints between epochs stay with the caller.

    Attributes:
        requested: True after a signal.
        batches: the batches that `fit` has completed since it began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requested = False
        self.batches = 0

    def request(self, signum: int, frame: FrameType | None) -> None:
        """Handles a signal; a second one ends the process at once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        print("\nstopping after this step (once more: at once)", flush=True)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts to count anew."""
        self.batches = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the batch; ends `fit` after a signal."""
        self.batches += 1
        if self.requested:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Ends `fit` after one epoch."""
        self.model.stop_training = True


@contextlib.contextmanager
def graceful() -> Iterator[Stop]:
    """Catches SIGINT and SIGTERM in the body.

    Yields:
        The `Stop` callback to hand to `fit`.
    """
    stop = Stop()
    before = {n: signal.signal(n, stop.request) for n in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
