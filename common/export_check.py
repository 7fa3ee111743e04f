"""Proof that a SavedModel answers as the model it came from.

It is asked in a process of its own, in batches and each row alone.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.errors import UserError, format_names
from common.export_versions import DEFAULT

TOLERANCE = 1e-5

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
            " add it with export.add_signature"
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
