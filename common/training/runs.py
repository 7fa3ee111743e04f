"""Run folders: what a training run was, where it stands, how to go on.

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
"""

import csv
import dataclasses
import io
import json
import platform
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from common import atomic
from common.errors import UserError
from common.training import checkpoints

CONFIG = "config.json"
VERSIONS = "versions.json"
MODEL = "model.keras"
# Only these may differ when a run is continued: they say how long, not what.
MAY_CHANGE = ("run_dir", "epochs", "patience")


class Run:
    """One training run and its folder.

    Args:
        config: the app's config; it has `run_dir`, `epochs` and `patience`.
        package: the app, so that no other app continues its runs.
        monitor: the history column by which the best epoch is chosen; the
            greater the better.

    Raises:
        UserError: if the folder belongs to another app or other options.
    """

    def __init__(self, config: Any, package: str, monitor: str) -> None:
        self.folder = Path(config.run_dir)
        self.config = config
        self.package = package
        self.monitor = monitor
        self.epoch = 0
        self.step = 0
        self.history: list[dict] = []
        self._check_folder()
        self._checkpoint = checkpoints.newest(self.folder / "checkpoints")
        if self._checkpoint:
            _, state = self._checkpoint
            self.epoch, self.step = state["epoch"], state["step"]
            self.history = state["history"]

    def _check_folder(self) -> None:
        if self.folder.is_file() or (
            self.folder.is_dir()
            and not (self.folder / CONFIG).exists()
            and any(self.folder.iterdir())
        ):
            raise UserError(
                f"--run-dir {self.folder}: it exists and is not a run folder;"
                " choose another name"
            )
        if not (self.folder / CONFIG).exists():
            return
        owner = read_json(self.folder / VERSIONS)["app"]
        if owner != self.package:
            raise UserError(
                f"--run-dir {self.folder}: a run of {owner}, not of"
                f" {self.package}; choose another --run-dir"
            )
        before = read_json(self.folder / CONFIG)
        changed = [
            f"{name} {before.get(name)!r} (now {value!r})"
            for name, value in _as_json(self.config).items()
            if name not in MAY_CHANGE and before.get(name) != value
        ]
        if changed:
            raise UserError(
                f"--run-dir {self.folder}: a run with other options:"
                f" {', '.join(changed)}; repeat them to continue it, or choose"
                " another --run-dir"
            )

    def create(self, report: dict, **texts: list[str]) -> None:
        """Writes the folder, whole or not at all; checks one that is there.

        Args:
            report: what the loader read and skipped.
            **texts: files of one entry a line, such as `labels`.

        Raises:
            UserError: if the data are not those with which the run began.
        """
        if (self.folder / CONFIG).exists():
            for name, lines in texts.items():
                if read_lines(self.folder / f"{name}.txt") != lines:
                    raise UserError(
                        f"--run-dir {self.folder}: the data have changed since"
                        f" this run began ({name}.txt differs); choose another"
                        " --run-dir"
                    )
            # How long to train may have changed.
            atomic.write_text(
                self.folder / CONFIG, to_json(_as_json(self.config))
            )
            return
        contents = {
            CONFIG: to_json(_as_json(self.config)),
            VERSIONS: to_json(versions(self.package)),
            "data.json": to_json(report),
        }
        for name, lines in texts.items():
            contents[f"{name}.txt"] = "".join(f"{line}\n" for line in lines)
        with atomic.write(self.folder) as partial:
            partial.mkdir()
            for name, content in contents.items():
                (partial / name).write_text(content, encoding="utf-8")

    @property
    def best_epoch(self) -> int:
        """The number of the best epoch so far, from 1; 0 before the first."""
        scores = [row[self.monitor] for row in self.history]
        return scores.index(max(scores)) + 1 if scores else 0

    @property
    def is_finished(self) -> bool:
        """Whether no epoch is left, or none of the last ones was better."""
        return (
            self.epoch >= self.config.epochs
            or self.epoch - self.best_epoch >= self.config.patience
        )

    def restore(self, model: keras.Model) -> None:
        """Puts the newest checkpoint, if any, into a compiled model."""
        if self._checkpoint:
            checkpoints.load(self._checkpoint[0], model)
            batches = f", {self.step} batches" if self.step else ""
            print(f"{self.folder}: going on after epoch {self.epoch}{batches}")

    def save_step(self, model: keras.Model, step: int) -> None:
        """Saves a state in the middle of an epoch."""
        self.step = step
        self._save(model)

    def save_epoch(
        self, model: keras.Model, deliverable: keras.Model, row: dict
    ) -> None:
        """Notes a complete epoch and saves everything.

        Args:
            model: the compiled model that is trained.
            deliverable: the model to keep as `model.keras` if this epoch is
                the best so far.
            row: the epoch's metrics.
        """
        self.epoch, self.step = self.epoch + 1, 0
        self.history.append({"epoch": self.epoch, **row})
        if self.best_epoch == self.epoch:
            with atomic.write(self.folder / MODEL) as partial:
                deliverable.save(partial)
        self._save(model)
        self._write_log()

    def _save(self, model: keras.Model) -> None:
        checkpoints.save(
            self.folder / "checkpoints",
            model,
            self.epoch,
            self.step,
            self.history,
        )

    def _write_log(self) -> None:
        table = io.StringIO()
        writer = csv.DictWriter(table, self.history[-1], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        atomic.write_text(self.folder / "log.csv", table.getvalue())
        summary = {
            "best": self.history[self.best_epoch - 1],
            "epochs": self.epoch,
            "finished": self.is_finished,
            "seconds": round(sum(row["seconds"] for row in self.history), 1),
        }
        atomic.write_text(self.folder / "metrics.json", to_json(summary))
        _write_events(self.folder / "tensorboard", self.history[-1])
        _draw_curves(self.folder / "curves.png", self.history)

    def next_commands(self, example: str) -> str:
        """The three commands that come after training."""
        return (
            f"\nNext:\n"
            f"  python -m {self.package}.evaluate {self.folder}\n"
            f"  python -m {self.package}.predict {self.folder} {example}\n"
            f"  python -m {self.package}.export {self.folder}"
        )


def load_config(folder: Path, config_class: type) -> Any:
    """Reads the config of a run, or of an exported model.

    Raises:
        UserError: if it was written by another version of the app.
    """
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in read_json(folder / CONFIG).items()
    }
    try:
        return config_class(**values)
    except TypeError as error:
        raise UserError(
            f"{folder / CONFIG}: written by another version of this app"
            f" ({error}); train again"
        ) from error


