"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes raw text and answers translations; neither Keras nor this
project is needed to load it.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import cli, edge, edge_text, export, export_usage, limits
from common.characters import printable
from common.data import json_files
from common.edge_graphs import Graph, Tensor, make_step_graph
from common.errors import UserError, format_names
from common.layers.attention import Memory
from common.training import runs

from . import pipeline, text
from .config import export_parser
from .decoder import State
from .predictor import Predictor

# The check of an export asks these: no row, one, seven; a text without words;
# unknown words; one long row that pads all others.
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
N_BEST = "n_best"
# Rows times the bytes of the longest text of a request, which pads the others:
# 128 pages, or 1,024 sentences of 512 bytes.
MAX_BYTES = 128 * text.MAX_BYTES
# Of `explain`, whose weights are tokens of the source times the target's.
MAX_EXPLAINED_BYTES = 32 * text.MAX_BYTES
Tensors = dict[str, tf.Tensor]


class Outputs(NamedTuple):
    """The outputs of `serving_default`.

    Attributes:
        translation: <string>[batch].
        score: <float32>[batch].
    """

    translation: Any
    score: Any


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
    translator = runs.load_model(run, __package__)
    return export.write(
        to / run.resolve().name,
        make_archive(translator),
        make_cases(translator),
        make_card(run, translator),
        run,
        list_names(translator),
        make_request(run),
        options,
    )


def list_names(translator: pipeline.Translator) -> dict[str, list[str]]:
    """Returns the lists of names beside a model, by the name of their file."""
    return {
        "source_vocabulary": translator.source_tokenizer.vocabulary,
        "target_vocabulary": translator.target_tokenizer.vocabulary,
    }


def make_archive(translator: pipeline.Translator) -> keras.export.ExportArchive:
    """Returns a translator with its serving signatures.

    `serving_default`: `text` <string>[batch] to `translation`
    <string>[batch] and `score` <float32>[batch]. `n_best`: the same to
    `translations` <string>[batch, beam], best first, and `scores`.

    `explain`, of a model with attention: the outputs of both, and
    `source_tokens` <string>[batch, source], `target_tokens` <string>[batch,
    target] of the best translation ("" on padding) and the attention between
    them, `weights` <float32>[batch, target, source].

    For decoders of other people, on ids: `encode`, `ids` <int32>[batch,
    source] to the tensors of `pack`; `decode_step`, the last `ids`
    <int32>[batch] and all these, to `logits` <float32>[batch, vocab] and the
    state after.
    """
    inputs = [tf.TensorSpec([None], tf.string, name="text")]
    # Traced once, for both signatures.
    translate = tf.function(
        lambda text: translator(_check(text)),
        input_signature=inputs,
    )

    def serve(text: tf.Tensor) -> Tensors:
        translations, scores = translate(text)
        return Outputs(translations[:, 0], scores[:, 0])._asdict()

    def n_best(text: tf.Tensor) -> Tensors:
        translations, scores = translate(text)
        return {"translations": translations, "scores": scores}

    def explain(text: tf.Tensor) -> Tensors:
        return _explain(translator, _check(text, MAX_EXPLAINED_BYTES))

    archive = keras.export.ExportArchive()
    archive.track(translator)
    add = functools.partial(export.add_signature, archive, translator)
    add(export.DEFAULT, serve, inputs)
    add(N_BEST, n_best, inputs)
    if translator.has_attention:
        add(export.EXPLAIN, explain, inputs)
    _add_steps(archive, translator.network)
    return archive


def _check(texts: tf.Tensor, max_bytes: int = MAX_BYTES) -> tf.Tensor:
    """Returns the texts of a request, cut, if it is within the limits."""
    cut = text.cut_text(limits.check_rows(texts))
    return limits.check_bytes(cut, max_bytes, is_padded=True)


def _explain(translator: pipeline.Translator, texts: tf.Tensor) -> Tensors:
    answer = translator.explain(texts)._asdict()
    best = Outputs(answer["translations"][:, 0], answer["scores"][:, 0])
    return best._asdict() | answer


