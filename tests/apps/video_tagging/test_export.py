"""The exported SavedModel answers as the model it came from."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import (
    export,
    pipeline,
    predictor,
    signatures,
    states,
)
from apps.video_tagging.config import Config
from common import export as common_export
from common.errors import UserError
from common.training import runs
from tests.apps.video_tagging.test_predict import (
    features_of,
    features_run,
    frames_run,
    small_scenes,
)
from tests.support.recurrent import noise

LABELS = ["a", "b", "c"]
DIM = 3
# Of each kind the options, and whether it sees frames.
KINDS = {
    "features": ({"crf": True, "num_stages": 2}, False),
    "sets": ({"multi_label": True, "causal": True, "num_stages": 2}, False),
    "coarse": ({"stride": 3, "scale": "video"}, False),
    "one frame at a time": ({"num_layers": 0, "causal": True}, False),
    "frames": ({"image_size": 16, "causal": True}, True),
}


def make(kind):
    """A tagger that was not trained, whose tags change often."""
    options, sees_frames = KINDS[kind]
    keras.utils.set_random_seed(1)
    config = Config(units=5, **options)
    model = pipeline.build(config, LABELS, None if sees_frames else DIM)
    for number, stage in enumerate(model.network.stages):
        for weight in stage.trainable_variables:
            if len(weight.shape) == 2:
                weight.assign(2 * noise(*weight.shape, seed=number))
    if sees_frames:
        values = model.network.features(tf.constant(given(kind, 4, 7)))
        values = values.numpy().reshape([-1, model.dim])
        model.network.adapt(values.mean(0), values.std(0), np.ones(3))
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Models and what their SavedModels answer, by kind; each made once."""
    known = {}

    def make_once(kind):
        if kind not in known:
            model = make(kind)
            folder = tmp_path_factory.mktemp("export")
            export.build(model).write_out(str(folder), verbose=False)
            known[kind] = model, tf.saved_model.load(str(folder))
        return known[kind]

    return make_once


def given(kind, rows, time):
    rng = np.random.default_rng(rows)
    if KINDS[kind][1]:
        return rng.integers(0, 256, [rows, time, 16, 16, 3], np.uint8)
    return rng.normal(size=[rows, time, DIM]).astype(np.float32)


def named(kind, rows, time):
    name = "frames" if KINDS[kind][1] else "features"
    lengths = np.resize([time, 2, 3], rows).astype(np.int32)
    return {
        name: tf.constant(given(kind, rows, time)),
        "lengths": tf.constant(lengths),
    }


def specs(found):
    return {
        name: (spec.dtype.name, spec.shape.as_list())
        for name, spec in found.items()
    }


# Signatures


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_for_whole_videos(made, kind):
    model, loaded = made(kind)
    signature = loaded.signatures["serving_default"]
    frames = {"features": ("float32", [None, None, DIM])}
    if model.has_encoder:
        frames = {"frames": ("uint8", [None, None, 16, 16, 3])}
    inputs = signature.structured_input_signature[1]
    assert specs(inputs) == frames | {"lengths": ("int32", [None])}
    assert specs(signature.structured_outputs) == {
        "tags": ("string", [None, None]),
        "probabilities": ("float32", [None, None, 3]),
    }
    is_causal = model.config.causal
    expected = {"serving_default", *(["window", "step"] * is_causal)}
    assert set(loaded.signatures) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 4])
def test_batches_of_any_size(made, kind, rows):
    model, loaded = made(kind)
    inputs = named(kind, rows, 7)
    frames, lengths = inputs.values()
    answer = loaded.signatures["serving_default"](**inputs)
    assert answer["tags"].shape == (rows, 7)
    assert answer["probabilities"].shape == (rows, 7, 3)
    expected = model(frames, lengths)
    is_real = np.arange(7) < lengths.numpy()[:, None]
    np.testing.assert_allclose(
        answer["probabilities"].numpy()[is_real],
        expected.probabilities.numpy()[is_real],
        atol=1e-5,
    )
    names = model.names(expected, lengths)
    np.testing.assert_array_equal(answer["tags"], names)
    assert (answer["tags"].numpy()[~is_real] == b"").all()
    if rows > 1:
        assert len(set(names.numpy()[is_real])) > 1


