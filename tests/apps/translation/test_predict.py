import dataclasses
import functools
import io
import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.translation import pipeline, predict, train
from apps.translation.config import SMOKE, Config
from apps.translation.datasets import builtin
from common.decoding.sampling import Sampling
from common.errors import UserError

HARD_TEXTS = {
    "nothing": "",
    "only blanks": " \t\u2003",
    "unknown words": "zzqx wvvk jjpq",
    "unknown characters": "ꙮꙮ ᚠᚢ 𓀀",
    "one word of 3,000 letters": "a" * 3_000,
    "300 words": "We see the small black cats now. " * 43,
    "300 emoji": "😀" * 300,
    "right to left": "אני רואה חתול — أرى قطة!",
    "Chinese and Japanese": "我看见一只猫。猫が見えます。",
    "combining marks": "e\u0301te\u0301 ก็ क्षि",
    "lone surrogates": "We see \ud800 cats \udcff",
    "control characters": "We\x00see\x01\x1b cats",
    "line breaks inside": "We see\nthe\r\ncats\u2028now",
    "invisible characters": "\ufeffcats\u200b\u200d",
}
BLANK = ("nothing", "only blanks")


@functools.cache
def smoke_run(folder):
    """A run of seconds, whose translations are many."""
    config = dataclasses.replace(
        SMOKE,
        run_dir=str(folder / "run"),
        level="word",
        num_examples=300,
        epochs=4,
        units=24,
        embedding_dim=16,
        dropout=0.0,
        embedding_dropout=0.0,
        learning_rate=0.03,
        num_buckets=1,
    )
    return train.train(config)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return smoke_run(tmp_path_factory.getbasetemp() / "translation")


@pytest.fixture(scope="module")
def predictor(run):
    return predict.load(str(run))


@pytest.fixture(scope="module")
def lines():
    """Sentences to translate, each another one."""
    return [english for english, _ in builtin.generate("test", 200, seed=3)]


@pytest.fixture
def say(run, predictor, monkeypatch, capsys):
    """Predicts as the command line does; returns the lines printed."""
    load = predict.load

    def load_once(path, beam=None):
        return load(path, beam) if beam is not None else predictor

    def say(*args):
        monkeypatch.setattr("sys.argv", ["predict", str(run), *map(str, args)])
        monkeypatch.setattr(predict, "load", load_once)
        capsys.readouterr()
        predict.main()
        return capsys.readouterr().out.split("\n")[:-1]

    return say


def scored(lines):
    """Scores and texts of lines that --n-best printed."""
    rows = [line.split("\t") for line in lines]
    return [float(score) for score, _ in rows], [text for _, text in rows]


def best(predictor, texts):
    return [found[0].text for found in predictor.n_best(texts)]


# Any text


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_every_text_is_translated(predictor, name):
    (found,) = predictor.n_best([HARD_TEXTS[name]])
    scores = [translation.score for translation in found]
    assert len(found) == predictor.config.beam
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)
    assert (found[0].text == "") == (name in BLANK)
    assert (scores == [0] * 5) == (name in BLANK)


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_every_translation_is_printed_on_one_line(say, name):
    (line,) = say(HARD_TEXTS[name])
    assert (line == "") == (name in BLANK)


def test_a_long_text_is_translated_to_its_end(predictor):
    words = ["We", *["see"] * 298]
    texts = [" ".join([*words, last]) for last in ("cats.", "dogs.", "cats.")]
    scores = [found[0].score for found in predictor.n_best(texts)]
    assert scores[0] == pytest.approx(scores[2])
    assert scores[0] != pytest.approx(scores[1])


def test_no_texts_have_no_translations(predictor):
    assert predictor.n_best([]) == []
    assert list(predict.translate(predictor, [])) == []


def test_translations_are_the_same_alone_and_in_a_batch(predictor, lines):
    texts = [*HARD_TEXTS.values(), *lines]
    together = predictor.n_best(texts)
    assert len({found[0].text for found in together}) > 30
    for text, found in list(zip(texts, together, strict=True))[::9]:
        (alone,) = predictor.n_best([text])
        assert alone[0].text == found[0].text
        assert alone[0].score == pytest.approx(found[0].score, abs=1e-4)


def test_translations_keep_the_order_of_the_texts(
    predictor, lines, monkeypatch
):
    monkeypatch.setattr(predict, "WINDOW", 40)
    monkeypatch.setattr(predict, "BATCH_SIZE", 16)
    mixed = lines[:60:2] + lines[:60:-3]
    found = [each[0].text for each in predict.translate(predictor, mixed)]
    assert found == best(predictor, mixed)
    assert found != sorted(found, key=len)


# The command line


def test_texts_as_arguments(command, run, predictor):
    texts = ["We see the small cats.", "", "quark 日本語"]
    done = command("apps.translation.predict", run, *texts)
    assert done.stdout.split("\n") == [*best(predictor, texts), ""]
    assert done.stderr == ""


def test_a_broken_line_of_standard_input_is_told_and_left_out(
    command, run, predictor, lines
):
    encoded = [line.encode() for line in lines]
    encoded[120] = b"We see the caf\xe9."
    done = command(
        *("apps.translation.predict", run, "--file", "-", "--n-best", "1"),
        stdin=b"\n".join(encoded),
    )
    assert done.stderr == (
        "standard input:121: byte 0xe9 is not utf-8; nothing is answered to"
        " this line\n"
    )
    scores, texts = scored(done.stdout.splitlines())
    assert len(texts) == 200
    assert (scores.pop(120), texts.pop(120)) == (0, "")
    others = predictor.n_best(lines[:120] + lines[121:])
    assert texts == [found[0].text for found in others]
    assert len(set(texts)) > 30
    expected = [found[0].score for found in others]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-4)


