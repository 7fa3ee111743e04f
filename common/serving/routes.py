"""The HTTP surface: TensorFlow Serving's REST API, and what runs it.

Paths, bodies, answers and status codes are those of TensorFlow Serving's
http_rest_api_handler.cc. Beside them: health, metrics, the routes that
SageMaker and Vertex AI ask, and a page to try the models.
"""

import asyncio
import contextlib
import dataclasses
import functools
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from common.serving import (
    answers,
    codec,
    examples,
    signatures,
    streams,
    telemetry,
)
from common.serving.bodies import Bodies
from common.serving.config import Config, is_allowed
from common.serving.failures import HTTP_STATUS, RequestError
from common.serving.models import AVAILABLE, Models, Version
from common.serving.runner import Runner

PAGE = Path(__file__).parent / "page"
JSON = "application/json"
# As http_rest_api_util.cc has them.
_METHOD = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d{1,18})|/labels/([^/:]+))?"
    r":(classify|regress|predict)",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d{1,18})|/labels/([^/:]+))?"
    r"(?:/(metadata))?",
    re.IGNORECASE,
)
# What the page may load: nothing from outside.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"


@dataclasses.dataclass(frozen=True)
class Target:
    """The model that a request asks, and how.

    Attributes:
        name: of the model.
        number: of the version; None for the newest.
        label: of the version; "" for none.
        method: "predict", "classify" or "regress".
    """

    name: str
    number: int | None = None
    label: str = ""
    method: str = "predict"


