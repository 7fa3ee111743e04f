"""The exported SavedModel answers as the model it came from."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import export, pipeline
from common import export as common_export
from common import export_check
from common.data import feature_files, json_files
from common.media import images
from tests.support.captioning import TINY, open_predictor, scene_contents
from tests.support.images import (
    ANIMATED_GIF,
    CMYK_JPEG,
    JPEG,
    PNG,
    bmp,
)

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow

SCENES = scene_contents()[:8]
BROKEN = [b"", b"these are words", JPEG[:-200], PNG[:60], JPEG[:3], b"BM"]
OUTPUTS = {"caption": ("string", [None]), "score": ("float32", [None])}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def pictures_export(pictures_run, exports):
    """Checked in a process without Keras, as any export is."""
    return export.export_run(pictures_run, exports / "pictures")


@pytest.fixture(scope="module")
def features_export(features_run, exports):
    """An export whose answers are checked below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common_export, "check", lambda *args: None)
        return export.export_run(features_run, exports / "features")


def load_signatures(folder):
    loaded = tf.saved_model.load(str(folder))
    # The signatures alone do not keep the variables.
    return {"loaded": loaded} | dict(loaded.signatures)


@pytest.fixture(scope="module")
def of_pictures(pictures_export):
    return load_signatures(pictures_export)


@pytest.fixture(scope="module")
def of_features(features_export):
    return load_signatures(features_export)


def shapes(specs):
    return {
        name: (spec.dtype.name, spec.shape.as_list())
        for name, spec in specs.items()
    }


def assert_shapes(signature, **inputs):
    assert shapes(signature.structured_input_signature[1]) == inputs
    assert shapes(signature.structured_outputs) == OUTPUTS


def caption(signature, contents):
    outputs = signature(image_bytes=tf.constant(contents, tf.string))
    return outputs["caption"].numpy().tolist(), outputs["score"].numpy()


def make_features(rows, shape):
    rng = np.random.default_rng(rows)
    return tf.constant(rng.normal(size=[rows, *shape]), tf.float32)


# Signatures


def test_a_model_of_features_has_them_under_both_names(of_features):
    assert of_features.keys() == {"loaded", "serving_default", "features"}
    features = make_features(5, (4, 6))
    answers = []
    for name in ("serving_default", "features"):
        assert_shapes(of_features[name], features=("float32", [None, 4, 6]))
        answers.append(of_features[name](features=features))
    for name in OUTPUTS:
        np.testing.assert_array_equal(answers[0][name], answers[1][name])
    assert len(set(answers[0]["caption"].numpy())) > 2


def test_a_model_of_a_known_encoder_takes_pictures_and_features(of_pictures):
    names = {"serving_default", "features", "explain"}
    assert of_pictures.keys() == {"loaded", *names}
    default = of_pictures["serving_default"]
    assert_shapes(default, image_bytes=("string", [None]))
    regions = of_pictures["features"]
    assert_shapes(regions, features=("float32", [None, 4, 128]))
    explain = of_pictures["explain"]
    inputs = shapes(explain.structured_input_signature[1])
    assert inputs == {"image_bytes": ("string", [None])}
    assert shapes(explain.structured_outputs) == OUTPUTS | {
        "words": ("string", [None, None]),
        "weights": ("float32", [None, None, 2, 2]),
    }


def test_a_model_of_pictures_alone_has_one_signature():
    captioner = pipeline.build(TINY, ["a"])
    signatures = export.choose_signatures(captioner)
    assert signatures == {"serving_default": "image_bytes"}
    assert captioner.has_attention
    config = dataclasses.replace(TINY, decoder="first_input")
    assert not pipeline.build(config, ["a"]).has_attention
    assert not pipeline.build(TINY, ["a"], (4, 6)).has_attention


# Answers


def test_pictures_are_answered_as_by_the_run(of_pictures, loaded):
    for size in (0, 1, 8):
        contents = tf.constant(SCENES[:size], tf.string)
        expected = loaded.predict_fns["image_bytes"](contents)
        captions, scores = caption(of_pictures["serving_default"], contents)
        assert captions == expected[0].numpy()[:, 0].tolist()
        assert scores.shape == (size,)
        np.testing.assert_allclose(scores, expected[1][:, 0], rtol=1e-5)
    assert len(set(captions)) > 2


