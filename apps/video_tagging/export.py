"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes frames or features and answers tags; neither Keras nor
this project is needed to load it.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import cli, edge, export, export_usage, limits
from common.characters import printable
from common.data import feature_arrays
from common.edge_graphs import Graph, Tensor
from common.errors import UserError
from common.media import videos
from common.training import runs

from . import pipeline
from .config import export_parser
from .encoder import is_trained

# The check of an export asks these: no video, one, seven.
BATCHES = (0, 1, 7)
TIME = 9

Outputs = dict[str, tf.Tensor]
ServeFn = Callable[..., Outputs]


class Signature(NamedTuple):
    """A function that is served.

    Attributes:
        function: from tensors in the order of `inputs` to named outputs.
        inputs: their shapes, types and names.
    """

    function: ServeFn
    inputs: list[tf.TensorSpec]


def export_run(
    run: Path, to: Path, options: export.Options = export.DEFAULT_OPTIONS
) -> Path:
    """Exports a run and checks the result in a process of its own.

    Args:
        run: a run folder.
        to: the folder of exports; the model goes to `to/NAME OF RUN/VERSION`.
        options: see `export.Options`.

    Returns:
        The new version's folder.

    Raises:
        UserError: if the run cannot be exported; nothing is left behind.
    """
    tagger = runs.load_model(run, __package__)
    return export.write(
        to / run.resolve().name,
        make_archive(tagger),
        make_cases(tagger),
        make_card(run, tagger),
        run,
        list_names(tagger),
        make_request(run, tagger),
        options,
    )


def list_names(tagger: pipeline.Tagger) -> dict[str, list[str]]:
    """Returns the lists of names beside a model, by the name of their file."""
    return {"labels": tagger.labels}


def make_archive(tagger: pipeline.Tagger) -> keras.export.ExportArchive:
    """Returns a tagger with its serving signatures."""
    archive = keras.export.ExportArchive()
    archive.track(tagger)
    for name, (serve, inputs) in make_signatures(tagger).items():
        export.add_signature(archive, tagger, name, serve, inputs)
    return archive


def make_signatures(tagger: pipeline.Tagger) -> dict[str, Signature]:
    """Returns all signatures of a tagger, by name.

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
    config = tagger.config
    pixels = [config.image_size, config.image_size, 3]
    features = tf.TensorSpec([None, None, tagger.dim], tf.float32, "features")
    frames = tf.TensorSpec([None, None, *pixels], tf.uint8, "frames")
    frame = tf.TensorSpec([None, *pixels], tf.uint8, "frame")
    if not tagger.has_encoder:
        frames = features
        frame = tf.TensorSpec([None, tagger.dim], tf.float32, "features")
    lengths = tf.TensorSpec([None], tf.int32, "lengths")
    serve = _serve_videos(tagger)
    result = {export.DEFAULT: Signature(serve, [frames, lengths])}
    if tagger.has_encoder and not is_trained(config):
        result[pipeline.FEATURES] = Signature(serve, [features, lengths])
    if config.causal:
        states = [
            tf.TensorSpec([None, config.units], tf.float32, name)
            for name in pipeline.state_names(config)
        ]
        window = _serve_window(tagger)
        result[pipeline.WINDOW] = Signature(window, [frames, lengths, *states])
        result[pipeline.STEP] = Signature(_serve_step(window), [frame, *states])
    return result


def _serve_videos(tagger: pipeline.Tagger) -> ServeFn:
    def serve(values: tf.Tensor, lengths: tf.Tensor) -> Outputs:
        values, lengths = _check(values, lengths)
        return _to_outputs(tagger, tagger(values, lengths), lengths)

    return serve


def _check(
    values: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    values = limits.check_rows(values)
    lengths = limits.check_lengths(lengths, tf.shape(values)[1])
    return limits.check_finite(values, lengths), lengths


def _serve_window(tagger: pipeline.Tagger) -> ServeFn:
    names = pipeline.state_names(tagger.config)

    def serve(
        values: tf.Tensor, lengths: tf.Tensor, *states: tf.Tensor
    ) -> Outputs:
        values, lengths = _check(values, lengths)
        states = tuple(map(limits.check_finite, states))
        before = dict(zip(names, states, strict=True))
        prediction, after = tagger.advance(values, lengths, before)
        return _to_outputs(tagger, prediction, lengths) | after

    return serve


def _serve_step(window: ServeFn) -> ServeFn:
    def serve(value: tf.Tensor, *states: tf.Tensor) -> Outputs:
        lengths = tf.ones([tf.shape(value)[0]], tf.int32)
        outputs = window(value[:, None], lengths, *states)
        for name in ("tags", "probabilities"):
            outputs[name] = outputs[name][:, 0]
        return outputs

    return serve


def _to_outputs(
    tagger: pipeline.Tagger,
    prediction: pipeline.Prediction,
    lengths: tf.Tensor,
) -> Outputs:
    return {
        "tags": tagger.tag_names(prediction, lengths),
        "probabilities": prediction.probabilities,
    }


def make_cases(tagger: pipeline.Tagger) -> list[export.Case]:
    """Returns the answers of the model in memory, for comparison."""
    rng = np.random.default_rng(0)
    cases = []
    for name, (serve, specs) in make_signatures(tagger).items():
        function = tf.function(serve, input_signature=specs)
        for size in BATCHES:
            inputs = {spec.name: _make_input(spec, size, rng) for spec in specs}
            outputs = function(*map(tf.constant, inputs.values()))
            expected = {key: value.numpy() for key, value in outputs.items()}
            cases.append(export.Case(inputs, expected, name))
    return cases


def _make_input(
    spec: tf.TensorSpec, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Makes random values, and videos of different lengths."""
    if spec.name == "lengths":
        return np.resize([TIME, 1, 4], size).astype(np.int32)
    shape = [size, *spec.shape[1:]]
    if None in shape:
        shape[shape.index(None)] = TIME
    if spec.dtype == tf.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    return rng.normal(size=shape).astype(np.float32)


