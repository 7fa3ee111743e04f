"""The conditional random field against all paths, written out in NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.layers.crf import UNLABELLED, LinearChainCRF
from common.layers.crf_loops import STEPS, Chain, log_partition
from tests.support.recurrent import (
    MODES,
    assert_close,
    noise,
    with_noise,
)

# Batch, time, classes: few enough paths to write them all out.
SIZES = [(1, 1, 1), (3, 1, 4), (2, 5, 3), (4, 6, 2), (3, 4, 5)]
ROUNDED = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(params=SIZES, ids=str)
def sizes(request):
    return request.param


def make(classes, **options):
    return with_noise(LinearChainCRF(classes, **options), None)


def example(sizes, seed=0, scale=2.0):
    """Tags, logits and a mask of rows of various length, one full."""
    batch, time, classes = sizes
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, time + 1, batch)
    lengths[0] = time
    return (
        rng.integers(0, classes, (batch, time)).astype("int32"),
        scale * noise(*sizes, seed=seed),
        np.arange(time) < lengths[:, np.newaxis],
    )


def unlabelled(tags, seed=1):
    """About half of the tags unknown."""
    is_gone = np.random.default_rng(seed).random(tags.shape) < 0.5
    return np.where(is_gone, UNLABELLED, tags).astype("int32")


def weights_of(layer):
    return [w.numpy().astype("float64") for w in layer.weights]


def rows(logits, mask):
    """The real steps of each row, in float64."""
    return [
        x[real].astype("float64") for x, real in zip(logits, mask, strict=True)
    ]


def log_sum(values, axis=None):
    highest = np.max(values, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(values - highest), axis, keepdims=True))
    return np.squeeze(highest + total, axis)


def score(path, logits, transitions, start, end):
    steps = logits[np.arange(len(path)), path].sum()
    pairs = sum(transitions[pair] for pair in itertools.pairwise(path))
    return steps + pairs + start[path[0]] + end[path[-1]]


def all_paths(logits, weights):
    """Every path of a row, and the scores."""
    time, classes = logits.shape
    paths = np.array(list(itertools.product(range(classes), repeat=time)))
    scores = [score(tuple(path), logits, *weights) for path in paths]
    return paths, np.array(scores)


def enumerated_loss(tags, logits, weights):
    paths, scores = all_paths(logits, weights)
    agrees = ((paths == tags) | (tags == UNLABELLED)).all(axis=1)
    return log_sum(scores) - log_sum(scores[agrees])


def enumerated_losses(layer, tags, logits, mask):
    weights = weights_of(layer)
    losses = [
        enumerated_loss(tags[n, : len(row)], row, weights)
        for n, row in enumerate(rows(logits, mask))
    ]
    return np.array(losses)


def enumerated_marginals(layer, logits, mask):
    result = np.zeros(logits.shape)
    for n, row in enumerate(rows(logits, mask)):
        paths, scores = all_paths(row, weights_of(layer))
        probabilities = np.exp(scores - log_sum(scores))
        for t, tag in np.ndindex(row.shape):
            result[n, t, tag] = probabilities[paths[:, t] == tag].sum()
    return result


def forward(logits, transitions, start, end, join):
    """Forward variables <float64>[time, classes] of a row."""
    states = [start + logits[0]]
    for step in logits[1:]:
        states.append(join(states[-1][:, np.newaxis] + transitions, 0) + step)
    return np.array(states)


def numpy_loss(tags, logits, transitions, start, end):
    """Of a row without unlabelled steps."""
    weights = transitions, start, end
    states = forward(logits, *weights, log_sum)
    return log_sum(states[-1] + end) - score(tuple(tags), logits, *weights)


def numpy_marginals(logits, transitions, start, end):
    """Forward, and forward from the end; the scores are in both."""
    before = forward(logits, transitions, start, end, log_sum)
    after = forward(logits[::-1], transitions.T, end, start, log_sum)[::-1]
    both = before + after - logits
    return np.exp(both - log_sum(both, 1)[:, np.newaxis])


def numpy_viterbi(logits, transitions, start, end):
    states = forward(logits, transitions, start, end, np.max)
    path = [np.argmax(states[-1] + end)]
    for state in states[-2::-1]:
        path.append(np.argmax(state + transitions[:, path[-1]]))
    return path[::-1]


def loss_and_gradients(layer, tags, logits, mask, weigh=None):
    """The losses, and d(a weighing of them)/d(logits and weights)."""
    logits = tf.convert_to_tensor(logits)
    variables = [v.value for v in layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = layer.negative_log_likelihood(tags, logits, mask)
        weigh = noise(len(losses), seed=7) if weigh is None else weigh
        total = tf.reduce_sum(losses * weigh)
    return losses, *tape.gradient(total, [logits, *variables])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("change", [np.asarray, unlabelled])
def test_the_loss_is_that_of_all_paths(sizes, change, seed):
    layer = make(sizes[2])
    tags, logits, mask = example(sizes, seed)
    actual = layer.negative_log_likelihood(change(tags), logits, mask)
    expected = enumerated_losses(layer, change(tags), logits, mask)
    assert_close(actual, expected, **ROUNDED)


def test_the_marginals_are_those_of_all_paths(sizes):
    layer = make(sizes[2])
    _, logits, mask = example(sizes)
    expected = enumerated_marginals(layer, logits, mask)
    assert_close(layer.marginals(logits, mask), expected, atol=1e-5)
    assert_close(layer(logits, mask=mask), expected, atol=1e-5)


def test_the_decoded_path_is_the_best_of_all(sizes):
    layer = make(sizes[2])
    _, logits, mask = example(sizes)
    actual = layer.decode(logits, mask).numpy()
    for n, row in enumerate(rows(logits, mask)):
        paths, scores = all_paths(row, weights_of(layer))
        np.testing.assert_array_equal(
            actual[n, : len(row)], paths[scores.argmax()]
        )
    assert not actual[~mask].any()


def test_the_weights_start_as_the_softmax():
    tags, logits, mask = example((3, 6, 4))
    layer = LinearChainCRF(4)
    losses = layer.negative_log_likelihood(tags, logits, mask)
    steps = keras.losses.sparse_categorical_crossentropy(
        tags, logits, from_logits=True
    )
    assert_close(losses, np.where(mask, steps, 0).sum(1), **ROUNDED)
    alone = tf.nn.softmax(logits) * mask[:, :, np.newaxis]
    assert_close(layer.marginals(logits, mask), alone, atol=1e-5)
    best = np.where(mask, logits.argmax(2), 0)
    np.testing.assert_array_equal(layer.decode(logits, mask), best)


# More steps than are compiled at one time, and than float32 has digits for.
@pytest.mark.parametrize("scale", [0.3, 30.0])
def test_long_sequences_are_those_of_numpy(scale):
    tags, logits, mask = example((2, 5 * STEPS // 2, 7), scale=scale)
    layer = make(7)
    weights = weights_of(layer)
    losses = layer.negative_log_likelihood(tags, logits, mask)
    probabilities = layer.marginals(logits, mask).numpy()
    paths = layer.decode(logits, mask).numpy()
    for n, row in enumerate(rows(logits, mask)):
        time = len(row)
        loss = numpy_loss(tags[n, :time], row, *weights)
        np.testing.assert_allclose(losses[n], loss, rtol=1e-5)
        expected = numpy_marginals(row, *weights)
        assert_close(probabilities[n, :time], expected, atol=1e-4)
        np.testing.assert_array_equal(
            paths[n, :time], numpy_viterbi(row, *weights)
        )


def test_thousands_of_steps():
    layer = make(5)
    _, logits, mask = example((1, 4000, 5), scale=0.5)
    sums = tf.reduce_sum(layer.marginals(logits, mask), axis=2)
    np.testing.assert_allclose(sums, 1, rtol=1e-6)
    [row] = rows(logits, mask)
    np.testing.assert_array_equal(
        layer.decode(logits, mask)[0], numpy_viterbi(row, *weights_of(layer))
    )


def test_what_all_tags_share_costs_no_digits():
    tags, logits, mask = example((2, 3 * STEPS, 7))
    logits += np.float32(1000)
    layer = make(7)
    losses = layer.negative_log_likelihood(tags, logits, mask)
    for n, row in enumerate(rows(logits, mask)):
        loss = numpy_loss(tags[n, : len(row)], row, *weights_of(layer))
        np.testing.assert_allclose(losses[n], loss, rtol=3e-6)


def by_differences(function, values, size=1e-5):
    """d(function)/d(each value) in float64, in place."""
    result = np.zeros(values.shape)
    for place in np.ndindex(values.shape):
        kept = values[place]
        values[place] = kept + size
        above = function()
        values[place] = kept - size
        result[place] = (above - function()) / (2 * size)
        values[place] = kept
    return result


@pytest.mark.parametrize("change", [np.asarray, unlabelled])
def test_gradients_are_those_of_all_paths(change):
    layer = make(4)
    tags, logits, mask = example((3, 3, 4))
    tags = change(tags)
    weigh = noise(3, seed=7)
    _, d_logits, *d_weights = loss_and_gradients(layer, tags, logits, mask)
    logits, weights = logits.astype("float64"), weights_of(layer)

    def total():
        losses = [
            enumerated_loss(tags[n, : len(row)], row, weights)
            for n, row in enumerate(rows(logits, mask))
        ]
        return weigh @ losses

    expected = [by_differences(total, x) for x in (logits, *weights)]
    assert_close([d_logits, *d_weights], expected, **ROUNDED)


def test_long_gradients_are_marginals_less_the_tags():
    layer = make(7)
    tags, logits, mask = example((2, 3 * STEPS, 7))
    _, d_logits, *_ = loss_and_gradients(layer, tags, logits, mask, [1, 1])
    for n, row in enumerate(rows(logits, mask)):
        expected = numpy_marginals(row, *weights_of(layer))
        expected -= np.eye(7)[tags[n, : len(row)]]
        assert_close(d_logits[n, : len(row)], expected, atol=1e-4)
    assert not d_logits.numpy()[~mask].any()


@pytest.mark.parametrize("change", [np.asarray, unlabelled])
def test_padding_changes_nothing(change):
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))
    tags = change(tags)
    expected = loss_and_gradients(layer, tags, logits, mask)
    # Anything on the padding there is, and more of it, beyond a block.
    more = [[0, 0], [0, STEPS]]
    is_padding = ~np.pad(mask, more)
    tags = np.pad(tags, more, constant_values=99)
    padded = np.pad(logits, [*more, [0, 0]])
    tags[is_padding], padded[is_padding] = 99, np.nan
    actual = loss_and_gradients(layer, tags, padded, ~is_padding)
    assert not actual[1].numpy()[is_padding].any()
    assert_close([actual[0], actual[1][:, :5], *actual[2:]], expected)
    for method in (layer.marginals, layer.decode):
        long = method(padded, ~is_padding).numpy()
        assert not long[is_padding].any()
        assert_close(long[:, :5], method(logits, mask))


def test_a_row_of_padding_counts_nothing():
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))
    expected = loss_and_gradients(layer, tags, logits, mask, [1, 1, 0])
    mask[2] = False
    logits[2] = np.nan
    actual = loss_and_gradients(layer, tags, logits, mask, [1, 1, 1])
    assert actual[0][2] == 0
    assert not actual[1][2].numpy().any()
    assert_close([actual[0][:2], *actual[1:]], [expected[0][:2], *expected[1:]])
    assert not layer.marginals(logits, mask)[2].numpy().any()
    assert not layer.decode(logits, mask)[2].numpy().any()


def test_nothing_but_padding_has_no_gradient():
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))
    for x in loss_and_gradients(layer, tags, logits, mask & False):
        assert not x.numpy().any()


def test_without_any_label_the_loss_is_nothing():
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))
    actual = loss_and_gradients(layer, 0 * tags + UNLABELLED, logits, mask)
    for x in actual:
        np.testing.assert_allclose(x, 0, atol=1e-6)


def test_no_rows():
    layer = make(4)
    tags, logits, mask = (x[:0] for x in example((1, 5, 4)))
    losses, *grads = loss_and_gradients(layer, tags, logits, mask)
    assert losses.shape == (0,)
    assert not any(x.numpy().any() for x in grads)
    assert layer.decode(logits, mask).shape == (0, 5)
    assert layer.marginals(logits, mask).shape == (0, 5, 4)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_far_off_scores_stay_finite(scale):
    layer = make(4)
    layer.set_weights([scale * w for w in layer.get_weights()])
    tags, logits, mask = example((3, 6, 4), scale=scale)
    actual = loss_and_gradients(layer, unlabelled(tags), logits, mask)
    expected = enumerated_losses(layer, unlabelled(tags), logits, mask)
    assert_close(actual[0], expected, rtol=1e-4, atol=0.01)
    assert all(np.isfinite(x).all() for x in actual)
    sums = tf.reduce_sum(layer.marginals(logits, mask), axis=2)
    assert_close(sums, mask.astype("float32"))


def test_of_equal_paths_the_one_that_ends_lower_is_decoded():
    layer = make(3)
    layer.set_weights([w.round() for w in layer.get_weights()])
    _, logits, mask = example((9, 12, 3))
    logits = logits.round() // 2
    actual = layer.decode(logits, mask).numpy()
    for n, row in enumerate(rows(logits, mask)):
        expected = numpy_viterbi(row, *weights_of(layer))
        np.testing.assert_array_equal(actual[n, : len(row)], expected)


def test_a_forbidden_transition_is_not_taken():
    layer = LinearChainCRF(3)
    layer.build()
    layer.transitions.assign(np.where(np.eye(3, k=1) + np.eye(3), 0, -1e4))
    _, logits, mask = example((8, 9, 3), scale=5.0)
    jumps = np.diff(layer.decode(logits, mask).numpy(), axis=1)
    assert set(jumps[mask[:, 1:]]) == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_the_same_in_a_graph(mode):
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))

    def everything(tags, logits, mask):
        return (
            *loss_and_gradients(layer, tags, logits, mask, [1, 2, 3]),
            layer.marginals(logits, mask),
            layer.decode(logits, mask),
        )

    assert_close(
        MODES[mode](everything)(tags, logits, mask),
        everything(tags, logits, mask),
    )


def signature(classes):
    return [
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None, None, classes]),
        tf.TensorSpec([None, None], tf.bool),
    ]


def test_sizes_that_the_graph_does_not_know():
    layer = make(4)
    loss = tf.function(
        layer.negative_log_likelihood, input_signature=signature(4)
    )
    for sizes in ((3, 5, 4), (2, 1, 4)):
        tags, logits, mask = example(sizes)
        expected = enumerated_losses(layer, tags, logits, mask)
        assert_close(loss(tags, logits, mask), expected, **ROUNDED)


def test_layers_of_different_sizes_do_not_mix():
    for sizes in SIZES:
        layer = make(sizes[2])
        for batch in (1, 2):
            _, logits, mask = (x[:batch] for x in example(sizes))
            actual = layer.marginals(logits, mask)
            expected = enumerated_marginals(layer, logits, mask)
            assert_close(actual, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_all_is_float32_whatever_the_logits_are(dtype):
    layer = make(4, dtype=dtype)
    tags, logits, mask = example((3, 5, 4))
    logits = tf.cast(logits, layer.compute_dtype)
    losses, d_logits, *d_weights = loss_and_gradients(layer, tags, logits, mask)
    assert d_logits.dtype == layer.compute_dtype
    exact = tf.cast(logits, tf.float32).numpy()
    expected, _, *expected_d_weights = loss_and_gradients(
        make(4), tags, exact, mask
    )
    assert_close([losses, *d_weights], [expected, *expected_d_weights])
    fine = noise(3, 5, 4)
    actual = layer(fine, mask=mask)
    assert actual.dtype == tf.float32
    assert_close(actual, make(4).marginals(fine, mask))


def test_marginals_are_the_gradient_of_the_log_partition():
    layer = make(4)
    _, logits, mask = example((3, 5, 4))
    mask[2] = False
    scores = tf.transpose(logits * mask[:, :, np.newaxis], [1, 0, 2])
    start = layer.start.value
    with tf.GradientTape() as tape:
        tape.watch([scores, start])
        weights = layer.transitions.value, start, layer.end.value
        totals = log_partition(Chain(scores, *weights, mask.T))
    for n, row in enumerate(rows(logits, mask)[:2]):
        _, all_scores = all_paths(row, weights_of(layer))
        np.testing.assert_allclose(totals[n], log_sum(all_scores), rtol=1e-5)
    assert totals[2] == 0
    d_scores, d_start = tape.gradient(totals, [scores, start])
    expected = layer.marginals(logits, mask)
    assert_close(tf.transpose(d_scores, [1, 0, 2]), expected, atol=1e-5)
    assert_close(d_start, tf.reduce_sum(expected[:, 0], axis=0), atol=1e-5)


def test_a_second_gradient_is_refused():
    layer = make(4)
    tags, logits, mask = example((3, 5, 4))
    logits = tf.constant(logits)
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = layer.negative_log_likelihood(tags, logits, mask)
        first = tape.gradient(losses, logits)
    with pytest.raises(NotImplementedError, match="no second gradient"):
        outer.gradient(first, logits)


def test_it_learns_which_tag_follows_which():
    layer = LinearChainCRF(4)
    tags = np.tile([0, 1, 2, 3], (3, 4)).astype("int32")
    logits, mask = tf.zeros([3, 16, 4]), tf.fill([3, 16], True)
    optimizer = keras.optimizers.SGD(1.0)
    layer.build()
    for _ in range(10):
        _, _, *d_weights = loss_and_gradients(
            layer, tags, logits, mask, [0.03] * 3
        )
        optimizer.apply(d_weights, layer.trainable_variables)
    np.testing.assert_array_equal(layer.decode(logits, mask), tags)


def make_model():
    features = keras.Input([None, 3])
    mask = keras.Input([None], dtype="bool")
    layer = LinearChainCRF(4, name="crf")
    outputs = layer(keras.layers.Dense(4)(features), mask=mask)
    assert outputs.shape == (None, None, 4)
    return with_noise(keras.Model([features, mask], outputs))


def test_a_saved_model_is_the_same(tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    features, mask = noise(2, 5, 3), example((2, 5, 4))[2]
    assert_close(again([features, mask]), model([features, mask]))
    layer, loaded = model.get_layer("crf"), again.get_layer("crf")
    assert loaded.get_config() == layer.get_config()
    assert layer.get_config()["classes"] == 4
    assert_close(loaded.get_weights(), layer.get_weights())


def test_it_works_in_an_exported_model(tmp_path):
    layer = make(4)
    module = tf.Module()
    module.weights = [w.value for w in layer.weights]
    _, *specs = signature(4)

    @tf.function(input_signature=specs)
    def serve(logits, mask):
        return layer.decode(logits, mask), layer.marginals(logits, mask)

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for sizes in ((2, 5, 4), (1, 1, 4), (3, 200, 4)):
        _, logits, mask = example(sizes)
        tags, probabilities = loaded.serve(logits, mask)
        np.testing.assert_array_equal(tags, layer.decode(logits, mask))
        assert_close(probabilities, layer.marginals(logits, mask))
    tags, probabilities = loaded.serve(logits[:0], mask[:0])
    assert (tags.shape, probabilities.shape) == ((0, 200), (0, 200, 4))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 4), "LinearChainCRF expects .*, got shape .5, 4.: did you forget"),
        ((2, 0, 4), "LinearChainCRF expects at least one step, got shape"),
        ((2, 5, 3), "has 4 classes, got logits of shape .2, 5, 3.: make both"),
    ],
)
def test_logits_of_another_shape_are_told(shape, expected):
    with pytest.raises(ValueError, match=expected):
        make(4).decode(tf.zeros(shape), tf.fill(shape[:-1], True))


def test_no_step_is_told_when_the_graph_runs():
    _, *specs = signature(4)
    decode = tf.function(make(4).decode, input_signature=specs)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one st"):
        decode(tf.zeros([2, 0, 4]), tf.fill([2, 0], True))


def test_no_class_is_told():
    with pytest.raises(ValueError, match="classes must be a positive int"):
        LinearChainCRF(0)
