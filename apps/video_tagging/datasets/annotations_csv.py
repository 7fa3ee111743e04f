"""Folders of somebody's own videos, with one table of what happens when.

videos/NAME.mp4         or others that `folders.media` finds
annotations.csv         video,start,end,tag: from start to before end, in
                        seconds (62.5 or 1:02.5); or
                        video,start_frame,end_frame,tag: frames from 0
mapping.txt, splits/    as in `mstcn`, if they are there
"""

import csv
import math
from pathlib import Path
from typing import Literal

from common.data import feature_arrays, tables, text_files
from common.data.skipped import Skipped
from common.errors import UserError

from ..config import Config
from . import annotations, folders
from .annotations import Annotation, Segment

Unit = Literal["frames", "seconds"]
COLUMNS: dict[Unit, tuple[str, ...]] = {
    "seconds": ("video", "start", "end", "tag"),
    "frames": ("video", "start_frame", "end_frame", "tag"),
}


def table(folder: Path) -> Path | None:
    """The file with the annotations, or None where the folder has none."""
    return text_files.find(folder, "annotations", (".csv",))


def read(
    path: Path, folder: Path, config: Config, skipped: Skipped
) -> folders.Parts:
    """Reads all but the videos.

    Args:
        path: from `table`.
        folder: where it is.
        config: its `encoding`, `multi_label` and `rate`.
        skipped: notes names that stand twice in a bundle.

    Raises:
        UserError: for a file that is broken or missing, or features of which
            nobody knows the times.
    """
    found = annotations_in(path, config)
    media = folders.media(folder)
    features = [x for x in media.values() if feature_arrays.is_features(x)]
    is_timed = any(x.unit == "seconds" for x in found.values())
    if features and is_timed and not config.rate:
        raise UserError(
            f"{path}: seconds, but {features[0]} does not tell when its frames"
            " are shown: pass --rate, the number of its frames a second"
        )
    return folders.Parts(
        media,
        found,
        folders.bundles(folder, config.encoding, skipped),
        folders.mapping(folder, config.encoding),
    )


def annotations_in(path: Path, config: Config) -> dict[str, Annotation]:
    """Reads a table of segments, by video.

    Args:
        path: from `table`, or any other table.
        config: its `encoding` and `multi_label`.

    Raises:
        UserError: for a broken row, or overlapping segments without
            `--multi-label`.
    """
    unit = _unit(path, config.encoding)
    columns = {name: name for name in COLUMNS[unit]}
    segments: dict[str, list[Segment]] = {}
    for line, row in tables.read_rows(path, columns, config.encoding):
        video = folders.bare_name(row[0])
        segment = _segment(row, unit, line, f"{path}:{line}")
        segments.setdefault(video, []).append(segment)
    found = {
        video: Annotation(str(path), None, tuple(listed), unit)
        for video, listed in segments.items()
    }
    if not config.multi_label:
        for annotation in found.values():
            annotations.check_apart(annotation)
    return found


def _unit(path: Path, encoding: str) -> Unit:
    """In what the table tells times: its columns say so."""
    first = next(text_files.read_lines(path, encoding), "")
    header = next(csv.reader([first]), [])
    for unit, columns in COLUMNS.items():
        if set(columns) <= set(header):
            return unit
    raise UserError(
        f"{path}:1: expected the columns video,start,end,tag (seconds) or"
        " video,start_frame,end_frame,tag, got"
        f" {','.join(header) or 'nothing'}: name them so in the first line"
    )


def _segment(
    row: tuple[str, ...], unit: Unit, line: int, where: str
) -> Segment:
    video, *times, tag = (cell.strip() for cell in row)
    for name, cell in (("video", video), ("tag", tag)):
        if not cell:
            raise UserError(f"{where}: no {name}: fill it in, or drop the row")
    parse = _seconds if unit == "seconds" else _frame
    start, end = (parse(text, where) for text in times)
    if end <= start:
        raise UserError(
            f"{where}: from {times[0]} to {times[1]}: expected an end after"
            " the start"
        )
    return Segment(start, end, tag, line)


def _frame(text: str, where: str) -> float:
    if not text.isdecimal():
        raise UserError(
            f"{where}: expected the number of a frame, 0 or more, got {text!r}"
        )
    return float(text)


def _seconds(text: str, where: str) -> float:
    """Seconds of "62.5", "1:02.5" or "0:01:02.5"."""
    *hours, last = text.split(":")
    try:
        total = float(last)
        for power, part in enumerate(reversed(hours), 1):
            total += int(part) * 60**power
    except ValueError:
        total = math.nan
    if not 0 <= total < math.inf or "-" in text or len(hours) > 2:
        raise UserError(
            f"{where}: expected a time of 0 or more seconds, such as 62.5 or"
            f" 1:02.5, got {text!r}"
        )
    return total
