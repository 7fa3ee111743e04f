"""Clips of one moving shape, made in memory, with the tags of every frame.

A tag says what the shape does: it goes right, it grows, it vanishes, it stays
as it is. No single picture shows this: place, size, opacity, colour and ground
are alike under every tag (`motion` tells how). A model has to compare a frame
with the one before it, and with several to know "bouncing", which goes up and
down as "up" and "down" do, but turns every two or three frames.

The tag of a frame is what happened since the frame before, so that a model of
the past alone can know it. The first frame of a clip has the tag of the second.

With `multi_label`, the shape changes its place, its size and its opacity at
one time, each for itself; a frame has up to three tags, and "still" means that
nothing at all happens.

What is held out: clips of other splits come from other random numbers.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from common.data.splits import SPLITS

from .motion import TAGS, move
from .render import Look, draw

__all__ = ["RATE", "TAGS", "Scene", "generate"]

RATE = 12.0  # Frames a second.
NUM_FRAMES = 48  # Of a clip.

# What changes at one time. Rest stands there more often than once: or else all
# three would hardly ever rest together.
SINGLE = (TAGS,)
TRACKS = (
    (*["still"] * 3, "left", "right", "up", "down", "bouncing"),
    (*["still"] * 6, "growing", "shrinking"),
    (*["still"] * 6, "appearing", "vanishing"),
)


class Scene(NamedTuple):
    """One clip.

    Attributes:
        name: of the video, if it were a file, as "valid-00012".
        frames: pixels <uint8>[time, 32, 32, 3], RGB.
        lines: for each frame its tag, or its tags in the order of `TAGS`,
            separated by spaces.
    """

    name: str
    frames: np.ndarray
    lines: tuple[str, ...]


def generate(
    split: str, num: int, seed: int, multi_label: bool = False
) -> Iterator[Scene]:
    """Makes the clips of one split, the same for the same arguments.

    Args:
        split: "train", "valid" or "test".
        num: how many clips; a smaller number gives the first of a larger.
        seed: another seed gives other clips of the same split.
        multi_label: a set of tags for each frame, not one tag.

    Yields:
        The clips.

    Example:
        >>> (scene,) = generate("train", num=1, seed=0)
        >>> scene.name, scene.frames.shape, scene.frames.dtype
        ('train-00000', (48, 32, 32, 3), dtype('uint8'))
        >>> len(scene.lines), set(scene.lines) <= set(TAGS)
        (48, True)
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    for index in range(num):
        rng = np.random.default_rng([seed, SPLITS.index(split), index])
        path, lines = _act(rng, TRACKS if multi_label else SINGLE)
        frames = draw(Look.random(rng), path, rng)
        yield Scene(f"{split}-{index:05}", frames, lines)


def _act(
    rng: np.random.Generator, tracks: tuple[tuple[str, ...], ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lets every track go its own way.

    Returns:
        Where the shape is <float>[time, 4], see `motion`, and the lines.
    """
    moves = [move(rng, tags, NUM_FRAMES) for tags in tracks]
    path = moves[0].path
    if len(moves) > 1:
        # Place, size and opacity, each of its own track.
        size, opacity = (x.path[:, [i]] for i, x in enumerate(moves[1:], 2))
        path = np.concatenate([path[:, :2], size, opacity], axis=1)
    sets = zip(*(x.tags for x in moves), strict=True)
    return path, tuple(map(_line, sets))


def _line(tags: tuple[str, ...]) -> str:
    """Writes the tags of a frame.

    Example:
        >>> _line(("still", "shrinking", "still"))
        'shrinking'
        >>> _line(("up", "still", "appearing")), _line(("still",) * 3)
        ('up appearing', 'still')
    """
    happens = sorted({*tags} - {"still"}, key=TAGS.index)
    return " ".join(happens) or "still"
