"""Labels texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import functools

from common import cli, notes, options
from common.characters import printable
from common.data import tables

from .config import predict_parser
from .predictor import Prediction, load


def format_line(text: str, prediction: Prediction) -> str:
    """Returns label, score and text, with tabs between them."""
    label = printable(prediction.label)
    words = printable(" ".join(text.split()))
    return f"{label}\t{prediction.score:.4f}\t{words}"


def to_json(text: str, prediction: Prediction) -> dict:
    """Returns a text, its label and score, and the score of each label."""
    return {"text": text, **prediction._asdict()}


def main() -> None:
    """Prints a line for each text: label, score, text."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    cli.choose_inputs(parser, args, "texts")
    predictor = load(args.run)
    config = options.override(predictor.config, args)
    read_table = functools.partial(
        tables.read_column,
        flag="--text-column",
        name=config.text_column,
        encoding=args.encoding,
        delimiter=config.delimiter,
    )
    texts = cli.read_inputs(args.inputs, args.file, args.encoding, read_table)
    texts = notes.print_notes(texts, predictor.describe_inputs)
    for answer in cli.answer_inputs(predictor.predict, texts):
        if args.json:
            cli.print_json(answer and to_json(*answer))
        elif answer:
            print(format_line(*answer))
        else:  # A line that cannot be read, and was told.
            print()


if __name__ == "__main__":
    cli.main(main)
