"""Exports for phones, browsers and small machines, without TensorFlow.

`exports/NAME-onnx/` and `exports/NAME-litert/` hold the files of the graphs,
vocabulary and labels, `model.json`, which describes them, and `example.py`,
which asks them. No folder of a version: what looks for models to serve, as
TensorFlow Serving does, finds none; and an app that bundles it has one path.
"""

import argparse
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from common import (
    atomic,
    cli,
    edge_check,
    edge_convert,
    edge_runtime,
    export,
    locks,
)
from common.characters import printable
from common.data import json_files, name_lists
from common.data.names import check_path
from common.edge_graphs import Arrays, Graph
from common.errors import UserError, format_names
from common.training import runs

EXAMPLE = "example.py"
RUNTIME = "runtime.py"
_IMPORT = re.compile(r"(?m)^from \S+ import edge_runtime as runtime$")
# Outputs whose greatest value is the answer.
CHOICES = ("probabilities", "logits")
# Python leaves it behind where an example ran.
_CACHE = "__pycache__"


class Target(NamedTuple):
    """A format, and where an export of it goes.

    Attributes:
        format: ONNX or LITERT.
        quantize: FLOAT16, DYNAMIC or "".
        folder: of the export, without a version.
    """

    format: str
    quantize: str
    folder: Path


class Example(NamedTuple):
    """The script beside the files, and what it is asked.

    Attributes:
        script: the file.
        arguments: of its command line; one that is the name of an array
            stands for its file.
        arrays: inputs that no command line can hold, by the name of their
            file.
    """

    script: Path
    arguments: list[str]
    arrays: Arrays = {}


def choose_target(args: argparse.Namespace) -> Target | None:
    """Returns the target that a command line names; None for a SavedModel.

    Args:
        args: of `cli.export_parser`.

    Raises:
        UserError: if format and quantization do not fit, a package is
            missing, or the folder holds something else.
    """
    if args.quantize and args.format != edge_convert.LITERT:
        raise UserError(
            f"--quantize {args.quantize} is of --format litert: a file of"
            f" --format {args.format} is quantized by the tools of"
            f" {'ONNX Runtime' if args.format == 'onnx' else 'TensorFlow'}"
        )
    if args.format == cli.SAVED_MODEL:
        return None
    if args.keep or args.data_license:
        raise UserError(
            f"--{'keep' if args.keep else 'data-license'} is of --format"
            f" {cli.SAVED_MODEL}: an export of --format {args.format} has no"
            " versions and no model card"
        )
    edge_convert.check_packages(args.format)
    name = "-".join(
        filter(
            None, [Path(args.run).resolve().name, args.format, args.quantize]
        )
    )
    folder = Path(args.to) / name
    check_path(folder, "--to")
    _check_replaceable(folder)
    return Target(args.format, args.quantize, folder)


def _check_replaceable(folder: Path) -> None:
    """Checks that a folder is an older export, and nothing else is in it.

    Raises:
        UserError: naming what is.
    """
    if not os.path.lexists(folder):
        return
    path, known = folder / edge_runtime.DESCRIPTION, {_CACHE}
    if path.is_file():
        known |= set(json_files.read(path, "files", files=list)["files"])
    others = {path.name for path in folder.iterdir()} - known
    if others or not path.is_file():
        raise UserError(
            f"{folder}: holds what no export of this format wrote"
            f" ({format_names(sorted(others))}): choose another --to, or move"
            " it"
        )


