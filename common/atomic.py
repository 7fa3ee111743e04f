"""Files and folders that appear whole or not at all, and stay on the disk.

What is written is hidden at first, is flushed to the disk, and takes its name
by a rename. A kill leaves a hidden file or folder at most, which nobody reads;
`remove_leftovers` is for the next process that owns the place.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import errors
from common.errors import UserError

# Random, not only the number of the process: containers have equal ones.
_PARTIAL = ".partial-{token}-{name}"
# Those of before 0.3.0 had the number of the process.
_LEFTOVER = re.compile(r"\.partial-([0-9a-f]{12}|\d+)-(?P<name>.+)", re.DOTALL)


@contextlib.contextmanager
def write(path: Path) -> Iterator[Path]:
    """Yields a hidden path to write to, which replaces `path` at the end.

    If the body fails, its files are removed and `path` stays as it was.

    Args:
        path: the file or folder to write. A folder takes the place of
            another one.

    Raises:
        UserError: if the disk refuses (full, read-only, no permission).

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with write(folder / "note.txt") as partial:
        ...     _ = partial.write_text("whole")
        >>> [path.name for path in folder.iterdir()]
        ['note.txt']
    """
    partial = _hidden(path)
    created: list[Path] = []
    try:
        with errors.tell_system_errors(
            f"{path}: cannot write it", "; what was there before is kept"
        ):
            created = make_parents(path)
            yield partial
            _flush(partial)
            _replace(partial, path)
    finally:
        _remove(partial)
        remove_empty(created)


@contextlib.contextmanager
def make_folder(path: Path) -> Iterator[Path]:
    """Yields a new, hidden folder to fill; it becomes `path` at the end.

    Raises:
        UserError: if there is something at `path`, or the disk refuses.
    """
    if os.path.lexists(path):
        raise UserError(
            f"{path}: exists already; expected the name of a new folder:"
            " choose another, or remove it"
        )
    with write(path) as partial:
        partial.mkdir()
        yield partial


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all."""
    with write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes a text file of one entry a line, whole or not at all."""
    write_text(path, "".join(f"{line}\n" for line in lines))


def remove_leftovers(path: Path) -> None:
    """Removes what killed processes left of a file or folder, and inside it.

    Only for the process that owns `path` (see `locks`): another one may be
    writing.

    Args:
        path: as it was given to `write`, or a folder with such files in it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / ".partial-0123456789ab-note.txt").write_text("ha")
        >>> remove_leftovers(folder)
        >>> list(folder.iterdir())
        []
    """
    with contextlib.suppress(OSError):  # There may be no such folder.
        for other in path.parent.iterdir():
            if _name_leftover(other) == path.name:
                _remove(other)
    for folder, folders, files in os.walk(path):
        for name in [*folders, *files]:
            if _name_leftover(Path(name)):
                _remove(Path(folder, name))


def remove_folder(path: Path) -> None:
    """Removes a folder, which a kill leaves as it was, or not there.

    Raises:
        OSError: if it cannot be removed.
    """
    old = _hidden(path)
    os.rename(path, old)
    shutil.rmtree(old)


def make_parents(path: Path) -> list[Path]:
    """Makes the folders around a path; returns those that were not there."""
    missing = [x for x in path.parents if not x.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Removes folders in which there is nothing, the inner ones first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _hidden(path: Path) -> Path:
    # The ending stays: Keras chooses a file's format by it.
    token = secrets.token_hex(6)
    return path.with_name(_PARTIAL.format(token=token, name=path.name))


def _name_leftover(path: Path) -> str:
    """Returns what a hidden file would have become; "" for other files."""
    match = _LEFTOVER.fullmatch(path.name)
    return match["name"] if match else ""


def _replace(partial: Path, path: Path) -> None:
    old = _hidden(path)
    if partial.is_dir() and path.is_dir():  # A rename replaces files only.
        os.rename(path, old)
    os.replace(partial, path)
    _flush_folder(path.parent)
    _remove(old)


def _flush(path: Path) -> None:
    """Waits until a file, or all files of a folder, are on the disk.

    Else a rename may survive a loss of power, and what it named not.
    """
    if not path.is_dir():
        _flush_file(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            _flush_file(Path(folder, name))
        _flush_folder(Path(folder))


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    # Windows does not open folders, and keeps them by itself.
    with contextlib.suppress(PermissionError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove(path: Path) -> None:
    if os.path.isdir(path) and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
