"""How fast a trained captioner decodes: images in a second, by beam.

    python -m benchmarks.captioning RUN [--data SPEC ...] [--beams 1 5]

captions the images of a split with each beam in turns, several rounds, in one
process, and prints the median of each; from features where the model was
trained on a features file, else from the picture files.
"""

import functools
import itertools

from apps.captioning import batches, data, evaluate, predictor
from apps.captioning.config import Config
from benchmarks import decoding
from common import cli, options
from common.data.skipped import Skipped
from common.data.splits import select


def main() -> None:
    """Reads the command line and prints a line for each beam."""
    parser = cli.Parser("benchmarks.captioning", __doc__ or "")
    parser.add_argument("run", help="a run folder of apps.captioning")
    decoding.add_flags(parser, "images")
    options.add_overrides(parser, Config, "data", "features")
    args = parser.parse_args()
    predictors = {beam: predictor.load(args.run, beam) for beam in args.beams}
    first = predictors[args.beams[0]]
    config = options.override(first.config, args)
    stored = first.open_features(config.features) if config.features else None
    splits = data.open_splits(config, Skipped(), stored)
    split = select(splits, args.split)
    examples = list(itertools.islice(split, args.limit))
    loader = batches.FeatureLoader(examples, stored) if stored else None
    predict_fns = {
        beam: functools.partial(
            evaluate.predict_split, with_beam, examples, loader
        )
        for beam, with_beam in predictors.items()
    }
    decoding.compare(predict_fns, args.rounds, len(examples), "images")


if __name__ == "__main__":
    cli.main(main)
