"""Counts of examples that a loader left out, with reasons and places."""

import collections

from common.characters import printable

# Places of each reason that a report names.
NUM_PLACES = 5


class Skipped:
    """Counts of skipped examples by reason, with the first places of each.

    Attributes:
        counts: the number of skipped examples of each reason.
        places: up to NUM_PLACES places of each reason, such as `a.txt:3`.

    Example:
        >>> skipped = Skipped()
        >>> skipped.add("without a caption", "dog.jpg")
        >>> skipped.report()
        {'without a caption': {'count': 1, 'first': ['dog.jpg']}}
        >>> print(*format_report(skipped.report()))
        skipped: 1 (without a caption): dog.jpg
    """

    def __init__(self) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.places: dict[str, list[str]] = {}

    def add(self, reason: str, where: str) -> None:
        """Counts one example, and names its place among the first ones."""
        self.counts[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < NUM_PLACES:
            places.append(where)

    def update(self, other: "Skipped") -> None:
        """Adds all counts and places of another one."""
        self.counts.update(other.counts)
        for reason, more in other.places.items():
            places = self.places.setdefault(reason, [])
            places += more[: NUM_PLACES - len(places)]

    def report(self) -> dict:
        """Returns count and first places of each reason, for JSON."""
        return {
            reason: {"count": count, "first": self.places[reason]}
            for reason, count in self.counts.items()
        }


def format_empty(report: dict, need: str) -> list[str]:
    """Formats a line for each split of which nothing can be used.

    Args:
        report: of a data set; each split has its number of "examples".
        need: what the examples do not have.

    Example:
        >>> format_empty({"data": "a", "test": {"examples": 0}}, "a label")
        ['test: no example in it has a label; training goes on without it']
    """
    return [
        f"{name}: no example in it has {need}; training goes on without it"
        for name, entry in report.items()
        if isinstance(entry, dict) and entry.get("examples") == 0
    ]


def format_report(report: dict) -> list[str]:
    """Formats the result of `Skipped.report`, a line for each reason."""
    lines = []
    for reason, skipped in report.items():
        more = ", ..." if skipped["count"] > len(skipped["first"]) else ""
        places = ", ".join(skipped["first"]) + more
        line = f"skipped: {skipped['count']} ({reason}): {places}"
        lines.append(printable(line))
    return lines
