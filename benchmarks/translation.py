"""How fast a trained translator decodes: sentences in a second, by beam.

    python -m benchmarks.translation RUN [--data SPEC ...] [--beams 1 5]

translates the sources of a split with each beam in turns, several rounds, in
one process, and prints the median of each.
"""

import functools
import itertools

from apps.translation import datasets, evaluate, filters, predict
from benchmarks import decoding
from common import cli
from common.data.skipped import Skipped


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.translation", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.translation")
    decoding.add_flags(parser, "sentences")
    cli.add_overrides(parser, "data", "source", "target")
    args = parser.parse_args()
    predictors = {beam: predict.load(args.run, beam) for beam in args.beams}
    config = cli.override(predictors[args.beams[0]].config, args)
    split = evaluate.select(datasets.open_splits(config), args.split)
    pairs = filters.usable(split, Skipped())
    texts = [pair.source for pair in itertools.islice(pairs, args.limit)]
    beams = {
        beam: functools.partial(of_beam.n_best, texts)
        for beam, of_beam in predictors.items()
    }
    decoding.compare(beams, args.rounds, len(texts), "sentences")


if __name__ == "__main__":
    cli.main(main)
