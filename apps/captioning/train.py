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
from common.losses import SmoothedCrossEntropy
from common.training import interrupts, runs

from . import (
    batches,
    data,
    evaluate,
    finetuning,
    pipeline,
    predictor,
)
from .config import SMOKE, Config
from .datasets import samples

MONITOR = "val_cider"


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
    before = finetuning.model_before(config)
    dataset = data.load(config, before and before.writer.vocabulary)
    print(describe(dataset))
    keras.utils.set_random_seed(config.seed)
    whole = pipeline.build(config, dataset.vocabulary, dataset.feature_shape)
    if before:
        whole.set_weights(before.get_weights())
    compile_model(whole.network, config)
    example = samples.example_input(
        run.folder, dataset.valid_examples, config.features
    )
    report = dataset.report | {"example": example}
    run.create(report, vocabulary=dataset.vocabulary)
    samples.write(run.folder, dataset.valid_examples)
    run.restore(whole.network)
    greedy = predictor.of_model(whole, beam=1)  # Its graph is made once.
    with interrupts.graceful() as stop:
        while not run.is_finished:
            train_epoch(run, whole, greedy, dataset, stop)
            if stop.requested:
                print(
                    f"{run.folder}: saved; the same command goes on from here"
                )
                sys.exit(interrupts.EXIT_STATUS)
    return run.folder


def describe(dataset: data.Data) -> str:
    """A few lines on the data, for the screen."""
    train, valid = (dataset.report[name] for name in ("train", "valid"))
    lines = [
        f"{train['images']} training images with {train['captions']} captions,"
        f" {valid['images']} validation images with {valid['captions']},"
        f" {len(dataset.vocabulary)} words"
    ]
    return "\n".join(lines + skipped.format_report(dataset.report["skipped"]))


def compile_model(network: keras.Model, config: Config) -> None:
    """Sets loss and optimizer."""
    network.compile(
        optimizer=keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=config.clip_norm
        ),
        loss=SmoothedCrossEntropy(config.label_smoothing),
        # Lengths vary: XLA would compile each of them again.
        jit_compile=False,
    )


def train_epoch(
    run: runs.Run,
    whole: pipeline.Captioner,
    greedy: predictor.Predictor,
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
    network.sampling_rate.assign(sampling_rate(config, run.epoch))
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
    scores = validate(greedy, dataset)
    scores["loss"] = network.evaluate(
        batches.batches(dataset.valid, config), verbose=0
    )
    row |= {f"val_{name}": value for name, value in scores.items()}
    row |= {"learning_rate": rate, "seconds": time.monotonic() - started}
    run.save_epoch(network, whole, row)
    mark = " (best so far)" if run.best_epoch == run.epoch else ""
    print(
        f"epoch {run.epoch}/{config.epochs}: validation CIDEr"
        f" {scores['cider']:.3f}, BLEU-4 {scores['bleu_4']:.2f}, loss"
        f" {scores['loss']:.4f}{mark}"
    )


def sampling_rate(config: Config, epoch: int) -> float:
    """How often a word of training comes from the model, in an epoch from 0.

    It grows in equal steps (Bengio et al. 2015, section 2.4: a linear decay of
    the words that are given).
    """
    share = min(1.0, epoch / config.sampling_epochs)
    return config.scheduled_sampling * share


def validate(greedy: predictor.Predictor, dataset: data.Data) -> dict:
    """Captions the validation images, and shows the first few.

    Args:
        greedy: the model, without a beam.
        dataset: has the images.

    Returns:
        The scores of `common.metrics.captions.Scores`.
    """
    found = greedy.of_images(dataset.valid.images, len(dataset.valid_examples))
    captions = [best[0].text for best in found]
    for name, caption in samples.first(dataset.valid_examples, captions):
        print(f"  {name} -> {caption}")
    return evaluate.score(captions, dataset.valid_examples)


def main() -> None:
    """Reads the command line, trains, and tells what comes next."""
    config = cli.parse_config(Config(), SMOKE, package=__package__)
    train(config)
    run = runs.Run(config, __package__, MONITOR)
    best = run.history[run.best_epoch - 1]
    print(
        f"best epoch {run.best_epoch}: validation CIDEr {best[MONITOR]:.3f},"
        f" BLEU-4 {best['val_bleu_4']:.2f} (greedy)"
    )
    report = runs.read_json(run.folder / "data.json")
    print(run.next_commands(report["example"]))


if __name__ == "__main__":
    cli.main(main)
