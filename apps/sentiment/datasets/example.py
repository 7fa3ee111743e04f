"""One labelled text, wherever it comes from."""

from typing import NamedTuple


class Example(NamedTuple):
    """One labelled text.

    Attributes:
        text: the input.
        label: its class; "" where the source gives none.
        where: the place in the source, for error messages.
    """

    text: str
    label: str
    where: str
