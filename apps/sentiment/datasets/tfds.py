"""Labelled texts of tensorflow-datasets."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from common.data import tfds_loader
from common.data.splits import ALIASES, SPLITS
from common.errors import UserError, format_names

from .example import Example


def readers(
    spec: str, tfds_dir: str, columns: tuple[str, str]
) -> dict[str, Callable[[], Iterator[Example]]]:
    """Finds the splits of a data set.

    Args:
        spec: `tfds:NAME[/CONFIG]`.
        tfds_dir: prepared data; "" for tensorflow-datasets' default.
        columns: the features with text and label.

    Returns:
        Functions that read a split, by its name.

    Raises:
        UserError: if it is not prepared, has no training split, or no such
            features.
    """
    builder = tfds_loader.prepare_builder(spec.removeprefix("tfds:"), tfds_dir)
    if "train" not in builder.info.splits:
        raise UserError(
            f"--data {spec}: no train split; it has"
            f" {format_names(builder.info.splits)}"
        )
    text, label = _find_columns(builder.info.features, columns)
    return {
        ALIASES.get(split, split): partial(_read, builder, split, text, label)
        for split in builder.info.splits
        if ALIASES.get(split, split) in SPLITS
    }


def _find_columns(features: Any, columns: tuple[str, str]) -> tuple[str, str]:
    import tensorflow_datasets as tfds

    text, label = columns
    kinds = tfds.features
    return (
        _find_column(features, "--text-column", text, kinds.Text),
        _find_column(features, "--label-column", label, kinds.ClassLabel),
    )


def _find_column(features: Any, flag: str, name: str, kind: type) -> str:
    """Finds a feature by its name, or as the only one of its kind."""
    candidates = [key for key in features if isinstance(features[key], kind)]
    if name in features:
        return name
    if len(candidates) == 1:
        return candidates[0]
    has = format_names(sorted(features))  # tensorflow-datasets keeps no order.
    raise UserError(
        f"{flag}: no feature {name!r}; the data set has {has}: name the right"
        f" one with {flag}"
    )


def _read(builder: Any, split: str, text: str, label: str) -> Iterator[Example]:
    import tensorflow_datasets as tfds

    names = getattr(builder.info.features[label], "names", None)
    # Each pass reads once: a cache in memory would only fill it.
    once = tfds.ReadConfig(try_autocache=False)
    dataset = builder.as_dataset(
        split=split, shuffle_files=False, read_config=once
    )
    for number, row in enumerate(tfds.as_numpy(dataset)):
        value = row[label]
        if names is not None:  # -1 stands for a label that is kept secret.
            value = names[value] if value >= 0 else ""
        elif isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        yield Example(
            row[text].decode("utf-8", "replace"),
            str(value),
            f"tfds:{builder.name} {split} example {number}",
        )
