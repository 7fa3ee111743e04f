"""The exported SavedModel answers as the model it came from."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.sentiment import datasets, evaluate, export, predict, train
from apps.sentiment.config import SMOKE, Config
from common import export as common_export
from common.errors import UserError

HARD_TEXTS = [
    *["not bad at all", "", " ", "zzzz qqqq", "<br />", "😀" * 10_000],
    *["bad " * 100_000, "日本語", "a\x00b", "\ufffd", "Don’t!", "x" * 50_000],
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = dataclasses.replace(
        SMOKE, run_dir=str(folder), num_examples=200, epochs=1
    )
    return train.train(config)


@pytest.fixture(scope="module")
def exported(run):
    return export.export_run(run, run.parent / "exports")


@pytest.fixture(scope="module")
def predictors(run, exported):
    return predict.load(str(run)), predict.load(str(exported))


def test_it_answers_alike_where_keras_cannot_be_imported(run, exported):
    predictor = predict.load(str(run))
    cases = []
    for texts in ([], HARD_TEXTS[:1], HARD_TEXTS):
        encoded = np.array([text.encode() for text in texts], object)
        rows = predictor.probabilities(texts)
        names = [predictor.labels[k].encode() for k in rows.argmax(axis=-1)]
        outputs = {
            "label": np.array(names, object),
            "score": rows.max(axis=-1, initial=0) if len(rows) else rows[:, 0],
            "probabilities": rows,
        }
        cases.append(common_export.Case({"text": encoded}, outputs))
    common_export.check(exported, cases)


def test_a_row_does_not_depend_on_its_company(predictors):
    for predictor in predictors:
        together = predictor.answer(tf.constant(["good", "bad " * 300]))
        alone = predictor.answer(tf.constant(["good"]))
        np.testing.assert_allclose(together[:1], alone, rtol=0, atol=1e-6)


def test_bytes_that_are_no_text_get_an_answer(predictors):
    answers = [
        predictor.answer(tf.constant([b"good \xff\xfe film", b"\x80"])).numpy()
        for predictor in predictors
    ]
    np.testing.assert_allclose(answers[0].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-6)


def test_run_and_export_have_the_same_scores(predictors):
    stream = datasets.open_splits(Config(num_examples=300))["test"]
    scores = [
        evaluate.score(evaluate.collect(predictor, stream))
        for predictor in predictors
    ]
    assert scores[0]["examples"] == 30
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_the_signature_is_the_contract(exported):
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    outputs = {
        name: (spec.dtype.name, spec.shape.as_list())
        for name, spec in signature.structured_outputs.items()
    }
    assert outputs == {
        "label": ("string", [None]),
        "score": ("float32", [None]),
        "probabilities": ("float32", [None, 2]),
    }


def test_labels_options_and_a_card_lie_beside_the_model(exported):
    assert (exported / "labels.txt").read_text() == "negative\npositive\n"
    card = (exported / "MODEL_CARD.md").read_text()
    assert "negative, positive" in card
    assert "validation accuracy" in card
    names = {path.name for path in exported.iterdir()}
    assert {"saved_model.pb", "variables", "config.json"} <= names


def test_a_run_without_an_epoch_cannot_be_exported(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no epoch is finished yet"):
        export.export_run(tmp_path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
