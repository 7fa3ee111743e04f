"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common import export, notes
from common.data import name_lists
from common.layers.kernels import for_inference
from common.training import runs

from . import pipeline
from . import text as tokens
from .config import Config

BATCH_SIZE = 64
# Texts that are predicted together, so that like lengths share a batch.
WINDOW = 2048

# <string>[batch] to probabilities <float32>[batch, classes].
PredictFn = Callable[[tf.Tensor], tf.Tensor]


class Prediction(NamedTuple):
    """The label of a text, its probability, and those of all labels."""

    label: str
    score: float
    probabilities: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        labels: the class names, in the order of the probabilities.
        predict_fn: from a batch of texts to probabilities.
        vocabulary: the words that it knows; none if that is not known.
    """

    config: Config
    labels: list[str]
    predict_fn: PredictFn
    vocabulary: frozenset[str] = frozenset()

    @classmethod
    def from_model(cls, model: pipeline.Classifier) -> "Predictor":
        """Returns a predictor of a model in memory."""
        predict_fn = tf.function(
            for_inference(model)(lambda text: model(text)),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )
        vocabulary = frozenset(model.vectorizer.vocabulary)
        return cls(model.config, model.labels, predict_fn, vocabulary)

    @classmethod
    def from_run(cls, run: str | Path) -> "Predictor":
        """Loads the best epoch of a run folder.

        Raises:
            UserError: if it is none, or has no finished epoch.
        """
        return cls.from_model(runs.load_model(run, __package__))

    @classmethod
    def from_export(cls, folder: Path) -> "Predictor":
        """Loads an exported SavedModel.

        Raises:
            UserError: if it is of another app.
        """
        runs.check_app(folder, __package__, Config)
        loaded = tf.saved_model.load(str(folder))

        def predict_fn(text: tf.Tensor) -> tf.Tensor:
            # Through `loaded`: a signature does not keep its variables.
            outputs = loaded.signatures[export.DEFAULT](text=text)
            return outputs["probabilities"]

        config = runs.load_config(folder, Config)
        labels = export.read_labels(folder, loaded)
        words = folder / "vocabulary.txt"
        vocabulary = name_lists.read_names(words) if words.exists() else []
        return cls(config, labels, predict_fn, frozenset(vocabulary))

    def predict_probabilities(self, texts: list[str]) -> np.ndarray:
        """Classifies a list of texts, in batches of similar length.

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
            result[rows] = self.predict_fn(tf.constant(batch)).numpy()
        return result

    def predict(self, texts: Iterable[str]) -> Iterator[tuple[str, Prediction]]:
        """Yields each text with its label, in order."""
        texts = iter(texts)
        while window := list(itertools.islice(texts, WINDOW)):
            rows = self.predict_probabilities(window)
            for text, row in zip(window, rows, strict=True):
                best = int(row.argmax())
                scores = dict(zip(self.labels, row.tolist(), strict=True))
                label = self.labels[best]
                yield text, Prediction(label, scores[label], scores)

    def describe_inputs(self, texts: list[str]) -> list[str]:
        """Tells of each text what the model does not know or see of it."""
        if not self.vocabulary or not texts:
            return [""] * len(texts)
        encoded = [text.encode("utf-8", "replace") for text in texts]
        longest = self.config.max_tokens
        read = tokens.cut_text(tf.constant(encoded), longest)
        rows = tokens.tokenize(read).to_list()
        return [
            self._describe(
                [word.decode() for word in row],
                is_whole=len(text) <= longest * tokens.BYTES_PER_TOKEN,
            )
            for row, text in zip(rows, encoded, strict=True)
        ]

    def _describe(self, row: list[str], is_whole: bool) -> str:
        words = [word for word in row if _is_word(word)]
        longest = self.config.max_tokens
        return notes.join_remarks(
            "" if words else "no word to read; the answer is a guess",
            notes.describe_unknown(words, set(words) - self.vocabulary),
            f"of {'' if is_whole else 'more than '}{len(row)} words and marks,"
            f" only the first and the last {longest // 2} are read"
            if len(row) > longest
            else "",
        )


def _is_word(word: str) -> bool:
    """Returns False for marks, which seldom matter, and for no text at all."""
    is_mark = unicodedata.category(word[0]).startswith("P")
    return word != tokens.EMPTY_TEXT and (not is_mark or len(word) > 1)


def load(path: str) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Raises:
        UserError: if it is neither, or has no finished epoch.
    """
    if saved_model := export.find_saved_model(Path(path)):
        return Predictor.from_export(saved_model)
    return Predictor.from_run(path)
