"""Segments as texts for other programs: subtitles and a table."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from .segments import Segment, format_time, to_milliseconds


def format_srt(segments: Iterable[Segment], skip: Collection[str] = ()) -> str:
    r"""Formats segments as subtitles in SubRip, which video players show.

    Where segments overlap in time, a cue shows all tags of its time, in the
    order in which they first appear in the video: there is one cue for each
    longest stretch with the same tags, none where there is no tag.

    Args:
        segments: those of one video, their start and end in seconds.
        skip: tags that are not shown, such as the background.

    Raises:
        ValueError: if `skip` is one string.

    Example:
        >>> cups = Segment(0, 2.5, "cup", 0.9), Segment(2, 3, "tea", 0.8)
        >>> print(format_srt(cups))
        1
        00:00:00,000 --> 00:00:02,000
        cup
        <BLANKLINE>
        2
        00:00:02,000 --> 00:00:02,500
        cup, tea
        <BLANKLINE>
        3
        00:00:02,500 --> 00:00:03,000
        tea
        <BLANKLINE>
    """
    if isinstance(skip, str):  # "a" would be in "background".
        raise ValueError(f"expected a list of tags, got {skip!r}")
    cues = _make_cues([x for x in segments if x.tag not in skip])
    return "\n".join(
        f"{index}\n{_format_clock(start)} --> {_format_clock(end)}\n"
        f"{_join_tags(tags)}\n"
        for index, (start, end, tags) in enumerate(cues, start=1)
    )


def _make_cues(
    segments: list[Segment],
) -> Iterator[tuple[int, int, list[str]]]:
    """Yields start and end, in milliseconds, of stretches of equal tags.

    The stretches are as long as can be. What begins and ends within the same
    millisecond is in none.
    """
    num_active = dict.fromkeys((x.tag for x in segments), 0)
    ends = [(to_milliseconds(x.end), x.tag, -1) for x in segments]
    starts = [(to_milliseconds(x.start), x.tag, 1) for x in segments]
    begin, before = 0, list[str]()
    for time, changes in groupby(sorted(starts + ends), key=itemgetter(0)):
        for _, tag, step in changes:
            num_active[tag] += step
        active = [tag for tag, number in num_active.items() if number]
        if active != before:
            if before:
                yield begin, time, before
            begin, before = time, active


def _format_clock(time: int) -> str:
    """Formats milliseconds as HH:MM:SS,mmm."""
    seconds, thousandths = divmod(time, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{thousandths:03}"


def _join_tags(tags: list[str]) -> str:
    """Joins tags in one line; a blank line or an arrow would break the cue."""
    text = " ".join(", ".join(tags).split())
    return re.sub("-{2,}>", "->", text)


def format_csv(rows: Iterable[tuple[str, Segment]], in_seconds: bool) -> str:
    r"""Formats segments of many videos as a table, to correct or learn from.

    Its columns are those of the file annotations.csv, with a confidence.
    Segments that are shorter than the last digit of a time are left out: no
    reader could tell which frames are in them.

    Args:
        rows: each segment, behind the name of its video.
        in_seconds: False where start and end are frame numbers.

    Example:
        >>> rows = [("S1", Segment(0, 2.5, "pour, stir", 0.9))]
        >>> format_csv(rows, in_seconds=True).splitlines()
        ['video,start,end,tag,confidence', 'S1,0.000,2.500,"pour, stir",0.9000']
    """
    unit = "" if in_seconds else "_frame"
    header = ["video", f"start{unit}", f"end{unit}", "tag", "confidence"]
    lines = [_format_row(header)]
    for video, (start, end, tag, confidence) in rows:
        # A name of a file need not be UTF-8.
        name = video.encode("utf-8", "backslashreplace").decode()
        times = [format_time(time, in_seconds) for time in (start, end)]
        if times[0] != times[1]:
            lines.append(_format_row([name, *times, tag, f"{confidence:.4f}"]))
    return "".join(lines)


def _format_row(cells: list[str]) -> str:
    row = io.StringIO()
    # Cells with a lone CR are quoted only where lines end so.
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n") + "\n"
