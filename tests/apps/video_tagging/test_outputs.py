"""Segments, subtitles, tables, pictures and lines of a stream."""

import csv
import io
import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from apps.video_tagging.outputs import streaming, subtitles, timeline
from apps.video_tagging.outputs.segments import (
    Segment,
    find_segments,
    format_segment,
    format_time,
    to_milliseconds,
)
from apps.video_tagging.outputs.timeline import Row, Tags
from common.errors import UserError

relaxed = settings(deadline=None, derandomize=True)

# Segments

TIMES = np.array([0.0, 0.1, 0.25, 0.5])


def test_a_segment_ends_where_the_next_begins():
    tags = np.array([1, 1, 0, 1], np.int32)
    probabilities = np.array(
        [[0.2, 0.8], [0.4, 0.6], [0.9, 0.1], [0.25, 0.75]], np.float32
    )
    found = find_segments(tags, probabilities, ["walk", "run"], TIMES, 0.04)
    assert [segment[:3] for segment in found] == [
        (0.0, 0.25, "run"),
        (0.25, 0.5, "walk"),
        (0.5, 0.54, "run"),
    ]
    confidences = [segment.confidence for segment in found]
    np.testing.assert_allclose(confidences, [0.7, 0.9, 0.75], rtol=1e-6)
    assert all(type(value) is float for value in [*confidences, *found[0][:2]])


def test_sets_of_tags_have_runs_of_their_own():
    tags = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 1, 0]], bool)
    probabilities = np.arange(12).reshape(4, 3) / 12
    found = find_segments(tags, probabilities, ["c", "b", "a"], np.arange(4), 1)
    assert found == [
        (0, 2, "c", pytest.approx((0 + 3) / 24)),
        (0, 2, "a", pytest.approx((2 + 5) / 24)),
        (1, 4, "b", pytest.approx((4 + 7 + 10) / 36)),
        (3, 4, "c", pytest.approx(9 / 12)),
    ]


def test_frames_without_a_tag_are_in_no_segment():
    tags = np.array([-1, 0, 0, -1])
    assert find_segments(tags, None, ["a", "b"], TIMES, 1) == [
        (0.1, 0.5, "a", 1)
    ]
    nothing = np.zeros([4, 2], bool)
    assert find_segments(nothing, None, ["a", "b"], TIMES, 1) == []
    assert find_segments(nothing[:0], None, ["a", "b"], TIMES[:0], 1) == []
    assert find_segments(tags[:0], None, ["a", "b"], TIMES[:0], 1) == []


def test_a_time_for_each_tag():
    with pytest.raises(ValueError, match="expected 3 times, got 4"):
        find_segments(np.zeros(3, int), None, ["a"], TIMES, 1)


LABELS = ["a", "b", "c"]
# At least a millisecond from frame to frame, at most a second.
STEPS = st.lists(st.floats(0.00101, 1), min_size=1, max_size=30)
DATA = st.data()


def drawn_times(data):
    return np.cumsum(data.draw(STEPS))


def inside(time, start, end):
    return float(start) <= time < float(end)


@pytest.mark.slow
@relaxed
@given(DATA)
def test_every_frame_is_in_the_segment_of_its_tag_alone(data):
    times = drawn_times(data)
    tags = np.array([data.draw(st.integers(0, 2)) for _ in times])
    found = find_segments(tags, None, LABELS, times, 0.5)
    assert all(one.tag != two.tag for one, two in pairwise(found))
    for time, tag in zip(times, tags, strict=True):
        owners = [s.tag for s in found if inside(time, s.start, s.end)]
        assert owners == [LABELS[tag]]


