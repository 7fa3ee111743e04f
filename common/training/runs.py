"""Run folders as they are stored: whose they are, their options, their model.

config.json       every option of the run
versions.json     the app, and versions of python, tensorflow and keras
data.json         what was read and what was skipped
*.txt             vocabulary and labels
checkpoints/      the two newest, to continue from
model.keras       the best epoch so far
log.csv           one row for each epoch
metrics.json      the best epoch's row, and how training ended
curves.png        the log as a picture, where matplotlib is installed
tensorboard/      the log as TensorBoard events

`run` writes them.
"""

import platform
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from common import edge_runtime, options
from common.characters import dump_json
from common.data import json_files
from common.errors import UserError

CONFIG = "config.json"
VERSIONS = "versions.json"
DATA = "data.json"
METRICS = "metrics.json"
MODEL = "model.keras"


def read_best(folder: Path, *scores: str) -> dict[str, float]:
    """Reads the row of the best epoch of a run.

    Args:
        folder: the run.
        *scores: its columns that must be there.

    Raises:
        UserError: if it has none, or not these.
    """
    path = folder / METRICS
    best = json_files.read(path, "best", best=dict)["best"]
    for name in ("epoch", *scores, *best):
        if not json_files.is_of_kind(best.get(name), float):
            raise UserError(
                f"{path}: expected a number as {name} of the best epoch, got"
                f" {json_files.format_value(best.get(name))}: it is damaged;"
                " train one more epoch, with a greater --epochs"
            )
    return best


def validation_scores(row: dict[str, float]) -> dict[str, float]:
    """Returns the `val_` columns of a row of the history, without `val_`."""
    prefix = "val_"
    return {
        name.removeprefix(prefix): value
        for name, value in row.items()
        if name.startswith(prefix)
    }


def check_app(folder: Path, app: str, config_class: type | None = None) -> None:
    """Checks that a run or an export was made by an app.

    Args:
        folder: the run folder, or the version of an export.
        app: the package that is to use it.
        config_class: by whose fields an export of before 0.3.0 is judged:
            those do not say which app made them.

    Raises:
        UserError: naming both apps.
    """
    if (folder / VERSIONS).is_file():
        owner = json_files.read(folder / VERSIONS, app=str).get("app")
        if owner != app:
            raise UserError(
                f"{folder}: made by {owner}, not by {app}; give a run or an"
                f" export of {app}, or use the commands of {owner}"
            )
    elif config_class and not options.fits(folder / CONFIG, config_class):
        raise UserError(
            f"{folder}: made by another app than {app}, or by another version"
            f" of it: its {CONFIG} has other options; give a run or an export"
            f" of {app}"
        )


def find_model(run: str | Path, app: str = "") -> Path:
    """Returns the file with the best epoch's model of a run folder.

    Args:
        run: the folder.
        app: the package that is to use it; "" for any.

    Raises:
        UserError: if it is no run folder, of another app, or no epoch of it
            is finished.
    """
    folder = Path(run)
    if not (folder / CONFIG).is_file():
        raise UserError(
            f"{run}: expected a run folder (of train) or an exported"
            " SavedModel (of export); "
            + ("it is neither" if folder.exists() else "there is nothing")
        )
    if app:
        check_app(folder, app)
    if (folder / edge_runtime.DESCRIPTION).is_file():
        raise UserError(
            f"{run}: an export without TensorFlow, which its own example.py"
            " asks; give the run folder"
        )
    if not (folder / MODEL).is_file():
        raise UserError(
            f"{run}: no epoch is finished yet; let train complete one"
        )
    return folder / MODEL


def load_model(run: str | Path, app: str = "") -> Any:
    """Loads the best epoch's model of a run folder.

    The module that defines its classes must be imported.

    Args:
        run: the folder.
        app: the package that is to use it; "" for any.

    Raises:
        UserError: if it is no run folder, of another app or an earlier version
            of it, has no finished epoch, or its model is damaged.
    """
    path = find_model(run, app)
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types for a broken file.
        reason = str(error).partition("\n")[0][:200]
        raise UserError(
            f"{path}: cannot load it ({reason}); train again"
        ) from error
    if app and not type(model).__module__.startswith(f"{app}."):
        raise UserError(
            f"{path}: a model of an earlier version of {app}; train again,"
            " with another --run-dir"
        )
    return model


def load_config(folder: Path, config_class: type) -> Any:
    """Reads the config of a run, or of an exported model.

    Raises:
        UserError: if it was written by another version of the app.
    """
    return config_class(**options.read_config(folder / CONFIG, config_class))


def to_json(value: Any) -> str:
    """JSON for people: indented, ending with a line end."""
    return dump_json(value, indent=2) + "\n"


def versions(package: str) -> dict:
    """The app and the versions that a result depends on."""
    return {
        "app": package,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
