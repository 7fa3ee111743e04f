"""gRPC, judged by an independent client and by the official messages."""

import grpc
import numpy as np
import ovmsclient
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from common.serving import __main__ as command
from common.serving import rpc
from common.serving.telemetry import Metrics


@pytest.fixture(scope="module")
def address(routes):
    listener = command.open_socket("127.0.0.1", 0)
    host, port = listener.getsockname()
    listener.close()
    server = rpc.start((host, port), routes.models, Metrics(), 2, 8, 2**20)
    yield f"{host}:{port}"
    server.stop(None).wait()


@pytest.fixture(scope="module")
def services(address):
    with grpc.insecure_channel(address) as channel:
        yield (
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


def request(name, signature="", **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


def test_every_call_of_an_independent_client(address):
    client = ovmsclient.make_grpc_client(address)
    assert client.get_model_status("sums") == {
        3: {"state": "AVAILABLE", "error_code": 0, "error_message": ""}
    }
    metadata = client.get_model_metadata("texts", 1)
    assert metadata["inputs"] == {"text": {"shape": [-1], "dtype": "DT_STRING"}}
    outputs = client.predict({"text": ["ab", "c"]}, "texts")
    assert outputs["label"].tolist() == [b"<ab>", b"<c>"]
    np.testing.assert_array_equal(outputs["score"], [0.5, 1])
    with pytest.raises(ovmsclient.tfs_compat.base.errors.ModelNotFoundError):
        client.predict({"text": ["a"]}, "nosuch")


def test_predict_fills_the_model_and_filters(services):
    message = request("half", x=np.ones(2, np.float32))
    answer = services[0].Predict(message)
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [3.5, 3.5]
    message = request("texts", text=[b"ab"])
    message.output_filter.append("label")
    assert list(services[0].Predict(message).outputs) == ["label"]


def test_what_is_refused_has_its_code(services):
    ones = np.ones(2, np.float32)
    missing = request("half")
    wide = request("half", x=ones[None])
    filtered = request("half", x=ones)
    filtered.output_filter.append("z")
    cut = request("half", x=ones)
    cut.inputs["x"].tensor_content = b"123"
    huge = request("half", x=ones)
    huge.inputs["x"].tensor_shape.dim[0].size = 2**40
    for message, code, words in (
        (request("no", x=ones), "NOT_FOUND", "Servable not found"),
        (request("half", "no", x=ones), "INVALID_ARGUMENT", '"no" not found'),
        (missing, "INVALID_ARGUMENT", "input keys must be equal to x"),
        (request("half", x=[1]), "INVALID_ARGUMENT", "float32, got int32"),
        (wide, "INVALID_ARGUMENT", "expected shape [?], got [1, 2]"),
        (filtered, "INVALID_ARGUMENT", "alias not found in signature: z"),
        (cut, "INVALID_ARGUMENT", "no tensor"),
        (huge, "INVALID_ARGUMENT", ""),
        (request("texts", text=["a"] * 5), "INVALID_ARGUMENT", "at most 4"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            services[0].Predict(message)
        assert caught.value.code() == grpc.StatusCode[code], words
        assert words in caught.value.details()


def test_metadata_is_packed_as_the_official_message(services):
    message = get_model_metadata_pb2.GetModelMetadataRequest()
    message.model_spec.name = "half"
    message.metadata_field.append("signature_def")
    answer = services[0].GetModelMetadata(message)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(definitions)
    definition = definitions.signature_def["serving_default"]
    assert definition.inputs["x"].dtype == tf.float32.as_datatype_enum
    message.metadata_field[0] = "other"
    with pytest.raises(grpc.RpcError, match="expected the metadata_field"):
        services[0].GetModelMetadata(message)


def test_status_of_no_model(services):
    message = get_model_status_pb2.GetModelStatusRequest()
    message.model_spec.name = "no"
    with pytest.raises(grpc.RpcError, match="Could not find any versions"):
        services[1].GetModelStatus(message)


def test_classes_and_values_of_examples(services):
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name = "examples"
    classify.model_spec.signature_name = "classify"
    regress = regression_pb2.RegressionRequest()
    regress.model_spec.name = "examples"
    for message in (classify, regress):
        example = message.input.example_list_with_context.examples.add()
        example.features.feature["x"].float_list.value.append(2)
        message.input.example_list_with_context.examples.add()
        context = message.input.example_list_with_context.context
        context.features.feature["x"].float_list.value.append(1)
    classes = services[0].Classify(classify).result.classifications
    assert [[(x.label, x.score) for x in row.classes] for row in classes] == [
        [("4.0", 4.0), ("-4.0", -4.0)],
        [("3.5", 3.5), ("-3.5", -3.5)],
    ]
    values = services[0].Regress(regress).result.regressions
    assert [x.value for x in values] == [4.0, 3.5]
    classify.model_spec.signature_name = ""
    with pytest.raises(grpc.RpcError, match="Was: tensorflow/serving/regress"):
        services[0].Classify(classify)


def test_a_token(routes):
    listener = command.open_socket("127.0.0.1", 0)
    address = listener.getsockname()
    listener.close()
    server = rpc.start(address, routes.models, Metrics(), 1, 1, 2**20, "secret")
    with grpc.insecure_channel("{}:{}".format(*address)) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        message = request("half", x=np.ones(1, np.float32))
        with pytest.raises(grpc.RpcError, match="Bearer TOKEN"):
            stub.Predict(message)
        token = (("authorization", "Bearer secret"),)
        assert stub.Predict(message, metadata=token).outputs
    server.stop(None).wait()
