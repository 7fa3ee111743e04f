"""Warm-up requests beside a SavedModel, for TensorFlow Serving.

A server plays them before it gives a version to clients: the first request
takes longer than the others. They are records of `PredictionLog`, of which a
few fields are enough; those are written here, so that an export needs no
package but TensorFlow.

Reference:
    prediction_log.proto, predict.proto and model.proto of TensorFlow Serving;
    https://protobuf.dev/programming-guides/encoding.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

RECORDS = "assets.extra/tf_serving_warmup_requests"
BATCHES = (1, 8)

# Numbers of the fields.
_PREDICT_LOG = 6  # Of PredictionLog.
_REQUEST = 1  # Of PredictLog.
_MODEL_SPEC, _INPUTS = 1, 2  # Of PredictRequest.
_SIGNATURE_NAME = 3  # Of ModelSpec.
_KEY, _VALUE = 1, 2  # Of an entry of a map.
_LENGTH_DELIMITED = 2  # The kind of fields whose length stands before them.


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
        >>> encode_log("", {})
        b'2\x04\n\x02\n\x00'
    """
    spec = encode_field(_SIGNATURE_NAME, signature.encode()) * bool(signature)
    request = encode_field(_MODEL_SPEC, spec)
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        entry = encode_field(_KEY, name.encode())
        entry += encode_field(_VALUE, tensor)
        request += encode_field(_INPUTS, entry)
    return encode_field(_PREDICT_LOG, encode_field(_REQUEST, request))


def encode_field(number: int, content: bytes) -> bytes:
    r"""Encodes a string, bytes or message as a field of a message.

    Example:
        >>> encode_field(3, b"ab")
        b'\x1a\x02ab'
    """
    tag = encode_varint(number << 3 | _LENGTH_DELIMITED)
    return tag + encode_varint(len(content)) + content


def encode_varint(value: int) -> bytes:
    r"""Encodes a number of 0 or more, seven bits a byte, the lowest first.

    Example:
        >>> encode_varint(5), encode_varint(300)
        (b'\x05', b'\xac\x02')
    """
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    return bytes([*result, value])
