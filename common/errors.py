"""The one exception that means: the user can mend this; and its text."""

import itertools
from collections.abc import Iterable

from common.characters import printable

MAX_NAMES = 12
MAX_NAME_LENGTH = 60
MAX_LIST_LENGTH = 200  # Of all names in one error.


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
