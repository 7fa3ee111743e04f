"""Commands: exact flags, errors of one line, and what all verbs share."""

import argparse
import contextlib
import dataclasses
import difflib
import errno
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from common import errors, options
from common.characters import dump_json, printable
from common.data import tables, text_files
from common.errors import Interrupted, UserError

RUN_HELP = "a run folder or an exported SavedModel"
MAX_ERROR_LENGTH = 500
SAVED_MODEL = "savedmodel"
FORMATS = (SAVED_MODEL, "onnx", "litert")
INTERRUPTED_STATUS = 130  # The status that shells report after Ctrl-C.

Answer = TypeVar("Answer")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and whose flags are exact.

    Abbreviations are refused, so that a flag added later never changes what
    an old command means.

    Args:
        module: what is run with `python -m`.
        description: the first paragraph is shown.
    """

    def __init__(self, module: str, description: str = "") -> None:
        super().__init__(
            prog=f"python -m {module}",
            description=description.strip().partition("\n\n")[0],
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Prints one line and exits with status 2."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = self._unknown_flag(unknown.split()[0])
        message = re.sub(r"^argument (--\S+): must be", r"\1 must be", message)
        print_error(f"{message} (see --help)")
        sys.exit(2)

    def _unknown_flag(self, flag: str) -> str:
        flag = flag.partition("=")[0]
        near = difflib.get_close_matches(flag, self._option_string_actions)
        advice = f"; did you mean {near[0]}?" if near else ""
        return f"unknown argument {flag}{advice}"


def train_parser(package: str, default: Any) -> Parser:
    """Returns the command line of `train`: a flag for each field of a config.

    Args:
        package: the app.
        default: the config instance whose values hold where no flag is given.
    """
    parser = Parser(f"{package}.train", type(default).__doc__ or "")
    parser.add_argument(
        "--smoke", action="store_true", help="a run of seconds, no network"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="begin anew: remove the run in --run-dir once the data are read",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options from the config.json of a run; other flags win",
    )
    names = [field.name for field in dataclasses.fields(default)]
    options.add_fields(parser, default, *names)
    return parser


def parse_train(
    default: Any, smoke: Any, argv: list[str] | None = None, *, package: str
) -> tuple[Any, bool]:
    """Reads a config dataclass from the command line of `train`.

    Args:
        default: the config instance whose values hold where no flag is given.
        smoke: the same for `--smoke`: a run of seconds, without network.
        argv: the arguments; those of the process by default.
        package: the app's package, for the usage line.

    Returns:
        A config of the same class, whose `__post_init__` may raise
        `UserError`; and whether to overwrite a run, which is no option of the
        run: `--config` would repeat it.

    Raises:
        UserError: if the file of `--config` cannot be used.
    """
    args = train_parser(package, default).parse_args(argv)
    start = smoke if args.smoke else default
    if args.config:
        values = options.read_config(Path(args.config), type(default))
        start = dataclasses.replace(start, **values)
    return options.override(start, args), args.overwrite


def evaluate_parser(package: str, things: str) -> Parser:
    """Returns the command line of `evaluate`, but for the app's own flags.

    Args:
        package: the app.
        things: its examples in the plural, such as "texts".
    """
    parser = Parser(
        f"{package}.evaluate",
        "Scores a model; the last line is one JSON object.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--split",
        metavar="NAME",
        default="",
        help="train, valid, test, or all of them [test; all of data without"
        " splits that training did not read]",
    )
    parser.add_argument(
        "--limit",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help=f"most {things} to score; 0 for all [0]",
    )
    return parser


def predict_parser(package: str, thing: str, description: str) -> Parser:
    """Returns the command line of `predict`, but for the app's own flags.

    Args:
        package: the app.
        thing: one of its inputs, such as "text".
        description: what the command does.
    """
    parser = Parser(f"{package}.predict", description)
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("inputs", metavar=thing.upper(), nargs="*")
    parser.add_argument(
        "--file",
        metavar="FILE",
        default="",
        help=f"a file of one {thing} a line; - for standard input",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help=f"print an object for each {thing}, with all scores",
    )
    parser.add_argument(
        "--encoding",
        metavar="ENCODING",
        default="utf-8",
        help="of the file [utf-8]",
    )
    return parser


def export_parser(package: str) -> Parser:
    """Returns the command line of `export`."""
    parser = Parser(f"{package}.export", "Exports a model for serving.")
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        default="exports",
        help="the folder of exports [exports]",
    )
    parser.add_argument(
        "--keep",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help="remove all but the N newest versions; 0 keeps all [0]",
    )
    parser.add_argument(
        "--data-license",
        metavar="TEXT",
        default="",
        help="of the training data, for the model card [not stated]",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=SAVED_MODEL,
        help="onnx and litert run without TensorFlow: docs/edge.md"
        f" [{SAVED_MODEL}]",
    )
    parser.add_argument(
        "--quantize",
        choices=("float16", "dynamic"),
        default="",
        help="smaller weights, of --format litert [off]",
    )
    return parser


def generate_parser(module: str, description: str, things: str) -> Parser:
    """Returns the command line that writes generated data as files.

    Args:
        module: the package of the data.
        description: what it writes.
        things: the examples, such as "reviews".
    """
    parser = Parser(module, description)
    parser.add_argument("folder", metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--num",
        type=options.number(int, options.at_least(1)),
        metavar="N",
        default=100,
        help=f"{things} of each split [100]",
    )
    parser.add_argument(
        "--seed",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help=f"another gives other {things} [0]",
    )
    return parser


def add_sampling(parser: Parser) -> None:
    """Adds the flags of sampling, which take the place of a beam."""
    add = parser.add_argument_group("sampling").add_argument
    integer = options.number(int, options.at_least(0))
    positive = options.number(float, options.above(0))
    part = options.number(float, options.share())
    add("--sample", action="store_true", help="draw in place of searching")
    add(
        "--temperature",
        type=positive,
        metavar="X",
        default=1.0,
        help="below 1 bolder, above 1 wilder [1.0]",
    )
    add(
        "--top-k",
        type=integer,
        metavar="N",
        default=0,
        help="draw of the N likeliest only; 0 for all [0]",
    )
    add(
        "--top-p",
        type=part,
        metavar="X",
        default=1.0,
        help="draw of the likeliest that hold this share [1.0]",
    )
    add("--seed", type=integer, metavar="N", default=0, help="of drawing [0]")


def choose_inputs(
    parser: Parser, args: argparse.Namespace, things: str
) -> None:
    """Reads standard input where it is piped and there are no inputs.

    Args:
        parser: for the error, if there is nothing to read.
        args: of `predict_parser`; `file` becomes "-".
        things: the inputs in the plural, such as "texts".
    """
    if args.inputs or args.file:
        return
    stream = getattr(sys.stdin, "buffer", None)  # Some have none.
    if (
        isinstance(stream, io.BufferedReader)
        and not stream.isatty()
        and stream.peek(1)  # Waits for a byte, or for the end.
    ):
        args.file = "-"
        return
    parser.error(f"give {things}, or --file FILE (- for standard input)")


def print_json(answer: dict[str, Any] | None) -> None:
    """Prints one JSON object, or null, on a line of its own.

    What standard output cannot encode is escaped: a "?" would be another name.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(dump_json(answer, encoding=encoding), flush=True)


