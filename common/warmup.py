"""Warm-up requests beside a SavedModel, for TensorFlow Serving and our server.

A server plays them before it gives a version to clients: the first request
takes longer than the others. They are records of `PredictionLog`, whose
messages are described here by the fields that matter, so that neither writing
nor reading them needs a package but TensorFlow.

Reference:
    prediction_log.proto, predict.proto and model.proto of TensorFlow Serving.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
)
from tensorflow.core.framework import tensor_pb2

RECORDS = "assets.extra/tf_serving_warmup_requests"
BATCHES = (1, 8)
MAX_RECORDS = 1000  # TensorFlow Serving reads no more.
# Message to its fields: (name, number, type); a type of bytes is a message
# that is parsed by TensorFlow. From prediction_log.proto, predict.proto and
# model.proto of TensorFlow Serving.
_MESSAGES = {
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "Input": [("key", 1, "string"), ("value", 2, "bytes")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "Input*")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
}


@functools.cache
def _log_class() -> Any:
    """Returns the class of PredictionLog, in a pool of its own.

    The common pool may hold TensorFlow Serving's own messages.
    """
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": kinds.TYPE_STRING, "bytes": kinds.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(
        name="warmup.proto", package="warmup", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, number, kind in fields:
            is_repeated = kind.endswith("*")
            added = described.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if is_repeated else 1,
                type=scalars.get(kind, kinds.TYPE_MESSAGE),
            )
            if kind not in scalars:
                added.type_name = f".warmup.{kind.removesuffix('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("warmup.PredictionLog")
    return message_factory.GetMessageClass(descriptor)


def write_requests(
    folder: Path, signature: str, inputs: dict[str, np.ndarray]
) -> None:
    """Writes a request for each size of BATCHES.

    Args:
        folder: the SavedModel.
        signature: to ask.
        inputs: its inputs by name, of at least one row; more are the same
            rows once more.
    """
    path = folder / RECORDS
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in BATCHES:
            rows = {x: repeat_rows(y, size) for x, y in inputs.items()}
            writer.write(encode_log(signature, rows))


def repeat_rows(values: np.ndarray, size: int) -> np.ndarray:
    """Returns the first rows of an array, and begins anew behind the last.

    Example:
        >>> repeat_rows(np.array([5, 6, 7]), 4).tolist()
        [5, 6, 7, 5]
    """
    return values[np.arange(size) % len(values)]


def encode_log(signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    r"""Encodes a request as a `PredictionLog`.

    Args:
        signature: to ask.
        inputs: its inputs by name; strings have dtype object.

    Example:
        >>> encode_log("a", {})
        b'2\x07\n\x05\n\x03\x1a\x01a'
    """
    log = _log_class()()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request.inputs.add(key=name, value=tensor)
    return log.SerializeToString()


def read_requests(
    folder: Path,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the signature and the inputs of each warm-up request.

    Args:
        folder: the SavedModel.

    Raises:
        ValueError: if they are damaged.
    """
    path = folder / RECORDS
    if not path.is_file():
        return
    records = tf.data.TFRecordDataset([str(path)]).take(MAX_RECORDS)
    try:
        for record in records.as_numpy_iterator():
            log = _log_class().FromString(record)
            request = log.predict_log.request
            inputs = {x.key: _to_array(x.value) for x in request.inputs}
            if inputs:
                yield request.model_spec.signature_name, inputs
    except (tf.errors.OpError, message.DecodeError) as error:
        raise ValueError(f"{path}: damaged ({error})") from error


def _to_array(serialized: bytes) -> np.ndarray:
    return tf.make_ndarray(tensor_pb2.TensorProto.FromString(serialized))
