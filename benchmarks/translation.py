"""How fast a trained translator decodes: sentences in a second, by beam.

    python -m benchmarks.translation RUN [--data SPEC ...] [--beams 1 5]

translates the sources of a split with each beam in turns, several rounds, in
one process, and prints the median of each. The first round, which also traces
the graphs, does not count.
"""

import itertools
import statistics
import time

from apps.translation import evaluate, filters, predict, sources
from common import cli


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.translation", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.translation")
    parser.add_argument("--split", default="valid", help="whose sources")
    parser.add_argument("--limit", type=int, default=1_000, help="most of them")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--rounds", type=int, default=5)
    cli.add_overrides(parser, "data", "source", "target")
    args = parser.parse_args()
    predictors = {beam: predict.load(args.run, beam) for beam in args.beams}
    config = cli.override(predictors[args.beams[0]].config, args)
    split = evaluate.select(sources.open_splits(config), args.split)
    pairs = filters.usable(split, filters.Skipped())
    texts = [pair.source for pair in itertools.islice(pairs, args.limit)]
    seconds: dict[int, list[float]] = {beam: [] for beam in args.beams}
    for _ in range(args.rounds + 1):
        for beam, of_beam in predictors.items():
            started = time.perf_counter()
            of_beam.n_best(texts)
            seconds[beam].append(time.perf_counter() - started)
    for beam, values in seconds.items():
        median = statistics.median(values[1:])
        print(
            f"beam {beam}: {len(texts)} sentences in {median:.2f} s"
            f" ({min(values[1:]):.2f} to {max(values[1:]):.2f}),"
            f" {len(texts) / median:.0f} a second"
        )


if __name__ == "__main__":
    cli.main(main)
