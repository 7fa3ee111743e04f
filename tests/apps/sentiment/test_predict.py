"""Labels of hard texts, files and standard input."""

import json

import numpy as np
import pytest

from apps.sentiment import predictor
from apps.sentiment.config import Config
from tests.support import commands

# A run and its export are traced: half a minute.
pytestmark = pytest.mark.slow

HARD_TEXTS = {
    "nothing": "",
    "only blanks": " \t\u2003",
    "only a tag": "<br/>",
    "unknown words": "zzqx wvvk jjpq",
    "100,000 words": "not bad at all " * 25_000,
    "one word of 100,000 letters": "a" * 100_000,
    "10,000 emoji": "😀" * 10_000,
    "lone surrogates": "good \ud800 film \udcff",
    "control characters": "good\x00\x01\x1b film",
    "a line break inside": "not\nbad",
}
TEXTS = [f"the film was {'not ' * (n % 3)}good" + " ok" * n for n in range(150)]


@pytest.fixture(scope="module")
def run(trained_app):
    return trained_app("apps.sentiment").run


@pytest.fixture(scope="module")
def model(run):
    return predictor.load(str(run))


@pytest.fixture
def predict(run, tmp_path):
    """Predicts as the command line does; returns rows of what was printed."""

    def predict(*args, **kwargs):
        done = commands.run_command(
            "apps.sentiment.predict", run, *args, folder=tmp_path, **kwargs
        )
        return [row.split("\t") for row in done.stdout.splitlines()]

    return predict


def test_every_text_gets_an_answer_on_one_line(model, predict):
    rows = model.predict_probabilities(list(HARD_TEXTS.values()))
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
    for name, text in HARD_TEXTS.items():
        ((label, score, _),) = predict(text)
        assert label in ("negative", "positive"), name
        assert 0.5 <= float(score) <= 1, name


def test_no_texts_get_no_answers(model):
    assert model.predict_probabilities([]).shape == (0, 2)
    assert list(model.predict([])) == []


def test_answers_are_the_same_alone_and_in_a_batch(model):
    texts = [*HARD_TEXTS.values(), *TEXTS]
    together = model.predict_probabilities(texts)
    for text, row in list(zip(texts, together, strict=True))[::7]:
        alone = model.predict_probabilities([text])[0]
        np.testing.assert_allclose(alone, row, atol=1e-6)


def test_answers_keep_the_order_of_the_texts(model, monkeypatch):
    monkeypatch.setattr(predictor, "WINDOW", 40)
    mixed = TEXTS[::2] + TEXTS[::-2]
    answers = list(model.predict(mixed))
    assert [text for text, _ in answers] == mixed
    rows = model.predict_probabilities(mixed)
    scores = [prediction.score for _, prediction in answers]
    np.testing.assert_allclose(scores, rows.max(axis=1), atol=1e-6)


