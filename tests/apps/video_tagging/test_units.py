"""Times beside the lengths of their videos."""

import re

import numpy as np
import pytest

from apps.video_tagging.datasets import LabelOptions, units
from apps.video_tagging.datasets.example import Annotation, Segment
from common.data.skipped import Skipped
from common.errors import UserError


def extent(*times, end=3.0, unit="seconds", name="v"):
    rows = zip(times[:-1], times[1:], strict=True)
    segments = tuple(Segment(*row, "pour") for row in rows)
    return units.Extent(name, "a.csv", unit, segments, end)


def check(*extents, **options):
    skipped = Skipped()
    units.check_units(extents, LabelOptions(**options), skipped)
    return skipped.report()


def test_a_video_is_measured_in_the_unit_of_its_segments():
    times = np.arange(6) / 2
    segments = (Segment(0, 1, "pour"),)
    seconds = Annotation("a.csv", segments=segments, unit="seconds")
    assert units.measure("v", seconds, times, 90).end == 3.0
    frames = Annotation("a.csv", segments=segments)
    assert units.measure("v", frames, times, 90).end == 90.0
    assert units.measure("v", Annotation("a.txt", ("pour",)), times, 9) is None


def test_milliseconds_are_an_error_with_both_numbers():
    message = (
        "a.csv: the segments of v end at 2900 seconds, its frames at 3, and so"
        f" in 5 of 5 videos: {units.HINTS['seconds']} --align crop uses what"
        " both have"
    )
    off = [extent(0, 1500, 2900)] * 5
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        check(*off)
    assert check(*off, align="crop")["segment after the last frame"] == {
        "count": 5,
        "first": ["v at 1500 of 3"] * 5,
    }


@pytest.mark.parametrize(
    "extents",
    [
        [extent(0, 2900)] * 2,  # A single segment of milliseconds.
        [extent(0, 20, 45)] * 3,  # Frames, 15 a second.
        [extent(0, 3, 5.9)] * 3,  # Half of the frames a second.
        [extent(0, 1, 2.9)] * 4 + [extent(0, 1500, 2900)],  # One video.
        [extent(0, 1, 3, end=45.0, unit="frames")] * 3,  # Seconds.
        [extent(0, 1000, 3000, end=45.0, unit="frames")] * 3,
        [extent(0, 1.5, 2.9, end=180.0)] * 3,  # Minutes.
    ],
)
def test_other_wrong_units(extents):
    with pytest.raises(UserError, match="the segments of v end at"):
        check(*extents)
    check(*extents, align="crop")


@pytest.mark.parametrize(
    "extents",
    [
        [],
        [extent(0, 1, 2.9)] * 5,
        [extent(0, 1, 3.4)] * 5,  # Rounded up.
        [extent(0, 0.5)] * 5,  # Labelled in its beginning.
        [extent(0, 1, 2)] * 4 + [extent(0, 1, 9)],  # One that is cut off.
        [extent(0, 60, end=2400.0), extent(0, 70, end=1200.0)],
        [extent(0, 1, end=45.0, unit="frames")],
    ],
)
def test_slips_are_none(extents):
    assert check(*extents) == {}


def test_a_few_segments_after_the_end_are_counted():
    late = extent(0, 2.9, 3.01, 3.2)
    assert check(late, extent(0, 1, 2.9)) == {
        "segment after the last frame": {
            "count": 1,
            "first": ["v at 3.01 of 3"],
        }
    }
