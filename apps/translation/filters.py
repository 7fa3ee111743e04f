"""Which pairs are left out, and why."""

import collections
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from . import sources
from .config import Config

# Places of skipped pairs that a report names.
NUM_PLACES = 5


class Skipped:
    """Counts pairs that are left out, by reason, and notes the first places."""

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.places: dict[str, list[str]] = {}

    def note(self, reason: str, where: str) -> None:
        """Notes one pair."""
        self.counts[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < NUM_PLACES:
            places.append(where)

    def report(self) -> dict:
        """Reason to count and first places."""
        return {
            reason: {"count": count, "first": self.places[reason]}
            for reason, count in self.counts.items()
        }


def usable(
    pairs: Iterable[sources.Pair],
    skipped: Skipped,
    held_out: Collection[str] = (),
) -> Iterator[sources.Pair]:
    """Passes on the pairs with two sentences, noting the others.

    Args:
        pairs: the pairs of a split.
        skipped: notes what is left out.
        held_out: sources that must not be learnt from.
    """
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            skipped.note("with an empty side", pair.where)
        elif pair.source in held_out:
            skipped.note("also held out", pair.where)
        else:
            yield pair


def fits(
    num_source: np.ndarray, num_target: np.ndarray, limits: Config
) -> np.ndarray:
    """Which pairs are neither too long nor of too different length."""
    longer = np.maximum(num_source, num_target)
    shorter = np.minimum(num_source, num_target)
    return (longer <= limits.max_tokens) & (
        longer <= limits.max_ratio * shorter
    )