class Routes:
    """The handlers of one server.

    Args:
        models: that answer.
        runner: whose threads answer.
        metrics: that count.
        log: that is told.
        config: limits, and who may ask.
    """

    def __init__(
        self,
        models: Models,
        runner: Runner,
        metrics: telemetry.Metrics,
        log: telemetry.Log,
        config: Config,
    ) -> None:
        self.models = models
        self.runner = runner
        self.metrics = metrics
        self.log = log
        self.config = config
        self.bodies = Bodies(config.max_bytes, config.timeout)

    def make_app(self) -> ASGIApp:
        """Returns the application, for an ASGI server."""
        config = self.config
        stream = streams.Streams(
            self.models,
            self.runner,
            functools.partial(is_allowed, token=config.token),
            config.max_streams,
            config.stream_timeout,
            config.max_bytes,
        )
        routes: list[Any] = [
            WebSocketRoute("/v1/models/{name}/stream", stream.serve),
            Route("/v1/models", self.list_models),
            Route("/healthz", self.tell_health),
            Route("/readyz", self.tell_readiness),
            Route("/ping", self.tell_readiness),
            Route("/metrics", self.tell_metrics),
            Route("/monitoring/prometheus/metrics", self.tell_metrics),
            Route("/invocations", self.invoke, methods=["POST"]),
            Route("/", self.show_page),
            Route("/page/models", self.describe_models),
            Mount("/page", _PageFiles(directory=PAGE)),
        ]
        if config.health_route:
            routes.insert(0, Route(config.health_route, self.tell_readiness))
        if config.predict_route:
            routes.insert(
                0, Route(config.predict_route, self.invoke, methods=["POST"])
            )
        routes.append(
            Route(
                "/{path:path}",
                self.answer,
                methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
            )
        )
        handlers: Any = {Exception: _tell_failure}
        app = Starlette(routes=routes, exception_handlers=handlers)
        return _Guard(app, self.log)

    # TensorFlow Serving's

    async def answer(self, request: Request) -> Response:
        """Answers what is asked of a model."""
        path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        if request.method == "POST" and (match := _METHOD.fullmatch(path)):
            target = _read_target(*match.groups())
            return await self._call(request, target)
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            name, number, label, wants_metadata = match.groups()
            target = _read_target(name, number, label, "")
            tell = self._metadata if wants_metadata else self._status
            return await self._tell(request, lambda: tell(target))
        status = 400 if path.startswith("/v1/") else 404
        message = f"Malformed request: {request.method} {path[:200]}"
        return _error(RequestError(message, status=status))

    async def _call(self, request: Request, target: Target) -> Response:
        start = time.monotonic()
        status = 500
        try:
            self._check_token(request)
            async with self.bodies.hold(request) as body:
                answer = await self._run(request, body, target)
            status = 200
            return Response(answer, media_type=JSON)
        except RequestError as error:
            status = error.status
            return _error(error)
        except ClientDisconnect:
            status = HTTP_STATUS["CANCELLED"]
            return Response(status_code=status)
        finally:
            self._count(target, status, time.monotonic() - start)

    async def _run(
        self, request: Request, body: bytes, target: Target
    ) -> bytes:
        """Answers in a thread, unless whoever asks goes away before."""
        answer = asyncio.ensure_future(
            self.runner.run(self.predict, body, target)
        )
        gone = asyncio.ensure_future(request.receive())
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not answer.done():
            answer.cancel()
            raise ClientDisconnect
        return await answer

    def predict(self, body: bytes, target: Target) -> bytes:
        """Returns the answer to the body of a request.

        Raises:
            RequestError: if there is none.
        """
        with self.models.lease(target.name, target.number, target.label) as (
            _,
            model,
        ):
            if target.method == "predict":
                asked = codec.decode(body, model.find_signature)
                outputs = model.run(asked.signature, asked.inputs)
                return answers.encode(outputs, asked.format)
            example = examples.decode(body, target.method, model.find_signature)
            outputs = model.run(example.signature, example.inputs)
            return examples.encode(target.method, outputs)

    def _status(self, target: Target) -> dict[str, Any]:
        name, number, label = target.name, target.number, target.label
        versions = self.models.statuses(name, number, label)
        return {"model_version_status": list(map(_format_status, versions))}

    def _metadata(self, target: Target) -> dict[str, Any]:
        with self.models.lease(target.name, target.number, target.label) as (
            version,
            model,
        ):
            spec = {
                "name": target.name,
                "signature_name": "",
                "version": str(version.number),
            }
            metadata = signatures.format_metadata(model.meta_graph)
            return {"model_spec": spec, "metadata": metadata}

    async def list_models(self, request: Request) -> Response:
        """Answers with the names of all models and the states of versions."""
        return await self._tell(
            request,
            lambda: {
                "models": [
                    {"name": name} | self._status(Target(name))
                    for name in self.models.names()
                ]
            },
        )

    # Of clouds

    async def invoke(self, request: Request) -> Response:
        """Answers as a container of SageMaker or Vertex AI must.

        The model is `default_model`, or the only one; SageMaker's header of
        custom attributes may name another one (`tfs-model-name=NAME`).
        """
        header = request.headers.get(CUSTOM_ATTRIBUTES, "")
        pairs = (pair.strip().partition("=") for pair in header.split(","))
        attributes = {key: value for key, _, value in pairs}
        names = self.models.names()
        name = attributes.get("tfs-model-name") or self.config.default_model
        if not name and len(names) != 1:
            known = ", ".join(names)
            message = f"choose a model with --default-model: {known}"
            return _error(RequestError(message[:300]))
        target = _read_target(
            urllib.parse.quote(name or names[0]),
            attributes.get("tfs-model-version"),
            None,
            attributes.get("tfs-method", "predict"),
        )
        if target.method not in ("predict", *examples.METHODS):
            return _error(RequestError("tfs-method: expected predict"))
        return await self._call(request, target)

    # Health and metrics

    async def tell_health(self, request: Request) -> Response:
        """Answers while the process lives."""
        return Response(b'{"status":"alive"}', media_type=JSON)

    async def tell_readiness(self, request: Request) -> Response:
        """Answers 200 once each model has a version that answers."""
        names = self.models.names()
        waiting = [name for name in names if not self._available(name)]
        is_ready = self.models.is_ready and bool(names) and not waiting
        answer = {
            "status": "ready" if is_ready else "not ready",
            "waiting_for": waiting,
        }
        status = 200 if is_ready else HTTP_STATUS["UNAVAILABLE"]
        return Response(answers.dump(answer), status, media_type=JSON)

    async def tell_metrics(self, request: Request) -> Response:
        """Answers with metrics for Prometheus."""
        available = [
            (name, version.number)
            for name in self.models.names()
            for version in self._available(name)
        ]
        text = self.metrics.format(self.runner.num_pending, available)
        return Response(text, media_type=telemetry.CONTENT_TYPE)

    def _available(self, name: str) -> list[Version]:
        try:
            versions = self.models.statuses(name)
        except RequestError:  # It has just gone.
            return []
        return [version for version in versions if version.state == AVAILABLE]

    # The page

    async def show_page(self, request: Request) -> Response:
        """Answers with the page to try the models."""
        return Response(
            (PAGE / "index.html").read_bytes(),
            media_type="text/html",
            headers={
                "Content-Security-Policy": _POLICY,
                "Cache-Control": "no-cache",
            },
        )

    async def describe_models(self, request: Request) -> Response:
        """Answers with what the page shows of each model.

        `waiting` are those without a version that answers: they are being
        loaded, or could not be.
        """
        names = self.models.names()

        def describe() -> dict[str, Any]:
            ready = [name for name in names if self._available(name)]
            waiting = [name for name in names if name not in ready]
            return {
                "models": list(filter(None, map(self._describe, ready))),
                "waiting": list(map(self._explain_wait, waiting)),
            }

        return await self._tell(request, describe)

    def _explain_wait(self, name: str) -> dict[str, str]:
        with contextlib.suppress(RequestError):  # It has just gone.
            errors = [version.error for version in self.models.statuses(name)]
            return {"name": name, "error": errors[0]}
        return {"name": name, "error": "it is gone"}

    def _describe(self, name: str) -> dict[str, Any] | None:
        with (
            contextlib.suppress(RequestError),  # It has just gone.
            self.models.lease(name) as (version, model),
        ):
            return {
                "name": name,
                "version": version.number,
                "signatures": {
                    key: {
                        "inputs": _describe_tensors(signature.inputs),
                        "outputs": _describe_tensors(signature.outputs),
                    }
                    for key, signature in model.signatures.items()
                },
                "example": model.read_example(),
                "labels": model.read_labels(),
                "card": model.read_card(),
            }
        return None

    # What they share

    async def _tell(
        self, request: Request, tell: Callable[[], dict[str, Any]]
    ) -> Response:
        try:
            self._check_token(request)
            return Response(answers.dump(tell()), media_type=JSON)
        except RequestError as error:
            return _error(error)

    def _check_token(self, request: Request) -> None:
        authorization = request.headers.get("authorization", "")
        if not is_allowed(authorization, self.config.token):
            raise RequestError(
                "expected the header Authorization: Bearer TOKEN, with the"
                " token of the server",
                "UNAUTHENTICATED",
            )

    def _count(self, target: Target, status: int, seconds: float) -> None:
        name = target.name if target.name in self.models.names() else ""
        self.metrics.count(name, target.method, status, seconds)
        if self.config.log_requests or status >= 500:
            self.log(
                "request",
                level="error" if status >= 500 else "info",
                model=target.name[:200],
                method=target.method,
                status=status,
                seconds=round(seconds, 6),
            )


