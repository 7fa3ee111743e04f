"""Scores a model: `python -m PACKAGE.evaluate RUN [--data SPEC]`.

The last line on standard output is one JSON object.
"""

import itertools
import json
import statistics
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from common import cli, options
from common.characters import printable
from common.data import scored, skipped
from common.data.skipped import Skipped
from common.data.splits import select
from common.errors import UserError
from common.media import images
from common.metrics import captions as caption_metrics
from common.metrics.caption_tokens import tokenize

from . import data
from .batches import FeatureLoader, ImageLoader
from .config import evaluate_parser
from .datasets import Example, builtin
from .predictor import Predictor, load

NUM_SAMPLES = 3
NUM_WORST = 10


class Prediction(NamedTuple):
    """The model's caption of an image, beside the truth.

    Attributes:
        example: the image, with its references.
        caption: the best caption of the model.
    """

    example: Example
    caption: str


def predict_split(
    predictor: Predictor,
    examples: Sequence[Example],
    loader: ImageLoader | None = None,
) -> list[Prediction]:
    """Captions the images of a split.

    Args:
        predictor: the model.
        examples: the split.
        loader: its features or pixels; None to read the pictures' files.

    Raises:
        UserError: if there are no images.
    """
    if not examples:
        raise UserError("no images to evaluate: expected at least one")
    if loader is None:
        contents = (images.read_bytes(example.image) for example in examples)
        captions = predictor.predict_bytes(contents)
    else:
        captions = predictor.predict_images(loader, len(examples))
    return [
        Prediction(example, best[0].text)
        for example, best in zip(examples, captions, strict=True)
    ]


def score_captions(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Computes the metrics of `common.metrics.captions`."""
    captions = [prediction.caption for prediction in predictions]
    references = [prediction.example.captions for prediction in predictions]
    return caption_metrics.score(captions, references)._asdict()


def score(
    predictions: Sequence[Prediction],
    training_captions: Collection[str],
    is_builtin: bool,
) -> dict:
    """Computes all metrics.

    Args:
        predictions: the captions.
        training_captions: see `diversity`.
        is_builtin: True for generated scenes, of which the facts are known.

    Returns:
        Those of `score_captions`, the number of examples, BLEU-4 and CIDEr of
        shuffled captions, those of `diversity`, and for generated scenes
        `right`, the share of captions in which every fact is right.
    """
    scores = score_captions(predictions) | {"examples": len(predictions)}
    control = score_captions(shuffle_captions(predictions))
    for name in ("bleu_4", "cider"):
        scores[f"shuffled_{name}"] = control[name]
    scores |= diversity(predictions, training_captions)
    if is_builtin:
        scores["right"] = fact_accuracy(predictions)
    return scores


def shuffle_captions(
    predictions: Sequence[Prediction], seed: int = 0
) -> list[Prediction]:
    """Gives each image the caption of another one.

    A model that uses its images scores much worse so; one that says what is
    often true scores the same.
    """
    order = np.random.default_rng(seed).permutation(len(predictions))
    others = np.roll(order, 1)  # No image keeps its own.
    return [
        Prediction(predictions[one].example, predictions[other].caption)
        for one, other in zip(order, others, strict=True)
    ]


def diversity(
    predictions: Sequence[Prediction], training_captions: Collection[str]
) -> dict[str, float]:
    """Measures how much captions differ from each other and from training.

    Args:
        predictions: the captions.
        training_captions: from `normalize_captions`.

    Returns:
        `mean_words`, the mean length; `distinct`, the share of different ones;
        `unseen`, the share of those that are no training caption.
    """
    captions = [normalize(prediction.caption) for prediction in predictions]
    return {
        "mean_words": statistics.fmean(len(x.split()) for x in captions),
        "distinct": len(set(captions)) / len(captions),
        "unseen": statistics.fmean(
            caption not in training_captions for caption in captions
        ),
    }


def normalize(caption: str) -> str:
    """Returns the words of a caption, without case and punctuation."""
    return " ".join(tokenize(caption))


def normalize_captions(examples: Iterable[Example]) -> set[str]:
    """Returns the normalized captions of some images."""
    return {
        normalize(caption)
        for example in examples
        for caption in example.captions
    }


def fact_accuracy(predictions: Sequence[Prediction]) -> float:
    """Returns the share of captions of scenes in which all facts are right."""
    return statistics.fmean(
        builtin.parse(caption) == builtin.parse(example.captions[0])
        for example, caption in predictions
    )


def format_scores(scores: dict[str, float]) -> str:
    """Returns the line about the validation of an epoch."""
    return (
        f"validation CIDEr {scores['cider']:.3f}, BLEU-4"
        f" {scores['bleu_4']:.2f} (greedy), loss {scores['loss']:.4f}"
    )


def format_samples(predictions: Sequence[Prediction]) -> str:
    """Returns a line for each of the first few captions."""
    return "\n".join(
        printable(f"  {example.name} -> {caption}")
        for example, caption in predictions[:NUM_SAMPLES]
    )


def make_report(
    predictions: Sequence[Prediction], scores: dict, left_out: Skipped
) -> str:
    """Returns scores, what was skipped and the worst captions, to be read."""
    lines = [f"{name:<16}{value:.4g}" for name, value in scores.items()]
    lines += skipped.format_report(left_out.report())
    lines += ["", "worst captions, by ROUGE-L"]
    lines += _worst_lines(predictions)
    return "\n".join(map(printable, lines))


def _worst_lines(predictions: Sequence[Prediction]) -> Iterator[str]:
    ranked = sorted(
        (_rouge_l(prediction), number)
        for number, prediction in enumerate(predictions)
    )
    for value, number in ranked[:NUM_WORST]:
        example, caption = predictions[number]
        yield f"{value:.2f} {example.name}"
        yield f"     reference: {example.captions[0]}"
        yield f"     caption:   {caption}"


def _rouge_l(prediction: Prediction) -> float:
    references = [tokenize(text) for text in prediction.example.captions]
    return caption_metrics.rouge_l([tokenize(prediction.caption)], [references])


def main() -> None:
    """Prints the report and the JSON line."""
    args = evaluate_parser().parse_args()
    predictor = load(args.run, args.beam)
    config = options.override(predictor.config, args)
    specs = config.data, predictor.config.data
    left_out = Skipped()
    stored = None
    if config.features:
        stored = predictor.open_features(config.features)
    splits = data.open_splits(config, left_out, stored)
    split = scored.choose_split(args.split, *specs, splits)
    examples = list(itertools.islice(select(splits, split), args.limit or None))
    examples = data.drop_unusable(examples, stored, left_out)
    loader = FeatureLoader(examples, stored) if stored else None
    predictions = predict_split(predictor, examples, loader)
    training_captions = normalize_captions(splits.get("train", []))
    scores = score(predictions, training_captions, config.data == "builtin")
    print(scored.describe_rows(split, scores["examples"], *specs))
    print(make_report(predictions, scores, left_out))
    print(json.dumps(scores))


if __name__ == "__main__":
    cli.main(main)
