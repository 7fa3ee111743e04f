"""Ctrl-C that ends training after the running step, with nothing lost."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import keras

EXIT_STATUS = 130  # What shells report for a command ended by Ctrl-C.


class Stop(keras.callbacks.Callback):
    """A callback that ends `fit` after one epoch, or the batch of a signal.

    One epoch at a time: what comes between epochs (validation, checkpoints)
    is the caller's, in plain sight.

    Attributes:
        requested: whether a signal came.
        batches: how many batches `fit` has completed since it began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requested = False
        self.batches = 0

    def request(self, signum: int, frame: FrameType | None) -> None:
        """The signal's handler; a second signal ends the process at once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        print("\nstopping after this step (once more: at once)", flush=True)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Counts each `fit` by itself."""
        self.batches = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the batch and ends `fit` if it was asked to."""
        self.batches += 1
        if self.requested:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Gives the word back to the caller."""
        self.model.stop_training = True


@contextlib.contextmanager
def graceful() -> Iterator[Stop]:
    """Catches SIGINT and SIGTERM while the body runs.

    Yields:
        The `Stop` callback to hand to `fit`.
    """
    stop = Stop()
    handled = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop.request) for number in handled]
    try:
        yield stop
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)
