"""JSON of TensorFlow Serving's `predict` to arrays, without HTTP.

As json_tensor.cc of TensorFlow Serving and its page "RESTful API" have it:
`instances` are rows, `inputs` are columns, bytes are `{"b64": ...}`, floats may
be NaN and infinite. `answers` is the way back.

The differences are in favour of whoever made a mistake: numbers out of the
range of their type, shapes that no signature takes, and true where a number is
expected are refused by name.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from common.serving.failures import RequestError, shorten
from common.serving.signatures import (
    DEFAULT,
    Signature,
    Tensor,
    format_shape,
)

INSTANCES = "instances"
INPUTS = "inputs"
MAX_SHOWN = 60
# Types of Python that JSON may have for each kind of a dtype.
_TYPES: dict[str, set[type]] = {
    "f": {int, float},
    "V": {int, float},
    "b": {bool},
}

# From the name of a signature to the signature.
FindSignature = Callable[[str], Signature]


class Request(NamedTuple):
    """A request whose arrays are read.

    Attributes:
        signature: that is asked.
        inputs: by name.
        format: "instances" or "inputs".
    """

    signature: Signature
    inputs: dict[str, np.ndarray]
    format: str


def parse(body: bytes) -> dict[str, Any]:
    """Parses the body of a request: an object of JSON.

    Raises:
        RequestError: if it is none.

    Example:
        >>> parse(b'{"instances": [1.5, NaN]}')
        {'instances': [1.5, nan]}
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        value = _parse_leniently(body, error)
    if not isinstance(value, dict):
        raise RequestError(
            f"JSON Value: {show(value)} Is not object: expected"
            ' {"instances": [...]} or {"inputs": {...}}'
        )
    return value


