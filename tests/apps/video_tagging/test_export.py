"""The exported SavedModel answers as the model it came from."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import export, pipeline, predictor
from common import export as common_export
from common import export_check
from tests.support.recurrent import noise
from tests.support.video_tagging import (
    DIM,
    LABELS,
    feature_path,
    make_tagger,
)

# Models are traced for each signature, and run: half a minute.
pytestmark = pytest.mark.slow

# Of each kind the options, and whether it sees frames.
KINDS = {
    "features": ({"crf": True, "num_stages": 2, "num_layers": 0}, False),
    "sets": ({"multi_label": True, "causal": True, "num_stages": 2}, False),
    "coarse": ({"stride": 3, "scale": "video", "num_layers": 0}, False),
    "one frame at a time": ({"num_layers": 0, "causal": True}, False),
    "frames": ({"image_size": 16, "causal": True}, True),
}


def make(kind):
    """A tagger that was not trained, whose tags change often."""
    options, takes_frames = KINDS[kind]
    model = make_tagger(takes_frames, **options)
    for number, stage in enumerate(model.network.stages):
        for weight in stage.trainable_variables:
            if len(weight.shape) == 2:
                weight.assign(2 * noise(*weight.shape, seed=number))
    if takes_frames:
        values = model.network.encode(tf.constant(make_frames(kind, 4, 7)))
        values = values.numpy().reshape([-1, model.dim])
        model.network.set_statistics(values.mean(0), values.std(0), np.ones(3))
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Models and what their SavedModels answer, by kind; each made once."""

    @functools.cache
    def make_once(kind):
        model = make(kind)
        folder = tmp_path_factory.mktemp("export")
        export.make_archive(model).write_out(str(folder), verbose=False)
        return model, tf.saved_model.load(str(folder))

    return make_once


def make_frames(kind, rows, time):
    rng = np.random.default_rng(rows)
    if KINDS[kind][1]:
        return rng.integers(0, 256, [rows, time, 16, 16, 3], np.uint8)
    return rng.normal(size=[rows, time, DIM]).astype(np.float32)


def make_inputs(kind, rows, time):
    name = "frames" if KINDS[kind][1] else "features"
    lengths = np.resize([time, 2, 3], rows).astype(np.int32)
    return {
        name: tf.constant(make_frames(kind, rows, time)),
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
    inputs = make_inputs(kind, rows, 7)
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
    names = model.tag_names(expected, lengths)
    np.testing.assert_array_equal(answer["tags"], names)
    assert (answer["tags"].numpy()[~is_real] == b"").all()
    if rows > 1:
        assert len(set(names.numpy()[is_real])) > 1


@pytest.mark.parametrize("kind", ["coarse", "one frame at a time"])
def test_features_that_are_not_finite_or_of_a_wrong_length(made, kind):
    _, loaded = made(kind)
    ask = loaded.signatures["serving_default"]
    inputs = make_inputs(kind, 3, 7)  # Of 7, 2 and 3 frames.
    values = inputs["features"].numpy()
    expected = ask(**inputs)
    values[1, 2:] = np.nan
    answer = ask(features=tf.constant(values), lengths=inputs["lengths"])
    for name in ("tags", "probabilities"):
        for row, length in enumerate([7, 2, 3]):
            np.testing.assert_array_equal(
                answer[name][row, :length], expected[name][row, :length]
            )
    values[2, 1, 0] = np.inf
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"expected finite .*\[\[2 1\]\]"
    ):
        ask(features=tf.constant(values), lengths=inputs["lengths"])
    for lengths in ([-1, 2, 3], [7, 8, 3]):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="expected lengths from 0"
        ):
            ask(features=inputs["features"], lengths=tf.constant(lengths))


def test_states_that_are_not_finite(made):
    model, loaded = made("sets")
    states = first_states(model, 2)
    features = tf.constant(make_frames("sets", 2, 1)[:, 0])
    name = next(iter(states))
    states[name] = tf.fill(states[name].shape, np.nan)
    with pytest.raises(tf.errors.InvalidArgumentError, match="finite"):
        loaded.signatures["step"](features=features, **states)


def test_sets_are_joined_by_spaces(made):
    _, loaded = made("sets")
    answer = loaded.signatures["serving_default"](**make_inputs("sets", 4, 7))
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
    return pipeline.zero_states(model.config, rows)


