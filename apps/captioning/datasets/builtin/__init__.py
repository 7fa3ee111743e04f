"""Pictures of two things, made in memory, each with five captions.

A caption names the size, the colour and the shape of both things and how they
lie: "there is a small red ring to the left of a large blue cross". Each of
these has to be seen: sizes, places and shades vary, all facts are equally
frequent, and one guess for all pictures is never right. `parse` reads a
caption back, so that evaluation can count the captions in which every fact is
right.

What is held out: `owner` lays a square over the pairs of things, each of a
colour and a shape, and gives 6/8 of the pairs to train, 1/8 to valid, 1/8 to
test. So no captions can occur in two splits, and a model has to put together
what it has never seen together. Every thing occurs in train.
"""

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from common.data.splits import SPLITS

from .phrases import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    Facts,
    Thing,
    captions,
    parse,
)
from .render import draw

__all__ = ["Facts", "Scene", "Thing", "generate", "owner", "parse"]

Kind = tuple[str, str]  # Colour and shape.
KINDS: list[Kind] = list(itertools.product(COLOURS, SHAPES))


class Scene(NamedTuple):
    """One example.

    Attributes:
        name: of the file, if it were one, as "valid-00012.png".
        png: the content of the file, 64 x 64 pixels.
        captions: five different ones, which say the same.
    """

    name: str
    png: bytes
    captions: tuple[str, ...]


def generate(split: str, size: int, seed: int) -> Iterator[Scene]:
    """Makes the scenes of one split, the same for the same arguments.

    Args:
        split: "train", "valid" or "test".
        size: how many scenes; a smaller size gives the first of a larger.
        seed: another seed gives other scenes of the same split.

    Yields:
        The scenes. No two pictures are equal.

    Example:
        >>> (scene,) = generate("train", size=1, seed=0)
        >>> scene.name, scene.captions[4]
        ('train-00000.png',
         'a small blue square with a small green triangle to its left')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    # Seeded with a string, `Random` digests it the same way everywhere.
    rng = random.Random(f"{split} {seed}")
    for index in range(size):
        facts = _invent(split, rng)
        png = tf.io.encode_png(draw(facts, rng)).numpy()
        yield Scene(f"{split}-{index:05}.png", png, captions(facts))


def owner(one: Kind, other: Kind) -> str:
    """The split to which pictures of two kinds of things belong.

    Example:
        >>> [owner(("red", "circle"), ("red", shape)) for shape in SHAPES]
        ['train', 'train', 'train', 'train', 'train', 'train']
        >>> owner(("red", "ring"), ("red", "square"))
        'valid'
    """
    diagonal = KINDS.index(one) + KINDS.index(other)
    return (*["train"] * 6, "valid", "test")[diagonal % 8]


def _invent(split: str, rng: random.Random) -> Facts:
    """Chooses two things that differ by more than their sizes."""
    while True:
        kinds = rng.sample(KINDS, 2)
        if owner(*kinds) == split:
            first, second = (Thing(rng.choice(SIZES), *kind) for kind in kinds)
            return Facts(first, rng.choice(RELATIONS), second)
