import dataclasses
import io
import shutil

import numpy as np
import pytest

from apps.sentiment import predict, train
from apps.sentiment.config import SMOKE
from common.errors import UserError

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
def run(tmp_path_factory):
    """The folder of a run of seconds."""
    folder = tmp_path_factory.mktemp("predict") / "run"
    return train.train(
        dataclasses.replace(
            SMOKE, run_dir=str(folder), num_examples=200, epochs=1
        )
    )


@pytest.fixture(scope="module")
def predictor(run):
    return predict.load(str(run))


@pytest.fixture
def say(run, monkeypatch, capsys):
    """Predicts as the command line does; returns what was printed."""

    def say(*args):
        monkeypatch.setattr("sys.argv", ["predict", str(run), *map(str, args)])
        capsys.readouterr()
        predict.main()
        rows = capsys.readouterr().out.splitlines()
        return [row.split("\t") for row in rows]

    return say


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS)
def test_every_text_gets_an_answer(predictor, text):
    rows = predictor.probabilities([text])
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS)
def test_every_text_is_printed_on_one_line(say, text):
    ((label, score, _),) = say(text)
    assert label in ("negative", "positive")
    assert 0.5 <= float(score) <= 1


def test_no_texts_get_no_answers(predictor):
    assert predictor.probabilities([]).shape == (0, 2)
    assert list(predict.predict(predictor, [])) == []


def test_answers_are_the_same_alone_and_in_a_batch(predictor):
    texts = [*HARD_TEXTS.values(), *TEXTS]
    together = predictor.probabilities(texts)
    for text, row in list(zip(texts, together, strict=True))[::7]:
        alone = predictor.probabilities([text])[0]
        np.testing.assert_allclose(alone, row, atol=1e-6)


def test_answers_keep_the_order_of_the_texts(predictor, monkeypatch):
    monkeypatch.setattr(predict, "WINDOW", 40)
    mixed = TEXTS[::2] + TEXTS[::-2]
    answers = list(predict.predict(predictor, mixed))
    assert [text for _, _, text in answers] == mixed
    rows = predictor.probabilities(mixed)
    scores = [score for _, score, _ in answers]
    np.testing.assert_allclose(scores, rows.max(axis=1), atol=1e-6)


def test_a_file_has_one_text_a_line(say, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffgood\r\n\nnot good\nçok iyi".encode())
    rows = say("first", "--file", path)
    texts = [text for _, _, text in rows]
    assert texts == ["first", "good", "", "not good", "çok iyi"]


def test_a_file_in_another_encoding(say, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("good\ncafé\n".encode("latin-1"))
    with pytest.raises(UserError, match="texts.txt:2: byte 0xe9 is not utf-8"):
        say("--file", path)
    rows = say("--file", path, "--encoding", "latin-1")
    assert [text for _, _, text in rows] == ["good", "café"]


def test_a_file_that_is_not_there(say, tmp_path):
    with pytest.raises(UserError, match="gone.txt: No such file"):
        say("--file", tmp_path / "gone.txt")


def test_standard_input_has_one_text_a_line(command, run):
    done = command(
        *("apps.sentiment.predict", run, "--file", "-"),
        stdin="\ufeffgood\nçok 😀\n".encode(),
    )
    texts = [row.split("\t")[2] for row in done.stdout.splitlines()]
    assert texts == ["good", "çok 😀"]


def test_standard_input_in_another_encoding(say, monkeypatch):
    def piped():
        return io.TextIOWrapper(io.BytesIO(b"good\ncaf\xe9\n"))

    monkeypatch.setattr("sys.stdin", piped())
    with pytest.raises(UserError, match="standard input: byte 0xe9 is not utf"):
        say("--file", "-")
    monkeypatch.setattr("sys.stdin", piped())
    rows = say("--file", "-", "--encoding", "latin-1")
    assert [text for _, _, text in rows] == ["good", "café"]


def test_no_texts_are_an_error(say, capsys):
    with pytest.raises(SystemExit, match="2"):
        say()
    assert capsys.readouterr().err.startswith("error: give texts, or --file")


def damage(path):
    packed = bytearray(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])


BAD_RUNS = {
    "not there": (shutil.rmtree, "run: expected .*; there is nothing"),
    "an empty folder": (
        lambda run: [shutil.rmtree(run), run.mkdir()],
        "run: expected a run folder .*; it is neither",
    ),
    "no epoch yet": (
        lambda run: (run / "model.keras").unlink(),
        "run: no epoch is finished yet",
    ),
    "a model cut short": (
        lambda run: damage(run / "model.keras"),
        r"model.keras: cannot load it \(.*\); train again",
    ),
    "a model of nothing": (
        lambda run: (run / "model.keras").write_bytes(b""),
        r"model.keras: cannot load it \(.*\); train again",
    ),
    "a broken config": (
        lambda run: (run / "config.json").write_text("{"),
        "config.json: cannot read it",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_run_that_cannot_be_used_is_named(run, tmp_path, spoil, message):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    spoil(copy)
    with pytest.raises(UserError, match=message) as caught:
        predict.load(str(copy))
    assert "\n" not in str(caught.value)


def test_a_run_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(UserError, match="run: expected .* it is neither"):
        predict.load(str(tmp_path / "run"))
