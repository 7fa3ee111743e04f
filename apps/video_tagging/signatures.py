"""What a served model can be asked: functions on tensors, and their inputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from . import encoder, pipeline, states

DEFAULT = "serving_default"
FEATURES = "features"
WINDOW = "window"
STEP = "step"

Named = dict[str, tf.Tensor]


class Signature(NamedTuple):
    """One question.

    Attributes:
        function: from tensors in the order of `inputs` to named outputs.
        inputs: their shapes, types and names.
    """

    function: Callable[..., Named]
    inputs: list[tf.TensorSpec]


def of(model: pipeline.Tagger) -> dict[str, Signature]:
    """All signatures of a model, by name.

    `serving_default`: `frames` <uint8>[batch, time, size, size, 3], or
    `features` <float32>[batch, time, features], and `lengths` <int32>[batch],
    to `tags` <string>[batch, time] ("" on padding) and `probabilities`
    <float32>[batch, time, classes]. `features`, of a model with an encoder
    that was not trained: the same from the encoder's features.

    Of a causal model also `window`, which takes the states after the frames
    before, <float32>[batch, units] each, and answers those after these frames
    too; and `step`, the same for one frame: without time axis and `lengths`.
    The states before the first frame are zeros.
    """
    size = model.config.image_size
    pixels = [size, size, 3]
    features = tf.TensorSpec([None, None, model.dim], tf.float32, "features")
    frames = tf.TensorSpec([None, None, *pixels], tf.uint8, "frames")
    one_frame = tf.TensorSpec([None, *pixels], tf.uint8, "frame")
    if not model.has_encoder:
        frames = features
        one_frame = tf.TensorSpec([None, model.dim], tf.float32, "features")
    lengths = tf.TensorSpec([None], tf.int32, "lengths")
    result = {DEFAULT: Signature(_whole(model), [frames, lengths])}
    if model.has_encoder and not encoder.is_trained(model.config):
        result[FEATURES] = Signature(_whole(model), [features, lengths])
    if model.config.causal:
        state = _state_specs(model)
        window = _window(model)
        result[WINDOW] = Signature(window, [frames, lengths, *state])
        result[STEP] = Signature(_step(window), [one_frame, *state])
    return result


def _whole(model: pipeline.Tagger) -> Callable[..., Named]:
    def whole(values: tf.Tensor, lengths: tf.Tensor) -> Named:
        return _answer(model, model(values, lengths), lengths)

    return whole


def _window(model: pipeline.Tagger) -> Callable[..., Named]:
    names = states.names(model.config)

    def window(
        values: tf.Tensor, lengths: tf.Tensor, *given: tf.Tensor
    ) -> Named:
        named = dict(zip(names, given, strict=True))
        before = states.nested(named, model.config)
        found, after = model.advance(values, lengths, before)
        answer = _answer(model, found, lengths)
        return answer | states.flat(after, model.config)

    return window


def _step(window: Callable[..., Named]) -> Callable[..., Named]:
    def step(value: tf.Tensor, *given: tf.Tensor) -> Named:
        one = tf.ones([tf.shape(value)[0]], tf.int32)
        answer = window(value[:, None], one, *given)
        for name in ("tags", "probabilities"):
            answer[name] = answer[name][:, 0]
        return answer

    return step


def _answer(
    model: pipeline.Tagger, found: pipeline.Found, lengths: tf.Tensor
) -> Named:
    return {
        "tags": model.names(found, lengths),
        "probabilities": found.probabilities,
    }


def _state_specs(model: pipeline.Tagger) -> list[Any]:
    shape = [None, model.config.units]
    return [
        tf.TensorSpec(shape, tf.float32, name)
        for name in states.names(model.config)
    ]
