import gzip
import re

import numpy as np
import pytest

from apps.video_tagging.datasets import annotations
from apps.video_tagging.datasets.annotations import LabelOptions
from apps.video_tagging.datasets.example import Annotation, Segment
from common.errors import UserError


def at(annotation, numbers, times=None, total=None, **options):
    """The tags of some frames, by default of a video that ends with them."""
    numbers = np.asarray(numbers)
    times = numbers / 10 if times is None else np.asarray(times)
    total = int(numbers[-1]) + 1 if total is None else total
    return annotations.tag_frames(
        annotation, numbers, times, total, LabelOptions(**options)
    )


def refuses(message):
    """Expects one line, this one."""
    return pytest.raises(UserError, match=f"^{re.escape(message)}$")


def lines(*written):
    return Annotation("a.txt", written)


def segments(*rows, unit="frames"):
    numbered = enumerate(rows, 2)
    found = tuple(Segment(*row, line) for line, row in numbered)
    return Annotation("annotations.csv", None, found, unit)


# A line for each frame


def test_lines_belong_to_original_frames():
    written = lines("take", "take", "pour milk", "pour milk", " open ")
    assert at(written, [0, 2, 4]) == [("take",), ("pour milk",), ("open",)]
    assert at(written, [1, 3], total=5) == [("take",), ("pour milk",)]


def test_a_blank_line_is_unlabelled_or_no_tag():
    written = lines("take cup", "", "?", "  ")
    assert at(written, range(4)) == [("take cup",), None, None, None]
    sets = at(written, range(4), multi_label=True)
    assert sets == [("take", "cup"), (), None, ()]


@pytest.mark.parametrize("total", [2, 4])
def test_another_number_of_lines_than_frames(total):
    written = lines("a", "b", "c")
    with refuses(
        f"a.txt: 3 lines, but the video has {total} frames: expected one line"
        " for each frame; mend the file, or pass --align crop to use what both"
        " have"
    ):
        at(written, range(total))
    cropped = at(written, range(total), align="crop")
    assert cropped == [("a",), ("b",), ("c",), None][:total]


def test_cropping_goes_by_original_frames():
    written = lines("a", "b", "c")
    assert at(written, [0, 2, 4], align="crop") == [("a",), ("c",), None]


def test_reading_lines(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("ä b\r\n\n?".encode()))
    read = annotations.read_lines(path, "utf-8")
    assert read == Annotation(str(path), ("ä b", "", "?"))
    path = tmp_path / "b.txt"
    path.write_bytes(b"take\n\xe4\n")
    with refuses(
        f"{path}:2: byte 0xe4 is not utf-8; pass the file's --encoding, for"
        " example cp1252"
    ):
        annotations.read_lines(path, "utf-8")
    assert annotations.read_lines(path, "latin-1").lines == ("take", "ä")


# Segments


def test_segments_of_frames_do_not_look_at_times():
    written = segments((1, 3, "take"), (3, 4, "pour"))
    tags = at(written, range(5), times=[0] * 5, background="rest")
    names = ["rest", "take", "take", "pour", "rest"]
    assert tags == [(name,) for name in names]


def test_segments_of_seconds_do_not_look_at_numbers():
    written = segments((0.5, 1.0, "take"), unit="seconds")
    times = [0.0, 0.499, 0.5, 0.999, 1.0]
    tags = at(written, [0, 7, 8, 9, 70], times, multi_label=True)
    assert tags == [(), (), ("take",), ("take",), ()]


def test_segments_of_sets_overlap():
    written = segments((0, 4, "walk"), (1, 3, "talk"), (2, 3, "walk"))
    tags = at(written, range(5), multi_label=True)
    both = ("walk", "talk")
    assert tags == [("walk",), both, both, ("walk",), ()]


def test_a_segment_can_be_unlabelled():
    written = segments((0, 1, "take"), (1, 2, "?"))
    assert at(written, range(3)) == [("take",), None, ("background",)]


@pytest.mark.parametrize(
    ("rows", "line", "first", "second"),
    [
        ([(0, 2.5, "a"), (2, 4, "b")], 3, "'a' (0 to 2.5)", "'b' (2 to 4)"),
        ([(2, 4, "b"), (0, 2.5, "a")], 3, "'a' (0 to 2.5)", "'b' (2 to 4)"),
        (
            [(0, 9, "a"), (1, 2, "a"), (3, 4, "b")],
            4,
            "'a' (0 to 9)",
            "'b' (3 to 4)",
        ),
    ],
)
def test_segments_of_two_tags_overlap(rows, line, first, second):
    message = (
        f"annotations.csv:{line}: {second} overlaps {first}: expected one tag"
        " at any time; mend it, or pass --multi-label"
    )
    with refuses(message):
        at(segments(*rows), [0])
    with refuses(message):
        annotations.check_overlaps(segments(*rows))


def test_segments_that_touch_or_repeat_a_tag_do_not_overlap():
    annotations.check_overlaps(segments((2, 4, "b"), (0, 2, "a"), (1, 2, "a")))


# Tags and labels


def test_ids_are_places_in_the_list_of_labels():
    tags = [("b",), (), None, ("a", "c"), ("b",)]
    ids = annotations.encode_tags(tags, ["a", "b", "c"], "a.txt")
    assert ids == [(1,), (), None, (0, 2), (1,)]


def test_an_id_of_an_unknown_tag():
    with refuses(
        "a.txt, kept frame 2: tag 'd' is none of the 2 labels (a, b): mend it,"
        " or use a label of the training data"
    ):
        annotations.encode_tags([("a",), ("b", "d")], ["a", "b"], "a.txt")


def test_unknown_tags_are_found_with_their_line():
    labels = [str(number) for number in range(13)]
    rest = (
        " is none of the 13 labels (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...):"
        " mend it, or use a label of the training data"
    )
    written = lines("1", "?", "", "1 2", "1 2")
    annotations.check_tags(written, labels, multi_label=True)
    with refuses(f"a.txt:4: tag '1 2'{rest}"):
        annotations.check_tags(written, labels, multi_label=False)
    written = segments((0, 1, "1"), (1, 2, "?"), (2, 3, "pour"))
    with refuses(f"annotations.csv:4: tag 'pour'{rest}"):
        annotations.check_tags(written, labels, multi_label=False)


def test_tags_that_cannot_be_written():
    rows = (Segment(0, 4, "stir", 2), Segment(4, 9, "take\xa0cup", 3))
    segments = Annotation("a.csv", None, rows)
    annotations.check_writable(segments, multi_label=False)
    with pytest.raises(UserError) as caught:
        annotations.check_writable(segments, multi_label=True)
    assert str(caught.value) == (
        "a.csv:3: the tag 'take\\xa0cup' has a space, but with --multi-label"
        " spaces are between the tags of a frame: write it as one word, as"
        " take_cup"
    )
    lines = Annotation("a.txt", ("take cup", "take \ud83d"))
    with pytest.raises(UserError, match=r"a.txt:2: the label '\\ud83d' has"):
        annotations.check_writable(lines, multi_label=True)
    rows = (Segment(0, 4, "one\ntwo", 2),)
    with pytest.raises(UserError, match=r"a.csv:2: the tag 'one\\ntwo' has a"):
        annotations.check_one_line(Annotation("a.csv", None, rows))
