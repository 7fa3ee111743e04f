"""A trained model that answers, from a run folder or an exported SavedModel."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common import export
from common.data import feature_arrays, json_files
from common.errors import UserError
from common.layers.kernels import for_inference
from common.media import videos
from common.training import runs

from . import pipeline
from .config import Config
from .encoder import is_trained
from .pipeline import Prediction, States

# Frame rates that differ by more are noted.
MAX_RATIO = 1.5

# Frames or features [batch, time, ...] and lengths to tags.
PredictFn = Callable[[tf.Tensor, tf.Tensor], Prediction]
# The same, with the states before these frames and after them.
AdvanceFn = Callable[[tf.Tensor, tf.Tensor, States], tuple[Prediction, States]]
# From a chunk [time, ...] of frames to what is kept of it until the video ends.
EncodeFn = Callable[[np.ndarray], np.ndarray]
# From the next chunk of a stream to its tags.
StreamFn = Callable[[np.ndarray], Prediction]


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A trained model, from a run folder or an exported SavedModel.

    Attributes:
        config: the options it was trained with.
        labels: the tags, in the order of the probabilities.
        takes_frames: whether it takes frames.
        dim: size of the features that it takes; 0 if it takes none.
        predict_fn: tags whole videos.
        advance_fn: tags the next frames; of a causal model only.
        encode_fn: frames to features, where that is a step of its own.
        frame_rate: frames a second of the training videos; 0 if unknown.
    """

    config: Config
    labels: list[str]
    takes_frames: bool
    dim: int
    predict_fn: PredictFn
    advance_fn: AdvanceFn
    encode_fn: EncodeFn
    frame_rate: float = 0.0

    @classmethod
    def from_model(cls, model: pipeline.Tagger) -> "Predictor":
        """Returns a predictor of a model in memory."""
        config = model.config
        answer = for_inference(model)
        predict_fn = tf.function(
            answer(lambda frames, lengths: model(frames, lengths)),
            reduce_retracing=True,
        )
        advance_fn = tf.function(answer(model.advance), reduce_retracing=True)
        encode = tf.function(model.network.encode, reduce_retracing=True)

        def encode_fn(frames: np.ndarray) -> np.ndarray:
            return encode(tf.constant(frames[None])).numpy()[0]

        # The features of a trained encoder are no other model's.
        is_closed = model.has_encoder and is_trained(config)
        return cls(
            config,
            model.labels,
            model.has_encoder,
            0 if is_closed else model.dim,
            predict_fn,
            advance_fn,
            encode_fn,
        )

    @classmethod
    def from_run(cls, run: str | Path) -> "Predictor":
        """Loads the best epoch of a run folder.

        Raises:
            UserError: if it is none, or has no finished epoch.
        """
        # Tells more of a run with other options than Keras does.
        runs.load_config(runs.find_model(run, __package__).parent, Config)
        predictor = cls.from_model(runs.load_model(run, __package__))
        rate = _read_frame_rate(Path(run))
        return dataclasses.replace(predictor, frame_rate=rate)

    @classmethod
    def from_export(cls, folder: Path) -> "Predictor":
        """Loads an exported SavedModel.

        Raises:
            UserError: if it is of another app.
        """
        runs.check_app(folder, __package__, Config)
        loaded = tf.saved_model.load(str(folder))
        config = runs.load_config(folder, Config)
        labels = export.read_labels(folder, loaded)

        def predict_fn(values: tf.Tensor, lengths: tf.Tensor) -> Prediction:
            has_features = pipeline.FEATURES in loaded.signatures
            is_features = values.shape.rank == 3 and has_features
            name = pipeline.FEATURES if is_features else export.DEFAULT
            outputs = _call_signature(loaded, name, values, lengths, {})
            return _to_prediction(outputs, labels, config)

        def advance_fn(
            values: tf.Tensor, lengths: tf.Tensor, states: States
        ) -> tuple[Prediction, States]:
            outputs = _call_signature(
                loaded, pipeline.WINDOW, values, lengths, states
            )
            after = {name: outputs[name] for name in states}
            return _to_prediction(outputs, labels, config), after

        return cls(
            config,
            labels,
            "frames" in _signature_inputs(loaded, export.DEFAULT),
            _feature_dim(loaded),
            predict_fn,
            advance_fn,
            lambda frames: frames,
            _read_frame_rate(folder),
        )

    def predict_video(
        self, source: videos.Source, config: Config
    ) -> tuple[Prediction, videos.Clip]:
        """Tags one video, and tells when its frames are shown.

        Args:
            source: as of `videos.stream_clips`.
            config: its `image_size` and `frame_rate`.

        Returns:
            Its tags, and all of the video but the frames themselves: those of
            a long one would not fit in memory.

        Raises:
            UserError: if it cannot be read, or the model cannot see it.
        """
        self.check(source)
        clips = videos.stream_clips(
            source, config.image_size, config.frame_rate
        )
        bare: list[videos.Clip] = []

        def chunks() -> Iterator[np.ndarray]:
            for clip in clips:
                bare.append(clip._replace(values=clip.values[:0]))
                yield clip.values

        return self.predict_chunks(chunks()), videos.join_clips(bare)

    def predict_chunks(self, chunks: Iterable[np.ndarray]) -> Prediction:
        """Tags one video that comes in chunks.

        A causal model carries its states from chunk to chunk, so that the
        memory it needs does not depend on the length. Any other model must
        know all features of a video before it can answer; of the frames it
        keeps no more than one chunk.

        Args:
            chunks: frames <uint8>[time, size, size, 3] or features
                <float32>[time, features], at least one frame in all.

        Returns:
            The same as if the video came in one chunk.
        """
        if self.config.causal:
            predict_next = self.make_stream_fn()
            predictions = [predict_next(chunk) for chunk in chunks]
            columns = zip(*predictions, strict=True)
            return Prediction(*(np.concatenate(column) for column in columns))
        values = np.concatenate([self._encode(chunk) for chunk in chunks])[None]
        return _first(self.predict_fn(tf.constant(values), _lengths(values)))

    def predict_batches(self, batches: Iterable[Any]) -> list[Prediction]:
        """Tags whole videos, from the batches of `batches.make_batches`."""
        result = []
        for (values, lengths), _, _ in batches:
            columns = self.predict_fn(values, lengths)
            rows = zip(*(np.asarray(column) for column in columns), strict=True)
            for length, row in zip(lengths.numpy(), rows, strict=True):
                result.append(Prediction(*(value[:length] for value in row)))
        return result

    def make_stream_fn(self) -> StreamFn:
        """Makes a function that tags the chunks of one stream in turn.

        Raises:
            UserError: if the model is not causal.
        """
        if not self.config.causal:
            raise UserError(
                "this model reads videos from both sides, and cannot tag a"
                " stream: train one with --causal"
            )
        states = pipeline.zero_states(self.config)

        def predict_next(chunk: np.ndarray) -> Prediction:
            nonlocal states
            self._check_dim(chunk)
            values = chunk[None]
            prediction, states = self.advance_fn(
                tf.constant(values), _lengths(values), states
            )
            return _first(prediction)

        return predict_next

    def describe_rate(self, rate: float) -> str:
        """Tells of a video if its frames come at another rate than training's.

        Args:
            rate: frames a second of the video; 0 if unknown.
        """
        if not rate or not self.frame_rate:
            return ""
        if max(rate / self.frame_rate, self.frame_rate / rate) <= MAX_RATIO:
            return ""
        return (
            f"{rate:g} frames a second, where training had"
            f" {self.frame_rate:g}: pass --frame-rate {self.frame_rate:g}"
        )

    def check(self, source: videos.Source) -> None:
        """Checks that the model can tag a video.

        Raises:
            UserError: for features without a model of features, frames
                without a model of frames, or features of another size.
        """
        is_features = feature_arrays.is_features(source)
        if is_features and not self.dim:
            raise UserError(
                f"{source}: features, but this model sees frames: give videos"
                " or folders of pictures"
            )
        if not is_features and not self.takes_frames:
            name = source if isinstance(source, Path) else "the data"
            raise UserError(
                f"{name}: frames, but this model knows features"
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

    def _encode(self, chunk: np.ndarray) -> np.ndarray:
        self._check_dim(chunk)
        return chunk if chunk.ndim == 2 else self.encode_fn(chunk)

    def _check_dim(self, chunk: np.ndarray) -> None:
        if chunk.ndim == 2 and chunk.shape[1] != self.dim:
            raise UserError(
                f"expected {self.dim} features of each frame, as in training,"
                f" got {chunk.shape[1]}: compute them with the same encoder"
            )


def load(path: str) -> Predictor:
    """Opens a run folder or an exported SavedModel.

    Raises:
        UserError: if it is neither, or has no finished epoch.
    """
    if saved_model := export.find_saved_model(Path(path)):
        return Predictor.from_export(saved_model)
    return Predictor.from_run(path)


def _read_frame_rate(folder: Path) -> float:
    return json_files.read(folder / runs.DATA, frame_rate=float).get(
        "frame_rate", 0.0
    )


def _lengths(values: np.ndarray) -> tf.Tensor:
    return tf.fill([len(values)], values.shape[1])


def _first(prediction: Prediction) -> Prediction:
    """Returns the first video of a batch."""
    return Prediction(*(np.asarray(values)[0] for values in prediction))


def _call_signature(
    loaded: Any,
    name: str,
    values: tf.Tensor,
    lengths: tf.Tensor,
    states: States,
) -> dict[str, tf.Tensor]:
    # Through `loaded`: a signature does not keep its variables.
    signature = loaded.signatures[name]
    argument = "frames" if values.shape.rank == 5 else "features"
    return signature(**{argument: values}, lengths=lengths, **states)


def _to_prediction(
    outputs: dict[str, tf.Tensor], labels: list[str], config: Config
) -> Prediction:
    """Returns the outputs of a signature, with numbers in place of names."""
    probabilities = outputs["probabilities"].numpy()
    if config.multi_label:
        tags = probabilities >= pipeline.THRESHOLD
        return Prediction(tags, probabilities)
    # "" stands on padding, which nobody reads.
    numbers = {label.encode(): k for k, label in enumerate(labels)} | {b"": 0}
    names = outputs["tags"].numpy()
    try:
        flat = [numbers[name] for name in names.ravel()]
    except KeyError as error:
        raise UserError(
            f"labels.txt of this export does not have the tag {error}: it was"
            " changed; put the old one back, or export the run again"
        ) from error
    tags = np.array(flat, np.int32).reshape(names.shape)
    return Prediction(tags, probabilities)


def _signature_inputs(loaded: Any, name: str) -> dict[str, Any]:
    if name not in loaded.signatures:
        return {}
    return loaded.signatures[name].structured_input_signature[1]


def _feature_dim(loaded: Any) -> int:
    for name in (export.DEFAULT, pipeline.FEATURES):
        inputs = _signature_inputs(loaded, name)
        if "features" in inputs:
            return inputs["features"].shape[-1]
    return 0
