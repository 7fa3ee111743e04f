"""Videos and their tags: one `--data SPEC`, every split as a list.

To use a layout of your own, write a file like `mstcn` and add it to `LAYOUTS`:
`train`, `evaluate`, `features` and `predict --labels` then read it. Splits,
labels and checks come from here.

example: a video, an annotation, and the sets of them.
mstcn, annotations_csv: the layouts of folders; folders: what both share.
tfds: clips of tensorflow-datasets.
builtin: the generated clips.
annotations: from lines or segments to the tags of frames.
units: segments beside the lengths of their videos.
naming: names of videos that are given as paths.
splitting: held-out videos where the data do not name them.
samples: a few videos as files, to try the model on.

No video is decoded here, but where a data set of tensorflow-datasets has it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common.data import skipped as skips
from common.data.names import match_names
from common.data.skipped import Skipped
from common.data.splits import SPLITS, existing, list_names
from common.errors import UserError, format_names

from . import (
    annotations,
    annotations_csv,
    builtin,
    mstcn,
    splitting,
    tfds,
)
from .annotations import LabelOptions
from .example import Annotation, Example, Splits, VideoSet
from .folders import list_videos
from .naming import name_videos, video_name

__all__ = [
    "Annotation",
    "Example",
    "LabelOptions",
    "Splits",
    "VideoSet",
    "has_labels",
    "list_videos",
    "name_videos",
    "open_splits",
    "read_annotations",
    "video_name",
]

# Layouts of folders. Each has `LABELS`, the name of its file or folder of
# labels, `matches(folder)`, `read(folder, options, skipped)`, which returns a
# `VideoSet`, and `read_annotations(folder, options)`, annotations by video.
LAYOUTS = (mstcn, annotations_csv)


def open_splits(
    spec: str,
    *,
    options: LabelOptions | None = None,
    valid_videos: str = "",
    tfds_dir: str = "",
    num_examples: int = 1_600,
    image_size: int = 32,
    max_gigabytes: float = 4.0,
    seed: int = 0,
) -> Splits:
    """Finds the videos of a data set and reads their annotations.

    Args:
        spec: `builtin`, `tfds:NAME`, or a folder.
        options: of reading annotations; None for their defaults.
        valid_videos: training videos to validate on, see `splitting`.
        tfds_dir: prepared tensorflow-datasets; "" for its default.
        num_examples: training clips of builtin data and of moving pictures.
        image_size: height and width of frames that are made in memory.
        max_gigabytes: most memory for the frames of tensorflow-datasets.
        seed: of the builtin data and of moving pictures.

    Returns:
        Examples by split name. A source without splits is cut in "train",
        "valid" and "test" by a hash of the videos' content; one with a
        training split but none for validation gives "valid" a tenth of it.
        Examples without labels are among them.

    Raises:
        UserError: if there are no such data, none that fit a known layout,
            a broken file, a tag that is not among the labels, or nothing
            that can be used.
    """
    options = options or LabelOptions()
    skipped = Skipped()
    if spec == "builtin":
        scenes = _builtin_scenes(num_examples, seed, options.multi_label)
        video_set = _from_scenes(spec, scenes, list(builtin.TAGS), image_size)
    elif spec.startswith("tfds:"):
        clips = tfds.read_clips(
            tfds.Options(spec, num_examples, image_size, max_gigabytes, seed),
            tfds_dir,
        )
        video_set = _from_scenes(spec, clips.splits, clips.labels, image_size)
    else:
        video_set = _read_folder(_find_folder(spec), options, skipped)
    for annotation in video_set.annotations.values():
        annotations.check_writable(annotation, options.multi_label)
        if video_set.labels is not None:
            annotations.check_tags(
                annotation, video_set.labels, options.multi_label
            )
    examples = _make_examples(video_set, spec, valid_videos, skipped)
    return Splits(examples, video_set.labels, skipped)


def _read_folder(
    folder: Path, options: LabelOptions, skipped: Skipped
) -> VideoSet:
    """Reads a folder in the layout that it has."""
    layouts = [layout for layout in LAYOUTS if layout.matches(folder)]
    if len(layouts) > 1:
        raise UserError(
            f"--data {folder}: both {layouts[0].LABELS} and"
            f" {layouts[1].LABELS}: expected one of them; move the other away"
        )
    if layouts:
        return layouts[0].read(folder, options, skipped)
    inside = format_names(sorted(path.name for path in folder.iterdir()))
    raise UserError(
        f"--data {folder}: expected {_list_layouts()} beside"
        " features/NAME.npy, videos/NAME.mp4 or frames/NAME/; it holds"
        f" {inside}: rename these, or pass the folder that holds"
        " the labels"
    )


def _list_layouts() -> str:
    return " or ".join(layout.LABELS for layout in LAYOUTS)


def has_labels(folder: Path) -> bool:
    """Returns True if a folder has annotations in a known layout."""
    return any(layout.matches(folder) for layout in LAYOUTS)


def read_annotations(
    path: Path, options: LabelOptions
) -> dict[str, Annotation]:
    """Reads annotations, by video.

    Args:
        path: a folder in a known layout; or a table, or a folder of lines, as
            they are inside such folders.
        options: of reading annotations.

    Raises:
        UserError: if it is none of these, or broken.
    """
    for layout in LAYOUTS:
        if path.is_dir() and layout.matches(path):
            return layout.read_annotations(path, options)
    if path.is_file():
        return annotations_csv.read_table(path, options)
    if path.is_dir() and mstcn.find_lines(path):
        return mstcn.read_lines(path, options.encoding)
    inside = "no layout matches it" if path.is_dir() else "there is nothing"
    raise UserError(
        f"--labels {path}: expected annotations.csv, a folder of NAME.txt with"
        f" a line for each frame, or a folder with {_list_layouts()}; {inside}"
    )


def _find_folder(spec: str) -> Path:
    path = existing(
        spec, "builtin, tfds:mnist, tfds:ucf101, or the path of a folder"
    )
    if not path.is_dir():
        raise UserError(
            f"--data {spec}: expected a folder with videos and labels,"
            " got a file; pass the folder that it is in"
        )
    return path


def _builtin_scenes(
    num_examples: int, seed: int, multi_label: bool
) -> dict[str, Iterable[Any]]:
    sizes = dict.fromkeys(SPLITS, max(5, num_examples // 8))
    sizes["train"] = num_examples
    return {
        split: builtin.generate(split, size, seed, multi_label)
        for split, size in sizes.items()
    }


def _from_scenes(
    spec: str,
    scenes: Mapping[str, Iterable[Any]],
    labels: list[str],
    image_size: int,
) -> VideoSet:
    """Returns clips that are made in memory, by split."""
    videos: dict[str, np.ndarray] = {}
    lines_by_name: dict[str, Annotation] = {}
    splits: dict[str, list[str]] = {}
    for split, clips in scenes.items():
        for name, frames, lines in clips:
            videos[name] = _resize(frames, image_size)
            where = f"{spec} {name}"
            lines_by_name[name] = Annotation(where, tuple(lines))
            splits.setdefault(split, []).append(name)
    return VideoSet(videos, lines_by_name, splits, labels)


def _resize(frames: np.ndarray, size: int) -> np.ndarray:
    if frames.shape[1:3] == (size, size):
        return frames
    return tfds.resize(frames, size).numpy()


def _make_examples(
    video_set: VideoSet, spec: str, valid_videos: str, skipped: Skipped
) -> dict[str, list[Example]]:
    video_set = _match_names(video_set, spec)
    splits = splitting.fill_missing_splits(
        _drop_missing(video_set, spec, skipped),
        lambda name: splitting.content_hash(video_set.videos[name]),
        valid_videos,
    )
    if not video_set.splits:  # Unlabelled videos take no place in other splits.
        splits["train"] += sorted(
            video_set.videos.keys() - video_set.annotations.keys()
        )
    return {
        split: [
            Example(
                name, video_set.videos[name], video_set.annotations.get(name)
            )
            for name in names
        ]
        for split, names in splits.items()
    }


def _match_names(video_set: VideoSet, spec: str) -> VideoSet:
    """Gives labels and lists the names of the videos, where these meet.

    Raises:
        UserError: if no label is of a video.
    """
    listed = (name for names in video_set.splits.values() for name in names)
    in_lists = match_names(listed, video_set.videos.keys())
    matches = match_names(video_set.annotations, video_set.videos.keys())
    if video_set.annotations and not any(
        name in matches for name in video_set.annotations
    ):
        raise UserError(
            f"--data {spec}: no labels are of a video that is there: the labels"
            f" are of {list_names(video_set.annotations)}, the videos are"
            f" {list_names(video_set.videos)}: give both the same names, as"
            " text (7 is not 0007)"
        )
    return video_set._replace(
        annotations={
            matches.get(name, name): annotation
            for name, annotation in video_set.annotations.items()
        },
        splits={
            split: [in_lists.get(name, name) for name in names]
            for split, names in video_set.splits.items()
        },
    )


def _drop_missing(
    video_set: VideoSet, spec: str, skipped: Skipped
) -> dict[str, list[str]]:
    """Returns names by split ("" for none) of the videos that are there."""
    splits = video_set.splits or {"": list(video_set.annotations)}
    listed = {name for names in splits.values() for name in names}
    everything = listed | video_set.videos.keys() | video_set.annotations.keys()
    for name in sorted(everything):
        if name not in video_set.videos:
            is_labelled = name in video_set.annotations
            kind = "labels" if is_labelled else "in a split, but"
            skipped.add(f"{kind} without a video", name)
        elif video_set.splits and name not in listed:
            skipped.add("in no split", name)
    present = {
        split: [name for name in names if name in video_set.videos]
        for split, names in splits.items()
    }
    for split, names in present.items():
        if not names:
            source = f"of the split {split}" if split else "with labels"
            reasons = "; ".join(skips.format_report(skipped.report()))
            raise UserError(
                f"--data {spec}: no video {source} is there; {reasons}"
            )
    return present