def test_a_file_has_one_text_a_line(predict, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffgood\r\n\nnot good\nçok iyi".encode())
    rows = predict("first", "--file", path)
    texts = [text for _, _, text in rows]
    assert texts == ["first", "good", "", "not good", "çok iyi"]


def test_a_broken_line_of_a_file_is_told_and_answers_keep_their_places(
    run, tmp_path
):
    (tmp_path / "texts.txt").write_bytes(b"good\ncaf\xe9\nbad\n")
    done = commands.run_command(
        *("apps.sentiment.predict", run, "--file", "texts.txt"),
        folder=tmp_path,
    )
    first, broken, last = done.stdout.split("\n")[:-1]
    assert first.endswith("\tgood")
    assert broken == ""
    assert last.endswith("\tbad")
    assert "texts.txt:2: byte 0xe9 is not utf-8" in done.stderr


def test_a_file_in_another_encoding(predict, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("good\ncafé\n".encode("latin-1"))
    rows = predict("--file", path, "--encoding", "latin-1")
    assert [text for _, _, text in rows] == ["good", "café"]


def test_standard_input_has_one_text_a_line(predict):
    rows = predict("--file", "-", stdin="\ufeffgood\nçok 😀\n".encode())
    assert [text for _, _, text in rows] == ["good", "çok 😀"]
    rows = predict("--file", "-", "--encoding", "latin-1", stdin=b"caf\xe9\n")
    assert [text for _, _, text in rows] == ["café"]


def test_a_table_is_read_as_training_reads_it(run, predict, tmp_path):
    table = tmp_path / "new.csv"
    table.write_text('id,text\n1,"one, two"\n2,three\n')
    assert [row[2] for row in predict("--file", table)] == ["one, two", "three"]
    table.write_text("id,review\n1,one\n")
    (row,) = predict("--file", table, "--text-column", "review")
    assert row[2] == "one"
    table.write_text("id^text\n1^one; two\n")
    (row,) = predict("--file", table, "--delimiter", "^")
    assert row[2] == "one; two"
    table.write_text("id,review\n1,one\n")
    error = commands.error_line(
        *["apps.sentiment.predict", run, "--file", table], folder=tmp_path
    )
    assert "no column 'text'; it has id, review" in error
    assert "--text-column" in error


def test_json_has_the_probabilities_of_all_labels(run, tmp_path):
    texts = ["a film", 'odd "words"\tand\nlines', ""]
    done = commands.run_command(
        *["apps.sentiment.predict", run, *texts, "--json"], folder=tmp_path
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == texts
    for row in rows:
        scores = row["probabilities"]
        assert list(scores) == ["negative", "positive"]
        assert sum(scores.values()) == pytest.approx(1, abs=1e-6)
        assert row["score"] == scores[row["label"]] == max(scores.values())


def test_all_of_a_new_file_is_scored(run, tmp_path):
    rows = [f"film {n},{('negative', 'positive')[n % 2]}" for n in range(30)]
    (tmp_path / "new.csv").write_text("\n".join(["text,label", *rows]))
    command = ["apps.sentiment.evaluate", run, "--data", "new.csv"]
    done = commands.run_command(*command, folder=tmp_path)
    assert done.stdout.startswith(
        "all: 30 examples of new.csv, which training did not read\n"
    )
    done = commands.run_command(*command, "--split", "test", folder=tmp_path)
    assert not done.stdout.startswith("test: 30 ")


# Notes on standard error.


def describe(text, max_tokens=400):
    """The remark on a text, of a model of a few words."""
    known = frozenset(["it", "is", "n't", "'s", "a", "good", "film", "好"])
    config = Config(max_tokens=max_tokens)
    model = predictor.Predictor(config, ["no", "yes"], None, known)
    (remark,) = model.describe_inputs([text])
    return remark


def test_unknown_words_are_named():
    unknown = "are unknown to this model:"
    for text, remark in {
        "": "no word to read; the answer is a guess",
        "?!": "no word to read; the answer is a guess",
        "It isn’t a GOOD film!": "",
        "it's a foo, foo bar": f"3 of 6 words {unknown} foo, bar",
        "good \N{GRINNING FACE}": "1 of 2 words is unknown to this model:"
        " \N{GRINNING FACE}",
        "不好": "1 of 2 words is unknown to this model: 不",
        "good \ud800 film": "",
    }.items():
        assert describe(text) == remark, text


def test_a_text_that_is_cut_says_so():
    assert describe("good film " * 5, max_tokens=10) == ""
    assert describe("good film " * 6, max_tokens=10) == (
        "of 12 words and marks, only the first and the last 5 are read"
    )
    assert describe("foo " * 12, max_tokens=10) == (
        "12 of 12 words are unknown to this model: foo; of 12 words and marks,"
        " only the first and the last 5 are read"
    )


def test_a_model_that_does_not_tell_its_words_gets_no_notes():
    model = predictor.Predictor(Config(), ["no", "yes"], None)
    assert model.describe_inputs(["foo", "bar"]) == ["", ""]


def test_run_and_export_give_the_same_notes(trained_app):
    app = trained_app("apps.sentiment")
    texts = ["qqq zzz", "good " * 500, "what a bad film"]
    run = app.command("predict", app.run, *texts)
    first, second = run.stderr.splitlines()
    assert first == (
        "note: input 1: 2 of 2 words are unknown to this model: qqq, zzz"
    )
    assert second.startswith("note: input 2: of 500 words and marks, only")
    assert app.command("predict", app.export, *texts).stderr == run.stderr
