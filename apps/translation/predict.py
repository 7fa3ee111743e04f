"""Translates texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common import cli, notes
from common.characters import printable
from common.data import tables, text_files
from common.decoding.sampling import Sampling
from common.errors import UserError

from . import plots
from .config import Config, predict_parser
from .datasets import tab_separated
from .predictor import Predictor, Translation, load


class Answer(NamedTuple):
    """A translation of `--json`, and its score."""

    translation: str
    score: float


def format_lines(translations: list[Translation], n_best: int) -> Iterator[str]:
    """Yields a line for each translation; with n-best, its score before it."""
    for translation in translations[: max(n_best, 1)]:
        line = printable(" ".join(translation.text.splitlines()))
        yield f"{translation.score:.4f}\t{line}" if n_best else line


def to_json(text: str, translations: list[Translation], n_best: int) -> dict:
    """Returns a text, its translation, and all of them with their scores."""
    best = translations[: n_best or None]
    rows = [Answer(x.text, x.score)._asdict() for x in best]
    return {"text": text, **rows[0], "n_best": rows}


def read_table(
    path: Path, column: str, config: Config, encoding: str
) -> Iterator[str]:
    """Yields the source sentences of a table.

    Args:
        path: a `.tsv` file as `train` takes it, its columns without names; or
            a `.csv` or `.jsonl` file.
        column: with the sentences, where columns have names.
        config: says by `reverse` which column of a `.tsv` is the source.
        encoding: of the file.

    Raises:
        UserError: if it cannot be read, or has no such column.
    """
    if text_files.suffix(path) == ".tsv":
        form = tab_separated.Form(encoding, config.delimiter)
        columns = tab_separated.choose_columns(path, config.reverse, form)
        pairs = tab_separated.read(path, columns, form, is_paired=False)
        return (pair.source for pair in pairs)
    return tables.read_column(path, "--text-column", column, encoding)


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
    cli.choose_inputs(parser, args, "texts")
    if args.attention_plot and not args.inputs:
        parser.error("--attention-plot needs a text as an argument")
    sampling = Sampling(args.seed, args.temperature, args.top_k, args.top_p)
    predictor = load(args.run, args.beam, sampling if args.sample else None)
    _check_n_best(args.n_best, 1 if args.sample else predictor.config.beam)
    if args.attention_plot:
        _plot_attention(predictor, args.inputs[0], args.attention_plot)
    config, encoding = predictor.config, args.encoding
    texts = cli.read_inputs(
        args.inputs,
        args.file,
        encoding,
        lambda path: read_table(path, args.text_column, config, encoding),
    )
    texts = notes.print_notes(texts, predictor.describe_inputs)
    for answer in cli.answer_inputs(predictor.predict, texts):
        if args.json:
            cli.print_json(answer and to_json(*answer, args.n_best))
        elif answer:
            for line in format_lines(answer[1], args.n_best):
                print(line)
        else:  # A line that cannot be read, and was told.
            print()


if __name__ == "__main__":
    cli.main(main)
