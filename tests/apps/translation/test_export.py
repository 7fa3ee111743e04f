"""The exported SavedModel answers as the model it came from."""

import re

import numpy as np
import pytest
import tensorflow as tf

from apps.translation import data, evaluate, export, predict, predictor, text
from apps.translation.datasets import builtin
from apps.translation.predictor import Predictor
from common import export as common_export
from common import export_check
from common.errors import UserError
from common.training import runs
from tests.support import commands
from tests.support.translation import HARD_TEXTS, small

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow

SENTENCES = [
    *["We see the small black cats.", "Bruno sings.", "", "quark"],
    *[english for english, _ in builtin.generate("test", 3, seed=5)],
]
STATE = {"attended", "weights", "hidden_0", "cell_0"}
MEMORY = {"values", "keys", "mask"}


@pytest.fixture(scope="module")
def predictors(run_predictor, export_predictor):
    return run_predictor, export_predictor


@pytest.fixture(scope="module")
def translator(run):
    return runs.load_model(run)


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
    outputs["explain"] = (
        outputs["serving_default"]
        | outputs["n_best"]
        | {
            "source_tokens": ("string", [None, None]),
            "target_tokens": ("string", [None, None]),
            "weights": ("float32", [None, None, None]),
        }
    )
    for name, expected in outputs.items():
        signature = signatures[name]
        inputs = signature.structured_input_signature[1]
        assert shapes(inputs) == {"text": ("string", [None])}
        assert shapes(signature.structured_outputs) == expected


@pytest.mark.parametrize("size", [0, 1, 7])
def test_both_signatures_answer_as_the_model(signatures, predictors, size):
    texts = tf.constant(encoded(SENTENCES[:size]), tf.string)
    translations, scores = predictors[0].predict_fn(texts)
    n_best = signatures["n_best"](text=texts)
    assert n_best["translations"].shape == (size, 5)
    np.testing.assert_array_equal(n_best["translations"], translations)
    np.testing.assert_allclose(n_best["scores"], scores, rtol=1e-5)
    best = signatures["serving_default"](text=texts)
    np.testing.assert_array_equal(best["translation"], translations[:, 0])
    np.testing.assert_allclose(best["score"], scores[:, 0], rtol=1e-5)
    if size > 1:
        assert len(set(best["translation"].numpy())) > 3


def test_it_answers_alike_where_keras_cannot_be_imported(
    exported, predictors, translator
):
    texts = encoded(HARD_TEXTS.values())
    translations, scores = predictors[0].predict_fn(tf.constant(texts))
    best = {
        "translation": translations.numpy()[:, 0],
        "score": scores.numpy()[:, 0],
    }
    ids = np.array([[4, 5, 1, 3], [6, 3, 0, 0]], np.int32)
    tensors = export.pack(*translator.network.encode(tf.constant(ids)))
    tensors = {name: value.numpy() for name, value in tensors.items()}
    common_export.check(
        exported,
        [
            common_export.Case({"text": texts}, best),
            common_export.Case({"ids": ids}, tensors, "encode"),
        ],
    )


def test_a_row_does_not_depend_on_its_company(predictors):
    for one in predictors:
        texts = ["quark sees.", "We see the cats. " * 20]
        ((alone, *_),) = one.predict_n_best(texts[:1])
        translations, scores = one.predict_fn(tf.constant(texts))
        assert alone.text.encode() == translations[0, 0]
        assert alone.score == pytest.approx(float(scores[0, 0]), abs=1e-5)


def test_bytes_that_are_no_text_get_an_answer(predictors):
    texts = tf.constant([b"We see \xff\xfe cats", b"\x80"])
    (translations, scores), (others, other_scores) = (
        one.predict_fn(texts) for one in predictors
    )
    np.testing.assert_array_equal(translations, others)
    np.testing.assert_allclose(scores, other_scores, rtol=1e-5)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_explanations_are_those_of_the_model(signatures, translator, size):
    texts = tf.constant(encoded(SENTENCES[:size]), tf.string)
    answers = dict(signatures["explain"](text=texts))
    expected = translator.explain(texts)._asdict()
    for name in ("serving_default", "n_best"):
        for key, value in signatures[name](text=texts).items():
            np.testing.assert_array_equal(answers[key], value)
    for name, value in expected.items():
        assert answers[name].shape == value.shape
        if value.dtype == tf.string:
            np.testing.assert_array_equal(answers[name], value)
        else:
            np.testing.assert_allclose(answers[name], value, atol=1e-5)


def test_long_requests_are_not_explained(signatures):
    texts = tf.constant(["We see the cats. " * 240] * 33)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="most 131,072 row"
    ):
        signatures["explain"](text=texts)


