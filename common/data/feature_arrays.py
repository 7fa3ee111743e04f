"""Given features of frames: files `NAME.npy` of `[dim, time]`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import UserError

ENDING = ".npy"
# Booleans, whole numbers with and without a sign, and floating point.
KINDS = "buif"


def load(path: Path) -> np.ndarray:
    """Reads the features of a video.

    Args:
        path: a file with `[dim, time]` of any real type.

    Returns:
        <float32>[time, dim].

    Raises:
        UserError: if it is no such file, or has values that are not finite.
    """
    shape(path)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
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


def shape(path: Path) -> tuple[int, int]:
    """The size of a file's features, from its header alone.

    Returns:
        `(time, dim)`.

    Raises:
        UserError: if it is no file of `[dim, time]`, or has no frames.
    """
    size, dtype = _header(path)
    if len(size) != 2 or dtype.kind not in KINDS:
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


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            size, _, dtype = read[version](file)
    except (OSError, ValueError, KeyError) as error:
        raise _broken(path, error) from error
    return size, dtype


def _broken(path: Path, error: Exception) -> UserError:
    if isinstance(error, OSError) and error.strerror:
        return UserError(f"{path}: {error.strerror}")
    return UserError(
        f"{path}: expected an array that numpy.save wrote, whole; save it"
        " again, or remove the file"
    )


def check_same_dim(examples: Iterable[tuple[str, Any, Any]]) -> None:
    """Makes sure that all videos have features of one size.

    Args:
        examples: `(name, source, annotation)`, such as `sources.Example`;
            sources that are no files of features do not matter.

    Raises:
        UserError: with two files of different sizes.
    """
    first: tuple[Path, int] | None = None
    for _, source, _ in examples:
        if not isinstance(source, Path) or source.suffix != ENDING:
            continue
        _, dim = shape(source)
        first = first or (source, dim)
        if dim != first[1]:
            raise UserError(
                f"{source}: {dim} features a frame, but {first[0]} has"
                f" {first[1]}: expected [dim, time] with one dim in all files"
            )
