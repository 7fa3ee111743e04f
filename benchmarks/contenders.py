"""LSTM layers to compare: each gives a forward and a training step.

A step takes nothing and returns when its result is computed. A training step
goes forward and backward, to the inputs and to all weights.

A process imports one contender's libraries only, so they are imported inside.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Shape(NamedTuple):
    """The sizes of one comparison."""

    batch: int
    time: int
    features: int
    units: int

    @property
    def forward_flops(self) -> float:
        """Multiplications and additions of the matrix products, forward."""
        size = self.features + self.units
        return 2.0 * self.batch * self.time * size * 4 * self.units


class Steps(NamedTuple):
    """The steps of a contender to time, and its kernel.

    The kernel is None for `common`, whose log tells which one it took.
    """

    forward: Callable[[], Any]
    train: Callable[[], Any]
    kernel: str | None = None


Contender = Callable[[Shape], Steps]


def inputs(shape: Shape) -> np.ndarray:
    """The same random sequences for every contender."""
    rng = np.random.default_rng(0)
    size = (shape.batch, shape.time, shape.features)
    return rng.normal(size=size).astype("float32")


def common_layer(shape: Shape, **options: Any) -> Steps:
    """`common.LSTM` in a graph."""
    import common

    layer = common.LSTM(shape.units, return_sequences=True, **options)
    return _tensorflow(layer, shape)


def keras_graph(shape: Shape, **options: Any) -> Steps:
    """`keras.layers.LSTM` in a graph, as `fit` runs it on a CPU."""
    return _tensorflow(_keras_layer(shape, **options), shape, "while loop")


def keras_jit(shape: Shape) -> Steps:
    """`keras.layers.LSTM` with everything compiled by XLA."""
    return _tensorflow(_keras_layer(shape), shape, "XLA", jit_compile=True)


def _keras_layer(shape: Shape, **options: Any) -> Any:
    import keras

    import common  # noqa: F401  Chooses the backend.

    return keras.layers.LSTM(shape.units, return_sequences=True, **options)


def _tensorflow(
    layer: Any, shape: Shape, kernel: str | None = None, **options: Any
) -> Steps:
    import tensorflow as tf

    x = tf.constant(inputs(shape))
    layer.build(x.shape)
    weights = [weight.value for weight in layer.weights]

    @tf.function(**options)
    def forward() -> tf.Tensor:
        return layer(x)

    @tf.function(**options)
    def train() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(outputs * outputs)
        return tape.gradient(loss, [x, *weights])

    return Steps(
        lambda: forward().numpy(),
        lambda: [gradient.numpy() for gradient in train()],
        kernel,
    )


def keras_on_jax(shape: Shape) -> Steps:
    """`keras.layers.LSTM` on JAX, compiled as `fit` does there."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    import keras

    layer = keras.layers.LSTM(shape.units, return_sequences=True)
    x = jax.numpy.asarray(inputs(shape))
    layer.build(x.shape)
    weights = [weight.value for weight in layer.weights]
    seeds = [variable.value for variable in layer.non_trainable_variables]

    def run(weights: list, x: Any) -> Any:
        return layer.stateless_call(weights, seeds, x)[0]

    forward = jax.jit(run)
    train = jax.jit(
        jax.grad(lambda w, x: (run(w, x) ** 2).sum(), argnums=(0, 1))
    )
    return Steps(
        lambda: forward(weights, x).block_until_ready(),
        lambda: jax.block_until_ready(train(weights, x)),
        "XLA",
    )


def torch_lstm(shape: Shape) -> Steps:
    """`torch.nn.LSTM`."""
    import torch

    layer = torch.nn.LSTM(shape.features, shape.units, batch_first=True)
    x = torch.tensor(inputs(shape), requires_grad=True)

    def forward() -> Any:
        with torch.no_grad():
            return layer(x)[0]

    def train() -> Any:
        layer.zero_grad()
        x.grad = None
        (layer(x)[0] ** 2).sum().backward()
        return x.grad

    return Steps(forward, train, "mkldnn")


fused = functools.partial(common_layer, kernel="fused")

LAYERS: dict[str, Contender] = {
    "common": fused,
    "common generic": functools.partial(common_layer, kernel="generic"),
    "keras graph": keras_graph,
    "keras jit": keras_jit,
    "keras on jax": keras_on_jax,
    "torch": torch_lstm,
}
PRECISIONS: dict[str, Contender] = {
    "common": fused,
    "common bf16": functools.partial(fused, dtype="mixed_bfloat16"),
    "keras graph": keras_graph,
    "keras bf16": functools.partial(keras_graph, dtype="mixed_bfloat16"),
}
