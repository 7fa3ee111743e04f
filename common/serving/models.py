"""A folder of exports that is watched: versions come and go under clients.

A new version is loaded and warmed up in the watcher's thread, then takes the
requests; the old one is closed when its last request is answered. A version
that cannot be loaded is told, and the old one goes on.
"""

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.export_folder import VERSION
from common.serving.batching import Batching
from common.serving.failures import RequestError
from common.serving.saved_model import PROTO, SavedModel

# Names of states, as TensorFlow Serving's ModelVersionStatus has them.
START, LOADING, AVAILABLE = "START", "LOADING", "AVAILABLE"
UNLOADING, END = "UNLOADING", "END"

# An event and what is to know of it, for the log.
Tell = Callable[..., None]
# {LABEL: version} of each model.
Labels = Mapping[str, Mapping[str, int]]


@dataclasses.dataclass
class Version:
    """A version of a model.

    Attributes:
        folder: where it is.
        number: of the version.
        stamp: sizes and times of its files when it was loaded.
        state: one of the five above.
        error: why it could not be loaded; "" if it could.
        seconds: that it took to load and warm up.
        model: None before it is loaded, and after it was closed.
        leases: requests that use it.
    """

    folder: Path
    number: int
    stamp: tuple
    state: str = START
    error: str = ""
    seconds: float = 0.0
    model: SavedModel | None = None
    leases: int = 0


