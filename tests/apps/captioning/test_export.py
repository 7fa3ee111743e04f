"""The exported SavedModel answers as the model it came from."""

import dataclasses
import functools
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import (
    export,
    features,
    predict,
    predictor,
)
from apps.captioning.datasets import builtin
from apps.captioning.datasets.builtin import (
    __main__ as builtin_folder,
)
from common import export as common_export
from common.data import feature_files
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import images
from common.training import runs
from tests.apps.captioning.test_predict import (
    TINY,
    features_run,
    make_talkative,
    quickly,
    smoke_run,
)
from tests.support.images import (
    ANIMATED_GIF,
    CMYK_JPEG,
    JPEG,
    PNG,
    bmp,
)

SCENES = [scene.png for scene in builtin.generate("test", 8, seed=5)]
BROKEN = [b"", b"these are words", JPEG[:-200], PNG[:60], JPEG[:3], b"BM"]
OUTPUTS = {"caption": ("string", [None]), "score": ("float32", [None])}


def export_unchecked(run, to):
    """Exports; what it would check in another process is checked below."""
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_export, "check", lambda *given: checked.append(given)
        )
        folder = export.export_run(run, to)
    assert len(checked) == 1
    return folder


def write_weights(path, pictures):
    """A file of weights of MobileNetV2, which tells pictures apart.

    Drawn by chance, it gives all pictures nearly the same features, until its
    statistics are those of pictures.
    """
    base = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    preprocess = keras.applications.mobilenet_v2.preprocess_input
    base(preprocess(pictures), training=True)
    base.save_weights(path)


@functools.cache
def mobile_run(folder):
    """A run on features of an encoder that is known, with that encoder."""
    builtin_folder.write(folder / "scenes", 12, seed=0)
    files = features.find_pictures(folder / "scenes")
    contents = tf.constant([path.read_bytes() for path in files.values()])
    weights = folder / "mobile.weights.h5"
    keras.utils.set_random_seed(0)
    reading = images.decode_batch(contents, 32)[0].numpy()
    write_weights(weights, reading)
    config = dataclasses.replace(
        TINY,
        data=str(folder / "scenes"),
        decoder="initial_state",
        encoder="MobileNetV2",
        encoder_weights=str(weights),
    )
    given = features.compute(files, config, folder / "mobile.npz", Skipped())
    every = tf.constant(given.take(np.arange(len(files))))
    config = dataclasses.replace(
        config,
        features=str(folder / "mobile.npz"),
        run_dir=str(folder / "run"),
    )
    return make_talkative(quickly(config), lambda model: every)


@pytest.fixture(scope="module")
def of_pictures(tmp_path_factory):
    return smoke_run(tmp_path_factory.getbasetemp() / "captioning")


@pytest.fixture(scope="module")
def of_features(tmp_path_factory):
    return features_run(tmp_path_factory.getbasetemp() / "of-features")


@pytest.fixture(scope="module")
def of_both(tmp_path_factory):
    return mobile_run(tmp_path_factory.getbasetemp() / "of-both")


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def pictures_export(of_pictures, exports):
    return export_unchecked(of_pictures, exports / "pictures")


@pytest.fixture(scope="module")
def features_export(of_features, exports):
    return export_unchecked(of_features, exports / "features")


@pytest.fixture(scope="module")
def both_export(of_both, exports):
    """Checked in a process without Keras, as any export is."""
    return export.export_run(of_both, exports / "both")


@functools.cache
def opened(folder):
    """The predictor of a run or an export, once."""
    return predictor.load(str(folder))


@pytest.fixture
def say(monkeypatch, capsys):
    """Predicts as the command line does; returns the lines printed."""

    def load_once(path, beam):
        return predictor.load(path, beam) if beam else opened(Path(path))

    def say(*args):
        monkeypatch.setattr("sys.argv", ["predict", *map(str, args)])
        monkeypatch.setattr(predict, "load", load_once)
        predict.main()
        return capsys.readouterr().out.splitlines()

    return say


def signatures_of(folder):
    loaded = tf.saved_model.load(str(folder))
    # The signatures alone do not keep the variables.
    return {"loaded": loaded} | dict(loaded.signatures)