def test_explanations_are_the_answers_and_where_words_looked(
    of_pictures, loaded
):
    contents = [SCENES[0], b"", *SCENES[1:4], BROKEN[2]]
    captions, scores = caption(of_pictures["serving_default"], contents)
    answers = of_pictures["explain"](image_bytes=tf.constant(contents))
    assert answers["caption"].numpy().tolist() == captions
    np.testing.assert_allclose(answers["score"], scores, rtol=1e-5)
    for row, content in enumerate(contents):
        words = [x.decode() for x in answers["words"][row].numpy() if x]
        weights = answers["weights"][row].numpy()
        assert not weights[len(words) :].any()
        if not scores[row]:
            assert words == []
            continue
        pixels, _ = loaded.model.decode_pictures(tf.constant([content]))
        maps = loaded.model.attention_maps(pixels)
        assert [*words, "</s>"] == maps.words
        np.testing.assert_allclose(
            weights[: len(words)].reshape(-1, 4), maps.weights[:-1], atol=1e-5
        )
    for contents in ([], [b""]):
        answers = of_pictures["explain"](
            image_bytes=tf.constant(contents, tf.string)
        )
        assert answers["words"].shape == (len(contents), 1)
        assert answers["weights"].shape == (len(contents), 1, 2, 2)


def test_features_are_answered_as_by_the_run(
    of_features, features_run, of_pictures, loaded
):
    for signatures, predictor in (
        (of_features, open_predictor(str(features_run))),
        (of_pictures, loaded),
    ):
        for size in (0, 1, 9):
            features = make_features(size, predictor.feature_shape)
            expected = predictor.predict_fns["features"](features)
            outputs = signatures["features"](features=features)
            np.testing.assert_array_equal(outputs["caption"], expected[0][:, 0])
            np.testing.assert_allclose(
                outputs["score"], expected[1][:, 0], rtol=1e-5
            )


def test_pictures_and_their_features_have_the_same_captions(
    of_pictures, loaded
):
    captions, scores = caption(of_pictures["serving_default"], SCENES)
    pixels, _ = loaded.model.decode_pictures(tf.constant(SCENES))
    features = loaded.model.network.extract_features(pixels)
    outputs = of_pictures["features"](features=features)
    assert captions == outputs["caption"].numpy().tolist()
    np.testing.assert_allclose(outputs["score"], scores, rtol=2e-3)
    # Those of a file too.
    stored = feature_files.load(Path(loaded.config.features))
    names = ["test-00001.png", "valid-00007.png", "train-00003.png"]
    folder = Path(loaded.config.data) / "images"
    contents = [(folder / name).read_bytes() for name in names]
    values = stored.take(np.array([stored.rows[name] for name in names]))
    captions, _ = caption(of_pictures["serving_default"], contents)
    outputs = of_pictures["features"](features=tf.constant(values))
    assert captions == outputs["caption"].numpy().tolist()


def test_features_that_are_not_finite(of_features):
    values = make_features(3, (4, 6)).numpy()
    values[2, 1, 0] = np.nan
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"expected finite .*\[\[2 1\]\]"
    ):
        of_features["features"](features=tf.constant(values))


def test_what_is_no_picture_costs_no_time_of_the_network(loaded, monkeypatch):
    sizes = []
    encode = type(loaded.model.network).encode

    def count(self, images, *args):
        sizes.append(len(images))
        return encode(self, images, *args)

    monkeypatch.setattr(type(loaded.model.network), "encode", count)
    expected = loaded.model(tf.constant(SCENES[:2]), beam=2)
    contents = [b"", SCENES[0], *BROKEN, SCENES[1], b""]
    captions, scores = loaded.model(tf.constant(contents), beam=2)
    assert sizes == [2, 2]
    rows = [1, len(contents) - 2]
    np.testing.assert_array_equal(captions.numpy()[rows], expected[0])
    np.testing.assert_array_equal(scores.numpy()[rows], expected[1])
    assert np.count_nonzero(scores) == 4
    captions, _ = loaded.model(tf.constant(BROKEN), beam=2)
    assert captions.numpy().tolist() == len(BROKEN) * [[b"", b""]]