class Models:
    """The models of a folder, and those of their versions that are served.

    Args:
        folder: of exports; of one model's versions; or one version.
        num_versions: how many of the newest are served. Default 1.
        labels: versions with a name, which are served besides.
        seconds: after which the graph of a request is stopped. Default:
            never.
        batching: of requests that come at one time. Default: none.
        tell: is told what happens, as `tell(event, **facts)`.

    Raises:
        UserError: if there is nothing to serve.
    """

    def __init__(
        self,
        folder: Path,
        num_versions: int = 1,
        labels: Labels | None = None,
        seconds: float = 0,
        batching: Batching | None = None,
        tell: Tell = lambda event, **facts: None,
    ) -> None:
        self.folder = folder
        self._num_versions = num_versions
        self._labels = labels or {}
        self._seconds = seconds
        self._batching = batching
        self._tell = tell
        self._lock = threading.Lock()
        self._versions: dict[str, dict[int, Version]] = {}
        self._missing: set[tuple[str, int]] = set()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.is_ready = False
        _check_folder(folder)

    # What is there

    def names(self) -> list[str]:
        """The names of all models, in alphabetical order."""
        return sorted(self._versions)

    def statuses(
        self, name: str, number: int | None = None, label: str = ""
    ) -> list[Version]:
        """Returns what is known of a model's versions, the newest first.

        Raises:
            RequestError: if there is no such model, version or label.
        """
        versions = self._versions.get(name, {})
        number = self._resolve(name, number, label)
        if number is not None:
            if number not in versions:
                raise RequestError(
                    f"Could not find version {number} of model {name[:100]}",
                    "NOT_FOUND",
                )
            return [versions[number]]
        if not versions:
            raise RequestError(
                f"Could not find any versions of model {name[:100]}",
                "NOT_FOUND",
            )
        return [versions[key] for key in sorted(versions, reverse=True)]

    @contextlib.contextmanager
    def lease(
        self, name: str, number: int | None = None, label: str = ""
    ) -> Iterator[tuple[Version, SavedModel]]:
        """Yields a version that answers, and keeps it open meanwhile.

        Args:
            name: of the model.
            number: of the version. Default: the newest.
            label: of the version, in place of its number.

        Raises:
            RequestError: if there is none.
        """
        with self._lock:
            version = self._choose(name, number, label)
            version.leases += 1
        assert version.model
        try:
            yield version, version.model
        finally:
            with self._lock:
                version.leases -= 1
            self._close_idle(version)

    def _choose(self, name: str, number: int | None, label: str) -> Version:
        number = self._resolve(name, number, label)
        available = {
            version.number: version
            for version in self._versions.get(name, {}).values()
            if version.state == AVAILABLE
        }
        if number is None:
            number = max(available, default=None)
            shown = f"Latest({name[:100]})"
        else:
            shown = f"Specific({name[:100]}, {number})"
        if number not in available:
            known = f"; there are {', '.join(self.names())}"
            raise RequestError(
                f"Servable not found for request: {shown}"
                f"{known if name not in self._versions else ''}"[:500],
                "NOT_FOUND",
            )
        return available[number]

    def _resolve(self, name: str, number: int | None, label: str) -> int | None:
        """Returns the number of a version; None for the newest."""
        if label:
            return self._find_label(name, label)
        # Clients of OpenVINO's server, which speaks the same, say 0.
        is_newest = number == 0 and 0 not in self._versions.get(name, {})
        return None if is_newest else number

    def _find_label(self, name: str, label: str) -> int:
        labels = self._labels.get(name, {})
        if label not in labels:
            raise RequestError(
                f"Unrecognized servable version label: {label[:100]}; of"
                f" {name[:100]} there are: {', '.join(labels) or 'none'}",
                "INVALID_ARGUMENT",
            )
        return labels[label]

    # What comes and goes

    def watch(self, seconds: float) -> None:
        """Looks for new versions every so many seconds, in a thread."""

        def watch() -> None:
            while not self._stop.wait(seconds):
                self.refresh()

        self._watcher = threading.Thread(target=watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Loads no further version."""
        self._stop.set()

    def close(self) -> None:
        """Stops watching, and closes all versions that nobody uses."""
        self.stop()
        if self._watcher:
            self._watcher.join()
        for versions in list(self._versions.values()):
            for version in list(versions.values()):
                self._retire(version)

    def refresh(self) -> None:
        """Looks at the folder once: loads what is new, drops what is old."""
        try:
            self._load_all()
            # In place of versions that could not be loaded.
            wanted = self._load_all()
        except OSError as error:  # It may be back the next time.
            self._tell("scan_failed", level="warning", error=str(error))
            return
        self._drop(wanted)
        self.is_ready = True

    def _load_all(self) -> dict[str, dict[int, Path]]:
        """Loads what should be served and is not; returns what should be."""
        wanted = self._scan()
        new = [
            (name, version)
            for name, folders in wanted.items()
            for number, folder in sorted(folders.items())
            if (version := self._register(name, number, folder))
        ]
        for name, version in new:
            if not self._stop.is_set():
                self._load(name, version)
        return wanted

    def _scan(self) -> dict[str, dict[int, Path]]:
        """Returns the folders that should be served, by name and number."""
        result = {}
        for name, folders in find_models(self.folder).items():
            numbers = set(sorted(folders)[-self._num_versions :])
            numbers |= set(self._labels.get(name, {}).values())
            failed = {
                number
                for number, version in self._versions.get(name, {}).items()
                if version.error and number in folders
            }
            if numbers & failed and self._num_versions:
                # The newest that can be loaded stays.
                sound = sorted(set(folders) - failed)
                numbers |= set(sound[-self._num_versions :])
            result[name] = {n: folders[n] for n in numbers if n in folders}
        return result

    def _register(self, name: str, number: int, folder: Path) -> Version | None:
        """Returns a version to load; None if it was, or would fail again."""
        before = self._versions.get(name, {}).get(number)
        if before and not before.error:
            return None
        stamp = _read_stamp(folder)
        if before and before.stamp == stamp:
            return None
        version = Version(folder, number, stamp)
        with self._lock:
            versions = self._versions.get(name, {}) | {number: version}
            self._versions = {**self._versions, name: versions}
        return version

    def _load(self, name: str, version: Version) -> None:
        facts: dict[str, Any] = {"model": name, "version": version.number}
        self._tell("loading", **facts)
        version.state = LOADING
        start = time.monotonic()
        model = None
        try:
            model = SavedModel(version.folder, self._seconds, self._batching)
            count = model.warm_up()
        except Exception as error:  # Of strangers' files, anything.
            if model:
                model.close()
            text = " ".join(str(error).split())[:300]
            version.error = text or type(error).__name__
            version.state = END
            self._tell(
                "load_failed", level="error", **facts, error=version.error
            )
            return
        version.seconds = time.monotonic() - start
        version.model, version.state = model, AVAILABLE
        seconds = round(version.seconds, 3)
        self._tell("loaded", **facts, seconds=seconds, warmup_requests=count)

    def _drop(self, wanted: dict[str, dict[int, Path]]) -> None:
        """Retires versions that are no longer wanted.

        One whose folder is gone is given a second look, as a network's disk
        may be gone for a moment.
        """
        missing = set()
        for name, versions in list(self._versions.items()):
            for number, version in list(versions.items()):
                if number in wanted.get(name, {}):
                    continue
                is_there = version.folder.exists()
                if not is_there and (name, number) not in self._missing:
                    missing.add((name, number))
                    continue
                self._retire(version)
                self._forget(name, number)
                self._tell("retired", model=name, version=number)
        self._missing = missing

    def _forget(self, name: str, number: int) -> None:
        with self._lock:
            versions = dict(self._versions[name])
            del versions[number]
            models = {**self._versions, name: versions}
            if not versions:
                del models[name]
            self._versions = models

    def _retire(self, version: Version) -> None:
        with self._lock:
            if version.state == AVAILABLE:
                version.state = UNLOADING
        self._close_idle(version)

    def _close_idle(self, version: Version) -> None:
        with self._lock:
            if version.state != UNLOADING or version.leases:
                return
            version.state = END
            model, version.model = version.model, None
        if model:
            model.close()


def find_models(folder: Path) -> dict[str, dict[int, Path]]:
    """Finds the versions of all models in a folder, by name and number.

    Args:
        folder: of exports; of one model's versions; or one version, whose
            name need be no number.

    Raises:
        OSError: if it cannot be read.
    """
    folder = Path(os.path.abspath(folder))
    if (folder / PROTO).is_file():
        if VERSION.fullmatch(folder.name):
            return {folder.parent.name: {int(folder.name): folder}}
        return {folder.name: {1: folder}}
    if versions := _find_versions(folder):
        return {folder.name: versions}
    return {
        path.name: versions
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.is_dir()
        if (versions := _find_versions(path))
    }


def _find_versions(folder: Path) -> dict[int, Path]:
    with contextlib.suppress(PermissionError):
        return {
            int(path.name): path
            for path in folder.iterdir()
            if VERSION.fullmatch(path.name) and (path / PROTO).is_file()
        }
    return {}


def _read_stamp(folder: Path) -> tuple:
    """Returns sizes and times of a version's files, which tell of a change."""
    stamp = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            status = path.stat()
            stamp.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(stamp)


def _check_folder(folder: Path) -> None:
    """Raises an error that says what to do where there is nothing to serve."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; expected exports, such as those of"
            " python -m apps.sentiment.export runs/sentiment"
        )
    try:
        if find_models(folder):
            return
    except OSError as error:
        raise UserError(
            f"{folder}: cannot read it ({error.strerror})"
        ) from error
    if (folder / "config.json").is_file():
        raise UserError(
            f"{folder}: a run folder; export it first: python -m"
            f" apps.APP.export {folder}"
        )
    raise UserError(
        f"{folder}: no exported model in it; expected NAME/1/{PROTO}, as"
        " python -m apps.APP.export RUN writes it"
    )
