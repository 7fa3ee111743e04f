"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from common import export, notes
from common.data import name_lists
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.layers.kernels import for_inference
from common.training import runs

from . import pipeline
from . import text as tokens
from .config import Config

BATCH_SIZE = 64
# Texts that are translated together, so that like lengths share a batch.
WINDOW = 2048

# <string>[batch] to translations <string>[batch, n] and scores [batch, n].
PredictFn = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Translation(NamedTuple):
    """One of several translations of a text.

    Attributes:
        text: the translation.
        score: the greater, the likelier; see `beam_search.Penalties`.
    """

    text: str
    score: float


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with; its beam is the one in use.
        predict_fn: from a batch of texts to the translations of each.
        align_fn: from one text to its translation and the attention behind
            it; that of an export raises a `UserError`.
        tokenizer: of the source language.
    """

    config: Config
    predict_fn: PredictFn
    align_fn: Callable[[str], pipeline.Alignment]
    tokenizer: tokens.Tokenizer

    @classmethod
    def from_model(
        cls,
        model: pipeline.Translator,
        beam: int | None = None,
        sampling: Sampling | None = None,
    ) -> "Predictor":
        """Returns a predictor of a model in memory.

        Args:
            model: the translator.
            beam: in place of the beam of its config.
            sampling: how to sample one translation, in place of a search.

        Raises:
            UserError: if the beam is out of range.
        """
        config = model.config
        if beam is not None:
            config = dataclasses.replace(config, beam=beam)

        @for_inference(model)
        def predict(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if sampling:
                return model.sample(text, sampling)
            return model(text, beam=config.beam)

        signature = [tf.TensorSpec([None], tf.string)]
        return cls(
            config,
            predict_fn=tf.function(predict, input_signature=signature),
            align_fn=lambda text: model.align(text, config.beam),
            tokenizer=model.source_tokenizer,
        )

    @classmethod
    def from_run(
        cls,
        run: str | Path,
        beam: int | None = None,
        sampling: Sampling | None = None,
    ) -> "Predictor":
        """Loads the best epoch of a run folder; see `from_model`.

        Raises:
            UserError: if it is none, or has no finished epoch.
        """
        return cls.from_model(runs.load_model(run, __package__), beam, sampling)

    @classmethod
    def from_export(cls, folder: Path) -> "Predictor":
        """Loads an exported SavedModel.

        Raises:
            UserError: if it is of another app.
        """
        runs.check_app(folder, __package__, Config)
        loaded = tf.saved_model.load(str(folder))

        def predict_fn(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Through `loaded`: a signature does not keep its variables.
            outputs = loaded.signatures["n_best"](text=text)
            return outputs["translations"], outputs["scores"]

        def align_fn(text: str) -> pipeline.Alignment:
            raise _needs_run("--attention-plot")

        config = runs.load_config(folder, Config)
        vocabulary = name_lists.read_names(folder / "source_vocabulary.txt")
        tokenizer = tokens.Tokenizer(vocabulary, config.level)
        return cls(config, predict_fn, align_fn, tokenizer)

    def predict_n_best(self, texts: list[str]) -> list[list[Translation]]:
        """Translates a list of texts, in batches of similar length.

        Args:
            texts: any texts, the empty one included; of a long one, the
                first `text.MAX_BYTES` are translated.

        Returns:
            For each text its translations, best first.
        """
        result: list[list[Translation]] = [[] for _ in texts]
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            batch = [texts[row].encode("utf-8", "replace") for row in rows]
            outputs = self.predict_fn(tf.constant(batch))
            translations, scores = (output.numpy() for output in outputs)
            for row, *columns in zip(rows, translations, scores, strict=True):
                result[row] = [
                    Translation(text.decode("utf-8", "replace"), float(score))
                    for text, score in zip(*columns, strict=True)
                ]
        return result

    def translate(self, texts: list[str]) -> list[str]:
        """Returns the best translation of each text."""
        return [best.text for best, *_ in self.predict_n_best(texts)]

    def predict(
        self, texts: Iterable[str]
    ) -> Iterator[tuple[str, list[Translation]]]:
        """Yields each text with its translations, in order."""
        texts = iter(texts)
        while window := list(itertools.islice(texts, WINDOW)):
            yield from zip(window, self.predict_n_best(window), strict=True)

    def describe_inputs(self, texts: list[str]) -> list[str]:
        """Tells of each text what the model does not know of it."""
        encoded = [text.encode("utf-8", "replace") for text in texts]
        read = tokens.cut_text(tf.constant(encoded, tf.string))
        rows = tokens.pieces(read).to_list()
        words = [
            [word for piece in row if _is_word(word := piece.decode().strip())]
            for row in rows
        ]
        unknown = self._find_unknown(sorted(set(itertools.chain(*words))))
        lengths = self.tokenizer.ragged_ids(read)
        return [
            notes.join_remarks(
                notes.describe_unknown(row, unknown),
                self._describe_length(int(length)),
                _describe_size(len(text)),
            )
            for row, length, text in zip(
                words, lengths.row_lengths(), encoded, strict=True
            )
        ]

    def _find_unknown(self, words: list[str]) -> set[str]:
        """Finds words that are known neither alone nor behind a space."""
        is_full = self.tokenizer.num_ids >= self.config.vocab_size
        alone, behind = (
            self.tokenizer.is_known(
                tf.constant([space + word for word in words], tf.string),
                is_full,
            ).numpy()
            for space in ("", " ")
        )
        known = alone | behind
        return {words[number] for number in (~known).nonzero()[0]}

    def _describe_length(self, num_tokens: int) -> str:
        longest = self.config.max_tokens
        if num_tokens <= longest:
            return ""
        return (
            f"{num_tokens} tokens are more than any sentence of training had"
            f" ({longest})"
        )


def _describe_size(num_bytes: int) -> str:
    if num_bytes <= tokens.MAX_BYTES:
        return ""
    return (
        f"of {num_bytes:,} bytes only the first {tokens.MAX_BYTES:,} are"
        " translated: give it in parts"
    )


def _is_word(piece: str) -> bool:
    """Returns False for marks and blanks, which are no words."""
    return any(map(str.isalnum, piece))


def _needs_run(flag: str) -> UserError:
    return UserError(
        f"{flag} needs the run folder: an export answers with the beam it was"
        " made with"
    )


def load(
    path: str, beam: int | None = None, sampling: Sampling | None = None
) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Args:
        path: the folder.
        beam: in place of the beam of the run's config.
        sampling: how to sample one translation, in place of a search.

    Raises:
        UserError: if it is neither, has no finished epoch, or is an export
            and should decode in another way.
    """
    saved_model = export.find_saved_model(Path(path))
    if not saved_model:
        return Predictor.from_run(path, beam, sampling)
    if beam is not None:
        raise _needs_run("--beam")
    if sampling:
        raise _needs_run("--sample")
    return Predictor.from_export(saved_model)
