"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes frames or features and answers tags; neither Keras nor
this project is needed to load it.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common import cli, export
from common.errors import UserError
from common.training import runs

from . import pipeline, predictor, signatures, states

# What the model is asked before it is called good: no video, one, seven.
BATCHES = (0, 1, 7)
TIME = 9


def build(model: pipeline.Tagger) -> keras.export.ExportArchive:
    """Puts the signatures of `signatures.of` around a tagger."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    with export.portable(model):
        for name, (function, inputs) in signatures.of(model).items():
            archive.add_endpoint(name, function, input_signature=inputs)
    return archive


def cases(model: pipeline.Tagger) -> list[export.Case]:
    """What the model in memory answers, for comparison."""
    rng = np.random.default_rng(0)
    result = []
    for name, (function, inputs) in signatures.of(model).items():
        answer = tf.function(function, input_signature=inputs)
        for count in BATCHES:
            given = {spec.name: _some(spec, count, rng) for spec in inputs}
            found = answer(*map(tf.constant, given.values()))
            expected = {key: value.numpy() for key, value in found.items()}
            result.append(export.Case(given, expected, name))
    return result


def _some(
    spec: tf.TensorSpec, count: int, rng: np.random.Generator
) -> np.ndarray:
    """An input of a signature: random values, and videos of other lengths."""
    if spec.name == "lengths":
        return np.resize([TIME, 1, 4], count).astype(np.int32)
    shape = [count, *spec.shape[1:]]
    if None in shape:
        shape[shape.index(None)] = TIME
    if spec.dtype == tf.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    return rng.normal(size=shape).astype(np.float32)


def write_card(folder: Path, run: Path, model: pipeline.Tagger) -> None:
    """Writes what a user of the model should know about it."""
    config = model.config
    best = runs.read_json(run / "metrics.json")["best"]
    versions = runs.read_json(run / runs.VERSIONS)
    size = config.image_size
    takes = f"`features`: float32[batch, time, {model.dim}]"
    if model.has_encoder:
        takes = (
            f"`frames`: uint8[batch, time, {size}, {size}, 3], RGB, 0 to 255"
        )
    rate = f", {config.rate:g} frames a second" if config.rate else ""
    scores = ", ".join(
        f"{name.removeprefix('val_')} {value:.2f}"
        for name, value in best.items()
        if name.startswith("val_")
    )
    card = f"""# Tagger of frames

- Input {takes}{rate}, and `lengths`: int32[batch], how many of them are real.
- Outputs: `tags` string[batch, time], {_said_of_tags(model)}; `probabilities`
  float32[batch, time, {len(model.labels)}], in the order of `labels.txt`.
- {_said_of_states(model)}
- Trained on `{config.data}`; validation: {scores}, after epoch
  {best["epoch"]}.
- It knows the tags of its training data and no more: whatever it sees, it says
  one of them. Cameras, rooms and people that it has not seen make it worse;
  evaluate it on your videos before you rely on it.
- Made with python {versions["python"]}, tensorflow {versions["tensorflow"]},
  keras {versions["keras"]}. All options are in `config.json`.
"""
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def _said_of_tags(model: pipeline.Tagger) -> str:
    if model.config.multi_label:
        return (
            "all tags of a frame with a probability of"
            f" {pipeline.THRESHOLD} or more, joined by spaces"
        )
    return 'one for each frame, "" on padding'


def _said_of_states(model: pipeline.Tagger) -> str:
    if not model.config.causal:
        return "It reads a video from both sides, and needs all of it."
    names = ", ".join(f"`{name}`" for name in states.names(model.config))
    return (
        f"It is causal. Signature `{signatures.STEP}` takes one frame and the"
        " states"
        f" {names}, float32[batch, {model.config.units}] each, zeros before"
        " the first frame, and answers the states to give next time;"
        f" `{signatures.WINDOW}` does the same for several frames."
    )


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
        default = [x for x in expected if x.signature == signatures.DEFAULT]
        export.write_warmup(folder, [case.inputs for case in default])
        for name in (runs.CONFIG, "data.json", "labels.txt"):
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
