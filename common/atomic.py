"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import UserError


@contextlib.contextmanager
def write(path: Path) -> Iterator[Path]:
    """Yields a hidden path to write to, which replaces `path` at the end.

    If the body fails, its files are removed and `path` stays as it was.

    Args:
        path: the file or folder to write. A folder must not exist yet.

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
    # The ending stays: Keras chooses a file's format by it.
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    created = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path}: cannot write it ({reason}); what was there before is"
            " kept: make room, then run the same command again"
        ) from error
    finally:
        _remove(partial)
        if created and not path.exists():
            with contextlib.suppress(OSError):
                path.parent.rmdir()


@contextlib.contextmanager
def make_folder(path: Path) -> Iterator[Path]:
    """Yields a new, hidden folder to fill; it becomes `path` at the end.

    Raises:
        UserError: if there is something at `path`, or the disk refuses.
    """
    if path.exists():
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


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
