"""The one text file in a `.zip` file, a common form of corpora."""

import io
import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from common.errors import UserError, format_names

SUFFIXES = (".tsv", ".txt")
# Errors of damaged directories and heads.
_BROKEN = (
    *[zipfile.BadZipFile, ValueError, LookupError, OverflowError],
    *[struct.error, EOFError],
)


def find_text(path: Path) -> str:
    """Finds the name of the one `.tsv` or `.txt` file in a `.zip` file.

    Names that begin with a dot or an underscore are notes, or come from the
    operating system; they do not count.

    Raises:
        UserError: if the zip is broken, or holds none or several of them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if not _is_extra(n)]
    except (*_BROKEN, NotImplementedError) as error:
        raise _broken(path, error) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    texts = [name for name in names if name.lower().endswith(SUFFIXES)]
    if len(texts) == 1:
        return texts[0]
    inside = format_names(texts or names)
    raise UserError(
        f"{path}: expected one .tsv or .txt file in it, got"
        f" {inside}: unpack it and pass the path of the right file"
    )


def _is_extra(name: str) -> bool:
    file = PurePosixPath(name)
    is_folder = name.endswith("/")
    return (
        is_folder or file.name[:1] in ("", ".", "_") or "__MACOSX" in file.parts
    )


def _broken(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: broken zip file ({error}); copy or download it again"
    )


def open_text(
    path: Path,
    mode: str,
    encoding: str | None = None,
    newline: str | None = None,
) -> IO:
    """Opens the one text file in a zip file.

    Args:
        path: the zip file.
        mode: "rt" or "rb".
        encoding: as in `open`.
        newline: as in `open`.

    Raises:
        UserError: as `find_text`, and for a file that needs another program.
    """
    name = find_text(path)
    try:
        with zipfile.ZipFile(path) as archive:
            stream = archive.open(name)  # Outlives the archive.
    except _BROKEN as error:
        raise _broken(path, error) from error
    # A password, or a rare compression.
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(
            f"{path}: {error}; unpack it and pass the path of the file in it"
        ) from error
    if mode == "rb":
        return stream
    return io.TextIOWrapper(stream, encoding, newline=newline)
