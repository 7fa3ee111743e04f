"""What people wrote about a video: a line for each frame, or segments.

Segments belong to times of the video, so they fit any rate of frames; lines
belong to the original frames, of which some are picked here.
"""

import dataclasses
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from common.data import text_files
from common.errors import UserError

from ..config import Config

# A frame that nobody judged: it counts neither in the loss nor in metrics.
UNLABELLED = "?"
NUM_LISTED = 12

# The tags of a frame; () is no tag, None is unlabelled.
Tags = tuple[str, ...] | None


class Segment(NamedTuple):
    """A tag and when it holds.

    Attributes:
        start: the first frame, or its time in seconds.
        end: the first one after it.
        tag: what is seen.
        line: where it stands in its file; 0 if in none.
    """

    start: float
    end: float
    tag: str
    line: int = 0


@dataclasses.dataclass(frozen=True)
class Annotation:
    """All that is written about one video.

    Attributes:
        where: the file, for error messages.
        lines: one for each original frame; None where there are segments.
        segments: used where there are no lines.
        unit: of the segments' starts and ends.
    """

    where: str
    lines: tuple[str, ...] | None = None
    segments: tuple[Segment, ...] = ()
    unit: Literal["frames", "seconds"] = "frames"


def read_lines(path: Path, encoding: str) -> Annotation:
    """Reads a file with a line for each frame.

    Raises:
        UserError: if it cannot be read.
    """
    # Thousands of lines have a few texts: each is held once.
    lines = map(sys.intern, text_files.read_bare_lines(path, encoding))
    return Annotation(str(path), tuple(lines))


def tags_at(
    annotation: Annotation,
    numbers: np.ndarray,
    times: np.ndarray,
    total: int,
    config: Config,
) -> list[Tags]:
    """The tags of those frames of a video that were kept.

    Args:
        annotation: of this video.
        numbers: <int64>[time], which frames were kept, from 0.
        times: <float64>[time], when each is shown, in seconds.
        total: number of original frames, kept or not.
        config: its `multi_label`, `background` and `align`.

    Returns:
        For each kept frame its tags: `()` is no tag, None is unlabelled.

    Raises:
        UserError: if there are more lines than frames, or fewer; or if
            segments of different tags overlap without `--multi-label`.

    Example:
        >>> reach = Annotation("", segments=(Segment(1, 3, "reach"),))
        >>> frames = np.arange(4)
        >>> tags_at(reach, frames, frames / 25, 4, Config())
        [('background',), ('reach',), ('reach',), ('background',)]
        >>> tags_at(reach, frames, frames / 25, 4, Config(multi_label=True))
        [(), ('reach',), ('reach',), ()]
    """
    if annotation.lines is not None:
        return _of_lines(annotation, numbers, total, config)
    if not config.multi_label:
        check_apart(annotation)
    at = times if annotation.unit == "seconds" else numbers
    return _of_segments(annotation.segments, at, config)


def _of_lines(
    annotation: Annotation, numbers: np.ndarray, total: int, config: Config
) -> list[Tags]:
    lines = annotation.lines or ()
    if len(lines) != total and config.align == "error":
        raise UserError(
            f"{annotation.where}: {len(lines)} lines, but the video has"
            f" {total} frames: expected one line for each frame; mend the"
            " file, or pass --align crop to use what both have"
        )
    known = {line: tags_of(line, config.multi_label) for line in set(lines)}
    return [known[lines[n]] if n < len(lines) else None for n in numbers]


def tags_of(line: str, multi_label: bool) -> Tags:
    """The tags that are written in a line.

    Example:
        >>> tags_of("take cup", multi_label=False)
        ('take cup',)
        >>> tags_of("take cup", multi_label=True)
        ('take', 'cup')
        >>> tags_of("", multi_label=True)
        ()
    """
    line = line.strip()
    if line == UNLABELLED:
        return None
    if multi_label:
        return tuple(line.split())
    return (line,) if line else None


def _of_segments(
    segments: tuple[Segment, ...], at: np.ndarray, config: Config
) -> list[Tags]:
    found: list[dict[str, None]] = [{} for _ in at]  # Ordered sets.
    for segment in segments:
        inside = (at >= segment.start) & (at < segment.end)
        for index in np.flatnonzero(inside):
            found[index][segment.tag] = None
    nothing = () if config.multi_label else (config.background,)
    return [
        None if UNLABELLED in tags else tuple(tags) or nothing for tags in found
    ]


def check_apart(annotation: Annotation) -> None:
    """Refuses segments of different tags that overlap.

    Raises:
        UserError: with the later one's line and both tags.
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


def check_known(
    annotation: Annotation, labels: Collection[str], multi_label: bool
) -> None:
    """Refuses a tag that is not among the labels.

    Raises:
        UserError: with the line and the tag.
    """
    known = frozenset(labels)
    for line, tags in _written(annotation, multi_label):
        for tag in tags:
            if tag not in known:
                raise _unknown(f"{annotation.where}:{line}", tag, labels)


def _written(
    annotation: Annotation, multi_label: bool
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Lines and their tags, each text once."""
    if annotation.lines is None:
        for segment in annotation.segments:
            if segment.tag != UNLABELLED:
                yield segment.line, (segment.tag,)
        return
    first: dict[str, int] = {}
    for number, line in enumerate(annotation.lines, 1):
        first.setdefault(line, number)
    for line, number in first.items():
        yield number, tags_of(line, multi_label) or ()


def label_ids(
    tags: list[Tags], labels: list[str], where: str
) -> list[tuple[int, ...] | None]:
    """The tags of frames as positions in the list of labels.

    Args:
        tags: from `tags_at`.
        labels: all tags, in the order of the model's outputs.
        where: the file they come from, for the error message.

    Raises:
        UserError: for a tag that is not among the labels.

    Example:
        >>> label_ids([("cup",), (), None], ["pan", "cup"], "a.txt")
        [(1,), (), None]
    """
    ids = {label: number for number, label in enumerate(labels)}
    known: dict[Tags, tuple[int, ...] | None] = {None: None}
    for kinds in dict.fromkeys(tags):
        for tag in kinds or ():
            if tag not in ids:
                frame = f"{where}, kept frame {tags.index(kinds) + 1}"
                raise _unknown(frame, tag, labels)
        if kinds is not None:
            known[kinds] = tuple(ids[tag] for tag in kinds)
    return [known[kinds] for kinds in tags]


def _unknown(where: str, tag: str, labels: Collection[str]) -> UserError:
    listed = ", ".join(list(labels)[:NUM_LISTED])
    more = ", ..." if len(labels) > NUM_LISTED else ""
    return UserError(
        f"{where}: tag {tag!r} is none of the {len(labels)} labels"
        f" ({listed}{more}): mend it, or add it to mapping.txt"
    )