def read_lines(path: Path) -> list[str]:
    """Reads a file of one entry a line, as `Run.create` wrote it.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        # As bytes: reading text would take a carriage return for a line end.
        return path.read_bytes().decode("utf-8").split("\n")[:-1]
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot read it ({error})") from error


def read_json(path: Path) -> Any:
    """Reads a JSON file; a damaged or missing one is a `UserError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot read it ({error})") from error


def to_json(value: Any) -> str:
    """JSON for people: indented, ending with a line end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def versions(package: str) -> dict:
    """The app and the versions that a result depends on."""
    return {
        "app": package,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def _as_json(config: Any) -> dict:
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _write_events(folder: Path, row: dict) -> None:
    # Not `tf.summary.scalar`, which needs the tensorboard package to write
    # what anybody may want to view on another machine.
    kind = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
    kind.plugin_data.plugin_name = "scalars"
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=row["epoch"]):
        for name, value in row.items():
            if name != "epoch":
                scalar = tf.constant(value, tf.float32)
                tf.summary.write(name, scalar, metadata=kind)
    writer.close()


def _draw_curves(path: Path, history: list[dict]) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return  # The picture is a comfort; log.csv has the numbers.
    prefix = "val_"
    names = [n.removeprefix(prefix) for n in history[0] if n.startswith(prefix)]
    figure = Figure(figsize=(4.5 * len(names), 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [row["epoch"] for row in history]
    for axes, name in zip(
        figure.subplots(1, len(names), squeeze=False)[0], names, strict=True
    ):
        for column, label in ((name, "train"), (prefix + name, "valid")):
            if column in history[0]:
                values = [row[column] for row in history]
                axes.plot(epochs, values, "o-", label=label)
        axes.set(xlabel="epoch", title=name, xticks=epochs)
        axes.legend()
    with atomic.write(path) as partial:
        figure.savefig(partial)
