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

from . import batches as encoded
from . import data, evaluate, pipeline, predict, vectors
from .config import SMOKE, Config

MONITOR = "val_bleu"
NUM_SAMPLES = 3


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
    evaluate.metrics()  # If it is missing, say so before the first epoch.
    keras.utils.set_random_seed(config.seed)
    dataset = data.load(config)
    print(describe(dataset))
    whole = pipeline.build(
        config, dataset.source_vocabulary, dataset.target_vocabulary
    )
    compile_model(whole.seq2seq, config)
    fill_vectors(whole, config)
    run.create(
        dataset.report,
        source_vocabulary=dataset.source_vocabulary,
        target_vocabulary=dataset.target_vocabulary,
    )
    run.restore(whole.seq2seq)
    greedy = predict.of_model(whole, beam=1)  # Its graph is made once.
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
    source, target = dataset.languages
    lines = [
        f"{source} to {target}: {len(dataset.train.source)} training and"
        f" {len(dataset.valid_pairs)} validation pairs,"
        f" {len(dataset.source_vocabulary)} and"
        f" {len(dataset.target_vocabulary)} tokens"
    ]
    return "\n".join(
        lines + skipped.format_report(dataset.report["train"]["skipped"])
    )


def compile_model(seq2seq: keras.Model, config: Config) -> None:
    """Sets loss and optimizer."""
    seq2seq.compile(
        optimizer=keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=config.clip_norm
        ),
        loss=SmoothedCrossEntropy(config.label_smoothing),
        # Lengths vary: XLA would compile each of them again.
        jit_compile=False,
    )


def fill_vectors(whole: pipeline.Translator, config: Config) -> None:
    """Starts from pretrained vectors, where there are any."""
    for path, side, tokenizer in (
        (config.source_vectors, whole.seq2seq.encoder, whole.source_tokenizer),
        (config.target_vectors, whole.seq2seq.decoder, whole.target_tokenizer),
    ):
        if path:
            num_found = vectors.fill(
                side.embedding, tokenizer, path, config.encoding
            )
            num_tokens = len(tokenizer.vocabulary)
            print(f"{path}: vectors of {num_found} of {num_tokens} tokens")


def train_epoch(
    run: runs.Run,
    whole: pipeline.Translator,
    greedy: predict.Predictor,
    dataset: data.Data,
    stop: interrupts.Stop,
) -> None:
    """Trains and validates one epoch, or what is left of it.

    Raises:
        UserError: if training has diverged.
    """
    config = run.config
    seq2seq = whole.seq2seq
    started = time.monotonic()
    rate = config.learning_rate * config.learning_rate_decay**run.epoch
    seq2seq.optimizer.learning_rate = rate
    batches = encoded.batches(dataset.train, config, run.epoch, start=run.step)
    fitted = seq2seq.fit(  # One epoch: `stop` ends it.
        batches,
        initial_epoch=run.epoch,
        epochs=config.epochs,
        shuffle=False,  # The batches are shuffled already, by seed and epoch.
        callbacks=[stop],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if stop.requested and stop.batches < len(batches):
        run.save_step(seq2seq, run.step + stop.batches)
        return
    row = {name: values[0] for name, values in fitted.history.items()}
    if not math.isfinite(row["loss"]):
        raise UserError(
            f"{run.folder}: the loss is {row['loss']} in epoch {run.epoch + 1};"
            " try a lower --learning-rate with another --run-dir"
        )
    row["target_tokens_per_second"] = num_tokens(
        dataset, run.step, len(batches)
    ) / (time.monotonic() - started)
    scores = validate(greedy, dataset)
    scores["loss"] = seq2seq.evaluate(
        encoded.batches(dataset.valid, config), verbose=0
    )
    row |= {f"val_{name}": value for name, value in scores.items()}
    row |= {"learning_rate": rate, "seconds": time.monotonic() - started}
    run.save_epoch(seq2seq, whole, row)
    mark = " (best so far)" if run.best_epoch == run.epoch else ""
    print(
        f"epoch {run.epoch}/{config.epochs}: validation BLEU"
        f" {scores['bleu']:.2f}, chrF {scores['chrf']:.2f}, loss"
        f" {scores['loss']:.4f}{mark}"
    )


def num_tokens(dataset: data.Data, num_skipped: int, num_batches: int) -> float:
    """About how many tokens, ends counted, the last batches of an epoch have.

    Args:
        dataset: gives the tokens of a whole epoch.
        num_skipped: batches before them.
        num_batches: how many they are.
    """
    target = dataset.train.target
    share = num_batches / (num_skipped + num_batches)
    return share * (len(target.ids) + len(target))


def validate(greedy: predict.Predictor, dataset: data.Data) -> dict:
    """Translates the validation pairs, and shows the first few.

    Args:
        greedy: the model alone with each sentence, without a beam.
        dataset: has the pairs.

    Returns:
        `bleu` and `chrf`, 0 to 100.
    """
    pairs = dataset.valid_pairs
    found = greedy.n_best([pair.source for pair in pairs])
    translations = [best[0].text for best in found]
    for number in range(min(NUM_SAMPLES, len(pairs))):
        print(f"  {pairs[number].source} -> {translations[number]}")
    return evaluate.score(translations, [pair.target for pair in pairs])


def main() -> None:
    """Reads the command line, trains, and tells what comes next."""
    config = cli.parse_config(Config(), SMOKE, package=__package__)
    train(config)
    run = runs.Run(config, __package__, MONITOR)
    best = run.history[run.best_epoch - 1]
    print(
        f"best epoch {run.best_epoch}: validation BLEU {best[MONITOR]:.2f}"
        " (greedy)"
    )
    print(run.next_commands('"The small black cats sleep."'))


if __name__ == "__main__":
    cli.main(main)
