"""Trains the model: `python -m PACKAGE.train --help` shows all options.

The same command on the same run folder continues where it stopped.
"""

import keras

from common import cli
from common.training import Run

from . import batches, data, evaluate, pipeline
from .config import SMOKE, Config

MONITOR = "val_accuracy"


def train(config: Config, overwrite: bool = False) -> Run:
    """Trains until validation stops improving; `overwrite` begins anew.

    Returns:
        The run; its folder holds the best epoch's `model.keras`.

    Raises:
        UserError: if data or run folder cannot be used.
        Interrupted: after Ctrl-C, when everything is saved.
    """
    run = Run(config, __package__, MONITOR, overwrite)
    if run.is_finished:
        print(run.finished_message)
        return run
    dataset = data.load(run.config)
    print(dataset.summary())
    config = batches.complete(run.config, dataset.train)
    keras.utils.set_random_seed(config.seed)
    classifier = pipeline.build(config, dataset.vocabulary, dataset.labels)
    network = classifier.network
    network.compile(
        optimizer=keras.optimizers.Adam(global_clipnorm=config.clip_norm),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # Lengths vary: XLA would compile each of them.
    )
    run.create(
        config,
        dataset.report,
        vocabulary=dataset.vocabulary,
        labels=dataset.labels,
    )
    run.restore(network)
    for epoch in run.epochs():  # Ctrl-C saves, and ends here.
        network.optimizer.learning_rate = epoch.learning_rate
        train_batches = batches.make_batches(
            dataset.train, config, epoch.index, start=epoch.step
        )
        logs = epoch.fit(network, train_batches)
        valid_batches = batches.make_batches(dataset.valid, config)
        scores = evaluate.validate(network, valid_batches)
        epoch.save(network, classifier, logs, scores)
        print(epoch.summary(evaluate.format_scores(scores)))
    return run


def main() -> None:
    """Trains as the command line says, and prints the next commands."""
    config, overwrite = cli.parse_train(Config(), SMOKE, package=__package__)
    run = train(config, overwrite)
    print(run.summary(evaluate.format_scores))


if __name__ == "__main__":
    cli.main(main)
