"""Trains the model: `python -m PACKAGE.train --help` shows all options.

The same command on the same run folder continues where it stopped.
"""

import math
import sys
import time
from pathlib import Path

import keras

from common import cli
from common.errors import UserError
from common.training import interrupts, runs

from . import data, model
from .config import SMOKE, Config

MONITOR = "val_accuracy"


def train(config: Config) -> Path:
    """Trains until the last epoch or until validation stops improving.

    Returns:
        The run folder, with the best epoch's `model.keras`.

    Raises:
        UserError: if data or run folder cannot be used.
        SystemExit: after Ctrl-C, when everything is saved.
    """
    run = runs.Run(config, __package__, MONITOR)
    if run.is_finished:
        print(
            f"{run.folder}: this run is finished after epoch {run.epoch}, best"
            f" {run.best_epoch}; more --epochs or another --run-dir goes on"
        )
        return run.folder
    keras.utils.set_random_seed(config.seed)
    dataset = data.load(config)
    print(describe(dataset))
    classifier = model.build(
        config, len(dataset.vocabulary), len(dataset.labels)
    )
    compile_model(classifier, config)
    run.create(
        dataset.report, vocabulary=dataset.vocabulary, labels=dataset.labels
    )
    run.restore(classifier)
    with interrupts.graceful() as stop:
        while not run.is_finished:
            train_epoch(run, classifier, dataset, stop)
            if stop.requested:
                print(
                    f"{run.folder}: saved; the same command goes on from here"
                )
                sys.exit(interrupts.EXIT_STATUS)
    return run.folder


def describe(dataset: data.Data) -> str:
    """One line on the data, for the screen."""
    return (
        f"{len(dataset.train.labels)} training and {len(dataset.valid.labels)}"
        f" validation texts, {len(dataset.vocabulary)} words, labels"
        f" {', '.join(dataset.labels)}"
    )


def compile_model(classifier: keras.Model, config: Config) -> None:
    """Sets loss, metric and optimizer."""
    classifier.compile(
        optimizer=keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=config.clip_norm
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        # Lengths vary: XLA would compile each of them again.
        jit_compile=False,
    )


def train_epoch(
    run: runs.Run,
    classifier: keras.Model,
    dataset: data.Data,
    stop: interrupts.Stop,
) -> None:
    """Trains and validates one epoch, or what is left of it.

    Raises:
        UserError: if training has diverged.
    """
    config = run.config
    started = time.monotonic()
    rate = config.learning_rate * config.learning_rate_decay**run.epoch
    classifier.optimizer.learning_rate = rate
    batches = data.batches(dataset.train, config, run.epoch, start=run.step)
    fitted = classifier.fit(  # One epoch: `stop` ends it.
        batches,
        initial_epoch=run.epoch,
        epochs=config.epochs,
        shuffle=False,  # The batches are shuffled already, by seed and epoch.
        callbacks=[stop],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if stop.requested and stop.batches < len(batches):
        run.save_step(classifier, run.step + stop.batches)
        return
    row = {name: values[0] for name, values in fitted.history.items()}
    if not math.isfinite(row["loss"]):
        raise UserError(
            f"{run.folder}: the loss is {row['loss']} in epoch {run.epoch + 1};"
            " try a lower --learning-rate with another --run-dir"
        )
    scores = classifier.evaluate(
        data.batches(dataset.valid, config), verbose=0, return_dict=True
    )
    row |= {f"val_{name}": value for name, value in scores.items()}
    row |= {"learning_rate": rate, "seconds": time.monotonic() - started}
    text_model = model.with_text(
        classifier, dataset.vocabulary, config.max_tokens
    )
    run.save_epoch(classifier, text_model, row)
    mark = " (best so far)" if run.best_epoch == run.epoch else ""
    print(
        f"epoch {run.epoch}/{config.epochs}: validation accuracy"
        f" {scores['accuracy']:.4f}, loss {scores['loss']:.4f}{mark}"
    )


def main() -> None:
    """Reads the command line, trains, and tells what comes next."""
    config = cli.parse_config(Config(), SMOKE, package=__package__)
    train(config)
    run = runs.Run(config, __package__, MONITOR)
    best = run.history[run.best_epoch - 1]
    print(
        f"best epoch {run.best_epoch}: validation accuracy {best[MONITOR]:.4f}"
    )
    print(run.next_commands('"not bad at all"'))


if __name__ == "__main__":
    cli.main(main)
