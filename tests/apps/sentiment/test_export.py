"""The exported SavedModel answers as the model it came from."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from apps.sentiment import export as sentiment_export
from apps.sentiment import predictor
from common import export
from tests.support import commands

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow

HARD_TEXTS = [
    *["not bad at all", "", " ", "zzzz qqqq", "<br />", "😀" * 10_000],
    *["bad " * 100_000, "日本語", "a\x00b", "\ufffd", "Don’t!", "x" * 50_000],
]


@pytest.fixture(scope="module")
def exported(trained_app):
    return trained_app("apps.sentiment").export


@pytest.fixture(scope="module")
def predictors(trained_app, exported):
    """Of the run, and of its export."""
    run = trained_app("apps.sentiment").run
    return predictor.load(str(run)), predictor.load(str(exported))


def test_it_answers_alike_where_keras_cannot_be_imported(predictors, exported):
    model = predictors[0]
    cases = []
    for texts in ([], HARD_TEXTS[:1], HARD_TEXTS):
        encoded = np.array([text.encode() for text in texts], object)
        rows = model.predict_probabilities(texts)
        labels = [model.labels[k].encode() for k in rows.argmax(axis=-1)]
        outputs = {
            "label": np.array(labels, object),
            "score": rows.max(axis=-1, initial=0) if len(rows) else rows[:, 0],
            "probabilities": rows,
        }
        cases.append(export.Case({"text": encoded}, outputs))
    export.check(exported, cases)


def test_a_row_does_not_depend_on_its_company(predictors):
    for model in predictors:
        together = model.predict_fn(tf.constant(["good", "bad " * 300]))
        alone = model.predict_fn(tf.constant(["good"]))
        np.testing.assert_allclose(together[:1], alone, rtol=0, atol=1e-6)


def test_bytes_that_are_no_text_get_an_answer(predictors):
    texts = tf.constant([b"good \xff\xfe film", b"\x80"])
    answers = [model.predict_fn(texts).numpy() for model in predictors]
    np.testing.assert_allclose(answers[0].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-6)


def test_a_request_of_too_many_bytes(predictors):
    _, served = predictors
    size = 256 * served.config.max_tokens
    num_rows = 2**24 // size + 1
    long = b"a" * 3 * size
    with pytest.raises(tf.errors.InvalidArgumentError, match="16,777,216 byte"):
        served.predict_fn(tf.constant([long] * num_rows))


DEFAULT = {
    "label": ("string", [None]),
    "score": ("float32", [None]),
    "probabilities": ("float32", [None, 2]),
}
SIGNATURES = {
    "serving_default": DEFAULT,
    "explain": DEFAULT
    | {"tokens": ("string", [None, None]), "weights": ("float32", [None] * 2)},
}


def test_the_signatures_are_the_contract(exported):
    loaded = tf.saved_model.load(str(exported))
    assert loaded.signatures.keys() == SIGNATURES.keys()
    for name, expected in SIGNATURES.items():
        outputs = {
            name: (spec.dtype.name, spec.shape.as_list())
            for name, spec in loaded.signatures[name].structured_outputs.items()
        }
        assert outputs == expected


def test_an_explanation_is_that_of_each_text_alone(exported):
    loaded = tf.saved_model.load(str(exported))
    explain = loaded.signatures["explain"]
    answers = explain(text=tf.constant(HARD_TEXTS))
    default = loaded.signatures["serving_default"](text=tf.constant(HARD_TEXTS))
    for name in DEFAULT:
        assert np.array_equal(answers[name], default[name])
    for row, text in enumerate(HARD_TEXTS[:6]):
        alone = explain(text=tf.constant([text]))
        width = alone["tokens"].shape[1]
        assert np.array_equal(
            answers["tokens"][row, :width], alone["tokens"][0]
        )
        assert not np.any(answers["weights"][row, width:])
        np.testing.assert_allclose(
            answers["weights"][row, :width], alone["weights"][0], atol=1e-6
        )
    none = explain(text=tf.constant([], tf.string))
    assert none["tokens"].shape == none["weights"].shape == (0, 1)


def test_labels_and_a_card_lie_beside_the_model(exported):
    assert (exported / "labels.txt").read_text() == "negative\npositive\n"
    card = (exported / "MODEL_CARD.md").read_text()
    assert "negative, positive" in card
    assert "validation accuracy" in card


def test_old_versions_go_and_the_licence_is_in_the_card(
    trained_app, exported, tmp_path, monkeypatch
):
    run = trained_app("apps.sentiment").run
    for number in (2, 4):
        shutil.copytree(exported, tmp_path / run.name / str(number))
    # Nothing of what follows depends on its answers.
    monkeypatch.setattr(export, "check", lambda *args: None)
    monkeypatch.setattr(sentiment_export, "CASES", sentiment_export.CASES[1:2])
    commands.run_command(
        *["apps.sentiment.export", run, "--to", ".", "--keep", 2],
        *["--data-license", "CC0 1.0"],
        folder=tmp_path,
    )
    names = {path.name for path in (tmp_path / run.name).iterdir()}
    assert names == {"4", "5"}
    card = (tmp_path / run.name / "5" / "MODEL_CARD.md").read_text()
    assert "whoever exported the model states it: CC0 1.0." in card
    assert f'name: "{run.name}"' in (tmp_path / "models.config").read_text()
