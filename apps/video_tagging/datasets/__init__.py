"""Where videos and their tags come from: one `--data SPEC`, all splits at once.

No video is decoded here, but where a data set of tensorflow-datasets has it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.data import skipped
from common.data.skipped import Skipped
from common.errors import UserError

from ..config import Config
from . import (
    annotations,
    annotations_csv,
    builtin,
    folders,
    mstcn,
    splitting,
    tfds,
)
from .annotations import Annotation
from .folders import Parts


class Example(NamedTuple):
    """One video and what people wrote about it.

    Attributes:
        name: of the video, without folder and ending; no other one has it.
        source: features (`.npy`), a video file, a folder of frame pictures,
            or the frames themselves, <uint8>[time, height, width, 3].
        annotation: None if nobody wrote anything.
    """

    name: str
    source: Path | np.ndarray
    annotation: Annotation | None


class Found(NamedTuple):
    """What `config.data` is.

    Attributes:
        splits: the examples by split name; a split without any is not there.
        labels: all tags in order; None where only the annotations tell.
        skipped: what was left out.
    """

    splits: dict[str, list[Example]]
    labels: list[str] | None
    skipped: Skipped


def read(config: Config) -> Found:
    """Reads the splits of `config.data`, and what had to be left out.

    Returns:
        Examples by split name; `splitting.complete` says how data are cut
        that have no splits. Examples without labels are among them.

    Raises:
        UserError: if there are no such data, none that fit a known layout,
            a broken file, a tag that `mapping.txt` does not list, or nothing
            that can be used.
    """
    notes = Skipped()
    if config.data == "builtin":
        parts = _builtin(config)
    elif config.data.startswith("tfds:"):
        parts = _tfds(config)
    else:
        parts = _folder(_existing(config), config, notes)
    if parts.labels is not None:
        for written in parts.annotations.values():
            annotations.check_known(written, parts.labels, config.multi_label)
    return Found(_split(parts, config, notes), parts.labels, notes)


def _builtin(config: Config) -> Parts:
    sizes = dict.fromkeys(folders.SPLITS, max(5, config.num_examples // 8))
    sizes["train"] = config.num_examples
    scenes = {
        split: builtin.generate(split, num, config.seed, config.multi_label)
        for split, num in sizes.items()
    }
    return _made(scenes, list(builtin.TAGS), config)


def _tfds(config: Config) -> Parts:
    return _made(*tfds.read(config), config)


def _made(
    scenes: Mapping[str, Iterable[Any]], labels: list[str], config: Config
) -> Parts:
    parts = Parts({}, {}, {}, labels)
    for split, made in scenes.items():
        for name, frames, lines in made:
            parts.media[name] = _fitting(frames, config.image_size)
            where = f"{config.data} {name}"
            parts.annotations[name] = Annotation(where, tuple(lines))
            parts.lists.setdefault(split, []).append(name)
    return parts


def _fitting(frames: np.ndarray, size: int) -> np.ndarray:
    if frames.shape[1:3] == (size, size):
        return frames
    return tfds.resized(frames, size).numpy()


def _existing(config: Config) -> Path:
    path = Path(config.data).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(
            f"--data {config.data}: expected a folder with videos and labels,"
            " got a file; pass the folder that it is in"
        )
    raise UserError(
        f"--data {config.data}: no such file or folder; expected builtin,"
        " tfds:mnist, tfds:ucf101, or the path of a folder"
    )


def _folder(folder: Path, config: Config, notes: Skipped) -> Parts:
    table = annotations_csv.table(folder)
    if table and mstcn.is_there(folder):
        raise UserError(
            f"--data {folder}: both {mstcn.LABELS} and {table.name}: expected"
            " one of them; move the other away"
        )
    if table:
        return annotations_csv.read(table, folder, config, notes)
    if mstcn.is_there(folder):
        return mstcn.read(folder, config, notes)
    inside = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
    raise UserError(
        f"--data {folder}: expected groundTruth/NAME.txt or annotations.csv"
        " beside features/NAME.npy, videos/NAME.mp4 or frames/NAME/; it holds"
        f" {inside or 'nothing'}: rename these, or pass the folder that holds"
        " the labels"
    )


def _split(
    parts: Parts, config: Config, notes: Skipped
) -> dict[str, list[Example]]:
    lists = _usable(parts, config, notes)
    lists = splitting.complete(
        lists, lambda name: splitting.identity(parts.media[name]), config
    )
    if not parts.lists:  # Who has no labels holds no place in other splits.
        lists["train"] += sorted(parts.media.keys() - parts.annotations.keys())
    return {
        split: [_example(parts, name) for name in names]
        for split, names in lists.items()
    }


def _example(parts: Parts, name: str) -> Example:
    return Example(name, parts.media[name], parts.annotations.get(name))


def _usable(
    parts: Parts, config: Config, notes: Skipped
) -> dict[str, list[str]]:
    """Lists without the videos that are not there ("" for no list)."""
    lists = parts.lists or {"": list(parts.annotations)}
    listed = {name for names in lists.values() for name in names}
    for name in sorted(listed | parts.media.keys() | parts.annotations.keys()):
        if name not in parts.media:
            is_labelled = name in parts.annotations
            kind = "labels" if is_labelled else "in a bundle, but"
            notes.add(f"{kind} without a video", name)
        elif parts.lists and name not in listed:
            notes.add("in no bundle", name)
    kept = {
        split: [name for name in names if name in parts.media]
        for split, names in lists.items()
    }
    for split, names in kept.items():
        if not names:
            raise UserError(_nothing(split, config, notes))
    return kept


def _nothing(split: str, config: Config, notes: Skipped) -> str:
    whose = f"of those in {split}.bundle" if split else "with labels"
    reasons = "; ".join(skipped.format_report(notes.report()))
    return f"--data {config.data}: no video {whose} is there; {reasons}"