@relaxed
@given(DATA)
def test_a_table_that_is_read_again_gives_back_the_tags(data):
    times = drawn_times(data)
    tags = np.array([[data.draw(st.booleans()) for _ in "abc"] for _ in times])
    found = find_segments(tags, None, LABELS, times, 0.5)
    text = subtitles.format_csv([("S1", segment) for segment in found], True)
    table = list(csv.DictReader(io.StringIO(text)))
    for time, row in zip(times, tags, strict=True):
        active = [
            segment["tag"]
            for segment in table
            if inside(time, segment["start"], segment["end"])
        ]
        assert sorted(active) == [LABELS[k] for k in np.flatnonzero(row)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, 0), (12.345, 12345), (1 / 30, 33), (2 / 30, 66), (0.0009999, 0)],
)
def test_milliseconds_are_never_after_their_time(seconds, expected):
    assert to_milliseconds(seconds) == expected


@relaxed
@given(st.integers(0, 10**9))
def test_whole_milliseconds_stay(time):
    assert to_milliseconds(time / 1000) == time
    assert format_time(time / 1000, True) == f"{time // 1000}.{time % 1000:03}"


def test_lines_of_seconds_and_of_frames():
    segment = Segment(1.5, 12.3456, "cut bread", 0.987)
    expected = "S1\t1.500\t12.345\tcut bread\t0.99"
    assert format_segment("S1", segment, in_seconds=True) == expected
    segment = Segment(3.0, 12.0, "a\tb\nc", 1)
    assert (
        format_segment("S\t1", segment, in_seconds=False)
        == r"S\t1	3	12	a\tb\nc	1.00"
    )


# Subtitles

CUE = re.compile(r"(\d+)\n(\S+) --> (\S+)\n(.+)\n")
CLOCK = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})")


def parse(text):
    """Start, end (milliseconds) and text of each cue of a SubRip file."""
    cues = []
    for position, block in enumerate(text.split("\n\n")) if text else ():
        index, *clocks, shown = CUE.fullmatch(
            block.rstrip("\n") + "\n"
        ).groups()
        assert int(index) == position + 1
        times = []
        for clock in clocks:
            h, m, s, ms = map(int, CLOCK.fullmatch(clock).groups())
            times.append(((h * 60 + m) * 60 + s) * 1000 + ms)
        cues.append((*times, shown))
    return cues


def test_subtitles_to_the_letter():
    segments = [Segment(0, 1.5, "walk", 0.9), Segment(1.5, 3723.25, "run", 1)]
    assert subtitles.format_srt(segments) == (
        "1\n00:00:00,000 --> 00:00:01,500\nwalk\n\n"
        "2\n00:00:01,500 --> 01:02:03,250\nrun\n"
    )


def test_more_than_99_hours():
    segment = Segment(0, 100 * 3600 + 59 * 60 + 59.999, "a", 1)
    assert "--> 100:59:59,999\n" in subtitles.format_srt([segment])


def test_subtitles_of_nothing():
    assert subtitles.format_srt([]) == ""
    assert subtitles.format_srt([Segment(0, 9, "SIL", 1)], skip=["SIL"]) == ""


def test_skipped_tags_leave_gaps():
    segments = [
        Segment(0, 1, "background", 1),
        Segment(1, 2, "a", 1),
        Segment(2, 3, "background", 1),
        Segment(3, 4, "back", 1),
    ]
    cues = parse(subtitles.format_srt(segments, skip={"background"}))
    assert cues == [(1000, 2000, "a"), (3000, 4000, "back")]
    with pytest.raises(ValueError, match="list of tags, got 'background'"):
        subtitles.format_srt(segments, skip="background")


def test_no_cue_is_of_no_length():
    segments = [
        Segment(0, 1.0001, "a", 1),
        Segment(1.0001, 1.0002, "b", 1),
        Segment(1.0002, 2, "a", 1),
    ]
    assert parse(subtitles.format_srt(segments)) == [(0, 2000, "a")]


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("one\ntwo", "one two"),
        ("one\r\n\r\ntwo\u2028three", "one two three"),
        ("1\n00:00:01,000 --> 00:00:02,000", "1 00:00:01,000 -> 00:00:02,000"),
        ("a --->--> b", "a ->-> b"),
        ("ведро, 杯子", "ведро, 杯子"),
    ],
)
def test_no_tag_breaks_its_cue(tag, shown):
    text = subtitles.format_srt(
        [Segment(0, 1, tag, 1), Segment(1, 2, "next", 1)]
    )
    assert parse(text) == [(0, 1000, shown), (1000, 2000, "next")]


