"""Proof that the files of an edge export answer as the model does.

They are asked in a process of its own, in which neither TensorFlow nor this
project can be imported.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from common import edge_runtime
from common.edge_graphs import Arrays, Graph, to_numpy
from common.errors import UserError

# As of the check of a SavedModel.
TOLERANCE = 1e-5


class Difference(NamedTuple):
    """The distance of a file from its model.

    Attributes:
        largest: of any number of any output.
        num_equal: rows of the first output with the greatest value at the
            same place.
        num_rows: all of them.
    """

    largest: float
    num_equal: int
    num_rows: int


def check(
    folder: Path, graphs: Sequence[Graph], one_by_one: bool, is_exact: bool
) -> dict[str, dict[str, Any]]:
    """Compares the files with the model, in a process without TensorFlow.

    Args:
        folder: of the export.
        graphs: with cases.
        one_by_one: whether the files take no more than one row.
        is_exact: whether the answers may differ by no more than TOLERANCE.

    Returns:
        By graph the fields of `Difference`.

    Raises:
        UserError: if a file does not open, or answers differently.
    """
    cases = [
        (graph, case)
        for graph in graphs
        for whole in graph.cases
        for case in _split_rows(whole, one_by_one)
    ]
    names = [graph.name for graph, _ in cases]
    answers = _run_alone(folder, names, [case for _, case in cases])
    result: dict[str, dict[str, Any]] = {}
    for graph in graphs:
        function = graph.trace()
        pairs = [
            (_compute(function, case), answer)
            for (other, case), answer in zip(cases, answers, strict=True)
            if other is graph
        ]
        difference = _measure(pairs)
        if not np.isfinite(difference.largest):
            raise UserError(
                f"{graph.name}: answers what is no number where the model does:"
                " use another --quantize, or none"
            )
        if is_exact:
            _check_close(graph.name, pairs)
        result[graph.name] = difference._asdict()
    return result


def _split_rows(case: Arrays, one_by_one: bool) -> list[Arrays]:
    """Splits a batch into rows, if they are to be asked one by one."""
    if not one_by_one:
        return [case]
    num_rows = len(next(iter(case.values())))
    return [
        {name: value[row : row + 1] for name, value in case.items()}
        for row in range(num_rows)
    ]


def _compute(function: Any, case: Arrays) -> Arrays:
    outputs = function(**{name: tf.constant(x) for name, x in case.items()})
    return to_numpy(outputs)


def _measure(pairs: list[tuple[Arrays, Arrays]]) -> Difference:
    """Measures the distance of answers from the expected ones."""
    largest, num_equal, num_rows = 0.0, 0, 0
    for expected, answer in pairs:
        for name, value in expected.items():
            distance = np.abs(value.astype("f") - answer[name].astype("f"))
            # NaN too is a distance.
            largest = float(np.maximum(largest, distance.max(initial=0)))
        first = next(iter(expected))
        places = expected[first].argmax(-1) == answer[first].argmax(-1)
        num_equal, num_rows = (
            num_equal + int(places.sum()),
            num_rows + places.size,
        )
    return Difference(largest, num_equal, num_rows)


def _check_close(where: str, pairs: list[tuple[Arrays, Arrays]]) -> None:
    """Checks answers to 1e-5, or to that share of what is above 1.

    Raises:
        UserError: naming the output and the distance.
    """
    for expected, answer in pairs:
        for name, value in expected.items():
            if value.shape != answer[name].shape:
                raise UserError(
                    f"{where}: {name} has the shape {answer[name].shape}, the"
                    f" model's is {value.shape}: use --format savedmodel"
                )
            value, other = value.astype("f"), answer[name].astype("f")
            allowed = TOLERANCE * np.maximum(1, np.abs(value))
            if not (np.abs(value - other) <= allowed).all():
                raise UserError(
                    f"{where}: {name} differs from the model's by"
                    f" {np.abs(value - other).max():.2g}, more than"
                    f" {TOLERANCE}: use --format savedmodel"
                )


# Runs with `python -I`, and what is no part of the export cannot be imported.
_ALONE = """
import sys, pathlib
for name in ("tensorflow", "keras", "common", "apps"):
    sys.modules[name] = None
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
sys.dont_write_bytecode = True
"""
_ALONE_CHECK = (
    _ALONE
    + """
import numpy as np, runtime
names = sys.argv[4:]
graphs = {name: runtime.open_graph(folder, name) for name in set(names)}
cases, outputs = np.load(sys.argv[2]), {}
for number, name in enumerate(names):
    inputs = {key.partition("/")[2]: cases[key] for key in cases.files
              if key.partition("/")[0] == str(number)}
    for key, value in graphs[name](**inputs).items():
        outputs[f"{number}/{key}"] = value
np.savez(sys.argv[3], **outputs)
"""
)
_ALONE_EXAMPLE = (
    _ALONE
    + """
import runpy
path = str(folder / "example.py")
sys.argv[:] = [path, *sys.argv[2:]]
runpy.run_path(path, run_name="__main__")
"""
)


def _run_alone(
    folder: Path, names: list[str], cases: list[Arrays]
) -> list[Arrays]:
    """Returns the answers of the files to cases, each of the graph `names`."""
    with tempfile.TemporaryDirectory() as scratch:
        inputs, outputs = Path(scratch) / "in.npz", Path(scratch) / "out.npz"
        arrays = {
            f"{number}/{name}": value
            for number, case in enumerate(cases)
            for name, value in case.items()
        }
        np.savez(inputs, allow_pickle=False, **arrays)
        _run(_ALONE_CHECK, folder, [str(inputs), str(outputs), *names])
        result: list[Arrays] = [{} for _ in cases]
        with np.load(outputs) as values:
            for key in values.files:
                number, _, name = key.partition("/")
                result[int(number)][name] = values[key]
    return result


def _run(code: str, folder: Path, arguments: list[str]) -> str:
    """Runs code in a process of its own; returns what it prints.

    Raises:
        UserError: if it fails.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-X",
            "utf8",
            "-c",
            code,
            str(folder),
            *arguments,
        ],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"the export does not answer by itself: {lines[-1]}")
    return done.stdout


def run_example(folder: Path) -> str:
    """Runs the example of an export; returns its answer.

    Raises:
        UserError: if it fails.
    """
    arguments = edge_runtime.read_description(folder)["example"]
    return _run(
        _ALONE_EXAMPLE, folder, place_arguments(folder, arguments)
    ).strip()


def place_arguments(folder: Path, arguments: list[str]) -> list[str]:
    """Returns arguments, with the path of those that are files."""
    return [str(folder / x) if x.endswith(".npy") else x for x in arguments]
