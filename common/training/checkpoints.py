"""Checkpoints of a training run: everything that continues it exactly.

A checkpoint is a folder with the weights, the optimizer's and the random
generators' state, and the history so far. It appears by a rename, the two
newest are kept, and a damaged one is noticed by its checksum.
"""

import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np

from common import atomic
from common.errors import UserError

NUM_KEPT = 2
VARIABLES = "variables.npz"
STATE = "state.json"


def save(
    folder: Path, model: keras.Model, epoch: int, step: int, history: list[dict]
) -> None:
    """Writes a checkpoint and removes all but the two newest.

    Args:
        folder: where the checkpoints of the run lie.
        model: a compiled model.
        epoch: the epochs that are complete.
        step: the batches done of the epoch after them; 0 between epochs.
        history: one row of metrics for each complete epoch.

    Raises:
        UserError: if the disk is full; the checkpoints before are untouched.
    """
    target = folder / f"epoch-{epoch:04d}-step-{step:08d}"
    with atomic.write(target) as partial:
        partial.mkdir()
        # Not `save_weights`: the HDF5 library crashes where a disk is full.
        variables = _name_variables(model)
        values = {name: x.numpy() for name, x in variables.items()}
        np.savez(partial / VARIABLES, allow_pickle=False, **values)
        state = {
            "epoch": epoch,
            "step": step,
            "history": history,
            "sha256": _checksum(partial / VARIABLES),
        }
        (partial / STATE).write_text(json.dumps(state, indent=1))
        if target.exists():  # The same place, reached twice.
            shutil.rmtree(target)
    for old in _newest_first(folder)[NUM_KEPT:]:
        shutil.rmtree(old)


def newest(folder: Path) -> tuple[Path, dict] | None:
    """Finds the newest checkpoint that is intact, naming those that are not.

    Returns:
        Its folder and state, or None before the first checkpoint.

    Raises:
        UserError: if there are checkpoints and all are damaged.
    """
    folders = _newest_first(folder)
    for path in folders:
        damage = _damage(path)
        if damage is None:
            return path, json.loads((path / STATE).read_text())
        print(
            f"{path}: damaged checkpoint ({damage});"
            " going back to the one before"
        )
    if folders:
        raise UserError(
            f"{folder}: every checkpoint is damaged; start again with another"
            " --run-dir"
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
    return sorted(folder.glob("epoch-*"), reverse=True)


def _damage(path: Path) -> str | None:
    try:
        state = json.loads((path / STATE).read_text())
        if _checksum(path / VARIABLES) != state["sha256"]:
            return f"{VARIABLES} has changed since it was written"
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
