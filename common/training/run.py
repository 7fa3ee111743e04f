"""One training run: where it stands, how it goes on, what it leaves.

`runs` says what is in its folder, and reads it.
"""

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NoReturn

import keras

from common import atomic, errors, locks
from common.characters import printable
from common.data import json_files, name_lists
from common.data.names import check_path
from common.errors import Interrupted, UserError
from common.training import (
    checkpoints,
    determinism,
    interrupts,
    logs,
    runs,
    schedule,
)
from common.training.epochs import Epoch, format_seconds

CHECKPOINTS = "checkpoints"
PROGRESS = "progress"  # Of an epoch, in its checkpoint.
EVENTS = "tensorboard"
# All that a run writes, but its lists of names.
_OURS = re.compile(
    r"(config|versions|data|metrics)\.json|model\.keras|log\.csv|curves\.png"
    r"|checkpoints(/epoch-\d+-step-\d+(/(state\.json|variables\.npz))?)?"
    r"|tensorboard(/events\.out\..*)?|samples(/.*)?"
)
# Only these may differ when a run is continued: they say how long, not what.
MAY_CHANGE = ("run_dir", "epochs", "patience")

# Seconds, of which drawing the curves is a small part.
LONG_EPOCH = 20

# From the scores of validation to a line about them.
Format = Callable[[dict[str, float]], str]


