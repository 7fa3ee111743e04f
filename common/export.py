"""SavedModels for serving: versioned, warmed up, and checked before use.

The layout is TensorFlow Serving's: `exports/NAME/1/saved_model.pb`, then 2, 3
and so on. A version appears by a rename, because the server polls for it.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from common import atomic, export_usage, export_versions, limits, locks
from common.characters import printable
from common.data import json_files, name_lists
from common.data.names import check_path
from common.errors import UserError
from common.export_check import DEFAULT, Arrays, Case, check, split_rows
from common.layers.kernels import use_kernels
from common.training import runs

CARD = "MODEL_CARD.md"
# Of a run, beside every model: options, data, the app and its versions.
FILES = (runs.CONFIG, runs.DATA, runs.VERSIONS)
WARMUP = "assets.extra/tf_serving_warmup_requests"
# Some characters of other scripts are digits for Python alone.
_VERSION = re.compile("[0-9]{1,18}")


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
def portable(model: keras.Model, kernel: str = "inference") -> Iterator[None]:
    """Keeps kernels of one kind of machine out of what is traced inside.

    Where a GPU is visible, Keras traces an LSTM as a cuDNN operation, and the
    SavedModel would not load on a CPU. A fused kernel would be compiled again
    for every length that a service is asked.

    A decorator of what is served: Keras traces it when the archive is written,
    not when it is added.

    Args:
        model: what is exported.
        kernel: of its LSTM layers: "inference" (default), which every
            TensorFlow runs, or "generic", of plain operations alone, for
            converters to other formats.
    """
    with use_kernels(model, use_cudnn=False, kernel=kernel):
        yield


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
