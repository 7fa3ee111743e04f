"""Inputs, modes and closeness, for the tests of the recurrent layers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

# Float32 carries 7 digits; a few steps of a few products lose one of them.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}

MODES = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}


def slow(*values):
    """Values of a parameter that are tested with --slow alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def diagonal(rows, columns):
    """Every row once and every column once; all pairs with --slow."""
    size = max(len(rows), len(columns))
    normal = [(n % len(rows), n % len(columns)) for n in range(size)]
    grid = itertools.product(range(len(rows)), range(len(columns)))
    return [
        pytest.param(
            rows[row],
            columns[column],
            marks=[] if (row, column) in normal else [pytest.mark.slow],
            id=f"{rows[row]}-{columns[column]}",
        )
        for row, column in grid
    ]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def with_noise(layer, inputs_shape=(3, 5, 4)):
    """Builds a layer and gives all its weights, biases too, random values."""
    if not layer.built:
        layer.build(inputs_shape)
    layer.set_weights(
        [noise(*w.shape, seed=10 + n) for n, w in enumerate(layer.weights)]
    )
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gradients(layer, x, **kwargs):
    """All results of a layer, and the gradients of a weighted sum of them."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = tf.nest.flatten(layer(x, **kwargs))
        terms = [
            tf.reduce_sum(y * noise(*y.shape, seed=20 + n))
            for n, y in enumerate(results)
        ]
        loss = tf.add_n(terms)
    variables = [v.value for v in layer.trainable_variables]
    return results, tape.gradient(loss, [x, *variables])


def assert_close(actual, expected, **tolerance):
    actual, expected = tf.nest.flatten(actual), tf.nest.flatten(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or CLOSE))
