"""Any text is translated, alone as in a batch, and printed on one line."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.translation import predict, predictor, vocabulary
from apps.translation import text as tokens_module
from apps.translation.config import Config
from apps.translation.datasets import builtin
from apps.translation.predictor import Predictor
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.training import runs
from tests.support import commands
from tests.support.translation import HARD_TEXTS

BLANK = ("nothing", "only blanks")


@pytest.fixture(scope="module")
def lines():
    """Sentences to translate, each another one."""
    return [english for english, _ in builtin.generate("test", 80, seed=3)]


@pytest.fixture
def say(run, run_predictor, monkeypatch, tmp_path):
    """Predicts as the command line does; returns the lines printed."""
    monkeypatch.setattr(predict, "load", lambda *args: run_predictor)

    def say(*args, **kwargs):
        done = commands.run_command(
            "apps.translation.predict", run, *args, folder=tmp_path, **kwargs
        )
        return done.stdout.split("\n")[:-1]

    return say


@pytest.fixture
def refused(run, run_predictor, monkeypatch, tmp_path):
    """Predicts with wrong arguments; returns the one line of the error."""

    def load(path, beam, sampling):
        config = run_predictor.config
        config = dataclasses.replace(config, beam=beam or config.beam)
        return dataclasses.replace(run_predictor, config=config)

    monkeypatch.setattr(predict, "load", load)

    def refused(*args):
        return commands.error_line(
            "apps.translation.predict", run, *args, folder=tmp_path
        )

    return refused


def scored(lines):
    """Scores and texts of lines that --n-best printed."""
    rows = [line.split("\t") for line in lines]
    return [float(score) for score, _ in rows], [text for _, text in rows]


# Any text


@pytest.mark.slow
def test_every_text_is_translated(run_predictor):
    rows = run_predictor.predict_n_best(list(HARD_TEXTS.values()))
    for name, translations in zip(HARD_TEXTS, rows, strict=True):
        scores = [translation.score for translation in translations]
        assert len(translations) == run_predictor.config.beam
        assert np.isfinite(scores).all()
        assert scores == sorted(scores, reverse=True)
        assert (translations[0].text == "") == (name in BLANK)
        assert (scores == [0] * 5) == (name in BLANK)


@pytest.mark.slow
def test_every_translation_is_printed_on_one_line(say):
    printed = say(*HARD_TEXTS.values())
    for name, line in zip(HARD_TEXTS, printed, strict=True):
        assert (line == "") == (name in BLANK)


def test_a_long_text_is_translated_to_its_end(run_predictor):
    words = ["We", *["see"] * 98]
    texts = [" ".join([*words, last]) for last in ("cats.", "dogs.", "cats.")]
    scores = [best.score for best, *_ in run_predictor.predict_n_best(texts)]
    assert scores[0] == pytest.approx(scores[2], abs=1e-4)
    assert scores[0] != pytest.approx(scores[1], abs=1e-3)


def test_no_texts_have_no_translations(run_predictor):
    assert run_predictor.predict_n_best([]) == []
    assert list(run_predictor.predict([])) == []


@pytest.mark.slow
def test_translations_are_the_same_alone_and_in_a_batch(run_predictor, lines):
    texts = [*HARD_TEXTS.values(), *lines]
    together = run_predictor.predict_n_best(texts)
    assert len({best.text for best, *_ in together}) > 30
    for text, (best, *_) in list(zip(texts, together, strict=True))[::9]:
        ((alone, *_),) = run_predictor.predict_n_best([text])
        assert alone.text == best.text
        assert alone.score == pytest.approx(best.score, abs=1e-4)


def test_translations_keep_the_order_of_the_texts(
    run_predictor, lines, monkeypatch
):
    monkeypatch.setattr(predictor, "WINDOW", 40)
    monkeypatch.setattr(predictor, "BATCH_SIZE", 16)
    mixed = lines[:60:2] + lines[:60:-3]
    rows = list(run_predictor.predict(mixed))
    assert [text for text, _ in rows] == mixed
    translations = [best.text for _, (best, *_) in rows]
    assert translations == run_predictor.translate(mixed)
    assert translations != sorted(translations, key=len)


# The command line


def test_texts_as_arguments(say, run_predictor):
    texts = ["We see the small cats.", "", "quark 日本語"]
    assert say(*texts) == run_predictor.translate(texts)


def test_a_broken_line_of_standard_input_is_told_and_left_out(
    say, run, run_predictor, lines, tmp_path
):
    encoded = [line.encode() for line in lines]
    encoded[20] = b"We see the caf\xe9."
    done = commands.run_command(
        "apps.translation.predict",
        *[run, "--file", "-", "--n-best", "1"],
        folder=tmp_path,
        stdin=b"\n".join(encoded),
    )
    told, *notes = done.stderr.splitlines()
    assert told == (
        "standard input:21: byte 0xe9 is not utf-8; nothing is answered to"
        " this line"
    )
    assert all(note.startswith("note: input ") for note in notes)
    printed = done.stdout.splitlines()
    assert len(printed) == len(lines)
    assert printed.pop(20) == ""
    scores, texts = scored(printed)
    others = run_predictor.predict_n_best(lines[:20] + lines[21:])
    assert texts == [best.text for best, *_ in others]
    assert len(set(texts)) > 30
    expected = [best.score for best, *_ in others]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=2e-4)


def test_a_file_has_one_text_a_line(say, run_predictor, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffWe see.\r\n\nThe cats sleep.\nça va".encode())
    texts = ["first", "We see.", "", "The cats sleep.", "ça va"]
    assert say("first", "--file", path) == run_predictor.translate(texts)


def test_a_file_in_another_encoding(say, run_predictor, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes("We see.\nWe see the café.\n".encode("latin-1"))
    expected = run_predictor.translate(["We see.", "We see the café."])
    assert say("--file", path, "--encoding", "latin-1") == expected
    assert say("--file", path) == [expected[0], ""]


def test_standard_input_in_another_encoding(say, run_predictor):
    expected = run_predictor.translate(["We see.", "café"])
    latin = ["--file", "-", "--encoding", "latin-1"]
    assert say(*latin, stdin=b"We see.\ncaf\xe9\n") == expected


def test_n_best_prints_so_many_lines_best_first(say, run_predictor):
    texts = ["We see the small black cats.", "Bruno sings."]
    printed = say("--n-best", 4, *texts)
    assert len(printed) == 8
    rows = run_predictor.predict_n_best(texts)
    for start, expected in zip((0, 4), rows, strict=True):
        scores, translations = scored(printed[start : start + 4])
        assert translations == [x.text for x in expected[:4]]
        assert len(set(translations)) == 4
        assert scores == sorted(scores, reverse=True)
        expected_scores = [x.score for x in expected[:4]]
        assert scores == pytest.approx(expected_scores, abs=1e-4)


@pytest.fixture(scope="module")
def translator(run):
    return runs.load_model(run)


@pytest.mark.slow
def test_another_beam_and_the_likeliest_sample(
    translator, run_predictor, lines
):
    greedy = Predictor.from_model(translator, beam=1)
    assert greedy.config.beam == 1
    translations = greedy.translate(lines[:20])
    assert translations != run_predictor.translate(lines[:20])
    likeliest = Predictor.from_model(translator, sampling=Sampling(top_k=1))
    assert likeliest.translate(lines[:20]) == translations
    assert [len(row) for row in likeliest.predict_n_best(["", "x"])] == [1, 1]
    assert likeliest.predict_n_best([" \u2003"]) == [[("", 0.0)]]


@pytest.mark.slow
def test_sampling_is_repeated_by_its_seed(translator, lines):
    texts = tf.constant(lines[:3])
    first, again, other = (
        translator.sample(texts, Sampling(seed))[0].numpy()
        for seed in (1, 1, 2)
    )
    assert first.shape == (3, 1)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_beam_and_sampling_are_handed_on(say, run_predictor, monkeypatch):
    calls = []

    def load(path, beam, sampling):
        calls.append((beam, sampling))
        return run_predictor

    monkeypatch.setattr(predict, "load", load)
    options = {"--temperature": 0.5, "--top-k": 3, "--top-p": 0.9, "--seed": 8}
    flags = [x for pair in options.items() for x in pair]
    say("--beam", 2, "--sample", *flags, "We see.")
    say(*flags, "We see.")
    assert calls == [(2, Sampling(8, 0.5, 3, 0.9)), (None, None)]


@pytest.mark.slow
def test_an_attention_plot_is_a_picture(say, run_predictor, tmp_path):
    path = tmp_path / "plots" / "attention.png"
    text = "We see $5 in the _{dark} quark."
    printed = say(text, "--attention-plot", path)
    assert printed == run_predictor.translate([text])
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_an_attention_plot_of_an_unknown_format(refused, tmp_path):
    for name in ("plot.docx", "plot", "plot.PNG.txt"):
        error = refused("We see.", "--attention-plot", tmp_path / name)
        assert f"{name}: expected a name ending in .png" in error
    assert list(tmp_path.iterdir()) == []


def test_an_attention_plot_where_there_is_no_attention(run_predictor):
    config = dataclasses.replace(run_predictor.config, attention="none")
    without = dataclasses.replace(run_predictor, config=config)
    with pytest.raises(UserError, match="--attention-plot: this model was"):
        predict._plot_attention(without, "a", "plot.png")


WRONG = {
    (): "give texts, or --file FILE",
    (
        *["--file", "texts.txt", "--attention-plot", "x.png"],
    ): "--attention-plot needs a text as an argument",
    ("--n-best", "-1", "x"): "--n-best must be at least 0, got -1",
    (
        *["--sample", "--temperature", "0", "x"],
    ): "--temperature must be greater than 0, got 0.0",
    ("--sample", "--top-k", "-2", "x"): "--top-k must be at least 0, got -2",
    (
        *["--sample", "--top-p", "1.5", "x"],
    ): "--top-p must be above 0 and at most 1, got 1.5",
    ("--beam", "wide", "x"): "argument --beam: invalid int",
    ("--n-best", 6, "x"): "--n-best 6: more than the 5 that are found; pass a",
    ("--n-best", 4, "--beam", 3, "x"): "--n-best 4: more than the 3 that are",
    ("--n-best", 2, "--sample", "x"): "--n-best 2: more than the 1 that are",
    ("--file", "x", "--encoding", "klingon"): "--encoding: unknown encoding",
}


def test_wrong_arguments_are_told(refused):
    for args, message in WRONG.items():
        assert refused(*args).startswith(f"error: {message}")


def test_a_beam_out_of_range(run):
    with pytest.raises(UserError, match="--beam must be at least 1, got 0"):
        predictor.load(str(run), beam=0)


def test_json_has_a_text_and_its_translations():
    found = [
        predictor.Translation("un", -0.5),
        predictor.Translation("deux", -1),
    ]
    first = {"translation": "un", "score": -0.5}
    rows = [first, {"translation": "deux", "score": -1}]
    assert predict.to_json("a", found, 0) == {
        **{"text": "a", **first, "n_best": rows}
    }
    assert predict.to_json("a", found, 1)["n_best"] == [first]


def test_tables_are_read_as_training_reads_them(tmp_path):
    for name, content, reverse, expected in (
        ("a.tsv", "one\tun\ntwo\tdeux\n", False, ["one", "two"]),
        ("a.tsv", "one\tun\ntwo\tdeux\n", True, ["un", "deux"]),
        ("a.csv", "id,text\n1,one\n", False, ["one"]),
        ("a.jsonl", '{"text": "one"}\n', True, ["one"]),
    ):
        (tmp_path / name).write_text(content)
        config = Config(reverse=reverse)
        rows = predict.read_table(tmp_path / name, "text", config, "utf-8")
        assert list(rows) == expected


# Notes on standard error.


def describe(source, level, tokens, vocab_size=1000, max_tokens=100):
    """The remark on a sentence, of a model with a few tokens."""
    if level != "word":
        tokens = [*map(tokens_module.escape_token, vocabulary.BYTES), *tokens]
    model = predictor.Predictor(
        Config(level=level, vocab_size=vocab_size, max_tokens=max_tokens),
        None,
        None,
        tokens_module.Tokenizer(tokens, level),
    )
    (remark,) = model.describe_inputs([source])
    return remark


@pytest.mark.slow
def test_unknown_words_are_named():
    hello = "1 of 3 words is unknown to this model: Hello"
    words = [" my", " cat", " name", "Hell"]
    known = "my cat, (my name)!"
    for level, vocab_size, tokens, source, remark in [
        ("word", 1000, words, known, ""),
        ("word", 1000, words, "my my cat", ""),
        ("word", 1000, words, "Hello my cat", hello),
        # A subword vocabulary with room has every word of training.
        ("subword", 1000, words, known, ""),
        ("subword", 1000, words, "Hello my cat", hello),
        ("subword", 1000, words, "my catname", "1 of 2 words is"),
        # In a full one, words of a few long parts are nothing unusual.
        ("subword", 262, [" Hell", "oooo"], "Helloooo", ""),
        ("subword", 1000, [" Hell", "oooo"], "Helloooo", "1 of 1 words is"),
        ("subword", 264, words, "dodo", "1 of 1 words is"),
        # Characters: only those that are spelt in bytes are unknown.
        ("char", 1000, ["é"], "dodo été", ""),
        ("char", 1000, ["é"], "dodo été ßßß", "1 of 3 words is"),
        ("subword", 1000, words, "", ""),
        ("subword", 1000, words, "?! ...", ""),
        ("subword", 1000, words, "\ud800", ""),
    ]:
        result = describe(source, level, tokens, vocab_size)
        if remark:
            assert result.startswith(remark), (level, source, result)
        else:
            assert result == "", (level, source)


def test_a_sentence_longer_than_those_of_training_says_so():
    assert describe("my" + " my" * 9, "word", [" my"], max_tokens=10) == ""
    assert describe("my" + " my" * 10, "word", [" my"], max_tokens=10) == (
        "11 tokens are more than any sentence of training had (10)"
    )
