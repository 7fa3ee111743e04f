"""Captions of two things beside each other, written and read back."""

import re
from typing import NamedTuple

from common.metrics.caption_tokens import tokenize

SIZES = ("small", "large")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple")
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
RELATIONS = ("left of", "above")

# How the same is said when the other thing is named first.
_OPPOSITE = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
}
# Between two things, and behind the second of them.
_BETWEEN = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_BEHIND = {
    "left of": ("to its left", "on its left"),
    "right of": ("to its right", "on its right"),
    "above": ("above it", "over it"),
    "below": ("below it", "under it"),
}
# All that `parse` reads: more than `captions` writes, for a model may well put
# its words together in other ways that are right too.
FORMS = (
    "a {one} {between} a {other}",
    "a {one} is {between} a {other}",
    "the {one} is {between} the {other}",
    "there is a {one} {between} a {other}",
    "{between} the {other} is a {one}",
    "{between} a {other} there is a {one}",
    "a {other} with a {one} {behind}",
    "a {other} has a {one} {behind}",
)


class Thing(NamedTuple):
    """One of the two things of a scene."""

    size: str
    colour: str
    shape: str


class Facts(NamedTuple):
    """The facts of a scene; the relation is "left of" or "above".

    All captions of a scene give the same facts.
    """

    first: Thing
    relation: str
    second: Thing


def captions(facts: Facts) -> tuple[str, ...]:
    """Writes five different captions of the same facts.

    Example:
        >>> facts = parse("a large blue ring above a small red cross")
        >>> for caption in captions(facts):
        ...     print(caption)
        a large blue ring is above a small red cross
        the small red cross is below the large blue ring
        there is a large blue ring over a small red cross
        under a large blue ring there is a small red cross
        a small red cross with a large blue ring above it
    """
    turned = Facts(facts.second, _OPPOSITE[facts.relation], facts.first)
    return (
        _write("a {one} is {between} a {other}", facts, 0),
        _write("the {one} is {between} the {other}", turned, 0),
        _write("there is a {one} {between} a {other}", facts, 1),
        _write("{between} a {other} there is a {one}", turned, 1),
        _write("a {other} with a {one} {behind}", facts, 0),
    )


def _write(form: str, facts: Facts, wording: int) -> str:
    one, relation, other = facts
    return form.format(
        one=" ".join(one),
        other=" ".join(other),
        between=_BETWEEN[relation][wording],
        behind=_BEHIND[relation][wording],
    )


def parse(caption: str) -> Facts | None:
    """Reads what can be said of a scene, also what `captions` does not write.

    Args:
        caption: any text; case and punctuation do not count.

    Returns:
        The facts, or None if the caption is not of the grammar. Two things
        alike are read, too, though no scene has them.

    Example:
        >>> parse("a small red cross is below a large blue ring")
        Facts(first=Thing(size='large', colour='blue', shape='ring'),
              relation='above',
              second=Thing(size='small', colour='red', shape='cross'))
        >>> parse("a red cross is below a large blue ring") is None
        True
    """
    words = " ".join(tokenize(caption))
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(words):
            one, other = (Thing(*match[x].split()) for x in ("one", "other"))
            relation = _RELATION_OF[match["relation"]]
            if relation in RELATIONS:
                return Facts(one, relation, other)
            return Facts(other, _OPPOSITE[relation], one)
    return None


_RELATION_OF = {
    words: relation
    for table in (_BETWEEN, _BEHIND)
    for relation, wordings in table.items()
    for words in wordings
}


def _pattern(form: str) -> re.Pattern[str]:
    """A form as a regular expression, with every word that may stand in it."""
    thing = " ".join(
        f"(?:{'|'.join(words)})" for words in (SIZES, COLOURS, SHAPES)
    )
    between, behind = (
        "|".join(words for wordings in table.values() for words in wordings)
        for table in (_BETWEEN, _BEHIND)
    )
    return re.compile(
        form.format(
            one=f"(?P<one>{thing})",
            other=f"(?P<other>{thing})",
            between=f"(?P<relation>{between})",
            behind=f"(?P<relation>{behind})",
        )
    )


_PATTERNS = [_pattern(form) for form in FORMS]