def test_overlapping_tags_share_cues():
    segments = [
        Segment(0, 4, "a", 1),
        Segment(1, 3, "b", 1),
        Segment(3, 4, "c", 1),
        Segment(5, 6, "b", 1),
        Segment(6, 7, "b", 1),
    ]
    assert parse(subtitles.format_srt(segments)) == [
        (0, 1000, "a"),
        (1000, 3000, "a, b"),
        (3000, 4000, "a, c"),
        (5000, 7000, "b"),
    ]


SPANS = st.tuples(st.integers(0, 20), st.integers(0, 9), st.sampled_from("abc"))


@relaxed
@given(st.lists(SPANS, max_size=12))
def test_cues_show_what_is_active_and_are_as_long_as_can_be(spans):
    segments = [
        Segment(start / 1000, (start + length) / 1000, tag, 1)
        for start, length, tag in spans
    ]
    cues = parse(subtitles.format_srt(segments))
    for time in range(32):
        active = {tag for s, n, tag in spans if s <= time < s + n}
        shown = [set(text.split(", ")) for s, e, text in cues if s <= time < e]
        assert shown == ([active] if active else [])
    for one, two in pairwise(cues):
        assert one[1] < two[0] or one[2] != two[2]


# Tables


def test_a_table_quotes_what_it_must():
    rows = [
        ("S1", Segment(0, 2.5, 'say "hi", wave', 0.98765)),
        ("kitchen, left", Segment(2.5, 3, "two\nlines", 1)),
        ("m\udce4", Segment(3, 4, "a\rb", 1)),
    ]
    text = subtitles.format_csv(rows, in_seconds=True)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["video", "start", "end", "tag", "confidence"],
        ["S1", "0.000", "2.500", 'say "hi", wave', "0.9877"],
        ["kitchen, left", "2.500", "3.000", "two\nlines", "1.0000"],
        [r"m\udce4", "3.000", "4.000", "a\rb", "1.0000"],
    ]


def test_a_table_of_frames():
    rows = [("S1", Segment(0.0, 25.0, "a", 1))]
    assert subtitles.format_csv(rows, in_seconds=False).splitlines() == [
        "video,start_frame,end_frame,tag,confidence",
        "S1,0,25,a,1.0000",
    ]


def test_a_table_has_no_segment_without_length():
    rows = [("S1", Segment(1.0001, 1.0002, "a", 1))]
    assert len(subtitles.format_csv(rows, in_seconds=True).splitlines()) == 1


# Streams


def parrot(frames):
    """Each frame holds the probabilities of its tags."""
    assert frames.shape[0] == 1
    return frames.argmax(axis=1).astype(np.int32), frames


def parrot_of_sets(frames):
    assert frames.shape[0] == 1
    return frames > 0.5, frames


def stream(*frames):
    return ((k / 8, np.array(frame, "f")) for k, frame in enumerate(frames))


def test_a_stream_says_when_its_tag_changes():
    frames = [0.9, 0.1], [0.8, 0.2], [0.25, 0.75], [0.4, 0.6], [0.7, 0.3]
    lines = streaming.stream_lines(
        parrot, stream(*frames), ["sit down", "stand"], False
    )
    assert list(lines) == [
        "0.000\tsit down\t0.90",
        "0.250\tstand\t0.75",
        "0.500\tsit down\t0.70",
    ]


def test_a_stream_says_when_its_set_changes():
    frames = [0.1, 0.2], [0.9, 0.2], [0.9, 0.7], [0.6, 0.8], [0, 0.9], [0.4, 0]
    lines = streaming.stream_lines(
        parrot_of_sets, stream(*frames), ["sit", "talk"], True
    )
    assert list(lines) == [
        "0.000\t-\t0.80",
        "0.125\tsit\t0.90",
        "0.250\tsit talk\t0.70",
        "0.500\ttalk\t0.90",
        "0.625\t-\t0.60",
    ]


