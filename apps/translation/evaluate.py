"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator

from common import cli, options
from common.characters import printable
from common.data import scored, skipped
from common.data.skipped import Skipped
from common.data.splits import select
from common.errors import UserError
from common.metrics import translation

from . import data, text
from .config import evaluate_parser
from .datasets import Pair
from .predictor import Predictor, load

NUM_SAMPLES = 3
NUM_WORST = 10
# Longest sources of each row of the table, in words and marks.
LENGTHS = (5, 10, 15, 20, 30, 50)


@dataclasses.dataclass
class Predictions:
    """The translations of a split, beside the truth.

    Attributes:
        pairs: sources, references and their places.
        translations: of the model.
        skipped: the pairs that were left out.
    """

    pairs: list[Pair]
    translations: list[str]
    skipped: Skipped

    @property
    def references(self) -> list[str]:
        """The true translations."""
        return [pair.target for pair in self.pairs]


def predict_split(
    predictor: Predictor, pairs: Iterable[Pair], limit: int = 0
) -> Predictions:
    """Translates the sources of a split.

    Args:
        predictor: the model.
        pairs: the split.
        limit: the most pairs to score; 0 for all.

    Raises:
        UserError: if there are no pairs.
    """
    left_out = Skipped()
    usable = itertools.islice(data.usable(pairs, left_out), limit or None)
    chosen = list(usable)
    if not chosen:
        raise UserError("no pairs to evaluate: expected at least one")
    translations = predictor.translate([pair.source for pair in chosen])
    return Predictions(chosen, translations, left_out)


def score(predictions: Predictions, tokenizer: str | None = None) -> dict:
    """Computes the metrics.

    Args:
        predictions: translations beside the truth.
        tokenizer: of BLEU; by default that of the references' script.

    Returns:
        bleu and chrf, both 0 to 100, and the number of examples.
    """
    references = predictions.references
    scores = translation.score(predictions.translations, references, tokenizer)
    return scores | {"examples": len(references)}


def validate(predictor: Predictor, pairs: list[Pair]) -> dict[str, float]:
    """Translates pairs, prints the first few, and computes bleu and chrf."""
    translations = predictor.translate([pair.source for pair in pairs])
    for pair, hypothesis in zip(
        pairs[:NUM_SAMPLES], translations, strict=False
    ):
        print(printable(f"  {pair.source} -> {hypothesis}"))
    references = [pair.target for pair in pairs]
    return translation.score(translations, references)


def format_scores(scores: dict[str, float]) -> str:
    """Returns the line about the validation of an epoch."""
    return (
        f"validation BLEU {scores['bleu']:.2f}, chrF {scores['chrf']:.2f}"
        f" (greedy), loss {scores['loss']:.4f}"
    )


def make_report(predictions: Predictions, scores: dict) -> str:
    """Returns scores, scores by length and worst translations, to be read."""
    lines = [f"{name:<12}{value:.4g}" for name, value in scores.items()]
    lines += skipped.format_report(predictions.skipped.report())
    lines += [
        f"{name} signature: {signature}"
        for name, signature in translation.signatures(
            predictions.references
        ).items()
    ]
    lines += ["", "by words and marks in the source"]
    lines += [f"{'up to':>8}{'pairs':>8}{'BLEU':>8}{'chrF':>8}"]
    lines += _lines_by_length(predictions)
    lines += ["", "worst translations, by chrF"]
    lines += _worst_lines(predictions)
    return "\n".join(map(printable, lines))


def _lines_by_length(predictions: Predictions) -> Iterator[str]:
    sources = [
        pair.source.encode("utf-8", "replace") for pair in predictions.pairs
    ]
    lengths = text.pieces(sources).row_lengths().numpy()
    tokenizer = translation.choose_tokenizer(predictions.references)
    shorter = 0
    for longest in (*LENGTHS, max(lengths.max(), LENGTHS[-1])):
        rows = [
            row
            for row, length in enumerate(lengths)
            if shorter < length <= longest
        ]
        shorter = longest
        if rows:
            scores = score(_pick_rows(predictions, rows), tokenizer)
            yield (
                f"{longest:>8}{len(rows):>8}{scores['bleu']:>8.1f}"
                f"{scores['chrf']:>8.1f}"
            )


def _pick_rows(predictions: Predictions, rows: list[int]) -> Predictions:
    return Predictions(
        [predictions.pairs[row] for row in rows],
        [predictions.translations[row] for row in rows],
        Skipped(),
    )


def _worst_lines(predictions: Predictions) -> Iterator[str]:
    rows = zip(predictions.pairs, predictions.translations, strict=True)
    ranked = sorted(
        (translation.score_sentence(hypothesis, pair.target), number)
        for number, (pair, hypothesis) in enumerate(rows)
    )
    for chrf, number in ranked[:NUM_WORST]:
        pair = predictions.pairs[number]
        yield f"{chrf:.1f} {pair.where}"
        yield f"     source:      {pair.source}"
        yield f"     reference:   {pair.target}"
        yield f"     translation: {predictions.translations[number]}"


def main() -> None:
    """Prints the report and the JSON line."""
    args = evaluate_parser().parse_args()
    translation.import_sacrebleu()  # Missing? Said before all translating.
    predictor = load(args.run, args.beam)
    config = options.override(predictor.config, args)
    specs = config.data, predictor.config.data
    splits = data.open_splits(config)
    split = scored.choose_split(args.split, *specs, splits)
    predictions = predict_split(predictor, select(splits, split), args.limit)
    scores = score(predictions)
    print(scored.describe_rows(split, scores["examples"], *specs))
    print(make_report(predictions, scores))
    named = translation.signatures(predictions.references)
    print(json.dumps(scores | {"signatures": named}))


if __name__ == "__main__":
    cli.main(main)
