"""Functions of a model that become files: on ids and numbers, no strings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Arrays = dict[str, np.ndarray]


class Tensor(NamedTuple):
    """An input of a graph.

    Attributes:
        dtype: such as tf.int32.
        axes: sizes, or the names of axes of any size, such as "batch".
        note: what it holds, for people.
    """

    dtype: tf.DType
    axes: tuple[str | int, ...]
    note: str = ""

    def to_spec(self, name: str, batch: int | None) -> tf.TensorSpec:
        """Returns it as TensorFlow has it, for `batch` rows."""
        sizes: list = [None if isinstance(x, str) else x for x in self.axes]
        return tf.TensorSpec([batch, *sizes[1:]], self.dtype, name)


class Graph(NamedTuple):
    """A function of a model, to be written as one file.

    Attributes:
        name: of the file, such as "encode".
        function: from tensors in the order of `inputs` to tensors by name.
        inputs: by name; the first axis of each is "batch". No output has the
            name of an input.
        cases: inputs by name, to compare the answers of the file with.
    """

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    inputs: dict[str, Tensor]
    cases: list[Arrays]

    def trace(self) -> Any:
        """Returns the function as a graph of TensorFlow, for any batch."""
        specs = self.to_specs(None)
        function = tf.function(self.function, input_signature=specs)
        return function.get_concrete_function()

    def to_specs(self, batch: int | None) -> list[tf.TensorSpec]:
        """Returns the inputs as TensorFlow has them."""
        pairs = self.inputs.items()
        return [tensor.to_spec(name, batch) for name, tensor in pairs]


def make_step_graph(
    function: Callable[..., dict[str, tf.Tensor]],
    states: Sequence[Mapping[str, tf.Tensor]],
    start: int,
) -> Graph:
    """Returns the graph `decode_step` of a decoder.

    Args:
        function: from the last ids <int32>[batch] and a state, in the order of
            its names, to `logits` <float32>[batch, vocab] and what changes of
            the state, as `next_NAME`.
        states: the first ones of some batches, by name. The axis `source` of
            their memory may have any size if it has another one in each.
        start: the id before the first one.
    """
    cases = []
    for first_state in states:
        state = dict(first_state)
        ids = tf.fill([len(next(iter(state.values())))], start)
        for _ in range(2):  # The first state is mostly zeros.
            cases.append({"ids": ids.numpy()} | to_numpy(state))
            outputs = function(ids, *state.values())
            ids = tf.argmax(outputs["logits"], -1, output_type=tf.int32)
            state = {k: outputs.get(f"next_{k}", v) for k, v in state.items()}
    inputs = {"ids": Tensor(tf.int32, ("batch",), "the last ones")}
    for name, first in states[0].items():
        axes = _find_axes([state[name] for state in states])
        inputs[name] = Tensor(first.dtype, axes)
    return Graph("decode_step", function, inputs, cases)


def _find_axes(values: Sequence[tf.Tensor]) -> tuple[str | int, ...]:
    """Returns the axes of tensors; one that differs between them is "source".

    Example:
        >>> _find_axes([tf.zeros([1, 3, 8]), tf.zeros([7, 5, 8])])
        ('batch', 'source', 8)
    """
    sizes = [set(x) for x in zip(*(x.shape[1:] for x in values), strict=True)]
    axes = ("source" if len(x) > 1 else x.pop() for x in sizes)
    return ("batch", *axes)


def to_numpy(tensors: Mapping[str, tf.Tensor]) -> Arrays:
    """Returns tensors by name as arrays."""
    return {name: value.numpy() for name, value in tensors.items()}
