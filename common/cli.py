"""The command line: a config dataclass is its own parser, errors are one line.

The only module that knows the argument parser.
"""

import argparse
import dataclasses
import difflib
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import simple_parsing

from common.errors import UserError


class Parser(simple_parsing.ArgumentParser):
    """An argument parser whose errors are one line and whose flags are exact.

    Dataclass fields become `--flags-with-dashes`, the comment behind a field
    its help text; abbreviations are refused, so that a flag added later never
    changes what an old command means.
    """

    def __init__(self, prog: str, description: str = "") -> None:
        super().__init__(
            prog=f"python -m {prog}",
            description=description,
            allow_abbrev=False,
            add_option_string_dash_variants=simple_parsing.DashVariant.DASH,
            formatter_class=simple_parsing.SimpleHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Prints one line and exits with status 2."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = self._unknown_flag(unknown.split()[0])
        print(f"error: {message} (see --help)", file=sys.stderr)
        sys.exit(2)

    def _unknown_flag(self, flag: str) -> str:
        flag = flag.partition("=")[0]
        near = difflib.get_close_matches(flag, self._option_string_actions)
        advice = f"; did you mean {near[0]}?" if near else ""
        return f"unknown argument {flag}{advice}"


def parse_config(
    default: Any, smoke: Any, argv: list[str] | None = None, *, package: str
) -> Any:
    """Reads a config dataclass from the command line.

    Args:
        default: the config instance whose values hold where no flag is given.
        smoke: the same for `--smoke`: a run of seconds, without network.
        argv: the arguments; those of the process by default.
        package: the app's package, for the usage line.

    Returns:
        A config of the same class. Its `__post_init__` may raise `UserError`.
    """
    argv = sys.argv[1:] if argv is None else argv
    start = smoke if "--smoke" in argv else default
    parser = Parser(f"{package}.train", type(default).__doc__ or "")
    parser.add_argument(
        "--smoke", action="store_true", help="a run of seconds, no network"
    )
    parser.add_arguments(type(default), dest="config", default=start)
    try:
        return parser.parse_args(argv).config
    except argparse.ArgumentError as error:
        parser.error(str(error))


def add_overrides(parser: Parser, *names: str) -> None:
    """Adds flags that replace fields of a config read from a run."""
    for name in names:
        parser.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            help="in place of the one used in training",
        )


def override(config: Any, args: argparse.Namespace) -> Any:
    """Returns the config with the fields that were given as flags."""
    given = {
        field.name: getattr(args, field.name)
        for field in dataclasses.fields(config)
        if getattr(args, field.name, None) is not None
    }
    return dataclasses.replace(config, **given)


def check_fields(
    config: Any, **allowed: tuple[Callable[[Any], bool], str]
) -> None:
    """Checks config fields against choices or `(test, "what it must be")`.

    Args:
        config: a dataclass instance.
        **allowed: field name to `(predicate, description)`.

    Raises:
        UserError: naming the flag, what it must be, and what came.

    Example:
        >>> import dataclasses
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


def at_least(low: float) -> tuple[Callable[[Any], bool], str]:
    """A check for `check_fields`: a number not below `low`."""
    return (lambda value: value >= low), f"at least {low}"


def above(low: float) -> tuple[Callable[[Any], bool], str]:
    """A check for `check_fields`: a number greater than `low`."""
    return (lambda value: value > low), f"greater than {low}"


def between(low: float, high: float) -> tuple[Callable[[Any], bool], str]:
    """A check for `check_fields`: low <= value < high."""
    return (
        lambda value: low <= value < high,
        f"at least {low} and below {high}",
    )


def main(command: Callable[[], None]) -> None:
    """Runs a command; a `UserError` becomes one line and exit status 2."""
    try:
        command()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `... | head` closed our output: not an error.
        sys.stderr.close()
        sys.exit(0)
