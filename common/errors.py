"""The one exception that means: the user can mend this; and its text.

Beside it, what the system refuses, such as a full disk, in words.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator

from common.characters import printable

MAX_NAMES = 12
MAX_NAME_LENGTH = 60
MAX_LIST_LENGTH = 200  # Of all names in one error.
# What to do about an error of the system, by its number.
_ADVICE = {
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG): "make room",
    (errno.EROFS,): "the disk is read-only: choose another place",
    (errno.EACCES, errno.EPERM): "choose a place where you may write",
    (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY): "something"
    " else has this name: move it, or choose another place",
    (errno.ENAMETOOLONG,): "choose a shorter name",
    (errno.ELOOP,): "its links lead to themselves: choose another place",
    (errno.EMFILE, errno.ENFILE): "too many files are open: raise ulimit -n",
    (errno.EIO,): "the disk fails: choose another one",
    (errno.ENOENT,): "the folder is gone: choose another place",
}
_AGAIN = ", then run the same command again"


class Interrupted(KeyboardInterrupt):  # noqa: N818
    """Ctrl-C, or a polite kill, after which everything is saved and told.

    Not an Exception: it ends a notebook's cell, or pytest, as Ctrl-C does.
    """


class UserError(Exception):
    """A mistake in the user's input, told in one line.

    The message names the file, line or value, says what was expected and what
    to do. `common.cli.main` prints it without a traceback and exits with
    status 2.
    """


def format_names(
    names: Iterable[object], separator: str = ", ", most: int = MAX_NAMES
) -> str:
    """Joins the first names, so that an error of many is still a line.

    Args:
        names: any number of them, of any length.
        separator: between two.
        most: how many to name. Default 12.

    Returns:
        At most `most` of them and "..." for the others; "nothing" for none.

    Example:
        >>> format_names(["train", "test"])
        'train, test'
        >>> format_names(range(100))
        '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...'
    """
    texts = map(_shorten, names)
    shown = list(itertools.islice(texts, most))
    is_cut = next(texts, None) is not None
    while len(shown) > 1 and len(separator.join(shown)) > MAX_LIST_LENGTH:
        shown.pop()
        is_cut = True
    return separator.join([*shown, *["..."] * is_cut]) or "nothing"


def _shorten(name: object) -> str:
    text = printable(name)
    if len(text) <= MAX_NAME_LENGTH:
        return text
    return f"{text[: MAX_NAME_LENGTH - 3]}..."


@contextlib.contextmanager
def tell_system_errors(place: str, note: str = "") -> Iterator[None]:
    """Turns what the system refuses in the body into an error of one line.

    Args:
        place: the beginning of the line: what was tried, and where.
        note: what holds all the same, after the reason. Default none.

    Raises:
        UserError: with the system's reason, and what to do.
    """
    try:
        yield
    except Exception as error:
        if not is_of_system(error):
            raise
        raise UserError(
            f"{place} ({reason(error)}){note}: {advice(error)}"
        ) from error


def is_of_system(error: BaseException) -> bool:
    """Returns True if the disk, or the system, refused: no fault of a program.

    TensorFlow has exceptions of its own, with the system's text in theirs.
    """
    return isinstance(error, OSError) or bool(_number(error))


def reason(error: BaseException) -> str:
    """Returns what the system says of an error, in a few words.

    Example:
        >>> reason(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file"))
        'No space left on device'
    """
    number = _number(error)
    return os.strerror(number) if number else str(error)


def advice(error: BaseException) -> str:
    """Returns what to do about an error of the system.

    Example:
        >>> advice(OSError(errno.ENOSPC, ""))
        'make room, then run the same command again'
    """
    number = _number(error)
    for numbers, text in _ADVICE.items():
        if number in numbers:
            return text + _AGAIN
    return "look at the place" + _AGAIN


def _number(error: BaseException) -> int:
    """Returns the number of an error of the system; 0 for other errors."""
    if isinstance(error, OSError):
        return error.errno or 0
    if not type(error).__module__.startswith("tensorflow."):
        return 0
    text = str(error).lower()
    known = itertools.chain(*_ADVICE)
    return next((x for x in known if os.strerror(x).lower() in text), 0)
