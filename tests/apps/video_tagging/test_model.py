"""The tagging network: what padding, the future and training must not do."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.video_tagging import encoder, losses, model, pipeline
from apps.video_tagging.config import Config
from apps.video_tagging.model import FramesToTags, Stage
from apps.video_tagging.predictor import Predictor
from common.errors import UserError
from tests.support.recurrent import assert_close, noise
from tests.support.video_tagging import DIM, LABELS
from tests.support.video_tagging import make_tagger as make

TIME = 7
LENGTHS = np.array([TIME, 3, 5], np.int32)
KINDS = {
    "bidirectional": {},
    "one frame at a time": {"num_layers": 0},
    "causal": {"causal": True},
    "stages": {"num_stages": 2, "causal": True, "smoothing": 0.15},
    "stride": {"stride": 3, "num_layers": 0},
    "crf": {"crf": True, "num_stages": 2, "num_layers": 0},
    "scaled by itself": {"scale": "video", "num_layers": 0},
    "sets": {"multi_label": True, "smoothing": 0.15, "num_layers": 0},
}
CAUSAL = [
    {"causal": True, "num_stages": stages, "num_layers": layers}
    for stages, layers in ((1, 1), (2, 2), (2, 0))
]


def features(rows=3, time=TIME, seed=0):
    return noise(rows, time, DIM, seed=seed)


def truth(multi_label=False, seed=0):
    rng = np.random.default_rng(seed)
    if multi_label:
        return rng.integers(0, 2, [3, TIME, 3]).astype("f")
    return rng.integers(0, 3, [3, TIME]).astype(np.int32)


def real(lengths=LENGTHS, time=TIME):
    return np.arange(time) < lengths[:, None]


def loss_and_gradients(tagger, frames, labels, weights, training=True):
    """The loss of a batch, and its gradients on all weights."""
    inputs = (frames, LENGTHS)
    with tf.GradientTape() as tape:
        logits = tagger.network(inputs, training=training)
        loss = tagger.network.compute_loss(inputs, labels, logits, weights)
    variables = [v.value for v in tagger.network.trainable_variables]
    return loss, tape.gradient(loss, variables)


# Padding


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_answers_nor_loss_nor_gradients(kind):
    tagger = make(**KINDS[kind])
    labels = truth(tagger.config.multi_label)
    weights = real().astype("f")

    def all_of(frames, labels, weights):
        found = tagger(tf.constant(frames), tf.constant(LENGTHS))
        answers = [np.asarray(x)[:, :TIME][real()] for x in found]
        results = loss_and_gradients(tagger, frames, labels, weights)
        return answers, results

    answers, (loss, gradients) = all_of(features(), labels, weights)
    # Other values on the padding there is, and more of it.
    frames = np.where(real()[..., None], features(), 50).astype("f")
    labels = np.where(
        real().reshape([3, TIME] + [1] * (labels.ndim - 2)), labels, 1
    ).astype(labels.dtype)
    more = [[0, 0], [0, 4], [0, 0]]
    padded, (padded_loss, padded_gradients) = all_of(
        np.pad(frames, more, constant_values=-9),
        np.pad(labels, more[: labels.ndim], constant_values=1),
        np.pad(weights, more[:2]),
    )
    assert_close(padded, answers, rtol=1e-4, atol=1e-5)
    assert_close(padded_loss, loss)
    assert_close(padded_gradients, gradients, rtol=1e-4, atol=1e-5)
    assert max(np.abs(x).max() for x in gradients) > 1e-2


def test_a_row_alone_is_as_in_a_batch():
    tagger = make(scale="video")
    together = tagger(tf.constant(features()), tf.constant(LENGTHS))
    alone = tagger(tf.constant(features()[1:2, :3]), tf.constant(LENGTHS[1:2]))
    assert_close(
        alone.probabilities[0], together.probabilities[1, :3], atol=1e-5
    )


def test_names_stand_on_real_frames_alone():
    tagger = make()
    found = tagger(tf.constant(features()), tf.constant(LENGTHS))
    names = tagger.tag_names(found, tf.constant(LENGTHS)).numpy().astype(str)
    assert names.shape == (3, TIME)
    np.testing.assert_array_equal(names != "", real())
    tags = found.probabilities.numpy().argmax(-1)
    assert (np.array(LABELS)[tags] == names)[real()].all()
    assert len(set(names[real()])) > 1


def test_names_of_sets_are_joined_by_spaces():
    tagger = make(multi_label=True)
    tags = [[[True, False, True], [False] * 3, [True] * 3, [True] * 3]]
    names = tagger.tag_names(
        pipeline.Prediction(tf.constant(tags), None), tf.constant([3])
    )
    assert names.numpy().tolist() == [[b"a c", b"", b"a b c", b""]]


# Past and future


def logits_of(tagger, frames):
    return tagger.network((frames, tf.fill([len(frames)], frames.shape[1])))


@pytest.mark.slow
@pytest.mark.parametrize("options", CAUSAL, ids=str)
def test_a_causal_model_does_not_know_the_future(options):
    tagger = make(**options)
    before = logits_of(tagger, features(1)).numpy()
    for time in (1, 2, TIME - 1):
        changed = features(1)
        changed[:, time:] = features(1, seed=1)[:, time:]
        after = logits_of(tagger, changed).numpy()
        np.testing.assert_array_equal(after[:, :time], before[:, :time])
        assert np.abs(after - before)[:, time].max() > 1e-2


def test_a_model_that_reads_from_both_sides_knows_it():
    tagger = make()
    changed = features(1)
    changed[:, -1] += 1
    moved = np.abs(logits_of(tagger, changed) - logits_of(tagger, features(1)))
    assert moved[0, 0].max() > 1e-4


def test_without_layers_a_frame_is_seen_by_itself():
    tagger = make(num_layers=0, num_stages=2)
    changed = features(1)
    changed[:, 3] += 1
    moved = np.abs(logits_of(tagger, changed) - logits_of(tagger, features(1)))
    assert moved[0, 3].max() > 1e-2
    assert not np.delete(moved, 3, axis=1).any()


def initial(tagger):
    """The states before the first frame of two videos."""
    return pipeline.zero_states(tagger.config, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "size"),
    [(CAUSAL[1], 1), (CAUSAL[1], 3), (CAUSAL[0], TIME), (CAUSAL[2], 1)],
    ids=str,
)
def test_windows_with_states_are_the_whole(options, size):
    tagger = make(**options)
    frames = tf.constant(features(2))
    expected = tagger(frames, tf.fill([2], TIME))
    after = initial(tagger)
    for start in range(0, TIME, size):
        window = frames[:, start : start + size]
        found, after = tagger.advance(
            window, tf.fill([2], window.shape[1]), after
        )
        for one, all_ in zip(found, expected, strict=True):
            assert_close(one, all_[:, start : start + size], atol=1e-5)


def test_a_row_of_no_frames_keeps_its_state():
    tagger = make(causal=True)
    frames = tf.constant(features(2))
    _, before = tagger.advance(frames, tf.constant([4, 4]), initial(tagger))
    _, after = tagger.advance(frames, tf.constant([0, 2]), before)
    for old, new in zip(
        tf.nest.flatten(before), tf.nest.flatten(after), strict=True
    ):
        np.testing.assert_array_equal(new[0], old[0])
        assert np.abs(new[1] - old[1]).max() > 1e-3


def test_a_gru_takes_the_place_of_the_lstm(monkeypatch):
    monkeypatch.setattr(model, "LSTM", keras.layers.GRU)
    test_a_stream_has_the_tags_of_the_whole(multi_label=False)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_stream_has_the_tags_of_the_whole(multi_label):
    tagger = make(causal=True, multi_label=multi_label)
    predictor = Predictor.from_model(tagger)
    (video,) = features(1, 20)
    expected = tagger(tf.constant(video[None]), tf.constant([20]))
    for sizes in ([1] * 20, [7, 7, 6]):
        pieces = np.split(video, np.cumsum(sizes)[:-1])
        tag = predictor.make_stream_fn()
        found = [tag(piece) for piece in pieces]
        joined = pipeline.Prediction(
            *(np.concatenate(column) for column in zip(*found, strict=True))
        )
        np.testing.assert_array_equal(joined.tags, expected.tags[0])
        assert_close(joined.probabilities, expected.probabilities[0], atol=1e-5)
        chunks = predictor.predict_chunks(pieces)
        assert_close(chunks.probabilities, joined.probabilities, atol=1e-5)
    # Another stream begins anew.
    assert_close(
        predictor.make_stream_fn()(video[:1]).tags, expected.tags[0, :1]
    )


def test_a_stream_needs_a_causal_model():
    with pytest.raises(UserError, match="train one with --causal"):
        Predictor.from_model(make()).make_stream_fn()


def test_states_have_names():
    config = make(causal=True, num_stages=2, num_layers=2).config
    states = {
        name: tf.constant(k)
        for k, name in enumerate(pipeline.state_names(config), 1)
    }
    assert states["stage_2_layer_1_cell"] == 6
    nested = pipeline._nest_states(states, config)
    expected = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert tf.nest.map_structure(int, nested) == expected
    config = Config(causal=True, num_layers=0)
    assert pipeline._nest_states({}, config) == [[]]


# The loss


def network_of(config, tag_weights=(1, 1, 1)):
    """What `losses.compute_loss` wants to know of a network."""
    weights = tf.constant(tag_weights, tf.float32)
    return types.SimpleNamespace(config=config, tag_weights=weights, crf=None)


def some_logits(stages=1):
    return 2 * noise(3, TIME, stages, 3)


def numpy_log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def numpy_jumps(logs):
    """The truncated mean squared error of the real frames."""
    found = []
    for row, length in zip(logs, LENGTHS, strict=True):
        for before, now in zip(row[: length - 1], row[1:length], strict=True):
            found.append(np.minimum(np.abs(now - before), 4) ** 2)
    return np.mean(found)


@pytest.mark.parametrize("smooth", [0.0, 0.2])
def test_the_loss_of_tags_in_numpy(smooth):
    config = Config(num_stages=2, smoothing=0.15, label_smoothing=smooth)
    labels, logits = truth(), some_logits(2)
    tag_weights = np.array([0.5, 1, 3], "f")
    weights = real().astype("f")
    weights[0, 2] = 0  # Unlabelled.
    labels[0, 2] = -1
    loss = losses.compute_loss(
        labels, logits, weights, LENGTHS, network_of(config, tag_weights)
    )
    expected = 0
    target = np.eye(3)[labels] * (1 - smooth) + smooth / 3
    for stage in range(2):
        logs = numpy_log_softmax(logits[:, :, stage].astype("d"))
        of_frames = -(target * logs).sum(-1) * tag_weights[labels]
        expected += (of_frames * weights).sum() / weights.sum()
        expected += 0.15 * numpy_jumps(logs)
    assert loss.dtype == tf.float32
    assert_close(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("smooth", [0.0, 0.2])
def test_the_loss_of_sets_in_numpy(smooth):
    config = Config(multi_label=True, smoothing=0.5, label_smoothing=smooth)
    labels, logits = truth(multi_label=True), some_logits()
    tag_weights = np.array([0.5, 1, 3], "f")
    weights = real().astype("f")
    loss = losses.compute_loss(
        labels, logits, weights, LENGTHS, network_of(config, tag_weights)
    )
    probabilities = 1 / (1 + np.exp(-logits[:, :, 0].astype("d")))
    target = labels * (1 - smooth) + smooth / 2
    of_frames = -(
        tag_weights * target * np.log(probabilities)
        + (1 - target) * np.log(1 - probabilities)
    ).sum(-1)
    expected = (of_frames * weights).sum() / weights.sum()
    expected += 0.5 * numpy_jumps(np.log(probabilities))
    assert_close(loss, expected, rtol=1e-5)


def test_weights_of_tags_by_hand():
    config = Config()
    # All three tags are equally likely: log 3 for each frame.
    logits = tf.zeros([1, 4, 1, 3])
    loss = losses.compute_loss(
        tf.constant([[0, 2, 2, -1]]),
        logits,
        tf.constant([[1.0, 1, 1, 0]]),
        tf.constant([4]),
        network_of(config, [0.5, 9, 2]),
    )
    assert float(loss) == pytest.approx(np.log(3) * (0.5 + 2 + 2) / 3)


def test_a_crf_is_of_the_last_stage():
    tagger = make(crf=True, num_stages=2)
    network = tagger.network
    labels, weights = truth(), real().astype("f")
    logits = network((features(), LENGTHS))
    loss = network.compute_loss((None, LENGTHS), labels, logits, weights)
    of_paths = network.crf.negative_log_likelihood(
        labels, logits[:, :, 1], real()
    )
    of_frames = losses.frame_losses(
        labels, logits[:, :, 0], network.tag_weights, tagger.config
    )
    expected = tf.reduce_sum(of_paths) + tf.reduce_sum(of_frames * weights)
    assert_close(loss, expected / weights.sum(), rtol=1e-5)


def test_a_crf_answers_with_the_best_path_and_marginals():
    tagger = make(crf=True)
    crf = tagger.network.crf
    crf.transitions.assign(noise(3, 3, seed=5) * 3)
    found = tagger(tf.constant(features()), tf.constant(LENGTHS))
    logits = tagger.network((features(), LENGTHS))[:, :, -1]
    np.testing.assert_array_equal(found.tags, crf.decode(logits, real()))
    assert_close(found.probabilities, crf.marginals(logits, real()))


@pytest.mark.parametrize("multi_label", [False, True])
def test_unlabelled_frames_change_nothing_whatever_their_label(multi_label):
    config = Config(
        multi_label=multi_label, num_stages=2, label_smoothing=0.1, smoothing=1
    )
    labels = truth(multi_label)
    weights = real().astype("f")
    weights[0, 2:4] = weights[2, 0] = 0
    gone = (weights == 0).reshape([3, TIME] + [1] * (labels.ndim - 2))

    def of_labels(labels):
        logits = tf.constant(some_logits(2))
        network = network_of(config, [1, 2, 3])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = losses.compute_loss(
                labels, logits, weights, LENGTHS, network
            )
        return loss, tape.gradient(loss, logits)

    expected = of_labels(labels)
    for value in (0, 1) if multi_label else (-1, 0, 2):
        given = np.where(gone, value, labels).astype(labels.dtype)
        assert_close(of_labels(given), expected, rtol=0)
    labels[0, 0] = 1 - labels[0, 0]  # One that counts.
    assert abs(of_labels(labels)[0] - expected[0]) > 1e-3


def test_no_label_at_all_is_a_loss_of_nothing():
    tagger = make(num_layers=0)
    weights = np.zeros([3, TIME], "f")
    labels = np.full([3, TIME], -1, np.int32)
    loss, gradients = loss_and_gradients(tagger, features(), labels, weights)
    assert loss == 0
    assert not any(np.any(x) for x in gradients)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"causal": True}, {"crf": True}], ids=str)
def test_mixed_precision_has_a_loss_of_float32(options):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        tagger = make(num_layers=1, smoothing=0.15, **options)
        loss, gradients = loss_and_gradients(
            tagger, features(), truth(), real().astype("f")
        )
    finally:
        keras.config.set_dtype_policy(before)
    assert loss.dtype == tf.float32
    exact, _ = loss_and_gradients(
        make(num_layers=1, smoothing=0.15, **options),
        *(features(), truth(), real().astype("f")),
    )
    assert_close(loss, exact, rtol=1e-2)
    assert all(np.isfinite(x).all() for x in gradients)


# What training adds


@pytest.fixture
def seen(monkeypatch):
    """What the stages see, in order."""
    values_seen = []

    class Spy(Stage):
        def call(self, values, mask, state=None, training=False):
            values_seen.append(values)
            return super().call(values, mask, state, training)

    monkeypatch.setattr(model, "Stage", Spy)
    return values_seen


def seen_twice(network, seen, frames):
    """What its stage sees of frames, outside of training and in it."""
    inputs = (frames, tf.fill([len(frames)], frames.shape[1]))
    seen.clear()
    network(inputs, training=False)
    network(inputs, training=True)
    return [np.asarray(values) for values in seen]


def test_noise_is_added_in_training_alone(seen):
    frames = features(5, 100)
    network = FramesToTags(Config(num_layers=0, input_noise=0.5), 3, DIM)
    without, with_noise = seen_twice(network, seen, frames)
    np.testing.assert_array_equal(without, frames)
    difference = with_noise - frames
    assert abs(difference.mean()) < 0.05
    assert 0.46 < difference.std() < 0.54
    _, other = seen_twice(network, seen, frames)
    assert np.abs(other - with_noise).max() > 0.1


def test_features_are_dropped_for_a_whole_video_in_training_alone(seen):
    frames = np.ones([200, 6, DIM], "f")
    network = FramesToTags(Config(num_layers=0, feature_dropout=0.25), 3, DIM)
    without, dropped = seen_twice(network, seen, frames)
    np.testing.assert_array_equal(without, frames)
    assert (dropped == dropped[:, :1]).all()
    assert set(np.unique(dropped.round(4)).tolist()) == {0, np.float32(1.3333)}
    of_features = (dropped[:, 0] == 0).mean(axis=0)
    assert ((of_features > 0.14) & (of_features < 0.36)).all()
    assert len({tuple(row) for row in dropped[:, 0]}) > 5


def test_inputs_of_layers_are_dropped_in_training_alone():
    size = 40
    network = FramesToTags(
        Config(units=size, num_layers=0, dropout=0.5), size, DIM
    )
    # So the logits are the outputs of the dense layer.
    network.stages[0].to_logits.set_weights([np.eye(size), np.zeros(size)])
    frames = features(3, 50)
    without, dropped = (
        network((frames, tf.fill([3], 50)), training=training).numpy()
        for training in (False, True)
    )
    there = without > 1e-6
    is_kept = dropped != 0
    assert 0.45 < is_kept[there].mean() < 0.55
    both = there & is_kept
    np.testing.assert_allclose(dropped[both], 2 * without[both], rtol=1e-5)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_reaches_lstm_layers_in_training_alone(option):
    tagger = make(**{option: 0.5}, causal=True)
    again = make(causal=True)
    inputs = (features(), LENGTHS)
    answers = [
        np.asarray(x)
        for x in (
            again.network(inputs, training=True),
            again.network(inputs),
            tagger.network(inputs),
            tagger.network(inputs, training=True),
        )
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[1], answers[2])
    assert np.abs(answers[3] - answers[2]).max() > 0.1


def test_drawing_goes_on_by_the_seed():
    frames = features()

    def drawn(seed):
        network = FramesToTags(
            Config(units=3, num_layers=0, input_noise=1.0, seed=seed), 3, DIM
        )
        for weight in network.trainable_variables:
            weight.assign(noise(*weight.shape))
        return [network((frames, LENGTHS), training=True) for _ in range(2)]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert_close(first, again, rtol=0)
    assert np.abs(first[0] - first[1]).max() > 1e-3
    assert np.abs(first[0] - other[0]).max() > 1e-3


# Scales and strides


def test_features_are_brought_to_the_scale_of_training(seen):
    network = FramesToTags(Config(num_layers=0), 3, DIM)
    mean, deviation = np.array([[1, 2, 3], [2, 0.5, 1e-9]], "f")
    network.set_statistics(mean, deviation, np.ones(3))
    without, _ = seen_twice(network, seen, features())
    # What never moves is not blown up without end.
    expected = (features() - mean) / np.maximum(deviation, 1e-3)
    np.testing.assert_allclose(without, expected, rtol=1e-5)


def test_each_video_by_itself_in_numpy():
    values = noise(3, TIME, 5) * [1, 1, 1, 1, 0] + [3, 0, -2, 9, 7]
    found = model.standardize(tf.constant(values, tf.float32), real())
    for row, video, length in zip(found, values, LENGTHS, strict=True):
        kept = video[:length]
        deviation = kept.std(axis=0)
        expected = (kept - kept.mean(axis=0)) / (
            deviation + 0.1 * deviation.mean()
        )
        np.testing.assert_allclose(row[:length], expected, atol=1e-5)
        assert not row[length:].numpy().any()


def test_a_video_of_one_frame_or_a_still_one_is_finite():
    still = tf.ones([1, 3, 2]) * [4.0, 5.0]
    for values in (still, still[:, :1]):
        mask = tf.ones(values.shape[:2], tf.bool)
        assert not model.standardize(values, mask).numpy().any()


def test_means_of_neighbours_in_numpy():
    for stride in (2, 3, 10):
        found = model.average_neighbours(
            tf.constant(features()), tf.constant(real()), stride
        )
        assert found.shape == (3, -(-TIME // stride), DIM)
        for row, video, length in zip(found, features(), LENGTHS, strict=True):
            for number, group in enumerate(row):
                kept = video[:length][number * stride : (number + 1) * stride]
                expected = kept.mean(0) if len(kept) else np.zeros(DIM)
                np.testing.assert_allclose(group, expected, atol=1e-6)


def test_means_of_no_rows():
    found = model.average_neighbours(
        tf.zeros([0, 5, DIM]), tf.zeros([0, 5], tf.bool), 2
    )
    assert found.shape == (0, 3, DIM)


def test_a_stride_answers_for_groups_of_frames():
    tagger, fine = make(stride=3), make()
    for one, other in zip(
        tagger.network.weights, fine.network.weights, strict=True
    ):
        other.assign(one)
    frames = tf.constant(features(1))
    coarse = logits_of(tagger, frames).numpy()
    means = model.average_neighbours(frames, tf.ones([1, TIME], tf.bool), 3)
    expected = np.repeat(logits_of(fine, means.numpy()), 3, axis=1)[:, :TIME]
    np.testing.assert_allclose(coarse, expected, atol=1e-5)


# Frames


@pytest.fixture(scope="module")
def of_frames():
    keras.utils.set_random_seed(1)
    config = Config(units=5, image_size=16, causal=True, num_stages=2)
    return pipeline.build(config, LABELS, None)


def pixels(rows, time):
    rng = np.random.default_rng(rows)
    return tf.constant(rng.integers(0, 256, [rows, time, 16, 16, 3], np.uint8))


def test_an_encoder_sees_each_frame(of_frames):
    frames = pixels(2, 3)
    found = of_frames.network.encode(frames)
    assert found.shape == (2, 3, of_frames.dim)
    for row in range(2):
        expected = of_frames.network.encoder(tf.cast(frames[row], tf.float32))
        assert_close(found[row], expected, atol=1e-5)
    # Features are taken as they are.
    assert_close(of_frames.network.encode(found), found)


def test_the_encoder_learns_with_the_recurrence(of_frames):
    assert encoder.is_trained(of_frames.config)
    trained = {id(v) for v in of_frames.network.trainable_variables}
    inside = {id(v) for v in of_frames.network.encoder.trainable_variables}
    assert inside and inside <= trained


def test_frames_without_an_encoder_are_refused():
    with pytest.raises(ValueError, match="built without an encoder"):
        make().network.encode(pixels(1, 2))


@pytest.mark.parametrize(
    "options",
    [
        {"causal": True, "num_stages": 2},
        {"crf": True, "stride": 2, "num_layers": 0},
        {"multi_label": True, "scale": "video", "num_layers": 0},
    ],
    ids=str,
)
def test_a_saved_tagger_answers_the_same(options, tmp_path):
    tagger = make(**options)
    tagger.network.set_statistics(
        np.ones(DIM), np.full(DIM, 2.0), np.arange(3.0)
    )
    tagger.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert again.config == tagger.config
    assert (again.labels, again.dim) == (LABELS, DIM)
    given = tf.constant(features()), tf.constant(LENGTHS)
    assert_close(again(*given), tagger(*given))
    for one, other in zip(again.weights, tagger.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_tagger_keeps_its_encoder(of_frames, tmp_path):
    of_frames.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert again.has_encoder
    given = pixels(2, 4), tf.constant([4, 2])
    assert_close(again(*given), of_frames(*given))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_whatever_is_on_padding_leaves_the_scale_of_a_video_alone(bad):
    values = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    mask = tf.sequence_mask([2, 4], 4)
    expected = model.standardize(tf.constant(values), mask).numpy()
    values[0, 2:] = bad
    with tf.GradientTape() as tape:
        inputs = tf.constant(values)
        tape.watch(inputs)
        result = model.standardize(inputs, mask)
    np.testing.assert_array_equal(result, expected)
    gradient = tape.gradient(result, inputs).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[0, 2:].any()
