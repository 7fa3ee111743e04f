"""A folder of features of videos, which a kill leaves usable.

features.json           which encoder made them, and of which files
features/NAME.npy       <float16>[dim, time]
times/NAME.npz          which frames they are, and when each is shown
features/.NAME.parts/   what is done of a video that is not finished

A video counts when `features.json` names it; that is written last.
"""

import contextlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import atomic
from common.errors import UserError

INDEX = "features.json"


class Times(NamedTuple):
    """Which frames of a video have features.

    Attributes:
        numbers: <int64>[time], their places in the video, from 0.
        times: <float64>[time], when each is shown, in seconds.
        total: frames of the whole video.
    """

    numbers: np.ndarray
    times: np.ndarray
    total: int


class FeatureFolder:
    """What is done, and what is not.

    Args:
        path: the folder; it is made when something is written.
        signature: of the encoder, as JSON.

    Raises:
        UserError: if the folder has features of another encoder.
    """

    def __init__(self, path: Path, signature: dict) -> None:
        self.path = path
        self.signature = signature
        self.stamps = _stamps(path / INDEX, signature)

    def has(self, name: str, stamp: str) -> bool:
        """Whether the features of a video are there, and not of an old file."""
        known = self.stamps.get(name) == stamp
        return known and self.file(name).exists() and self._times(name).exists()

    def file(self, name: str) -> Path:
        """Where the features of a video are."""
        return self.path / "features" / f"{name}.npy"

    def times(self, name: str) -> Times:
        """Which frames the features of a video belong to.

        Raises:
            UserError: if the file is damaged.
        """
        path = self._times(name)
        try:
            with np.load(path) as file:
                total = int(file["total"])
                return Times(file["numbers"], file["times"], total)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: damaged ({error}); remove it, and the features are"
                " computed again"
            ) from error

    def _times(self, name: str) -> Path:
        return self.path / "times" / f"{name}.npz"

    def start(self, name: str, stamp: str) -> int:
        """Makes ready for a video; tells how many frames of it are done."""
        # First of all, so that parts are always of the encoder it names.
        if self.stamps.pop(name, None) or not (self.path / INDEX).exists():
            self._write_index()
        self.file(name).unlink(missing_ok=True)
        noted = self._parts(name) / "stamp.txt"
        with contextlib.suppress(OSError):
            if noted.read_text() == stamp:
                return sum(len(part) for part in self._read_parts(name))
        shutil.rmtree(self._parts(name), ignore_errors=True)
        atomic.write_text(noted, stamp)
        return 0

    def add_part(self, name: str, values: np.ndarray) -> None:
        """Keeps the next features <float16>[time, dim] of a video."""
        number = len(list(self._parts(name).glob("*.npy"))) + 1
        path = self._parts(name) / f"{number:06}.npy"
        with atomic.write(path) as partial:
            np.save(partial, values)

    def finish(self, name: str, stamp: str, times: Times) -> None:
        """Joins the parts of a video: it is done."""
        with atomic.write(self._times(name)) as partial:
            np.savez(partial, **times._asdict())
        with atomic.write(self.file(name)) as partial:
            self._join(name, partial)
        self.stamps[name] = stamp
        self._write_index()
        shutil.rmtree(self._parts(name), ignore_errors=True)

    def _parts(self, name: str) -> Path:
        return self.path / "features" / f".{name}.parts"

    def _read_parts(self, name: str) -> Iterator[np.ndarray]:
        for path in sorted(self._parts(name).glob("*.npy")):
            yield np.load(path, mmap_mode="r")

    def _join(self, name: str, to: Path) -> None:
        shapes = [part.shape for part in self._read_parts(name)]
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)),
            # The values of a frame lie together, so one part after the other
            # is appended, and some frames can be read without the rest.
            "fortran_order": True,
            "shape": (shapes[0][1], sum(length for length, _ in shapes)),
        }
        with to.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for part in self._read_parts(name):
                file.write(part.tobytes())

    def _write_index(self) -> None:
        content = {"encoder": self.signature, "videos": self.stamps}
        text = json.dumps(content, indent=2, ensure_ascii=False)
        atomic.write_text(self.path / INDEX, text + "\n")


def _stamps(path: Path, signature: dict) -> dict[str, str]:
    """The stamps of the videos that an index lists."""
    if not path.exists():
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        encoder, stamps = index["encoder"], index["videos"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(
            f"{path}: expected what the command features writes ({error});"
            " remove it, or choose another --to"
        ) from error
    if encoder != signature:
        raise UserError(
            f"{path}: features of {_described(encoder)}, not of"
            f" {_described(signature)}; remove {path.parent}, or choose another"
            " --to"
        )
    return stamps


def _described(encoder: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in encoder.items())


def stamp(source: Path) -> str:
    """Tells a video from what it was before it changed.

    Args:
        source: a file, or a folder of frame pictures.

    Returns:
        Size and time of the file, or number of files, their size and the
        newest time; "" if there is nothing.
    """
    try:
        files = sorted(source.iterdir()) if source.is_dir() else [source]
        found = [path.stat() for path in files]
    except OSError:
        return ""
    size = sum(status.st_size for status in found)
    newest = max((status.st_mtime_ns for status in found), default=0)
    count = f"{len(found)} " if source.is_dir() else ""
    return f"{count}{size} {newest}"
