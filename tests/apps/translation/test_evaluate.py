"""Scores are those that sacrebleu's own command gives to the same lines."""

import json
import subprocess
import sys

import numpy as np
import pytest
import sacrebleu

from apps.translation import datasets, evaluate, predict
from common.data.skipped import Skipped
from common.errors import UserError
from tests.apps.translation.test_predict import smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return smoke_run(tmp_path_factory.getbasetemp() / "translation")


@pytest.fixture(scope="module")
def predictor(run):
    return predict.load(str(run))


@pytest.fixture
def score(run, predictor, monkeypatch, capsys):
    """Evaluates as the command line does: (report, what the JSON holds)."""

    def score(*args):
        monkeypatch.setattr("sys.argv", ["evaluate", str(run), *map(str, args)])
        monkeypatch.setattr(evaluate, "load", lambda path, beam: predictor)
        capsys.readouterr()
        evaluate.main()
        *report, last = capsys.readouterr().out.splitlines()
        return report, json.loads(last)

    return score


def pairs_of(predictor, split):
    return list(datasets.open_splits(predictor.config)[split])


def translations_of(predictor, pairs):
    found = predictor.n_best([pair.source for pair in pairs])
    return [translations[0].text for translations in found]


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_scores_are_those_of_the_command_of_sacrebleu(
    score, run, predictor, monkeypatch, tmp_path, capsys
):
    _, scores = score()
    pairs = pairs_of(predictor, "test")
    references = write(tmp_path / "references", [x.target for x in pairs])
    texts = write(tmp_path / "texts", [x.source for x in pairs])
    monkeypatch.setattr("sys.argv", ["predict", str(run), "--file", str(texts)])
    predict.main()
    translations = tmp_path / "translations"
    translations.write_text(capsys.readouterr().out, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sacrebleu", references, "-i", translations]
        + ["--metrics", "bleu", "chrf", "--width", "9", "--format", "json"],
        capture_output=True,
        check=True,
    )
    bleu, chrf = json.loads(done.stdout)
    assert scores["bleu"] == pytest.approx(bleu["score"], abs=1e-6)
    assert scores["chrf"] == pytest.approx(chrf["score"], abs=1e-6)
    assert scores["examples"] == len(pairs) == 30
    assert 0 < scores["bleu"] < scores["chrf"] < 100


def test_scores_of_what_is_right_and_of_what_is_wrong():
    right = ["Les chats dorment .", "Qui chante maintenant ?"]
    assert evaluate.score(right, right) == pytest.approx(
        {"bleu": 100, "chrf": 100}
    )
    small = [sentence.lower() for sentence in right]
    assert max(evaluate.score(small, right).values()) < 99
    wrong = evaluate.score(["qqq", "zzz"], right)
    assert wrong == {"bleu": 0, "chrf": 0}


def test_limit_and_split(score):
    _, test = score()
    _, valid = score("--split", "valid")
    _, few = score("--split", "valid", "--limit", 7)
    _, everything = score("--split", "all")
    assert test != valid
    assert [s["examples"] for s in (test, valid, few)] == [30, 30, 7]
    assert everything["examples"] == 360


def test_a_beam_in_place_of_that_of_training(score, predictor, monkeypatch):
    beams = []

    def load(path, beam):
        beams.append(beam)
        return predictor

    score("--limit", 1)
    monkeypatch.setattr(evaluate, "load", load)
    monkeypatch.setattr("sys.argv", ["evaluate", "RUN", "--limit", "1"])
    evaluate.main()
    monkeypatch.setattr(
        "sys.argv", ["evaluate", "RUN", "--limit", "1", "--beam", "2"]
    )
    evaluate.main()
    assert beams == [None, 2]


# The report


def answer(source, target, translation):
    pair = datasets.Pair(source, target, f"made up:{len(source)}")
    return evaluate.Answer(pair, translation)


def table(report):
    """Rows of the table of lengths: (up to, pairs, BLEU, chrF)."""
    start = report.index("by words and marks in the source") + 2
    rows = report[start : report.index("", start)]
    return [[float(cell) for cell in row.split()] for row in rows]