def make_request(run: Path, tagger: pipeline.Tagger) -> export.Arrays:
    """Returns an input of `serving_default`: the example of the run.

    Its first frames: a request of JSON takes four bytes a number.
    """
    config = tagger.config
    specs = make_signatures(tagger)[export.DEFAULT].inputs
    for path in map(Path, export_usage.example_inputs(run)[:1]):
        if not tagger.has_encoder or feature_arrays.is_features(path):
            break
        with contextlib.suppress(UserError):  # It may have moved.
            clips = videos.stream_clips(
                path, config.image_size, config.frame_rate
            )
            frames = next(clips).values[:TIME]
            lengths = np.array([len(frames)], np.int32)
            return {"frames": frames[None], "lengths": lengths}
    rng = np.random.default_rng(0)
    return {spec.name: _make_input(spec, 1, rng) for spec in specs}


def make_card(run: Path, tagger: pipeline.Tagger) -> str:
    """Returns the model card, in Markdown."""
    config, size = tagger.config, tagger.config.image_size
    best = runs.read_best(run)
    inputs = f"`features`: float32[batch, time, {tagger.dim}]"
    if tagger.has_encoder:
        inputs = (
            f"`frames`: uint8[batch, time, {size}, {size}, 3], RGB, 0 to 255"
        )
    if config.frame_rate:
        inputs += f", {config.frame_rate:g} frames a second"
    scores = ", ".join(
        f"{name} {value:.2f}"
        for name, value in runs.validation_scores(best).items()
    )
    return f"""# Tagger of frames

- Input {inputs}, and `lengths`: int32[batch], how many of them are real.
- Outputs: `tags` string[batch, time], {_describe_tags(tagger)}; `probabilities`
  float32[batch, time, {len(tagger.labels)}], in the order of `labels.txt`.
- {_describe_states(tagger)}
- Trained on `{printable(config.data)}`; validation: {scores}, after epoch
  {best["epoch"]}.
- It knows the tags of its training data and no more: whatever it sees, it says
  one of them. Cameras, rooms and people that it has not seen make it worse;
  evaluate it on your videos before you rely on it.
{export.made_with(run)}"""


def _describe_tags(tagger: pipeline.Tagger) -> str:
    if tagger.config.multi_label:
        return (
            "all tags of a frame with a probability of"
            f" {pipeline.THRESHOLD} or more, joined by spaces"
        )
    return 'one for each frame, "" on padding'


def _describe_states(tagger: pipeline.Tagger) -> str:
    if not tagger.config.causal:
        return "It reads a video from both sides, and needs all of it."
    names = pipeline.state_names(tagger.config)
    return (
        f"It is causal. Signature `{pipeline.STEP}` takes one frame and the"
        f" states {', '.join(f'`{name}`' for name in names)},"
        f" float32[batch, {tagger.config.units}] each, zeros before the first"
        " frame, and answers the states to give next time;"
        f" `{pipeline.WINDOW}` does the same for several frames."
    )


