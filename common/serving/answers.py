"""Arrays to the JSON of TensorFlow Serving's answers, without HTTP.

As json_tensor.cc of TensorFlow Serving has it: rows are answered by
`predictions`, columns by `outputs`; floats are as short as their type allows.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from common.serving.codec import INPUTS, INSTANCES, show
from common.serving.failures import RequestError

# How outputs are named for which inputs.
_ANSWERS = {INSTANCES: "predictions", INPUTS: "outputs"}
# Outputs of bytes have names that end so.
BYTES_SUFFIX = "_bytes"


def encode(outputs: Mapping[str, np.ndarray], format: str) -> bytes:
    """Returns the body of an answer.

    One output stands without its name, as TensorFlow Serving has it.

    Args:
        outputs: by name; strings are arrays of bytes.
        format: of the request, "instances" or "inputs".

    Raises:
        RequestError: if rows are asked for, and outputs have not as many.

    Example:
        >>> outputs = {"x": np.array([0.1, 2], "f4")}
        >>> encode(outputs, "instances")
        b'{"predictions":[0.1,2.0]}'
        >>> encode(outputs | {"y": np.array([b"a", b"b"], object)}, "inputs")
        b'{"outputs":{"x":[0.1,2.0],"y":["a","b"]}}'
    """
    columns = {
        name: _to_json(name, np.asarray(value))
        for name, value in outputs.items()
    }
    answer: Any = columns
    if format == INSTANCES:
        answer = _to_rows(columns)
    elif len(columns) == 1:
        (answer,) = columns.values()
    return dump({_ANSWERS[format]: answer})


def encode_row(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns an object of the outputs of one row.

    Args:
        outputs: by name, `[1, ...]`.

    Example:
        >>> encode_row({"x": np.array([[0.1, 2]], "f4")})
        b'{"x":[0.1,2.0]}'
    """
    return dump({name: _to_json(name, x)[0] for name, x in outputs.items()})


def _to_json(name: str, value: np.ndarray) -> Any:
    """Returns what `dump` can write: an array of numbers, or lists."""
    kind = value.dtype.kind
    if kind == "O":
        is_bytes = name.endswith(BYTES_SUFFIX)
        write = _write_base64 if is_bytes else _write_text
        flat = np.empty(value.size, object)
        flat[:] = [write(x) for x in value.ravel()]
        return flat.reshape(value.shape).tolist()
    if value.dtype.itemsize < 4 and kind in "fV":
        value = value.astype(np.float32)
    if kind in "fV" and not np.isfinite(value).all():
        # Each as short as its type allows: 0.1, not 0.10000000149.
        short = [float(str(x)) for x in value.ravel()]
        return np.array(short, object).reshape(value.shape).tolist()
    return np.ascontiguousarray(value) if value.ndim else value.item()


def _write_text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _write_base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _to_rows(columns: dict[str, Any]) -> list[Any]:
    counts = {
        name: len(value) if hasattr(value, "__len__") else None
        for name, value in columns.items()
    }
    if None in counts.values() or len(set(counts.values())) > 1:
        raise RequestError(
            f"outputs have no batch size in common ({show(counts)}): ask with"
            ' "inputs" in place of "instances"'
        )
    if len(columns) == 1:
        (value,) = columns.values()
        return list(value)
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def dump(value: Any) -> bytes:
    """Returns JSON; NaN and infinities as TensorFlow Serving writes them.

    Args:
        value: of JSON, or with arrays of numbers in it.
    """
    if _has_special(value):
        return json.dumps(value, default=_to_list).encode()
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _has_special(value: Any) -> bool:
    """Returns True if there is a NaN or an infinity, in lists of Python."""
    if isinstance(value, dict):
        return any(map(_has_special, value.values()))
    if isinstance(value, list):
        return any(map(_has_special, value))
    return isinstance(value, float) and not np.isfinite(value)


def _to_list(value: Any) -> Any:
    return value.tolist()


def encode_error(message: str) -> bytes:
    """Returns the body of an answer to a refused request."""
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()})
