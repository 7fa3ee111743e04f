"""What the tests of the recurrent layers share: inputs, modes, closeness."""

import numpy as np
import tensorflow as tf

# Float32 carries 7 digits; a few steps of a few products lose one of them.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}

MODES = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": lambda function: tf.function(function, jit_compile=True),
}


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
    """Everything a layer returns, and d(a weighing of it all)/d(all)."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = tf.nest.flatten(layer(x, **kwargs))
        weighed = [
            tf.reduce_sum(y * noise(*y.shape, seed=20 + n))
            for n, y in enumerate(results)
        ]
        loss = tf.add_n(weighed)
    variables = [v.value for v in layer.trainable_variables]
    return results, tape.gradient(loss, [x, *variables])


def assert_close(actual, expected, **tolerance):
    actual, expected = tf.nest.flatten(actual), tf.nest.flatten(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or CLOSE))
