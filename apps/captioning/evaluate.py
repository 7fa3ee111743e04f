"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import itertools
import json
import statistics
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from common import cli
from common.data import skipped
from common.errors import UserError
from common.media import images
from common.metrics import captions as caption_metrics
from common.metrics.caption_tokens import tokenize

from . import batches, data, datasets
from .datasets import builtin
from .predictor import Predictor, load

NUM_WORST = 10


class Answer(NamedTuple):
    """An image, and what the model said of it.

    Attributes:
        example: its name and references.
        caption: the best caption of the model.
    """

    example: datasets.Example
    caption: str


def score(
    captions: Sequence[str], examples: Sequence[datasets.Example]
) -> dict[str, float]:
    """The metrics of `common.metrics.captions`, which equal pycocoevalcap's.

    Args:
        captions: what the model says of each image.
        examples: the images, with their references.
    """
    references = [example.captions for example in examples]
    return caption_metrics.score(captions, references)._asdict()


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
    predictor: Predictor,
    examples: Sequence[datasets.Example],
    views: batches.Images | None,
) -> list[Answer]:
    """Captions the images of a split.

    Args:
        predictor: the model.
        examples: the images.
        views: their features; None to look at the pictures themselves.

    Raises:
        UserError: if there are no images.
    """
    if not examples:
        raise UserError("no images to evaluate: expected at least one")
    if views is None:
        contents = (images.read_bytes(example.image) for example in examples)
        found = predictor.of_pictures(contents)
    else:
        found = predictor.of_images(views, len(examples))
    return [
        Answer(example, best[0].text)
        for example, best in zip(examples, found, strict=True)
    ]


def score_answers(answers: Sequence[Answer]) -> dict[str, float]:
    """`score` of some answers, and how many they are."""
    scores = score(
        [answer.caption for answer in answers],
        [answer.example for answer in answers],
    )
    return scores | {"examples": len(answers)}


def shuffled(answers: Sequence[Answer], seed: int = 0) -> list[Answer]:
    """Each image with the caption of another one.

    A model that looks at its images scores much worse so; one that says what
    is often true scores the same.
    """
    order = np.random.default_rng(seed).permutation(len(answers))
    others = np.roll(order, 1)  # No image keeps its own.
    return [
        Answer(answers[one].example, answers[other].caption)
        for one, other in zip(order, others, strict=True)
    ]


def variety(answers: Sequence[Answer], known: Collection[str]) -> dict:
    """How the captions are made.

    Args:
        answers: the captions.
        known: captions of the training images, as `normalized` writes them.

    Returns:
        `mean_words`, how long they are; `distinct`, the share of different
        ones; `unseen`, the share of those that are no training caption.
    """
    captions = [normalized(answer.caption) for answer in answers]
    return {
        "mean_words": statistics.fmean(len(x.split()) for x in captions),
        "distinct": len(set(captions)) / len(captions),
        "unseen": statistics.fmean(x not in known for x in captions),
    }


def normalized(caption: str) -> str:
    """A caption as its words alone."""
    return " ".join(tokenize(caption))


def share_right(answers: Sequence[Answer]) -> float:
    """The share of captions of the builtin scenes that say what is there."""
    return statistics.fmean(
        builtin.parse(answer.caption)
        == builtin.parse(answer.example.captions[0])
        for answer in answers
    )


def metrics(
    answers: list[Answer], known: Collection[str], is_builtin: bool
) -> dict:
    """Everything that is measured: the JSON line."""
    result = score_answers(answers)
    control = score_answers(shuffled(answers))
    for name in ("bleu_4", "cider"):
        result[f"shuffled_{name}"] = control[name]
    result |= variety(answers, known)
    if is_builtin:
        result["right"] = share_right(answers)
    return result


def report(scores: dict, answers: list[Answer], left_out: dict) -> str:
    """The readable part: scores, what was skipped, worst captions."""
    lines = [f"{name:<16}{value:.4g}" for name, value in scores.items()]
    lines += skipped.format_report(left_out)
    return "\n".join(
        [*lines, "", "worst captions, by ROUGE-L", *_worst(answers)]
    )


def _worst(answers: list[Answer]) -> Iterator[str]:
    ranked = sorted(
        (_rouge_l(answer), number) for number, answer in enumerate(answers)
    )
    for value, number in ranked[:NUM_WORST]:
        example, caption = answers[number]
        yield f"{value:.2f} {example.name}"
        yield f"     reference: {example.captions[0]}"
        yield f"     caption:   {caption}"


def _rouge_l(answer: Answer) -> float:
    references = [tokenize(text) for text in answer.example.captions]
    return caption_metrics.rouge_l([tokenize(answer.caption)], [references])


def known_captions(examples: Iterable[datasets.Example]) -> set[str]:
    """The captions of training images, as `normalized` writes them."""
    return {
        normalized(caption)
        for example in examples
        for caption in example.captions
    }


def main() -> None:
    """Reads the command line, prints the report and the JSON line."""
    parser = cli.Parser(f"{__package__}.evaluate", __doc__ or "")
    parser.add_argument("run", help="a run folder or an exported SavedModel")
    parser.add_argument(
        "--split", default="test", help="train, valid, test, or all of them"
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="most images; 0 for all"
    )
    parser.add_argument(
        "--beam", type=int, help="in place of the one of training"
    )
    cli.add_overrides(parser, "data", "features", "encoding", "tfds_dir")
    args = parser.parse_args()
    if args.limit < 0:
        parser.error(f"--limit must be 0 or more, got {args.limit}")
    predictor = load(args.run, args.beam)
    config = cli.override(predictor.config, args)
    given = None
    if config.features:
        given = predictor.open_features(config.features)
    found = datasets.read(config, given.rows if given else None)
    examples = list(select(found.splits, args.split))[: args.limit or None]
    views = None
    if given is not None:
        views = batches.Features(examples, given)
    else:
        pictures = {example.name: example.image for example in examples}
        usable = images.drop_unreadable(pictures, found.skipped)
        examples = [x for x in examples if x.name in usable]
    answers = collect(predictor, examples, views)
    known = known_captions(found.splits.get("train", []))
    scores = metrics(answers, known, config.data == "builtin")
    print(report(scores, answers, found.skipped.report()))
    print(json.dumps(scores))


if __name__ == "__main__":
    cli.main(main)