@pytest.fixture(scope="module")
def answers_of_pictures(pictures_export):
    return signatures_of(pictures_export)


@pytest.fixture(scope="module")
def answers_of_features(features_export):
    return signatures_of(features_export)


@pytest.fixture(scope="module")
def answers_of_both(both_export):
    return signatures_of(both_export)


def shapes(specs):
    return {
        name: (spec.dtype.name, spec.shape.as_list())
        for name, spec in specs.items()
    }


def asked(signature, contents):
    found = signature(image_bytes=tf.constant(contents, tf.string))
    return found["caption"].numpy().tolist(), found["score"].numpy()


def some_features(rows, shape):
    rng = np.random.default_rng(rows)
    return tf.constant(rng.normal(size=[rows, *shape]), tf.float32)


# Pictures


def test_a_model_of_pictures_has_one_signature(answers_of_pictures):
    assert answers_of_pictures.keys() == {"loaded", "serving_default"}
    signature = answers_of_pictures["serving_default"]
    inputs = signature.structured_input_signature[1]
    assert shapes(inputs) == {"image_bytes": ("string", [None])}
    assert shapes(signature.structured_outputs) == OUTPUTS


@pytest.mark.parametrize("size", [0, 1, 8])
def test_it_answers_as_the_run(answers_of_pictures, of_pictures, size):
    contents = tf.constant(SCENES[:size], tf.string)
    expected = opened(of_pictures).of_content(contents)
    captions, scores = asked(answers_of_pictures["serving_default"], contents)
    assert captions == expected[0].numpy()[:, 0].tolist()
    assert scores.shape == (size,)
    np.testing.assert_allclose(scores, expected[1][:, 0], rtol=1e-5)
    if size > 1:
        assert len(set(captions)) > 2


def test_what_is_no_picture_changes_no_other_row(answers_of_pictures):
    signature = answers_of_pictures["serving_default"]
    good = [*SCENES[:2], ANIMATED_GIF, CMYK_JPEG, bmp(np.ones([2, 3, 3], "u1"))]
    expected, expected_scores = asked(signature, good)
    mixed = [x for pair in zip(BROKEN, [*good, b""], strict=True) for x in pair]
    captions, scores = asked(signature, mixed)
    assert captions[1:-1:2] == expected
    np.testing.assert_allclose(scores[1:-1:2], expected_scores, rtol=1e-5)
    assert np.all(scores[1:-1:2] < -0.01)
    assert captions[::2] == [b""] * len(BROKEN)
    assert scores[::2].tolist() == [0] * len(BROKEN)


@pytest.mark.parametrize("contents", [BROKEN, BROKEN[:1]])
def test_nothing_but_broken_rows(answers_of_pictures, contents):
    captions, scores = asked(answers_of_pictures["serving_default"], contents)
    assert captions == [b""] * len(contents)
    assert scores.tolist() == [0] * len(contents)


def test_pictures_of_all_kinds_are_asked_before_it_is_called_good():
    made = export.pictures(7, 32)
    assert len(made) == len(set(made)) == 7
    problems = [images.decode_error(x) for x in made]
    assert problems == [None, "empty file", "not a picture", *[None] * 4]
    assert export.pictures(0, 32) == []
    assert export.pictures(1, 32) == made[:1]


# Features


def test_a_model_of_features_has_them_under_both_names(answers_of_features):
    names = {"loaded", "serving_default", "features"}
    assert answers_of_features.keys() == names
    given = some_features(5, (4, 6))
    found = []
    for name in ("serving_default", "features"):
        signature = answers_of_features[name]
        inputs = signature.structured_input_signature[1]
        assert shapes(inputs) == {"features": ("float32", [None, 4, 6])}
        assert shapes(signature.structured_outputs) == OUTPUTS
        found.append(signature(features=given))
    for name in OUTPUTS:
        np.testing.assert_array_equal(found[0][name], found[1][name])
    assert len(set(found[0]["caption"].numpy())) > 2


