"""Texts of data on a terminal, in JSON and in files."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import characters

# Of all kinds, half characters too.
ANY_TEXT = st.text(st.characters())
OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def is_unsafe(character):
    kind = unicodedata.category(character)
    # Controls, halves, separators of lines and of paragraphs.
    return kind in ("Cc", "Cs", "Zl", "Zp") or character in OVERRIDES


def test_exactly_what_does_harm_is_escaped():
    for number in range(sys.maxunicode + 1):
        shown = characters.printable(chr(number))
        if is_unsafe(chr(number)):
            assert shown.startswith("\\"), hex(number)
            assert shown.isascii(), hex(number)
        else:
            assert shown == chr(number), hex(number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Çok güzel 😀 日本語 שלום", "Çok güzel 😀 日本語 שלום"),
        ("a\tb\r\nc", r"a\tb\r\nc"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x85\u2028\u202e", r"\x85\u2028\u202e"),
        ("m\udce4\udcdfig", r"m\udce4\udcdfig"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_a_text_is_shown_in_one_line(text, expected):
    assert characters.printable(text) == expected


@given(ANY_TEXT)
def test_what_is_shown_is_a_line_of_utf8(text):
    shown = characters.printable(text)
    assert shown.encode() and len(shown.splitlines()) == 1 or not text


@given(st.dictionaries(ANY_TEXT, st.lists(ANY_TEXT)))
def test_json_comes_back_and_is_printable(value):
    line = characters.dump_json(value)
    assert not any(map(is_unsafe, line))
    # Two halves beside each other are one character for every reader.
    assert json.loads(line) == json.loads(json.dumps(value))
    assert json.loads(characters.dump_json(value, 2)) == json.loads(line)
    short = characters.dump_json(value, encoding="ascii")
    assert short.isascii() and not any(map(is_unsafe, short))
    assert json.loads(short) == json.loads(line)


def test_half_a_character_becomes_a_question_mark():
    assert characters.replace_halves("a \ud83d b 😀") == "a ? b 😀"
    assert characters.has_halves("a \udce4")
    assert not characters.has_halves("a 😀")
