"""Files of features of pictures, `.npz`.

names     <str>[n], of the pictures' files
features  [n, dim] or [n, regions, dim], of float16 or float32; or of uint8
          with `low` and `step` <float32>[dim]: value = low + step * features
encoder   if known, the signature of the encoder, JSON
stamps    if known, <str>[n], of the pictures' files (see `feature_cache`)
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from common import atomic, locks
from common.data import arrays, feature_cache, json_files
from common.errors import UserError, format_names

_DTYPES = ("float16", "float32", "uint8")
_ARRAYS = ("names", "features", "low", "step", "encoder", "stamps")


@dataclasses.dataclass(frozen=True)
class Features:
    """The features of many pictures, as they are stored.

    Attributes:
        names: of the pictures.
        values: [n, regions, dim]; regions is 1 if they are pooled.
        low: <float32>[dim], what a stored 0 means.
        step: <float32>[dim], what a stored 1 adds to it.
        encoder: the signature of the encoder; None if unknown.
        stamps: of the pictures' files; none if unknown.
    """

    names: list[str]
    values: np.ndarray
    low: np.ndarray | float = 0.0
    step: np.ndarray | float = 1.0
    encoder: dict | None = None
    stamps: list[str] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def rows(self) -> dict[str, int]:
        """Name to row."""
        return {name: row for row, name in enumerate(self.names)}

    @property
    def regions(self) -> int:
        """Number of vectors of a picture."""
        return self.values.shape[1]

    @property
    def dim(self) -> int:
        """The size of a vector."""
        return self.values.shape[2]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Returns the features <float32>[n, regions, dim] of rows <int>[n].

        Example:
            >>> stored = np.array([[[0, 2]], [[1, 255]]], np.uint8)
            >>> features = Features(["a", "b"], stored, -1.0, 0.5)
            >>> features.take(np.array([1, 1]))[:, 0].tolist()
            [[-0.5, 126.5], [-0.5, 126.5]]
        """
        values = self.values[rows].astype(np.float32)
        return (self.low + self.step * values).astype(np.float32)


def save(path: Path, features: Features) -> None:
    """Writes a file of features, whole or not at all.

    Raises:
        UserError: if the disk refuses.
    """
    arrays = {"names": np.array(features.names, str)}
    # One vector a picture is stored as other tools do.
    is_pooled = features.regions == 1
    arrays["features"] = features.values[:, 0] if is_pooled else features.values
    if features.values.dtype == np.uint8:
        arrays |= {"low": np.asarray(features.low, np.float32)}
        arrays |= {"step": np.asarray(features.step, np.float32)}
    if features.encoder is not None:
        arrays["encoder"] = np.array(json.dumps(features.encoder))
    if features.stamps:
        arrays["stamps"] = np.array(features.stamps, str)
    with atomic.write(path) as partial:
        np.savez(partial, allow_pickle=False, **arrays)


def load(path: Path) -> Features:
    """Reads a file of features.

    Raises:
        UserError: if there is none, or if it is not one.
    """
    stored = _read_arrays(path)
    missing = [name for name in ("names", "features") if name not in stored]
    if missing:
        raise UserError(
            f"{path}: no array {format_names(missing, ' and ')}; expected"
            f" names and features, it has {format_names(stored)}"
        )
    names, values = _parse_names(path, stored["names"]), stored["features"]
    _check_values(path, names, values)
    if values.ndim == 2:
        values = values[:, None]
    low, step = _parse_scale(path, values, stored)
    encoder = _parse_encoder(path, stored)
    stamps = _parse_stamps(path, stored)
    return Features(names, values, low, step, encoder, stamps)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return arrays.read_npz(path, _ARRAYS)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{path}: cannot read it ({reason})") from error
    except arrays.DamagedError as error:
        raise UserError(
            f"{path}: expected a file of features, .npz with names and"
            f" features; it is none ({error})"
        ) from error


def _parse_names(path: Path, array: np.ndarray) -> list[str]:
    if array.dtype.kind not in "US" or array.ndim != 1:
        raise UserError(
            f"{path}: names must be strings [n], got {array.dtype}"
            f" {list(array.shape)}"
        )
    try:
        is_bytes = array.dtype.kind == "S"
        names = np.char.decode(array, "utf-8") if is_bytes else array
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: names must be in UTF-8 ({error.reason}); write them anew"
        ) from error
    _check_characters(path, names)
    kinds, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"{path}: the name {kinds[counts > 1][0]} occurs twice; expected"
            " one row for each picture"
        )
    return names.tolist()


def _check_characters(path: Path, names: np.ndarray) -> None:
    """Refuses numbers that are no characters, which Python cannot read."""
    native = np.ascontiguousarray(names, names.dtype.newbyteorder("="))
    if native.itemsize and (native.view(np.uint32) > sys.maxunicode).any():
        raise UserError(
            f"{path}: names with characters that do not exist: it is damaged;"
            " write them anew"
        )


