"""From images and captions to pixels or features, and word ids."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from common.data import feature_cache, feature_files, skipped
from common.data.feature_files import Features
from common.data.skipped import Skipped
from common.errors import UserError, format_names
from common.media import images
from common.metrics.caption_tokens import tokenize
from common.training import schedule

from . import batches, datasets, features, text
from .batches import Encoded
from .config import Config
from .datasets import Example, samples
from .encoder import CNN, encoder_signature, is_trained


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of a training run.

    Attributes:
        vocabulary: the words that the model knows.
        feature_shape: regions and features of the user's features; None if
            the model has an encoder, and takes images.
        train: images and captions to learn from.
        valid: those to choose the best epoch by.
        valid_examples: the same, with their captions as text.
        report: what was read and skipped, for the run folder.
    """

    vocabulary: list[str]
    feature_shape: tuple[int, int] | None
    train: Encoded
    valid: Encoded
    valid_examples: list[Example]
    report: dict

    def summary(self) -> str:
        """Returns a few lines on the data, for the screen."""
        train, valid = (self.report[name] for name in ("train", "valid"))
        lines = [
            f"{train['images']} training images with {train['captions']}"
            f" captions, {valid['images']} validation images with"
            f" {valid['captions']}, {len(self.vocabulary)} words"
        ]
        lines += schedule.describe_kept(self.report)
        return "\n".join(lines + skipped.format_report(self.report["skipped"]))


def open_splits(
    config: Config, left_out: Skipped, stored: Features | None = None
) -> dict[str, list[Example]]:
    """Reads the splits of `config.data`, but not the images.

    Args:
        config: says where the data are.
        left_out: notes captions and images that cannot be used.
        stored: features of the images; None if the images are needed.

    Raises:
        UserError: if there is no such data, or none that fits a known layout.
    """
    splits = datasets.open_splits(
        config.data,
        left_out,
        names=stored.rows if stored else None,
        encoding=config.encoding,
        tfds_dir=config.tfds_dir,
        num_examples=config.num_examples,
        seed=config.seed,
    )
    usable = {
        name: list(_drop_wordless(examples, left_out))
        for name, examples in splits.items()
    }
    if splits.get("valid") and not usable["valid"]:
        # All of a few images had no words: others take their place.
        train = usable.get("train", [])
        usable["valid"] = train[::10]
        usable["train"] = [x for n, x in enumerate(train) if n % 10]
    return usable


def _drop_wordless(
    examples: Iterable[Example], left_out: Skipped
) -> Iterator[Example]:
    """Yields the examples with those of their captions that have a word."""
    for example in examples:
        captions = tuple(filter(tokenize, example.captions))
        for _ in range(len(example.captions) - len(captions)):
            left_out.add("empty caption", example.name)
        if captions:
            yield example._replace(captions=captions)
        else:
            left_out.add("image without a caption", example.name)


def load(config: Config, vocabulary: list[str] | None = None) -> Data:
    """Reads the data: decodes every image once, learns the vocabulary.

    Args:
        config: says where the data are.
        vocabulary: the words to know; by default, those of the training
            captions.

    Raises:
        UserError: for data that cannot be used; the place is named.
    """
    left_out = Skipped()
    stored = _load_features(config)
    splits = open_splits(config, left_out, stored)
    train = splits.get("train", [])
    valid = subsample(splits.get("valid", []), config.max_valid, config.seed)
    if not stored and not is_trained(config):
        stored = _compute_features([*train, *valid], config, left_out)
    usable = drop_unusable([*train, *valid], stored, left_out)
    names = {example.name for example in usable}
    train, valid = (
        [example for example in split if example.name in names]
        for split in (train, valid)
    )
    _check_not_empty(train, valid, config)
    if vocabulary is None:
        vocabulary = _learn_vocabulary(train, config)
    report = {
        "data": config.data,
        "train": _count(train),
        "valid": _count(valid),
        "kept_epoch": schedule.choose_kept(len(valid)),
        "skipped": left_out.report(),
        # Of a trained encoder no other features will do: it changes.
        "features_of": stored and stored.encoder,
        "example": samples.example_input(
            Path(config.run_dir), valid[0], config.features
        ),
    }
    shape = None
    if stored and not has_encoder(config):
        shape = (stored.regions, stored.dim)
    return Data(
        vocabulary,
        shape,
        encode(train, stored, vocabulary, config),
        encode(valid, stored, vocabulary, config),
        valid,
        report,
    )


