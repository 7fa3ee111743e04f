"""Arrays of files `.npy` and `.npz`, which may be damaged, or a trap.

Nothing is unpickled; no array is read that is not asked for, or that is
larger than its file says.
"""

import math
import os
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from common.data import text_files

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class DamagedError(Exception):
    """A file that is not what NumPy writes; its text says why, in one line."""


def read_npz(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads some arrays of a file `.npz`.

    Args:
        path: the file.
        names: of arrays; those that it does not have are left out.

    Raises:
        OSError: if it cannot be opened.
        DamagedError: if it is none.
    """
    arrays = {}
    with _open(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                inside = {info.filename: info for info in archive.infolist()}
                for name in names:
                    if info := inside.get(f"{name}.npy"):
                        with archive.open(info) as member:
                            _check_size(member, info.file_size)
                        with archive.open(info) as member:
                            arrays[name] = _read_array(member)
        except DamagedError:
            raise
        except Exception as error:  # Of many types, for each kind of damage.
            raise DamagedError(_first_line(error)) from error
    return arrays


def read_npy(path: Path) -> np.ndarray:
    """Reads the array of a file `.npy`.

    Raises:
        OSError, DamagedError: as `read_npz`.
    """
    with _open(path) as file:
        try:
            _check_size(file, os.fstat(file.fileno()).st_size)
            file.seek(0)
            return _read_array(file)
        except DamagedError:
            raise
        except Exception as error:
            raise DamagedError(_first_line(error)) from error


def read_header(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Reads shape and dtype of a file `.npy`, and no values.

    Raises:
        OSError, DamagedError: as `read_npz`.
    """
    with _open(path) as file:
        return _read_header(file)


def _open(path: Path) -> IO[bytes]:
    text_files.check_regular(path)
    return path.open("rb")


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    try:
        with warnings.catch_warnings():  # About headers that are Python.
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(file)
            shape, _, dtype = _READERS[version](file)
    except Exception as error:
        raise DamagedError(_first_line(error)) from error
    if not all(type(size) is int and size >= 0 for size in shape):
        raise DamagedError(f"a shape of {shape}")
    return shape, dtype


def _read_array(file: IO[bytes]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_size(file: IO[bytes], size: int) -> None:
    """Refuses a header that speaks of more values than there are bytes."""
    shape, dtype = _read_header(file)
    if dtype.hasobject:
        raise DamagedError("objects of Python, which are not read")
    if not dtype.itemsize:  # Any number of them would fit.
        raise DamagedError(f"values of no bytes, {dtype}")
    if math.prod(shape) * dtype.itemsize > size:
        raise DamagedError(f"cut off: its header speaks of {list(shape)}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
