"""Requests to an exported model: one of its own, and how to send it.

A request is JSON as TensorFlow Serving's REST interface takes it, by columns:
`{"inputs": {NAME: ROWS}}`.
"""

import base64
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from common import atomic
from common.characters import dump_json, printable
from common.data import json_files
from common.errors import UserError
from common.export_check import DEFAULT
from common.training import runs

REQUEST = "request.json"
PORT = 8501
# Inputs and outputs of bytes have names that end so: they go as base64.
BYTES_SUFFIX = "_bytes"
# A longer request is read from its file.
MAX_LENGTH = 300


def example_inputs(run: Path) -> list[str]:
    """Returns the inputs that training proposed for `predict`.

    Args:
        run: the run folder, or an export of it.

    Returns:
        Arguments of a command line; none if there is no example.

    Raises:
        UserError: if the report of the run is damaged.
    """
    if not (run / runs.DATA).is_file():
        return []
    report = json_files.read(run / runs.DATA, example=str)
    try:
        return shlex.split(report.get("example", ""))
    except ValueError as error:  # A quote without its other.
        raise UserError(
            f"{run / runs.DATA}: example is no argument ({error}): it is"
            " damaged; make it anew"
        ) from error


def encode_request(
    inputs: dict[str, np.ndarray], signature: str = DEFAULT
) -> str:
    """Encodes inputs by name as a JSON request of one line.

    Bytes go as text, but base64 where the name ends with `_bytes`: that is
    how the server knows.

    Example:
        >>> encode_request({"text": np.array([b"a film"], object)})
        '{"inputs": {"text": ["a film"]}}'
        >>> encode_request({"image_bytes": np.array([b"PNG"], object)})
        '{"inputs": {"image_bytes": [{"b64": "UE5H"}]}}'
    """
    columns = {
        name: [_encode(name, row) for row in value.tolist()]
        for name, value in inputs.items()
    }
    asked = {} if signature == DEFAULT else {"signature_name": signature}
    return dump_json(asked | {"inputs": columns})


def _encode(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    if name.endswith(BYTES_SUFFIX):
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")


def request_file(signature: str) -> str:
    """Returns the name of the file with a request to a signature."""
    return REQUEST if signature == DEFAULT else f"request-{signature}.json"


def write_request(
    folder: Path, inputs: dict[str, np.ndarray], signature: str = DEFAULT
) -> None:
    """Writes a request beside an exported model."""
    request = encode_request(inputs, signature)
    atomic.write_text(folder / request_file(signature), request + "\n")


def format_usage(folder: Path) -> str:
    """Returns how to load an export, how to serve it and how to ask it.

    Args:
        folder: the version's folder, with its request.
    """
    base = folder.parent.resolve()
    name = base.name
    request = (folder / REQUEST).read_text(encoding="utf-8").strip()
    body = shlex.quote(request)
    if len(request) > MAX_LENGTH:
        body = shlex.quote(f"@{folder / REQUEST}")
    arguments = _format_arguments(request, example_inputs(folder))
    url = f"http://localhost:{PORT}/v1/models/{name}:predict"
    volume = shlex.quote(f"{base}:/models/{name}")
    lines = (
        "",
        "In Python, without Keras and without this project:",
        "  import tensorflow as tf",
        f"  model = tf.saved_model.load({str(folder)!r})",
        f"  print(model.signatures['serving_default']({arguments}))",
        "",
        "With a page to try it, where this project is (extra serving):",
        f"  python -m common.serving {shlex.quote(str(base.parent))}",
        "",
        "With TensorFlow Serving:",
        f"  docker run --rm -p {PORT}:{PORT} -v {volume}"
        f" -e MODEL_NAME={shlex.quote(name)} tensorflow/serving",
        f"  curl -d {body} {shlex.quote(url)}",
    )
    return "\n".join(map(printable, lines))


def _format_arguments(request: str, files: list[str]) -> str:
    """Returns a request as arguments of a signature, in Python."""
    arguments = []
    for name, rows in json.loads(request)["inputs"].items():
        value = f"tf.constant({rows!r})"
        if name.endswith(BYTES_SUFFIX):
            path = files[0] if files else "picture.png"
            value = f"tf.io.read_file({path!r})[tf.newaxis]"
        elif len(value) > MAX_LENGTH:
            dtype = "tf.uint8" if name == "frames" else "tf.float32"
            value = f"tf.zeros({list(np.shape(rows))}, {dtype})"
        arguments.append(f"{name}={value}")
    return ", ".join(arguments)
