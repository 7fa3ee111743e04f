"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import dataclasses
import heapq
import itertools
import json
from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import cli, options
from common.characters import printable
from common.data import scored, skipped
from common.data.skipped import Skipped
from common.data.splits import select
from common.errors import UserError
from common.metrics import classification

from . import data
from .config import evaluate_parser
from .datasets import Example
from .predictor import WINDOW, Predictor, load

NUM_MISTAKES = 10
SNIPPET = 160


class Mistake(NamedTuple):
    """A wrong prediction; the greater, the more confident.

    Attributes:
        confidence: the probability of the wrong label.
        where: the example's place in its source.
        label: the true label.
        prediction: the label of the model.
        text: the input.
    """

    confidence: float
    where: str
    label: str
    prediction: str
    text: str


@dataclasses.dataclass
class Predictions:
    """The predictions for a split, beside the truth.

    Attributes:
        labels: <int64>[examples], the true classes.
        probabilities: <float32>[examples, classes].
        mistakes: the most confident ones, worst first.
        skipped: the examples that were left out.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    mistakes: list[Mistake]
    skipped: Skipped


def predict_split(
    predictor: Predictor, examples: Iterable[Example], limit: int = 0
) -> Predictions:
    """Streams a split through the model; keeps no text but the mistakes.

    Args:
        predictor: the model.
        examples: the split.
        limit: the most examples to score; 0 for all.

    Raises:
        UserError: if there are no examples, or most have other labels than
            the model.
    """
    left_out = Skipped()
    usable = itertools.islice(
        data.usable(examples, left_out, predictor.labels), limit or None
    )
    mistakes: list[Mistake] = []
    labels: list[int] = []
    probabilities = []
    while window := list(itertools.islice(usable, WINDOW)):
        labels += [predictor.labels.index(x.label) for x in window]
        rows = predictor.predict_probabilities([x.text for x in window])
        probabilities.append(rows)
        wrong = _mistakes(window, rows, predictor.labels)
        mistakes = heapq.nlargest(
            NUM_MISTAKES, itertools.chain(mistakes, wrong)
        )
    data.check_labels(left_out, len(labels), predictor.labels)
    if not labels:
        raise UserError("no examples to evaluate: expected at least one")
    return Predictions(
        np.array(labels), np.concatenate(probabilities), mistakes, left_out
    )


def _mistakes(
    window: list[Example], rows: np.ndarray, labels: list[str]
) -> Iterable[Mistake]:
    for example, row in zip(window, rows, strict=True):
        best = int(row.argmax())
        if labels[best] != example.label:
            yield Mistake(
                float(row[best]),
                example.where,
                example.label,
                labels[best],
                example.text,
            )


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    """Computes the metrics, all of them between 0 and 1 but the loss.

    Args:
        labels: <int>[examples], the true classes.
        probabilities: <float32>[examples, classes].

    Returns:
        accuracy, macro_f1, loss (nats an example), roc_auc for two classes,
        and expected_calibration_error.
    """
    best = probabilities.argmax(axis=1)
    num_classes = probabilities.shape[1]
    confusion = classification.confusion_matrix(labels, best, num_classes)
    true = np.take_along_axis(probabilities, labels[:, None], axis=1)
    tiny = np.finfo(np.float32).tiny  # A probability may round to 0.
    scores = {
        "accuracy": classification.accuracy(confusion),
        "macro_f1": classification.macro_f1(confusion),
        "loss": float(-np.log(np.maximum(true, tiny)).mean()),
    }
    if num_classes == 2:
        scores["roc_auc"] = classification.roc_auc(labels, probabilities[:, 1])
    scores["expected_calibration_error"] = (
        classification.expected_calibration_error(
            probabilities.max(axis=1), best == labels
        )
    )
    return scores


def validate(network: keras.Model, batches: tf.data.Dataset) -> dict:
    """Scores a network on batches of ids and labels, as `score` does."""
    labels = np.concatenate([labels for _, labels in batches])
    logits = network.predict(batches, verbose=0)
    return score(labels, tf.nn.softmax(logits).numpy())


def format_scores(scores: dict[str, float]) -> str:
    """Returns the line about the validation of an epoch."""
    return (
        f"validation accuracy {scores['accuracy']:.4f},"
        f" loss {scores['loss']:.4f}"
    )


def make_report(
    predictions: Predictions, scores: dict, labels: list[str]
) -> str:
    """Returns scores, confusion matrix and worst mistakes, to be read."""
    lines = [f"{name:<28}{value:.4g}" for name, value in scores.items()]
    lines += skipped.format_report(predictions.skipped.report())
    lines += ["", "true label (rows) against predicted label (columns)"]
    lines += _confusion_lines(predictions, labels)
    if predictions.mistakes:
        lines += ["", "most confident mistakes"]
    for mistake in predictions.mistakes:
        snippet = " ".join(mistake.text.split())
        if len(snippet) > SNIPPET:
            snippet = f"{snippet[:SNIPPET]} ..."
        lines.append(
            f"{mistake.confidence:.3f} {mistake.prediction}, truly"
            f" {mistake.label} ({mistake.where}): {snippet}"
        )
    return "\n".join(map(printable, lines))


def _confusion_lines(predictions: Predictions, labels: list[str]) -> list[str]:
    confusion = classification.confusion_matrix(
        predictions.labels,
        predictions.probabilities.argmax(axis=1),
        len(labels),
    )
    labels = [printable(label) for label in labels]
    width = max(8, *(len(label) + 2 for label in labels))
    header = " " * width + "".join(f"{label:>{width}}" for label in labels)
    rows = [
        f"{label:<{width}}" + "".join(f"{count:>{width}}" for count in row)
        for label, row in zip(labels, confusion, strict=True)
    ]
    return [header, *rows]


def main() -> None:
    """Prints the report and the JSON line."""
    args = evaluate_parser().parse_args()
    predictor = load(args.run)
    config = options.override(predictor.config, args)
    specs = config.data, predictor.config.data
    splits = data.open_splits(config)
    split = scored.choose_split(args.split, *specs, splits)
    predictions = predict_split(predictor, select(splits, split), args.limit)
    scores = score(predictions.labels, predictions.probabilities)
    scores |= {"examples": len(predictions.labels)}
    print(scored.describe_rows(split, scores["examples"], *specs))
    print(make_report(predictions, scores, predictor.labels))
    print(json.dumps(scores))


if __name__ == "__main__":
    cli.main(main)