def _parse_leniently(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """Parses what only TensorFlow Serving takes: NaN and Infinity."""
    if not body.strip():
        raise RequestError("JSON Parse error: The document is empty")
    if b"NaN" in body or b"Infinity" in body:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as other:
            raise RequestError(shorten(f"JSON Parse error: {other}")) from None
    raise RequestError(shorten(f"JSON Parse error: {error}"))


def decode(body: bytes, find_signature: FindSignature) -> Request:
    """Reads a request of `predict`.

    Args:
        body: JSON.
        find_signature: returns the signature of a name, or raises
            RequestError.

    Raises:
        RequestError: if it is no request, or not of this signature.
    """
    values = parse(body)
    signature = find_signature(signature_name(values))
    kinds = [key for key in (INSTANCES, INPUTS) if key in values]
    if not kinds:
        raise RequestError(
            "Missing 'inputs' or 'instances' key: expected one of them, got"
            f" {show(sorted(values))}"
        )
    if len(kinds) == 2:
        raise RequestError(
            "Not formatted correctly expecting only one of 'inputs' or"
            " 'instances' keys to exist"
        )
    read = _read_instances if kinds == [INSTANCES] else _read_inputs
    return Request(signature, read(values[kinds[0]], signature), kinds[0])


def signature_name(values: Mapping[str, Any]) -> str:
    """Returns the signature that a request names; the default one if none."""
    name = values.get("signature_name", "")
    if not isinstance(name, str):
        raise RequestError(
            f"'signature_name' key must be a string value, got {show(name)}"
        )
    return name or DEFAULT


def _read_inputs(value: Any, signature: Signature) -> dict[str, np.ndarray]:
    inputs = signature.inputs
    if not isinstance(value, dict) or is_base64(value):
        if len(inputs) > 1:
            raise RequestError(
                "inputs is a plain value/list, but expecting an object as"
                f" multiple input tensors required: {', '.join(inputs)}"
            )
        value = dict.fromkeys(inputs, value)
    missing = [name for name in inputs if name not in value]
    if missing:
        raise RequestError(
            f"Missing named input: {missing[0]} in 'inputs' object; got"
            f" {show(sorted(value))}"
        )
    return {
        name: to_array(value[name], tensor, name)
        for name, tensor in inputs.items()
    }


def _read_instances(rows: Any, signature: Signature) -> dict[str, np.ndarray]:
    if not isinstance(rows, list):
        raise RequestError(
            f"Expecting 'instances' to be an list/array, got {show(rows)}"
        )
    if not rows:
        raise RequestError("No values in 'instances' array")
    inputs = signature.inputs
    if not isinstance(rows[0], dict) or is_base64(rows[0]):
        if len(inputs) > 1:
            raise RequestError(
                "instances is a plain list, but expecting list of objects as"
                f" multiple input tensors required: {', '.join(inputs)}"
            )
        (name,) = inputs
        return {name: to_array(rows, inputs[name], name)}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != inputs.keys():
            raise RequestError(
                f"Failed to process element: {number} of 'instances' list."
                f" {show(row)}: expected an object with the keys"
                f" {', '.join(inputs)}"
            )
    return {
        name: to_array([row[name] for row in rows], tensor, name)
        for name, tensor in inputs.items()
    }


def to_array(value: Any, tensor: Tensor, name: str) -> np.ndarray:
    """Converts a value of JSON to the array that a signature takes.

    Args:
        value: a number, text, true, {"b64": ...}, or nested lists of them.
        tensor: what is expected.
        name: of the input, for errors.

    Raises:
        RequestError: if it has another type or shape, or is ragged.

    Example:
        >>> floats = Tensor("", np.dtype("f4"), "float", (None, 2))
        >>> to_array([[1, 2.5]], floats, "x")
        array([[1. , 2.5]], dtype=float32)
        >>> to_array([[1, 2], [3]], floats, "x")
        Traceback (most recent call last):
            ...
        common.serving.failures.RequestError: x: expected lists of equal ...
    """
    shape = _measure(value)
    leaves: list[Any] = []
    _flatten(value, shape, 0, leaves, name)
    array = _convert(leaves, tensor, name)
    if 0 in shape:  # Of no rows, nothing tells how many axes they have.
        shape = _complete(shape, tensor.shape)
    check_shape(shape, tensor, name)
    return array.reshape(shape)


def _measure(value: Any) -> tuple[int, ...]:
    """Returns the shape of nested lists, judged by their first elements."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(
    value: Any,
    shape: tuple[int, ...],
    level: int,
    leaves: list[Any],
    name: str,
) -> None:
    """Appends all values of nested lists, if each list is as long as others."""
    if level == len(shape):
        if isinstance(value, list):
            raise _ragged(name, shape)
        leaves.append(value)
        return
    if not isinstance(value, list) or len(value) != shape[level]:
        raise _ragged(name, shape)
    if level == len(shape) - 1:
        if list in map(type, value):
            raise _ragged(name, shape)
        leaves.extend(value)
        return
    for element in value:
        _flatten(element, shape, level + 1, leaves, name)


def _ragged(name: str, shape: tuple[int, ...]) -> RequestError:
    return RequestError(
        f"{name}: expected lists of equal length, as the first ones of shape"
        f" {format_shape(shape)} are; pad the others"
    )


def _convert(leaves: list[Any], tensor: Tensor, name: str) -> np.ndarray:
    dtype = tensor.dtype
    if dtype.kind == "O":
        values = [_to_bytes(value, name) for value in leaves]
        result = np.empty(len(values), object)
        result[:] = values
        return result
    types = _TYPES.get(dtype.kind, {int})
    if not set(map(type, leaves)) <= types:
        wrong = next(x for x in leaves if type(x) not in types)
        raise RequestError(
            f"{name}: JSON Value: {show(wrong)} Type: {_json_type(wrong)} is"
            f" not of expected type: {tensor.dtype_name}"
        )
    try:
        return np.array(leaves, dtype)
    except OverflowError:
        raise RequestError(
            f"{name}: a number is out of the range of {tensor.dtype_name}"
        ) from None


def _to_bytes(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if not is_base64(value):
        raise RequestError(
            f"{name}: JSON Value: {show(value)} Type: {_json_type(value)} is"
            ' not of expected type: string; bytes are {"b64": "..."}'
        )
    return decode_base64(value, name)


def decode_base64(value: dict[str, str], name: str) -> bytes:
    """Decodes `{"b64": ...}`, with or without padding at its end.

    Args:
        value: one that `is_base64`.
        name: of the input, for errors.

    Raises:
        RequestError: if it cannot be decoded.

    Example:
        >>> decode_base64({"b64": "YWI"}, "x")
        b'ab'
    """
    text = value["b64"].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(
            f"{name}: Unable to base64 decode {show(text)}"
        ) from None


def is_base64(value: Any) -> bool:
    """Returns True for bytes in JSON: `{"b64": ...}` alone."""
    return (
        isinstance(value, dict)
        and len(value) == 1
        and isinstance(value.get("b64"), str)
    )


def _complete(
    shape: tuple[int, ...], expected: tuple[int | None, ...] | None
) -> tuple[int, ...]:
    """Adds the axes that empty lists do not show."""
    if expected is None or len(shape) >= len(expected):
        return shape
    return shape + tuple(size or 0 for size in expected[len(shape) :])


def check_shape(shape: tuple[int, ...], tensor: Tensor, name: str) -> None:
    """Checks that an input has the axes and sizes of its tensor.

    Args:
        shape: that came.
        tensor: what is expected.
        name: of the input, for errors.

    Raises:
        RequestError: if it has not.
    """
    expected = tensor.shape
    if expected is None:
        return
    fits = len(shape) == len(expected) and all(
        wanted in (None, size)
        for wanted, size in zip(expected, shape, strict=True)
    )
    if not fits:
        advice = ""
        if len(shape) == len(expected) - 1:
            advice = ": did you forget the list around one row?"
        raise RequestError(
            f"{name}: expected shape {format_shape(expected)}, got"
            f" {format_shape(shape)}{advice}"
        )


def _json_type(value: Any) -> str:
    names = {
        bool: "True" if value is True else "False",
        int: "Number",
        float: "Number",
        str: "String",
        list: "Array",
        dict: "Object",
    }
    return names.get(type(value), "Null")


def show(value: Any) -> str:
    """Returns the beginning of a value, for an error.

    Example:
        >>> show({"a": [1, None], "b": True})
        '{"a": "...", "b": true}'
    """
    # A request may be 100 MB: only what is shown is formatted.
    if isinstance(value, str):
        value = value[: MAX_SHOWN + 1]
    elif isinstance(value, list):
        value = [_outline(x) for x in value[:4]]
    elif isinstance(value, dict):
        value = {
            str(key)[:MAX_SHOWN]: _outline(value[key])
            for key in list(value)[:4]
        }
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(type(value).__name__)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _outline(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MAX_SHOWN]
    return "..." if isinstance(value, list | dict) and value else value
