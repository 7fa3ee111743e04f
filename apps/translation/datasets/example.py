"""One sentence in two languages, wherever it comes from."""

from typing import NamedTuple


class Pair(NamedTuple):
    """One sentence in two languages.

    Attributes:
        source: the sentence to translate.
        target: its translation.
        where: the place in the source, for error messages.
    """

    source: str
    target: str
    where: str
