"""Models that training saved: found in a run folder, and loaded."""

from pathlib import Path
from typing import Any

import keras

from common.errors import UserError
from common.training import runs


def find(run: str | Path) -> Path:
    """The file with the best epoch's model of a run folder.

    Raises:
        UserError: if it is no run folder, or no epoch of it is finished.
    """
    folder = Path(run)
    if not (folder / runs.CONFIG).is_file():
        raise UserError(
            f"{run}: expected a run folder (of train) or an exported"
            " SavedModel (of export); "
            + ("it is neither" if folder.exists() else "there is nothing")
        )
    if not (folder / runs.MODEL).is_file():
        raise UserError(
            f"{run}: no epoch is finished yet; let train complete one"
        )
    return folder / runs.MODEL


def load(path: Path) -> Any:
    """Loads a model; the module that defines its classes must be imported.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types for a broken file.
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{path}: cannot load it ({reason}); train again"
        ) from error
