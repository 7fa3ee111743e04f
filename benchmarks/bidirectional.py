"""Models with a bidirectional LSTM to compare, as `fit` trains them.

The training step is `train_on_batch`: the function that `fit` calls at every
step, loss and optimizer included, on the same batch every time. The forward
step is `predict_on_batch`.

`jit_compile` is "auto" unless said otherwise. For TensorFlow without a GPU
Keras takes "auto" as False, whatever the layers (they are asked, by
`supports_jit`, only where there is a GPU). So `keras.layers.LSTM` runs as a
loop of operations, and `common.LSTM` compiles its two loops by itself and lets
the directions run at the same time. On JAX "auto" compiles the whole step.
"""

import os
from typing import Any

from benchmarks.contenders import Contender, Shape, Steps, inputs


def common_bidirectional(shape: Shape) -> Steps:
    """`common.LSTM` as it comes: the kernel too is left to the layer."""
    import common

    layer = common.LSTM(shape.units, return_sequences=True)
    return _fitted(layer, shape)


def keras_graph(shape: Shape) -> Steps:
    """`keras.layers.LSTM` as it comes."""
    return _keras(shape, "while loop")


def keras_jit(shape: Shape) -> Steps:
    """`keras.layers.LSTM`, the whole step compiled by XLA."""
    return _keras(shape, "XLA", jit_compile=True)


def keras_on_jax(shape: Shape) -> Steps:
    """`keras.layers.LSTM` on JAX as it comes."""
    os.environ["KERAS_BACKEND"] = "jax"
    return _keras(shape, "XLA")


def _keras(shape: Shape, kernel: str, **options: Any) -> Steps:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    layer = keras.layers.LSTM(shape.units, return_sequences=True)
    return _fitted(layer, shape, **options)._replace(kernel=kernel)


def _fitted(layer: Any, shape: Shape, **options: Any) -> Steps:
    import keras

    model = keras.Sequential(
        [
            keras.Input((shape.time, shape.features)),
            keras.layers.Bidirectional(layer),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", **options)
    x = keras.ops.convert_to_tensor(inputs(shape))
    y = keras.ops.ones((shape.batch, 1))
    # The loss comes back as a number, when the step is done.
    return Steps(
        lambda: model.predict_on_batch(x), lambda: model.train_on_batch(x, y)
    )


BIDIRECTIONAL: dict[str, Contender] = {
    "common": common_bidirectional,
    "keras graph": keras_graph,
    "keras jit": keras_jit,
    "keras on jax": keras_on_jax,
}