@pytest.mark.parametrize("kind", ["sets", "frames", "one frame at a time"])
def test_step_by_step_is_the_whole(made, kind):
    model, loaded = made(kind)
    frames = tf.constant(make_frames(kind, 2, 6))
    argument = "frame" if model.has_encoder else "features"
    lengths = tf.constant([6, 6])
    whole_name = "frames" if model.has_encoder else "features"
    full = loaded.signatures["serving_default"](
        **{whole_name: frames, "lengths": lengths}
    )
    step, after = loaded.signatures["step"], first_states(model, 2)
    inputs = step.structured_input_signature[1]
    assert set(inputs) == {argument, *pipeline.state_names(model.config)}
    for time in range(6):
        answer = step(**{argument: frames[:, time]}, **after)
        np.testing.assert_array_equal(answer["tags"], full["tags"][:, time])
        np.testing.assert_allclose(
            answer["probabilities"], full["probabilities"][:, time], atol=1e-5
        )
        after = {name: answer[name] for name in after}


def test_windows_carry_states(made):
    model, loaded = made("sets")
    frames = tf.constant(make_frames("sets", 2, 6))
    full = loaded.signatures["serving_default"](
        features=frames, lengths=tf.constant([6, 6])
    )
    window, after = loaded.signatures["window"], first_states(model, 2)
    outputs = specs(window.structured_outputs)
    for name in pipeline.state_names(model.config):
        assert outputs[name] == ("float32", [None, 5])
    for start, end in ((0, 4), (4, 6)):
        answer = window(
            features=frames[:, start:end],
            lengths=tf.fill([2], end - start),
            **after,
        )
        np.testing.assert_allclose(
            answer["probabilities"],
            full["probabilities"][:, start:end],
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
    monkeypatch.setattr(export, "is_trained", lambda config: False)
    found = export.make_signatures(make("frames"))
    assert list(found) == ["serving_default", "features", "window", "step"]
    frames, lengths = found["features"].inputs
    assert (frames.name, lengths.name) == ("features", "lengths")
    assert frames.shape.as_list() == [None, None, 64]


# A whole export


def export_unchecked(run, to):
    """Exports; what it would check in another process is checked here."""
    checked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            common_export, "check", lambda *given: checked.append(given)
        )
        folder = export.export_run(run, to)
    ((_, cases),) = checked
    kinds = ["serving_default", "window", "step"]
    assert list(dict.fromkeys(case.signature for case in cases)) == kinds
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
def exported(frames_run, tmp_path_factory):
    return export_unchecked(frames_run, tmp_path_factory.mktemp("exports"))[0]


def test_the_export_is_checked_in_a_clean_process(features_run, tmp_path):
    folder = export.export_run(features_run, tmp_path)
    assert folder == tmp_path / "run" / "1"
    model = predictor.load(str(folder))
    assert (model.dim, model.takes_frames) == (DIM, False)
    before = predictor.load(str(features_run))
    values = np.load(feature_path(features_run, "x1")).T
    for pieces in ([values], [values[:5], values[5:]]):
        found, expected = (
            model.predict_chunks(pieces),
            before.predict_chunks(pieces),
        )
        np.testing.assert_array_equal(found.tags, expected.tags)
        np.testing.assert_allclose(
            found.probabilities, expected.probabilities, atol=1e-5
        )
    assert len(set(expected.tags.tolist())) > 1


def test_an_export_of_frames_predicts_as_the_run(
    frames_run, exported, small_frames
):
    model = predictor.load(str(exported))
    before = predictor.load(str(frames_run))
    assert (model.dim, model.takes_frames) == (0, True)
    assert model.labels == before.labels
    frames = small_frames[:96]
    full = before.predict_chunks([frames])
    for found in (
        model.predict_chunks([frames]),
        model.make_stream_fn()(frames),
    ):
        np.testing.assert_array_equal(found.tags, full.tags)
        np.testing.assert_allclose(
            found.probabilities, full.probabilities, atol=1e-5
        )
    tag = model.make_stream_fn()
    for time in range(5):
        one = tag(frames[time : time + 1])
        assert one.tags.tolist() == full.tags[time : time + 1].tolist()


def test_labels_and_options_lie_beside_the_model(frames_run, exported):
    for name in ("config.json", "data.json", "labels.txt"):
        assert (exported / name).read_bytes() == (
            frames_run / name
        ).read_bytes()
    found = export_check.operations(exported)
    assert not [x for x in found if "Cudnn" in x or "PyFunc" in x]


def test_the_card_says_what_goes_in_and_out(exported):
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
    both = export._describe_states(make("coarse"))
    assert both == "It reads a video from both sides, and needs all of it."
    assert "joined by spaces" in export._describe_tags(make("sets"))


def test_the_warm_up_requests_are_of_the_default(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    sizes = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        inputs = log.predict_log.request.inputs
        assert set(inputs) == {"frames", "lengths"}
        sizes.append(inputs["frames"].tensor_shape.dim[0].size)
    assert sizes == [1, 8]
