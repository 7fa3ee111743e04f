"""Held-out data by a hash of the input.

The same input falls on the same side on every machine and in every order of
the file, and equal inputs never fall on both sides.
"""

import hashlib

NUM_PARTS = 10


def part(text: str) -> int:
    """The tenth of the data to which an input belongs, 0 to 9.

    Example:
        >>> part("a good film") == part("a good film")
        True
        >>> sorted({part(f"film {n}") for n in range(100)})
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") % NUM_PARTS


def split_of(text: str, held_out: tuple[str, ...]) -> str:
    """The split of an input where the data do not say: 80/10/10 or 90/10.

    Args:
        text: the input.
        held_out: the splits to take from the data, a tenth each:
            `("valid", "test")`, or `("valid",)` where a test split exists.

    Returns:
        One of `held_out`, or `"train"`.

    Example:
        >>> from collections import Counter
        >>> films = [f"film {number}" for number in range(1000)]
        >>> Counter(split_of(film, ("valid", "test")) for film in films)
        Counter({'train': ..., ...})
    """
    tenth = part(text) - (NUM_PARTS - len(held_out))
    return held_out[tenth] if tenth >= 0 else "train"
