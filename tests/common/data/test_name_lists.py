"""Lists of names in files: any text comes back as it was."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data import name_lists
from common.errors import UserError

HARD = [
    *["good\nreview", '"quoted"', " spaced ", "=1+1", "a\tb", "\x1b[31mred"],
    *["", '"', "\\", '"\\"', '"a\\nb"', r'"\u0041"', "\x00", "a\r", "\x85"],
    *["\u2028", "\ufeffmark", "#", "😀", "null", "\x7f", "a\x1cb"],
]
# What the format itself is made of comes often.
NAMES = st.lists(st.text(st.characters() | st.sampled_from('"\\\n\r nu\ufeff')))


@given(NAMES)
def test_any_names_come_back(names):
    names = [name.encode("utf-8", "replace").decode() for name in names]
    content = name_lists.encode_names(names)
    assert name_lists.decode_names(content) == names
    # An editor must see a line for each name, whatever it takes for an end.
    assert len(content.splitlines()) == len(names)


def test_hard_names_come_back_from_a_file(tmp_path):
    path = tmp_path / "labels.txt"
    for names in ([], [""], ["", ""], HARD, *([name] for name in HARD)):
        name_lists.write_names(path, names)
        assert name_lists.read_names(path, len(names)) == names
    assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("neg\npos\n", ["neg", "pos"]),
        # As before 0.3.0, when nothing was escaped.
        (
            '"quoted"\nC:\\new\n"\n\u2028\n',
            ['"quoted"', "C:\\new", '"', "\u2028"],
        ),
        ('"\\x0a"\n', ['"\\x0a"']),  # A token of a translator, no JSON.
        ("neg\npos", ["neg", "pos"]),
        ("neg\r\npos\r\n", ["neg", "pos"]),
        ("neg\r\npos", ["neg", "pos"]),
        ("\ufeffneg\npos\n", ["neg", "pos"]),
        ("neg\r\npos\n", ["neg\r", "pos"]),
        ("\n", [""]),
        ("", []),
    ],
)
def test_files_of_before_and_of_editors_are_read(content, names):
    assert name_lists.decode_names(content) == names


def test_another_number_than_the_models_is_one_line(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("negative\npositive")
    assert name_lists.read_names(path, 2) == ["negative", "positive"]
    with pytest.raises(UserError) as caught:
        name_lists.read_names(path, 3)
    assert str(caught.value) == (
        f"{path}: expected 3 names, one a line, as the model has, got 2: it was"
        " changed; put the old one back, or export the run again"
    )


def test_a_broken_file_is_one_line(tmp_path):
    path = tmp_path / "labels.txt"
    with pytest.raises(UserError, match="labels.txt: cannot read it"):
        name_lists.read_names(path)
    path.write_bytes(b"m\xe4\xdfig\n")
    with pytest.raises(UserError, match="labels.txt: cannot read it"):
        name_lists.read_names(path)


def test_a_pipe_is_one_line(tmp_path):
    path = tmp_path / "labels.txt"
    os.mkfifo(path)
    with pytest.raises(UserError, match="a pipe or a device, not a file"):
        name_lists.read_names(path)
