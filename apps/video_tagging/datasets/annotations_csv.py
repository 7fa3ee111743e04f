"""Folders of videos with one table of annotations.

videos/NAME.mp4         or others that `folders.find_videos` finds
annotations.csv         video,start,end,tag: from start to before end, in
                        seconds (62.5 or 1:02.5); or
                        video,start_frame,end_frame,tag: frames from 0
mapping.txt, splits/    as in `mstcn`, if they are there
"""

import csv
import math
from pathlib import Path
from typing import Literal

from common.data import tables, text_files
from common.data.skipped import Skipped
from common.errors import UserError, format_names
from common.media import videos

from . import annotations, folders
from .annotations import LabelOptions
from .example import Annotation, Segment, VideoSet

Unit = Literal["frames", "seconds"]
COLUMNS: dict[Unit, tuple[str, ...]] = {
    "seconds": ("video", "start", "end", "tag"),
    "frames": ("video", "start_frame", "end_frame", "tag"),
}
LABELS = "annotations.csv"


def matches(folder: Path) -> bool:
    """Returns True if a folder has this layout."""
    return find_table(folder) is not None


def find_table(folder: Path) -> Path | None:
    """Returns the file with the annotations; None if there is none."""
    return text_files.find(folder, "annotations", (".csv",))


def read(folder: Path, options: LabelOptions, skipped: Skipped) -> VideoSet:
    """Reads all but the videos.

    Args:
        folder: has the layout above.
        options: `encoding`, `multi_label` and `frame_rate` are used.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: for a file that is broken or missing, or features and
            pictures of which nobody knows the times.
    """
    annotations_by_name = read_annotations(folder, options)
    paths = folders.find_videos(folder)
    # Features and folders of pictures.
    timeless = [x for x in paths.values() if not videos.has_times(x, 0.0)]
    is_timed = any(x.unit == "seconds" for x in annotations_by_name.values())
    if timeless and is_timed and not options.frame_rate:
        raise UserError(
            f"{find_table(folder)}: seconds, but {timeless[0]} does not tell"
            " when its frames are shown: pass --frame-rate, the number of its"
            " frames a second, or name the columns start_frame,end_frame"
        )
    return VideoSet(
        paths,
        annotations_by_name,
        folders.read_bundles(folder, options.encoding, skipped),
        folders.read_mapping(folder, options),
    )


def read_annotations(
    folder: Path, options: LabelOptions
) -> dict[str, Annotation]:
    """Reads the table of a folder that has this layout, by video.

    Raises:
        UserError: as of `read_table`.
    """
    path = find_table(folder)
    assert path is not None
    return read_table(path, options)


def read_table(path: Path, options: LabelOptions) -> dict[str, Annotation]:
    """Reads a table of segments, by video.

    Args:
        path: the table.
        options: `encoding` and `multi_label` are used.

    Raises:
        UserError: for a broken row, or overlapping segments without
            `--multi-label`.
    """
    unit = _detect_unit(path, options.encoding)
    columns = {name: name for name in COLUMNS[unit]}
    segments: dict[str, list[Segment]] = {}
    for line, row in tables.read_rows(path, columns, options.encoding):
        video = folders.strip_ending(row[0])
        segment = _parse_segment(row, unit, line, f"{path}:{line}")
        segments.setdefault(video, []).append(segment)
    result = {
        video: Annotation(str(path), None, tuple(rows), unit)
        for video, rows in segments.items()
    }
    if not options.multi_label:
        for annotation in result.values():
            annotations.check_overlaps(annotation)
    return result


def _detect_unit(path: Path, encoding: str) -> Unit:
    """Detects the unit of times from the names of the columns."""
    first = next(text_files.read_lines(path, encoding), "")
    header = next(csv.reader([first]), [])
    for unit, columns in COLUMNS.items():
        if set(columns) <= set(header):
            return unit
    raise UserError(
        f"{path}:1: expected the columns video,start,end,tag (seconds) or"
        " video,start_frame,end_frame,tag, got"
        f" {format_names(header, ',')}: name them so in the first line"
    )


def _parse_segment(
    row: tuple[str, ...], unit: Unit, line: int, where: str
) -> Segment:
    video, *times, tag = (cell.strip() for cell in row)
    for name, cell in (("video", video), ("tag", tag)):
        if not cell:
            raise UserError(f"{where}: no {name}: fill it in, or drop the row")
    parse = _parse_seconds if unit == "seconds" else _parse_frame
    start, end = (parse(text, where) for text in times)
    if end <= start:
        raise UserError(
            f"{where}: from {times[0]} to {times[1]}: expected an end after"
            " the start"
        )
    return Segment(start, end, tag, line)


def _parse_frame(text: str, where: str) -> float:
    if not text.isdecimal() or len(text) > 18:
        raise UserError(
            f"{where}: expected the number of a frame, 0 or more, got {text!r}"
            + (": name the columns start,end for seconds" * ("." in text))
        )
    return float(text)


def _parse_seconds(text: str, where: str) -> float:
    """Returns the seconds of "62.5", "1:02.5" or "0:01:02.5"."""
    *hours, last = text.split(":")
    try:
        total = float(last)
        for power, part in enumerate(reversed(hours), 1):
            total += int(part) * 60**power
    except (ValueError, OverflowError):
        total = math.nan
    if not 0 <= total < math.inf or "-" in text or len(hours) > 2:
        raise UserError(
            f"{where}: expected a time of 0 or more seconds, such as 62.5 or"
            f" 1:02.5, got {text!r}"
        )
    return total