@pytest.mark.parametrize("size", [0, 1, 9])
def test_features_are_answered_as_by_the_run(
    answers_of_features, of_features, size
):
    given = some_features(size, (4, 6))
    captions, scores = opened(of_features).of_encoded(given)
    found = answers_of_features["serving_default"](features=given)
    np.testing.assert_array_equal(found["caption"], captions[:, 0])
    np.testing.assert_allclose(found["score"], scores[:, 0], rtol=1e-5)


def test_an_export_of_features_predicts_names(
    features_export, of_features, say
):
    names = [f"valid-{number:05}.png" for number in range(8)]
    lines = say(features_export, *names)
    assert lines == say(of_features, *names)
    assert len(set(lines)) > 2


# Both


def test_a_model_of_a_known_encoder_takes_pictures_and_features(
    answers_of_both,
):
    assert answers_of_both.keys() == {"loaded", "serving_default", "features"}
    for name, inputs in (
        ("serving_default", {"image_bytes": ("string", [None])}),
        ("features", {"features": ("float32", [None, 1, 1280])}),
    ):
        signature = answers_of_both[name]
        assert shapes(signature.structured_input_signature[1]) == inputs
        assert shapes(signature.structured_outputs) == OUTPUTS


def test_pictures_and_their_features_have_the_same_captions(
    answers_of_both, of_both
):
    model = opened(of_both).model
    pixels, _ = model.pixels(tf.constant(SCENES))
    encoded = tf.function(lambda x: model.network.features(x))(pixels)
    captions, scores = asked(answers_of_both["serving_default"], SCENES)
    found = answers_of_both["features"](features=encoded)
    assert captions == found["caption"].numpy().tolist()
    np.testing.assert_allclose(found["score"], scores, rtol=2e-3)
    assert len(set(captions)) > 2


def test_the_file_of_features_tells_what_the_pictures_do(
    answers_of_both, of_both
):
    given = feature_files.load(of_both.parent / "mobile.npz")
    names = ["test-00001.png", "valid-00007.png", "train-00003.png"]
    folder = of_both.parent / "scenes" / "images"
    contents = [(folder / name).read_bytes() for name in names]
    values = given.take(np.array([given.rows[name] for name in names]))
    # As accurate as halves are.
    model = opened(of_both).model
    pixels, _ = model.pixels(tf.constant(contents))
    encoded = tf.function(lambda x: model.network.features(x))(pixels)
    np.testing.assert_allclose(values, encoded, rtol=2e-3, atol=2e-3)
    found = answers_of_both["features"](features=tf.constant(values))
    captions, scores = asked(answers_of_both["serving_default"], contents)
    assert found["caption"].numpy().tolist() == captions
    np.testing.assert_allclose(found["score"], scores, rtol=0.02)


@pytest.mark.parametrize("size", [0, 1, 8])
def test_batches_of_any_size(answers_of_both, of_both, size):
    model = opened(of_both)
    contents = tf.constant(SCENES[:size], tf.string)
    captions, scores = asked(answers_of_both["serving_default"], contents)
    expected = model.of_content(contents)
    assert captions == expected[0].numpy()[:, 0].tolist()
    np.testing.assert_allclose(scores, expected[1][:, 0], rtol=1e-5)
    encoded = some_features(size, model.shape)
    found = answers_of_both["features"](features=encoded)
    expected = model.of_encoded(encoded)
    np.testing.assert_array_equal(found["caption"], expected[0][:, 0])
    np.testing.assert_allclose(found["score"], expected[1][:, 0], rtol=1e-5)


def test_the_file_of_weights_is_not_needed_to_answer(of_both, tmp_path):
    """The model has them; only training and features files ask for it."""
    weights = Path(runs.read_json(of_both / "config.json")["encoder_weights"])
    moved = weights.rename(tmp_path / "moved.h5")
    try:
        model = predictor.load(str(of_both))
        (found,) = model.of_pictures(SCENES[:1])
    finally:
        moved.rename(weights)
    assert found == opened(of_both).of_pictures(SCENES[:1])[0]


def test_nor_to_answer_to_features(of_both, tmp_path):
    weights = Path(runs.read_json(of_both / "config.json")["encoder_weights"])
    model = opened(of_both)
    moved = weights.rename(tmp_path / "moved.h5")
    try:
        given = model.open_features(model.config.features)
    finally:
        moved.rename(weights)
    assert (given.regions, given.dim) == (1, 1280)


