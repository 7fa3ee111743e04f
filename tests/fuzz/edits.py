"""Damage to files: bits, cuts, repeats, words that readers stumble over."""

import json
from typing import NamedTuple

from hypothesis import strategies as st

# For all formats: ends of lines, marks of encodings, numbers out of bounds,
# digits that are none, halves of characters.
WORDS = (
    *[b"\x00", b"\r", b"\n", b"\r\n", b"\t", b",", b'"', b'""', b"'", b"#"],
    *[b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\x1a"],
    *[b"\xed\xa0\xbd", b"\xc2\xb2", b"\xd9\xa3", b"\xe2\x80\xa8", b"\xc2\x85"],
    *[b"\x1b[31m", b"\\", b"/", b"..", b".", b" ", b"%s", b"-", b"-1", b"0"],
    *[b"1e999", b"NaN", b"inf", b"1_0", b"0x1", b"9" * 400, b"9" * 5000],
    *[b"[" * 20_000, b"{", b"}", b"[]", b"null", b"true", b"\\ud83d", b"(" * 9],
    *[b"x" * 70_000, b"\x80\x80\x80\x80", b"\x7f\xff\xff\xff", b"\x00" * 64],
    *[b"\xff\xff\xff\xff", b"\x00\x00\x00\x01", b"?", b":", b"sep=;\n", b"|"],
)
# In the place of a value of a JSON file.
VALUES = (
    *[None, True, False, 0, -1, 1, 2**70, 0.5, 1e308, float("nan"), "", "x"],
    *["\ud83d", "a\nb", "\x1b[2J", "x" * 5000, [], {}, [[]], [1, 2], ["a"]],
    *[{"a": 1}, [None], "²", "٣", "1", "-1", '"', "\x00", 10**400, [["a", 1]]],
)
KINDS = ("flip", "put", "overwrite", "delete", "repeat", "cut", "json", "swap")


class Edit(NamedTuple):
    """One change of a file.

    Attributes:
        kind: of KINDS.
        place: where, as a share of the file.
        size: bytes that it touches.
        number: which bit, word or value.
    """

    kind: str
    place: float
    size: int
    number: int


def edits():
    """A strategy for changes of a file."""
    return st.builds(
        Edit,
        st.sampled_from(KINDS),
        st.floats(0, 1),
        st.integers(0, 12),
        st.integers(0, 2**10),
    )


def random_edits(random):
    """A few changes drawn by a `random.Random`."""
    return [
        Edit(
            random.choice(KINDS),
            random.random(),
            random.choice((1, 1, 2, 4, 8, random.randrange(64))),
            random.randrange(2**10),
        )
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8)))
    ]


def apply(content, changes, words=()):
    """Applies changes to a file, one after the other.

    Args:
        content: bytes.
        changes: Edits.
        words: of the format, beside WORDS.
    """
    for change in changes:
        content = _apply(content, change, (*words, *words, *WORDS))
    return content


def _apply(content, change, words):
    start = round(change.place * len(content))
    stop = start + change.size
    piece, word = content[start:stop], words[change.number % len(words)]
    if change.kind == "json" or (content[:1] == b"{" and change.number % 3):
        return _replace_value(content, change)
    if change.kind == "flip":
        if start == len(content):
            return content
        flipped = content[start] ^ (1 << change.number % 8)
        return content[:start] + bytes([flipped]) + content[start + 1 :]
    middle = {
        "put": word + piece,
        "overwrite": word,
        "delete": b"",
        "repeat": piece * (2 + change.number % 40),
        "cut": b"",
        "swap": content[stop : stop + change.size] + piece,
    }[change.kind]
    if change.kind == "swap":
        stop += change.size
    rest = b"" if change.kind == "cut" else content[stop:]
    if change.kind == "overwrite":
        rest = content[start + len(word) :]
    return content[:start] + middle + rest


def _replace_value(content, change):
    """Puts another value somewhere into JSON, or a line of it."""
    try:
        tree = [json.loads(content)]
    except (ValueError, RecursionError):
        lines = content.splitlines(keepends=True)
        number = round(change.place * (len(lines) - 1))
        if len(lines) < 2 or not lines[number].strip():
            return content
        line = lines[number].rstrip()
        lines[number] = _replace_value(line, change) + b"\n"
        return b"".join(lines)
    places = list(_list_places(tree))
    holder, key = places[round(change.place * (len(places) - 1))]
    value = VALUES[change.number % len(VALUES)]
    if change.size == 0 and isinstance(holder, dict):
        del holder[key]
    elif change.size == 1 and isinstance(holder, dict):
        holder[f"{value!r:.40}"] = holder.pop(key)
    else:
        holder[key] = value
    return json.dumps(tree[0]).encode()


def _list_places(tree):
    pending = [tree]
    while pending:
        value = pending.pop()
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inside in pairs:
            yield value, key
            if isinstance(inside, dict | list):
                pending.append(inside)
