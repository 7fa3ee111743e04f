"""A config dataclass is its own command line, and its own help.

Fields become `--flags-with-dashes`, the comment behind or above a field its
help text, a comment `# --- model ---` the heading of those that follow.
"""

import argparse
import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common.data import json_files
from common.errors import UserError, format_names

# Whether a value is allowed, and in words what it must be.
Check = tuple[Callable[[Any], bool], str]

_HEADING = re.compile(r"    # --- (.+) ---")
_COMMENT = re.compile(r"    # (.+)")
_FIELD = re.compile(r"    (\w+): [^#]*(?:# (.*))?")


class _Comment(NamedTuple):
    """The comments of a field: its help text, and the heading above it."""

    help: str
    group: str


def read_config(path: Path, config_class: type) -> dict[str, Any]:
    """Reads the fields of a config from JSON; lists become tuples.

    Raises:
        UserError: if it cannot be read, has other fields, or values of
            another type.
    """
    values = json_files.read(path)
    fields = {field.name for field in dataclasses.fields(config_class)}
    if unknown := sorted(values.keys() - fields):
        raise UserError(
            f"{path}: written by another version of this app"
            f" (unknown: {format_names(unknown)});"
            " train again, with another --run-dir or --overwrite"
        )
    hints = typing.get_type_hints(config_class)
    for name, value in values.items():
        if not _is_of_hint(value, hints[name]):
            raise UserError(
                f"{path}: {name} must be {_describe_hint(hints[name])}, got"
                f" {json_files.format_value(value)}: mend it"
            )
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }


def _is_of_hint(value: Any, hint: Any) -> bool:
    """Checks a value of JSON by the type of its field."""
    if typing.get_origin(hint) is typing.Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list) and all(
            isinstance(x, str) for x in value
        )
    return json_files.is_of_kind(value, hint)


def _describe_hint(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {format_names(typing.get_args(hint))}"
    kinds = {bool: "true or false", int: "a whole number", float: "a number"}
    return kinds.get(hint, "a text" if hint is str else "a list of texts")


def fits(path: Path, config_class: type) -> bool:
    """Returns True if a JSON file holds fields of a config and no others."""
    try:
        read_config(path, config_class)
    except UserError:
        return False
    return True


def add_fields(
    parser: argparse.ArgumentParser, default: Any, *names: str
) -> None:
    """Adds the flags of some fields; without a flag, they are None.

    Args:
        parser: gets the flags, under the headings of their fields.
        default: a config instance; its values are shown as the defaults.
        *names: the fields.
    """
    comments = dict(_comments(type(default)))
    groups: dict[str, Any] = {}
    for name in names:
        title = comments[name].group
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        shown = comments[name].help + _shown(getattr(default, name))
        _add_field(groups[title], type(default), name, shown)


def add_overrides(
    parser: argparse.ArgumentParser, config_class: type, *names: str
) -> None:
    """Adds flags that replace fields of a config that a run has.

    Args:
        parser: gets the flags.
        config_class: the dataclass.
        *names: the fields.
    """
    comments = dict(_comments(config_class))
    group = parser.add_argument_group("in place of the options of training")
    for name in names:
        _add_field(group, config_class, name, comments[name].help)


def _add_field(group: Any, config_class: type, name: str, shown: str) -> None:
    hint = typing.get_type_hints(config_class)[name]
    group.add_argument(
        "--" + name.replace("_", "-"),
        dest=name,
        help=shown.replace("%", "%%"),
        **_argument(name, hint),
    )


def _comments(config_class: type) -> Iterator[tuple[str, _Comment]]:
    group = "options"
    above: list[str] = []
    for line in inspect.getsource(config_class).splitlines():
        if heading := _HEADING.fullmatch(line):
            group, above = heading[1], []
        elif comment := _COMMENT.fullmatch(line):
            above.append(comment[1])
        elif field := _FIELD.match(line):
            text = " ".join([*above, field[2] or ""]).strip()
            yield field[1], _Comment(text, group)
            above = []


def _shown(value: Any) -> str:
    if value == "" or value is False:
        return ""
    listed = " ".join(value) if isinstance(value, tuple) else str(value)
    return f" [{listed.lower() if value is True else listed}]"


def _argument(name: str, hint: Any) -> dict[str, Any]:
    """Returns what argparse must know of a type."""
    last_word = name.rpartition("_")[2].upper()
    if typing.get_origin(hint) is typing.Literal:
        return {"choices": typing.get_args(hint)}
    if typing.get_origin(hint) is tuple:
        return {"nargs": "+", "metavar": last_word}
    if hint is bool:
        arguments = {"nargs": "?", "const": True, "type": _boolean}
        return arguments | {"metavar": "true|false"}
    metavar = {int: "N", float: "X"}.get(hint, last_word)
    return {"type": hint, "metavar": metavar}


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text}")
    return text.lower() == "true"


def override(config: Any, args: argparse.Namespace) -> Any:
    """Returns the config with the fields that were passed as flags."""
    flags = {
        field.name: getattr(args, field.name)
        for field in dataclasses.fields(config)
        if getattr(args, field.name, None) is not None
    }
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in flags.items()
    }
    return dataclasses.replace(config, **values)


def check_fields(config: Any, **allowed: Check) -> None:
    """Checks config fields against `(test, "what it must be")`.

    Args:
        config: a dataclass instance.
        **allowed: field name to `(predicate, description)`.

    Raises:
        UserError: naming the flag, what it must be, and what came.

    Example:
        >>> @dataclasses.dataclass
        ... class Config:
        ...     batch_size: int = 0
        >>> check_fields(Config(), batch_size=at_least(1))
        Traceback (most recent call last):
        common.errors.UserError: --batch-size must be at least 1, got 0
    """
    fields = {field.name for field in dataclasses.fields(config)}
    for name, (holds, description) in allowed.items():
        assert name in fields, f"no field {name}"
        value = getattr(config, name)
        if not holds(value):
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag} must be {description}, got {value!r}")


def number(kind: type, allowed: Check) -> Callable[[str], Any]:
    """Returns a type for a flag: a number that passes a check.

    Args:
        kind: int or float.
        allowed: such as `at_least(1)`.
    """
    holds, description = allowed

    def parse(text: str) -> Any:
        value = kind(text)
        if not holds(value):
            raise argparse.ArgumentTypeError(
                f"must be {description}, got {value}"
            )
        return value

    parse.__name__ = kind.__name__  # For "invalid int value".
    return parse


def at_least(low: float) -> Check:
    """Returns a check: a number not below `low`."""
    return (lambda value: value >= low), f"at least {low}"


def above(low: float) -> Check:
    """Returns a check: a number greater than `low`."""
    return (lambda value: value > low), f"greater than {low}"


def between(low: float, high: float) -> Check:
    """Returns a check: low <= value < high."""
    return (
        lambda value: low <= value < high,
        f"at least {low} and below {high}",
    )


def share() -> Check:
    """Returns a check: 0 < value <= 1."""
    return (lambda value: 0 < value <= 1), "above 0 and at most 1"
