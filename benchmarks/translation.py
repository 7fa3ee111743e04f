"""How fast a trained translator decodes: sentences in a second, by beam.

    python -m benchmarks.translation RUN [--data SPEC ...] [--beams 1 5]

translates the sources of a split with each beam in turns, several rounds, in
one process, and prints the median of each.
"""

import functools
import itertools

from apps.translation import data, predictor
from apps.translation.config import Config
from benchmarks import decoding
from common import cli, options
from common.data.skipped import Skipped
from common.data.splits import select


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.translation", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.translation")
    decoding.add_flags(parser, "sentences")
    options.add_overrides(parser, Config, "data", "source", "target")
    args = parser.parse_args()
    predictors = {beam: predictor.load(args.run, beam) for beam in args.beams}
    config = options.override(predictors[args.beams[0]].config, args)
    split = select(data.open_splits(config), args.split)
    pairs = data.usable(split, Skipped())
    texts = [pair.source for pair in itertools.islice(pairs, args.limit)]
    beams = {
        beam: functools.partial(with_beam.predict_n_best, texts)
        for beam, with_beam in predictors.items()
    }
    decoding.compare(beams, args.rounds, len(texts), "sentences")


if __name__ == "__main__":
    cli.main(main)