class _PageFiles(StaticFiles):
    """Files that a browser asks for again: a new version has new ones."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _Guard:
    """Logs what nobody expected, in a line without a traceback.

    Of HTTP, Starlette has answered it by `_tell_failure`.
    """

    def __init__(self, app: ASGIApp, log: telemetry.Log) -> None:
        self._app = app
        self._log = log

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            name = type(error).__name__
            self._log("failed", level="error", error=f"{name}: {error}"[:500])
            if scope["type"] == "websocket":
                with contextlib.suppress(Exception):  # It may be closed.
                    await send({"type": "websocket.close", "code": 1011})


def _tell_failure(request: Request, error: Exception) -> Response:
    message = "internal error; the log says more"
    return _error(RequestError(message, "INTERNAL"))


def _read_target(
    name: str, number: str | None, label: str | None, method: str
) -> Target:
    return Target(
        urllib.parse.unquote(name),
        int(number) if number and number.isdecimal() else None,
        urllib.parse.unquote(label or ""),
        method.lower(),
    )


def _error(error: RequestError) -> Response:
    headers = {}
    if error.status == HTTP_STATUS["RESOURCE_EXHAUSTED"]:
        headers["Retry-After"] = "1"
    if error.status == HTTP_STATUS["UNAUTHENTICATED"]:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        answers.encode_error(str(error)),
        error.status,
        headers=headers,
        media_type=JSON,
    )


def _format_status(version: Version) -> dict[str, Any]:
    return {
        "version": str(version.number),
        "state": version.state,
        "status": {
            "error_code": "UNKNOWN" if version.error else "OK",
            "error_message": version.error,
        },
    }


def _describe_tensors(
    tensors: dict[str, signatures.Tensor],
) -> dict[str, dict[str, Any]]:
    return {
        name: {"dtype": tensor.dtype_name, "shape": tensor.shape}
        for name, tensor in tensors.items()
    }
