"""Folders of features of videos, which a killed computation leaves usable.

features.json           which encoder made them, and of which files
features/NAME.npy       <float16>[dim, time]
times/NAME.npz          which frames they are, and when each is shown
features/.NAME.parts/   the first features of a video that is not finished

A video counts when `features.json` names it; that is written last.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import atomic, locks
from common.characters import dump_json
from common.data import arrays, feature_cache, json_files
from common.errors import UserError

INDEX = "features.json"


class Times(NamedTuple):
    """The frames of a video that have features.

    Attributes:
        numbers: <int64>[time], their places in the video, from 0.
        times: <float64>[time], when each is shown, in seconds.
        total: frames of the whole video.
    """

    numbers: np.ndarray
    times: np.ndarray
    total: int


class FeatureFolder:
    """A folder of features of videos, made by one encoder.

    Args:
        path: the folder; it is made when something is written.
        signature: of the encoder, a JSON object.

    Raises:
        UserError: if the folder has features of another encoder, or another
            process that writes there.
    """

    def __init__(self, path: Path, signature: dict) -> None:
        self.path = path
        self.signature = signature
        self._lock = locks.Lock(path)
        atomic.remove_leftovers(path)
        self.stamps = _read_stamps(path / INDEX, signature)

    def has(self, name: str, stamp: str) -> bool:
        """Returns True if a video has features, and not of an old file.

        Args:
            name: of the video.
            stamp: of its file, see `feature_cache.make_stamp`.
        """
        if self.stamps.get(name) != stamp:
            return False
        return (
            self.array_path(name).exists() and self._times_path(name).exists()
        )

    def array_path(self, name: str) -> Path:
        """Returns the path of the features of a video, `[dim, time]`."""
        return self.path / "features" / f"{name}.npy"

    def read_times(self, name: str) -> Times:
        """Reads the frames that the features of a video belong to.

        Raises:
            UserError: if the file is damaged.
        """
        path = self._times_path(name)
        try:
            stored = arrays.read_npz(path, Times._fields)
            return _parse_times(**stored)
        except (OSError, TypeError, arrays.DamagedError) as error:
            raise UserError(
                f"{path}: damaged ({error}); remove it, and the features are"
                " computed again"
            ) from error

    def _times_path(self, name: str) -> Path:
        return self.path / "times" / f"{name}.npz"

    def start(self, name: str, stamp: str) -> int:
        """Starts or continues a video; returns how many frames are done."""
        # First of all, so that parts are always of the encoder it names.
        if self.stamps.pop(name, None) or not (self.path / INDEX).exists():
            self._write_index()
        self.array_path(name).unlink(missing_ok=True)
        stamp_path = self._parts(name) / "stamp.txt"
        # A damaged part, too, is computed again.
        with contextlib.suppress(OSError, ValueError, EOFError):
            if stamp_path.read_text() == stamp:
                return sum(len(part) for part in self._read_parts(name))
        shutil.rmtree(self._parts(name), ignore_errors=True)
        atomic.write_text(stamp_path, stamp)
        return 0

    def add_part(self, name: str, values: np.ndarray) -> None:
        """Writes the next features <float16>[time, dim] of a video."""
        number = len(self._part_paths(name)) + 1
        path = self._parts(name) / f"{number:06}.npy"
        with atomic.write(path) as partial:
            np.save(partial, values)

    def finish(self, name: str, stamp: str, times: Times) -> None:
        """Joins the parts of a video, which is done then."""
        with atomic.write(self._times_path(name)) as partial:
            np.savez(partial, **times._asdict())
        with atomic.write(self.array_path(name)) as partial:
            self._join(name, partial)
        self.stamps[name] = stamp
        self._write_index()
        shutil.rmtree(self._parts(name), ignore_errors=True)

    def _parts(self, name: str) -> Path:
        return self.path / "features" / f".{name}.parts"

    def _part_paths(self, name: str) -> list[Path]:
        return sorted(self._parts(name).glob("[0-9]" * 6 + ".npy"))

    def _read_parts(self, name: str) -> Iterator[np.ndarray]:
        for path in self._part_paths(name):
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
        atomic.write_text(self.path / INDEX, dump_json(content, 2) + "\n")


def _parse_times(
    numbers: np.ndarray, times: np.ndarray, total: np.ndarray
) -> Times:
    kinds = (numbers.dtype.kind, times.dtype.kind, total.dtype.kind)
    shapes = (numbers.ndim, times.shape, total.shape)
    if kinds != ("i", "f", "i") or shapes != (1, numbers.shape, ()):
        raise arrays.DamagedError("arrays of other types or shapes")
    return Times(numbers, times, int(total))


def check_encoder(folder: Path, signature: dict) -> None:
    """Checks that a folder has the features of one encoder.

    Raises:
        UserError: if they are of another one.
    """
    _read_stamps(folder / INDEX, signature)


def _read_stamps(path: Path, signature: dict) -> dict[str, str]:
    """Reads the stamps of the videos that an index lists."""
    if not path.exists():
        return {}
    index = json_files.read(
        path, "encoder", "videos", encoder=dict, videos=dict
    )
    feature_cache.check_signature(
        path, index["encoder"], signature, path.parent
    )
    return index["videos"]