def write(
    run: Path,
    target: Target,
    network: keras.Model,
    graphs: Sequence[Graph],
    names: Mapping[str, list[str]],
    description: Mapping[str, Any],
    example: Example,
) -> Path:
    """Writes an export, checks it, and puts it in the place of an older one.

    Args:
        run: the run folder.
        target: the format and the folder.
        network: has the weights.
        graphs: its functions, one file each.
        names: lists of names by the name of their file, such as `labels`.
        description: what `model.json` holds beside the graphs.
        example: a script to try it.

    Returns:
        The folder.

    Raises:
        UserError: if it cannot be written, does not convert, or does not
            answer as the model does; nothing is left behind.
    """
    lock = locks.Lock(target.folder)
    atomic.remove_leftovers(target.folder)
    with atomic.write(target.folder) as folder:
        folder.mkdir()
        for graph in graphs:
            path = folder / _file_name(graph, target)
            edge_convert.convert(network, graph, path, target.quantize)
        for name, entries in names.items():
            name_lists.write_names(folder / f"{name}.txt", entries)
        for name in export.FILES:
            shutil.copy(run / name, folder / name)
        _copy_example(example, folder)
        report = _describe(graphs, target) | dict(description)
        report["example"] = example.arguments
        report["files"] = sorted(
            [
                *(path.name for path in folder.iterdir()),
                edge_runtime.DESCRIPTION,
            ]
        )
        _write_description(folder, report)
        report["difference"] = edge_check.check(
            folder,
            graphs,
            one_by_one=target.format == edge_convert.LITERT,
            is_exact=not target.quantize,
        )
        _write_description(folder, report)
        edge_check.run_example(folder)
    lock.release()
    return target.folder


def _file_name(graph: Graph, target: Target) -> str:
    return f"{graph.name}.{edge_convert.ENDINGS[target.format]}"


def _write_description(folder: Path, report: dict[str, Any]) -> None:
    text = runs.to_json(report)
    (folder / edge_runtime.DESCRIPTION).write_text(text, encoding="utf-8")


def _copy_example(example: Example, folder: Path) -> None:
    source = example.script.read_text(encoding="utf-8")
    # The copy has its own beside it, not in this project.
    source = _IMPORT.sub("import runtime", source)
    (folder / EXAMPLE).write_text(source, encoding="utf-8")
    shutil.copy(edge_runtime.__file__, folder / RUNTIME)
    for name, value in example.arrays.items():
        np.save(folder / name, value, allow_pickle=False)


def _describe(graphs: Sequence[Graph], target: Target) -> dict[str, Any]:
    """Returns format, graphs, and the name, type and shape of each tensor."""
    rows = 1 if target.format == edge_convert.LITERT else "batch"
    return {
        "format": target.format,
        "quantize": target.quantize,
        "graphs": {
            graph.name: {
                "file": _file_name(graph, target),
                "inputs": [
                    {
                        "name": name,
                        "dtype": tensor.dtype.name,
                        "shape": [rows, *tensor.axes[1:]],
                        "note": tensor.note,
                    }
                    for name, tensor in graph.inputs.items()
                ],
                "outputs": _describe_outputs(graph, rows),
            }
            for graph in graphs
        },
    }


def _describe_outputs(graph: Graph, rows: int | str) -> list[dict[str, Any]]:
    """Describes outputs; open axes are named as in the inputs."""
    outputs = graph.trace().structured_outputs
    axes = [x for tensor in graph.inputs.values() for x in tensor.axes[1:]]
    open_axis = next((x for x in axes if isinstance(x, str)), "")
    return [
        {
            "name": name,
            "dtype": value.dtype.name,
            "shape": [rows, *(size or open_axis for size in value.shape[1:])],
        }
        for name, value in outputs.items()
    ]


def print_done(folder: Path) -> None:
    """Prints that an export is done, its files, and how to ask it."""
    report = edge_runtime.read_description(folder)
    runtime = "onnxruntime" if report["format"] == "onnx" else "ai-edge-litert"
    print(
        f"{printable(folder)}: exported, compared with the model in {runtime}"
    )
    for name, graph in report["graphs"].items():
        size = (folder / graph["file"]).stat().st_size
        difference = edge_check.Difference(**report["difference"][name])
        line = f"{size:,} bytes, differs by {difference.largest:.1g} at most"
        if graph["outputs"][0]["name"] in CHOICES:
            line += f", {difference.num_equal} of {difference.num_rows} choices"
            line += " are the same"
        print(f"  {graph['file']}: {line}")
    arguments = edge_check.place_arguments(folder, report["example"])
    command = shlex.join(["python", str(folder / EXAMPLE), *arguments])
    print("")
    print("Without TensorFlow and without this project:")
    print(f"  pip install numpy regex {runtime}")
    print(f"  {printable(command)}")
    for line in edge_check.run_example(folder).splitlines():
        print(f"  {printable(line.expandtabs(2))}")
