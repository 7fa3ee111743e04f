"""Trains the model: `python -m PACKAGE.train --help` shows all options.

The same command on the same run folder continues where it stopped.
"""

import math
import sys
import time
from pathlib import Path

import keras

from common import cli
from common.data import skipped
from common.errors import UserError
from common.training import interrupts, runs

from . import batches, data, pipeline, predictor, scores
from .config import SMOKE, Config
from .datasets import samples

MONITOR = "val_score"


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
    dataset = data.load(config)
    print(describe(dataset))
    keras.utils.set_random_seed(config.seed)
    whole = pipeline.build(config, dataset.labels, dataset.dim)
    whole.network.adapt(*dataset.statistics)
    compile_model(whole.network, config)
    example = samples.example_input(run.folder, dataset)
    run.create(dataset.report | {"example": example}, labels=dataset.labels)
    samples.write(run.folder, dataset)
    run.restore(whole.network)
    answering = predictor.of_model(whole)  # Its graph is made once.
    with interrupts.graceful() as stop:
        while not run.is_finished:
            train_epoch(run, whole, answering, dataset, stop)
            if stop.requested:
                print(
                    f"{run.folder}: saved; the same command goes on from here"
                )
                sys.exit(interrupts.EXIT_STATUS)
    return run.folder


def describe(dataset: data.Data) -> str:
    """A few lines on the data, for the screen."""
    parts = [
        f"{dataset.report[name]['videos']} {title} videos with"
        f" {dataset.report[name]['frames']} frames"
        for name, title in (("train", "training"), ("valid", "validation"))
        if name in dataset.report
    ]
    lines = [f"{', '.join(parts)}, {len(dataset.labels)} tags"]
    return "\n".join(lines + skipped.format_report(dataset.report["skipped"]))


def compile_model(network: keras.Model, config: Config) -> None:
    """Sets the optimizer; the loss is the network's own."""
    network.compile(
        optimizer=keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=config.clip_norm
        ),
        # Lengths vary: XLA would compile each of them again.
        jit_compile=False,
    )


def train_epoch(
    run: runs.Run,
    whole: pipeline.Tagger,
    answering: predictor.Predictor,
    dataset: data.Data,
    stop: interrupts.Stop,
) -> None:
    """Trains and validates one epoch, or what is left of it.

    Raises:
        UserError: if training has diverged.
    """
    config = run.config
    network = whole.network
    started = time.monotonic()
    rate = config.learning_rate * config.learning_rate_decay**run.epoch
    network.optimizer.learning_rate = rate
    of_epoch = batches.batches(dataset.train, config, run.epoch, start=run.step)
    fitted = network.fit(  # One epoch: `stop` ends it.
        of_epoch,
        initial_epoch=run.epoch,
        epochs=config.epochs,
        shuffle=False,  # The batches are shuffled already, by seed and epoch.
        callbacks=[stop],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if stop.requested and stop.batches < len(of_epoch):
        run.save_step(network, run.step + stop.batches)
        return
    row = {name: values[0] for name, values in fitted.history.items()}
    if not math.isfinite(row["loss"]):
        raise UserError(
            f"{run.folder}: the loss is {row['loss']} in epoch {run.epoch + 1};"
            " try a lower --learning-rate with another --run-dir"
        )
    measured = validate(answering, dataset, run.epoch)
    row |= {f"val_{name}": value for name, value in measured.items()}
    row |= {"learning_rate": rate, "seconds": time.monotonic() - started}
    run.save_epoch(network, whole, row)
    mark = " (best so far)" if run.best_epoch == run.epoch else ""
    print(f"epoch {run.epoch}/{config.epochs}: {said(measured)}{mark}")


def validate(
    answering: predictor.Predictor, dataset: data.Data, epoch: int
) -> dict[str, float]:
    """Tags the validation videos.

    Args:
        answering: the model.
        dataset: has the videos.
        epoch: from 0.

    Returns:
        The metrics of `scores.score`, and `score`, by which the best epoch
        is chosen. Without validation videos that is the last epoch.
    """
    if dataset.valid is None:
        return {"score": float(epoch)}
    config, valid = answering.config, dataset.valid
    found = answering.of_batches(batches.batches(valid, config))
    is_labelled = [weights > 0 for weights in valid.weights]
    measured = scores.score(
        found, valid.labels, is_labelled, dataset.labels, config
    )
    return measured | {"score": scores.one_number(measured)}


def said(measured: dict[str, float]) -> str:
    """What a line about an epoch tells."""
    if "accuracy" in measured:
        return (
            f"validation accuracy {measured['accuracy']:.1f}, edit"
            f" {measured['edit']:.1f}, F1@10/25/50 {measured['f1_10']:.1f}"
            f" {measured['f1_25']:.1f} {measured['f1_50']:.1f}"
        )
    if "nll" in measured:
        return (
            f"validation negative log-likelihood {measured['nll']:.3f}, micro"
            f" F1 {measured['micro_f1']:.3f}"
        )
    return "no validation videos"


def main() -> None:
    """Reads the command line, trains, and tells what comes next."""
    config = cli.parse_config(Config(), SMOKE, package=__package__)
    train(config)
    run = runs.Run(config, __package__, MONITOR)
    best = run.history[run.best_epoch - 1]
    measured = {
        name.removeprefix("val_"): value
        for name, value in best.items()
        if name.startswith("val_")
    }
    print(f"best epoch {run.best_epoch}: {said(measured)}")
    report = runs.read_json(run.folder / "data.json")
    print(run.next_commands(report["example"]))


if __name__ == "__main__":
    cli.main(main)
