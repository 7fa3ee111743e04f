"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from common import cli
from common.data import skipped
from common.data.skipped import Skipped
from common.errors import UserError

from . import datasets, text
from .filters import usable
from .predict import Predictor, load

NUM_WORST = 10
# Longest sources of each row of the table, in words and marks.
LENGTHS = (5, 10, 15, 20, 30, 50)


class Answer(NamedTuple):
    """A pair, and what the model made of it.

    Attributes:
        pair: source, reference, and their place.
        translation: the best translation of the model.
    """

    pair: datasets.Pair
    translation: str


def metrics() -> Any:
    """The package that counts.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import sacrebleu
    except ImportError as error:
        raise UserError(
            "BLEU and chrF need the package sacrebleu: pip install"
            ' "rnn-topologies[translation]"'
        ) from error
    return sacrebleu


def score(translations: Sequence[str], references: Sequence[str]) -> dict:
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015), both 0 to 100.

    Args:
        translations: what the model says.
        references: one right translation of each.

    Returns:
        `bleu` and `chrf`, with the defaults of sacrebleu.
    """
    sacrebleu = metrics()
    return {
        "bleu": sacrebleu.corpus_bleu(translations, [references]).score,
        "chrf": sacrebleu.corpus_chrf(translations, [references]).score,
    }


def select(
    splits: dict[str, datasets.Stream], name: str
) -> Iterable[datasets.Pair]:
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
    predictor: Predictor, pairs: Iterable[datasets.Pair], limit: int = 0
) -> tuple[list[Answer], Skipped]:
    """Translates the sources of a split.

    Args:
        predictor: the model.
        pairs: the split.
        limit: the most pairs to look at; 0 for all.

    Raises:
        UserError: if there are no pairs.
    """
    left_out = Skipped()
    chosen = list(itertools.islice(usable(pairs, left_out), limit or None))
    if not chosen:
        raise UserError("no pairs to evaluate: expected at least one")
    found = predictor.n_best([pair.source for pair in chosen])
    answers = [
        Answer(pair, best[0].text)
        for pair, best in zip(chosen, found, strict=True)
    ]
    return answers, left_out


def score_answers(answers: Sequence[Answer]) -> dict:
    """`score` of some answers, and how many they are."""
    scores = score(
        [answer.translation for answer in answers],
        [answer.pair.target for answer in answers],
    )
    return scores | {"examples": len(answers)}


def report(answers: list[Answer], left_out: Skipped) -> str:
    """The readable part: scores, scores by length, worst translations."""
    scores = score_answers(answers)
    lines = [f"{name:<12}{value:.4g}" for name, value in scores.items()]
    lines += skipped.format_report(left_out.report())
    lines += _signatures(answers)
    lines += ["", "by words and marks in the source"]
    lines += [f"{'up to':>8}{'pairs':>8}{'BLEU':>8}{'chrF':>8}"]
    lines += _lines_by_length(answers)
    return "\n".join(
        [*lines, "", "worst translations, by chrF", *_worst(answers)]
    )


def _signatures(answers: list[Answer]) -> Iterable[str]:
    """How the metrics were computed, for comparison with other people's."""
    for name in ("BLEU", "CHRF"):
        metric = getattr(metrics(), name)()
        # A metric knows its number of references once it has seen some.
        metric.corpus_score(
            [answers[0].translation], [[answers[0].pair.target]]
        )
        yield f"{name} signature: {metric.get_signature()}"


def _lines_by_length(answers: list[Answer]) -> Iterable[str]:
    tensor = [
        answer.pair.source.encode("utf-8", "replace") for answer in answers
    ]
    lengths = text.pieces(tensor).row_lengths().numpy()
    shorter = 0
    for longest in (*LENGTHS, max(lengths.max(), LENGTHS[-1])):
        rows = [
            answer
            for answer, length in zip(answers, lengths, strict=True)
            if shorter < length <= longest
        ]
        shorter = longest
        if rows:
            scores = score_answers(rows)
            yield (
                f"{longest:>8}{len(rows):>8}{scores['bleu']:>8.1f}"
                f"{scores['chrf']:>8.1f}"
            )


def _worst(answers: list[Answer]) -> Iterable[str]:
    sentence_chrf = metrics().sentence_chrf
    ranked = sorted(
        (sentence_chrf(x.translation, [x.pair.target]).score, number)
        for number, x in enumerate(answers)
    )
    for value, number in ranked[:NUM_WORST]:
        pair, translation = answers[number]
        yield f"{value:.1f} {pair.where}"
        yield f"     source:      {pair.source}"
        yield f"     reference:   {pair.target}"
        yield f"     translation: {translation}"


def main() -> None:
    """Reads the command line, prints the report and the JSON line."""
    parser = cli.Parser(f"{__package__}.evaluate", __doc__ or "")
    parser.add_argument("run", help="a run folder or an exported SavedModel")
    parser.add_argument(
        "--split", default="test", help="train, valid, test, or all of them"
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="most pairs; 0 for all"
    )
    parser.add_argument(
        "--beam", type=int, help="in place of the one of training"
    )
    cli.add_overrides(
        parser, "data", "source", "target", "encoding", "tfds_dir"
    )
    args = parser.parse_args()
    if args.limit < 0:
        parser.error(f"--limit must be 0 or more, got {args.limit}")
    metrics()  # If it is missing, say so before minutes of translating.
    predictor = load(args.run, args.beam)
    config = cli.override(predictor.config, args)
    pairs = select(datasets.open_splits(config), args.split)
    answers, left_out = collect(predictor, pairs, args.limit)
    print(report(answers, left_out))
    print(json.dumps(score_answers(answers)))


if __name__ == "__main__":
    cli.main(main)
