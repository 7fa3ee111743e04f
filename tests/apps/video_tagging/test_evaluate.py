"""Scores and reports of tagged videos."""

import json

import numpy as np
import pytest

from apps.video_tagging import evaluate
from apps.video_tagging.config import Config
from apps.video_tagging.pipeline import Prediction
from common.errors import UserError
from common.metrics import segments
from tests.support.video_tagging import SCENES, feature_path


@pytest.fixture
def score_run(monkeypatch, capsys, load_once):
    """Evaluates as the command line does: (scores, lines of the report)."""
    monkeypatch.setattr(evaluate, "load", load_once)

    def score_run(run, *args):
        argv = ["evaluate", str(run), *map(str, args)]
        monkeypatch.setattr("sys.argv", argv)
        capsys.readouterr()
        evaluate.main()
        *report, last = capsys.readouterr().out.splitlines()
        return json.loads(last), report

    return score_run


@pytest.mark.slow
def test_evaluation_of_features(score_run, features_run, load_once, tmp_path):
    picture = tmp_path / "t.png"
    found, report = score_run(features_run, "--timeline", picture)
    assert (found["examples"], found["frames"]) == (2, 12 + 16)
    assert report[0].startswith("test: 2 examples of ")
    model = load_once(features_run)
    right = total = 0
    for name, tags in SCENES["test"].items():
        values = np.load(feature_path(features_run, name)).T
        answer = model.predict_chunks([values])
        for tag, true in zip(answer.tags, tags, strict=True):
            total += true != "?"
            right += "abc"[tag] == true
    assert found["accuracy"] == pytest.approx(100 * right / total)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    header = report.index("tag    frames  precision  recall")
    counts = [line.split()[:2] for line in report[header + 1 : header + 4]]
    assert counts == [["a", "12"], ["b", "8"], ["c", "4"]]
    worst = report[report.index("worst videos") + 1 :]
    assert sorted(line.split()[1] for line in worst) == ["x1", "x2"]


def test_evaluation_of_what_is_not_there():
    with pytest.raises(UserError, match="no videos to evaluate"):
        evaluate.predict_split(None, [], Config())


def test_scores_of_one_tag_a_frame():
    truth = [np.array([0, 0, 1, 1, -1, 2]), np.array([2, 2])]
    tags = [np.array([0, 0, 0, 1, 1, 2]), np.array([2, 0])]
    tagged = [
        evaluate.TaggedVideo("v", Prediction(guess, None), true, true >= 0)
        for guess, true in zip(tags, truth, strict=True)
    ]
    labels = ["background", "a", "b"]
    result = evaluate.score(tagged, labels, Config())
    assert result["accuracy"] == pytest.approx(100 * 5 / 7)
    without = segments.score(truth, tags, [0], -1)
    with_it = segments.score(truth, tags, (), -1)
    assert result["edit"] == without.edit
    assert result["f1_50"] == without.f1_50
    assert result["edit_with_background"] == with_it.edit
    assert "accuracy_with_background" not in result
    expected = np.mean(list(without))
    assert evaluate.selection_score(result) == pytest.approx(expected)
    result = evaluate.score(tagged, ["x", "a", "b"], Config())
    assert result == with_it._asdict()


def test_scores_of_sets_are_of_labelled_frames():
    truth = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], "f")
    probabilities = np.array([[0.9, 0.2], [0.4, 0.8], [1, 0.6], [0, 1]], "f")
    known = np.array([True, True, True, False])
    prediction = Prediction(probabilities >= 0.5, probabilities)
    tagged = [evaluate.TaggedVideo("v", prediction, truth, known)]
    config = Config(multi_label=True)
    result = evaluate.score(tagged, ["a", "b"], config)
    # All of them are right; the last frame is nobody's.
    assert result["micro_f1"] == result["macro_f1"] == 1
    expected = -np.log([0.9, 0.8, 0.6, 0.8, 1, 0.6]).sum() / 3
    assert result["nll"] == pytest.approx(expected, rel=1e-5)
    assert evaluate.selection_score(result) == -result["nll"]


def test_without_validation_the_last_epoch_is_the_best():
    first, second = (evaluate.validate(None, None, k) for k in (0, 1))
    assert second["score"] > first["score"]
    assert evaluate.format_scores(first) == "no validation videos"
