"""When the frames of a video are shown, and which of them are kept."""

import math

# A step back by more seconds is no disorder: a recording was started anew.
RESTART = 1.0
# Some formats round times to milliseconds, both a frame's and the first one's.
TOLERANCE = 1e-3


class Clock:
    """Makes seconds since the first frame of whatever a file says.

    Its times may begin anywhere, be missing, or go back. What comes out never
    goes back; frames of one time stay at one time.

    Example:
        >>> clock = Clock(period=0.5)
        >>> [clock.read(time) for time in (7.0, None, 8.25, 8.0, 0.0, 1.0)]
        [0.0, 0.5, 1.25, 1.25, 1.75, 2.75]
    """

    def __init__(self, period: float) -> None:
        """Starts before the first frame.

        Args:
            period: seconds from a frame to the next where nothing is said.
        """
        self._period = period
        self._now = -period
        self._start: float | None = None

    def read(self, time: float | None) -> float:
        """Seconds since the first frame of the next one.

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
    """Keeps the first frame shown at or after each of the times k / rate.

    Example:
        >>> sampler = Sampler(rate=2)
        >>> times = (0, 0.2, 0.6, 0.9, 3.4, 3.5)
        >>> [time for time in times if sampler.keeps(time)]
        [0, 0.6, 3.4, 3.5]
    """

    def __init__(self, rate: float) -> None:
        """Starts at time 0.

        Args:
            rate: frames a second to keep; 0 keeps all.
        """
        self._rate = rate
        self._next = 0  # The next k.

    def keeps(self, seconds: float) -> bool:
        """Whether the next frame is kept; frames are asked for in order."""
        if not self._rate:
            return True
        reached = math.floor((seconds + TOLERANCE) * self._rate)
        if reached < self._next:
            return False
        self._next = reached + 1
        return True