def _learn_vocabulary(train: Sequence[Example], config: Config) -> list[str]:
    captions = [caption for image in train for caption in image.captions]
    min_count = config.min_count or choose_min_count(len(captions))
    vocabulary = text.learn_vocabulary(captions, min_count, config.vocab_size)
    if not vocabulary:
        raise UserError(
            f"--data {config.data}: no word occurs {min_count} times in"
            f" the captions of its {len(train)} training images: give more of"
            " them, or pass --min-count 1"
        )
    return vocabulary


def choose_min_count(num_captions: int) -> int:
    """Returns how often a word must occur: in small data, rare words count.

    Example:
        >>> [choose_min_count(n) for n in (40, 2_000, 30_000)]
        [1, 2, 3]
    """
    return 1 if num_captions < 1_000 else 2 if num_captions < 5_000 else 3


def has_encoder(config: Config) -> bool:
    """Returns True if the model takes images, not only features."""
    return not config.features or config.encoder != CNN


def _load_features(config: Config) -> Features | None:
    """Loads the features that the user gives, if any."""
    if not config.features:
        return None
    stored = feature_files.load(Path(config.features))
    if has_encoder(config):
        _check_encoder(config, stored)
    if config.decoder == "attention" and stored.regions == 1:
        raise UserError(
            f"--features {config.features}: one vector for each image, and"
            " --decoder attention needs a grid: choose --decoder first_input"
            " or initial_state"
        )
    return stored


def _check_encoder(config: Config, stored: Features) -> None:
    """Checks that the features are those of the model's encoder."""
    if stored.encoder is None:
        raise UserError(
            f"--features {config.features}: it does not tell which encoder made"
            f" it; leave out --encoder {config.encoder}, and the model knows"
            " features only"
        )
    differing = [
        f"{name} {stored.encoder.get(name)} (now {value})"
        for name, value in encoder_signature(config).items()
        if stored.encoder.get(name) != value
    ]
    if differing:
        raise UserError(
            f"--features {config.features}: features of another encoder:"
            f" {format_names(differing)}"
        )


def _compute_features(
    examples: Sequence[Example], config: Config, left_out: Skipped
) -> Features:
    """Runs a frozen encoder on each image, once and for all."""
    if config.data == "builtin":
        raise UserError(
            f"--encoder {config.encoder} needs files: write the builtin ones"
            f" with python -m {__package__}.datasets.builtin FOLDER, and pass"
            " --data FOLDER"
        )
    files = {example.name: Path(str(example.image)) for example in examples}
    return features.compute(files, config, _cache_path(config), left_out)


def _cache_path(config: Config) -> Path:
    """Returns where the features of a data set are kept, for all runs."""
    path = feature_cache.cache_path(
        config.data, config.encoder, encoder_signature(config)
    )
    return path.with_suffix(".npz")


def subsample(examples: list[Example], limit: int, seed: int) -> list[Example]:
    """Returns at most `limit` examples, chosen by the seed, in their order."""
    if len(examples) <= limit:
        return examples
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(examples), limit, replace=False)
    return [examples[number] for number in sorted(chosen)]


def drop_unusable(
    examples: Sequence[Example], stored: Features | None, left_out: Skipped
) -> list[Example]:
    """Returns the examples with features, or with images that can be decoded.

    Args:
        examples: images of any split.
        stored: features of the images; None to decode the images.
        left_out: notes the images that cannot be decoded.
    """
    if stored:
        return [x for x in examples if x.name in stored.rows]
    pictures = {example.name: example.image for example in examples}
    readable = images.drop_unreadable(pictures, left_out)
    return [example for example in examples if example.name in readable]


def _check_not_empty(
    train: Sequence[Example], valid: Sequence[Example], config: Config
) -> None:
    for name, split in (("training", train), ("validation", valid)):
        if not split:
            raise UserError(
                f"--data {config.data}: no {name} images that can be used"
            )


def _count(examples: Sequence[Example]) -> dict:
    captions = sum(len(example.captions) for example in examples)
    return {"images": len(examples), "captions": captions}


def _make_loader(
    examples: Sequence[Example], stored: Features | None, config: Config
) -> batches.ImageLoader:
    """Returns a loader of features, or of pictures where there are none."""
    if stored:
        return batches.FeatureLoader(examples, stored)
    return batches.PictureLoader(examples, config.image_size)


def encode(
    examples: Sequence[Example],
    stored: Features | None,
    vocabulary: list[str],
    config: Config,
) -> Encoded:
    """Encodes the captions of a split as ids, beside a loader of its images."""
    ids = text.map_to_ids(vocabulary)
    captions = [
        text.encode_caption(caption, ids, config.max_words)
        for example in examples
        for caption in example.captions
    ]
    counts = [len(example.captions) for example in examples]
    numbers = np.repeat(np.arange(len(examples), dtype=np.int32), counts)
    loader = _make_loader(examples, stored, config)
    return Encoded(loader, numbers, captions)
