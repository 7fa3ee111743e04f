"""Sentence pairs of tensorflow-datasets."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from common.data import tfds_loader
from common.data.splits import ALIASES, SPLITS
from common.errors import UserError, format_names

from . import directions
from .directions import Direction
from .example import Pair


def choose(spec: str, tfds_dir: str, direction: Direction) -> tuple[str, str]:
    """Chooses the source and the target of the languages of a data set.

    Raises:
        UserError: as `readers`.
    """
    return _choose(spec, _open(spec, tfds_dir), direction)[1]


def readers(
    spec: str, tfds_dir: str, direction: Direction
) -> dict[str, Callable[[], Iterator[Pair]]]:
    """Finds the splits of a data set.

    Args:
        spec: `tfds:NAME[/CONFIG]`.
        tfds_dir: prepared data; "" for tensorflow-datasets' default.
        direction: which languages to read.

    Returns:
        Functions that read a split, by its name.

    Raises:
        UserError: if it is not prepared, has no training split, or not these
            languages.
    """
    builder = _open(spec, tfds_dir)
    feature, languages = _choose(spec, builder, direction)
    return {
        ALIASES.get(split, split): partial(
            _read, builder, split, feature, languages
        )
        for split in builder.info.splits
        if ALIASES.get(split, split) in SPLITS
    }


def _open(spec: str, tfds_dir: str) -> Any:
    builder = tfds_loader.prepare_builder(spec.removeprefix("tfds:"), tfds_dir)
    if "train" not in builder.info.splits:
        raise UserError(
            f"--data {spec}: no train split; it has"
            f" {format_names(builder.info.splits)}"
        )
    return builder


def _choose(
    spec: str, builder: Any, direction: Direction
) -> tuple[str, tuple[str, str]]:
    """Returns the feature with the languages, and which two to read."""
    feature, available = _find_languages(builder.info.features, spec)
    default = builder.info.supervised_keys or ()
    if len(default) != 2 or not all(key in available for key in default):
        default = ()
    return feature, directions.choose(direction, spec, available, default)


def _find_languages(features: Any, spec: str) -> tuple[str, list[str]]:
    """Finds the languages, and the feature they are in ("": none)."""
    import tensorflow_datasets as tfds

    kinds = tfds.features
    inside, at_top = (
        [name for name in features if isinstance(features[name], kind)]
        for kind in (kinds.Translation, kinds.Text)
    )
    if len(inside) == 1:
        return inside[0], sorted(features[inside[0]])
    if len(at_top) < 2:
        has = format_names(sorted(features))
        raise UserError(
            f"--data {spec}: expected a Translation feature or two of"
            f" Text; the data set has {has}"
        )
    return "", sorted(at_top)


def _read(
    builder: Any, split: str, feature: str, languages: tuple[str, str]
) -> Iterator[Pair]:
    import tensorflow_datasets as tfds

    # Each pass reads once: a cache in memory would only fill it.
    once = tfds.ReadConfig(try_autocache=False)
    dataset = builder.as_dataset(
        split=split, shuffle_files=False, read_config=once
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        row = row[feature] if feature else row
        source, target = (
            row[language].decode("utf-8", "replace") for language in languages
        )
        where = f"tfds:{builder.name} {split} example {number}"
        yield Pair(source, target, where)
