"""Beams that take turns: how fast a trained model decodes."""

import statistics
import time
from collections.abc import Callable, Mapping

from common import cli


def add_flags(parser: cli.Parser, what: str) -> None:
    """Adds what the benchmarks of decoding have in common.

    Args:
        parser: of the benchmark.
        what: is decoded, such as "sentences".
    """
    add = parser.add_argument
    add("--split", default="valid", help=f"whose {what}")
    add("--limit", type=int, default=1_000, help="most of them")
    add("--beams", type=int, nargs="+", default=[1, 5])
    add("--rounds", type=int, default=5)


def compare(
    beams: Mapping[int, Callable[[], object]],
    rounds: int,
    count: int,
    what: str,
) -> None:
    """Runs the beams in turns and prints the median time of each.

    The first round, which also traces the graphs, does not count.

    Args:
        beams: what to run, by the width of the beam.
        rounds: how often each counts.
        count: how many rows a run decodes.
        what: they are, such as "sentences".
    """
    seconds: dict[int, list[float]] = {beam: [] for beam in beams}
    for _ in range(rounds + 1):
        for beam, decode in beams.items():
            started = time.perf_counter()
            decode()
            seconds[beam].append(time.perf_counter() - started)
    for beam, values in seconds.items():
        median = statistics.median(values[1:])
        print(
            f"beam {beam}: {count} {what} in {median:.2f} s"
            f" ({min(values[1:]):.2f} to {max(values[1:]):.2f}),"
            f" {count / median:.0f} a second"
        )
