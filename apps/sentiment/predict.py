"""Labels texts: `python -m PACKAGE.predict RUN "a text" "another"`."""

import dataclasses
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import tensorflow as tf

from common import cli, export
from common.data import text_files
from common.training import runs, trained

from . import model
from .config import Config

BATCH_SIZE = 64
# Texts that are looked at together, so that like lengths share a batch.
WINDOW = 2048


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        labels: the class names, in the order of the probabilities.
        answer: <string>[batch] to probabilities <float32>[batch, classes].
    """

    config: Config
    labels: list[str]
    answer: Callable[[tf.Tensor], tf.Tensor]

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Answers a list of texts, in batches of similar length.

        Args:
            texts: any texts, the empty one included.

        Returns:
            <float32>[texts, classes], in the order of the texts.
        """
        result = np.zeros((len(texts), len(self.labels)), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            batch = [texts[row].encode("utf-8", "replace") for row in rows]
            result[rows] = self.answer(tf.constant(batch)).numpy()
        return result


def load(path: str) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Raises:
        UserError: if it is neither, or has no finished epoch.
    """
    folder = Path(path)
    saved_model = export.find_saved_model(folder)
    if saved_model:
        return _load_export(saved_model)
    return _load_run(folder, trained.find(path))


def _load_run(folder: Path, path: Path) -> Predictor:
    text_model = model.load(path)
    answer = tf.function(
        lambda text: text_model(text, training=False),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    config = runs.load_config(folder, Config)
    return Predictor(config, runs.read_lines(folder / "labels.txt"), answer)


def _load_export(folder: Path) -> Predictor:
    loaded = tf.saved_model.load(str(folder))

    def answer(text: tf.Tensor) -> tf.Tensor:
        # Through `loaded`: the signature alone does not keep its variables.
        return loaded.signatures["serving_default"](text=text)["probabilities"]

    config = runs.load_config(folder, Config)
    return Predictor(config, runs.read_lines(folder / "labels.txt"), answer)


def inputs(texts: list[str], file: str, encoding: str) -> Iterator[str]:
    """The texts of the command line, then those of the file, one a line."""
    yield from texts
    if not file:
        return
    lines = (
        text_files.read_stdin(encoding)
        if file == "-"
        else text_files.read_lines(Path(file), encoding)
    )
    for line in lines:
        yield line.rstrip("\r\n")


def predict(predictor: Predictor, texts: Iterable[str]) -> Iterator[tuple]:
    """Yields label, score and text for each text, in order."""
    texts = iter(texts)
    while window := list(itertools.islice(texts, WINDOW)):
        probabilities = predictor.probabilities(window)
        for text, row in zip(window, probabilities, strict=True):
            best = int(row.argmax())
            yield predictor.labels[best], float(row[best]), text


def main() -> None:
    """Reads the command line and prints one line for each text."""
    parser = cli.Parser(f"{__package__}.predict", __doc__ or "")
    parser.add_argument("run", help="a run folder or an exported SavedModel")
    parser.add_argument("text", nargs="*", help="texts to label")
    parser.add_argument(
        "--file", default="", help="a file of one text a line; - for stdin"
    )
    parser.add_argument(
        "--encoding", default="utf-8", help="the file's text encoding"
    )
    args = parser.parse_intermixed_args()
    if not args.text and not args.file:
        parser.error("give texts, or --file FILE (- for standard input)")
    texts = inputs(args.text, args.file, args.encoding)
    # What cannot be written, such as half a character, becomes "?".
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")
    for label, score, text in predict(load(args.run), texts):
        print(f"{label}\t{score:.4f}\t{' '.join(text.split())}")


if __name__ == "__main__":
    cli.main(main)