def test_run_and_export_have_the_same_scores(predictors):
    pairs = list(data.open_splits(predictors[0].config)["valid"])
    scores = [
        evaluate.score(evaluate.predict_split(one, pairs)) for one in predictors
    ]
    assert scores[0]["examples"] == 30
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


# Step by step


def test_the_step_signatures_are_the_contract(signatures):
    units = 24
    encode, step = signatures["encode"], signatures["decode_step"]
    per_unit, per_place = ["values", "keys"], ["mask", "weights"]
    inputs = shapes(step.structured_input_signature[1])
    assert inputs.pop("ids") == ("int32", [None])
    assert inputs == shapes(encode.structured_outputs)
    assert inputs.keys() == MEMORY | STATE
    assert [inputs[name][1] for name in per_unit] == [[None, None, units]] * 2
    assert [inputs[name][1] for name in per_place] == [[None, None]] * 2
    assert inputs["mask"][0] == "bool"
    after = shapes(step.structured_outputs)
    logits = after.pop("logits")
    assert logits[0] == "float32"
    assert after == {name: inputs[name] for name in STATE}
    inputs = shapes(encode.structured_input_signature[1])
    assert inputs == {"ids": ("int32", [None, None])}


def test_every_tensor_has_a_batch_axis(signatures):
    text_signatures = ["serving_default", "n_best", "explain"]
    for name in (*text_signatures, "encode", "decode_step"):
        signature = signatures[name]
        inputs = signature.structured_input_signature[1]
        for spec in [*inputs.values(), *signature.structured_outputs.values()]:
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
    translations = [""] * len(texts)
    last = np.full(len(texts), 2, np.int32)
    for t in range(2 * ids.shape[1] + 10):
        after = dict(signatures["decode_step"](ids=tf.constant(last), **state))
        best = after.pop("logits").numpy().argmax(axis=1).astype(np.int32)
        weights = after["weights"].numpy()
        state |= after
        for row, tokens in enumerate(words):
            if last[row] == 3 or t == 2 * (len(tokens) + 1) + 10:
                best[row] = 3
            copied = tokens[weights[row, : len(tokens)].argmax()]
            token = copied if best[row] == 1 else target[best[row]]
            translations[row] += token
        last = best
    return [translation.removeprefix(" ") for translation in translations]


def test_a_greedy_loop_of_ones_own_translates_alike(
    exported, signatures, translator
):
    texts = [sentence for sentence in SENTENCES if sentence]
    expected = Predictor.from_model(translator, beam=1).translate(texts)
    assert greedy(exported, signatures, texts) == expected
    assert len(set(expected)) > 3


def test_states_of_several_layers_are_kept_apart():
    network = small(num_layers=3).network
    memory, state = network.encode(tf.constant([[4, 5, 3], [5, 3, 0]]))
    tensors = export.pack(memory, state)
    assert len(tensors) == 5 + 2 * 3
    # A SavedModel hands its outputs out in an order of its own.
    again = export.unpack(dict(sorted(tensors.items(), reverse=True)))
    for value, other in zip(
        tf.nest.flatten(again), tf.nest.flatten((memory, state)), strict=True
    ):
        assert value is other


# The folder


def test_the_graph_holds_the_loop_and_no_kernel_of_one_machine(exported):
    kinds = export_check.operations(exported)
    assert "While" in kinds or "StatelessWhile" in kinds
    assert not [name for name in kinds if "Cudnn" in name or "PyFunc" in name]


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


# What an export cannot do


def test_flags_that_need_the_run(
    exported, export_predictor, monkeypatch, tmp_path
):
    # Before it is loaded, where the flag alone says so.
    monkeypatch.setattr(
        predictor.Predictor, "from_export", lambda folder: export_predictor
    )
    for flag, *value in (
        *[("--sample",), ("--beam", "3")],
        ("--attention-plot", "x.png"),
    ):
        error = commands.error_line(
            "apps.translation.predict",
            *[exported, flag, *value, "We"],
            folder=tmp_path,
        )
        assert (
            f"{flag} needs the run folder: an export answers with the beam"
        ) in error
    assert list(tmp_path.iterdir()) == []


def test_n_best_of_an_export_has_the_beam_of_its_making(
    exported, export_predictor, monkeypatch, tmp_path
):
    monkeypatch.setattr(predict, "load", lambda *args: export_predictor)
    command = "apps.translation.predict", exported, "We", "--n-best"
    done = commands.run_command(*command, 5, folder=tmp_path)
    assert len(done.stdout.splitlines()) == 5
    error = commands.error_line(*command, 6, folder=tmp_path)
    assert "--n-best 6: more than the 5" in error


def test_a_run_without_an_epoch_cannot_be_exported(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no epoch is finished yet"):
        export.export_run(tmp_path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
