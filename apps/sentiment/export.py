"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes raw text and answers label names; neither Keras nor this
project is needed to load it.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common import cli, export
from common.errors import UserError
from common.training import runs

from . import model, predict

# What the model is asked before it is called good: no row, one, seven; a text
# without words; unknown words; one long row that pads all others.
CASES: tuple[list[str], ...] = (
    [],
    ["not bad at all"],
    [
        "a good film",
        "",
        "zzzz qqqq",
        "bad " * 1000,
        "\N{GRINNING FACE}",
        "?",
        "A",
    ],
)


def build(
    text_model: keras.Model, labels: list[str]
) -> keras.export.ExportArchive:
    """Puts the serving signature around a text model.

    `serving_default`: `text` <string>[batch] to `label` <string>[batch],
    `score` <float32>[batch] (the label's probability) and `probabilities`
    <float32>[batch, classes].
    """
    names = tf.constant(labels)

    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = text_model(text, training=False)
        best = tf.argmax(probabilities, axis=-1)
        return {
            "label": tf.gather(names, best),
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    archive = keras.export.ExportArchive()
    archive.track(text_model)
    signature = [tf.TensorSpec([None], tf.string, name="text")]
    with export.portable(text_model):
        archive.add_endpoint("serve", serve, input_signature=signature)
    return archive


def cases(text_model: keras.Model, labels: list[str]) -> list[export.Case]:
    """What the model in memory answers, for comparison."""
    result = []
    for texts in CASES:
        encoded = np.array([text.encode() for text in texts], object)
        probabilities = text_model(tf.constant(encoded, tf.string)).numpy()
        best = probabilities.argmax(axis=-1)
        names = np.array([labels[k].encode() for k in best], object)
        outputs = {
            "label": names,
            "score": probabilities.max(axis=-1),
            "probabilities": probabilities,
        }
        result.append(export.Case({"text": encoded}, outputs))
    return result


def write_card(folder: Path, run: Path, labels: list[str]) -> None:
    """Writes what a user of the model should know about it."""
    config = runs.read_json(run / runs.CONFIG)
    best = runs.read_json(run / "metrics.json")["best"]
    versions = runs.read_json(run / runs.VERSIONS)
    card = f"""# Text classifier

- Input `text`: string[batch], UTF-8, any length (of more than
  {config["max_tokens"]} words the middle is left out).
- Outputs: `label` string[batch], `score` float32[batch] (the label's
  probability), `probabilities` float32[batch, {len(labels)}].
- Labels, in the order of `probabilities`: {", ".join(labels)}.
- Trained on `{config["data"]}`; validation accuracy {best["val_accuracy"]:.4f},
  loss {best["val_loss"]:.4f} nats, after epoch {best["epoch"]}.
- It knows the words of its training data and no others; on texts of another
  kind its probabilities mean little. Evaluate it on yours before you rely on
  it.
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
    labels = predict.load(str(run)).labels
    text_model = model.load(run / runs.MODEL)
    base = to / __package__.rpartition(".")[2]
    with export.new_version(base) as folder:
        build(text_model, labels).write_out(folder, verbose=False)
        expected = cases(text_model, labels)
        export.write_warmup(folder, [case.inputs for case in expected])
        for name in (runs.CONFIG, "labels.txt"):
            shutil.copy(run / name, folder / name)
        write_card(folder, run, labels)
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
