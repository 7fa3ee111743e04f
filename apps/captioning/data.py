"""From images and captions to batches of pixels or features, and word ids."""

import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from common.data import feature_cache, feature_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images

from . import batches, datasets, encoder, features, text
from .config import Config

Examples = list[datasets.Example]
# Makes the images of a split.
See = Callable[[Examples], batches.Images]


@dataclasses.dataclass(frozen=True)
class Data:
    """What training needs to know about its data.

    Attributes:
        vocabulary: the words that the model knows.
        feature_shape: regions and features of given features; None where the
            model has an encoder, and sees images.
        train: images and captions to learn from.
        valid: those to choose the best epoch by.
        valid_examples: the same, with their captions as text.
        report: what was read and skipped, for the run folder.
    """

    vocabulary: list[str]
    feature_shape: tuple[int, int] | None
    train: batches.Encoded
    valid: batches.Encoded
    valid_examples: Examples
    report: dict


def load(config: Config, vocabulary: list[str] | None = None) -> Data:
    """Reads the data: looks at every image once, learns the vocabulary.

    Args:
        config: says where the data are.
        vocabulary: the words to know; by default, those of the training
            captions.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    given = _given(config)
    found = datasets.read(config, given.rows if given else None)
    train = found.splits.get("train", [])
    valid = some(found.splits.get("valid", []), config.max_valid, config.seed)
    see, usable = _views([*train, *valid], config, given, found.skipped)
    train, valid = (
        [example for example in split if example.name in usable]
        for split in (train, valid)
    )
    _check_not_empty(train, valid, config)
    if vocabulary is None:
        captions = (caption for image in train for caption in image.captions)
        vocabulary = text.learn_vocabulary(
            captions, config.min_count, config.vocab_size
        )
    encoded = [
        batches.encode(split, see(split), vocabulary, config.max_words)
        for split in (train, valid)
    ]
    shape = None
    if given and not has_encoder(config):
        shape = (given.regions, given.dim)
    return Data(
        vocabulary=vocabulary,
        feature_shape=shape,
        train=encoded[0],
        valid=encoded[1],
        valid_examples=valid,
        report=_report(
            config, {"train": train, "valid": valid}, given, found.skipped
        ),
    )


def has_encoder(config: Config) -> bool:
    """Whether a model of this config sees images, not only features."""
    return not config.features or config.encoder != encoder.CNN


def _given(config: Config) -> feature_files.Features | None:
    """The features that the user gives, if any."""
    if not config.features:
        return None
    given = feature_files.load(Path(config.features))
    if has_encoder(config):
        _check_encoder(config, given)
    if config.decoder == "attention" and given.regions == 1:
        raise UserError(
            f"--features {config.features}: one vector for each image, and"
            " --decoder attention needs a grid: choose --decoder first_input"
            " or initial_state"
        )
    return given


def _check_encoder(config: Config, given: feature_files.Features) -> None:
    """Features and pictures must be seen through the same encoder."""
    named = encoder.signature(config)
    if given.encoder is None:
        raise UserError(
            f"--features {config.features}: it does not tell which encoder made"
            f" it; leave out --encoder {config.encoder}, and the model knows"
            " features only"
        )
    differing = [
        f"{name} {given.encoder.get(name)} (now {value})"
        for name, value in named.items()
        if given.encoder.get(name) != value
    ]
    if differing:
        raise UserError(
            f"--features {config.features}: features of another encoder:"
            f" {', '.join(differing)}"
        )


def _views(
    examples: Examples,
    config: Config,
    given: feature_files.Features | None,
    skipped: Skipped,
) -> tuple[See, Collection[str]]:
    """How images are seen in training, and the names of those that can be."""
    if given is not None:
        return (lambda split: batches.Features(split, given)), given.rows
    if encoder.is_trained(config):
        pictures = {example.name: example.image for example in examples}
        usable = images.drop_unreadable(pictures, skipped)
        return lambda split: batches.Pictures(split, config.image_size), usable
    # A frozen encoder sees each image once and for all.
    if config.data == "builtin":
        raise UserError(
            f"--encoder {config.encoder} needs files: write the builtin ones"
            f" with python -m {__package__}.datasets.builtin FOLDER, and pass"
            " --data FOLDER"
        )
    files = {example.name: Path(str(example.image)) for example in examples}
    computed = features.compute(files, config, _cache(config), skipped)
    return (lambda split: batches.Features(split, computed)), computed.rows


def _cache(config: Config) -> Path:
    """Where the features of a data set are kept, whatever run needs them."""
    path = feature_cache.cache_path(
        config.data, config.encoder, encoder.signature(config)
    )
    return path.with_suffix(".npz")


def some(examples: Examples, limit: int, seed: int) -> Examples:
    """At most `limit` examples, chosen by the seed, in their order."""
    if len(examples) <= limit:
        return examples
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(examples), limit, replace=False)
    return [examples[number] for number in sorted(chosen)]


def _check_not_empty(train: Examples, valid: Examples, config: Config) -> None:
    for name, split in (("training", train), ("validation", valid)):
        if not split:
            raise UserError(
                f"--data {config.data}: no {name} images that can be used"
            )


def _report(
    config: Config,
    splits: dict[str, Examples],
    given: feature_files.Features | None,
    skipped: Skipped,
) -> dict:
    report: dict = {"data": config.data, "skipped": skipped.report()}
    for name, split in splits.items():
        captions = sum(len(example.captions) for example in split)
        report[name] = {"images": len(split), "captions": captions}
    # Of a trained encoder no other features will do: it changes.
    report["features_of"] = None
    if given:
        report["features_of"] = given.encoder
    elif not encoder.is_trained(config):
        report["features_of"] = encoder.signature(config)
    return report
