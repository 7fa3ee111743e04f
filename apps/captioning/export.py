"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes the content of picture files and answers captions; neither
Keras nor this project is needed to load it.
"""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common import cli, edge, edge_text, export, export_usage, limits
from common.characters import printable
from common.edge_graphs import Graph, Tensor, make_step_graph
from common.layers.attention import Memory
from common.training import runs

from . import pipeline, text
from .config import export_parser
from .decoder import State
from .predictor import BYTES, FEATURES, Predictor

# The check of an export asks these: no image, one, seven.
BATCHES = (0, 1, 7)


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
    captioner = runs.load_model(run, __package__)
    return export.write(
        to / run.resolve().name,
        make_archive(captioner),
        make_cases(captioner),
        make_card(run, captioner),
        run,
        list_names(captioner),
        make_request(run, captioner),
        options,
    )


def list_names(captioner: pipeline.Captioner) -> dict[str, list[str]]:
    """Returns the lists of names beside a model, by the name of their file."""
    return {"vocabulary": captioner.writer.vocabulary}


def make_archive(captioner: pipeline.Captioner) -> keras.export.ExportArchive:
    """Returns a captioner with its serving signatures.

    `serving_default`: `image_bytes` <string>[batch] to `caption`
    <string>[batch] and `score` <float32>[batch]. `features`, of a model that
    was trained on features: `features` <float32>[batch, regions, features] to
    the same. A model without an encoder has the latter under both names.

    `explain`, of a model that looks at pictures with attention: `image_bytes`
    to these, and `words` <string>[batch, steps] ("" on padding) with `weights`
    <float32>[batch, steps, rows, columns], where each word looked. A picture
    is squeezed to a square, not cropped: stretched over all of it, upright,
    the grid of regions lies where it should.
    """

    def name_outputs(captions: tf.Tensor, scores: tf.Tensor) -> dict:
        return {"caption": captions[:, 0], "score": scores[:, 0]}

    def serve_bytes(image_bytes: tf.Tensor) -> dict:
        rows = limits.check_rows(image_bytes, limits.MAX_PICTURES)
        return name_outputs(*captioner(rows))

    def serve_features(features: tf.Tensor) -> dict:
        features = limits.check_finite(limits.check_rows(features))
        return name_outputs(*captioner.caption_images(features))

    def explain(image_bytes: tf.Tensor) -> dict:
        rows = limits.check_rows(image_bytes, limits.MAX_PICTURES)
        return captioner.explain(rows)._asdict()

    shape = [None, *captioner.feature_shape]
    pictures = tf.TensorSpec([None], tf.string, BYTES)
    endpoints = {
        BYTES: (serve_bytes, pictures),
        FEATURES: (serve_features, tf.TensorSpec(shape, tf.float32, FEATURES)),
    }
    archive = keras.export.ExportArchive()
    archive.track(captioner)
    add = functools.partial(export.add_signature, archive, captioner)
    for name, argument in choose_signatures(captioner).items():
        serve, spec = endpoints[argument]
        add(name, serve, [spec])
    if captioner.has_attention:
        add(export.EXPLAIN, explain, [pictures])
    return archive


def choose_signatures(captioner: pipeline.Captioner) -> dict[str, str]:
    """Returns the input of each signature of a model, by its name."""
    if not captioner.has_encoder:
        return {export.DEFAULT: FEATURES, FEATURES: FEATURES}
    if captioner.config.features:
        return {export.DEFAULT: BYTES, FEATURES: FEATURES}
    return {export.DEFAULT: BYTES}


def make_cases(captioner: pipeline.Captioner) -> list[export.Case]:
    """Returns the answers of the model in memory, for comparison."""
    predict_fns = Predictor.from_model(captioner).predict_fns
    cases = []
    for name, argument in choose_signatures(captioner).items():
        for count in BATCHES:
            inputs = make_inputs(captioner, argument, count)
            dtype = tf.string if argument == BYTES else tf.float32
            outputs = predict_fns[argument](tf.constant(inputs, dtype))
            caption, score = (x.numpy()[:, 0] for x in outputs)
            answers = {"caption": caption, "score": score}
            cases.append(export.Case({argument: inputs}, answers, name))
    if captioner.has_attention:
        cases += _make_explanations(captioner)
    return cases


def _make_explanations(captioner: pipeline.Captioner) -> list[export.Case]:
    explain = tf.function(
        captioner.explain, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    cases = []
    for count in BATCHES:
        pictures = make_inputs(captioner, BYTES, count)
        outputs = explain(tf.constant(pictures, tf.string))._asdict()
        answers = {name: value.numpy() for name, value in outputs.items()}
        cases.append(export.Case({BYTES: pictures}, answers, export.EXPLAIN))
    return cases


def make_inputs(
    captioner: pipeline.Captioner, argument: str, count: int
) -> np.ndarray:
    """Returns inputs of a signature: BYTES <string>[count], or FEATURES."""
    if argument == BYTES:
        size = captioner.config.image_size
        return np.array(make_pictures(size)[:count], object)
    rng = np.random.default_rng(count)
    return rng.normal(size=[count, *captioner.feature_shape]).astype("f")


def make_pictures(size: int) -> list[bytes]:
    """Returns contents of files: a picture, nothing, no picture, grey, ..."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, [size, size, 3], np.uint8)
    wide = rng.integers(0, 256, [size // 2, size * 2, 3], np.uint8)
    grey = rng.integers(0, 256, [3, 5, 1], np.uint8)
    return [
        tf.io.encode_jpeg(noise).numpy(),
        b"",
        b"this is no picture",
        tf.io.encode_png(wide).numpy(),
        tf.io.encode_jpeg(grey).numpy(),
        tf.io.encode_png(np.full([1, 1, 4], 90, np.uint8)).numpy(),
        tf.io.encode_png(np.zeros([size, size, 3], np.uint8)).numpy(),
    ]


def make_request(run: Path, captioner: pipeline.Captioner) -> export.Arrays:
    """Returns an input of `serving_default`: the example of the run."""
    argument = choose_signatures(captioner)[export.DEFAULT]
    paths = [Path(name) for name in export_usage.example_inputs(run)]
    if argument == BYTES and paths and paths[0].is_file():
        return {BYTES: np.array([paths[0].read_bytes()], object)}
    return {argument: make_inputs(captioner, argument, 1)}


def make_card(run: Path, captioner: pipeline.Captioner) -> str:
    """Returns the model card, in Markdown."""
    config = captioner.config
    best = runs.read_best(run, "val_cider", "val_bleu_4")
    spec = printable(config.data)
    regions, dim = captioner.feature_shape
    shape = f"`features`: float32[batch, {regions}, {dim}]"
    takes = (
        "`image_bytes`: string[batch], the content of JPEG, PNG, GIF or BMP"
        " files of any size"
    )
    max_rows = limits.MAX_PICTURES
    if not captioner.has_encoder:
        max_rows = limits.MAX_ROWS
        takes = (
            f"{shape}, of the encoder that made `{printable(config.features)}`"
        )
    elif config.features:
        takes += f"; signature `features`: {shape}"
    return f"""# Captioner

- Input {takes}.
- Outputs: `caption` string[batch], lower case without punctuation, `score`
  float32[batch], the greater the likelier. What is no picture has an empty
  caption, with the score 0.
- Trained on `{spec}`; validation CIDEr {best["val_cider"]:.3f}, BLEU-4
  {best["val_bleu_4"]:.2f} (greedy), after epoch {best["epoch"]}.
- It knows what its training data show and no more: of other things it says
  something fluent and wrong, and it repeats what its captions took for
  granted of people. Evaluate it on your pictures before you rely on it.
{export.made_with(run, max_rows)}"""


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
    captioner = runs.load_model(run, __package__)
    graphs = make_graphs(captioner)
    ((name, values),) = make_request(run, captioner).items()
    if name == BYTES:
        values = captioner.decode_pictures(values)[0].numpy()
    return edge.write(
        run,
        target,
        captioner.network,
        graphs,
        list_names(captioner),
        {
            "text": describe_text(),
            "decoding": {
                "start": text.START_ID,
                "end": text.END_ID,
                "longest": captioner.config.max_words,
            },
        },
        edge.Example(
            Path(__file__).parent / "edge" / "example.py",
            ["example.npy"],
            {"example.npy": values[0]},
        ),
    )


def make_graphs(captioner: pipeline.Captioner) -> list[Graph]:
    """Returns the functions of a captioner that need no strings.

    `encode`: `image` <float32>[batch, size, size, 3] or, of a model without an
    encoder, `features` <float32>[batch, regions, features] to memory and first
    state. `decode_step`: the last `ids` <int32>[batch] and all these to
    `logits` <float32>[batch, vocab] and what changes of them, as `next_...`.
    """

    def encode(images: tf.Tensor) -> dict[str, tf.Tensor]:
        memory, state = captioner.network.encode(images)
        return memory._asdict() | state._asdict()

    def decode_step(ids: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        # Where both have names: those of the memory, then of the state.
        memory = Memory(*values[: len(Memory._fields)])
        state = State(*values[len(Memory._fields) :])
        logits, state = captioner.make_step(memory)(ids, state)
        after = {f"next_{k}": x for k, x in state._asdict().items()}
        return {"logits": logits, **after}

    name, size = FEATURES, captioner.config.image_size
    tensor = Tensor(tf.float32, ("batch", *captioner.feature_shape))
    if captioner.has_encoder:
        note = "RGB, 0 to 255; squeezed to this size, bilinear"
        name = "image"
        tensor = Tensor(tf.float32, ("batch", size, size, 3), note)
    cases = [{name: _make_images(captioner, count)} for count in BATCHES[1:]]
    encoded = [encode(tf.constant(case[name])) for case in cases]
    return [
        Graph("encode", encode, {name: tensor}, cases),
        make_step_graph(decode_step, encoded, text.START_ID),
    ]


def _make_images(captioner: pipeline.Captioner, count: int) -> np.ndarray:
    """Returns pixels or features <float32>[count, ...]."""
    if not captioner.has_encoder:
        return make_inputs(captioner, FEATURES, count)
    contents = make_inputs(captioner, BYTES, count)
    return captioner.decode_pictures(contents)[0].numpy()


def describe_text() -> dict[str, Any]:
    """Returns how ids become a caption, for programs in other languages."""
    return {
        "steps": "a space before each word; replace by each of rules, in order;"
        " a word is a line of vocabulary.txt, counted from first_id",
        "rules": edge_text.to_portable_rules(text.RULES),
        "first_id": text.NUM_SPECIAL,
    }


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