def export_edge(run: Path, target: edge.Target) -> Path:
    """Exports a run for machines without TensorFlow, and checks the result.

    Args:
        run: a run folder.
        target: the format and the folder.

    Returns:
        The folder.

    Raises:
        UserError: if the run cannot be exported; nothing is left behind.
    """
    tagger = runs.load_model(run, __package__)
    values = next(iter(make_request(run, tagger).values()))
    return edge.write(
        run,
        target,
        tagger.network,
        make_graphs(tagger),
        list_names(tagger),
        {
            "threshold": pipeline.THRESHOLD * tagger.config.multi_label,
            "frame_rate": tagger.config.frame_rate,
        },
        edge.Example(
            Path(__file__).parent / "edge" / "example.py",
            ["example.npy"],
            {"example.npy": values[0]},
        ),
    )


def make_graphs(tagger: pipeline.Tagger) -> list[Graph]:
    """Returns the functions of a tagger that need no strings.

    `encode`, of a model with an encoder: `frame` <uint8>[batch, size, size, 3]
    to `features` <float32>[batch, features]. `tag`: `features`
    <float32>[batch, time, features] and `lengths` <int32>[batch] to
    `probabilities` <float32>[batch, time, classes]. `step`, of a causal model:
    a frame and the states before it to `probabilities` <float32>[batch,
    classes] and the states after it, as `next_...`.

    Raises:
        UserError: for a model with a CRF, whose loops no format has.
    """
    if tagger.network.crf is not None:
        raise UserError(
            "a CRF does not convert: the formats for the edge lack the loops"
            " that decode it: use --format savedmodel, or train without --crf"
        )
    graphs = [_make_tag(tagger)]
    if tagger.has_encoder:
        graphs.insert(0, _make_encode(tagger))
    if tagger.config.causal:
        graphs.append(_make_step(tagger))
    return graphs


def _make_encode(tagger: pipeline.Tagger) -> Graph:
    def encode(frame: tf.Tensor) -> Outputs:
        return {"features": tagger.network.encode(frame[:, None])[:, 0]}

    return _make_graph("encode", encode, {"frame": _frame_tensor(tagger)})


def _make_tag(tagger: pipeline.Tagger) -> Graph:
    def tag(features: tf.Tensor, lengths: tf.Tensor) -> Outputs:
        return {"probabilities": tagger(features, lengths).probabilities}

    axes = ("batch", "time", tagger.dim)
    inputs = {
        "features": Tensor(tf.float32, axes, "anything behind `lengths`"),
        "lengths": Tensor(tf.int32, ("batch",), "how many steps are real"),
    }
    return _make_graph("tag", tag, inputs)


def _make_step(tagger: pipeline.Tagger) -> Graph:
    names = pipeline.state_names(tagger.config)

    def step(value: tf.Tensor, *states: tf.Tensor) -> Outputs:
        lengths = tf.ones([tf.shape(value)[0]], tf.int32)
        before = dict(zip(names, states, strict=True))
        prediction, after = tagger.advance(value[:, None], lengths, before)
        outputs = {"probabilities": prediction.probabilities[:, 0]}
        return outputs | {f"next_{name}": x for name, x in after.items()}

    first = "frame" if tagger.has_encoder else "features"
    axes, note = ("batch", tagger.config.units), "zeros before the first frame"
    states = {name: Tensor(tf.float32, axes, note) for name in names}
    return _make_graph("step", step, {first: _frame_tensor(tagger)} | states)


def _frame_tensor(tagger: pipeline.Tagger) -> Tensor:
    """Returns the input for one frame."""
    if not tagger.has_encoder:
        return Tensor(tf.float32, ("batch", tagger.dim), "of a frame")
    size = tagger.config.image_size
    return Tensor(tf.uint8, ("batch", size, size, 3), "RGB, 0 to 255")


def _make_graph(
    name: str, function: ServeFn, inputs: dict[str, Tensor]
) -> Graph:
    graph = Graph(name, function, inputs, [])
    rng = np.random.default_rng(0)
    for size in BATCHES[1:]:
        specs = graph.to_specs(size)
        graph.cases.append({x.name: _make_input(x, size, rng) for x in specs})
    return graph


def main() -> None:
    """Exports as the command line says."""
    args = export_parser().parse_args()
    run = export.check_is_run(args.run, __package__)
    if target := edge.choose_target(args):
        edge.print_done(export_edge(run, target))
        return
    options = export.Options.from_args(args)
    export.print_done(export_run(run, Path(args.to), options))


if __name__ == "__main__":
    cli.main(main)
