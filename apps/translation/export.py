"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes raw text and answers translations; neither Keras nor this
project is needed to load it.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import cli, export
from common.errors import UserError
from common.layers.attention import Memory
from common.training import runs

from . import pipeline, predict, text
from .decoder import State

# What the model is asked before it is called good: no row, one, seven; a text
# without words; unknown words; one long row that pads all others.
CASES: tuple[list[str], ...] = (
    [],
    ["The small black cats sleep."],
    [
        "a good film",
        "",
        "zzzz qqqq",
        "bad " * 50,
        "\N{GRINNING FACE}",
        "?",
        "A",
    ],
)
Named = dict[str, tf.Tensor]


class Answer(NamedTuple):
    """What `serving_default` answers.

    Attributes:
        translation: <string>[batch].
        score: <float32>[batch].
    """

    translation: Any
    score: Any


def build(model: pipeline.Translator) -> keras.export.ExportArchive:
    """Puts the serving signatures around a translator.

    `serving_default`: `text` <string>[batch] to `translation`
    <string>[batch] and `score` <float32>[batch]. `n_best`: the same to
    `translations` <string>[batch, beam], best first, and `scores`.

    For decoders of other people, on ids: `encode`, `ids` <int32>[batch,
    source] to what `_named` says; `decode_step`, the last `ids` <int32>[batch]
    and all that, to `logits` <float32>[batch, vocab] and the state after.
    """

    def serve(text: tf.Tensor) -> Named:
        translations, scores = model(text)
        return Answer(translations[:, 0], scores[:, 0])._asdict()

    def n_best(text: tf.Tensor) -> Named:
        translations, scores = model(text)
        return {"translations": translations, "scores": scores}

    archive = keras.export.ExportArchive()
    archive.track(model)
    texts = [tf.TensorSpec([None], tf.string, name="text")]
    with export.portable(model):
        archive.add_endpoint("serving_default", serve, input_signature=texts)
        archive.add_endpoint("n_best", n_best, input_signature=texts)
        _add_steps(archive, model.seq2seq)
    return archive


def _add_steps(
    archive: keras.export.ExportArchive, seq2seq: keras.Model
) -> None:
    """Adds the signatures on ids, whose tensors have the names of `_named`."""

    def encode(ids: tf.Tensor) -> Named:
        return _named(*seq2seq.encode(ids))

    def decode_step(*given: tf.Tensor) -> Named:
        ids, *rest = given
        logits, state = seq2seq.decoder.step(
            ids, *reversed(_unnamed(dict(zip(names, rest, strict=True))))
        )
        return {"logits": logits, **_named(None, state)}

    one_id = tf.fill([1, 1], text.END_ID)
    example = encode(one_id)
    names = list(example)
    specs = [_spec(name, value) for name, value in example.items()]
    ids = tf.TensorSpec([None, None], tf.int32, name="ids")
    archive.add_endpoint("encode", encode, input_signature=[ids])
    last = tf.TensorSpec([None], tf.int32, name="ids")
    archive.add_endpoint(
        "decode_step", decode_step, input_signature=[last, *specs]
    )


def _named(memory: Memory | None, state: State) -> Named:
    """Memory and state as tensors with names, each with a batch axis.

    `values`, `keys` <float32>[batch, source, units], `mask` <bool>[batch,
    source]; `attended` <float32>[batch, units], `weights` <float32>[batch,
    source]; `hidden_0`, `cell_0` and so on <float32>[batch, units].
    """
    named = {} if memory is None else dict(memory._asdict())
    named |= {"attended": state.attended, "weights": state.weights}
    for number, (hidden, cell) in enumerate(state.layers):
        named |= {f"hidden_{number}": hidden, f"cell_{number}": cell}
    return named


def _unnamed(named: Named) -> tuple[Memory, State]:
    """What `_named` took apart."""
    num_layers = sum(name.startswith("hidden_") for name in named)
    layers = tuple(
        (named[f"hidden_{number}"], named[f"cell_{number}"])
        for number in range(num_layers)
    )
    memory = Memory(named["values"], named["keys"], named["mask"])
    return memory, State(layers, named["attended"], named["weights"])


def _spec(name: str, value: tf.Tensor) -> tf.TensorSpec:
    """Leaves batch and source open: only units are a size of the model."""
    last = None if name in ("mask", "weights") else value.shape[-1]
    shape = [None] * (value.shape.rank - 1) + [last]
    return tf.TensorSpec(shape, value.dtype, name=name)


def cases(model: pipeline.Translator) -> list[export.Case]:
    """What the model in memory answers, for comparison."""
    predictor = predict.of_model(model)
    result = []
    for texts in CASES:
        encoded = np.array([text.encode() for text in texts], object)
        found, scores = predictor.answer(tf.constant(encoded, tf.string))
        best = Answer(found.numpy()[:, 0], scores.numpy()[:, 0])
        n_best = {"translations": found.numpy(), "scores": scores.numpy()}
        inputs = {"text": encoded}
        result.append(export.Case(inputs, best._asdict()))
        result.append(export.Case(inputs, n_best, "n_best"))
    return result


def write_card(folder: Path, run: Path) -> None:
    """Writes what a user of the model should know about it."""
    config = runs.read_json(run / runs.CONFIG)
    best = runs.read_json(run / "metrics.json")["best"]
    versions = runs.read_json(run / runs.VERSIONS)
    source, target = runs.read_json(run / "data.json")["languages"]
    card = f"""# Translator, {source} to {target}

- Input `text`: string[batch], UTF-8, any length; sentences, not documents.
- Outputs: `translation` string[batch], `score` float32[batch], the greater
  the likelier; signature `n_best`: `translations` string[batch,
  {config["beam"]}], `scores`. Signatures `encode` and `decode_step` work on
  ids, for decoders of your own; the tokens are in `source_vocabulary.txt`
  and `target_vocabulary.txt`, from id {text.NUM_SPECIAL} on.
- Trained on `{config["data"]}`; validation BLEU {best["val_bleu"]:.2f}, chrF
  {best["val_chrf"]:.2f} (greedy), after epoch {best["epoch"]}.
- It knows what its training data speak of and no more: what it says of other
  things may be fluent and wrong. Evaluate it on yours before you rely on it.
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
    predict.load(str(run))  # Says what is wrong with a folder that is no run.
    model = pipeline.load(run / runs.MODEL)
    base = to / __package__.rpartition(".")[2]
    with export.new_version(base) as folder:
        build(model).write_out(folder, verbose=False)
        expected = cases(model)
        # Of `serving_default`: each text is asked of both signatures.
        default = [x for x in expected if x.signature == "serving_default"]
        export.write_warmup(folder, [case.inputs for case in default])
        for name in (
            runs.CONFIG,
            "data.json",
            "source_vocabulary.txt",
            "target_vocabulary.txt",
        ):
            shutil.copy(run / name, folder / name)
        write_card(folder, run)
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
