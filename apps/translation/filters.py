"""Which pairs are left out, and why."""

from collections.abc import Collection, Iterable, Iterator

import numpy as np

from common.data.skipped import Skipped

from . import datasets
from .config import Config


def usable(
    pairs: Iterable[datasets.Pair],
    skipped: Skipped,
    held_out: Collection[str] = (),
) -> Iterator[datasets.Pair]:
    """Passes on the pairs with two sentences, noting the others.

    Args:
        pairs: the pairs of a split.
        skipped: notes what is left out.
        held_out: sources that must not be learnt from.
    """
    for pair in pairs:
        if not pair.source.strip() or not pair.target.strip():
            skipped.add("with an empty side", pair.where)
        elif pair.source in held_out:
            skipped.add("also held out", pair.where)
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
