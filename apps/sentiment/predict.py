"""Labels texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import functools
import io
import sys
from typing import cast

from common import cli, options
from common.data import tables

from .config import predict_parser
from .predictor import Prediction, load


def format_line(text: str, prediction: Prediction) -> str:
    """Returns label, score and text, with tabs between them."""
    words = " ".join(text.split())
    return f"{prediction.label}\t{prediction.score:.4f}\t{words}"


def main() -> None:
    """Prints a line for each text: label, score, text."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    cli.choose_inputs(parser, args, "texts")
    # A character that cannot be written, such as half of one, becomes "?".
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    predictor = load(args.run)
    config = options.override(predictor.config, args)
    read_table = functools.partial(
        tables.read_column,
        flag="--text-column",
        name=config.text_column,
        encoding=args.encoding,
    )
    texts = cli.read_inputs(args.inputs, args.file, args.encoding, read_table)
    for text, prediction in predictor.predict(texts):
        if args.json:
            cli.print_json({"text": text, **prediction._asdict()})
        else:
            print(format_line(text, prediction))


if __name__ == "__main__":
    cli.main(main)
