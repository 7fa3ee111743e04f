"""Draws two things on a light ground, never twice the same."""

import random
from collections.abc import Callable

import numpy as np

from .phrases import Facts

SIZE = 64  # Height and width of a picture.
# Half the width of a thing, in pixels: the largest "small" one covers less than
# the smallest "large" one, whatever their shapes.
RADII = {"small": (6.0, 7.5), "large": (11.0, 13.0)}
MARGIN = 1.0  # Between a thing and the edge, for the blur of its outline ...
GAP = 3.0  # ... and at least so much between two things.
# How far two things may lie off the line, as a share of their distance along
# it: "left of" must not look like "above".
SLANT = 0.5
SHADES = {
    "red": (212, 40, 45),
    "orange": (245, 135, 25),
    "yellow": (240, 215, 45),
    "green": (50, 165, 65),
    "blue": (45, 90, 210),
    "purple": (140, 60, 175),
}
NOISE = 3.0  # Standard deviation of a pixel's value.

# The middle of each pixel, in steps down and to the right.
_DOWN, _RIGHT = np.indices((SIZE, SIZE)).astype(np.float32) + 0.5


def draw(facts: Facts, rng: random.Random) -> np.ndarray:
    """Draws a picture of the facts.

    Args:
        facts: what is to be seen.
        rng: makes all that the facts do not say: places, sizes within their
            class, shades, the ground, noise.

    Returns:
        Pixels <uint8>[height, width, 3].

    Example:
        >>> from .phrases import parse
        >>> facts = parse("a small red ring above a large blue square")
        >>> draw(facts, random.Random(0)).shape
        (64, 64, 3)
    """
    first, relation, second = facts
    radii = [rng.uniform(*RADII[thing.size]) for thing in (first, second)]
    places = _places(radii, rng)
    pixels = _ground(rng)
    for thing, radius, place in zip(
        (first, second), radii, places, strict=True
    ):
        right, down = place if relation == "left of" else reversed(place)
        x, y = (_RIGHT - right) / radius, (_DOWN - down) / radius
        # One inside, zero outside, a blur of one pixel between.
        cover = np.clip(0.5 - radius * OUTLINES[thing.shape](x, y), 0, 1)
        pixels += cover[..., None] * (_shade(thing.colour, rng) - pixels)
    noise = np.random.default_rng(rng.getrandbits(64))
    pixels += NOISE * noise.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _places(
    radii: list[float], rng: random.Random
) -> list[tuple[float, float]]:
    """Finds room for two things of these radii, each on its half.

    Returns:
        For each, its place along the line from first to second, and across.
    """
    first, second = radii
    start, end = MARGIN, SIZE - MARGIN
    along = (
        rng.uniform(start + first, (SIZE - GAP) / 2 - first),
        rng.uniform((SIZE + GAP) / 2 + second, end - second),
    )
    across = rng.uniform(start + first, end - first)
    off = SLANT * (along[1] - along[0])
    other = rng.uniform(
        max(start + second, across - off), min(end - second, across + off)
    )
    return [(along[0], across), (along[1], other)]


def _ground(rng: random.Random) -> np.ndarray:
    """A light grey with a tint, a little darker to one side.

    Returns:
        <float32>[height, width, 3].
    """
    grey = rng.uniform(222, 246)
    tint = [grey + rng.uniform(-5, 5) for _ in range(3)]
    slope = rng.uniform(-8, 8) * _DOWN + rng.uniform(-8, 8) * _RIGHT
    return np.array(tint, np.float32) + (slope / SIZE)[..., None]


def _shade(colour: str, rng: random.Random) -> np.ndarray:
    """A shade <float32>[3] of a colour: lighter or darker, with a tint."""
    light = rng.uniform(0.9, 1.05)
    shade = [light * value + rng.uniform(-8, 8) for value in SHADES[colour]]
    return np.array(shade, np.float32)


# Distances <float32>[height, width] to the outline of a shape of radius one
# around the origin, less than zero inside; exact near straight outlines.


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - 1


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) - 0.9


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """On its base, as high as wide."""
    side = (2 * np.abs(x) - y - 1) / np.hypot(2, 1)
    return np.maximum(side, y - 1)


def _diamond(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(x) + np.abs(y) - 1) / np.sqrt(np.float32(2))


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = np.abs(x), np.abs(y)
    return np.maximum(np.maximum(x, y) - 1, np.minimum(x, y) - 0.35)


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(x, y) - 0.75) - 0.25


OUTLINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "diamond": _diamond,
    "cross": _cross,
    "ring": _ring,
}
