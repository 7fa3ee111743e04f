"""Pictures: the tags of videos over time, the true ones and the predicted."""

import colorsys
from pathlib import Path
from typing import Any, NamedTuple

from common import plotting

from .segments import Segment

MAX_VIDEOS = 12  # As in `--help`; more would make a picture of many pages.
WIDTH = 10.0  # Inches, as all sizes here.
BAR = 0.26  # Height of a bar of one video's tags.
THIN_BAR = 0.15  # Of one tag's line, where frames have sets of tags.
AROUND = 0.55  # Height of a video's name and time axis.
LETTER = 0.068  # Width of a letter, on the average.
MAX_LETTERS = 40  # Of a tag's name; a video's has a line for itself.
GREY = (0.86, 0.86, 0.86)

Color = tuple[float, float, float]


class Tags(NamedTuple):
    """The tags of a model.

    Attributes:
        labels: all of them; their order chooses the colors, so that a tag has
            the same one in every picture of a model.
        background: the one that is drawn in grey.
        are_sets: whether a frame has a set of tags.
    """

    labels: list[str]
    background: str
    are_sets: bool


class Row(NamedTuple):
    """One video of the picture.

    Attributes:
        name: the video's.
        predicted: its segments.
        truth: its true segments, with gaps where it is not labelled; None if
            they are not known.
        end: where the video ends, in seconds or frames as the segments.
    """

    name: str
    predicted: list[Segment]
    truth: list[Segment] | None
    end: float


def draw_timeline(
    rows: list[Row], tags: Tags, in_seconds: bool, path: Path
) -> None:
    """Draws the tags of videos over time: truth above, prediction below.

    Sets of tags have a line for each tag, with the truth in grey behind the
    prediction.

    Args:
        rows: the videos, at least one; only the first 12 are drawn.
        tags: all that can occur.
        in_seconds: False where the segments are in frame numbers.
        path: the file to write; its ending names the format.

    Raises:
        UserError: if matplotlib is missing or knows no such format.
    """
    figure = plotting.new_figure(path, "--timeline")
    fill_figure(figure, rows[:MAX_VIDEOS], tags)
    unit = "seconds" if in_seconds else "frames"
    figure.axes[-1].set_xlabel(unit, fontsize=9)
    plotting.save(figure, path)


def fill_figure(figure: Any, rows: list[Row], tags: Tags) -> None:
    """Fills an empty figure: axes for each video, and a legend below them."""
    lines = [_line_names(row, tags) for row in rows]
    thickness = THIN_BAR if tags.are_sets else BAR
    heights = [thickness * max(1, len(names)) for names in lines]
    legend = _draw_legend(figure, rows, tags)
    figure.set_size_inches(WIDTH, sum(heights) + AROUND * len(rows) + legend)
    axes = figure.subplots(len(rows), 1, height_ratios=heights, squeeze=False)
    draw_tags = _draw_sets if tags.are_sets else _draw_bars
    for row, names, one in zip(rows, lines, axes[:, 0], strict=True):
        one.set(xlim=(0, row.end), ylim=(max(1, len(names)), 0))
        middles = [index + 0.5 for index in range(len(names))]
        one.set_yticks(middles, [_shorten(name) for name in names])
        one.tick_params(labelsize=8)
        one.tick_params(axis="y", length=0)
        one.set_title(_shorten(row.name, 120), loc="left", fontsize=9)
        one.spines[["top", "right", "left"]].set_visible(False)
        draw_tags(one, row, names, tags)


def _line_names(row: Row, tags: Tags) -> list[str]:
    """Returns the names of the lines of a video, from above."""
    if tags.are_sets:
        return _list_present([row], tags)
    return ["prediction"] if row.truth is None else ["truth", "prediction"]


def _list_present(rows: list[Row], tags: Tags) -> list[str]:
    """Returns the tags that occur in videos, in the order of all labels."""
    present = {
        segment.tag
        for row in rows
        for segment in [*row.predicted, *(row.truth or [])]
    }
    return [label for label in tags.labels if label in present]


def _draw_bars(axes: Any, row: Row, names: list[str], tags: Tags) -> None:
    bars = {"prediction": row.predicted, "truth": row.truth or []}
    color = choose_colors(tags)
    inch = row.end / (WIDTH - 1)  # In seconds or frames.
    for index, name in enumerate(names):
        _draw_bar(axes, bars[name], (index + 0.06, 0.88), color)
        for segment in bars[name]:
            width = LETTER * len(_shorten(segment.tag)) * inch
            if segment.end - segment.start > width:
                _write_tag(axes, segment, index + 0.5, color[segment.tag])


def _draw_sets(axes: Any, row: Row, names: list[str], tags: Tags) -> None:
    for index, name in enumerate(names):
        truth, predicted = (
            [segment for segment in segments if segment.tag == name]
            for segments in (row.truth or [], row.predicted)
        )
        _draw_bar(axes, truth, (index + 0.02, 0.96), {name: GREY})
        _draw_bar(axes, predicted, (index + 0.25, 0.5), choose_colors(tags))


def _draw_bar(
    axes: Any,
    segments: list[Segment],
    place: tuple[float, float],
    color: dict[str, Color],
) -> None:
    axes.broken_barh(
        [(segment.start, segment.end - segment.start) for segment in segments],
        place,
        facecolors=[color[segment.tag] for segment in segments],
    )


def _write_tag(
    axes: Any, segment: Segment, height: float, color: Color
) -> None:
    """Writes the tag into its segment."""
    is_dark = colorsys.rgb_to_yiq(*color)[0] < 0.55
    axes.text(
        (segment.start + segment.end) / 2,
        height,
        _shorten(segment.tag),
        ha="center",
        va="center_baseline",
        fontsize=7,
        color="white" if is_dark else "black",
    )


def choose_colors(tags: Tags) -> dict[str, Color]:
    """Returns a color for each tag: red, green and blue, 0 to 1.

    The hues go around the circle by the golden ratio, so that few are as
    evenly spread as many; strong, light and dark ones take turns.
    """
    colors = {}
    for index, label in enumerate(tags.labels):
        hue = (0.982 + index * 0.618034) % 1
        saturation, value = ((0.7, 0.55), (0.7, 0.85), (0.5, 0.93))[index % 3]
        colors[label] = colorsys.hsv_to_rgb(hue, saturation, value)
    if tags.background in colors and not tags.are_sets:
        colors[tags.background] = GREY
    return colors


def _draw_legend(figure: Any, rows: list[Row], tags: Tags) -> float:
    """Draws the color of each tag; returns the height of the legend."""
    from matplotlib.patches import Patch

    names = _list_present(rows, tags)
    color = choose_colors(tags)
    if tags.are_sets:  # Each tag is named at its line.
        has_truth = any(row.truth is not None for row in rows)
        names, color = ["truth"] * has_truth, {"truth": GREY}
    patches = [Patch(color=color[name], label=_shorten(name)) for name in names]
    longest = max((len(_shorten(name)) for name in names), default=1)
    columns = int((WIDTH - 0.4) / (LETTER * longest + 0.5))
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        frameon=False,
        handlelength=1.2,
        handleheight=1.0,
    )
    return 0.3 + 0.18 * -(-len(names) // columns)


def _shorten(name: str, most: int = MAX_LETTERS) -> str:
    """Returns a name in one line, of at most so many letters."""
    name = " ".join(name.split())
    if len(name) > most:
        name = name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return plotting.escape(name)
