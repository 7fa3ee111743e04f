"""Labels texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

from common import cli

from .config import predict_parser
from .predictor import load


def main() -> None:
    """Prints a line for each text: label, score, text."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    if not args.inputs and not args.file:
        parser.error("give texts, or --file FILE (- for standard input)")
    predictor = load(args.run)
    texts = cli.read_inputs(args.inputs, args.file, args.encoding)
    for answer in cli.answer_inputs(predictor.predict, texts):
        if answer is None:  # A line that cannot be read, told already.
            print()
            continue
        text, (label, score) = answer
        print(f"{label}\t{score:.4f}\t{' '.join(text.split())}")


if __name__ == "__main__":
    cli.main(main)