def test_a_file_has_one_text_a_line(say, predictor, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffWe see.\r\n\nThe cats sleep.\nça va".encode())
    texts = ["first", "We see.", "", "The cats sleep.", "ça va"]
    assert say("first", "--file", path) == best(predictor, texts)


def test_a_file_in_another_encoding(say, predictor, tmp_path, capsys):
    path = tmp_path / "texts.txt"
    path.write_bytes("We see.\nWe see the café.\n".encode("latin-1"))
    texts = ["We see.", "We see the café."]
    found = best(predictor, texts)
    assert say("--file", path, "--encoding", "latin-1") == found
    assert say("--file", path) == [found[0], ""]


def test_standard_input_in_another_encoding(say, predictor, monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO(b"We see.\ncaf\xe9\n"))
    monkeypatch.setattr("sys.stdin", piped)
    found = say("--file", "-", "--encoding", "latin-1")
    assert found == best(predictor, ["We see.", "café"])


def test_n_best_prints_so_many_lines_best_first(say, predictor):
    texts = ["We see the small black cats.", "Bruno sings."]
    printed = say("--n-best", 4, *texts)
    assert len(printed) == 8
    for start, found in zip((0, 4), predictor.n_best(texts), strict=True):
        scores, translations = scored(printed[start : start + 4])
        assert translations == [each.text for each in found[:4]]
        assert len(set(translations)) == 4
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx([x.score for x in found[:4]], abs=1e-4)


@pytest.fixture(scope="module")
def greedy(predictor, lines):
    return best(predict.of_model(predictor.model, beam=1), lines[:20])


def test_another_beam(say, predictor, lines, greedy):
    assert greedy != best(predictor, lines[:20])
    assert say("--beam", 1, *lines[:20]) == greedy


def test_drawing_is_repeated_by_its_seed(predictor, lines):
    texts = tf.constant(lines[:5])
    first, again, other = (
        predictor.model.draw(texts, Sampling(seed))[0] for seed in (1, 1, 2)
    )
    assert first.shape == (5,)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_drawing_the_likeliest_only_is_greedy(say, lines, greedy):
    assert say("--sample", "--top-k", 1, *lines[:20]) == greedy


def test_the_options_of_drawing_are_handed_on(say, predictor, monkeypatch):
    told = []

    def draws(predictor, sampling):
        told.append(sampling)
        return predictor

    monkeypatch.setattr(predict, "draws", draws)
    options = {"--temperature": 0.5, "--top-k": 3, "--top-p": 0.9, "--seed": 8}
    say("--sample", *(x for pair in options.items() for x in pair), "We see.")
    assert told == [Sampling(8, 0.5, 3, 0.9)]


def test_a_drawing_of_nothing_is_nothing(say):
    assert say("--sample", "--n-best", 1, "", "\u2003") == ["0.0000\t"] * 2


def test_an_attention_plot_is_a_picture(say, predictor, tmp_path):
    path = tmp_path / "plots" / "attention.png"
    text = "We see $5 in the _{dark} quark."
    assert say(text, "--attention-plot", path) == best(predictor, [text])
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["plot.docx", "plot", "plot.PNG.txt"])
def test_an_attention_plot_of_an_unknown_format(say, tmp_path, name):
    expected = rf"--attention-plot .*{name}: expected a name ending in .png"
    with pytest.raises(UserError, match=expected):
        say("We see.", "--attention-plot", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_attention_plot_where_there_is_no_attention(say, monkeypatch):
    config = Config(level="word", attention="none", units=2, embedding_dim=2)
    model = pipeline.build(config, [" a"], [" b"])
    monkeypatch.setattr(predict, "_model_of", lambda predictor, flag: model)
    with pytest.raises(UserError, match="--attention-plot: this model was"):
        say("a", "--attention-plot", "plot.png")


WRONG = {
    "no texts": ([], "give texts, or --file FILE"),
    "a plot of a file": (
        ["--file", "texts.txt", "--attention-plot", "x.png"],
        "--attention-plot needs a text as an argument",
    ),
    "n-best": (["--n-best", "-1", "x"], "--n-best must be 0 or more, got -1"),
    "temperature": (
        ["--sample", "--temperature", "0", "x"],
        "--temperature must be above 0, got 0.0",
    ),
    "top-k": (
        ["--sample", "--top-k", "-2", "x"],
        "--top-k must be 0 or more, got -2",
    ),
    "top-p": (
        ["--sample", "--top-p", "1.5", "x"],
        "--top-p must be above 0 and at most 1, got 1.5",
    ),
    "no number": (["--beam", "wide", "x"], "argument --beam: invalid int"),
}


@pytest.mark.parametrize(("args", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_told(say, capsys, args, message):
    with pytest.raises(SystemExit, match="2"):
        say(*args)
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--beam", 0], "--beam must be at least 1, got 0"),
        (["--n-best", 6], "--n-best 6: more than the 5 that are found; pass a"),
        (["--n-best", 4, "--beam", 3], "--n-best 4: more than the 3 that are"),
        (["--n-best", 2, "--sample"], "--n-best 2: more than the 1 that are"),
        (["--file", "gone.txt"], "gone.txt: No such file"),
        (["--file", "x", "--encoding", "klingon"], "unknown encoding: klingon"),
    ],
)
def test_what_cannot_be_done_is_told(say, args, message):
    with pytest.raises(UserError, match=message) as caught:
        say("We see.", *args)
    assert "\n" not in str(caught.value)


# Folders that cannot be used


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
