"""Draws a shape on a textured ground, all frames of a clip at one time."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

PIXELS = 32  # Height and width of a frame.
RADII = (2.5, 6.5)  # Half the width of a shape, in pixels.
MARGIN = RADII[1] + 0.5  # From the edge to the middle of any shape.
OPACITIES = (0.3, 1.0)
DARK, BRIGHT = (20, 100), (90, 250)  # Ground and shape, in each channel.
CONTRAST = 140.0  # Least distance of the two, over all channels.
TEXTURE = 8.0  # Standard deviation of the ground's colour over the picture,
CELLS = 5  # which changes over a fifth of the picture.
NOISE = 3.0  # Standard deviation of a pixel's value, new in every frame.

# The middle of each pixel.
_MIDDLES = np.arange(PIXELS, dtype=np.float32) + 0.5


class Look(NamedTuple):
    """The shape, its colours and its place: the same in all of a clip.

    Attributes:
        shape: a key of `OUTLINES`.
        colour: <float32>[3], 0 to 255.
        ground: <float32>[height, width, 3].
    """

    shape: str
    colour: np.ndarray
    ground: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Look":
        """Draws a shape, a ground, and a colour that stands out from it."""
        ground = rng.uniform(*DARK, 3)
        colour = ground
        while np.linalg.norm(colour - ground) < CONTRAST:
            colour = rng.uniform(*BRIGHT, 3)
        shape = list(OUTLINES)[rng.integers(len(OUTLINES))]
        texture = TEXTURE * rng.standard_normal((CELLS, CELLS, 3))
        texture = np.einsum("yi,xj,ijc->yxc", _BLEND, _BLEND, texture)
        return cls(
            shape,
            colour.astype(np.float32),
            (ground + texture).astype(np.float32),
        )


def _blend() -> np.ndarray:
    """Weights <float>[height, cells] of the cells' colours on a line."""
    places = np.linspace(0, CELLS - 1, PIXELS)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(CELLS)))


_BLEND = _blend()


def draw(look: Look, path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws the frames of a clip.

    Args:
        look: what stays the same.
        path: <float>[time, 4] from 0 to 1: how far to the right, how far
            down, how large and how opaque the shape is.
        rng: makes the noise.

    Returns:
        Pixels <uint8>[time, height, width, 3].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draw(Look.random(rng), np.full((7, 4), 0.5), rng).shape
        (7, 32, 32, 3)
    """
    right, down, size, opacity = path.astype(np.float32).T[..., None, None]
    low, high = RADII
    radius = low * (high / low) ** size
    x = (_MIDDLES[None, None, :] - _place(right)) / radius
    y = (_MIDDLES[None, :, None] - _place(down)) / radius
    # One inside, zero outside, a blur of one pixel between.
    cover = np.clip(0.5 - radius * OUTLINES[look.shape](x, y), 0, 1)
    low, high = OPACITIES
    cover *= low + (high - low) * opacity
    pixels = cover[..., None] * (look.colour - look.ground)
    pixels += look.ground
    pixels += NOISE * rng.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _place(share: np.ndarray) -> np.ndarray:
    """Pixels from the edge to the middle of a shape."""
    return MARGIN + (PIXELS - 2 * MARGIN) * share


# Distances <float32>[time, height, width] to the outline of a shape of radius
# one around the origin, less than zero inside; exact near straight outlines.
# The origin is the middle of the area, so that growing moves no shape.


def _disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - 1


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) - 0.9


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """On its base, a little wider than high."""
    side = (1.5 * np.abs(x) - y - 1) / np.hypot(1.5, 1)
    return np.maximum(side, y - 0.5)


def _diamond(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(x) + np.abs(y) - 1) / np.sqrt(np.float32(2))


OUTLINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "diamond": _diamond,
}
