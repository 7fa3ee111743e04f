"""The validation text that is shown after training, to be typed by a user."""

import shlex
from collections.abc import Sequence

from common.characters import printable, replace_halves

NUM_CANDIDATES = 50
SHORT = range(4, 13)  # Its words and marks, if there is such a text.


def choose_text(
    texts: Sequence[str], lengths: Sequence[int], num_unknown: Sequence[int]
) -> str:
    """Chooses the first text that is short, of words that are known.

    Whether the model will be right about it is not known yet.

    Args:
        texts: candidates, at least one.
        lengths: their numbers of words and marks.
        num_unknown: how many words of each the model will not know.

    Returns:
        The text, quoted as it is typed behind `predict RUN`.

    Example:
        >>> print(choose_text(["Bad.", "Not bad at all."], [2, 5], [0, 0]))
        'Not bad at all.'
    """
    texts = [replace_halves(" ".join(text.split())) for text in texts]

    def badness(number: int) -> tuple[bool, int, int, bool]:
        # What begins with a dash would be taken for a flag, and controls
        # cannot be typed.
        text = texts[number]
        is_odd = text.startswith("-") or printable(text) != text
        excess = 0 if lengths[number] in SHORT else lengths[number]
        # Quoting an apostrophe takes five characters.
        return is_odd, num_unknown[number], excess, "'" in text

    best = min(range(len(texts)), key=badness)
    return shlex.quote(texts[best])
