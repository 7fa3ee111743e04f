"""How fast a trained captioner decodes: images in a second, by beam.

    python -m benchmarks.captioning RUN [--data SPEC ...] [--beams 1 5]

captions the images of a split with each beam in turns, several rounds, in one
process, and prints the median of each; from features where the model was
trained on a features file, else from the picture files. The first round, which
also traces the graphs, does not count.
"""

import statistics
import time

from apps.captioning import batches, evaluate, predictor, sources
from common import cli


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.captioning", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.captioning")
    parser.add_argument("--split", default="valid", help="whose images")
    parser.add_argument("--limit", type=int, default=1_000, help="most of them")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--rounds", type=int, default=5)
    cli.add_overrides(parser, "data", "features")
    args = parser.parse_args()
    predictors = {beam: predictor.load(args.run, beam) for beam in args.beams}
    config = cli.override(predictors[args.beams[0]].config, args)
    given = None
    if config.features:
        given = predictors[args.beams[0]].open_features(config.features)
    found = sources.read(config, given.rows if given else None)
    examples = evaluate.select(found.splits, args.split)[: args.limit]
    views = batches.Features(examples, given) if given else None
    seconds: dict[int, list[float]] = {beam: [] for beam in args.beams}
    for _ in range(args.rounds + 1):
        for beam, of_beam in predictors.items():
            started = time.perf_counter()
            evaluate.collect(of_beam, examples, views)
            seconds[beam].append(time.perf_counter() - started)
    for beam, values in seconds.items():
        median = statistics.median(values[1:])
        print(
            f"beam {beam}: {len(examples)} images in {median:.2f} s"
            f" ({min(values[1:]):.2f} to {max(values[1:]):.2f}),"
            f" {len(examples) / median:.0f} a second"
        )


if __name__ == "__main__":
    cli.main(main)
