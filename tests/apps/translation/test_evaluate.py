"""Scores are those that sacrebleu's own command gives to the same lines."""

import json
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import sacrebleu

from apps.translation import data, evaluate, predict
from apps.translation.datasets import Pair
from apps.translation.evaluate import Predictions
from apps.translation.predictor import Translation
from common.data.skipped import Skipped
from common.metrics import translation
from tests.support import commands


@pytest.fixture
def command(run, run_predictor, monkeypatch, tmp_path):
    """Evaluates the run as the command line does; returns what is printed."""
    monkeypatch.setattr(evaluate, "load", lambda path, beam: run_predictor)

    def command(*args, call=commands.run_command):
        module = "apps.translation.evaluate"
        return call(module, run, *args, folder=tmp_path)

    return command


@pytest.fixture
def score(command):
    """Evaluates the run: (report, what the JSON holds)."""

    def score(*args):
        *report, last = command(*args).stdout.splitlines()
        return report, json.loads(last)

    return score


def pairs_of(predictor, split):
    return list(data.open_splits(predictor.config)[split])


def translations_of(predictor, pairs):
    return predictor.translate([pair.source for pair in pairs])


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.slow
def test_scores_are_those_of_the_command_of_sacrebleu(
    score, run_predictor, tmp_path
):
    _, scores = score()
    pairs = pairs_of(run_predictor, "test")
    references = write(tmp_path / "references", [x.target for x in pairs])
    translations = write(
        tmp_path / "translations", translations_of(run_predictor, pairs)
    )
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
    assert translation.score(right, right) == pytest.approx(
        {"bleu": 100, "chrf": 100}
    )
    small = [sentence.lower() for sentence in right]
    assert max(translation.score(small, right).values()) < 99
    wrong = translation.score(["qqq", "zzz"], right)
    assert wrong == {"bleu": 0, "chrf": 0}


@pytest.mark.slow
def test_splits_and_all_of_them(score):
    _, test = score()
    _, valid = score("--split", "valid")
    _, everything = score("--split", "all", "--limit", 65)
    assert test != valid
    assert [s["examples"] for s in (test, valid)] == [30, 30]
    assert everything["examples"] == 65


def test_a_beam_in_place_of_that_of_training(
    command, run_predictor, monkeypatch
):
    beams = []

    def load(path, beam):
        beams.append(beam)
        return run_predictor

    monkeypatch.setattr(evaluate, "load", load)
    command("--limit", 1)
    command("--limit", 1, "--beam", 2)
    assert beams == [None, 2]


# The report


def make_report(*rows, skipped=None):
    """The lines about (source, target, translation) of each row."""
    predictions = Predictions(
        [Pair(*row[:2], f"made up:{len(row[0])}") for row in rows],
        [row[2] for row in rows],
        skipped or Skipped(),
    )
    scores = evaluate.score(predictions)
    return evaluate.make_report(predictions, scores).splitlines()


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
    told = make_report(("a", "b c d e", "b c"), skipped=skipped)
    assert "skipped: 2 (with an empty side): x:3, x:5" in told


def test_the_table_tells_the_scores_by_length(score):
    report, scores = score()
    rows = table(report)
    assert sum(row[1] for row in rows) == scores["examples"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    right, wrong = ("b c d e f",) * 2, ("b c d e f", "zzz")
    lines = make_report(
        *[("a b c.", *right), ("a " * 4 + ".", *right)],
        *[("a " * 6, *wrong), ("a " * 60, *right)],
    )
    assert table(lines) == [
        [5, 2, 100, 100],
        [10, 1, 0, 0],
        [61, 1, 100, 100],
    ]


def test_the_ten_worst_translations_come_last_worst_first(score, run_predictor):
    report, _ = score()
    rows = report[report.index("worst translations, by chrF") + 1 :]
    assert len(rows) == 4 * 10
    heads = [row.split(maxsplit=1) for row in rows[::4]]
    pairs = pairs_of(run_predictor, "test")
    by_source = {pair.source: pair for pair in pairs}
    expected = sorted(
        sacrebleu.sentence_chrf(hypothesis, [pair.target]).score
        for hypothesis, pair in zip(
            translations_of(run_predictor, pairs), pairs, strict=True
        )
    )
    told = [float(value) for value, _ in heads]
    np.testing.assert_allclose(told, expected[:10], atol=0.051)
    for source, reference, hypothesis in zip(
        rows[1::4], rows[2::4], rows[3::4], strict=True
    ):
        pair = by_source[source.partition("source:")[2].strip()]
        assert reference.split(maxsplit=1) == ["reference:", pair.target]
        (best,) = translations_of(run_predictor, [pair])
        assert hypothesis.split(maxsplit=1) == ["translation:", best]


# Data of one's own


def test_parallel_files(score, run_predictor, tmp_path):
    english = ["We see the cats.", "", "Bruno sings.", "The cow sleeps."]
    pairs = [Pair(text, "", "") for text in english]
    write(tmp_path / "test.en", english)
    write(tmp_path / "test.fr", translations_of(run_predictor, pairs))
    write(tmp_path / "test.de", ["Wir"] * 4)
    flags = ["--data", tmp_path, "--source", "en", "--target"]
    report, scores = score(*flags, "fr")
    assert "|tok:13a|" in scores.pop("signatures")["BLEU"]
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


def test_what_cannot_be_evaluated(command, tmp_path, monkeypatch):
    write(tmp_path / "test.tsv", ["We see.\t", "\tNous voyons."])
    error = command("--data", tmp_path, call=commands.error_line)
    assert "no pairs to evaluate: expected at least one" in error
    error = command(
        *["--data", tmp_path, "--split", "valid"], call=commands.error_line
    )
    assert "--split valid: expected all or one of test" in error
    # Before anything else.
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    error = command("--split", "nothing", call=commands.error_line)
    assert (
        "BLEU and chrF need the package sacrebleu: pip install"
        ' "rnn-topologies[translation]"'
    ) in error


def test_what_is_printed_cannot_steer_a_terminal(capsys):
    hard = "le \x1b[2J chat\n"
    told = make_report((hard, hard, hard))
    assert all(line.isprintable() for line in told)
    assert told[-1].endswith(r"translation: le \x1b[2J chat\n")
    translator = mock.Mock(translate=lambda texts: texts)
    evaluate.validate(translator, [Pair(hard, hard, "a:1")])
    assert capsys.readouterr().out.count("\n") == 1
    lines = predict.format_lines([Translation(hard, 0.5)], n_best=1)
    assert list(lines) == ["0.5000\t" + r"le \x1b[2J chat"]
