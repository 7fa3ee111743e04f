"""The first steps of a process: Keras's backend, a quiet start, `--help`.

This module and `common.cli` load neither Keras nor TensorFlow, which take
seconds: so `python -m PACKAGE.VERB --help` answers at once.
"""

import ast
import contextlib
import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

# Python may have found another package of this name, and this file after it.
if (
    Path(sys.modules[__package__].__file__ or "").parent
    != Path(__file__).parent
):
    raise ImportError(
        f"{__package__} is another package than that of {__file__}",
        name=__package__,
    )

# What TensorFlow logs at level I, and the notice that comes before it.
_CHATTER = re.compile(r"I\d{4} |WARNING: All log messages before absl::")
# Modules that are run and need no Keras.
_LIGHT = ("apps", "apps.new", "common.serving")
VERBS = ("train", "evaluate", "predict", "export", "features")


def choose_backend() -> None:
    """Selects Keras's TensorFlow backend, and quiets TensorFlow's log.

    Raises:
        ImportError: if another backend is chosen already.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # 2 drops information and warnings and keeps errors, such as why a GPU
    # cannot be used; 3 drops those too, where there is no GPU to speak of.
    has_gpu = os.path.exists("/dev/nvidiactl")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if has_gpu else "3")
    # Keras imports its backend at once: look before it fails on one that is
    # not installed.
    _check_backend(os.environ["KERAS_BACKEND"])


def load_keras() -> None:
    """Imports Keras and TensorFlow without their chatter.

    Raises:
        ImportError: if Keras runs on another backend.
    """
    wants_chatter = os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    with contextlib.nullcontext() if wants_chatter else _quiet():
        import keras
    # Keras may have been imported earlier, with the backend of its keras.json.
    _check_backend(keras.config.backend())


def _check_backend(backend: str) -> None:
    if backend != "tensorflow":
        raise ImportError(
            f"common expects Keras on TensorFlow, got the backend {backend!r}: "
            "set KERAS_BACKEND=tensorflow, or import common before keras"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drops the information that TensorFlow's libraries print as they load.

    They do so before they read TF_CPP_MIN_LOG_LEVEL, on file descriptor 2
    itself. All other lines are printed when loading is over, also when it
    failed.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            sys.stderr.writelines(x for x in held if not _CHATTER.match(x))


def needs_keras() -> bool:
    """Returns False for commands that show a text, copy files, or serve."""
    is_bare_app = sys.argv[:1] == ["-m"] and _module() in sys.modules
    return not (wants_help() or is_bare_app or _module() in _LIGHT)


def silence_interrupts() -> None:
    """Ends `python -m MODULE` without a traceback at Ctrl-C, from now on.

    Imports take seconds; `cli.main` takes over after them. Other programs
    that import `common` keep Python's way.
    """
    if _module().rpartition(".")[2] not in (*VERBS, "serving"):
        return
    show = sys.excepthook

    def show_errors(
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        # An import that it interrupts may fail for a reason of its own.
        if not _is_interrupt(error):
            show(kind, error, traceback)

    sys.excepthook = show_errors


def _is_interrupt(error: BaseException | None) -> bool:
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def wants_help() -> bool:
    """Returns True if this is `python -m MODULE` with `--help` or `-h`."""
    return bool(_module()) and not {"-h", "--help"}.isdisjoint(sys.orig_argv)


def _module() -> str:
    """Returns the MODULE of `python -m MODULE`; "" for any other start."""
    words = sys.orig_argv
    if "-m" not in words[1:-1]:
        return ""
    return words[words.index("-m") + 1]


def answer_early(package: str) -> None:
    """Answers `python -m PACKAGE` and `python -m PACKAGE.VERB --help`.

    An app calls it before it imports anything else; the command line of each
    verb is a function `VERB_parser` of the app's `config`.

    Args:
        package: the app.
    """
    # While Python looks for the module to run, its name is not set yet.
    if sys.argv[:1] != ["-m"]:
        return
    module = _module()
    if module == package:
        print(describe(package))
        sys.exit(0)
    parent, _, verb = module.rpartition(".")
    if parent == package and wants_help():
        config = importlib.import_module(f"{package}.config")
        if parser := getattr(config, f"{verb}_parser", None):
            parser().print_help()
            sys.exit(0)


def describe(package: str) -> str:
    """Returns what an app does, and its commands, a line each.

    Args:
        package: the app; it need not be imported.
    """
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin
    source = Path(spec.origin)
    lines = [f"{package}: {_first_line(source)}"]
    for verb in VERBS:
        path = source.with_name(f"{verb}.py")
        if path.exists():
            command = f"python -m {package}.{verb}"
            title = _first_line(path).partition(":")[0].rstrip(".")
            lines.append(f"  {command:<40}{title}")
    return "\n".join(lines)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0]
