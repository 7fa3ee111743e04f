"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common import export
from common.data import feature_arrays
from common.errors import UserError
from common.media import videos
from common.training import runs, trained

from . import encoder, pipeline, states
from .config import Config
from .states import States

# Frames or features [batch, time, ...] and lengths to tags and probabilities.
Whole = Callable[[tf.Tensor, tf.Tensor], "Tagged"]
# The same, and the states before these frames; gives those after them too.
Advance = Callable[[tf.Tensor, tf.Tensor, States], tuple["Tagged", States]]


class Tagged(NamedTuple):
    """What the model says of some frames.

    Attributes:
        tags: <int32>[time], or with `multi_label` <bool>[time, classes].
        probabilities: <float32>[time, classes].
    """

    tags: Any
    probabilities: Any


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        labels: the tags, in the order of the probabilities.
        whole: answers to whole videos.
        advance: goes on from states; None if it is not causal.
        encode: frames to features; None of an export, or without an encoder.
        sees_frames: whether it takes frames.
        dim: size of the features that it takes; None if it takes none.
    """

    config: Config
    labels: list[str]
    whole: Whole
    advance: Advance | None
    encode: Callable[[tf.Tensor], tf.Tensor] | None
    sees_frames: bool
    dim: int | None

    @property
    def is_causal(self) -> bool:
        """Whether it can tag a stream."""
        return self.advance is not None

    def of_video(
        self, source: videos.Source, config: Config
    ) -> tuple[Tagged, videos.Clip]:
        """Tags one video, wherever it is, and tells when its frames are shown.

        Args:
            source: as of `videos.stream_clips`.
            config: how to read it.

        Returns:
            Its tags, and all of the video but the frames themselves: those of
            a long one would not fit in memory.

        Raises:
            UserError: if it cannot be read, or the model cannot see it.
        """
        self.check(source)
        seen: list[videos.Clip] = []

        def chunks() -> Iterator[np.ndarray]:
            for clip in videos.stream_clips(
                source, config.image_size, config.rate
            ):
                seen.append(clip._replace(values=clip.values[:0]))
                yield clip.values

        return self.of_chunks(chunks()), videos.join_clips(seen)

    def of_chunks(self, chunks: Iterable[np.ndarray]) -> Tagged:
        """Tags one video that comes in pieces.

        A causal model carries its states from piece to piece, so that the
        memory it needs does not depend on the length. Any other model must
        know all features of a video before it can answer; of the frames it
        keeps no more than one piece.

        Args:
            chunks: frames <uint8>[time, size, size, 3] or features
                <float32>[time, features], at least one frame in all.

        Returns:
            The same as if the video came in one piece.
        """
        if self.advance is not None:
            tag = self.live()
            return _joined([tag(self._checked(chunk)) for chunk in chunks])
        pieces = [self._seen(self._checked(chunk)) for chunk in chunks]
        values = np.concatenate(pieces)[None]
        return _first(self.whole(tf.constant(values), _lengths(values)))

    def check(self, source: videos.Source) -> None:
        """Refuses a video that the model cannot see.

        Raises:
            UserError: for features without a model of features, frames
                without a model of frames, or features of another size.
        """
        if feature_arrays.is_features(source) and self.dim is None:
            raise UserError(
                f"{source}: features, but this model sees frames: give videos"
                " or folders of pictures"
            )
        if not feature_arrays.is_features(source) and not self.sees_frames:
            raise UserError(
                f"{_named(source)}: frames, but this model knows features"
                f" only, {self.dim} of each frame: give .npy files of"
                f" [{self.dim}, time], made as those of training were"
            )
        if feature_arrays.is_features(source):
            _, dim = feature_arrays.read_shape(source)
            if dim != self.dim:
                raise UserError(
                    f"{source}: {dim} features a frame, but this model was"
                    f" trained on {self.dim}: compute them as those were"
                )

    def of_batches(self, some: Iterable[Any]) -> list[Tagged]:
        """Tags whole videos, from the batches of `batches.batches`."""
        result = []
        for (values, lengths), _, _ in some:
            found = self.whole(values, lengths)
            rows = zip(*(np.asarray(x) for x in found), strict=True)
            for length, row in zip(lengths.numpy(), rows, strict=True):
                result.append(Tagged(*(x[:length] for x in row)))
        return result

    def _checked(self, chunk: np.ndarray) -> np.ndarray:
        if chunk.ndim == 2 and chunk.shape[1] != self.dim:
            raise UserError(
                f"expected {self.dim} features of each frame, as in training,"
                f" got {chunk.shape[1]}: compute them with the same encoder"
            )
        return chunk

    def _seen(self, chunk: np.ndarray) -> np.ndarray:
        if self.encode is None or chunk.ndim == 2:
            return chunk
        return self.encode(tf.constant(chunk[None])).numpy()[0]

    def live(self) -> Callable[[np.ndarray], Tagged]:
        """A function that tags the pieces of one stream, one after another.

        Raises:
            UserError: if the model is not causal.
        """
        if self.advance is None:
            raise UserError(
                "this model reads videos from both sides, and cannot tag a"
                " stream: train one with --causal"
            )
        advance, state = self.advance, states.zeros(self.config)

        def tag(piece: np.ndarray) -> Tagged:
            nonlocal state
            values = piece[None]
            found, state = advance(tf.constant(values), _lengths(values), state)
            return _first(found)

        return tag


def _named(source: videos.Source) -> str:
    return str(source) if isinstance(source, Path) else "the data"


def _lengths(values: np.ndarray) -> tf.Tensor:
    return tf.fill([len(values)], values.shape[1])


def _first(found: Tagged) -> Tagged:
    """The first row of a batch."""
    return Tagged(*(np.asarray(values)[0] for values in found))


def _joined(pieces: list[Tagged]) -> Tagged:
    return Tagged(
        *(np.concatenate(values) for values in zip(*pieces, strict=True))
    )


def load(path: str) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Raises:
        UserError: if it is neither, or has no finished epoch.
    """
    saved_model = export.find_saved_model(Path(path))
    if saved_model:
        return _load_export(saved_model)
    return of_model(pipeline.load(trained.find(path)))


