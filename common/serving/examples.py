"""JSON of TensorFlow Serving's `classify` and `regress`, to Examples.

As json_tensor.cc of TensorFlow Serving has it: an object is a `tf.Example`,
whose features are numbers, texts, bytes, or lists of one kind of them.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common.serving import answers, codec
from common.serving.failures import RequestError
from common.serving.signatures import CLASSIFY, REGRESS, Signature

METHODS = {"classify": CLASSIFY, "regress": REGRESS}
INPUTS = "inputs"  # The one input of such a signature: serialized Examples.


class Request(NamedTuple):
    """A request whose Examples are read.

    Attributes:
        signature: that is asked.
        inputs: `inputs` <string>[batch], serialized Examples.
    """

    signature: Signature
    inputs: dict[str, np.ndarray]


def decode(
    body: bytes, method: str, find_signature: codec.FindSignature
) -> Request:
    """Reads a request of `classify` or `regress`.

    Args:
        body: JSON.
        method: one of METHODS.
        find_signature: returns the signature of a name, or raises
            RequestError.

    Raises:
        RequestError: if it is no request, or the signature is for another
            method.
    """
    values = codec.parse(body)
    signature = find_signature(codec.signature_name(values))
    check_method(signature, method)
    rows = values.get("examples")
    if not isinstance(rows, list) or not rows:
        raise RequestError(
            f"When method is {method}, key 'examples' is expected and must be"
            " a list/array of objects that is not empty"
        )
    context = _read_features(values.get("context", {}))
    serialized = np.empty(len(rows), object)
    serialized[:] = [_serialize(context | _read_features(x)) for x in rows]
    return Request(signature, {INPUTS: serialized})


def check_method(signature: Signature, method: str) -> None:
    """Checks that a signature is for `classify` or `regress`.

    Raises:
        RequestError: if it is not.
    """
    expected = METHODS[method]
    if signature.method != expected or [*signature.inputs] != [INPUTS]:
        raise RequestError(
            f"Expected {method} signature method_name to be {expected}. Was:"
            f" {signature.method}: ask :predict"
        )


def _serialize(features: dict[str, tf.train.Feature]) -> bytes:
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _read_features(value: Any) -> dict[str, tf.train.Feature]:
    if not isinstance(value, dict):
        raise RequestError(
            f"Example must be JSON object but got {codec.show(value)}"
        )
    return {
        name: _read_feature(name, x if isinstance(x, list) else [x])
        for name, x in value.items()
    }


def _read_feature(name: str, values: list[Any]) -> tf.train.Feature:
    types = set(map(type, values))
    if types <= {bool, int}:
        try:
            ints = tf.train.Int64List(value=list(map(int, values)))
        except (ValueError, OverflowError):
            raise RequestError(
                f"Feature: {name} has a number beyond int64"
            ) from None
        return tf.train.Feature(int64_list=ints)
    if types == {float}:
        floats = tf.train.FloatList(value=values)
        return tf.train.Feature(float_list=floats)
    if types <= {str, dict}:
        data = [_read_bytes(name, value) for value in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=data))
    raise RequestError(
        f"Feature: {name} has values of several kinds, or of an unexpected"
        f" one: {codec.show(values)}; expected whole numbers, decimal numbers,"
        ' or texts and {"b64": "..."}'
    )


def _read_bytes(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if not codec.is_base64(value):
        raise RequestError(
            f"Feature: {name} has element with unexpected JSON type:"
            f" {codec.show(value)}"
        )
    return codec.decode_base64(value, f"Feature: {name}")


def encode(method: str, outputs: dict[str, np.ndarray]) -> bytes:
    """Returns the body of an answer: `{"results": [...]}`.

    Args:
        method: one of METHODS.
        outputs: `scores` and `classes` <any>[batch, classes], one of which
            may be missing; or `outputs` <float>[batch].
    """
    if method == "regress":
        values = np.asarray(outputs["outputs"], np.float32)
        return answers.dump({"results": values.reshape(len(values)).tolist()})
    scores, classes = outputs.get("scores"), outputs.get("classes")
    if scores is None:
        assert classes is not None
        scores = np.zeros(classes.shape, np.float32)
    labels = [[""] * scores.shape[1]] * len(scores)
    if classes is not None:
        labels = [
            [x.decode("utf-8", "replace") for x in row] for row in classes
        ]
    results = [
        [[label, float(str(score))] for label, score in zip(*row, strict=True)]
        for row in zip(labels, scores, strict=True)
    ]
    return answers.dump({"results": results})
