"""Warm-up records against the messages of TensorFlow Serving."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from common import warmup

INPUTS = {
    "text": {"text": np.array([b"Ann", b"", b"Zo\xc3\xab" * 99], object)},
    "bytes": {"image_bytes": np.array([b"\x00\xff" * 300, b""], object)},
    "frames": {
        "frames": np.arange(96, dtype=np.uint8).reshape(2, 4, 2, 2, 3),
        "lengths": np.array([4, 1], np.int32),
    },
    "features": {"features": np.linspace(-1, 1, 12).astype("f").reshape(2, 6)},
    "an accent": {"\u00e9" * 70: np.array([True, False])},
    "no row": {"x": np.zeros([0, 3], np.float32)},
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("signature", ["serving_default", "", "s" * 200])
def test_a_log_is_the_message_of_tensorflow_serving(name, signature):
    inputs = INPUTS[name]
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    expected = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    encoded = warmup.encode_log(signature, inputs)
    log = prediction_log_pb2.PredictionLog.FromString(encoded)
    assert log == expected
    assert log.WhichOneof("log_type") == "predict_log"
    parsed = log.predict_log.request
    assert parsed.model_spec.signature_name == signature
    assert parsed.inputs.keys() == inputs.keys()
    for key, value in inputs.items():
        tensor = tf.make_ndarray(parsed.inputs[key])
        assert tensor.shape == value.shape
        assert tensor.tolist() == value.tolist()
        if value.dtype != object:
            assert tensor.dtype == value.dtype


def test_requests_of_one_row_and_of_eight(tmp_path):
    names = np.array([b"Ann", b"", b"Bo"], object)
    warmup.write_requests(tmp_path, "serving_default", {"name": names})
    path = str(tmp_path / "assets.extra" / "tf_serving_warmup_requests")
    rows = []
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        inputs = log.predict_log.request.inputs
        rows.append(tf.make_ndarray(inputs["name"]).tolist())
    assert rows == [[b"Ann"], [b"Ann", b"", b"Bo"] * 2 + [b"Ann", b""]]
