r"""Characters that do harm: on a terminal, in JSON and in files of UTF-8.

Names and texts of data may hold any character: one that moves the cursor, ends
a line or turns the direction of writing. Half a character (a lone surrogate)
comes from JSON that was cut, and from names of files that are not UTF-8; no
UTF-8 can hold it.
"""

import json
import re
from typing import Any

# DEL and C1 controls; the separators of lines and paragraphs; what overrides
# the direction of writing; halves.
_UNSAFE = "\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(f"[\x00-\x1f{_UNSAFE}]")
# JSON escapes the others by itself.
_RAW_IN_JSON = re.compile(f"[{_UNSAFE}]")
_HALVES = re.compile("[\ud800-\udfff]")


def printable(text: object) -> str:
    r"""Returns a text as it can be printed: in one line, without controls.

    Control characters, separators of lines, overrides of the direction of
    writing and halves of characters become escapes; all else stays.

    Args:
        text: a text, or anything that has one, such as a path.

    Example:
        >>> print(printable("good\nreview"), printable("\x1b[31mred"))
        good\nreview \x1b[31mred
        >>> print(printable("Café \u202e"), printable("\ud83d"))
        Café \u202e \ud83d
    """
    return _CONTROLS.sub(
        lambda match: match[0].encode("unicode_escape").decode(), str(text)
    )


def dump_json(
    value: Any, indent: int | None = None, encoding: str = "utf-8"
) -> str:
    r"""Returns JSON that can be printed, and written in an encoding.

    Args:
        value: anything that JSON can hold.
        indent: as of `json.dumps`. Default None: one line.
        encoding: of where it goes; what it does not have is escaped.

    Example:
        >>> print(dump_json(["é", "\x9b1m", "\ud83d"]))
        ["é", "\u009b1m", "\ud83d"]
        >>> print(dump_json(["é"], encoding="ascii"))
        ["\u00e9"]
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    text = _RAW_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if text.encode(encoding, "replace").decode(encoding) == text:
        return text
    text = json.dumps(value, indent=indent)  # All but DEL is escaped.
    return text.replace("\x7f", r"\u007f")


def has_halves(text: str) -> bool:
    r"""Returns True if there is half a character in a text.

    Example:
        >>> has_halves("\ud83d"), has_halves("\U0001f600")
        (True, False)
    """
    return _HALVES.search(text) is not None


def replace_halves(text: str) -> str:
    r"""Replaces halves of characters by question marks.

    Example:
        >>> replace_halves("so good \ud83d")
        'so good ?'
    """
    return _HALVES.sub("?", text)
