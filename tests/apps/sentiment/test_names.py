"""Labels of any characters, from the table to what is served."""

import json

import pytest
import tensorflow as tf

from apps.sentiment.predict import format_line
from apps.sentiment.predictor import Prediction
from common import export
from common.data import name_lists
from common.errors import UserError
from tests.support.commands import run_command
from tests.support.sentiment import write_texts

PACKAGE = "apps.sentiment"
# Each is another word of its texts.
LABELS = {
    "good\nreview": "alpha",
    '"quoted"': "beta",
    " spaced ": "gamma",
    "=1+1": "delta",
    "a\tb": "epsilon",
    "\x1b[31mred": "zeta",
}
TINY = [
    *["--units", 8, "--num-layers", 0, "--epochs", 1, "--passes", 40],
    *["--embedding-dim", 8, "--batch-size", 8, "--num-buckets", 1],
    *["--learning-rate", 0.05, "--dropout", 0, "--embedding-dropout", 0],
]


def is_clean(text):
    return all(x in "\n\t" or x.isprintable() for x in text)


@pytest.mark.slow  # It trains, exports and traces: half a minute.
def test_labels_of_any_characters_are_learned_and_served(tmp_path):
    for label, word in LABELS.items():
        texts = [f"{word} {word} so {n} {word}" for n in range(25)]
        write_texts(tmp_path / "data" / label, texts)
    options = ["--data", "data", "--run-dir", "run", *TINY]

    def run(verb, *args):
        done = run_command(f"{PACKAGE}.{verb}", *args, folder=tmp_path)
        assert is_clean(done.stdout + done.stderr)
        return done.stdout

    assert r"good\nreview" in run("train", *options)
    options[options.index("--epochs") + 1] = 2
    assert "going on after epoch 1" in run("train", *options)
    run("export", "run")
    version = tmp_path / "exports" / "run" / "1"
    names = sorted(LABELS)
    for folder in (tmp_path / "run", version):
        assert name_lists.read_names(folder / "labels.txt", 6) == names

    served = tf.saved_model.load(str(version)).signatures[export.DEFAULT]
    words = list(LABELS.values())
    answers = served(text=tf.constant(words))["label"].numpy().tolist()
    assert answers == [label.encode() for label in LABELS]

    reports = []
    for model in ("run", version):
        lines = run("predict", model, *words).splitlines()
        assert [line.count("\t") for line in lines] == [2] * 6
        assert lines[0].startswith(r"good\nreview" + "\t")
        rows = run("predict", model, "--json", *words).splitlines()
        assert [json.loads(row)["label"] for row in rows] == list(LABELS)
        reports.append(run("evaluate", model, "--split", "all"))
        assert json.loads(reports[-1].splitlines()[-1])["accuracy"] == 1
    assert reports[0].splitlines()[:-1] == reports[1].splitlines()[:-1]


class Served:
    """Stands for a loaded SavedModel of three labels."""

    class Signature:
        structured_outputs = {"probabilities": tf.TensorSpec([None, 3])}

    signatures = {export.DEFAULT: Signature}


def test_an_export_has_as_many_labels_as_its_model(tmp_path):
    path = tmp_path / "labels.txt"
    for names in (["a\nb", "c", ""], ["a", "b", "c"]):
        name_lists.write_names(path, names)
        assert export.read_labels(tmp_path, Served) == names
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match="txt: expected 3 names.*got 2: it was"):
        export.read_labels(tmp_path, Served)


def test_an_answer_is_one_line():
    prediction = Prediction("a\tb\n", 0.5, {})
    line = format_line("so \x1b[2J\n\tgood", prediction)
    assert line == r"a\tb\n" + "\t0.5000\t" + r"so \x1b[2J good"