class Run:
    """One training run and its folder.

    Args:
        config: the app's config; it has `run_dir`, `epochs`, `patience`,
            `learning_rate`, `learning_rate_decay`, `deterministic` and
            `BY_DATA`.
        package: the app, so that no other app continues its runs.
        monitor: the history column by which the best epoch is chosen; the
            greater the better.
        overwrite: whether to begin anew where there is a run of this app;
            `create` removes it. Default False.

    Raises:
        UserError: if the folder belongs to another app or other options, or
            another process is training in it.
    """

    def __init__(
        self,
        config: Any,
        package: str,
        monitor: str,
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(config.run_dir)
        self.config = config
        self.package = package
        self.monitor = monitor
        self.epoch = 0
        self.step = 0
        self.history: list[dict] = []
        self._overwrite = overwrite
        self.first_epoch = 0  # Of this process.
        if config.deterministic:
            determinism.make_deterministic()
        self._check_name()
        # Where the run is a link, the link stays.
        self._place = Path(os.path.realpath(self.folder))
        self._lock = locks.Lock(self._place)
        atomic.remove_leftovers(self._place)
        self._check_folder()
        self._checkpoint = None
        self.kept = schedule.BEST
        if not overwrite:
            self._read_kept()
            self._checkpoint = checkpoints.newest(self.folder / CHECKPOINTS)
        if self._checkpoint:
            _, state = self._checkpoint
            self.epoch, self.step = state["epoch"], state["step"]
            self.history = state["history"]
            self.first_epoch = self.epoch
        if any(monitor not in row for row in self.history):
            raise UserError(
                f"--run-dir {self.folder}: its epochs have no {monitor}: it was"
                " written by another version of this app; train again, with"
                " another --run-dir"
            )

    def _check_name(self) -> None:
        """Refuses the place of something else, before anything is written."""
        check_path(self.folder, "--run-dir")
        if self._has_config() or not os.path.lexists(self.folder):
            return
        if not self.folder.is_dir() or any(self.folder.iterdir()):
            raise UserError(
                f"--run-dir {self.folder}: it exists and is not a run folder;"
                " choose another name"
            )

    def _has_config(self) -> bool:
        return os.path.exists(self.folder / runs.CONFIG)

    def _check_folder(self) -> None:
        if not self._has_config():
            return
        owner = json_files.read(self.folder / runs.VERSIONS, "app", app=str)[
            "app"
        ]
        if owner != self.package:
            raise UserError(
                f"--run-dir {self.folder}: a run of {owner}, not of"
                f" {self.package}; choose another --run-dir"
            )
        if self._overwrite:
            return
        stored = runs.load_config(self.folder, type(self.config))
        self.config = schedule.fill_from(self.config, vars(stored))
        before = _as_json(stored)
        changed = [
            f"{name} {_shorten(before[name])} (now {_shorten(value)})"
            for name, value in _as_json(self.config).items()
            if name not in MAY_CHANGE and before[name] != value
        ]
        if changed:
            listed = ", ".join(changed)
            raise UserError(
                f"--run-dir {self.folder}: a run with other options:"
                f" {listed}; repeat them to continue it, or"
                " choose another --run-dir, or --overwrite"
            )

    def _read_kept(self) -> None:
        if self._has_config():
            path = self.folder / runs.DATA
            report = json_files.read(path, kept_epoch=str)
            self.kept = report.get("kept_epoch", schedule.BEST)
            if self.kept not in (schedule.BEST, schedule.LAST):
                raise UserError(
                    f"{path}: kept_epoch is {self.kept!r}, expected best or"
                    " last: it is damaged; mend it"
                )

    def create(self, config: Any, report: dict, **texts: list[str]) -> None:
        """Writes the folder, whole or not at all; checks one that is there.

        With `overwrite`, the run that is there is removed first.

        Args:
            config: the options of this run, with all sizes chosen.
            report: what the loader read and skipped.
            **texts: lists of names by the name of their file, such as `labels`.

        Raises:
            UserError: if the data are not those with which the run began.
        """
        if self._overwrite:
            self._remove_old(texts)
        self.config = config
        if self._has_config():
            for name, lines in texts.items():
                path = self.folder / f"{name}.txt"
                if name_lists.read_names(path) != lines:
                    raise UserError(
                        f"--run-dir {self.folder}: the data have changed since"
                        f" this run began ({name}.txt differs); choose another"
                        " --run-dir, or --overwrite"
                    )
            # How long to train may have changed.
            atomic.write_text(
                self.folder / runs.CONFIG, runs.to_json(_as_json(self.config))
            )
            return
        self.kept = report.get("kept_epoch", schedule.BEST)
        contents = {
            runs.CONFIG: runs.to_json(_as_json(self.config)),
            runs.VERSIONS: runs.to_json(runs.versions(self.package)),
            runs.DATA: runs.to_json(report),
        }
        for name, lines in texts.items():
            contents[f"{name}.txt"] = name_lists.encode_names(lines)
        with atomic.write(self._place) as partial:
            partial.mkdir()
            for name, content in contents.items():
                (partial / name).write_text(content, encoding="utf-8")

    def _remove_old(self, texts: Collection[str]) -> None:
        if not self._has_config():
            return
        strange = _find_strange(self.folder, texts)
        if strange:
            raise UserError(
                f"--overwrite {self.folder}: train did not write"
                f" {errors.format_names(strange)}: move it away, or choose"
                " another --run-dir"
            )
        print(f"{printable(self.folder)}: removing the run that was there")
        place = f"--overwrite {self.folder}: cannot remove the run there"
        with errors.tell_system_errors(place):
            atomic.remove_folder(self._place)

    @property
    def best_epoch(self) -> int:
        """The number of the best epoch so far, from 1; 0 before the first.

        The last is the best where validation cannot tell.
        """
        ranks = [self._rank(row) for row in self.history]
        return ranks.index(max(ranks)) + 1 if ranks else 0

    def _rank(self, row: dict[str, float]) -> tuple[float, float]:
        if self.kept == schedule.LAST:
            return row["epoch"], 0
        # Few examples have few scores, and the loss tells equal ones apart.
        return row[self.monitor], -row.get("val_loss", 0)

    @property
    def is_finished(self) -> bool:
        """True if no epoch is left, or none of the last ones was better."""
        return bool(self._limits())

    def _limits(self) -> list[str]:
        """Returns the flags that keep the run from going on."""
        reached = {
            "--epochs": self.epoch >= self.config.epochs,
            "--patience": self.epoch - self.best_epoch >= self.config.patience,
        }
        return [flag for flag, holds in reached.items() if holds]

    @property
    def finished_message(self) -> str:
        """A line for a run that has nothing left to do."""
        limits = self._limits()
        reasons = {
            "--epochs": f"all of --epochs {self.config.epochs}",
            "--patience": f"none better within --patience"
            f" {self.config.patience}",
        }
        return (
            f"{printable(self.folder)}: this run is finished after epoch"
            f" {self.epoch},"
            f" {self.kept} {self.best_epoch} ("
            f"{', and '.join(reasons[flag] for flag in limits)}); a greater"
            f" {' with a greater '.join(limits)} goes on, another --run-dir or"
            " --overwrite begins anew"
        )

    def restore(self, model: keras.Model) -> None:
        """Loads the newest checkpoint, if any, into a compiled model."""
        if self._checkpoint:
            checkpoints.load(self._checkpoint[0], model)
            batches = f", {self.step} batches" if self.step else ""
            folder = printable(self.folder)
            print(f"{folder}: going on after epoch {self.epoch}{batches}")

    def epochs(self) -> Iterator[Epoch]:
        """Yields the epochs that are left, until validation stops improving.

        Ctrl-C ends the running step, or the validation; then everything is
        saved.

        Raises:
            Interrupted: after Ctrl-C.
        """
        try:
            with interrupts.graceful() as stop:
                while not self.is_finished:
                    yield Epoch(self, stop)
                    if stop.requested:
                        self.exit_saved()
        finally:
            self._lock.release()

    def exit_saved(self) -> NoReturn:
        """Ends the run after Ctrl-C, when everything is saved."""
        without = " without --overwrite" if self._overwrite else ""
        folder = printable(self.folder)
        print(f"{folder}: saved; the same command{without} goes on from here")
        raise Interrupted

    def save_step(
        self, model: keras.Model, step: int, progress: dict[str, Any]
    ) -> None:
        """Saves a state in the middle of an epoch.

        Args:
            model: the compiled model that is trained.
            step: the batches that are done.
            progress: what the epoch needs to go on, for JSON.
        """
        self.step = step
        self._save(model, progress)

    @property
    def progress(self) -> dict[str, Any]:
        """The rest of the state, where `save_step` saved one in this epoch."""
        if self._checkpoint and self.epoch == self.first_epoch:
            return self._checkpoint[1].get(PROGRESS, {})
        return {}

    def save_epoch(
        self, model: keras.Model, pipeline: keras.Model, row: dict
    ) -> None:
        """Saves a complete epoch.

        Args:
            model: the compiled model that is trained.
            pipeline: the model to keep as `model.keras` if this epoch is the
                best so far.
            row: the epoch's metrics.
        """
        self.epoch, self.step = self.epoch + 1, 0
        self.history.append({"epoch": self.epoch, **row})
        if self.best_epoch == self.epoch:
            with atomic.write(self.folder / runs.MODEL) as partial:
                pipeline.save(partial)
        self._save(model)
        self._write_logs()

    def _save(
        self, model: keras.Model, progress: dict[str, Any] | None = None
    ) -> None:
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            PROGRESS: progress or {},
        }
        checkpoints.save(self.folder / CHECKPOINTS, model, state)

    def _write_logs(self) -> None:
        summary = {
            "best": self.history[self.best_epoch - 1],
            "epochs": self.epoch,
            "finished": self.is_finished,
            "seconds": round(sum(row["seconds"] for row in self.history), 1),
        }
        atomic.write_text(self.folder / runs.METRICS, runs.to_json(summary))
        logs.write_table(self.folder / "log.csv", self.history)
        logs.write_events(self.folder / EVENTS, self.history[-1])
        # A picture takes a second: short epochs have one at their end.
        if self.is_finished or self.history[-1]["seconds"] > LONG_EPOCH:
            logs.draw_curves(self.folder / "curves.png", self.history)

    def summary(self, format_scores: Format) -> str:
        """Returns the best scores, and the three commands that come next.

        Args:
            format_scores: from validation scores to a line about them.
        """
        best = runs.validation_scores(self.history[self.best_epoch - 1])
        report = json_files.read(self.folder / runs.DATA, example=str)
        example = printable(report.get("example", ""))
        seconds = sum(row["seconds"] for row in self.history)
        folder = printable(shlex.quote(str(self.folder)))
        events = printable(shlex.quote(str(self.folder / EVENTS)))
        return (
            f"{self.kept} epoch {self.best_epoch}: {format_scores(best)}\n"
            f"{self.epoch} epochs in {format_seconds(seconds)}; tensorboard"
            f" --logdir {events} shows them\n\nNext:\n"
            f"  python -m {self.package}.evaluate {folder}\n"
            f"  python -m {self.package}.predict {folder} {example}\n"
            f"  python -m {self.package}.export {folder}"
        )


def _find_strange(folder: Path, texts: Collection[str]) -> list[str]:
    """Returns what is in a run folder, but what no run writes."""
    lists = {f"{name}.txt" for name in texts}
    names = (x.relative_to(folder).as_posix() for x in folder.rglob("*"))
    return sorted(x for x in names if x not in lists and not _OURS.fullmatch(x))


def _shorten(value: Any) -> str:
    """Returns a value as Python writes it; of a long path, the end."""
    text = repr(value)
    return text if len(text) <= 50 else f"'...{text[-46:]}"


def _as_json(config: Any) -> dict:
    return json.loads(json.dumps(dataclasses.asdict(config)))
