"""What a loader left out: how much, why, and where it stood."""

import collections

# Places of each reason that a report names.
NUM_PLACES = 5


class Skipped:
    """Counts what is left out, by reason, and notes the first places.

    Example:
        >>> skipped = Skipped()
        >>> skipped.note("without a caption", "dog.jpg")
        >>> skipped.report()
        {'without a caption': {'count': 1, 'first': ['dog.jpg']}}
        >>> print(*lines(skipped.report()))
        skipped: 1 (without a caption): dog.jpg
    """

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.places: dict[str, list[str]] = {}

    def note(self, reason: str, where: str) -> None:
        """Notes one example."""
        self.counts[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < NUM_PLACES:
            places.append(where)

    def add(self, other: "Skipped") -> None:
        """Notes all that another one did."""
        for reason, places in other.places.items():
            self.counts[reason] += other.counts[reason]
            known = self.places.setdefault(reason, [])
            known += places[: NUM_PLACES - len(known)]

    def report(self) -> dict:
        """Reason to count and first places."""
        return {
            reason: {"count": count, "first": self.places[reason]}
            for reason, count in self.counts.items()
        }


def lines(report: dict) -> list[str]:
    """What `Skipped.report` says, a line for each reason, for the screen."""
    result = []
    for reason, skipped in report.items():
        more = ", ..." if skipped["count"] > len(skipped["first"]) else ""
        places = ", ".join(skipped["first"]) + more
        result.append(f"skipped: {skipped['count']} ({reason}): {places}")
    return result