def test_the_report_names_the_signatures_and_what_was_left_out(score):
    report, scores = score()
    assert f"bleu        {scores['bleu']:.4g}" in report
    assert f"chrf        {scores['chrf']:.4g}" in report
    common = f"nrefs:1|case:mixed|eff:{{}}|{{}}|version:{sacrebleu.__version__}"
    bleu = common.format("no", "tok:13a|smooth:exp")
    chrf = common.format("yes", "nc:6|nw:0|space:no")
    assert f"BLEU signature: {bleu}" in report
    assert f"CHRF signature: {chrf}" in report
    skipped = Skipped()
    skipped.add("with an empty side", "x:3")
    skipped.add("with an empty side", "x:5")
    told = evaluate.report([answer("a", "b c d e", "b c")], skipped)
    assert "skipped: 2 (with an empty side): x:3, x:5" in told.splitlines()


def test_the_table_tells_the_scores_by_length(score):
    report, scores = score()
    rows = table(report)
    assert sum(row[1] for row in rows) == scores["examples"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    right, wrong = ("b c d e f",) * 2, ("b c d e f", "zzz")
    answers = [answer("a b c.", *right), answer("a " * 4 + ".", *right)]
    answers += [answer("a " * 6, *wrong), answer("a " * 60, *right)]
    lines = evaluate.report(answers, Skipped()).splitlines()
    assert table(lines) == [
        [5, 2, 100, 100],
        [10, 1, 0, 0],
        [61, 1, 100, 100],
    ]


def test_the_ten_worst_translations_come_last_worst_first(score, predictor):
    report, _ = score()
    rows = report[report.index("worst translations, by chrF") + 1 :]
    assert len(rows) == 4 * 10
    heads = [row.split(maxsplit=1) for row in rows[::4]]
    pairs = pairs_of(predictor, "test")
    by_source = {pair.source: pair for pair in pairs}
    expected = sorted(
        sacrebleu.sentence_chrf(translation, [pair.target]).score
        for translation, pair in zip(
            translations_of(predictor, pairs), pairs, strict=True
        )
    )
    told = [float(value) for value, _ in heads]
    np.testing.assert_allclose(told, expected[:10], atol=0.051)
    for source, reference, translation in zip(
        rows[1::4], rows[2::4], rows[3::4], strict=True
    ):
        pair = by_source[source.partition("source:")[2].strip()]
        assert reference.split(maxsplit=1) == ["reference:", pair.target]
        (best,) = translations_of(predictor, [pair])
        assert translation.split(maxsplit=1) == ["translation:", best]


# Data of one's own


def test_parallel_files(score, predictor, tmp_path):
    english = ["We see the cats.", "", "Bruno sings.", "The cow sleeps."]
    pairs = [datasets.Pair(text, "", "") for text in english]
    write(tmp_path / "test.en", english)
    write(tmp_path / "test.fr", translations_of(predictor, pairs))
    write(tmp_path / "test.de", ["Wir"] * 4)
    flags = ["--data", tmp_path, "--source", "en", "--target"]
    report, scores = score(*flags, "fr")
    assert scores == pytest.approx({"bleu": 100, "chrf": 100, "examples": 3})
    place = tmp_path / "test.en"
    assert f"skipped: 1 (with an empty side): {place}:2" in report
    assert f"100.0 {tmp_path / 'test.en'}:1" in report
    _, scores = score(*flags, "de")
    assert scores["bleu"] < 50


def test_one_file(score, tmp_path):
    lines = [f"We see {n} cats.\tNous voyons {n} chats." for n in range(40)]
    path = write(tmp_path / "own.tsv", lines)
    _, scores = score("--data", path, "--split", "all")
    assert scores["examples"] == 40


def test_nothing_to_evaluate(score, tmp_path):
    write(tmp_path / "test.tsv", ["We see.\t", "\tNous voyons."])
    expected = "no pairs to evaluate: expected at least one"
    with pytest.raises(UserError, match=expected):
        score("--data", tmp_path)


def test_a_split_that_the_data_do_not_have(score, tmp_path):
    write(tmp_path / "test.tsv", ["We see.\tNous voyons."])
    expected = "--split valid: expected all or one of test"
    with pytest.raises(UserError, match=expected):
        score("--data", tmp_path, "--split", "valid")


def test_a_missing_sacrebleu_is_told_before_anything_else(score, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    expected = (
        "BLEU and chrF need the package sacrebleu: pip install"
        r' "rnn-topologies\[translation\]"'
    )
    with pytest.raises(UserError, match=expected):
        score("--split", "nothing")