def test_an_export_answers_to_pictures_and_names(both_export, of_both, say):
    folder = of_both.parent / "scenes" / "images"
    names = [f"test-{number:05}.png" for number in range(8)]
    for given in (
        [folder / name for name in names],
        ["--features", of_both.parent / "mobile.npz", *names],
    ):
        lines = say(both_export, *given)
        assert lines == say(of_both, *given)
        assert len(set(lines)) > 2


# The folder


@pytest.fixture(scope="module")
def folders(
    of_pictures,
    pictures_export,
    of_features,
    features_export,
    of_both,
    both_export,
):
    return {
        "pictures": (of_pictures, pictures_export),
        "features": (of_features, features_export),
        "both": (of_both, both_export),
    }


KINDS = ("pictures", "features", "both")


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_and_options_lie_beside_the_model(folders, kind):
    run, folder = folders[kind]
    for name in ("config.json", "data.json", "vocabulary.txt"):
        assert (folder / name).read_bytes() == (run / name).read_bytes()
    assert folder.name == "1"
    names = {path.name for path in folder.parent.parent.iterdir()}
    assert names == {"captioning"}
    found = common_export.operations(folder)
    assert not [name for name in found if "Cudnn" in name or "PyFunc" in name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_says_what_goes_in(folders, kind):
    run, folder = folders[kind]
    card = (folder / "MODEL_CARD.md").read_text()
    assert card.startswith("# Captioner\n\n- Input `")
    config = runs.read_json(run / "config.json")
    assert f"Trained on `{config['data']}`; validation CIDEr 0." in card
    assert re.search(r"BLEU-4\s+\d+\.\d\d \(greedy\), after epoch 1\.", card)
    assert ("`image_bytes`: string[batch]" in card) == (kind != "features")
    shape = {"features": "4, 6", "both": "1, 1280"}.get(kind)
    assert ("`features`: float32[batch, " in card) == (shape is not None)
    if shape:
        assert f"`features`: float32[batch, {shape}]" in card
    made_by = f"of the encoder that made `{config['features']}`"
    assert (made_by in card) == (kind == "features")


@pytest.mark.parametrize("kind", KINDS)
def test_the_warm_up_requests_are_of_the_default(folders, kind):
    from tensorflow_serving.apis import prediction_log_pb2

    path = folders[kind][1] / "assets.extra" / "tf_serving_warmup_requests"
    sizes = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        inputs = log.predict_log.request.inputs
        (name,) = inputs
        assert name == ("features" if kind == "features" else "image_bytes")
        sizes.append(inputs[name].tensor_shape.dim[0].size)
    assert sizes == list(export.BATCHES)


# What an export cannot do


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sample"], "--sample needs the run folder: an export answers with"),
        (["--attention-plot", "x.png"], "--attention-plot needs the run fold"),
        (["--beam", "3"], "--beam needs the run folder"),
        (["--n-best", "2"], "--n-best 2: more than the 1 that are found; use"),
        (["--features", "f.npz"], "answers to pictures only"),
    ],
)
def test_flags_that_need_the_run(pictures_export, say, flags, message):
    with pytest.raises(UserError, match=message):
        say(pictures_export, "x.png", *flags)


def test_an_export_is_not_exported_again(pictures_export, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export", str(pictures_export)])
    with pytest.raises(UserError, match="already exported; give the run fold"):
        export.main()


def test_a_run_without_an_epoch_cannot_be_exported(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no epoch is finished yet"):
        export.export_run(tmp_path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()


def test_an_export_that_fails_leaves_nothing_behind(
    of_pictures, tmp_path, monkeypatch
):
    def fail(folder, expected):
        assert (folder / "saved_model.pb").exists()
        assert len(expected) == len(export.BATCHES)
        raise UserError("answers differ")

    monkeypatch.setattr(common_export, "check", fail)
    with pytest.raises(UserError, match="answers differ"):
        export.export_run(of_pictures, tmp_path / "exports")
    assert list(tmp_path.rglob("*")) == [tmp_path / "exports"]
