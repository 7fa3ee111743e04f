"""Checkpoints of a training run: everything that continues it exactly.

A checkpoint is a folder with the weights, the optimizer's and the random
generators' state, and the history so far. It appears by a rename, the two
newest are kept, and a damaged one is noticed by its checksums: of the arrays,
and of all else.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from common import atomic
from common.characters import printable
from common.data import text_files
from common.errors import UserError

NUM_KEPT = 2
VARIABLES = "variables.npz"
STATE = "state.json"
CHECKSUM = "sha256"

_NAME = re.compile(r"epoch-\d{4,}-step-\d{8,}")


def save(folder: Path, model: keras.Model, state: dict[str, Any]) -> None:
    """Writes a checkpoint and removes all but the two newest.

    Args:
        folder: where the checkpoints of the run lie.
        model: a compiled model.
        state: where the run stands; for JSON. Its `epoch` are the epochs that
            are complete, its `step` the batches done of the one after them,
            its `history` has a row for each complete epoch.

    Raises:
        UserError: if the disk is full; the checkpoints before are untouched.
    """
    name = f"epoch-{state['epoch']:04d}-step-{state['step']:08d}"
    with atomic.write(folder / name) as partial:
        partial.mkdir()
        # Not `save_weights`: the HDF5 library crashes where a disk is full.
        variables = _name_variables(model)
        values = {name: x.numpy() for name, x in variables.items()}
        np.savez(partial / VARIABLES, allow_pickle=False, **values)
        state = state | {VARIABLES: _checksum(partial / VARIABLES)}
        state |= {CHECKSUM: _checksum_state(state)}
        (partial / STATE).write_text(json.dumps(state, indent=1))
    for old in _newest_first(folder)[NUM_KEPT:]:
        remove(old)


def remove(path: Path) -> None:
    """Removes a checkpoint; a folder with anything else in it stays."""
    if {file.name for file in path.iterdir()} <= {VARIABLES, STATE}:
        shutil.rmtree(path)


def newest(folder: Path) -> tuple[Path, dict] | None:
    """Finds the newest checkpoint that is intact, naming those that are not.

    Returns:
        Its folder and state, or None before the first checkpoint.

    Raises:
        UserError: if there are checkpoints and all are damaged.
    """
    folders = _newest_first(folder)
    for path in folders:
        try:
            return path, _read_state(path)
        except (OSError, ValueError) as error:
            print(
                f"{printable(path)}: damaged checkpoint ({printable(error)});"
                " going back to the one before"
            )
    if folders:
        raise UserError(
            f"{folder}: every checkpoint is damaged; start again with another"
            " --run-dir, or --overwrite"
        )
    return None


def load(path: Path, model: keras.Model) -> None:
    """Puts a checkpoint's weights, optimizer and random state into a model.

    Raises:
        UserError: if the model is not built as it was when it was saved.
    """
    model.optimizer.build(model.trainable_variables)
    variables = _name_variables(model)
    with np.load(path / VARIABLES) as values:
        if set(values.files) != set(variables):
            changed = sorted(set(values.files) ^ set(variables))[0]
            raise UserError(
                f"{path}: the model has changed since ({changed}); start again"
                " with another --run-dir"
            )
        for name, variable in variables.items():
            variable.assign(values[name])


def _name_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All that training changes, in a fixed order.

    Keras numbers its names anew in every process: position and shape do not
    change.
    """
    # A model's weights leave out the states of its random generators.
    seeds = [
        variable
        for variable in model.variables
        if variable.path.endswith("seed_generator_state")
    ]
    variables = [*model.weights, *seeds, *model.optimizer.variables]
    return {
        f"variable {number:03d} {tuple(variable.shape)}": variable
        for number, variable in enumerate(variables)
    }


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    names = (path.name for path in folder.iterdir() if path.is_dir())
    mine = filter(_NAME.fullmatch, names)
    # As numbers: epoch 10,000 comes after 9999.
    numbers = sorted(
        (tuple(map(int, re.findall(r"\d+", name))), name) for name in mine
    )
    return [folder / name for _, name in reversed(numbers)]


def _read_state(path: Path) -> dict[str, Any]:
    """Reads the state of a checkpoint.

    Raises:
        OSError, ValueError: if it, or the arrays, are not what was written.
    """
    for name in (STATE, VARIABLES):
        text_files.check_regular(path / name)
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{STATE} is no JSON") from None
    if not isinstance(state, dict):
        raise ValueError(f"{STATE} is no object")
    # One of before 0.3.0 has a checksum of the arrays alone.
    checksum = state.pop(CHECKSUM, None)
    is_old = VARIABLES not in state
    if not is_old and checksum != _checksum_state(state):
        raise ValueError(f"{STATE} has changed since it was written")
    arrays = checksum if is_old else state.pop(VARIABLES)
    if _checksum(path / VARIABLES) != arrays:
        raise ValueError(f"{VARIABLES} has changed since it was written")
    _check_state(path, state)
    return state


def _check_state(path: Path, state: dict[str, Any]) -> None:
    epoch, step = state.get("epoch"), state.get("step")
    if type(epoch) is not int or type(step) is not int:
        raise ValueError(f"{STATE} has no epoch or step")
    if path.name != f"epoch-{epoch:04d}-step-{step:08d}":
        raise ValueError(f"{STATE} is not that of {path.name}")
    rows = state.get("history")
    if not isinstance(rows, list) or len(rows) != epoch:
        raise ValueError(f"{STATE} has no row for each epoch")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or row.get("epoch") != number:
            raise ValueError(f"{STATE} has no row for epoch {number}")
        if not all(type(x) in (int, float) for x in row.values()):
            raise ValueError(f"{STATE}: epoch {number} has not only numbers")


def _checksum_state(state: dict[str, Any]) -> str:
    text = json.dumps(state, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
