"""The named tensors of a SavedModel."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

DEFAULT = "serving_default"
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


class Tensor(NamedTuple):
    """An input or output.

    Attributes:
        name: in the graph, such as "serving_default_text:0".
        dtype: of NumPy; `object` for strings, which are bytes.
        dtype_name: TensorFlow's, such as "string".
        shape: None where any size is taken; None as a whole if not even the
            number of axes is known.
    """

    name: str
    dtype: np.dtype
    dtype_name: str
    shape: tuple[int | None, ...] | None


class Signature(NamedTuple):
    """A function of a SavedModel.

    Attributes:
        name: such as "serving_default".
        method: what it is for, as TensorFlow Serving names it.
        inputs: by name.
        outputs: by name.
    """

    name: str
    method: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def read_signatures(meta_graph: Any) -> dict[str, Signature]:
    """Reads the signatures that can be called, by name.

    Args:
        meta_graph: a MetaGraphDef.
    """
    return {
        name: Signature(
            name,
            definition.method_name,
            _read_tensors(definition.inputs),
            _read_tensors(definition.outputs),
        )
        for name, definition in sorted(meta_graph.signature_def.items())
        # What initialises the model has an output without a type.
        if all(tensor.dtype for tensor in definition.outputs.values())
    }


def _read_tensors(infos: Mapping[str, Any]) -> dict[str, Tensor]:
    import tensorflow as tf

    result = {}
    for name, info in sorted(infos.items()):
        dtype = tf.as_dtype(info.dtype)
        shape = None
        if not info.tensor_shape.unknown_rank:
            sizes = [axis.size for axis in info.tensor_shape.dim]
            shape = tuple(None if size < 0 else size for size in sizes)
        result[name] = Tensor(
            info.name, np.dtype(dtype.as_numpy_dtype), dtype.name, shape
        )
    return result


def format_metadata(meta_graph: Any) -> dict[str, Any]:
    """Returns the signatures as TensorFlow Serving's metadata has them.

    Args:
        meta_graph: a MetaGraphDef.

    Returns:
        For JSON: `{"signature_def": {NAME: ...}}`.
    """
    from google.protobuf import json_format

    definitions = {
        name: json_format.MessageToDict(
            definition,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for name, definition in sorted(meta_graph.signature_def.items())
    }
    return {"signature_def": definitions}


def format_shape(shape: tuple[int | None, ...] | None) -> str:
    """Returns a shape for messages.

    Example:
        >>> format_shape((None, 32, 3)), format_shape(None)
        ('[?, 32, 3]', '[...]')
    """
    if shape is None:
        return "[...]"
    sizes = ("?" if size is None else str(size) for size in shape)
    return f"[{', '.join(sizes)}]"
