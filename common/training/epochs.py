"""One epoch of a run: `fit` until its end or Ctrl-C, then save."""

import math
import os
import statistics
import sys
import time
from typing import Any

import keras
import tensorflow as tf

from common.errors import UserError
from common.training import schedule
from common.training.interrupts import Stop


class Epoch:
    """One pass over the training data, or the rest of one.

    Args:
        run: the `Run` that it belongs to.
        stop: notices Ctrl-C.

    Attributes:
        index: from 0; seeds the order of the batches.
        step: batches of it that are done, when a run goes on.
        learning_rate: of this epoch.
    """

    def __init__(self, run: Any, stop: Stop) -> None:
        config = run.config
        self.index = run.epoch
        self.step = run.step
        decay = config.learning_rate_decay**run.epoch
        self.learning_rate = config.learning_rate * decay
        self._run = run
        self._stop = stop
        self._progress = run.progress
        self._start = time.monotonic() - self._progress.get("seconds", 0.0)

    def fit(self, model: keras.Model, batches: Any) -> dict[str, float]:
        """Trains on the batches that are left.

        Args:
            model: compiled.
            batches: a dataset that knows its length; without the first `step`
                batches of the epoch.

        Returns:
            The training metrics.

        Raises:
            UserError: if training has diverged.
            Interrupted: after Ctrl-C, when the state is saved.
        """
        if self.index == self._run.first_epoch:
            print(self._describe(model, self.step + len(batches)))
        history = model.fit(  # One epoch: `Stop` ends it.
            batches,
            initial_epoch=self.index,
            epochs=self._run.config.epochs,
            shuffle=False,  # The batches are shuffled, by seed and epoch.
            callbacks=[_GoOn(self._progress.get("metrics")), self._stop],
            verbose=1 if sys.stdout.isatty() else 2,
        ).history
        if self._stop.requested and self._stop.batches < len(batches):
            self._run.save_step(
                model,
                self.step + self._stop.batches,
                {
                    "seconds": time.monotonic() - self._start,
                    "metrics": [x.numpy().tolist() for x in _sums(model)],
                },
            )
            self._run.exit_saved()
        logs = {name: values[0] for name, values in history.items()}
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"{self._run.folder}: the loss is {logs['loss']} in epoch"
                f" {self.index + 1}; try a lower --learning-rate with another"
                " --run-dir"
            )
        return logs

    def _describe(self, model: keras.Model, num_steps: int) -> str:
        sizes = schedule.describe(self._run.config, num_steps)
        return f"{model.count_params():,} weights on {device_name()}; {sizes}"

    def save(
        self,
        model: keras.Model,
        pipeline: keras.Model,
        logs: dict[str, float],
        scores: dict[str, float],
    ) -> None:
        """Saves the state, the log, and the model if it is the best so far.

        Args:
            model: the compiled model.
            pipeline: the model to keep as `model.keras`.
            logs: the metrics of training.
            scores: those of validation; the run's `monitor` is among them,
                with `val_` before its name.
        """
        row = logs | {f"val_{name}": value for name, value in scores.items()}
        row |= {
            "learning_rate": self.learning_rate,
            "seconds": time.monotonic() - self._start,
        }
        self._run.save_epoch(model, pipeline, row)

    def summary(self, scores: str) -> str:
        """Returns the line that ends an epoch, around a line of scores.

        It ends with the time that is left if no epoch is left out.
        """
        run = self._run
        is_best = run.kept == schedule.BEST and run.best_epoch == run.epoch
        mark = " (best so far)" if is_best else ""
        line = f"epoch {run.epoch}/{run.config.epochs}: {scores}{mark}"
        if run.is_finished:
            return line
        num_left = run.config.epochs - run.epoch
        times = [row["seconds"] for row in run.history[run.first_epoch :]]
        left = num_left * statistics.median(times)
        return f"{line}; at most {format_seconds(left)} left"


class _GoOn(keras.callbacks.Callback):
    """Lets the metrics of an epoch go on where they were.

    Args:
        values: the sums behind the metrics; None to begin anew.
    """

    def __init__(self, values: list[Any] | None) -> None:
        super().__init__()
        self._values = values

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Adds the batches before, after the first one has made the sums."""
        if self._values is None:
            return
        for sum_, value in zip(_sums(self.model), self._values, strict=True):
            sum_.assign_add(value)
        self._values = None


def _sums(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables from which the metrics of training are made."""
    return [x for metric in model.metrics for x in metric.variables]


def device_name() -> str:
    """Returns the device that TensorFlow trains on, as people know it."""
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        return details.get("device_name", "a GPU")
    return f"the CPU ({os.cpu_count()} cores)"


def format_seconds(seconds: float) -> str:
    """Returns a duration for people.

    Example:
        >>> [format_seconds(x) for x in (0.4, 89, 91, 4000, 80_000)]
        ['0 s', '89 s', '2 min', '67 min', '22.2 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
