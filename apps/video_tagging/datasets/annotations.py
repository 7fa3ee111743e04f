"""From annotations to the tags of frames.

Segments belong to times of the video, so they fit any rate of frames; lines
belong to the original frames, of which some are picked here.
"""

import dataclasses
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from common.data import text_files
from common.data.names import check_label
from common.errors import UserError, format_names

from .example import Annotation, Segment

# A frame that nobody judged: it counts neither in the loss nor in metrics.
UNLABELLED = "?"

# The tags of a frame; () is no tag, None is unlabelled.
Tags = tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """Options by which annotations are read.

    Attributes:
        multi_label: a frame has a set of tags, not one tag.
        background: the tag of frames in no segment.
        align: "crop" goes on where lines are more or fewer than frames.
        encoding: of text files.
        frame_rate: frames a second of given features; 0 if unknown.
    """

    multi_label: bool = False
    background: str = "background"
    align: Literal["error", "crop"] = "error"
    encoding: str = "utf-8"
    frame_rate: float = 0.0


def read_lines(path: Path, encoding: str) -> Annotation:
    """Reads a file with a line for each frame.

    Raises:
        UserError: if it cannot be read.
    """
    # Thousands of lines have a few texts: each is held once.
    lines = map(sys.intern, text_files.read_bare_lines(path, encoding))
    return Annotation(str(path), tuple(lines))


def tag_frames(
    annotation: Annotation,
    numbers: np.ndarray,
    times: np.ndarray,
    total: int,
    options: LabelOptions,
) -> list[Tags]:
    """Returns the tags of those frames of a video that were kept.

    Args:
        annotation: of this video.
        numbers: <int64>[time], which frames were kept, from 0.
        times: <float64>[time], when each is shown, in seconds.
        total: number of original frames, kept or not.
        options: `multi_label`, `background` and `align` are used.

    Returns:
        For each kept frame its tags: `()` is no tag, None is unlabelled.

    Raises:
        UserError: if there are more lines than frames, or fewer; or if
            segments of different tags overlap without `--multi-label`.

    Example:
        >>> reach = Annotation("", segments=(Segment(1, 3, "reach"),))
        >>> frames = np.arange(4)
        >>> tag_frames(reach, frames, frames / 25, 4, LabelOptions())
        [('background',), ('reach',), ('reach',), ('background',)]
        >>> options = LabelOptions(multi_label=True)
        >>> tag_frames(reach, frames, frames / 25, 4, options)
        [(), ('reach',), ('reach',), ()]
    """
    if annotation.lines is not None:
        return _tag_by_lines(annotation, numbers, total, options)
    if not options.multi_label:
        check_overlaps(annotation)
    positions = times if annotation.unit == "seconds" else numbers
    return _tag_by_segments(annotation.segments, positions, options)


def _tag_by_lines(
    annotation: Annotation,
    numbers: np.ndarray,
    total: int,
    options: LabelOptions,
) -> list[Tags]:
    lines = annotation.lines or ()
    if len(lines) != total and options.align == "error":
        raise UserError(
            f"{annotation.where}: {len(lines)} lines, but the video has"
            f" {total} frames: expected one line for each frame; mend the"
            " file, or pass --align crop to use what both have"
        )
    # A few texts stand in thousands of lines.
    tags = {line: parse_line(line, options.multi_label) for line in set(lines)}
    return [tags[lines[n]] if n < len(lines) else None for n in numbers]


def parse_line(line: str, multi_label: bool) -> Tags:
    """Returns the tags that are written in a line.

    Example:
        >>> parse_line("take cup", multi_label=False)
        ('take cup',)
        >>> parse_line("take cup", multi_label=True)
        ('take', 'cup')
        >>> parse_line("", multi_label=True)
        ()
    """
    line = line.strip()
    if line == UNLABELLED:
        return None
    if multi_label:
        return tuple(line.split())
    return (line,) if line else None


def _tag_by_segments(
    segments: tuple[Segment, ...], positions: np.ndarray, options: LabelOptions
) -> list[Tags]:
    frames: list[dict[str, None]] = [{} for _ in positions]  # Ordered sets.
    for segment in segments:
        inside = (positions >= segment.start) & (positions < segment.end)
        for index in np.flatnonzero(inside):
            frames[index][segment.tag] = None
    nothing = () if options.multi_label else (options.background,)
    return [
        None if UNLABELLED in tags else tuple(tags) or nothing
        for tags in frames
    ]


