"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import collections
import dataclasses
import heapq
import itertools
import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from common import cli
from common.errors import UserError
from common.metrics import classification

from . import data, datasets
from .predict import WINDOW, Predictor, load

NUM_MISTAKES = 10
SNIPPET = 160


class Mistake(NamedTuple):
    """A wrong prediction; the greater, the more confident.

    Attributes:
        confidence: the probability of the wrong label.
        where: the example's place in its source.
        label: the true label.
        prediction: the label that was given instead.
        text: the input.
    """

    confidence: float
    where: str
    label: str
    prediction: str
    text: str


@dataclasses.dataclass
class Answers:
    """What the model said of a split.

    Attributes:
        labels: <int64>[examples], the true classes.
        probabilities: <float32>[examples, classes].
        mistakes: the most confident ones, worst first.
        skipped: why examples were left out, and how many.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    mistakes: list[Mistake]
    skipped: dict


def select(
    splits: dict[str, datasets.Stream], name: str
) -> Iterable[datasets.Example]:
    """Picks one split, or chains all of them.

    Raises:
        UserError: if the data have no such split.
    """
    if name == "all":
        return itertools.chain.from_iterable(splits.values())
    if name not in splits:
        raise UserError(
            f"--split {name}: expected all or one of {', '.join(splits)}"
        )
    return splits[name]


def collect(
    predictor: Predictor, examples: Iterable[datasets.Example], limit: int = 0
) -> Answers:
    """Streams a split through the model; no text is kept but the mistakes.

    Args:
        predictor: the model.
        examples: the split.
        limit: the most examples to look at; 0 for all.

    Raises:
        UserError: if there are no examples, or one has an unknown label.
    """
    skipped: collections.Counter[str] = collections.Counter()
    usable = data.usable(examples, skipped)
    usable = itertools.islice(usable, limit or None)
    mistakes: list[Mistake] = []
    labels: list[int] = []
    probabilities = []
    while window := list(itertools.islice(usable, WINDOW)):
        truth = [data.label_id(e, predictor.labels) for e in window]
        rows = predictor.probabilities([example.text for example in window])
        labels += truth
        probabilities.append(rows)
        wrong = _mistakes(window, rows, predictor.labels)
        mistakes = heapq.nlargest(
            NUM_MISTAKES, itertools.chain(mistakes, wrong)
        )
    if not labels:
        raise UserError("no examples to evaluate: expected at least one")
    return Answers(
        np.array(labels), np.concatenate(probabilities), mistakes, skipped
    )


def _mistakes(
    window: list[datasets.Example], rows: np.ndarray, labels: list[str]
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


def score(answers: Answers) -> dict:
    """Computes the metrics, all of them between 0 and 1 but the loss.

    Returns:
        accuracy, macro_f1, loss (nats an example), roc_auc for two classes,
        expected_calibration_error and the number of examples.
    """
    rows = answers.probabilities
    predictions = rows.argmax(axis=1)
    confusion = classification.confusion_matrix(
        answers.labels, predictions, rows.shape[1]
    )
    truth = np.take_along_axis(rows, answers.labels[:, None], axis=1)
    tiny = np.finfo(np.float32).tiny  # A probability may round to 0.
    result = {
        "accuracy": classification.accuracy(confusion),
        "macro_f1": classification.macro_f1(confusion),
        "loss": float(-np.log(np.maximum(truth, tiny)).mean()),
    }
    if rows.shape[1] == 2:
        result["roc_auc"] = classification.roc_auc(answers.labels, rows[:, 1])
    result["expected_calibration_error"] = (
        classification.expected_calibration_error(
            rows.max(axis=1), predictions == answers.labels
        )
    )
    return result | {"examples": len(answers.labels)}


def report(answers: Answers, scores: dict, labels: list[str]) -> str:
    """The readable part: scores, confusion matrix, worst mistakes."""
    lines = [f"{name:<28}{value:.4g}" for name, value in scores.items()]
    lines += [f"skipped: {n} ({why})" for why, n in answers.skipped.items()]
    lines += ["", "true label (rows) against predicted label (columns)"]
    lines += _confusion_lines(answers, labels)
    lines += ["", "most confident mistakes"]
    for mistake in answers.mistakes:
        snippet = " ".join(mistake.text.split())
        if len(snippet) > SNIPPET:
            snippet = f"{snippet[:SNIPPET]} ..."
        lines.append(
            f"{mistake.confidence:.3f} {mistake.prediction}, truly"
            f" {mistake.label} ({mistake.where}): {snippet}"
        )
    return "\n".join(lines)


def _confusion_lines(answers: Answers, labels: list[str]) -> list[str]:
    confusion = classification.confusion_matrix(
        answers.labels, answers.probabilities.argmax(axis=1), len(labels)
    )
    width = max(8, *(len(label) + 2 for label in labels))
    header = " " * width + "".join(f"{label:>{width}}" for label in labels)
    rows = [
        f"{label:<{width}}" + "".join(f"{count:>{width}}" for count in row)
        for label, row in zip(labels, confusion, strict=True)
    ]
    return [header, *rows]


def main() -> None:
    """Reads the command line, prints the report and the JSON line."""
    parser = cli.Parser(f"{__package__}.evaluate", __doc__ or "")
    parser.add_argument("run", help="a run folder or an exported SavedModel")
    parser.add_argument(
        "--split", default="test", help="train, valid, test, or all of them"
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="most examples; 0 for all"
    )
    cli.add_overrides(
        parser, "data", "text_column", "label_column", "encoding", "tfds_dir"
    )
    args = parser.parse_args()
    if args.limit < 0:
        parser.error(f"--limit must be 0 or more, got {args.limit}")
    predictor = load(args.run)
    config = cli.override(predictor.config, args)
    examples = select(datasets.open_splits(config), args.split)
    answers = collect(predictor, examples, args.limit)
    scores = score(answers)
    print(report(answers, scores, predictor.labels))
    print(json.dumps(scores))


if __name__ == "__main__":
    cli.main(main)
