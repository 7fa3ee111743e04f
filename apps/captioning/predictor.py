"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common import export, notes
from common.data import feature_files, json_files
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.layers.kernels import for_inference
from common.media import images as pictures
from common.training import runs

from . import pipeline
from .batches import ImageLoader
from .config import Config

BATCH_SIZE = 32
MAX_RATIO = 3  # Of the sides of a picture that is squeezed without a note.
# The inputs of a model, as the signatures of an export call them.
BYTES = "image_bytes"
FEATURES = "features"

# Images <string>[batch] or <float32>[batch, ...] to captions <string>[batch,
# n] and scores <float32>[batch, n].
PredictFn = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Caption(NamedTuple):
    """One of several captions of an image.

    Attributes:
        text: the caption.
        score: the greater, the likelier; see `beam_search.Penalties`.
    """

    text: str
    score: float


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        predict_fns: by input: BYTES for the content of picture files, FEATURES
            for features, and for pixels unless it is an export.
        feature_shape: regions and dimension of the features; () without them.
        encoder: the signature of their encoder, if known.
        model: the model itself; None for an export.
    """

    config: Config
    predict_fns: dict[str, PredictFn]
    feature_shape: tuple[int, ...] = ()
    encoder: dict | None = None
    model: pipeline.Captioner | None = None

    @classmethod
    def from_model(
        cls,
        model: pipeline.Captioner,
        beam: int | None = None,
        sampling: Sampling | None = None,
        encoder: dict | None = None,
    ) -> "Predictor":
        """Returns a predictor of a model in memory.

        Args:
            model: the model.
            beam: in place of the beam of its config.
            sampling: in place of a beam.
            encoder: the signature of the encoder of its features, if known.
        """
        answer = for_inference(model)
        predict_fns = {
            FEATURES: tf.function(
                answer(lambda x: model.caption_images(x, beam, sampling)),
                reduce_retracing=True,
            )
        }
        if model.has_encoder:
            predict_fns[BYTES] = tf.function(
                answer(lambda x: model(x, beam=beam, sampling=sampling)),
                input_signature=[tf.TensorSpec([None], tf.string)],
            )
        return cls(
            model.config, predict_fns, model.feature_shape, encoder, model
        )

    @classmethod
    def from_run(
        cls,
        run: str | Path,
        beam: int | None = None,
        sampling: Sampling | None = None,
    ) -> "Predictor":
        """Loads the best epoch of a run folder; arguments as of `from_model`.

        Raises:
            UserError: if it is none, or has no finished epoch.
        """
        model = runs.load_model(run, __package__)
        return cls.from_model(model, beam, sampling, _read_encoder(Path(run)))

    @classmethod
    def from_export(cls, folder: Path) -> "Predictor":
        """Loads an exported SavedModel.

        Raises:
            UserError: if it is of another app.
        """
        runs.check_app(folder, __package__, Config)
        loaded = tf.saved_model.load(str(folder))
        predict_fns: dict[str, PredictFn] = {}
        feature_shape: tuple[int, ...] = ()
        for name, signature in loaded.signatures.items():
            if name == export.EXPLAIN:  # It does more than answer.
                continue
            _, inputs = signature.structured_input_signature
            for argument, spec in inputs.items():
                predict_fns[argument] = _call_signature(loaded, name, argument)
                if argument == FEATURES:
                    feature_shape = tuple(spec.shape[1:])
        config = runs.load_config(folder, Config)
        return cls(config, predict_fns, feature_shape, _read_encoder(folder))

    def predict_bytes(self, contents: Iterable[bytes]) -> list[list[Caption]]:
        """Captions picture files, from their content; best captions first."""
        return self._predict(BYTES, _make_batches(contents))

    def predict_features(
        self, features: Iterable[np.ndarray]
    ) -> list[list[Caption]]:
        """Captions features <float32>[regions, dim]; best captions first."""
        return self._predict(FEATURES, _make_batches(features))

    def predict_images(
        self, images: ImageLoader, count: int
    ) -> list[list[Caption]]:
        """Captions the first `count` images of a split; best captions first."""
        numbers = tf.data.Dataset.range(count, output_type=tf.int32)
        batches = numbers.batch(BATCH_SIZE).map(images.load).prefetch(1)
        return self._predict(FEATURES, batches)

    def describe_inputs(self, paths: list[str]) -> list[str]:
        """Tells of each picture what becomes of it on the way to the model."""
        return [self._describe(path) for path in paths]

    def _describe(self, path: str) -> str:
        if pictures.decode_error(path):
            return ""  # An error says so.
        height, width = pictures.read_size(path)
        size = self.config.image_size
        is_small = 2 * max(height, width) <= size
        is_long = max(height, width) > MAX_RATIO * min(height, width)
        return notes.join_remarks(
            f"{width} x {height} pixels are few: the model sees {size} x {size}"
            if is_small
            else "",
            f"{width} x {height} pixels are squeezed to a square"
            if is_long
            else "",
        )

    def _predict(
        self, name: str, batches: Iterable[tf.Tensor]
    ) -> list[list[Caption]]:
        result = []
        for batch in batches:
            outputs = self.predict_fns[name](batch)
            captions, scores = (x.numpy().tolist() for x in outputs)
            for row in zip(captions, scores, strict=True):
                result.append(
                    [
                        Caption(text.decode("utf-8", "replace"), score)
                        for text, score in zip(*row, strict=True)
                    ]
                )
        return result

    def open_features(self, path: str) -> feature_files.Features:
        """Opens a features file, if it is of the encoder that the model knows.

        Raises:
            UserError: if it is not, or the model takes pictures only.
        """
        flag = f"--features {path}"
        if FEATURES not in self.predict_fns:
            raise UserError(f"{flag}: this export answers to pictures only")
        if self.encoder is None and BYTES in self.predict_fns:
            raise UserError(
                f"{flag}: this model learned to see by itself; it answers to"
                " pictures only"
            )
        features = feature_files.load(Path(path))
        if self.encoder and features.encoder != self.encoder:
            raise UserError(
                f"{flag}: of another encoder than those of training:"
                f" {features.encoder}, expected {self.encoder}"
            )
        if self.feature_shape != (features.regions, features.dim):
            regions, dim = self.feature_shape
            raise UserError(
                f"{flag}: {features.regions} regions of {features.dim}"
                f" features; the model was trained on {regions} of {dim}"
            )
        return features

    def require_model(self, flag: str) -> pipeline.Captioner:
        """Returns the model in memory, which a flag needs.

        Raises:
            UserError: if this is an export.
        """
        if self.model is None:
            raise UserError(
                f"{flag} needs the run folder: an export answers with the beam"
                " it was made with"
            )
        return self.model


def _read_encoder(folder: Path) -> dict | None:
    return json_files.read(
        folder / runs.DATA, "features_of", features_of=dict | None
    )["features_of"]


def _call_signature(loaded: Any, name: str, argument: str) -> PredictFn:
    def predict_fn(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Through `loaded`: a signature does not keep its variables.
        outputs = loaded.signatures[name](**{argument: images})
        return outputs["caption"][:, None], outputs["score"][:, None]

    return predict_fn


def _make_batches(rows: Iterable) -> Iterator[tf.Tensor]:
    rows = iter(rows)
    # As lists: NumPy would cut zeros off the end of byte strings.
    while batch := list(itertools.islice(rows, BATCH_SIZE)):
        yield tf.constant(batch)


def load(
    path: str, beam: int | None = None, sampling: Sampling | None = None
) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Args:
        path: the folder.
        beam: in place of the beam of the run's config.
        sampling: in place of a beam.

    Raises:
        UserError: if it is neither, has no finished epoch, or is an export
            and should take another beam, or sample.
    """
    if beam is not None and beam < 1:
        raise UserError(f"--beam must be at least 1, got {beam}")
    saved_model = export.find_saved_model(Path(path))
    if not saved_model:
        return Predictor.from_run(path, beam, sampling)
    predictor = Predictor.from_export(saved_model)
    if beam is not None:
        predictor.require_model("--beam")
    if sampling:
        predictor.require_model("--sample")
    return predictor