def test_a_tag_of_a_stream_is_one_line():
    lines = streaming.stream_lines(
        parrot, stream([0.9, 0.1]), ["\x1b[2J\n", "stand"], False
    )
    assert list(lines) == ["0.000\t\\x1b[2J\\n\t0.90"]


def test_a_stream_is_answered_before_its_next_frame_is_there():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield len(taken) - 1, np.eye(2, dtype="f")[len(taken) % 2]

    lines = streaming.stream_lines(parrot, endless(), ["a", "b"], False)
    assert next(lines) == "0.000\tb\t1.00"
    assert taken == [0]
    assert next(lines) == "1.000\ta\t1.00"
    assert taken == [0, 1]


def test_a_stream_without_frames():
    assert list(streaming.stream_lines(parrot, stream(), ["a"], False)) == []


# Pictures

TAGS = Tags(["SIL", "walk", "run"], "SIL", are_sets=False)
TRUTH = [Segment(0, 4, "SIL", 1), Segment(4, 9, "run", 1)]
FOUND = [Segment(0, 5, "SIL", 0.8), Segment(5, 10, "run", 0.7)]
ROW = Row("video_1", FOUND, TRUTH, 10)


def draw(rows, tags):
    figure = Figure(layout="constrained")
    timeline.fill_figure(figure, rows, tags)
    return figure


def legend(figure):
    """The color of each name."""
    (drawn,) = figure.legends
    return {
        text.get_text(): to_rgb(patch.get_facecolor())
        for text, patch in zip(drawn.texts, drawn.get_patches(), strict=True)
    }


def bars(axes):
    """Left, right, middle and color of all bars."""
    found = []
    for collection in axes.collections:
        colors = collection.get_facecolors()
        for path, color in zip(collection.get_paths(), colors, strict=True):
            box = path.get_extents()
            middle = (box.y0 + box.y1) / 2
            found.append((box.x0, box.x1, round(middle, 3), to_rgb(color)))
    return found


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n")


def test_the_truth_is_above_the_prediction():
    figure = draw([ROW], TAGS)
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["truth", "prediction"]
    assert axes.yaxis_inverted()
    color = legend(figure)
    assert set(color) == {"SIL", "run"}
    assert sorted(bars(axes)) == sorted(
        [
            (0, 4, 0.5, color["SIL"]),
            (4, 9, 0.5, color["run"]),
            (0, 5, 1.5, color["SIL"]),
            (5, 10, 1.5, color["run"]),
        ]
    )
    assert axes.get_xlim() == (0, 10)


def test_only_the_background_is_grey():
    color = timeline.choose_colors(TAGS)
    assert [len(set(color[label])) == 1 for label in TAGS.labels] == [1, 0, 0]
    sets = timeline.choose_colors(TAGS._replace(are_sets=True))
    assert all(len(set(color)) > 1 for color in sets.values())


def test_48_tags_have_48_colors():
    labels = [f"tag {k}" for k in range(48)]
    color = np.array(
        list(timeline.choose_colors(Tags(labels, "", False)).values())
    )
    assert color.min() >= 0
    assert color.max() <= 1
    apart = np.abs(color[:, None] - color).max(axis=2) + np.eye(48)
    assert apart.min() > 0.03
    # A tag keeps its color, however many others there are.
    few = timeline.choose_colors(Tags(labels[:3], "", False))
    np.testing.assert_array_equal(list(few.values()), color[:3])


def test_a_prediction_without_truth_is_one_bar():
    (axes,) = draw([ROW._replace(truth=None)], TAGS).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "prediction"
    ]
    assert [bar[:3] for bar in bars(axes)] == [(0, 5, 0.5), (5, 10, 0.5)]


def test_long_segments_are_named_and_short_ones_are_not():
    found = [Segment(0, 98, "walk", 1), Segment(98, 100, "run", 1)]
    (axes,) = draw([Row("v", found, None, 100)], TAGS).axes
    assert [text.get_text() for text in axes.texts] == ["walk"]


