"""SavedModels for serving: versioned, warmed up, and checked before use.

The layout is TensorFlow Serving's: `exports/NAME/1/saved_model.pb`, then 2, 3
and so on. A version appears by a rename, because the server polls for it.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from common import atomic, export_usage, export_versions, limits, locks
from common.characters import printable
from common.data import json_files, name_lists
from common.data.names import check_path
from common.errors import UserError, format_names
from common.training import runs

CARD = "MODEL_CARD.md"
# Of a run, beside every model: options, data, the app and its versions.
FILES = (runs.CONFIG, runs.DATA, runs.VERSIONS)
DEFAULT = "serving_default"
WARMUP = "assets.extra/tf_serving_warmup_requests"
TOLERANCE = 1e-5
# Some characters of other scripts are digits for Python alone.
_VERSION = re.compile("[0-9]{1,18}")

# Inputs and outputs by name, as NumPy arrays; strings have dtype object.
Arrays = dict[str, np.ndarray]


class Case(NamedTuple):
    """A question to a SavedModel, and the answer to expect.

    Attributes:
        inputs: of the signature, by name.
        outputs: likewise. Floats may differ by 1e-5, or by that share of
            themselves if they are above 1; all else must be equal.
        signature: which one to ask.
        row: its row and the number of rows of the batch that the answer is
            from, if it is asked alone.
    """

    inputs: Arrays
    outputs: Arrays
    signature: str = DEFAULT
    row: tuple[int, int] | None = None


def split_rows(case: Case) -> list[Case]:
    """Splits a batch into rows, to be asked alone and without padding.

    Each must have the answer that it has in company. Inputs of three axes and
    more are cut to `lengths`, where there is such an input, and so are outputs
    of as many steps.

    Args:
        case: a batch of `serving_default`; others are not split.

    Example:
        >>> batch = {"text": np.array([b"a", b"b b"], object)}
        >>> scores = {"score": np.array([0.1, 0.9])}
        >>> [row.inputs["text"].tolist() for row in split_rows(
        ...     Case(batch, scores))]
        [[b'a'], [b'b b']]
    """
    num_rows = len(next(iter(case.inputs.values())))
    if case.signature != DEFAULT or num_rows < 2:
        return []
    lengths = case.inputs.get("lengths")
    if lengths is None:
        return [_take_row(case, k, num_rows) for k in range(num_rows)]
    time = max(x.shape[1] for x in case.inputs.values() if x.ndim >= 3)
    return [
        _take_row(case, k, num_rows, time, int(length))
        for k, length in enumerate(lengths)
    ]


def _take_row(
    case: Case, row: int, num_rows: int, time: int = 0, length: int = 0
) -> Case:
    def cut(arrays: Arrays, min_axes: int) -> Arrays:
        rows = {name: value[row : row + 1] for name, value in arrays.items()}
        return {
            name: value[:, :length]
            if time and value.ndim >= min_axes and value.shape[1] == time
            else value
            for name, value in rows.items()
        }

    return case._replace(
        inputs=cut(case.inputs, 3),
        outputs=cut(case.outputs, 2),
        row=(row, num_rows),
    )


def write(
    base: Path,
    archive: keras.export.ExportArchive,
    cases: Sequence[Case],
    card: str,
    files: Sequence[Path],
    names: Mapping[str, list[str]],
    request: Arrays,
) -> Path:
    """Writes the next version of an export, and checks it before it appears.

    Args:
        base: the folder of its versions.
        archive: the model with its signatures.
        cases: questions and answers; those of `serving_default` are the
            warm-up requests too.
        card: the model card, Markdown.
        files: to copy beside the model.
        names: lists of names of the model itself, by the name of their file,
            such as `labels`.
        request: an input of `serving_default`, to show how it is asked.

    Returns:
        The new version's folder.

    Raises:
        UserError: if it cannot be written, does not answer as it should, or
            is another model than the version before; nothing is left behind.
    """
    check_path(base, "--to")
    lock = locks.Lock(base)
    atomic.remove_leftovers(base)
    before = find_saved_model(base)
    with new_version(base) as folder:
        archive.write_out(folder, verbose=False)
        write_warmup(
            folder, [case.inputs for case in cases if case.signature == DEFAULT]
        )
        for path in files:
            shutil.copy(path, folder / path.name)
        # From the model, which is what answers: files of a run can change.
        for name, entries in names.items():
            name_lists.write_names(folder / f"{name}.txt", entries)
        (folder / CARD).write_text(card, encoding="utf-8")
        export_usage.write_request(folder, request)
        if before:
            export_versions.check_same_contract(base, before, folder)
        check(folder, [*cases, *(x for y in cases for x in split_rows(y))])
    lock.release()
    return base / str(latest_version(base))


def print_done(folder: Path) -> None:
    """Prints that an export is done, and how to use it."""
    done = "exported, answers as the model does in a clean process"
    print(f"{printable(folder)}: {done}")
    print(export_usage.format_usage(folder))


def check_is_run(path: str, app: str) -> Path:
    """Returns the path of a run folder that can be exported.

    Args:
        path: the folder.
        app: the package that exports it.

    Raises:
        UserError: if it is an export already, of another app, or has no
            finished epoch.
    """
    if find_saved_model(Path(path)):
        raise UserError(f"{path}: already exported; give the run folder")
    runs.find_model(path, app)
    return Path(path)


def made_with(run: Path, rows: int = limits.MAX_ROWS) -> str:
    """Returns the last lines of a model card: limits, and versions.

    Args:
        run: the run folder.
        rows: the most of a request.
    """
    versions = json_files.read(
        run / runs.VERSIONS, "python", "tensorflow", "keras"
    )
    return (
        f"- A request has {rows} rows at most.\n"
        f"- Made with python {versions['python']}, tensorflow"
        f" {versions['tensorflow']},\n  keras {versions['keras']}. All options"
        " are in `config.json`.\n"
    )


@contextlib.contextmanager
def new_version(base: Path) -> Iterator[Path]:
    """Yields a folder to write; it becomes the next integer version of `base`.

    If the body fails, nothing of it stays.
    """
    with atomic.write(base / str(latest_version(base) + 1)) as partial:
        yield partial


def latest_version(base: Path) -> int:
    """The greatest integer version in a folder of exports; 0 if none."""
    if not base.is_dir():
        return 0
    names = [path.name for path in base.iterdir() if path.is_dir()]
    return max(map(int, filter(_VERSION.fullmatch, names)), default=0)


def find_saved_model(path: Path) -> Path | None:
    """Finds the SavedModel in a folder or its latest version; None if none.

    A SavedModel runs as a program: one that hides in a run folder is none.

    Raises:
        UserError: if TensorFlow could not open it by its name.
    """
    if (path / runs.MODEL).is_file():
        return None
    for folder in (path, path / str(latest_version(path))):
        if (folder / "saved_model.pb").is_file():
            check_path(folder, "RUN")
            return folder
    return None


def read_labels(folder: Path, loaded: Any) -> list[str]:
    """Reads the label names of an export.

    Args:
        folder: the version's folder.
        loaded: its SavedModel, of a model with `probabilities`.

    Raises:
        UserError: if there are not as many as probabilities.
    """
    outputs = loaded.signatures[DEFAULT].structured_outputs
    count = outputs["probabilities"].shape[-1]
    return name_lists.read_names(folder / export_versions.LABELS, count)


@contextlib.contextmanager
def portable(model: keras.Model) -> Iterator[None]:
    """Keeps kernels of one kind of machine out of what is traced inside.

    Where a GPU is visible, Keras traces an LSTM as a cuDNN operation, and the
    SavedModel would not load on a CPU. A fused kernel would be compiled again
    for every length that a service is asked.
    """
    portable_values = {"use_cudnn": False, "kernel": "generic"}
    before = [
        (layer, name, getattr(layer, name))
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.LSTM | keras.layers.GRU)
        for name in portable_values
        if hasattr(layer, name)
    ]
    for layer, name, _ in before:
        setattr(layer, name, portable_values[name])
    try:
        yield
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)


def write_warmup(folder: Path, requests: list[Arrays]) -> None:
    """Writes requests that TensorFlow Serving plays before it takes others.

    Args:
        folder: the SavedModel.
        requests: inputs of `serving_default`.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = folder / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = DEFAULT
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def operations(folder: Path) -> set[str]:
    """The kinds of operations in a SavedModel, those inside functions too.

    Args:
        folder: the SavedModel.

    Returns:
        Names such as "MatMul"; none if there is no SavedModel.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    if (folder / "saved_model.pb").is_file():
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    graphs = [graph.graph_def for graph in saved.meta_graphs]
    bodies = [f.node_def for graph in graphs for f in graph.library.function]
    nodes = [*(graph.node for graph in graphs), *bodies]
    return {node.op for body in nodes for node in body}


def check(folder: Path, cases: Sequence[Case]) -> None:
    """Proves that a SavedModel answers as the model it came from.

    It must hold no operation of cuDNN. It is loaded on the CPU in a new
    process in which neither Keras nor this project can be imported.

    Args:
        folder: the SavedModel.
        cases: what to ask it, and what to expect.

    Raises:
        UserError: if it needs a GPU, does not load or answers differently.
    """
    bound = sorted(op for op in operations(folder) if op.startswith("Cudnn"))
    if bound:
        raise UserError(
            f"{folder}: holds {format_names(bound)}, which no CPU can run:"
            " trace it inside export.portable(model)"
        )
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Path(scratch) / "inputs.npz"
        outputs = Path(scratch) / "outputs.npz"
        _save_cases(inputs, [case.inputs for case in cases])
        signatures = [case.signature for case in cases]
        _run_alone(folder, inputs, outputs, signatures)
        answers = _load_cases(outputs, len(cases))
    for number, (case, answer) in enumerate(zip(cases, answers, strict=True)):
        where = f"{folder}: {case.signature}, case {number}"
        if case.row:
            where = f"{folder}: {case.signature}, row {case.row[0]}"
        advice = _ALONE_ADVICE.format(case.row[1]) if case.row else ""
        _compare(where, case.outputs, answer, advice)


# Runs with `python -I`: no current folder, no user site, no project on the
# path; and Keras is made impossible to import.
_ALONE = """
import sys
for name in ("keras", "tf_keras", "common", "apps"):
    sys.modules[name] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
