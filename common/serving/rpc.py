"""The same models over gRPC: PredictionService and ModelService.

The messages are TensorFlow Serving's own, of tensorflow-serving-api.
"""

import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from common.serving import codec, examples, failures
from common.serving.config import is_allowed
from common.serving.failures import RequestError
from common.serving.models import Models, Version
from common.serving.saved_model import SavedModel
from common.serving.signatures import DEFAULT, Signature, Tensor
from common.serving.telemetry import Metrics

SIGNATURE_DEF = "signature_def"


def start(
    address: tuple[str, int],
    models: Models,
    metrics: Metrics,
    num_threads: int,
    max_waiting: int,
    max_bytes: int,
    token: str = "",
) -> grpc.Server:
    """Starts a server in threads of its own.

    Args:
        address: host and port.
        models: that answer.
        metrics: that count.
        num_threads: requests that are answered at one time.
        max_waiting: requests that may wait; others are RESOURCE_EXHAUSTED.
        max_bytes: of a request.
        token: that requests must carry as metadata `authorization: Bearer
            TOKEN`. Default: none.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(num_threads, thread_name_prefix="rpc"),
        maximum_concurrent_rpcs=num_threads + max_waiting,
        options=[
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    services = _Services(models, metrics, token)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(services), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _Statuses(services), server
    )
    host, port = address
    server.add_insecure_port(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    )
    server.start()
    return server


class _Services:
    """The models, the metrics and the token of both services."""

    def __init__(self, models: Models, metrics: Metrics, token: str) -> None:
        self.models = models
        self._metrics = metrics
        self._token = token

    def answer(
        self,
        method: str,
        spec: Any,
        context: grpc.ServicerContext,
        function: Callable[[], Any],
    ) -> Any:
        """Calls a function; a refused request gets its status."""
        begin = time.monotonic()
        code = "INTERNAL"
        try:
            self._check_token(context)
            result = function()
            code = "OK"
            return result
        except RequestError as error:
            code = error.code
            context.abort(grpc.StatusCode[code], str(error))
        finally:
            name = spec.name if spec.name in self.models.names() else ""
            seconds = time.monotonic() - begin
            self._metrics.count(name, method, code, seconds)

    def _check_token(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        if not is_allowed(str(metadata.get("authorization", "")), self._token):
            raise RequestError(
                "expected metadata authorization: Bearer TOKEN",
                "UNAUTHENTICATED",
            )


def _read_spec(spec: Any) -> tuple[str, int | None, str]:
    """Returns name, number and label of a ModelSpec."""
    number = spec.version.value if spec.HasField("version") else None
    return spec.name, number, spec.version_label


def _fill_spec(spec: Any, name: str, version: Version, signature: str) -> None:
    spec.name = name
    spec.version.value = version.number
    spec.signature_name = signature


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, services: _Services) -> None:
        self._services = services
        self._models = services.models

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._services.answer(
            "predict",
            request.model_spec,
            context,
            lambda: self._predict(request),
        )

    def _predict(self, request: Any) -> Any:
        name, number, label = _read_spec(request.model_spec)
        with self._models.lease(name, number, label) as (version, model):
            signature = model.find_signature(
                request.model_spec.signature_name or DEFAULT
            )
            outputs = model.run(signature, read_inputs(request, signature))
            response = predict_pb2.PredictResponse()
            _fill_spec(response.model_spec, name, version, signature.name)
            for key in _filter(request.output_filter, signature):
                response.outputs[key].CopyFrom(
                    tf.make_tensor_proto(
                        outputs[key], tf.as_dtype(outputs[key].dtype)
                    )
                )
            return response

    def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        def classify() -> Any:
            outputs, version = self._run_examples(request, "classify")
            response = classification_pb2.ClassificationResponse()
            _fill_spec(response.model_spec, *version)
            for row in _read_classes(outputs):
                added = response.result.classifications.add()
                for text, score in row:
                    added.classes.add(label=text, score=score)
            return response

        spec = request.model_spec
        return self._services.answer("classify", spec, context, classify)

    def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802
        def regress() -> Any:
            outputs, version = self._run_examples(request, "regress")
            response = regression_pb2.RegressionResponse()
            _fill_spec(response.model_spec, *version)
            for value in outputs["outputs"].ravel():
                response.result.regressions.add(value=value)
            return response

        spec = request.model_spec
        return self._services.answer("regress", spec, context, regress)

    def _run_examples(
        self, request: Any, method: str
    ) -> tuple[dict[str, np.ndarray], tuple[str, Version, str]]:
        name, number, label = _read_spec(request.model_spec)
        with self._models.lease(name, number, label) as (version, model):
            signature = model.find_signature(
                request.model_spec.signature_name or DEFAULT
            )
            examples.check_method(signature, method)
            rows = list(_read_examples(request.input))
            serialized = np.empty(len(rows), object)
            serialized[:] = rows
            outputs = model.run(signature, {examples.INPUTS: serialized})
            return outputs, (name, version, signature.name)

    def GetModelMetadata(  # noqa: N802
        self, request: Any, context: Any
    ) -> Any:
        def describe() -> Any:
            return self._describe(request)

        return self._services.answer(
            "metadata", request.model_spec, context, describe
        )

    def _describe(self, request: Any) -> Any:
        wrong = [x for x in request.metadata_field if x != SIGNATURE_DEF]
        if wrong or not request.metadata_field:
            raise RequestError(
                f"expected the metadata_field {SIGNATURE_DEF}, got"
                f" {wrong[:1] or 'none'}"
            )
        name, number, label = _read_spec(request.model_spec)
        with self._models.lease(name, number, label) as (version, model):
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            _fill_spec(response.model_spec, name, version, "")
            response.metadata[SIGNATURE_DEF].CopyFrom(_pack(model))
            return response


class _Statuses(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, services: _Services) -> None:
        self._services = services

    def GetModelStatus(  # noqa: N802
        self, request: Any, context: Any
    ) -> Any:
        def tell() -> Any:
            response = get_model_status_pb2.GetModelStatusResponse()
            spec = _read_spec(request.model_spec)
            for version in self._services.models.statuses(*spec):
                added = response.model_version_status.add(
                    version=version.number, state=version.state
                )
                added.status.error_code = 2 if version.error else 0
                added.status.error_message = version.error
            return response

        return self._services.answer(
            "status", request.model_spec, context, tell
        )


def read_inputs(request: Any, signature: Signature) -> dict[str, np.ndarray]:
    """Converts the tensors of a PredictRequest to arrays.

    Raises:
        RequestError: if one is missing, too many, of another type or shape.
    """
    missing = signature.inputs.keys() - request.inputs.keys()
    others = request.inputs.keys() - signature.inputs.keys()
    if missing or others:
        raise RequestError(
            f"input keys must be equal to {', '.join(signature.inputs)}; got"
            f" {', '.join(sorted(request.inputs))}"[:300]
        )
    return {
        name: _read_tensor(name, request.inputs[name], tensor)
        for name, tensor in signature.inputs.items()
    }


def _read_tensor(name: str, proto: Any, tensor: Tensor) -> np.ndarray:
    try:
        dtype = tf.as_dtype(proto.dtype).name
        if dtype != tensor.dtype_name:
            raise RequestError(
                f"{name}: expected {tensor.dtype_name}, got {dtype}"
            )
        array = tf.make_ndarray(proto)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise RequestError(
            failures.shorten(f"{name}: no tensor: {error}")
        ) from None
    codec.check_shape(array.shape, tensor, name)
    return array


def _filter(names: Any, signature: Signature) -> list[str]:
    unknown = [name for name in names if name not in signature.outputs]
    if unknown:
        raise RequestError(
            f"output tensor alias not found in signature: {unknown[0][:100]};"
            f" expected {', '.join(signature.outputs)}"
        )
    return list(names) or list(signature.outputs)


def _read_examples(value: Any) -> Iterator[bytes]:
    if value.WhichOneof("kind") == "example_list_with_context":
        context = value.example_list_with_context.context
        for example in value.example_list_with_context.examples:
            merged = tf.train.Example.FromString(context.SerializeToString())
            merged.MergeFrom(example)
            yield merged.SerializeToString()
        return
    if not value.example_list.examples:
        raise RequestError("Input is empty")
    for example in value.example_list.examples:
        yield example.SerializeToString()


def _read_classes(
    outputs: dict[str, np.ndarray],
) -> Iterator[list[tuple[str, float]]]:
    scores, classes = outputs.get("scores"), outputs.get("classes")
    shown = scores if scores is not None else classes
    assert shown is not None
    for row in range(len(shown)):
        texts = [""] * shown.shape[1]
        if classes is not None:
            texts = [x.decode("utf-8", "replace") for x in classes[row]]
        values = [0.0] * len(texts) if scores is None else scores[row].tolist()
        yield list(zip(texts, values, strict=True))


def _pack(model: SavedModel) -> any_pb2.Any:
    definitions = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in model.meta_graph.signature_def.items():
        definitions.signature_def[name].CopyFrom(definition)
    packed = any_pb2.Any()
    packed.Pack(definitions)
    return packed