def test_what_is_no_picture_changes_no_other_row(of_pictures):
    signature = of_pictures["serving_default"]
    good = [*SCENES[:2], ANIMATED_GIF, CMYK_JPEG, bmp(np.ones([2, 3, 3], "u1"))]
    expected, expected_scores = caption(signature, good)
    mixed = [x for pair in zip(BROKEN, [*good, b""], strict=True) for x in pair]
    captions, scores = caption(signature, mixed)
    assert captions[1:-1:2] == expected
    np.testing.assert_allclose(scores[1:-1:2], expected_scores, rtol=1e-5)
    assert np.all(scores[1:-1:2] < -0.01)
    assert captions[::2] == [b""] * len(BROKEN)
    assert scores[::2].tolist() == [0] * len(BROKEN)
    for contents in (BROKEN, BROKEN[:1]):
        captions, scores = caption(signature, contents)
        assert captions == [b""] * len(contents)
        assert scores.tolist() == [0] * len(contents)


def test_an_export_predicts_as_the_run(
    ask, pictures_export, pictures_run, features_export, features_run
):
    scenes = pictures_run.parent / "scenes" / "images"
    names = [f"test-{number:05}.png" for number in range(8)]
    grid = pictures_run.parent / "grid.npz"
    for exported, run, inputs in (
        (pictures_export, pictures_run, [scenes / name for name in names]),
        (pictures_export, pictures_run, ["--features", grid, *names]),
        (features_export, features_run, names),
    ):
        lines, _ = ask(exported, *inputs)
        assert lines == ask(run, *inputs)[0]
        assert len(set(lines)) > 2


def test_pictures_of_all_kinds_are_asked_before_it_is_called_good():
    made = export.make_pictures(32)
    assert len(made) == len(set(made)) == max(export.BATCHES) == 7
    problems = [images.decode_error(x) for x in made]
    text = "text, not a picture"
    assert problems == [None, "empty file", text, *[None] * 4]


# The folder


@pytest.fixture(scope="module")
def folders(pictures_run, pictures_export, features_run, features_export):
    return [(pictures_run, pictures_export), (features_run, features_export)]


def test_vocabulary_and_options_lie_beside_the_model(folders):
    for run, folder in folders:
        for name in ("config.json", "data.json", "vocabulary.txt"):
            assert (folder / name).read_bytes() == (run / name).read_bytes()
        assert folder.name == "1"
        names = {path.name for path in folder.parent.parent.iterdir()}
        assert names == {"run", "models.config", "batching_parameters.txt"}
        kinds = export_check.operations(folder)
        assert not [x for x in kinds if "Cudnn" in x or "PyFunc" in x]


def test_the_card_says_what_goes_in(folders):
    for run, folder in folders:
        card = (folder / "MODEL_CARD.md").read_text()
        assert card.startswith("# Captioner\n\n- Input `")
        config = json_files.read(run / "config.json")
        assert f"Trained on `{config['data']}`; validation CIDEr 0." in card
        assert re.search(r"BLEU-4\s+10.00 \(greedy\), after epoch 1\.", card)
        takes_pictures = folder == folders[0][1]
        assert ("`image_bytes`: string[batch]" in card) == takes_pictures
        shape = "4, 128" if takes_pictures else "4, 6"
        assert f"`features`: float32[batch, {shape}]" in card
        made_by = f"of the encoder that made `{config['features']}`"
        assert (made_by in card) != takes_pictures


def test_the_card_of_pictures_alone(pictures_run):
    card = export.make_card(pictures_run, pipeline.build(TINY, ["a"]))
    assert "`image_bytes`: string[batch]" in card
    assert "`features`" not in card


def test_the_warm_up_requests_are_of_the_default(folders):
    from tensorflow_serving.apis import prediction_log_pb2

    for (_, folder), expected in zip(
        folders, ("image_bytes", "features"), strict=True
    ):
        path = folder / "assets.extra" / "tf_serving_warmup_requests"
        sizes = []
        for record in tf.data.TFRecordDataset(str(path)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            inputs = log.predict_log.request.inputs
            assert list(inputs) == [expected]
            sizes.append(inputs[expected].tensor_shape.dim[0].size)
        assert sizes == [1, 8]


# What an export cannot do


FLAGS = [
    (["--sample"], "--sample needs the run folder: an export answers with"),
    (["--attention-plot", "x.png"], "--attention-plot needs the run folder"),
    (["--beam", "3"], "--beam needs the run folder"),
    (["--n-best", "2"], "--n-best 2: more than the 1 that are found; use"),
]


def test_flags_that_need_the_run(ask_error, pictures_export):
    for flags, message in FLAGS:
        error = ask_error(pictures_export, "x.png", *flags)
        assert error.startswith(f"error: {message}")
