"""Labels texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import io
import sys
from typing import cast

from common import cli, notes

from .config import predict_parser
from .predictor import load


def main() -> None:
    """Prints a line for each text: label, score, text."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    if not args.inputs and not args.file:
        parser.error("give texts, or --file FILE (- for standard input)")
    # A character that cannot be written, such as half of one, becomes "?".
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    predictor = load(args.run)
    texts = cli.read_inputs(args.inputs, args.file, args.encoding)
    texts = notes.print_notes(texts, predictor.describe_inputs)
    for text, (label, score) in predictor.predict(texts):
        print(f"{label}\t{score:.4f}\t{' '.join(text.split())}")


if __name__ == "__main__":
    cli.main(main)
