"""SavedModels for serving: versioned, warmed up, and checked before use.

The layout is TensorFlow Serving's: `exports/NAME/1/saved_model.pb`, then 2, 3
and so on. A version appears by a rename, because the server polls for it.
"""

import argparse
import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from common import (
    atomic,
    export_card,
    export_folder,
    export_usage,
    export_versions,
    limits,
    locks,
    warmup,
)
from common.characters import printable
from common.data import json_files, name_lists
from common.data.names import check_path
from common.errors import UserError
from common.export_check import DEFAULT, Arrays, Case, check, split_rows
from common.export_folder import CARD, VERSION
from common.layers.kernels import use_kernels
from common.training import runs

# The signature that tells what an answer came from: the attention behind it.
EXPLAIN = "explain"
# Of a run, beside every model: options, data, the app and its versions.
FILES = (runs.CONFIG, runs.DATA, runs.VERSIONS)


class Options(NamedTuple):
    """Choices of the user about an export.

    Attributes:
        keep: so many of the newest versions stay; 0 (default) keeps all.
        data_license: of the data, for the model card; "" (default) if it is
            not stated.
    """

    keep: int = 0
    data_license: str = ""

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> "Options":
        """Returns those of the command line, of `cli.export_parser`."""
        return cls(args.keep, args.data_license)


DEFAULT_OPTIONS = Options()


def write(
    base: Path,
    archive: keras.export.ExportArchive,
    cases: Sequence[Case],
    card: str,
    run: Path,
    names: Mapping[str, list[str]],
    request: Arrays,
    options: Options = DEFAULT_OPTIONS,
) -> Path:
    """Writes the next version of an export, and checks it before it appears.

    Args:
        base: the folder of its versions.
        archive: the model with its signatures.
        cases: questions and answers; the warm-up requests are rows of the
            largest one of `serving_default`.
        card: the first half of the model card, Markdown.
        run: the run folder, of which FILES are copied beside the model.
        names: lists of names of the model itself, by the name of their file,
            such as `labels`.
        request: an input of `serving_default`, to show how it is asked.
        options: see `Options`.

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
        warmup.write_requests(folder, DEFAULT, _find_largest(cases))
        for name in FILES:
            shutil.copy(run / name, folder / name)
        # From the model, which is what answers: files of a run can change.
        for name, entries in names.items():
            name_lists.write_names(folder / f"{name}.txt", entries)
        export_usage.write_request(folder, request)
        card += export_card.format_details(
            folder, base.name, run, request, options.data_license
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        if before:
            export_versions.check_same_contract(base, before, folder)
        check(folder, [*cases, *(x for y in cases for x in split_rows(y))])
    done = base / str(latest_version(base))
    export_folder.remove_old_versions(base, options.keep)
    lock.release()
    export_folder.write_server_files(base.parent)
    return done


def _find_largest(cases: Sequence[Case]) -> Arrays:
    """Returns the inputs with most rows of `serving_default`."""
    inputs = [case.inputs for case in cases if case.signature == DEFAULT]
    return max(inputs, key=lambda arrays: len(next(iter(arrays.values()))))


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
    return max(map(int, filter(VERSION.fullmatch, names)), default=0)


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

    A decorator of what is served: see `add_signature`.

    Args:
        model: what is exported.
        kernel: of its LSTM layers: "inference" (default), which every
            TensorFlow runs, or "generic", of plain operations alone, for
            converters to other formats.
    """
    with use_kernels(model, use_cudnn=False, kernel=kernel):
        yield


def add_signature(
    archive: keras.export.ExportArchive,
    model: keras.Model,
    name: str,
    serve: Callable[..., Any],
    inputs: Sequence[tf.TensorSpec],
) -> None:
    """Adds a portable signature to an archive.

    The archive traces it when it is written, whatever was traced before: so
    what is traced is itself made portable.

    Args:
        archive: the model with its signatures.
        model: whose layers are called.
        name: of the signature.
        serve: from tensors in the order of `inputs` to named outputs.
        inputs: their shapes, types and names.
    """
    function = portable(model)(serve)
    archive.add_endpoint(name, function, input_signature=list(inputs))
