"""Translates texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from common import cli, notes
from common.decoding.sampling import Sampling
from common.errors import UserError

from . import plots
from .config import predict_parser
from .predictor import Predictor, Translation, load


def format_lines(translations: list[Translation], n_best: int) -> Iterator[str]:
    """Yields a line for each translation; with n-best, its score before it."""
    for translation in translations[: max(n_best, 1)]:
        line = " ".join(translation.text.splitlines())
        yield f"{translation.score:.4f}\t{line}" if n_best else line


def _check_n_best(n_best: int, most: int) -> None:
    if n_best > most:
        raise UserError(
            f"--n-best {n_best}: more than the {most} that are found; pass a"
            " greater --beam, without --sample"
        )


def _plot_attention(predictor: Predictor, text: str, path: str) -> None:
    if predictor.config.attention == "none":
        raise UserError("--attention-plot: this model was trained without one")
    plots.plot_attention(*predictor.align_fn(text), Path(path))


def main() -> None:
    """Prints the translations of each text."""
    parser = predict_parser()
    args = parser.parse_intermixed_args()
    if not args.inputs and not args.file:
        parser.error("give texts, or --file FILE (- for standard input)")
    if args.attention_plot and not args.inputs:
        parser.error("--attention-plot needs a text as an argument")
    # A character that cannot be written, such as half of one, becomes "?".
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    sampling = Sampling(args.seed, args.temperature, args.top_k, args.top_p)
    predictor = load(args.run, args.beam, sampling if args.sample else None)
    _check_n_best(args.n_best, 1 if args.sample else predictor.config.beam)
    if args.attention_plot:
        _plot_attention(predictor, args.inputs[0], args.attention_plot)
    texts = cli.read_inputs(args.inputs, args.file, args.encoding)
    texts = notes.print_notes(texts, predictor.describe_inputs)
    for _, translations in predictor.predict(texts):
        for line in format_lines(translations, args.n_best):
            print(line)


if __name__ == "__main__":
    cli.main(main)
