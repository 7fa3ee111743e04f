"""Translates texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import dataclasses
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf

from common import cli, export
from common.data import text_files
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.training import runs, trained

from . import pipeline, plots
from .config import Config

BATCH_SIZE = 64
# Texts that are looked at together, so that like lengths share a batch.
WINDOW = 2048

# <string>[batch] to translations <string>[batch, n] and scores [batch, n].
Answer = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Translation(NamedTuple):
    """One of several translations of a text.

    Attributes:
        score: the greater, the likelier; see `beam_search.Penalties`.
        text: the translation.
    """

    score: float
    text: str


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        answer: see `Answer`.
        model: the model itself; None of an export.
    """

    config: Config
    answer: Answer
    model: pipeline.Translator | None = None

    def n_best(self, texts: list[str]) -> list[list[Translation]]:
        """Translates a list of texts, in batches of similar length.

        Args:
            texts: any texts, the empty one included; all of their length is
                translated.

        Returns:
            For each text its translations, best first.
        """
        result: list[list[Translation]] = [[] for _ in texts]
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            batch = [texts[row].encode("utf-8", "replace") for row in rows]
            translations, scores = self.answer(tf.constant(batch))
            for row, found, values in zip(
                rows, translations.numpy(), scores.numpy(), strict=True
            ):
                result[row] = [
                    Translation(float(score), text.decode("utf-8", "replace"))
                    for text, score in zip(found, values, strict=True)
                ]
        return result


def load(path: str, beam: int | None = None) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Args:
        path: the folder.
        beam: in place of the beam of the run's config.

    Raises:
        UserError: if it is neither, has no finished epoch, or is an export
            and should take another beam.
    """
    if beam is not None and beam < 1:
        raise UserError(f"--beam must be at least 1, got {beam}")
    folder = Path(path)
    saved_model = export.find_saved_model(folder)
    if saved_model:
        predictor = _load_export(saved_model)
        if beam is not None:
            _model_of(predictor, "--beam")
        return predictor
    return of_model(pipeline.load(trained.find(path)), beam)


def of_model(model: pipeline.Translator, beam: int | None = None) -> Predictor:
    """A predictor of a model in memory, with its beam or another one."""
    answer = tf.function(
        lambda text: model(text, beam=beam),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    return Predictor(model.config, answer, model)


def _load_export(folder: Path) -> Predictor:
    loaded = tf.saved_model.load(str(folder))

    def answer(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Through `loaded`: the signature alone does not keep its variables.
        found = loaded.signatures["n_best"](text=text)
        return found["translations"], found["scores"]

    return Predictor(runs.load_config(folder, Config), answer)


def _model_of(predictor: Predictor, flag: str) -> pipeline.Translator:
    if predictor.model is None:
        raise UserError(
            f"{flag} needs the run folder: an export answers with the beam it"
            " was made with"
        )
    return predictor.model


def inputs(texts: list[str], file: str, encoding: str) -> Iterator[str]:
    """The texts of the command line, then those of the file, one a line."""
    yield from texts
    if file:
        path = None if file == "-" else Path(file)
        yield from text_files.read_lines_leniently(path, encoding)


def translate(
    predictor: Predictor, texts: Iterable[str]
) -> Iterator[list[Translation]]:
    """Yields the translations of each text, in order."""
    texts = iter(texts)
    while window := list(itertools.islice(texts, WINDOW)):
        yield from predictor.n_best(window)


def draws(predictor: Predictor, sampling: Sampling) -> Predictor:
    """A predictor that draws its translations by chance.

    Raises:
        UserError: if the model is an export, which has its beam only.
    """
    model = _model_of(predictor, "--sample")

    def answer(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        translations, scores = model.draw(text, sampling)
        return translations[:, None], scores[:, None]

    return dataclasses.replace(predictor, answer=tf.function(answer))


def show(found: list[Translation], n_best: int) -> Iterator[str]:
    """One line for each translation; with n-best, its score before it."""
    for translation in found[: max(n_best, 1)]:
        line = " ".join(translation.text.splitlines())
        yield f"{translation.score:.4f}\t{line}" if n_best else line


def _parser() -> cli.Parser:
    parser = cli.Parser(f"{__package__}.predict", __doc__ or "")
    add = parser.add_argument
    add("run", help="a run folder or an exported SavedModel")
    add("text", nargs="*", help="texts to translate")
    add("--file", default="", help="a file of one text a line; - for stdin")
    add("--encoding", default="utf-8", help="the file's text encoding")
    add("--beam", type=int, help="in place of the one of training")
    add(
        "--n-best",
        type=int,
        default=0,
        help="so many translations of each text, with their scores",
    )
    add("--attention-plot", default="", help="a picture, .png, of one text")
    add("--sample", action="store_true", help="draw instead of searching")
    add("--temperature", type=float, default=1.0, help="of drawing, above 0")
    add("--top-k", type=int, default=0, help="draw of the k likeliest only")
    add("--top-p", type=float, default=1.0, help="draw of the likeliest only")
    add("--seed", type=int, default=0, help="of drawing")
    return parser


def _arguments() -> Any:
    parser = _parser()
    args = parser.parse_intermixed_args()
    if not args.text and not args.file:
        parser.error("give texts, or --file FILE (- for standard input)")
    if args.attention_plot and not args.text:
        parser.error("--attention-plot needs a text as an argument")
    if args.n_best < 0:
        parser.error(f"--n-best must be 0 or more, got {args.n_best}")
    if args.temperature <= 0:
        parser.error(f"--temperature must be above 0, got {args.temperature}")
    if args.top_k < 0:
        parser.error(f"--top-k must be 0 or more, got {args.top_k}")
    if not 0 < args.top_p <= 1:
        parser.error(f"--top-p must be above 0 and at most 1, got {args.top_p}")
    return args


def _check_n_best(predictor: Predictor, args: Any) -> None:
    most = 1 if args.sample else args.beam or predictor.config.beam
    if args.n_best > most:
        raise UserError(
            f"--n-best {args.n_best}: more than the {most} that are found;"
            " pass a greater --beam, without --sample"
        )


def _plot(predictor: Predictor, args: Any) -> None:
    model = _model_of(predictor, "--attention-plot")
    if model.config.attention == "none":
        raise UserError("--attention-plot: this model was trained without one")
    alignment = model.align(args.text[0], args.beam)
    plots.attention(alignment, Path(args.attention_plot))


def main() -> None:
    """Reads the command line and prints the translations of each text."""
    args = _arguments()
    # What cannot be written, such as half a character, becomes "?".
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    predictor = load(args.run, args.beam)
    _check_n_best(predictor, args)
    if args.attention_plot:
        _plot(predictor, args)
    if args.sample:
        sampling = Sampling(args.seed, args.temperature, args.top_k, args.top_p)
        predictor = draws(predictor, sampling)
    texts = inputs(args.text, args.file, args.encoding)
    for found in translate(predictor, texts):
        for line in show(found, args.n_best):
            print(line)


if __name__ == "__main__":
    cli.main(main)
