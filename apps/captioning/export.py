"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes the content of picture files and answers captions; neither
Keras nor this project is needed to load it.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import cli, export
from common.errors import UserError
from common.training import runs

from . import pipeline, predictor
from .config import Config

# What the model is asked before it is called good: no image, one, seven.
BATCHES = (0, 1, 7)


class Answer(NamedTuple):
    """What a signature answers.

    Attributes:
        caption: <string>[batch].
        score: <float32>[batch].
    """

    caption: Any
    score: Any


def build(model: pipeline.Captioner) -> keras.export.ExportArchive:
    """Puts the serving signatures around a captioner.

    `serving_default`: `image_bytes` <string>[batch] to `caption`
    <string>[batch] and `score` <float32>[batch]. `features`, of a model that
    was trained on features: `features` <float32>[batch, regions, features] to
    the same. A model without an encoder has the latter under both names.
    """

    def best(captions: tf.Tensor, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        return Answer(captions[:, 0], scores[:, 0])._asdict()

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return best(*model(image_bytes))

    def of_features(features: tf.Tensor) -> dict[str, tf.Tensor]:
        return best(*model.of_images(features))

    images = tf.TensorSpec([None], tf.string, name="image_bytes")
    shape = [None, *model.feature_shape]
    features = tf.TensorSpec(shape, tf.float32, name="features")
    archive = keras.export.ExportArchive()
    archive.track(model)
    with export.portable(model):
        for name in signatures(model):
            if name == "serving_default" and model.has_encoder:
                archive.add_endpoint(name, serve, input_signature=[images])
            else:
                archive.add_endpoint(
                    name, of_features, input_signature=[features]
                )
    return archive


def signatures(model: pipeline.Captioner) -> list[str]:
    """The names of the signatures of a model."""
    if model.config.features or not model.has_encoder:
        return ["serving_default", "features"]
    return ["serving_default"]


def pictures(count: int, size: int) -> list[bytes]:
    """Different contents of files: a picture, nothing, no picture, grey, ..."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, [size, size, 3], np.uint8)
    wide = rng.integers(0, 256, [size // 2, size * 2, 3], np.uint8)
    grey = rng.integers(0, 256, [3, 5, 1], np.uint8)
    made = [
        tf.io.encode_jpeg(noise).numpy(),
        b"",
        b"this is no picture",
        tf.io.encode_png(wide).numpy(),
        tf.io.encode_jpeg(grey).numpy(),
        tf.io.encode_png(np.full([1, 1, 4], 90, np.uint8)).numpy(),
        tf.io.encode_png(np.zeros([size, size, 3], np.uint8)).numpy(),
    ]
    return made[:count]


def cases(model: pipeline.Captioner) -> list[export.Case]:
    """What the model in memory answers, for comparison."""
    answering = predictor.of_model(model)
    rng = np.random.default_rng(0)
    result = []
    for name in signatures(model):
        for count in BATCHES:
            if name == "serving_default" and answering.of_content:
                contents = pictures(count, model.config.image_size)
                given = np.array(contents, object)
                inputs = {"image_bytes": given}
                found = answering.of_content(tf.constant(given, tf.string))
            else:
                shape = [count, *model.feature_shape]
                given = rng.normal(size=shape).astype("f")
                inputs = {"features": given}
                assert answering.of_encoded is not None
                found = answering.of_encoded(tf.constant(given))
            best = Answer(*(x.numpy()[:, 0] for x in found))
            result.append(export.Case(inputs, best._asdict(), name))
    return result


def write_card(folder: Path, run: Path, model: pipeline.Captioner) -> None:
    """Writes what a user of the model should know about it."""
    config: Config = model.config
    best = runs.read_json(run / "metrics.json")["best"]
    versions = runs.read_json(run / runs.VERSIONS)
    regions, dim = model.feature_shape
    shape = f"`features`: float32[batch, {regions}, {dim}]"
    takes = (
        "`image_bytes`: string[batch], the content of JPEG, PNG, GIF or BMP"
        " files of any size"
    )
    if not model.has_encoder:
        takes = f"{shape}, of the encoder that made `{config.features}`"
    elif config.features:
        takes += f"; signature `features`: {shape}"
    card = f"""# Captioner

- Input {takes}.
- Outputs: `caption` string[batch], lower case without punctuation, `score`
  float32[batch], the greater the likelier. What is no picture has an empty
  caption, with the score 0.
- Trained on `{config.data}`; validation CIDEr {best["val_cider"]:.3f}, BLEU-4
  {best["val_bleu_4"]:.2f} (greedy), after epoch {best["epoch"]}.
- It knows what its training data show and no more: of other things it says
  something fluent and wrong, and it repeats what its captions took for
  granted of people. Evaluate it on your pictures before you rely on it.
- Made with python {versions["python"]}, tensorflow {versions["tensorflow"]},
  keras {versions["keras"]}. All options are in `config.json`.
"""
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def export_run(run: Path, to: Path) -> Path:
    """Exports a run and checks the result in a process of its own.

    Args:
        run: a run folder.
        to: the folder of exports; the model goes to `to/APP/VERSION`.

    Returns:
        The new version's folder.

    Raises:
        UserError: if the run cannot be exported; nothing is left behind.
    """
    predictor.load(str(run))  # Says what is wrong with what is no run.
    model = pipeline.load(run / runs.MODEL)
    base = to / __package__.rpartition(".")[2]
    with export.new_version(base) as folder:
        build(model).write_out(folder, verbose=False)
        expected = cases(model)
        default = [x for x in expected if x.signature == "serving_default"]
        export.write_warmup(folder, [case.inputs for case in default])
        for name in (runs.CONFIG, "data.json", "vocabulary.txt"):
            shutil.copy(run / name, folder / name)
        write_card(folder, run, model)
        export.check(folder, expected)
    return base / str(export.latest_version(base))


def main() -> None:
    """Reads the command line, exports, and tells what comes next."""
    parser = cli.Parser(f"{__package__}.export", __doc__ or "")
    parser.add_argument("run", help="a run folder")
    parser.add_argument("--to", default="exports", help="the folder of exports")
    args = parser.parse_args()
    if export.find_saved_model(Path(args.run)):
        raise UserError(f"{args.run}: already exported; give the run folder")
    folder = export_run(Path(args.run), Path(args.to))
    print(f"{folder}: exported, answers as the model does in a clean process")


if __name__ == "__main__":
    cli.main(main)
