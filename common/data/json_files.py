"""JSON of users and of our own files: an error of one line for all others."""

import json
from pathlib import Path
from typing import Any

from common.data import text_files
from common.errors import UserError, format_names

# Characters of a value that an error shows.
MAX_SHOWN = 40


def parse(text: str, path: Path, line: int = 0) -> Any:
    """Parses a JSON text.

    Args:
        text: of any kind.
        path: of the file that has it, for errors.
        line: on which it stands; 0 for all of the file.

    Raises:
        UserError: if it is none, or has brackets or numbers out of bounds.

    Example:
        >>> parse('{"a": [1, null]}', Path("a.json"))
        {'a': [1, None]}
    """
    where = f"{path}:{line}" if line else str(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}:{line or error.lineno}"
        raise UserError(f"{place}: not JSON: {error}") from error
    except RecursionError as error:
        raise UserError(f"{where}: not JSON: brackets too deep") from error
    except ValueError as error:  # A number of more than 4,300 digits.
        raise UserError(
            f"{where}: a number of too many digits: expected one of 4,300 at"
            " most"
        ) from error


def read(path: Path, *keys: str, **kinds: Any) -> dict[str, Any]:
    """Reads one of the JSON files that our commands write.

    Args:
        path: the file.
        *keys: that it must have.
        **kinds: the types of values, by keys that it may have.

    Raises:
        UserError: if it is missing or damaged, has not all keys, or values of
            other types.
    """
    try:
        text_files.check_regular(path)
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot read it ({reason})") from error
    value = parse(text, path)
    if not isinstance(value, dict):
        raise UserError(
            f"{path}: expected an object {{...}}, got a"
            f" {type(value).__name__}: it is damaged; make it anew"
        )
    missing = [key for key in keys if key not in value]
    if missing:
        raise UserError(
            f"{path}: expected {format_names(keys)}, it has no"
            f" {format_names(missing)}: it is damaged; make it anew"
        )
    for key, kind in kinds.items():
        if key in value and not is_of_kind(value[key], kind):
            raise UserError(
                f"{path}: {key} is {format_value(value[key])}, expected"
                f" {getattr(kind, '__name__', kind)}: it is damaged; make it"
                " anew"
            )
    return value


def is_of_kind(value: Any, kind: Any) -> bool:
    """Checks the type of a value of JSON, where true is no number.

    Args:
        value: such as `parse` returns.
        kind: a type, or several (`str | None`).

    Example:
        >>> is_of_kind(1, float), is_of_kind(True, int), is_of_kind("1", int)
        (True, False, False)
    """
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def format_value(value: Any) -> str:
    """Formats a value of JSON for an error, its beginning if it is long.

    Example:
        >>> format_value([1, None])
        '[1, null]'
    """
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
