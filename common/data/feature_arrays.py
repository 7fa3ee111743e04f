"""Features of the frames of a video: files `NAME.npy` of `[dim, time]`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import numpy as np

from common.data import arrays
from common.errors import UserError

ENDING = ".npy"
# Booleans, whole numbers with and without a sign, and floating point.
_DTYPE_KINDS = "buif"


def is_features(source: object) -> TypeGuard[Path]:
    """Returns True for the path of a file of features, by its ending.

    Example:
        >>> is_features(Path("tea.npy")), is_features(Path("tea.mp4"))
        (True, False)
    """
    return isinstance(source, Path) and source.suffix == ENDING


def load(path: Path) -> np.ndarray:
    """Reads the features of a video.

    Args:
        path: a file with `[dim, time]` of any real type.

    Returns:
        <float32>[time, dim].

    Raises:
        UserError: if it is no such file, or has values that are not finite.
    """
    read_shape(path)
    try:
        values = arrays.read_npy(path)
    except (OSError, arrays.DamagedError) as error:
        raise _broken(path, error) from error
    with np.errstate(over="ignore"):  # What float32 cannot hold is refused.
        result = np.ascontiguousarray(values.T, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(result).all(axis=1))
    if bad.size:
        raise UserError(
            f"{path}: frame {bad[0]} (of {len(result)}, from 0) has NaN or"
            " infinite values: expected finite ones; compute these features"
            " again"
        )
    return result


def read_shape(path: Path) -> tuple[int, int]:
    """Reads the size of a file's features from its header alone.

    Returns:
        `(time, dim)`.

    Raises:
        UserError: if it is no file of `[dim, time]`, or has no frames.
    """
    try:
        size, dtype = arrays.read_header(path)
    except (OSError, arrays.DamagedError) as error:
        raise _broken(path, error) from error
    if len(size) != 2 or dtype.kind not in _DTYPE_KINDS:
        raise UserError(
            f"{path}: expected numbers [dim, time], got {dtype} of shape"
            f" {list(size)}: one array with a column for each frame"
        )
    dim, time = size
    if not dim or not time:
        raise UserError(
            f"{path}: [dim, time] is {list(size)}: expected one frame and one"
            " feature at least; remove the file, or compute it again"
        )
    return time, dim


def check_same_dim(paths: Iterable[Path]) -> None:
    """Checks that all files have features of one size.

    Raises:
        UserError: naming two files of different sizes.
    """
    first: tuple[Path, int] | None = None
    for path in paths:
        _, dim = read_shape(path)
        first = first or (path, dim)
        if dim != first[1]:
            raise UserError(
                f"{path}: {dim} features a frame, but {first[0]} has"
                f" {first[1]}: expected [dim, time] with one dim in all files"
            )


def _broken(path: Path, error: Exception) -> UserError:
    if isinstance(error, OSError) and error.strerror:
        return UserError(f"{path}: {error.strerror}")
    return UserError(
        f"{path}: expected an array that numpy.save wrote, whole; save it"
        " again, or remove the file"
    )
