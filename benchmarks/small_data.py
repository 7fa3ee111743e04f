"""How much is learned from small data, by the defaults and `--data` alone.

    python -m benchmarks.small_data [--only tickets dates pictures] [--seeds N]

prints for each set of tickets the accuracy on 2,000 new rows beside that of
TF-IDF and logistic regression on the same training rows; for 200 pairs of dates
BLEU on 300 new ones; for 20 pictures how many of those that were trained on
get one of their captions, word for word.
"""

import contextlib
import csv
import io
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import apps.captioning.data
import apps.captioning.predictor
import apps.captioning.train
import apps.sentiment.data
import apps.sentiment.evaluate
import apps.sentiment.predictor
import apps.sentiment.train
import apps.translation.data
import apps.translation.evaluate
import apps.translation.predictor
import apps.translation.train
from benchmarks import small_sets
from common import cli
from common.data.skipped import Skipped
from common.data.splits import select

KINDS = ("tickets", "dates", "pictures")
# From a folder of data and a seed to how good the trained model is.
Score = Callable[[Path, int], float]


def score_tickets(folder: Path, seed: int) -> float:
    """Trains on a folder of tickets; returns the accuracy on the new ones."""
    app = apps.sentiment
    config = app.train.Config(
        data=str(folder), run_dir=str(folder / f"run{seed}"), seed=seed
    )
    predictor = app.predictor.load(str(app.train.train(config).folder))
    predictions = app.evaluate.predict_split(
        predictor, select(app.data.open_splits(config), "test")
    )
    scores = app.evaluate.score(predictions.labels, predictions.probabilities)
    return scores["accuracy"]


def score_dates(folder: Path, seed: int) -> float:
    """Trains on pairs of dates; returns greedy BLEU on the new ones."""
    app = apps.translation
    config = app.train.Config(
        data=str(folder / "pairs.tsv"),
        run_dir=str(folder / f"run{seed}"),
        seed=seed,
    )
    run = app.train.train(config).folder
    predictor = app.predictor.load(str(run), beam=1)
    new = app.train.Config(data=str(folder / "new.tsv"))
    pairs = list(select(app.data.open_splits(new), "all"))
    predictions = app.evaluate.predict_split(predictor, pairs)
    return app.evaluate.score(predictions)["bleu"]


def score_pictures(folder: Path, seed: int) -> float:
    """Trains on pictures; returns the share of these captioned exactly."""
    app = apps.captioning
    config = app.train.Config(
        data=str(folder), run_dir=str(folder / f"run{seed}"), seed=seed
    )
    run = app.train.train(config).folder
    examples = app.data.open_splits(config, Skipped())["train"]
    captions = app.predictor.load(str(run)).predict_bytes(
        [Path(str(example.image)).read_bytes() for example in examples]
    )
    return statistics.fmean(
        best.text in example.captions
        for (best, *_), example in zip(captions, examples, strict=True)
    )


def score_counts(folder: Path) -> float:
    """Returns the accuracy of TF-IDF and logistic regression on new tickets."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    def read(split: str) -> tuple[list[str], list[str]]:
        with (folder / f"{split}.csv").open(newline="") as file:
            rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
        return [text for text, _ in rows], [label for _, label in rows]

    (texts, labels), (new_texts, new_labels) = read("train"), read("test")
    vectorizer = TfidfVectorizer()
    model = LogisticRegression(max_iter=1_000)
    model.fit(vectorizer.fit_transform(texts), labels)
    return model.score(vectorizer.transform(new_texts), new_labels)


def measure(kinds: list[str], num_seeds: int) -> Iterator[str]:
    """Yields a line for each set, as soon as it is measured."""
    sets = [(x.name, x) for x in small_sets.TICKETS if "tickets" in kinds]
    for name, tickets in sets:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            small_sets.write_tickets(folder, tickets)
            expected = score_counts(folder)
            scores = [
                quietly(score_tickets, folder, s) for s in range(num_seeds)
            ]
        yield f"{name}: {format_scores(scores)} (TF-IDF {expected:.3f})"
    for kind, write, score in (
        ("dates", small_sets.write_dates, score_dates),
        ("pictures", small_sets.write_pictures, score_pictures),
    ):
        if kind in kinds:
            with tempfile.TemporaryDirectory() as scratch:
                write(Path(scratch))
                scores = [
                    quietly(score, Path(scratch), s) for s in range(num_seeds)
                ]
            yield f"{kind}: {format_scores(scores)}"


def quietly(score: Score, folder: Path, seed: int) -> float:
    """Scores without what training prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        return score(folder, seed)


def format_scores(scores: list[float]) -> str:
    """Returns mean, lowest and all scores.

    Example:
        >>> format_scores([0.5, 0.75])
        'mean 0.625, lowest 0.500 of 0.500 0.750'
    """
    listed = " ".join(f"{score:.3f}" for score in scores)
    mean = statistics.fmean(scores)
    return f"mean {mean:.3f}, lowest {min(scores):.3f} of {listed}"


def main() -> None:
    """Prints a line for each set."""
    parser = cli.Parser("benchmarks.small_data", __doc__ or "")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    for line in measure(args.only, args.seeds):
        print(line, flush=True)


if __name__ == "__main__":
    cli.main(main)