def _check_values(path: Path, names: list[str], values: np.ndarray) -> None:
    if values.dtype.name not in _DTYPES:
        raise UserError(
            f"{path}: features must be {', '.join(_DTYPES)}, got"
            f" {values.dtype}: convert them"
        )
    if values.ndim not in (2, 3) or 0 in values.shape[1:]:
        raise UserError(
            f"{path}: features must be [n, dim] or [n, regions, dim], got"
            f" {list(values.shape)}"
        )
    if len(names) != len(values):
        raise UserError(
            f"{path}: {len(names)} names but {len(values)} rows of features"
        )
    for name, row in zip(names, values, strict=True):
        # Row by row: at once would take as much memory again.
        if not np.isfinite(row).all():
            raise UserError(
                f"{path}: the features of {name} are not all finite numbers;"
                " compute them again"
            )


def _parse_scale(
    path: Path, values: np.ndarray, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray | float, np.ndarray | float]:
    if values.dtype != np.uint8:
        return 0.0, 1.0
    for name in ("low", "step"):
        array = arrays.get(name, np.array("missing"))
        fits = array.dtype.kind == "f" and array.shape in ((), values.shape[2:])
        if not (fits and np.isfinite(array).all()):
            raise UserError(
                f"{path}: features of uint8 need low and step"
                f" [{values.shape[2]}] of finite floats, got {name}"
                f" {array.dtype} {list(array.shape)}"
            )
    low, step = arrays["low"], arrays["step"]
    with np.errstate(over="ignore"):
        bounds = np.array([[0], [255]], np.float32)
        ends = (low + bounds * step).astype(np.float32)
    if not np.isfinite(ends).all():
        raise UserError(
            f"{path}: low and step make features that are not finite; compute"
            " them again"
        )
    return low, step


def _parse_encoder(path: Path, arrays: dict[str, np.ndarray]) -> dict | None:
    if "encoder" not in arrays:
        return None
    text = str(arrays["encoder"])
    try:
        encoder = json_files.parse(text, path)
    except UserError:
        encoder = None
    if not isinstance(encoder, dict):
        raise UserError(
            f"{path}: encoder must be a JSON object, got {text[:40]!r}"
        )
    return encoder


def _parse_stamps(path: Path, arrays: dict[str, np.ndarray]) -> list[str]:
    stamps = arrays.get("stamps", np.array([], str))
    is_text = stamps.dtype.kind == "U"
    if stamps.size and (stamps.shape != arrays["names"].shape or not is_text):
        raise UserError(
            f"{path}: {len(arrays['names'])} names but stamps of {stamps.dtype}"
            f" {list(stamps.shape)}; compute the features again"
        )
    return stamps.tolist()


class FeatureFile:
    """A file of features that is computed in parts, by one encoder.

    Until it is finished, the parts are in a folder `NAME.npz.parts` beside it.

    Args:
        path: the file. What it has of other pictures stays.
        signature: of the encoder, a JSON object.

    Raises:
        UserError: if there are features of another encoder, a damaged file,
            or another process that writes it.
    """

    def __init__(self, path: Path, signature: dict) -> None:
        self.path = path
        self.signature = signature
        self._parts = path.with_name(path.name + ".parts")
        self._lock = locks.Lock(path)
        for place in (path, self._parts):
            atomic.remove_leftovers(place)
        # By name, the stamp and the features <float16>[regions, dim].
        self._rows: dict[str, tuple[str, np.ndarray]] = {}
        for stored in (path, *self._part_paths()):
            if stored.exists():
                self._rows |= self._read_rows(stored)

    def has(self, name: str, stamp: str) -> bool:
        """Returns True if a picture has features, and not of an old file.

        Args:
            name: of the picture.
            stamp: of its file, see `feature_cache.make_stamp`.
        """
        return name in self._rows and self._rows[name][0] == stamp

    def drop(self, names: Iterable[str]) -> None:
        """Forgets the features of some pictures, where it has any."""
        for name in names:
            self._rows.pop(name, None)

    def add_part(self, rows: dict[str, tuple[str, np.ndarray]]) -> None:
        """Writes the features of further pictures.

        Args:
            rows: stamps and features <float16>[regions, dim], by name.
        """
        path = self._parts / f"{len(self._part_paths()):06}.npz"
        save(path, self._pack(rows))
        self._rows |= rows

    def finish(self, names: Iterable[str]) -> Features:
        """Writes the file, and removes the parts.

        Args:
            names: of pictures, in the order in which they are to be written
                if there are features of them. Others come after them.

        Returns:
            All features, of one picture at least.
        """
        # The same order, however often the work was interrupted.
        order = [name for name in names if name in self._rows]
        rows = {name: self._rows[name] for name in [*order, *self._rows]}
        features = self._pack(rows)
        save(self.path, features)
        for part in self._part_paths():
            part.unlink()
        atomic.remove_empty([self._parts])  # Unless somebody uses it too.
        self._lock.release()
        return features

    def _part_paths(self) -> list[Path]:
        return sorted(self._parts.glob("[0-9]" * 6 + ".npz"))

    def _read_rows(self, path: Path) -> dict[str, tuple[str, np.ndarray]]:
        features = load(path)
        feature_cache.check_signature(
            path, features.encoder, self.signature, "it"
        )
        stamps = features.stamps or [""] * len(features.names)
        rows = zip(stamps, features.values, strict=True)
        return dict(zip(features.names, rows, strict=True))

    def _pack(self, rows: dict[str, tuple[str, np.ndarray]]) -> Features:
        stamps, values = zip(*rows.values(), strict=True)
        return Features(
            list(rows),
            np.stack(values),
            encoder=self.signature,
            stamps=list(stamps),
        )