def _add_steps(
    archive: keras.export.ExportArchive, network: keras.Model
) -> None:
    """Adds the signatures on ids, whose tensors have the names of `pack`."""

    def encode(ids: tf.Tensor) -> Tensors:
        return pack(*network.encode(limits.check_rows(ids)))

    def decode_step(ids: tf.Tensor, *values: tf.Tensor) -> Tensors:
        memory, state = unpack(dict(zip(names, values, strict=True)))
        ids = limits.check_rows(ids)
        logits, state = network.decoder.step(ids, state, memory)
        return {"logits": logits, **pack(None, state)}

    example = encode(tf.fill([1, 1], text.END_ID))
    names = list(example)
    specs = [_spec(name, value) for name, value in example.items()]
    ids = tf.TensorSpec([None, None], tf.int32, name="ids")
    add = functools.partial(export.add_signature, archive, network)
    add("encode", encode, [ids])
    last = tf.TensorSpec([None], tf.int32, name="ids")
    add("decode_step", decode_step, [last, *specs])


def pack(memory: Memory | None, state: State) -> Tensors:
    """Converts memory and state to tensors with names, each with a batch axis.

    `values`, `keys` <float32>[batch, source, units], `mask` <bool>[batch,
    source]; `attended` <float32>[batch, units], the attentional vector;
    `weights` <float32>[batch, source]; `hidden_0`, `cell_0` and so on
    <float32>[batch, units].
    """
    tensors = {} if memory is None else dict(memory._asdict())
    tensors |= {"attended": state.attentional, "weights": state.weights}
    for number, (hidden, cell) in enumerate(state.layers):
        tensors |= {f"hidden_{number}": hidden, f"cell_{number}": cell}
    return tensors


def unpack(tensors: Tensors) -> tuple[Memory, State]:
    """Converts the tensors of `pack` back to memory and state."""
    num_layers = sum(name.startswith("hidden_") for name in tensors)
    layers = tuple(
        (tensors[f"hidden_{number}"], tensors[f"cell_{number}"])
        for number in range(num_layers)
    )
    memory = Memory(tensors["values"], tensors["keys"], tensors["mask"])
    return memory, State(layers, tensors["attended"], tensors["weights"])


def _spec(name: str, value: tf.Tensor) -> tf.TensorSpec:
    """Leaves batch and source open: only units are a size of the model."""
    last = None if name in ("mask", "weights") else value.shape[-1]
    shape = [None] * (value.shape.rank - 1) + [last]
    return tf.TensorSpec(shape, value.dtype, name=name)


def make_cases(translator: pipeline.Translator) -> list[export.Case]:
    """Returns the answers of the model in memory, for comparison."""
    predictor = Predictor.from_model(translator)
    cases = []
    for texts in CASES:
        encoded = np.array([text.encode() for text in texts], object)
        outputs = predictor.predict_fn(tf.constant(encoded, tf.string))
        translations, scores = (output.numpy() for output in outputs)
        best = Outputs(translations[:, 0], scores[:, 0])._asdict()
        n_best = {"translations": translations, "scores": scores}
        inputs = {"text": encoded}
        cases.append(export.Case(inputs, best))
        cases.append(export.Case(inputs, n_best, N_BEST))
    if translator.has_attention:
        cases += _make_explanations(translator)
    return cases


