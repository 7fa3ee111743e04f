"""Attention against NumPy, one query of one row at a time."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.layers.attention import SCORES, Attention, Memory
from tests.support.recurrent import (
    MODES,
    assert_close,
    noise,
    with_noise,
)

# Batch, queries, source, features, memory features.
SIZES = [(1, 1, 1, 1, 1), (2, 3, 4, 5, 6), (3, 1, 7, 4, 2), (4, 6, 2, 3, 8)]


@pytest.fixture(params=SCORES)
def score(request):
    return request.param


@pytest.fixture(params=SIZES, ids=str)
def sizes(request, score):
    batch, queries, source, features, memory_features = request.param
    if score == "dot":
        memory_features = features
    return batch, queries, source, features, memory_features


def make(score, features, memory_features, **options):
    layer = Attention(score, features, memory_features, **options)
    return with_noise(layer, None)


def example(sizes, seed=0):
    """Queries, values and a mask of rows of various length, some padded."""
    batch, queries, source, features, memory_features = sizes
    lengths = np.random.default_rng(seed).integers(1, source + 1, batch)
    return (
        noise(batch, queries, features, seed=seed),
        noise(batch, source, memory_features, seed=seed + 1),
        np.arange(source) < lengths[:, np.newaxis],
    )


def attend(layer, queries, values, mask):
    return layer(queries, layer.memory(values, mask))


def numpy_score(weights, query, value):
    """Of one query and one value, after the equations of the class."""
    if not weights:
        return query @ value
    key = value @ weights["memory_kernel"]
    if len(weights) == 1:
        return query @ key
    hidden = np.tanh(key + query @ weights["query_kernel"])
    return weights["score_kernel"] @ hidden


def numpy_attention(layer, queries, values, mask):
    """Contexts and weights in float64; padding is left out altogether."""
    weights = {w.name: w.numpy().astype("float64") for w in layer.weights}
    contexts = np.zeros([*queries.shape[:2], values.shape[2]])
    weights_by_query = np.zeros([*queries.shape[:2], values.shape[1]])
    for row, k in np.ndindex(queries.shape[:2]):
        real = np.flatnonzero(mask[row])
        query = queries[row, k].astype("float64")
        scores = [numpy_score(weights, query, values[row, n]) for n in real]
        powers = np.exp(scores)
        weights_by_query[row, k, real] = powers / powers.sum()
        contexts[row, k] = weights_by_query[row, k] @ values[row]
    return contexts, weights_by_query


@pytest.mark.parametrize("seed", range(3))
def test_each_score_is_its_equation(score, sizes, seed):
    layer = make(score, *sizes[3:])
    inputs = example(sizes, seed)
    expected = numpy_attention(layer, *inputs)
    assert_close(attend(layer, *inputs), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_the_same_in_a_graph(score, mode):
    layer = make(score, 5, 5)
    inputs = example((2, 3, 4, 5, 5))
    actual = MODES[mode](lambda *inputs: attend(layer, *inputs))(*inputs)
    assert_close(actual, numpy_attention(layer, *inputs), atol=1e-5)


def test_the_scores_have_the_weights_they_need():
    shapes = {
        score: [w.shape for w in make(score, 3, 3).weights] for score in SCORES
    }
    assert shapes == {
        "dot": [],
        "general": [(3, 3)],
        "additive": [(3, 3), (3, 3), (3,)],
    }


def test_weights_sum_to_one_and_are_nothing_on_padding(score, sizes):
    queries, values, mask = example(sizes)
    layer = make(score, *sizes[3:])
    # Far-off scores too: they must not reach below those of padding.
    for factor in (1.0, 1000.0):
        _, weights = attend(layer, factor * queries, factor * values, mask)
        assert weights.dtype == tf.float32
        np.testing.assert_allclose(tf.reduce_sum(weights, -1), 1, rtol=1e-5)
        padding = np.broadcast_to(~mask[:, np.newaxis], weights.shape)
        assert not weights.numpy()[padding].any()


def results_and_gradients(layer, queries, values, mask):
    """Contexts and weights, and d(a weighing of contexts)/d(all)."""
    inputs = [tf.constant(queries), tf.constant(values)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        context, weights = attend(layer, *inputs, mask)
        loss = tf.reduce_sum(context * noise(*context.shape, seed=9))
    variables = [v.value for v in layer.trainable_variables]
    return context, weights, tape.gradient(loss, [*inputs, *variables])


def test_padding_changes_no_context_and_no_gradient(score):
    queries, values, mask = example((3, 2, 4, 5, 5))
    layer = make(score, 5, 5)
    context, weights, short_grads = results_and_gradients(
        layer, queries, values, mask
    )
    padded = np.where(mask[:, :, np.newaxis], values, 77)
    padded = np.concatenate([padded, 1e3 * noise(3, 6, 5, seed=5)], axis=1)
    more = np.pad(mask, [[0, 0], [0, 6]])
    *results, long_grads = results_and_gradients(layer, queries, padded, more)
    no_weight = np.zeros([3, 2, 6])
    assert_close(results, [context, np.concatenate([weights, no_weight], 2)])
    d_queries, d_values, *d_weights = long_grads
    assert not d_values.numpy()[~more].any()
    assert_close([d_queries, d_values[:, :4], *d_weights], short_grads)


@pytest.mark.parametrize("factor", [0.0, 1.0, 1e4])
def test_gradients_are_finite(score, sizes, factor):
    queries, values, mask = example(sizes)
    layer = make(score, *sizes[3:])
    *_, gradients = results_and_gradients(
        layer, factor * queries, factor * values, mask
    )
    for gradient in gradients:
        assert np.isfinite(gradient).all()


def test_all_weights_learn(score):
    *_, gradients = results_and_gradients(
        make(score, 5, 5), *example((3, 2, 4, 5, 5))
    )
    for gradient in gradients:
        assert np.abs(gradient).max() > 1e-3


def test_queries_do_not_see_each_other(score):
    queries, values, mask = example((3, 4, 5, 6, 6))
    layer = make(score, 6, 6)
    together = attend(layer, queries, values, mask)
    for k in range(4):
        alone = attend(layer, queries[:, k : k + 1], values, mask)
        assert_close(alone, [x[:, k : k + 1] for x in together])


def test_the_memory_keeps_real_values_and_the_mask(score):
    _, values, mask = example((3, 4, 5, 6, 6))
    memory = Attention(score, 6, 6).memory(values, mask)
    assert isinstance(memory, Memory)
    real = np.where(mask[:, :, np.newaxis], values, 0)
    np.testing.assert_array_equal(memory.values, real)
    np.testing.assert_array_equal(memory.mask, mask)


def test_sizes_that_the_graph_does_not_know(score):
    layer = make(score, 5, 5)
    floats = tf.TensorSpec([None, None, 5])
    signature = [floats, floats, tf.TensorSpec([None, None], tf.bool)]
    graph = tf.function(
        lambda *inputs: attend(layer, *inputs), input_signature=signature
    )
    for sizes in ((2, 3, 4, 5, 5), (1, 1, 1, 5, 5)):
        inputs = example(sizes)
        assert_close(graph(*inputs), numpy_attention(layer, *inputs))


def test_no_rows(score):
    context, weights = attend(
        make(score, 5, 5), *(x[:0] for x in example((1, 3, 4, 5, 5)))
    )
    assert context.shape == (0, 3, 5)
    assert weights.shape == (0, 3, 4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_weights_are_float32_whatever_the_values_are(score, dtype):
    inputs = example((3, 2, 4, 5, 5))
    layer = make(score, 5, 5, dtype=dtype)
    queries, values = (tf.cast(x, layer.compute_dtype) for x in inputs[:2])
    context, weights = attend(layer, queries, values, inputs[2])
    assert context.dtype == layer.compute_dtype
    assert weights.dtype == tf.float32
    expected = numpy_attention(layer, *inputs)
    assert_close(weights, expected[1], atol=0.05)
    assert_close(tf.cast(context, tf.float32), expected[0], atol=0.1)


def test_a_layer_made_of_its_config_is_the_same(score):
    layer = make(score, 6, 6, name="attention")
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    again.set_weights(layer.get_weights())
    inputs = example((2, 3, 4, 6, 6))
    assert_close(attend(again, *inputs), attend(layer, *inputs))


def test_the_config_holds_every_argument():
    config = Attention("additive", 3, 7).get_config()
    assert config["score"] == "additive"
    assert (config["features"], config["memory_features"]) == (3, 7)


def test_an_unknown_score_is_told():
    expected = "score must be one of dot, general, additive, got 'cosine'"
    with pytest.raises(ValueError, match=expected):
        Attention("cosine", 3, 3)


def test_dot_of_different_sizes_is_told():
    expected = "needs queries and values of one size, got 3 and 4: choose 'gen"
    with pytest.raises(ValueError, match=expected):
        Attention("dot", 3, 4)
