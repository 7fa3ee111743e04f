"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from common import export
from common.data import feature_files
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.training import runs, trained

from . import batches, pipeline
from .config import Config

BATCH_SIZE = 32

# Images <string>[batch] or <float32>[batch, ...] to captions <string>[batch,
# n] and scores <float32>[batch, n].
Answer = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Caption(NamedTuple):
    """One of several captions of an image.

    Attributes:
        score: the greater, the likelier; see `beam_search.Penalties`.
        text: the caption.
    """

    score: float
    text: str


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        of_content: answers to picture files; None where there is no encoder.
        of_encoded: answers to features, and to pixels unless it is an export.
        shape: regions and features that it knows; None if only pictures.
        features_of: the encoder of the features it was trained on, if known.
        model: the model itself; None of an export.
    """

    config: Config
    of_content: Answer | None
    of_encoded: Answer | None
    shape: tuple[int, int] | None = None
    features_of: dict | None = None
    model: pipeline.Captioner | None = None

    def of_pictures(self, contents: Iterable[bytes]) -> list[list[Caption]]:
        """Captions of picture files, best first, from their content."""
        assert self.of_content is not None
        return collect(self.of_content, _constants(contents))

    def open_features(self, path: str) -> feature_files.Features:
        """Opens a features file, if it is of the encoder that the model knows.

        Raises:
            UserError: if it is not, or the model knows pictures only.
        """
        flag = f"--features {path}"
        if self.of_encoded is None or self.shape is None:
            raise UserError(f"{flag}: this export answers to pictures only")
        if self.features_of is None and self.of_content is not None:
            raise UserError(
                f"{flag}: this model learned to see by itself; it answers to"
                " pictures only"
            )
        given = feature_files.load(Path(path))
        if self.features_of and given.encoder != self.features_of:
            raise UserError(
                f"{flag}: of another encoder than those of training:"
                f" {given.encoder}, expected {self.features_of}"
            )
        if self.shape != (given.regions, given.dim):
            raise UserError(
                f"{flag}: {given.regions} regions of {given.dim} features; the"
                f" model was trained on {self.shape[0]} of {self.shape[1]}"
            )
        return given

    def of_images(
        self, views: batches.Images, count: int
    ) -> list[list[Caption]]:
        """Captions of the first images of a split, best first."""
        assert self.of_encoded is not None
        return collect(self.of_encoded, _seen(views, count))


def _constants(contents: Iterable[bytes]) -> Iterator[tf.Tensor]:
    contents = iter(contents)
    while batch := list(itertools.islice(contents, BATCH_SIZE)):
        yield tf.constant(batch)


def _seen(views: batches.Images, count: int) -> Iterator[tf.Tensor]:
    numbers = tf.data.Dataset.range(count, output_type=tf.int32)
    yield from numbers.batch(BATCH_SIZE).map(views.batch).prefetch(1)


def collect(answer: Answer, some: Iterable[tf.Tensor]) -> list[list[Caption]]:
    """The answers to some batches, for each image its captions, best first."""
    result = []
    for batch in some:
        captions, scores = (x.numpy() for x in answer(batch))
        for row in zip(captions, scores, strict=True):
            result.append(
                [
                    Caption(float(score), text.decode("utf-8", "replace"))
                    for text, score in zip(*row, strict=True)
                ]
            )
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
            model_of(predictor, "--beam")
        return predictor
    return dataclasses.replace(
        of_model(pipeline.load(trained.find(path)), beam),
        features_of=_features_of(folder),
    )


def _features_of(folder: Path) -> dict | None:
    return runs.read_json(folder / "data.json")["features_of"]


def of_model(model: pipeline.Captioner, beam: int | None = None) -> Predictor:
    """A predictor of a model in memory, with its beam or another one."""
    of_content = tf.function(
        lambda content: model(content, beam=beam),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    of_encoded = tf.function(
        lambda images: model.of_images(images, beam), reduce_retracing=True
    )
    return Predictor(
        model.config,
        of_content if model.has_encoder else None,
        of_encoded,
        model.feature_shape,
        model=model,
    )


def _load_export(folder: Path) -> Predictor:
    loaded = tf.saved_model.load(str(folder))

    def asks(name: str, argument: str) -> Answer | None:
        if argument not in _arguments_of(loaded, name):
            return None

        def answer(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Through `loaded`: a signature does not keep its variables.
            found = loaded.signatures[name](**{argument: images})
            return found["caption"][:, None], found["score"][:, None]

        return answer

    return Predictor(
        runs.load_config(folder, Config),
        asks("serving_default", "image_bytes"),
        asks("features", "features"),
        _shape_of(loaded),
        _features_of(folder),
    )


def _shape_of(loaded: Any) -> tuple[int, int] | None:
    if "features" not in loaded.signatures:
        return None
    _, arguments = loaded.signatures["features"].structured_input_signature
    _, regions, dim = arguments["features"].shape
    return regions, dim


def _arguments_of(loaded: Any, name: str) -> list[str]:
    if name not in loaded.signatures:
        return []
    return list(loaded.signatures[name].structured_input_signature[1])


def model_of(predictor: Predictor, flag: str) -> pipeline.Captioner:
    """The model in memory that an option needs.

    Raises:
        UserError: if the predictor is an export.
    """
    if predictor.model is None:
        raise UserError(
            f"{flag} needs the run folder: an export answers with the beam it"
            " was made with"
        )
    return predictor.model


def draws(predictor: Predictor, sampling: Sampling) -> Predictor:
    """A predictor that draws its captions by chance.

    Raises:
        UserError: if the model is an export, which has its beam only.
    """
    model = model_of(predictor, "--sample")

    def of_encoded(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        captions, scores = model.draw(images, sampling)
        return captions[:, None], scores[:, None]

    def of_content(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return of_encoded(model.pixels(content)[0])

    strings = tf.TensorSpec([None], tf.string)
    return dataclasses.replace(
        predictor,
        of_content=tf.function(of_content, input_signature=[strings])
        if model.has_encoder
        else None,
        of_encoded=tf.function(of_encoded, reduce_retracing=True),
    )