def _make_explanations(translator: pipeline.Translator) -> list[export.Case]:
    explain = tf.function(
        lambda texts: _explain(translator, texts),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    cases = []
    for texts in CASES:
        encoded = np.array([text.encode() for text in texts], object)
        outputs = explain(tf.constant(encoded, tf.string))
        answers = {name: value.numpy() for name, value in outputs.items()}
        cases.append(export.Case({"text": encoded}, answers, export.EXPLAIN))
    return cases


def choose_texts(run: Path) -> list[str]:
    """Returns a text to ask as an example: that of the run."""
    return export_usage.example_inputs(run)[:1] or CASES[1]


def make_request(run: Path) -> export.Arrays:
    """Returns an input of `serving_default`: the example of the run."""
    texts = choose_texts(run)
    return {"text": np.array([text.encode() for text in texts], object)}


def make_card(run: Path, translator: pipeline.Translator) -> str:
    """Returns the model card, in Markdown."""
    config = translator.config
    best = runs.read_best(run, "val_bleu", "val_chrf")
    source, target = _read_languages(run)
    return f"""# Translator, {printable(source)} to {printable(target)}

- Input `text`: string[batch], UTF-8; sentences, not documents: of a text
  its first {text.MAX_BYTES} bytes are translated, to at most
  {pipeline.MAX_STEPS} tokens. Rows times bytes of the longest text of a
  request: at most {MAX_BYTES:,}.
- Outputs: `translation` string[batch], `score` float32[batch], the greater
  the likelier; signature `n_best`: `translations` string[batch,
  {config.beam}], `scores`. Signatures `encode` and `decode_step` work on
  ids, for decoders of your own; the tokens are in `source_vocabulary.txt`
  and `target_vocabulary.txt`, from id {text.NUM_SPECIAL} on.
- Trained on `{printable(config.data)}`;
  validation BLEU {best["val_bleu"]:.2f}, chrF {best["val_chrf"]:.2f} (greedy),
  after epoch {best["epoch"]}.
- It knows what its training data speak of and no more: what it says of other
  things may be fluent and wrong. Evaluate it on yours before you rely on it.
{export.made_with(run)}"""


def _read_languages(run: Path) -> list[str]:
    path = run / runs.DATA
    names = json_files.read(path, "languages", languages=list)["languages"]
    if len(names) != 2:
        raise UserError(
            f"{path}: expected two languages, got {format_names(names)}: it is"
            " damaged; make it anew"
        )
    return names


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
    translator = runs.load_model(run, __package__)
    return edge.write(
        run,
        target,
        translator.network,
        make_graphs(translator),
        list_names(translator),
        {
            "text": describe_text(translator),
            "decoding": {
                "start": text.START_ID,
                "end": text.END_ID,
                "growth": pipeline.MAX_GROWTH,
                "more": pipeline.MAX_MORE,
                "longest": pipeline.MAX_STEPS,
            },
        },
        edge.Example(
            Path(__file__).parent / "edge" / "example.py", choose_texts(run)
        ),
    )


def make_graphs(translator: pipeline.Translator) -> list[Graph]:
    """Returns the functions of a translator that need no strings.

    `encode`: `ids` <int32>[batch, source] to the tensors of `pack`.
    `decode_step`: the last `ids` <int32>[batch] and all these to `logits`
    <float32>[batch, vocab] and the state after, as `next_...`.
    """
    network = translator.network

    def encode(ids: tf.Tensor) -> Tensors:
        return pack(*network.encode(ids))

    cases = [
        {"ids": translator.source_tokenizer(tf.constant(texts)).numpy()}
        for texts in CASES
        if texts
    ]
    encoded = [encode(tf.constant(case["ids"])) for case in cases]
    names = list(encoded[0])

    def decode_step(ids: tf.Tensor, *values: tf.Tensor) -> Tensors:
        memory, state = unpack(dict(zip(names, values, strict=True)))
        logits, state = network.decoder.step(ids, state, memory)
        after = {f"next_{k}": x for k, x in pack(None, state).items()}
        return {"logits": logits, **after}

    note = f"tokens, {text.END_ID} last; {text.PADDING_ID} behind it"
    inputs = {"ids": Tensor(tf.int32, ("batch", "source"), note)}
    return [
        Graph("encode", encode, inputs, cases),
        make_step_graph(decode_step, encoded, text.START_ID),
    ]


def describe_text(translator: pipeline.Translator) -> dict[str, Any]:
    """Returns how a text becomes ids, for programs in other languages."""
    config = translator.config
    return {
        "steps": "the first max_bytes of UTF-8; a space in front; each match"
        " of pattern is a word, in parts of max_word_bytes; of level word it"
        " is a token, else cut into the longest tokens that fit, from the"
        " left; a token of source_vocabulary.txt has its line, counted from"
        " first_id, any other unknown_id; end_id last. A translation is its"
        " tokens joined, without the first space",
        "pattern": edge_text.to_portable(text.PATTERNS[config.level]),
        "level": config.level,
        "max_bytes": text.MAX_BYTES,
        "max_word_bytes": text.MAX_WORD_BYTES,
        "padding_id": text.PADDING_ID,
        "unknown_id": text.UNKNOWN_ID,
        "end_id": text.END_ID,
        "first_id": text.NUM_SPECIAL,
        "copies_unknown": config.level == "word" and config.attention != "none",
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
