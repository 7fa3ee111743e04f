"""Times at which frames are shown, and the choice of frames at a rate."""

import math

# A step back by more seconds is no disorder: a recording was started anew.
RESTART = 1.0
# Some formats round times to milliseconds, both a frame's and the first one's.
TOLERANCE = 1e-3


class Clock:
    """Converts presentation times to seconds since the first frame.

    The times of a file may begin anywhere, be missing, or go back. The result
    never goes back; frames of one time stay at one time.

    Args:
        period: seconds from a frame to the next where a frame has no time.

    Example:
        >>> clock = Clock(period=0.5)
        >>> [clock.read(time) for time in (7.0, None, 8.25, 8.0, 0.0, 1.0)]
        [0.0, 0.5, 1.25, 1.25, 1.75, 2.75]
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._now = -period
        self._start: float | None = None

    def read(self, time: float | None) -> float:
        """Returns the seconds from the first frame to the next one.

        Args:
            time: its presentation time in seconds; None if it has none.
        """
        after = self._now + self._period
        if time is None:
            self._now = after
            return after
        start = self._start
        if start is None or time - start < self._now - RESTART:
            start = self._start = time - after
        self._now = max(self._now, time - start)
        return self._now


class Sampler:
    """Keeps the first frame shown at or after each of the times k / frame_rate.

    Args:
        frame_rate: frames a second to keep; 0 keeps all.

    Example:
        >>> sampler = Sampler(frame_rate=2)
        >>> times = (0, 0.2, 0.6, 0.9, 3.4, 3.5)
        >>> [time for time in times if sampler.keeps(time)]
        [0, 0.6, 3.4, 3.5]
    """

    def __init__(self, frame_rate: float) -> None:
        self._frame_rate = frame_rate
        self._next = 0  # The next k.

    def keeps(self, seconds: float) -> bool:
        """Returns True if the next frame is kept.

        Args:
            seconds: when it is shown; frames come in order.
        """
        if not self._frame_rate:
            return True
        reached = math.floor((seconds + TOLERANCE) * self._frame_rate)
        if reached < self._next:
            return False
        self._next = reached + 1
        return True
