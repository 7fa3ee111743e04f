"""The kernels of all recurrent layers of a model, for a while."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def use_kernels(model: keras.Model, **settings: Any) -> Iterator[None]:
    """Sets attributes of all LSTM and GRU layers, and sets them back.

    What a graph was traced with it keeps: set them where it is traced.

    Args:
        model: the model, or a layer.
        **settings: values by the name of the attribute, such as `kernel`; a
            layer that has no such attribute is left as it is.

    Example:
        >>> from common import LSTM
        >>> model = keras.Sequential([keras.Input((None, 2)), LSTM(3)])
        >>> with use_kernels(model, kernel="generic"):
        ...     print(model.layers[0].kernel)
        generic
        >>> model.layers[0].kernel
        'auto'
    """
    before = [
        (layer, name, getattr(layer, name))
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.LSTM | keras.layers.GRU)
        for name in settings
        if hasattr(layer, name)
    ]
    for layer, name, _ in before:
        setattr(layer, name, settings[name])
    try:
        yield
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)


@contextlib.contextmanager
def for_inference(model: keras.Model) -> Iterator[None]:
    """Lets the layers of a model take the kernel that only answers.

    Around what is called while a graph is traced, or as a decorator of it. No
    gradient passes those layers then.

    Example:
        >>> from common import LSTM
        >>> model = keras.Sequential([keras.Input((None, 2)), LSTM(3)])
        >>> answer = for_inference(model)(lambda x: model(x))
        >>> answer(keras.ops.ones([1, 5, 2])).shape
        TensorShape([1, 3])
    """
    with use_kernels(model, kernel="inference"):
        yield