signatures = sys.argv[4:]
cases = np.load(sys.argv[2])
numbers = sorted({key.partition("/")[0] for key in cases.files}, key=int)
outputs = {}
for number in numbers:
    inputs = {key.partition("/")[2]: cases[key] for key in cases.files
              if key.partition("/")[0] == number}
    # NumPy keeps byte strings of one length: as bytes they come back whole.
    for name, value in inputs.items():
        inputs[name] = tf.constant(value.tolist() if value.dtype.kind == "S"
                                   else value, shape=value.shape,
                                   dtype=tf.string if value.dtype.kind == "S"
                                   else None)
    answer = model.signatures[signatures[int(number)]]
    for name, value in answer(**inputs).items():
        value = value.numpy()
        outputs[number + "/" + name] = (
            value.astype("S") if value.dtype == object else value)
np.savez(sys.argv[3], **outputs)
"""


def _run_alone(
    folder: Path, inputs: Path, outputs: Path, signatures: list[str]
) -> None:
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    arguments = [str(folder), str(inputs), str(outputs), *signatures]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ALONE, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"{folder}: does not answer by itself: {lines[-1]}")


def _save_cases(path: Path, cases: list[Arrays]) -> None:
    arrays = {
        f"{number}/{name}": _to_fixed_length(value)
        for number, case in enumerate(cases)
        for name, value in case.items()
    }
    np.savez(path, allow_pickle=False, **arrays)


def _to_fixed_length(value: np.ndarray) -> np.ndarray:
    """Byte strings as NumPy can store them: of one length, zeros behind."""
    return value.astype("S") if value.dtype == object else value


def _load_cases(path: Path, num_cases: int) -> list[Arrays]:
    cases: list[Arrays] = [{} for _ in range(num_cases)]
    with np.load(path) as stored:
        for key in stored.files:
            number, _, name = key.partition("/")
            cases[int(number)][name] = stored[key]
    return cases


_ALONE_ADVICE = (
    " when it is asked alone and not among {} rows: something reads the padding"
    " or the other rows; look for a layer that gets no mask= (convolution,"
    " pooling, mean, backward LSTM) or normalizes over the batch"
)


def _compare(
    where: str, expected: Arrays, answer: Arrays, advice: str = ""
) -> None:
    if set(expected) != set(answer):
        raise UserError(
            f"{where}: outputs {sorted(answer)}, expected {sorted(expected)}"
        )
    for name, value in expected.items():
        value = _to_fixed_length(value)
        same = (
            np.allclose(value, answer[name], rtol=TOLERANCE, atol=TOLERANCE)
            if value.dtype.kind == "f" and value.shape == answer[name].shape
            else np.array_equal(value, answer[name])
        )
        if not same:
            values = f" ({_first_difference(value, answer[name])})"
            raise UserError(
                f"{where}: {name} differs from the model's{values}{advice}"
            )


def _first_difference(expected: np.ndarray, answer: np.ndarray) -> str:
    """Returns the first values that differ most, as "expected 1, got 2"."""
    if expected.shape != answer.shape:
        return f"shape {expected.shape}, got {answer.shape}"
    distance = expected != answer
    if expected.dtype.kind == "f":
        distance = np.abs(expected - answer)
    place = np.unravel_index(np.argmax(distance), expected.shape)
    old, new = (_shorten(x[place]) for x in (expected, answer))
    return f"expected {old}, got {new}"


def _shorten(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value.decode("utf-8", "replace")[:40])
    return f"{float(value):.6g}"
