"""The moves of a shape: random segments; no single moment tells the tag.

A shape is described by four numbers from 0 to 1: how far it is to the right,
how far down, how large and how opaque. A segment changes one of them, or none,
for some frames.

Chosen carelessly, the numbers would tell the tag: what moves needs room, so on
its way it lies rather in the middle, and what rests may lie at the edge. Here
what rests is as rare at the edge: a change that fits is preferred to rest by
one over `_room`, the share of all changes that would fit around the place. And
what does not fit is drawn anew, tag and all, never bent: then a way is as
frequent as the same way backwards, and "left" looks as "right" does.
"""

from typing import NamedTuple

import numpy as np

TAGS = (
    "still",
    "left",
    "right",
    "up",
    "down",
    "growing",
    "shrinking",
    "appearing",
    "vanishing",
    "bouncing",
)
RIGHT, DOWN, SIZE, OPACITY = range(4)
# Which number changes, and where to.
CHANGES = {
    "left": (RIGHT, -1),
    "right": (RIGHT, 1),
    "up": (DOWN, -1),
    "down": (DOWN, 1),
    "growing": (SIZE, 1),
    "shrinking": (SIZE, -1),
    "appearing": (OPACITY, 1),
    "vanishing": (OPACITY, -1),
    "bouncing": (DOWN, 0),
}
# The same by places in `TAGS`; -1 where nothing changes.
DIMENSIONS = np.array([CHANGES.get(tag, (-1, 0))[0] for tag in TAGS])
SIGNS = np.array([CHANGES.get(tag, (-1, 0))[1] for tag in TAGS])
LENGTHS = np.arange(6, 15)  # Frames of a segment.
SPEEDS = (0.06, 0.13)  # Change in a frame.
HEIGHT = 0.75  # Of all jumps of a segment together, as a share of its way.
NUM_DRAWN = 128  # Segments drawn, of which one is chosen.
# Ways of segments at moments: a moment falls into a long one more often.
TRAVELS = np.outer(np.repeat(LENGTHS, LENGTHS), np.linspace(*SPEEDS, 8)).ravel()


class Moves(NamedTuple):
    """The moves of a shape.

    Attributes:
        path: the four numbers <float>[time, 4].
        tags: of every frame, what happened since the one before; of the first
            frame that of the second.
    """

    path: np.ndarray
    tags: list[str]


class Segment(NamedTuple):
    """One thing that the shape does for some frames, starting at `start`."""

    tag: str
    start: np.ndarray
    length: int
    travel: float  # Speed times length.

    def path(self) -> np.ndarray:
        """The four numbers <float>[length, 4] after each of its frames."""
        path = np.repeat(self.start[None], self.length, axis=0)
        if self.tag in CHANGES:
            dimension, sign = CHANGES[self.tag]
            done = np.arange(1, self.length + 1) / self.length
            if not sign:
                jumps = np.sin(np.pi * num_jumps(self.length) * done)
                done = height(self.length) * np.abs(jumps)
            path[:, dimension] += (sign or -1) * self.travel * done
        return path


def num_jumps(length: np.ndarray | int) -> np.ndarray:
    """Returns the bounces of a shape in so many frames: every 3 to 6 frames."""
    return np.maximum(2, np.asarray(length) // 4)


def height(length: np.ndarray | int) -> np.ndarray:
    """Returns the height of a jump, as a share of the way that "up" goes."""
    return HEIGHT / num_jumps(length)


def move(
    rng: np.random.Generator, tags: tuple[str, ...], num_frames: int
) -> Moves:
    """Lets a shape do one thing after another, never the same twice running.

    Args:
        rng: decides everything.
        tags: what it may do, also "still", so that there always is something
            that fits; what occurs twice is twice as frequent.
        num_frames: how many frames.

    Returns:
        What it does.

    Example:
        >>> tags = ("still", "right", "left")
        >>> moves = move(np.random.default_rng(0), tags, 48)
        >>> steps = np.diff(moves.path[:, RIGHT])
        >>> named = np.array(tags)[np.sign(steps).astype(int)]
        >>> named.tolist() == moves.tags[1:]  # tags[-1] is "left" here.
        True
    """
    # Long enough to forget the start; and a clip starts anywhere in a segment.
    skipped = int(rng.integers(2 * LENGTHS[-1], 3 * LENGTHS[-1]))
    segments: list[Segment] = []
    start, before, missing = rng.uniform(0.2, 0.8, 4), "", skipped + num_frames
    while missing > 0:
        segments.append(_draw(rng, tags, start, before))
        start, before = segments[-1].path()[-1], segments[-1].tag
        missing -= segments[-1].length
    shown = slice(skipped, skipped + num_frames)
    path = np.concatenate([x.path() for x in segments])[shown]
    names = [x.tag for x in segments for _ in range(x.length)][shown]
    return Moves(path, [names[1], *names[1:]])


def _draw(
    rng: np.random.Generator,
    tags: tuple[str, ...],
    start: np.ndarray,
    before: str,
) -> Segment:
    """Draws segments, and chooses one that fits and has another tag."""
    pool = np.array([TAGS.index(tag) for tag in tags if tag != before])
    ids = pool[rng.integers(len(pool), size=NUM_DRAWN)]
    lengths = LENGTHS[rng.integers(len(LENGTHS), size=NUM_DRAWN)]
    travel = lengths * rng.uniform(*SPEEDS, NUM_DRAWN)
    # Which share of the way lies below its start: what bounces has the height
    # of a jump there, at least.
    share = height(lengths)
    share += (1 - share) * rng.random(NUM_DRAWN)
    share = np.where(SIGNS[ids] == 0, share, SIGNS[ids] < 0)
    low = start[DIMENSIONS[ids]] - share * travel
    fits = (low >= 0) & (low + travel <= 1)
    weights = np.where(
        DIMENSIONS[ids] < 0, 1, fits / _room(start)[DIMENSIONS[ids]]
    )
    if not weights.any():  # Seldom: in the middle, all were too long.
        return _draw(rng, tags, start, before)
    chosen = rng.choice(NUM_DRAWN, p=weights / weights.sum())
    return Segment(
        TAGS[ids[chosen]], start, int(lengths[chosen]), float(travel[chosen])
    )


def _room(places: np.ndarray) -> np.ndarray:
    """The share of changes that fit around places, <float>[4], all from 0 to 1.

    Of each change the place is any moment: it fits if what lies below it is
    not below 0, and what lies above it not above 1.
    """
    places = places[:, None]
    least = np.maximum(0, 1 - (1 - places) / TRAVELS)
    most = np.minimum(1, places / TRAVELS)
    return np.maximum(1e-9, np.maximum(0, most - least).mean(1))
