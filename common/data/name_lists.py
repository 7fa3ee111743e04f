r"""Lists of names in text files: labels and vocabularies, one name a line.

A name may be any text. One that cannot stand on a line as itself is written
as a string of JSON, such as "good\nreview"; a line that begins and ends with a
quote, holds a backslash and is a string of JSON is read as one. Every other
line is the name itself.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from common import atomic
from common.data import text_files
from common.errors import UserError

# Controls and all that ends a line somewhere; half a character, which UTF-8
# cannot hold; a mark of the byte order, which editors add.
_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")


def encode_names(names: Iterable[str]) -> str:
    r"""Returns the text of a file of names.

    Example:
        >>> print(encode_names(["poor", 'say "hi"', "good\nreview"]), end="")
        poor
        say "hi"
        "good\nreview"
    """
    return "".join(f"{_encode_name(name)}\n" for name in names)


def _encode_name(name: str) -> str:
    is_plain = not _ESCAPED.search(name) and not _may_be_json(name)
    return name if is_plain else json.dumps(name)


def decode_names(text: str) -> list[str]:
    r"""Returns the names in the text of a file.

    What editors do is undone: a mark of the byte order, CR LF at the end of
    all lines, no end of the last line.

    Example:
        >>> decode_names('poor\n"quoted"\n"good\\nreview"\n')
        ['poor', '"quoted"', 'good\nreview']
        >>> decode_names("poor\r\ngood")
        ['poor', 'good']
    """
    *lines, last = text.removeprefix("\ufeff").split("\n")
    if lines and all(line.endswith("\r") for line in lines):
        lines = [line[:-1] for line in lines]
    return [_decode_name(line) for line in [*lines, *([last] if last else [])]]


def _decode_name(line: str) -> str:
    if _may_be_json(line):
        try:
            return str(json.loads(line))
        except ValueError:
            return line  # A name of its own, with quotes and a backslash.
    return line


def _may_be_json(line: str) -> bool:
    return line.startswith('"') and line.endswith('"') and "\\" in line


def write_names(path: Path, names: Iterable[str]) -> None:
    """Writes a file of names, whole or not at all.

    Raises:
        UserError: if the disk refuses.
    """
    atomic.write_text(path, encode_names(names))


def read_names(path: Path, count: int | None = None) -> list[str]:
    """Reads a file of names.

    Args:
        path: the file.
        count: how many the model has; None if that is not known.

    Raises:
        UserError: if it is missing or damaged, or has another number.
    """
    try:
        text_files.check_regular(path)
        # As bytes: reading text would take a carriage return for a line end.
        names = decode_names(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read it ({reason})") from error
    if count is not None and len(names) != count:
        raise UserError(
            f"{path}: expected {count} names, one a line, as the model has,"
            f" got {len(names)}: it was changed; put the old one back, or"
            " export the run again"
        )
    return names
