"""Converts functions of TensorFlow to files of ONNX and LiteRT."""

import contextlib
import importlib.util
import io
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from common.edge_graphs import Graph
from common.errors import UserError, format_names
from common.layers.kernels import use_kernels

ONNX = "onnx"
LITERT = "litert"
FLOAT16 = "float16"
DYNAMIC = "dynamic"
ENDINGS = {ONNX: "onnx", LITERT: "tflite"}
# Of each format the packages that it needs, with the names of their modules.
PACKAGES = {
    ONNX: {x: x for x in ("tf2onnx", "onnx", "onnxruntime", "regex")},
    LITERT: {"ai-edge-litert": "ai_edge_litert", "regex": "regex"},
}
# What browsers and phones have had for years.
OPSET = 17
# What is said of an operation that is not there, by either converter.
_LACKING = r"(?:'tf\.|No Op registered for )(\w+)(?:' op is neither| with)"


def check_packages(file_format: str) -> None:
    """Checks that what a format needs is installed.

    Raises:
        UserError: naming what is missing, and the command that installs it.
    """
    packages = PACKAGES[file_format]
    missing = [name for name in packages if not _is_installed(packages[name])]
    if missing:
        command = f"pip install {format_names(missing, ' ')}"
        raise UserError(
            f"--format {file_format} needs the packages"
            f" {format_names(missing)}: {command}"
        )


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def convert(
    network: keras.Model, graph: Graph, path: Path, quantize: str = ""
) -> None:
    """Writes a graph as a file of the format that its ending says.

    Args:
        network: has the weights of the graph.
        graph: what to write.
        path: the file.
        quantize: FLOAT16 or DYNAMIC weights, of LiteRT alone; "" for none.

    Raises:
        UserError: if the format has no operation for it.
    """
    name = "ONNX" if path.suffix == ".onnx" else "LiteRT"
    try:
        # The formats do not have the others.
        generic = use_kernels(network, use_cudnn=False, kernel="generic")
        with generic, _silence():
            if name == "ONNX":
                _write_onnx(graph, path)
            else:
                path.write_bytes(_to_litert(network, graph, quantize))
    except Exception as error:  # Converters raise whatever they meet.
        raise UserError(
            f"{graph.name}: does not convert to {name}"
            f" ({_find_reason(error)}): use --format savedmodel"
        ) from error


def _write_onnx(graph: Graph, path: Path) -> None:
    import onnx
    import tf2onnx

    specs = graph.to_specs(None)
    model, _ = tf2onnx.convert.from_function(
        tf.function(graph.function, input_signature=specs), specs, opset=OPSET
    )
    for value in model.graph.input:
        axes = graph.inputs[value.name].axes
        dims = value.type.tensor_type.shape.dim
        for dim, axis in zip(dims, axes, strict=True):
            if isinstance(axis, str):
                dim.dim_param = axis
    onnx.checker.check_model(model)  # An operation may have stayed as it was.
    onnx.save(model, str(path))


def _to_litert(network: keras.Model, graph: Graph, quantize: str) -> bytes:
    archive = keras.export.ExportArchive()
    archive.track(network)
    # Of more rows its loops need operations that the runtime does not have.
    archive.add_endpoint(
        graph.name, graph.function, input_signature=graph.to_specs(1)
    )
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[graph.name]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter._experimental_lower_tensor_list_ops = True
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drops what converters print, those written in C++ too."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            logging.disable(logging.NOTSET)


def _find_reason(error: Exception) -> str:
    """Returns the operations that a format lacks, or what its error says.

    Example:
        >>> _find_reason(ValueError("at x: 'tf.Conv2D' op is neither a custom"))
        'it has no Conv2D'
    """
    lacking = re.findall(_LACKING, str(error))
    if lacking:
        return f"it has no {format_names(sorted(set(lacking)))}"
    lines = str(error).strip().splitlines()
    return lines[-1][-150:] if lines else type(error).__name__