def of_model(model: pipeline.Tagger) -> Predictor:
    """A predictor of a model in memory."""

    @tf.function(reduce_retracing=True)
    def whole(frames: tf.Tensor, lengths: tf.Tensor) -> Tagged:
        return Tagged(*model(frames, lengths))

    @tf.function(reduce_retracing=True)
    def advance(
        frames: tf.Tensor, lengths: tf.Tensor, state: States
    ) -> tuple[Tagged, States]:
        nested = states.nested(state, model.config)
        found, after = model.advance(frames, lengths, nested)
        return Tagged(*found), states.flat(after, model.config)

    encode = tf.function(model.network.features, reduce_retracing=True)
    config = model.config
    # Features of a trained encoder are nobody else's.
    is_closed = model.has_encoder and encoder.is_trained(config)
    return Predictor(
        config,
        model.labels,
        whole,
        advance if config.causal else None,
        encode if model.has_encoder else None,
        model.has_encoder,
        None if is_closed else model.dim,
    )


def _load_export(folder: Path) -> Predictor:
    loaded = tf.saved_model.load(str(folder))
    config = runs.load_config(folder, Config)
    labels = runs.read_lines(folder / "labels.txt")

    def whole(values: tf.Tensor, lengths: tf.Tensor) -> Tagged:
        is_other = values.shape.rank == 3 and "features" in loaded.signatures
        name = "features" if is_other else "serving_default"
        return _numbered(_ask(loaded, name, values, lengths), labels, config)

    def advance(
        values: tf.Tensor, lengths: tf.Tensor, state: States
    ) -> tuple[Tagged, States]:
        answer = _ask(loaded, "window", values, lengths, state)
        after = {name: answer[name] for name in state}
        return _numbered(answer, labels, config), after

    return Predictor(
        config,
        labels,
        whole,
        advance if config.causal else None,
        None,
        "frames" in _arguments_of(loaded, "serving_default"),
        _dim_of(loaded),
    )


def _ask(
    loaded: Any,
    name: str,
    values: tf.Tensor,
    lengths: tf.Tensor,
    state: States | None = None,
) -> dict[str, tf.Tensor]:
    # Through `loaded`: a signature alone does not keep its variables.
    signature = loaded.signatures[name]
    argument = "frames" if values.shape.rank == 5 else "features"
    return signature(**{argument: values}, lengths=lengths, **(state or {}))


def _numbered(
    answer: dict[str, tf.Tensor], labels: list[str], config: Config
) -> Tagged:
    """The answer of a signature, with numbers in place of names."""
    probabilities = answer["probabilities"].numpy()
    if config.multi_label:
        return Tagged(probabilities >= pipeline.THRESHOLD, probabilities)
    # "" stands on padding, which nobody reads.
    numbers = {label.encode(): k for k, label in enumerate(labels)} | {b"": 0}
    names = answer["tags"].numpy()
    flat = [numbers[name] for name in names.ravel()]
    return Tagged(np.array(flat, np.int32).reshape(names.shape), probabilities)


def _arguments_of(loaded: Any, name: str) -> dict[str, Any]:
    if name not in loaded.signatures:
        return {}
    return loaded.signatures[name].structured_input_signature[1]


def _dim_of(loaded: Any) -> int | None:
    for name in ("serving_default", "features"):
        arguments = _arguments_of(loaded, name)
        if "features" in arguments:
            return arguments["features"].shape[-1]
    return None
