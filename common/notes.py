"""Notes on standard error: what a model cannot know of an input."""

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from common.characters import printable

MAX_NAMED = 12  # Words that a note names.
MAX_LETTERS = 24  # Of such a word.
WINDOW = 64  # Inputs that are described together.


def print_notes(
    inputs: Iterable[str | None],
    describe_fn: Callable[[list[str]], list[str]],
) -> Iterator[str | None]:
    """Yields inputs as they come, each after a line about it if there is one.

    Args:
        inputs: of `predict`; None for lines that cannot be read.
        describe_fn: from some inputs to a remark on each, "" for none.
    """
    inputs = iter(inputs)
    numbers = itertools.count(1)
    while window := list(itertools.islice(inputs, WINDOW)):
        remarks = iter(describe_fn([x for x in window if x is not None]))
        for text, number in zip(window, numbers, strict=False):
            if text is not None:
                print_note(f"input {number}", next(remarks))
        yield from window


def print_note(name: str, remark: str) -> None:
    """Prints a line about an input on standard error, if there is a remark."""
    if remark:
        print(printable(f"note: {name}: {remark}"), file=sys.stderr)


def describe_unknown(words: Sequence[str], unknown: Collection[str]) -> str:
    """Tells how many words of a text are unknown, and which; "" if none.

    Args:
        words: of the text.
        unknown: those that the model does not know.

    Example:
        >>> describe_unknown("so foo and bar foo".split(), {"foo", "bar"})
        '3 of 5 words are unknown to this model: foo, bar'
    """
    missing = [word for word in words if word in unknown]
    if not missing:
        return ""
    names = [
        word if len(word) <= MAX_LETTERS else f"{word[:MAX_LETTERS]}..."
        for word in dict.fromkeys(missing)
    ]
    more = ["..."] if len(names) > MAX_NAMED else []
    verb = "is" if len(missing) == 1 else "are"
    return (
        f"{len(missing)} of {len(words)} words {verb} unknown to this model:"
        f" {', '.join(names[:MAX_NAMED] + more)}"
    )


def join_remarks(*remarks: str) -> str:
    """Joins the remarks on an input to one; empty ones say nothing."""
    return "; ".join(filter(None, remarks))
