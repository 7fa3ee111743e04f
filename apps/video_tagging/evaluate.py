"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import cli
from common.data import skipped
from common.errors import UserError
from common.media import videos

from . import data, datasets, scores
from .config import Config
from .outputs import segments, timeline
from .predictor import Predictor, Tagged, load

NUM_WORST = 5


class Answer(NamedTuple):
    """A video, and what the model said of it.

    Attributes:
        name: of the video.
        tagged: the answer.
        labels: the truth, as of `data.encode_labels`.
        is_labelled: <bool>[time], which frames have labels.
        times: <float64>[time], when the frames are shown.
        period: how long the last frame is shown; `times` are numbers of
            frames and it is 1 where no time is known.
        in_seconds: whether a time is known.
    """

    name: str
    tagged: Tagged
    labels: np.ndarray
    is_labelled: np.ndarray
    times: np.ndarray
    period: float
    in_seconds: bool


def select(
    splits: dict[str, data.Examples], name: str
) -> Sequence[datasets.Example]:
    """Picks one split, or chains all of them.

    Raises:
        UserError: if the data have no such split.
    """
    if name == "all":
        return list(itertools.chain.from_iterable(splits.values()))
    if name not in splits:
        raise UserError(
            f"--split {name}: expected all or one of {', '.join(splits)}"
        )
    return splits[name]


def collect(
    predictor: Predictor, examples: Iterable[datasets.Example], config: Config
) -> list[Answer]:
    """Tags the videos of a split, one after the other.

    Args:
        predictor: the model.
        examples: videos with labels.
        config: how to read them.

    Raises:
        UserError: if there are none, one cannot be read, or its labels do not
            fit it.
    """
    answers = [_answer(predictor, example, config) for example in examples]
    if not answers:
        raise UserError("no videos to evaluate: expected at least one")
    if not any(answer.is_labelled.any() for answer in answers):
        raise UserError("no labelled frames to evaluate: expected some")
    return answers


def _answer(
    predictor: Predictor, example: datasets.Example, config: Config
) -> Answer:
    source = example.source
    tagged, piece = predictor.of_video(source, config)
    truth = data.encode_labels(example, piece, predictor.labels, config)
    return Answer(
        example.name,
        tagged,
        *truth,
        piece.times,
        videos.clip_period(source, config.rate, piece.times),
        videos.has_times(source, config.rate),
    )


def metrics(answers: list[Answer], labels: list[str], config: Config) -> dict:
    """Everything that is measured: the JSON line."""
    columns = zip(*(answer[1:4] for answer in answers), strict=True)
    found, truth, is_labelled = map(list, columns)
    measured = scores.score(found, truth, is_labelled, labels, config)
    num_frames = sum(len(answer.times) for answer in answers)
    return measured | {"frames": num_frames, "examples": len(answers)}


def report(
    measured: dict,
    answers: list[Answer],
    left_out: dict,
    labels: list[str],
    config: Config,
) -> str:
    """The readable part: scores, what was skipped, tags, worst videos."""
    lines = [f"{name:<28}{value:.4g}" for name, value in measured.items()]
    lines += skipped.format_report(left_out)
    lines += ["", *_of_tags(answers, labels, config)]
    lines += ["", "worst videos", *_worst(answers, labels, config)]
    return "\n".join(lines)


def _of_tags(
    answers: list[Answer], labels: list[str], config: Config
) -> Iterator[str]:
    """How often each tag is true, and how often it was found and missed."""
    there, found = (
        np.concatenate([x[rows] for x, rows in pairs])
        for pairs in (
            [(_sets(x.labels, labels), x.is_labelled) for x in answers],
            [(_sets(x.tagged.tags, labels), x.is_labelled) for x in answers],
        )
    )
    width = max(len(label) for label in labels)
    yield f"{'tag':<{width}}    frames  precision  recall"
    for label, truth, says in zip(labels, there.T, found.T, strict=True):
        right = (truth & says).sum()
        yield (
            f"{label:<{width}}{truth.sum():>10}"
            f"{_percent(right, says.sum()):>11}"
            f"{_percent(right, truth.sum()):>8}"
        )


def _sets(tags: np.ndarray, labels: list[str]) -> np.ndarray:
    """<bool>[time, classes] of one tag a frame, or of sets of them."""
    if tags.ndim == 2:
        return tags > 0
    return tags[:, None] == np.arange(len(labels))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _worst(
    answers: list[Answer], labels: list[str], config: Config
) -> Iterator[str]:
    usable = [answer for answer in answers if answer.is_labelled.any()]
    ranked = sorted(
        (scores.one_number(metrics([answer], labels, config)), answer.name)
        for answer in usable
    )
    for value, name in ranked[:NUM_WORST]:
        yield f"{value:8.2f} {name}"


def draw(answers: list[Answer], predictor: Predictor, path: Path) -> None:
    """Draws the truth of some videos above what the model says of them.

    Raises:
        UserError: if matplotlib is missing, or the file cannot be written.
    """
    rows = []
    for answer in answers:
        when = answer.times, answer.period
        truth = answer.labels
        if truth.ndim == 2:
            truth = truth > 0
        rows.append(
            timeline.Row(
                answer.name,
                segments.of_tags(*answer.tagged, predictor.labels, *when),
                segments.of_tags(truth, None, predictor.labels, *when),
                float(answer.times[-1] + answer.period),
            )
        )
    tags = timeline.Tags(
        predictor.labels,
        predictor.config.background,
        predictor.config.multi_label,
    )
    in_seconds = all(answer.in_seconds for answer in answers)
    timeline.timeline(rows, tags, in_seconds, path)


def main() -> None:
    """Reads the command line, prints the report and the JSON line."""
    parser = cli.Parser(f"{__package__}.evaluate", __doc__ or "")
    parser.add_argument("run", help="a run folder or an exported SavedModel")
    parser.add_argument(
        "--split", default="test", help="train, valid, test, or all of them"
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="most videos; 0 for all"
    )
    parser.add_argument(
        "--timeline",
        default="",
        help="a picture, .png, of truth and answers, at most"
        f" {timeline.MAX_VIDEOS} videos",
    )
    cli.add_overrides(
        parser, "data", "encoding", "tfds_dir", "align", "background"
    )
    parser.add_argument(
        "--rate", type=float, help="in place of the one used in training"
    )
    args = parser.parse_args()
    if args.limit < 0:
        parser.error(f"--limit must be 0 or more, got {args.limit}")
    predictor = load(args.run)
    config = cli.override(predictor.config, args)
    if config.data != predictor.config.data:
        # Which videos of other data were held out does not matter here.
        config = dataclasses.replace(config, valid_videos="")
    found = datasets.read(config)
    examples = data.labelled(
        list(select(found.splits, args.split)), found.skipped
    )
    answers = collect(predictor, examples[: args.limit or None], config)
    measured = metrics(answers, predictor.labels, config)
    left_out = found.skipped.report()
    print(report(measured, answers, left_out, predictor.labels, config))
    if args.timeline:
        draw(answers, predictor, Path(args.timeline))
    print(json.dumps(measured))


if __name__ == "__main__":
    cli.main(main)
