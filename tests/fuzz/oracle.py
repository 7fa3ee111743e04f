"""The judge of a reader: it answers, or refuses in one line; nothing else."""

import contextlib
import faulthandler
import io
import signal
import sys
import threading
import warnings

from common.characters import printable
from common.cli import MAX_ERROR_LENGTH, print_error
from common.errors import UserError

# No input of these sizes takes a hundredth of it.
SECONDS = 120
ANSWERED, REFUSED = "answered", "refused"
# Python shows these to nobody but tests.
HIDDEN = (DeprecationWarning, PendingDeprecationWarning, ResourceWarning)


class Hang(BaseException):
    """No answer in time. Not an Exception: no reader may catch it."""


def judge(target, content, folder):
    """Gives a content to a reader.

    Args:
        target: of `targets.TARGETS`.
        content: the bytes of its file.
        folder: an empty folder, or one of this target.

    Returns:
        ANSWERED or REFUSED.

    Raises:
        Hang, AssertionError: for an answer that never comes, an error of
            several lines, or a warning that a user would see. All other
            exceptions are the reader's own faults.
    """
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as shown,
        _time_limit(),
    ):
        warnings.simplefilter("always")
        verdict = _ask(target, content, folder)
    seen = [x for x in shown if not issubclass(x.category, HIDDEN)]
    assert not seen, f"a warning for the user: {seen[0].message}"
    return verdict


def _ask(target, content, folder):
    try:
        target.read(folder, content)
    except UserError as error:
        check_line(error, folder)
        return REFUSED
    return ANSWERED


def check_line(error, folder):
    """Checks what a user sees of an error: a line that names file or flag."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        print_error(error)
    line = printed.getvalue().removesuffix("\n")
    assert printable(line) == line, f"not one line: {line!r}"
    assert len(line) <= MAX_ERROR_LENGTH, f"too long: {line!r}"
    assert str(folder) in line or "--" in line, f"names no file: {line!r}"


@contextlib.contextmanager
def _time_limit():
    """Raises Hang in this thread; of a loop in C, prints where it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise Hang(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(2 * SECONDS, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