def check_overlaps(annotation: Annotation) -> None:
    """Checks that segments of different tags do not overlap.

    Raises:
        UserError: naming the later one's line and both tags.
    """
    last = None  # Of those so far, the one that ends last.
    for segment in sorted(annotation.segments):
        if last and segment.start < last.end and segment.tag != last.tag:
            raise UserError(
                f"{annotation.where}:{max(segment.line, last.line)}:"
                f" {segment.tag!r} ({segment.start:g} to {segment.end:g})"
                f" overlaps {last.tag!r} ({last.start:g} to {last.end:g}):"
                " expected one tag at any time; mend it, or pass --multi-label"
            )
        if last is None or segment.end > last.end:
            last = segment


def check_writable(annotation: Annotation, multi_label: bool) -> None:
    """Checks that all tags can be written, and read back.

    Raises:
        UserError: naming the line and the tag.
    """
    for line, tags in _list_tags(annotation, multi_label):
        where = f"{annotation.where}:{line}" if line else annotation.where
        for tag in tags:
            check_tag(tag, where, multi_label)


def check_tag(tag: str, where: str, multi_label: bool) -> None:
    """Checks that a tag can be written, and read back.

    Args:
        tag: its name.
        where: its place in the data.
        multi_label: whether the tags of a frame are joined by spaces.

    Raises:
        UserError: for half a character, or a space with `multi_label`.
    """
    check_label(tag, where)
    if multi_label and tag.split() != [tag]:
        raise UserError(
            f"{where}: the tag {tag!r} has a space, but with --multi-label"
            " spaces are between the tags of a frame: write it as one word, as"
            " take_cup"
        )


def check_one_line(annotation: Annotation) -> None:
    """Checks that all tags can stand in files with a line for each frame.

    Raises:
        UserError: naming the row and the tag.
    """
    for segment in annotation.segments:
        if "\n" in segment.tag:
            raise UserError(
                f"{annotation.where}:{segment.line}: the tag {segment.tag!r}"
                " has a line end, but labels of features have one line for"
                " each frame: write it without"
            )


def check_tags(
    annotation: Annotation, labels: Collection[str], multi_label: bool
) -> None:
    """Checks that all tags are among the labels.

    Raises:
        UserError: naming the line and the tag.
    """
    allowed = frozenset(labels)
    for line, tags in _list_tags(annotation, multi_label):
        for tag in tags:
            if tag not in allowed:
                place = f":{line}" if line else ""
                raise _unknown_tag(annotation.where, place, tag, labels)


def _list_tags(
    annotation: Annotation, multi_label: bool
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields the lines of a file and their tags, equal lines once."""
    if annotation.lines is None:
        for segment in annotation.segments:
            if segment.tag != UNLABELLED:
                yield segment.line, (segment.tag,)
        return
    first: dict[str, int] = {}
    for number, line in enumerate(annotation.lines, 1):
        first.setdefault(line, number)
    for line, number in first.items():
        yield number, parse_line(line, multi_label) or ()


def encode_tags(
    tags: list[Tags], labels: list[str], where: str
) -> list[tuple[int, ...] | None]:
    """Returns the tags of frames as positions in the list of labels.

    Args:
        tags: from `tag_frames`.
        labels: all tags, in the order of the model's outputs.
        where: the file they come from, for the error message.

    Raises:
        UserError: for a tag that is not among the labels.

    Example:
        >>> encode_tags([("cup",), (), None], ["pan", "cup"], "a.txt")
        [(1,), (), None]
    """
    numbers = {label: number for number, label in enumerate(labels)}
    ids: dict[Tags, tuple[int, ...] | None] = {None: None}
    for names in dict.fromkeys(tags):
        for tag in names or ():
            if tag not in numbers:
                place = f", kept frame {tags.index(names) + 1}"
                raise _unknown_tag(where, place, tag, labels)
        if names is not None:
            ids[names] = tuple(numbers[tag] for tag in names)
    return [ids[names] for names in tags]


def _unknown_tag(
    where: str, place: str, tag: str, labels: Collection[str]
) -> UserError:
    # It is in the folder of annotations.csv, or of groundTruth/NAME.txt.
    has_mapping = any(
        text_files.find(folder, "mapping", (".txt",))
        for folder in Path(where).parents[:2]
    )
    remedy = "add it to mapping.txt"
    if not has_mapping:
        remedy = "use a label of the training data"
    return UserError(
        f"{where}{place}: tag {tag!r} is none of the {len(labels)} labels"
        f" ({format_names(labels)}): mend it, or {remedy}"
    )
