"""The exported SavedModel answers as the model it came from."""

import re

import numpy as np
import pytest
import tensorflow as tf

from apps.translation import (
    datasets,
    evaluate,
    export,
    pipeline,
    predict,
    text,
)
from apps.translation.config import Config
from apps.translation.datasets import builtin
from common import export as common_export
from common.errors import UserError
from tests.apps.translation.test_predict import HARD_TEXTS, smoke_run

SENTENCES = [
    *["We see the small black cats.", "Bruno sings.", "", "quark"],
    *[english for english, _ in builtin.generate("test", 3, seed=5)],
]
STATE = {"attended", "weights", "hidden_0", "cell_0"}
MEMORY = {"values", "keys", "mask"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return smoke_run(tmp_path_factory.getbasetemp() / "translation")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The folder of an export; what it would check is checked below."""
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_export, "check", lambda *given: checked.append(given[2:])
        )
        folder = export.export_run(run, tmp_path_factory.mktemp("exports"))
    assert checked
    return folder


@pytest.fixture(scope="module")
def predictors(run, exported):
    return predict.load(str(run)), predict.load(str(exported))


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    # The signatures alone do not keep the variables.
    return {"loaded": loaded} | dict(loaded.signatures)


def encoded(texts):
    return np.array([t.encode("utf-8", "replace") for t in texts], object)


def shapes(specs):
    return {
        name: (spec.dtype.name, spec.shape.as_list())
        for name, spec in specs.items()
    }


# From text to text


def test_the_signatures_are_the_contract(signatures):
    outputs = {
        "serving_default": {
            "translation": ("string", [None]),
            "score": ("float32", [None]),
        },
        "n_best": {
            "translations": ("string", [None, 5]),
            "scores": ("float32", [None, 5]),
        },
    }
    for name, expected in outputs.items():
        signature = signatures[name]
        inputs = signature.structured_input_signature[1]
        assert shapes(inputs) == {"text": ("string", [None])}
        assert shapes(signature.structured_outputs) == expected


@pytest.mark.parametrize("size", [0, 1, 7])
def test_both_signatures_answer_as_the_model(signatures, predictors, size):
    texts = tf.constant(encoded(SENTENCES[:size]), tf.string)
    translations, scores = predictors[0].answer(texts)
    n_best = signatures["n_best"](text=texts)
    assert n_best["translations"].shape == (size, 5)
    np.testing.assert_array_equal(n_best["translations"], translations)
    np.testing.assert_allclose(n_best["scores"], scores, rtol=1e-5)
    best = signatures["serving_default"](text=texts)
    np.testing.assert_array_equal(best["translation"], translations[:, 0])
    np.testing.assert_allclose(best["score"], scores[:, 0], rtol=1e-5)
    if size > 1:
        assert len(set(best["translation"].numpy())) > 3


def test_it_answers_alike_where_keras_cannot_be_imported(exported, predictors):
    given = encoded(HARD_TEXTS.values())
    translations, scores = predictors[0].answer(tf.constant(given))
    best = {
        "translation": translations.numpy()[:, 0],
        "score": scores.numpy()[:, 0],
    }
    ids = np.array([[4, 5, 1, 3], [6, 3, 0, 0]], np.int32)
    memory, state = predictors[0].model.seq2seq.encode(tf.constant(ids))
    named = export._named(memory, state)
    named = {name: value.numpy() for name, value in named.items()}
    common_export.check(
        exported,
        [
            common_export.Case({"text": given}, best),
            common_export.Case({"ids": ids}, named, "encode"),
        ],
    )


def test_a_row_does_not_depend_on_its_company(predictors):
    for predictor in predictors:
        texts = ["quark sees.", "We see the cats. " * 20]
        (alone,) = predictor.n_best(texts[:1])
        answers, scores = predictor.answer(tf.constant(texts))
        assert alone[0].text.encode() == answers[0, 0]
        assert alone[0].score == pytest.approx(float(scores[0, 0]), abs=1e-5)


def test_bytes_that_are_no_text_get_an_answer(predictors):
    given = tf.constant([b"We see \xff\xfe cats", b"\x80"])
    (answers, scores), (others, other_scores) = (
        predictor.answer(given) for predictor in predictors
    )
    np.testing.assert_array_equal(answers, others)
    np.testing.assert_allclose(scores, other_scores, rtol=1e-5)


def test_run_and_export_have_the_same_scores(predictors):
    pairs = list(datasets.open_splits(predictors[0].config)["valid"])
    scores = [
        evaluate.score_answers(evaluate.collect(predictor, pairs)[0])
        for predictor in predictors
    ]
    assert scores[0]["examples"] == 30
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


# Step by step


def test_the_step_signatures_are_the_contract(signatures):
    units = 24
    encode, step = signatures["encode"], signatures["decode_step"]
    per_unit, per_place = ["values", "keys"], ["mask", "weights"]
    given = shapes(step.structured_input_signature[1])
    assert given.pop("ids") == ("int32", [None])
    assert given == shapes(encode.structured_outputs)
    assert given.keys() == MEMORY | STATE
    assert [given[name][1] for name in per_unit] == [[None, None, units]] * 2
    assert [given[name][1] for name in per_place] == [[None, None]] * 2
    assert given["mask"][0] == "bool"
    after = shapes(step.structured_outputs)
    logits = after.pop("logits")
    assert logits[0] == "float32"
    assert after == {name: given[name] for name in STATE}
    inputs = shapes(encode.structured_input_signature[1])
    assert inputs == {"ids": ("int32", [None, None])}


def test_every_tensor_has_a_batch_axis(signatures):
    for name in ("serving_default", "n_best", "encode", "decode_step"):
        signature = signatures[name]
        given = signature.structured_input_signature[1]
        for spec in [*given.values(), *signature.structured_outputs.values()]:
            assert spec.shape[0] is None


@pytest.mark.parametrize("size", [0, 1, 7])
def test_batches_of_any_size_take_steps(signatures, size):
    ids = np.full([size, 4], text.END_ID, np.int32)
    state = signatures["encode"](ids=tf.constant(ids))
    after = signatures["decode_step"](ids=tf.constant(ids[:, 0]), **state)
    assert {len(x) for x in [*state.values(), *after.values()]} == {size}


def read_vocabulary(path):
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return ["", "<unk>", "", "", *lines]


def greedy(exported, signatures, texts):
    """Translates with NumPy and what lies in the folder of the export."""
    source, target = (
        read_vocabulary(exported / f"{side}_vocabulary.txt")
        for side in ("source", "target")
    )
    numbers = {token: n for n, token in enumerate(source) if n > 3}
    words = [re.findall(r" ?\w+| ?[^\w\s]|\s+", " " + t) for t in texts]
    ids = np.zeros([len(texts), max(map(len, words)) + 1], np.int32)
    for row, tokens in zip(ids, words, strict=True):
        row[: len(tokens)] = [numbers.get(token, 1) for token in tokens]
        row[len(tokens)] = 3
    state = dict(signatures["encode"](ids=tf.constant(ids)))
    found = [""] * len(texts)
    last = np.full(len(texts), 2, np.int32)
    for t in range(2 * ids.shape[1] + 10):
        after = dict(signatures["decode_step"](ids=tf.constant(last), **state))
        best = after.pop("logits").numpy().argmax(axis=1).astype(np.int32)
        looked_at = after["weights"].numpy()
        state |= after
        for row, tokens in enumerate(words):
            if last[row] == 3 or t == 2 * (len(tokens) + 1) + 10:
                best[row] = 3
            copied = tokens[looked_at[row, : len(tokens)].argmax()]
            found[row] += copied if best[row] == 1 else target[best[row]]
        last = best
    return [translation.removeprefix(" ") for translation in found]


def test_a_greedy_loop_of_ones_own_translates_alike(
    exported, signatures, predictors
):
    texts = [sentence for sentence in SENTENCES if sentence]
    answer = predict.of_model(predictors[0].model, beam=1)
    expected = [found[0].text for found in answer.n_best(texts)]
    assert greedy(exported, signatures, texts) == expected
    assert len(set(expected)) > 3


def test_states_of_several_layers_are_kept_apart():
    config = Config(level="word", num_layers=3, units=4, embedding_dim=4)
    model = pipeline.build(config, [" a", " b"], [" x", " y"])
    memory, state = model.seq2seq.encode(tf.constant([[4, 5, 3], [5, 3, 0]]))
    named = export._named(memory, state)
    assert len(named) == 5 + 2 * 3
    # A SavedModel hands its outputs out in an order of its own.
    again = export._unnamed(dict(sorted(named.items(), reverse=True)))
    for value, other in zip(
        tf.nest.flatten(again), tf.nest.flatten((memory, state)), strict=True
    ):
        assert value is other


# The folder


def test_the_graph_holds_no_kernel_of_one_machine(exported):
    found = common_export.operations(exported)
    assert "While" in found or "StatelessWhile" in found
    assert not [name for name in found if "Cudnn" in name or "PyFunc" in name]


def test_vocabularies_options_and_a_card_lie_beside_the_model(exported, run):
    for name in (
        *["config.json", "data.json"],
        *["source_vocabulary.txt", "target_vocabulary.txt"],
    ):
        assert (exported / name).read_bytes() == (run / name).read_bytes()
    card = (exported / "MODEL_CARD.md").read_text()
    assert card.startswith("# Translator, en to fr\n")
    assert re.search(r"validation BLEU \d+\.\d\d, chrF\s+\d+\.\d\d", card)
    assert "`translations` string[batch,\n  5]" in card


def test_the_warm_up_requests_are_there(exported):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    records = list(tf.data.TFRecordDataset(str(path)))
    assert len(records) == len(export.CASES)


# What an export cannot do


@pytest.fixture
def ask(exported, predictors, monkeypatch):
    def ask(*args):
        monkeypatch.setattr("sys.argv", ["predict", str(exported), *args, "We"])
        monkeypatch.setattr(predict, "load", lambda path, beam: predictors[1])
        predict.main()

    return ask


@pytest.mark.parametrize(
    ("flag", "value"), [("--sample", ()), ("--attention-plot", ("x.png",))]
)
def test_flags_that_need_the_run(ask, flag, value):
    expected = f"{flag} needs the run folder: an export answers with the beam"
    with pytest.raises(UserError, match=expected):
        ask(flag, *value)


def test_a_beam_needs_the_run(exported):
    with pytest.raises(UserError, match="--beam needs the run folder: an exp"):
        predict.load(str(exported), beam=3)


def test_n_best_of_an_export_has_the_beam_of_its_making(ask, capsys):
    ask("--n-best", "5")
    assert len(capsys.readouterr().out.splitlines()) == 5
    with pytest.raises(UserError, match="--n-best 6: more than the 5"):
        ask("--n-best", "6")


def test_an_export_is_not_exported_again(exported, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export", str(exported)])
    with pytest.raises(UserError, match="already exported; give the run fold"):
        export.main()


def test_a_run_without_an_epoch_cannot_be_exported(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no epoch is finished yet"):
        export.export_run(tmp_path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
