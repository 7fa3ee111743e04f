"""Video tagging as it happens: a WebSocket that holds the state.

Frame in, tags out. Whoever connects sends frames; the states between them
stay here, are dropped on close, and are as many as there are connections.
"""

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from starlette.websockets import WebSocket, WebSocketDisconnect

from common.media import frame_folders, images
from common.serving import answers, codec
from common.serving.failures import RequestError
from common.serving.models import Models
from common.serving.runner import Runner
from common.serving.saved_model import SavedModel
from common.serving.signatures import Signature

STEP = "step"
# Status codes of WebSockets (RFC 6455, section 7.4.1).
_POLICY, _TOO_MANY, _GOING = 1008, 1013, 1001
FRAME_AXES = 4  # [batch, height, width, channels]


class Streams:
    """The WebSockets of one server.

    Args:
        models: that answer.
        runner: whose threads answer.
        is_allowed: judges the header Authorization.
        max_streams: connections at one time.
        seconds: after which a silent one is closed.
        max_bytes: of a message.
    """

    def __init__(
        self,
        models: Models,
        runner: Runner,
        is_allowed: Callable[[str], bool],
        max_streams: int,
        seconds: float,
        max_bytes: int,
    ) -> None:
        self._models = models
        self._runner = runner
        self._is_allowed = is_allowed
        self._max_streams = max_streams
        self._seconds = seconds
        self._max_bytes = max_bytes
        self.num_open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Serves one connection: `/v1/models/NAME/stream`.

        A message is the content of a picture file (binary), or JSON: the
        values of the signature's input, `{"b64": ...}` of a picture file, or
        `{"reset": true}`. Each is answered by a JSON object of the outputs, or
        `{"error": ...}`.
        """
        offered = socket.headers.get("sec-websocket-protocol", "")
        await socket.accept(offered.partition(",")[0].strip() or None)
        if not self._is_allowed(_authorization(socket)):
            await socket.close(_POLICY, "wrong token")
            return
        if self.num_open >= self._max_streams:
            await socket.close(_TOO_MANY, "too many streams: try again later")
            return
        self.num_open += 1
        try:
            await self._answer_all(socket, socket.path_params["name"])
        except WebSocketDisconnect:
            pass
        finally:
            self.num_open -= 1

    async def _answer_all(self, socket: WebSocket, name: str) -> None:
        try:
            with self._models.lease(name) as (_, model):
                stream = await self._runner.run(Stream, model)
                while message := await self._receive(socket):
                    await socket.send_text(await self._answer(stream, message))
        except RequestError as error:
            await socket.send_text(answers.encode_error(str(error)).decode())
            await socket.close(_POLICY, str(error)[:120])

    async def _receive(self, socket: WebSocket) -> str | bytes | None:
        """Returns the next message; None, and a closed socket, for none."""
        try:
            message = await asyncio.wait_for(socket.receive(), self._seconds)
        except TimeoutError:
            await socket.close(_GOING, f"no frame in {self._seconds:g} seconds")
            return None
        if message["type"] == "websocket.disconnect":
            return None
        return message.get("bytes") or message.get("text") or "{}"

    async def _answer(self, stream: "Stream", message: str | bytes) -> str:
        try:
            if len(message) > self._max_bytes:
                raise RequestError(
                    f"expected at most {self._max_bytes:,} bytes in one frame"
                )
            return (await self._runner.run(stream.step, message)).decode()
        except RequestError as error:
            return answers.encode_error(str(error)).decode()


def _authorization(socket: WebSocket) -> str:
    """Returns the token of a header; browsers can set a protocol alone."""
    header = socket.headers.get("authorization", "")
    offered = socket.headers.get("sec-websocket-protocol", "")
    return header or offered.partition(",")[0].removeprefix("bearer.")


class Stream:
    """The states of one video, and the model that reads them.

    Args:
        model: with a signature `step`: an input for one frame, and states
            that are inputs and outputs alike.

    Raises:
        RequestError: if the model has none.
    """

    def __init__(self, model: SavedModel) -> None:
        self._model = model
        if STEP not in model.signatures:
            raise RequestError(
                "this model reads a video as a whole, and not as it happens: it"
                f" has no signature {STEP}; train one with --causal"
            )
        self._signature: Signature = model.signatures[STEP]
        inputs = self._signature.inputs
        self._frame_name = next(x for x in inputs if x not in self._state_names)
        if len(inputs[self._frame_name].shape or ()) == FRAME_AXES:
            _prepare_pictures()
        self.reset()

    @property
    def _state_names(self) -> list[str]:
        outputs = self._signature.outputs
        return [name for name in self._signature.inputs if name in outputs]

    def reset(self) -> None:
        """Begins another video: all states are zeros."""
        self._states = {}
        for name in self._state_names:
            tensor = self._signature.inputs[name]
            sizes = [size or 1 for size in tensor.shape or ()]
            self._states[name] = np.zeros(sizes, tensor.dtype)

    def step(self, message: str | bytes) -> bytes:
        """Answers one frame, and moves the states on.

        Raises:
            RequestError: if it is no frame; the states stay.
        """
        if (value := self._read(message)) is None:
            self.reset()
            return b'{"reset":true}'
        inputs = self._states | {self._frame_name: value}
        outputs = self._model.run(self._signature, inputs)
        self._states = {name: outputs.pop(name) for name in self._states}
        return answers.encode_row(outputs)

    def _read(self, message: str | bytes) -> np.ndarray | None:
        tensor = self._signature.inputs[self._frame_name]
        if isinstance(message, bytes):
            return self._read_picture(message)
        try:
            value: Any = json.loads(message)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"JSON Parse error: {error}"[:300]) from None
        if isinstance(value, dict):
            if value.get("reset"):
                return None
            value = value.get(self._frame_name, value)
        if codec.is_base64(value):
            content = codec.decode_base64(value, self._frame_name)
            return self._read_picture(content)
        return codec.to_array([value], tensor, self._frame_name)

    def _read_picture(self, content: bytes) -> np.ndarray:
        """Decodes a picture file to the frame that the model takes."""
        shape = self._signature.inputs[self._frame_name].shape or ()
        if len(shape) != FRAME_AXES:
            raise RequestError(
                f"expected the numbers of {self._frame_name}, got a picture"
            )
        _, height, width, _ = shape
        if height != width or not height:
            raise RequestError("this model takes no pictures: send numbers")
        try:
            return frame_folders.decode_frame(content, height)[None]
        except images.DECODING_ERRORS:
            reason = images.decode_error(content) or "cannot be decoded"
            raise RequestError(f"no picture: {reason}"[:200]) from None


@functools.cache
def _prepare_pictures() -> None:
    """Traces the decoder: else the first frame would wait for seconds."""
    blank = np.zeros([1, 1, 3], np.uint8)
    frame_folders.decode_frame(tf.io.encode_png(blank).numpy(), 1)
