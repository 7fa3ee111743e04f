"""The second half of a model card: data, metrics, and how to ask it.

The first half is the app's: what the model takes, says and knows.
"""

import base64
import json
import shlex
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from common import export_usage, export_versions
from common.characters import printable
from common.data import json_files
from common.export_check import Arrays
from common.export_usage import BYTES_SUFFIX
from common.training import runs

NOT_STATED = "not stated"
# One grey pixel: a picture of a request that fits on a line.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVQImWNo"
    "AAAAggCByxOyYQAAAABJRU5ErkJggg=="
)


def format_details(
    folder: Path, name: str, run: Path, request: Arrays, data_license: str
) -> str:
    """Returns the sections of a card that all apps share, in Markdown.

    Args:
        folder: the SavedModel, with `data.json`; gets files of requests that
            are too long for a card.
        name: of the model, as a server knows it.
        run: the run folder, for its metrics.
        request: an input of `serving_default`.
        data_license: of the data, as the user states it; "" if not.

    Raises:
        UserError: if a file of the run or the model is damaged.
    """
    sections = [
        "## Data",
        _format_data(folder, data_license),
        "## Metrics",
        _format_metrics(run),
        "## Signatures",
        f"Requests to a server at port {export_usage.PORT}, sent from this"
        " folder; in Python:\n\n    import tensorflow as tf\n    model ="
        ' tf.saved_model.load(".")',
    ]
    signatures = export_versions.load_signatures(folder)
    for key in sorted(signatures, key=lambda x: (x != export_usage.DEFAULT, x)):
        signature = signatures[key]
        inputs = make_inputs(signature.inputs, request)
        sections += [
            f"### `{key}`",
            _format_tensors("Inputs", signature.inputs)
            + "\n"
            + _format_tensors("Outputs", signature.outputs),
            _format_curl(folder, name, key, inputs),
            _format_python(key, inputs),
        ]
    return "\n" + "\n\n".join(sections) + "\n"


def _format_data(folder: Path, data_license: str) -> str:
    report = json_files.read(folder / runs.DATA, "data", data=str)
    lines = [f"- `{printable(report['data'])}`."]
    for split, counts in report.items():
        if split in ("train", "valid", "test") and isinstance(counts, dict):
            numbers = [
                f"{value:,} {printable(key)}"
                for key, value in counts.items()
                if isinstance(value, int)
            ]
            lines.append(f"- {split}: {', '.join(numbers)}.")
    stated = printable(" ".join(data_license.split())) or NOT_STATED
    lines.append(
        f"- Licence, as whoever exported the model states it: {stated}."
    )
    return "\n".join(lines)


def _format_metrics(run: Path) -> str:
    best = runs.read_best(run)
    rows = [
        f"| {printable(name)} | {value:.4f} |"
        for name, value in runs.validation_scores(best).items()
    ]
    head = f"| metric | validation, epoch {best['epoch']} |"
    return "\n".join([head, "|---|---|", *rows])


def _format_tensors(title: str, tensors: Any) -> str:
    described = []
    for name in sorted(tensors):
        dtype = tf.as_dtype(tensors[name].dtype).name
        shape = tf.TensorShape(tensors[name].tensor_shape)
        sizes = ["..."]
        if shape.rank:
            sizes = ["batch", *(str(x or "?") for x in shape.as_list()[1:])]
        described.append(f"`{name}` {dtype}[{', '.join(sizes)}]")
    return f"- {title}: {', '.join(described)}."


def make_inputs(tensors: Any, request: Arrays) -> Arrays:
    """Returns one row for each input of a signature.

    Args:
        tensors: of a `SignatureDef`, by name.
        request: an input of `serving_default`, whose first row is taken where
            the names are the same. Others are zeros, and ones where they are
            numbers of steps, of tokens, or masks.
    """
    if set(tensors) <= set(request):
        inputs = {name: request[name][:1] for name in sorted(tensors)}
        pictures = [name for name in inputs if name.endswith(BYTES_SUFFIX)]
        return inputs | {x: np.array([PICTURE], object) for x in pictures}
    return {name: _make_row(tensors[name]) for name in sorted(tensors)}


def _make_row(tensor: Any) -> np.ndarray:
    dtype = tf.as_dtype(tensor.dtype)
    shape = [x or 1 for x in tf.TensorShape(tensor.tensor_shape).as_list()]
    if dtype == tf.string:
        return np.full(shape, b"a text", object)
    is_zero = dtype.is_floating or dtype == tf.uint8
    return np.full(shape, 0 if is_zero else 1, dtype.as_numpy_dtype)


def _format_curl(folder: Path, name: str, key: str, inputs: Arrays) -> str:
    body = export_usage.encode_request(inputs, key)
    argument = shlex.quote(body)
    if len(body) > export_usage.MAX_LENGTH:
        file = export_usage.request_file(key)
        # That of `serving_default` is there already.
        if not (folder / file).exists():
            export_usage.write_request(folder, inputs, key)
        argument = shlex.quote(f"@{file}")
    path = urllib.parse.quote(name)
    url = f"http://localhost:{export_usage.PORT}/v1/models/{path}:predict"
    return f"    curl -d {argument} {shlex.quote(url)}"


def _format_python(key: str, inputs: Arrays) -> str:
    arguments = ", ".join(
        f"{name}={_format_value(name, value)}" for name, value in inputs.items()
    )
    return f"    model.signatures[{json.dumps(key)}]({arguments})"


def _format_value(name: str, value: np.ndarray) -> str:
    """Returns an input as Python writes it; of a long one its shape alone."""
    if name.endswith(BYTES_SUFFIX):
        return 'tf.io.read_file("picture.png")[tf.newaxis]'
    if value.dtype == object:
        texts = [x.decode("utf-8", "replace") for x in value.tolist()]
        return f"tf.constant({texts!r})"
    text = f"tf.constant({value.tolist()!r}, tf.{value.dtype.name})"
    if len(text) > export_usage.MAX_LENGTH // 4:
        return f"tf.zeros({list(value.shape)}, tf.{value.dtype.name})"
    return text
