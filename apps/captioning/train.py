"""Trains the model: `python -m PACKAGE.train --help` shows all options.

The same command on the same run folder continues where it stopped.
"""

import keras

from common import cli
from common.losses import SmoothedCrossEntropy
from common.training import Run

from . import batches, data, evaluate, pipeline, predictor
from .config import SMOKE, Config
from .datasets import samples

MONITOR = "val_cider"


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
    base = pipeline.load_base_model(config)
    dataset = data.load(run.config, base and base.writer.vocabulary)
    print(dataset.summary())
    config = batches.complete(run.config, dataset.train)
    keras.utils.set_random_seed(config.seed)
    captioner = pipeline.build(
        config, dataset.vocabulary, dataset.feature_shape, base
    )
    network = captioner.network
    network.compile(
        optimizer=keras.optimizers.Adam(global_clipnorm=config.clip_norm),
        loss=SmoothedCrossEntropy(config.label_smoothing),
        jit_compile=False,  # Lengths vary: XLA would compile each of them.
    )
    run.create(config, dataset.report, vocabulary=dataset.vocabulary)
    samples.write(run.folder, dataset.valid_examples)
    run.restore(network)
    greedy = predictor.Predictor.from_model(captioner, beam=1)
    for epoch in run.epochs():  # Ctrl-C saves, and ends here.
        network.optimizer.learning_rate = epoch.learning_rate
        network.set_epoch(epoch.index)
        train_batches = batches.make_batches(
            dataset.train, config, epoch.index, start=epoch.step
        )
        logs = epoch.fit(network, train_batches)
        predictions = evaluate.predict_split(
            greedy, dataset.valid_examples, dataset.valid.images
        )
        print(evaluate.format_samples(predictions))
        scores = evaluate.score_captions(predictions)
        scores["loss"] = network.evaluate(
            batches.make_batches(dataset.valid, config), verbose=0
        )
        epoch.save(network, captioner, logs, scores)
        print(epoch.summary(evaluate.format_scores(scores)))
    return run


def main() -> None:
    """Trains as the command line says, and prints the next commands."""
    config, overwrite = cli.parse_train(Config(), SMOKE, package=__package__)
    run = train(config, overwrite)
    print(run.summary(evaluate.format_scores))


if __name__ == "__main__":
    cli.main(main)
