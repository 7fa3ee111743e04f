"""Trains the model: `python -m PACKAGE.train --help` shows all options.

The same command on the same run folder continues where it stopped.
"""

import time

import keras

from common import cli
from common.losses import SmoothedCrossEntropy
from common.metrics import translation
from common.training import Run

from . import batches, data, evaluate, pipeline
from .config import SMOKE, Config
from .predictor import Predictor

MONITOR = "val_score"


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
    translation.import_sacrebleu()  # Missing? Said before the first epoch.
    dataset = data.load(run.config)
    print(dataset.summary())
    config = batches.complete(run.config, dataset.train)
    keras.utils.set_random_seed(config.seed)
    translator = pipeline.build(config, **dataset.vocabularies)
    network = translator.network
    network.compile(
        optimizer=keras.optimizers.Adam(global_clipnorm=config.clip_norm),
        loss=SmoothedCrossEntropy(config.label_smoothing),
        jit_compile=False,  # Lengths vary: XLA would compile each of them.
    )
    run.create(config, dataset.report, **dataset.vocabularies)
    run.restore(network)
    greedy = Predictor.from_model(translator, beam=1)  # Traced once.
    for epoch in run.epochs():  # Ctrl-C saves, and ends here.
        network.optimizer.learning_rate = epoch.learning_rate
        train_batches = batches.make_batches(
            dataset.train, config, epoch.index, start=epoch.step
        )
        start = time.monotonic()
        logs = epoch.fit(network, train_batches)
        share = len(train_batches) / (epoch.step + len(train_batches))
        tokens = share * config.passes * dataset.train.num_target_tokens
        logs["target_tokens_per_second"] = tokens / (time.monotonic() - start)
        scores = evaluate.validate(greedy, dataset.valid_pairs)
        scores["score"] = dataset.measure.rate(scores)
        scores["loss"] = network.evaluate(
            batches.make_batches(dataset.valid, config), verbose=0
        )
        epoch.save(network, translator, logs, scores)
        print(epoch.summary(evaluate.format_scores(scores)))
    return run


def main() -> None:
    """Trains as the command line says, and prints the next commands."""
    config, overwrite = cli.parse_train(Config(), SMOKE, package=__package__)
    run = train(config, overwrite)
    print(run.summary(evaluate.format_scores))


if __name__ == "__main__":
    cli.main(main)