def test_sets_of_tags_have_a_line_for_each_tag():
    tags = TAGS._replace(are_sets=True)
    found = [Segment(0, 5, "run", 1), Segment(3, 8, "walk", 1)]
    truth = [Segment(0, 6, "run", 1)]
    figure = draw([Row("video_1", found, truth, 10)], tags)
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["walk", "run"]
    color = timeline.choose_colors(tags)
    assert bars(axes) == [
        (3, 8, 0.5, color["walk"]),
        (0, 6, 1.5, timeline.GREY),  # Behind the prediction, which comes next.
        (0, 5, 1.5, color["run"]),
    ]
    assert legend(figure) == {"truth": timeline.GREY}
    assert legend(draw([Row("v", found, None, 10)], tags)) == {}


@pytest.mark.parametrize("are_sets", [False, True])
def test_a_video_without_any_segment(tmp_path, are_sets):
    rows = [Row("empty", [], [], 7), ROW]
    tags = TAGS._replace(are_sets=are_sets)
    timeline.draw_timeline(rows, tags, True, tmp_path / "plot.png")
    assert is_png(tmp_path / "plot.png")


def test_each_video_has_axes_and_a_name():
    rows = [ROW._replace(name=f"video {k}", end=10 + k) for k in range(8)]
    figure = draw(rows, TAGS)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        f"video {k}" for k in range(8)
    ]
    assert [axes.get_xlim()[1] for axes in figure.axes] == list(range(10, 18))
    assert figure.get_size_inches()[1] > draw([ROW], TAGS).get_size_inches()[1]


@pytest.mark.parametrize("in_seconds", [True, False])
def test_a_timeline_is_a_picture(tmp_path, in_seconds):
    path = tmp_path / "plots" / "timeline.svg"
    timeline.draw_timeline([ROW] * 40, TAGS, in_seconds, path)
    words = re.findall("<!-- (.*?) -->", path.read_text())
    assert words.count("video_1") == timeline.MAX_VIDEOS
    assert ("seconds" in words, "frames" in words) == (
        in_seconds,
        not in_seconds,
    )
    assert {"truth", "prediction", "SIL", "run"} <= set(words)
    assert list(path.parent.iterdir()) == [path]


def test_a_picture_is_of_a_sensible_size(tmp_path):
    path = tmp_path / "timeline.png"
    timeline.draw_timeline([ROW], TAGS, True, path)
    assert is_png(path)
    size = path.read_bytes()[16:24]
    width, height = int.from_bytes(size[:4]), int.from_bytes(size[4:])
    assert width == 1200
    assert 120 < height < 300


def test_odd_names_are_shown_as_they_are(tmp_path):
    labels = ["_hidden", "costs $5 or $6", "long_" * 9, "a\nb"]
    found = [Segment(9 * k, 9 * k + 9, tag, 1) for k, tag in enumerate(labels)]
    path = tmp_path / "timeline.svg"
    tags = Tags(labels, "SIL", False)
    timeline.draw_timeline([Row("$1_$2", found, None, 36)], tags, True, path)
    words = re.findall("<!-- (.*?) -->", path.read_text())
    for name in (
        "$1_$2",
        "_hidden",
        "costs $5 or $6",
        "a b",
        "long_" * 7 + "long…",
    ):
        assert name in words


@pytest.mark.parametrize("name", ["plot.docx", "plot", "plot.PNG.txt"])
def test_a_timeline_of_an_unknown_format(tmp_path, name):
    expected = rf"--timeline .*{name}: expected a name ending in .png"
    with pytest.raises(UserError, match=expected):
        timeline.draw_timeline([ROW], TAGS, True, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_timeline_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    expected = r'matplotlib: pip install "rnn-topologies\[plots\]"'
    with pytest.raises(UserError, match=expected):
        timeline.draw_timeline([ROW], TAGS, True, tmp_path / "plot.png")
