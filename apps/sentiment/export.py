"""Exports a model for serving: `python -m PACKAGE.export RUN`.

The SavedModel takes raw text and answers label names; neither Keras nor this
project is needed to load it.
"""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common import cli, edge, edge_text, export, export_usage, limits
from common.characters import printable
from common.edge_graphs import Graph, Tensor
from common.training import runs

from . import pipeline
from . import text as tokens
from .config import export_parser

# The check of an export asks these: no row, one, seven; a text without words;
# unknown words; one long row that pads all others.
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
# Of all texts of a request, without the middle of long ones; or the bytes of
# so many texts that are as long as can be read.
MAX_BYTES = 2**24
MAX_LONG_TEXTS = 128


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
    classifier = runs.load_model(run, __package__)
    return export.write(
        to / run.resolve().name,
        make_archive(classifier),
        make_cases(classifier),
        make_card(run, classifier),
        run,
        list_names(classifier),
        make_request(run),
        options,
    )


def list_names(classifier: pipeline.Classifier) -> dict[str, list[str]]:
    """Returns the lists of names beside a model, by the name of their file."""
    return {
        "labels": classifier.labels,
        "vocabulary": classifier.vectorizer.vocabulary,
    }


def make_archive(classifier: pipeline.Classifier) -> keras.export.ExportArchive:
    """Returns a classifier with its serving signatures.

    `serving_default`: `text` <string>[batch] to `label` <string>[batch],
    `score` <float32>[batch] (the label's probability) and `probabilities`
    <float32>[batch, classes]. `explain`, of a model with attention pooling:
    the same, and `tokens` <string>[batch, tokens], the words that were read
    ("" on padding), with their `weights` <float32>[batch, tokens], which sum
    to 1.
    """
    labels = tf.constant(classifier.labels)
    max_tokens = classifier.config.max_tokens
    max_bytes = count_max_bytes(max_tokens)

    def check(text: tf.Tensor) -> tf.Tensor:
        # The ends alone are read: their bytes count.
        ends = tokens.cut_text(limits.check_rows(text), max_tokens)
        return limits.check_bytes(ends, max_bytes)

    def name_outputs(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        best = tf.argmax(probabilities, axis=-1)
        return {
            "label": tf.gather(labels, best),
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return name_outputs(classifier(check(text)))

    def explain(text: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = classifier.explain(check(text))
        return answer._asdict() | name_outputs(answer.probabilities)

    archive = keras.export.ExportArchive()
    archive.track(classifier)
    inputs = [tf.TensorSpec([None], tf.string, name="text")]
    add = functools.partial(export.add_signature, archive, classifier)
    add(export.DEFAULT, serve, inputs)
    if classifier.has_attention:
        add(export.EXPLAIN, explain, inputs)
    return archive


def count_max_bytes(max_tokens: int) -> int:
    """Returns the most bytes of all texts of a request.

    Example:
        >>> count_max_bytes(400), count_max_bytes(2000)
        (16777216, 65536000)
    """
    longest = tokens.BYTES_PER_TOKEN * max_tokens
    return max(MAX_BYTES, MAX_LONG_TEXTS * longest)


def make_cases(classifier: pipeline.Classifier) -> list[export.Case]:
    """Returns the answers of the model in memory, for comparison."""
    cases = []
    for texts in CASES:
        encoded = np.array([text.encode() for text in texts], object)
        inputs = {"text": encoded}
        questions = tf.constant(encoded, tf.string)
        explained: export.Arrays = {}
        if classifier.has_attention:
            answer = classifier.explain(questions)._asdict()
            explained = {name: x.numpy() for name, x in answer.items()}
            probabilities = explained["probabilities"]
        else:
            probabilities = classifier(questions).numpy()
        best = probabilities.argmax(axis=-1)
        labels = [classifier.labels[number].encode() for number in best]
        outputs = {
            "label": np.array(labels, object),
            "score": probabilities.max(axis=-1),
            "probabilities": probabilities,
        }
        cases.append(export.Case(inputs, outputs))
        if explained:
            outputs = outputs | explained
            cases.append(export.Case(inputs, outputs, export.EXPLAIN))
    return cases


def choose_texts(run: Path) -> list[str]:
    """Returns a text to ask as an example: that of the run."""
    return export_usage.example_inputs(run)[:1] or CASES[1]


def make_request(run: Path) -> export.Arrays:
    """Returns an input of `serving_default`: the example of the run."""
    texts = choose_texts(run)
    return {"text": np.array([text.encode() for text in texts], object)}


def make_card(run: Path, classifier: pipeline.Classifier) -> str:
    """Returns the model card, in Markdown."""
    config, labels = classifier.config, classifier.labels
    best = runs.read_best(run, "val_accuracy", "val_loss")
    return f"""# Text classifier

- Input `text`: string[batch], UTF-8, any length (of more than
  {config.max_tokens} words the middle is left out); of all rows
  {count_max_bytes(config.max_tokens):,} bytes.
- Outputs: `label` string[batch], `score` float32[batch] (the label's
  probability), `probabilities` float32[batch, {len(labels)}].
- Labels, in the order of `probabilities`: {", ".join(map(printable, labels))}.
- Trained on `{printable(config.data)}`;
  validation accuracy {best["val_accuracy"]:.4f}, loss {best["val_loss"]:.4f}
  nats, after epoch {best["epoch"]}.
- It knows the words of its training data and no others; on texts of another
  kind its probabilities mean little. Evaluate it on yours before you rely on
  it.
{export.made_with(run)}"""


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
    classifier = runs.load_model(run, __package__)
    return edge.write(
        run,
        target,
        classifier.network,
        make_graphs(classifier),
        list_names(classifier),
        {"text": describe_text(classifier)},
        edge.Example(
            Path(__file__).parent / "edge" / "example.py", choose_texts(run)
        ),
    )


def make_graphs(classifier: pipeline.Classifier) -> list[Graph]:
    """Returns the functions of a classifier that need no strings.

    `classify`: `ids` <int32>[batch, time] to `probabilities`
    <float32>[batch, classes].
    """

    def classify(ids: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = classifier.network(ids, training=False)
        return {"probabilities": tf.nn.softmax(tf.cast(logits, tf.float32))}

    note = f"words, {tokens.PADDING_ID} behind the last; at least one a row"
    cases = [
        {"ids": classifier.vectorizer(tf.constant(texts)).numpy()}
        for texts in CASES
        if texts
    ]
    inputs = {"ids": Tensor(tf.int32, ("batch", "time"), note)}
    return [Graph("classify", classify, inputs, cases)]


def describe_text(classifier: pipeline.Classifier) -> dict[str, Any]:
    """Returns how a text becomes ids, for programs in other languages."""
    return {
        "steps": "lower case; replace by each of rules, in order; split at"
        " spaces; empty_text if there is no word; of more than max_tokens the"
        " first and the last half; a word of vocabulary.txt has its line,"
        " counted from first_id, any other unknown_id",
        "rules": edge_text.to_portable_rules(tokens.RULES),
        "spaces": "[ \\t\\n\\v\\f\\r]+",
        "empty_text": tokens.EMPTY_TEXT,
        "max_tokens": classifier.config.max_tokens,
        "padding_id": tokens.PADDING_ID,
        "unknown_id": tokens.UNKNOWN_ID,
        "first_id": tokens.NUM_SPECIAL,
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
