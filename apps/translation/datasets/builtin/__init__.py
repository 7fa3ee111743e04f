"""Sentence pairs, English and French, made in memory by a small grammar.

Word by word there is no way through: adjectives change sides and agree, the
negation embraces the verb, pronouns move in front of it, "it" is "il" or
"elle" as a noun far before says, and "that" or "her" is something else in each
sentence. `lexicon` holds the words; `grammar` makes phrases and clauses of
them, both languages at a time; `writer` chooses them at random.

What is held out: `writer.owner` lays a square over the pairs of words, a noun
and its adjective, ("car", "red"), or a verb and its subject or direct object,
("see", "car"); 6/8 of them are train's, 1/8 valid's, 1/8 test's. All pairs of
a sentence belong to its split, so no sentence can occur in two.

English decides French. "They" is "ils", unless it is the subject of a second
clause: there it means the subject of the first, as do "it", "he" and "she";
"it" as an object means the object of the first. "I" and "we" are masculine.
"""

import random
from collections.abc import Iterator

from common.data.splits import SPLITS

from .writer import Writer

NUM_WORDS = range(3, 21)


def generate(
    split: str, num_examples: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Makes the sentences of one split, the same for the same arguments.

    Args:
        split: "train", "valid" or "test".
        num_examples: how many pairs; no sentence comes twice.
        seed: another seed gives other sentences of the same split.

    Yields:
        Pairs of an English sentence and its French translation.

    Example:
        >>> next(generate("test", num_examples=1, seed=0))
        ('The king watches her because Simon does not follow him.',
         'Le roi la regarde parce que Simon ne le suit pas.')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    # Seeded with a string, `Random` digests it the same way everywhere.
    rng = random.Random(f"{split} {seed}")
    texts: set[str] = set()
    while len(texts) < num_examples:
        writer = Writer(rng, split)
        english, french = writer.write()
        is_usual = writer.num_pairs and len(english.split()) in NUM_WORDS
        # The old car should not be old.
        repeats = len(set(writer.words)) < len(writer.words)
        if is_usual and not repeats and english not in texts:
            texts.add(english)
            yield english, french