def test_sets_are_joined_by_spaces(made):
    _, loaded = made("sets")
    answer = loaded.signatures["serving_default"](**named("sets", 4, 7))
    tags = answer["tags"].numpy().astype(str)
    probabilities = answer["probabilities"].numpy()
    for row, length in enumerate([7, 2, 3, 7]):
        for time in range(length):
            there = [
                label
                for label, value in zip(
                    LABELS, probabilities[row, time], strict=True
                )
                if value >= 0.5
            ]
            assert tags[row, time] == " ".join(there)
    assert any(" " in tag for tag in tags.ravel())


# Streams


def first_states(model, rows):
    return states.zeros(model.config, rows)


@pytest.mark.parametrize("kind", ["sets", "frames", "one frame at a time"])
def test_step_by_step_is_the_whole(made, kind):
    model, loaded = made(kind)
    frames = tf.constant(given(kind, 2, 6))
    argument = "frame" if model.has_encoder else "features"
    lengths = tf.constant([6, 6])
    whole_name = "frames" if model.has_encoder else "features"
    whole = loaded.signatures["serving_default"](
        **{whole_name: frames, "lengths": lengths}
    )
    step, after = loaded.signatures["step"], first_states(model, 2)
    inputs = step.structured_input_signature[1]
    assert set(inputs) == {argument, *states.names(model.config)}
    for time in range(6):
        answer = step(**{argument: frames[:, time]}, **after)
        np.testing.assert_array_equal(answer["tags"], whole["tags"][:, time])
        np.testing.assert_allclose(
            answer["probabilities"], whole["probabilities"][:, time], atol=1e-5
        )
        after = {name: answer[name] for name in after}


def test_windows_carry_states(made):
    model, loaded = made("sets")
    frames = tf.constant(given("sets", 2, 6))
    whole = loaded.signatures["serving_default"](
        features=frames, lengths=tf.constant([6, 6])
    )
    window, after = loaded.signatures["window"], first_states(model, 2)
    outputs = specs(window.structured_outputs)
    for name in states.names(model.config):
        assert outputs[name] == ("float32", [None, 5])
    for start, end in ((0, 4), (4, 6)):
        answer = window(
            features=frames[:, start:end],
            lengths=tf.fill([2], end - start),
            **after,
        )
        np.testing.assert_allclose(
            answer["probabilities"],
            whole["probabilities"][:, start:end],
            atol=1e-5,
        )
        after = {name: answer[name] for name in after}


def test_steps_of_no_streams(made):
    model, loaded = made("sets")
    answer = loaded.signatures["step"](
        features=tf.zeros([0, DIM]), **first_states(model, 0)
    )
    assert answer["tags"].shape == (0,)
    assert answer["probabilities"].shape == (0, 3)


def test_a_known_encoder_has_a_signature_of_its_features(monkeypatch):
    monkeypatch.setattr(signatures.encoders, "is_trained", lambda config: False)
    found = signatures.of(make("frames"))
    assert list(found) == ["serving_default", "features", "window", "step"]
    frames, lengths = found["features"].inputs
    assert (frames.name, lengths.name) == ("features", "lengths")
    assert frames.shape.as_list() == [None, None, 64]


# A whole export


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return frames_run(tmp_path_factory.getbasetemp() / "of-frames")


@pytest.fixture(scope="module")
def of_features(tmp_path_factory):
    return features_run(tmp_path_factory.getbasetemp() / "tags-of-features")


def export_unchecked(run, to):
    """Exports; what it would check in another process is checked here."""
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_export, "check", lambda *given: checked.append(given)
        )
        folder = export.export_run(run, to)
    ((_, cases),) = checked
    loaded = tf.saved_model.load(str(folder))
    for case in cases:
        answer = loaded.signatures[case.signature](
            **{name: tf.constant(x) for name, x in case.inputs.items()}
        )
        assert answer.keys() == case.outputs.keys()
        for name, expected in case.outputs.items():
            if expected.dtype == np.float32:
                np.testing.assert_allclose(answer[name], expected, atol=1e-5)
            else:
                np.testing.assert_array_equal(answer[name], expected)
    return folder, cases


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_unchecked(run, tmp_path_factory.mktemp("exports"))[0]


