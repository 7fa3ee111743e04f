"""How fast a trained captioner decodes: images in a second, by beam.

    python -m benchmarks.captioning RUN [--data SPEC ...] [--beams 1 5]

captions the images of a split with each beam in turns, several rounds, in one
process, and prints the median of each; from features where the model was
trained on a features file, else from the picture files.
"""

import functools

from apps.captioning import batches, datasets, evaluate, predictor
from benchmarks import decoding
from common import cli


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.captioning", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.captioning")
    decoding.add_flags(parser, "images")
    cli.add_overrides(parser, "data", "features")
    args = parser.parse_args()
    predictors = {beam: predictor.load(args.run, beam) for beam in args.beams}
    first = predictors[args.beams[0]]
    config = cli.override(first.config, args)
    given = first.open_features(config.features) if config.features else None
    found = datasets.read(config, given.rows if given else None)
    examples = evaluate.select(found.splits, args.split)[: args.limit]
    views = batches.Features(examples, given) if given else None
    beams = {
        beam: functools.partial(evaluate.collect, of_beam, examples, views)
        for beam, of_beam in predictors.items()
    }
    decoding.compare(beams, args.rounds, len(examples), "images")


if __name__ == "__main__":
    cli.main(main)