def read_inputs(
    arguments: list[str],
    file: str,
    encoding: str,
    read_table: Callable[[Path], Iterator[str]] | None = None,
) -> Iterator[str | None]:
    """Yields the inputs of the command line, then the lines of the file.

    A line that cannot be decoded is told on standard error and is None, so
    that answers keep their places.

    Args:
        arguments: inputs of the command line.
        file: a path, "-" for standard input, or "" for none.
        encoding: of the file.
        read_table: reads the inputs of a table (`.csv`, `.tsv`, `.jsonl`) in
            place of its lines.

    Raises:
        UserError: if the file cannot be read.
    """
    yield from arguments
    if read_table and text_files.suffix(Path(file)) in tables.SUFFIXES:
        yield from read_table(Path(file))
    elif file:
        path = None if file == "-" else Path(file)
        yield from text_files.read_lines_leniently(path, encoding)


def answer_inputs(
    predict: Callable[[Iterable[str]], Iterable[Answer]],
    inputs: Iterable[str | None],
) -> Iterator[Answer | None]:
    """Yields the answer to each input; None for those that are None.

    Args:
        predict: yields an answer for each of the inputs.
        inputs: such as `read_inputs` yields them.

    Example:
        >>> list(answer_inputs(lambda texts: map(len, texts), ["ab", None]))
        [2, None]
    """
    inputs, others = itertools.tee(inputs)
    answers = iter(predict(text for text in others if text is not None))
    for text in inputs:
        yield None if text is None else next(answers)


def main(command: Callable[[], None]) -> None:
    """Runs a command; a `UserError` becomes one line and exit status 2.

    So does what the system refuses, such as a full disk. A character that
    standard output cannot encode becomes "?".
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Outside of any handler, which would keep what failed alive: a run is free
    # again when the process, or the test, goes on.
    if status := _run(command):
        sys.exit(status)


def _run(command: Callable[[], None]) -> int:
    """Runs a command; returns its exit status."""
    try:
        command()
        sys.stdout.flush()
    except UserError as error:
        print_error(error)
        return 2
    except Interrupted:
        return INTERRUPTED_STATUS
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED_STATUS
    except BrokenPipeError:  # `... | head` closed our output: not an error.
        _drop_output()
    except Exception as error:
        if not errors.is_of_system(error):
            raise
        _drop_output()
        print_error(_describe(error))
        return 2
    return 0


def _describe(error: Exception) -> str:
    """Returns a line about an error of the system that nobody expected."""
    path = getattr(error, "filename", None)
    where = f"{path}: " if path else ""
    if not where and getattr(error, "errno", 0) == errno.ENOSPC:
        where = "standard output: "
    return f"{where}{errors.reason(error)}: {errors.advice(error)}"


def _drop_output() -> None:
    """Lets what is left of standard output go nowhere.

    Python would try again at its end, and fail again.
    """
    with contextlib.suppress(OSError):  # It may be no file at all.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(message: object) -> None:
    """Prints one line; of a longer one, the beginning and the remedy."""
    line = printable(f"error: {message}")
    if len(line) > MAX_ERROR_LENGTH:
        half = (MAX_ERROR_LENGTH - len(" ... ")) // 2
        line = f"{line[:half]} ... {line[-half:]}"
    print(line, file=sys.stderr)