def test_the_export_is_checked_in_a_clean_process(of_features, tmp_path):
    folder = export.export_run(of_features, tmp_path)
    assert folder == tmp_path / "video_tagging" / "1"
    model = predictor.load(str(folder))
    assert (model.dim, model.sees_frames) == (DIM, False)
    before = predictor.load(str(of_features))
    values = np.load(features_of(of_features, "x1")).T
    for pieces in ([values], [values[:5], values[5:]]):
        found, expected = model.of_chunks(pieces), before.of_chunks(pieces)
        np.testing.assert_array_equal(found.tags, expected.tags)
        np.testing.assert_allclose(
            found.probabilities, expected.probabilities, atol=1e-5
        )
    assert len(set(expected.tags.tolist())) > 1


def test_an_export_of_frames_predicts_as_the_run(run, exported):
    model, before = predictor.load(str(exported)), predictor.load(str(run))
    assert (model.dim, model.sees_frames) == (None, True)
    assert model.labels == before.labels
    frames = small_scenes(2)
    whole = before.of_chunks([frames])
    for found in (model.of_chunks([frames]), model.live()(frames)):
        np.testing.assert_array_equal(found.tags, whole.tags)
        np.testing.assert_allclose(
            found.probabilities, whole.probabilities, atol=1e-5
        )
    tag = model.live()
    for time in range(5):
        one = tag(frames[time : time + 1])
        assert one.tags.tolist() == whole.tags[time : time + 1].tolist()


def test_labels_and_options_lie_beside_the_model(run, exported):
    for name in ("config.json", "data.json", "labels.txt"):
        assert (exported / name).read_bytes() == (run / name).read_bytes()
    found = common_export.operations(exported)
    assert not [x for x in found if "Cudnn" in x or "PyFunc" in x]


def test_the_card_says_what_goes_in_and_out(run, exported):
    card = " ".join((exported / "MODEL_CARD.md").read_text().split())
    for expected in (
        "`frames`: uint8[batch, time, 16, 16, 3], RGB, 0 to 255",
        "`lengths`: int32[batch]",
        "`probabilities` float32[batch, time, 10], in the order of `labels",
        "`stage_1_layer_1_hidden`, `stage_1_layer_1_cell`, float32[batch, 8]",
        "Trained on `builtin`; validation: accuracy ",
        "after epoch 1.",
    ):
        assert expected in card
    both = export._said_of_states(make("coarse"))
    assert both == "It reads a video from both sides, and needs all of it."
    assert "joined by spaces" in export._said_of_tags(make("sets"))


def test_the_warm_up_requests_are_of_the_default(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    sizes = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        inputs = log.predict_log.request.inputs
        assert set(inputs) == {"frames", "lengths"}
        sizes.append(inputs["frames"].tensor_shape.dim[0].size)
    assert sizes == list(export.BATCHES)


# What cannot be exported


def test_an_export_is_not_exported_again(exported, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export", str(exported)])
    with pytest.raises(UserError, match="already exported; give the run fold"):
        export.main()


def test_a_run_without_an_epoch_cannot_be_exported(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match="no epoch is finished yet"):
        export.export_run(tmp_path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()


def test_an_export_that_fails_leaves_nothing_behind(
    of_features, tmp_path, monkeypatch
):
    def fail(folder, expected):
        assert (folder / "saved_model.pb").exists()
        kinds = ["serving_default", "window", "step"]
        assert [x.signature for x in expected[::3]] == kinds
        raise UserError("answers differ")

    monkeypatch.setattr(common_export, "check", fail)
    with pytest.raises(UserError, match="answers differ"):
        export.export_run(of_features, tmp_path / "exports")
    assert list(tmp_path.rglob("*")) == [tmp_path / "exports"]
    assert runs.read_json(of_features / "config.json")["causal"]
