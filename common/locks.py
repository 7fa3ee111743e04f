"""One owner: what a living process writes to is refused to a second one."""

import contextlib
import errno
import os
import platform
import weakref
from pathlib import Path

from common import atomic, errors
from common.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out.
    fcntl = None  # type: ignore[assignment]

# Of file systems that have no locks: nobody is kept out.
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)


class Lock:
    """The right to write to a file or folder, until it is released.

    It is a hidden file beside it, `.NAME.lock`, which the system holds for
    this process: a kill frees it, and what is left of it keeps nobody out. A
    second lock in the same process is granted, so that a notebook can try
    again.

    Args:
        path: the file or folder, which need not be there yet.

    Attributes:
        release: frees it, and removes the hidden file. It is called by itself
            when the lock is forgotten, and when the process ends.

    Raises:
        UserError: if a living process holds it, naming process and machine;
            or if nothing can be written there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> lock = Lock(folder / "run")
        >>> [path.name for path in folder.iterdir()]
        ['.run.lock']
        >>> lock.release()
        >>> list(folder.iterdir())
        []
    """

    def __init__(self, path: Path) -> None:
        path = Path(os.path.realpath(path))
        lock_path = path.with_name(f".{path.name}.lock")
        try:
            with errors.tell_system_errors(f"{path}: cannot write there"):
                created = atomic.make_parents(path)
                descriptor = _acquire(lock_path)
        except _InUseError:
            raise UserError(
                f"{path}: in use by {_read_owner(lock_path)}: wait for it, or"
                " choose another place"
            ) from None
        self.release = weakref.finalize(
            self, _release, lock_path, descriptor, created
        )


class _InUseError(Exception):
    """Another process holds it."""


def _acquire(path: Path) -> int:
    """Returns a descriptor of the file that no other process has locked.

    Raises:
        _InUseError: if one has.
        OSError: if it cannot be written.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            if _is_at(descriptor, path):
                owner = f"process {os.getpid()} on {platform.node()}"
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, owner.encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # Its owner has removed it meanwhile.


def _lock(descriptor: int) -> None:
    try:
        if fcntl:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):  # As systems differ.
            raise _InUseError from error
        if error.errno not in _UNSUPPORTED:
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _read_owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")[:200] or "another process"
    return "another process"


def _release(path: Path, descriptor: int, created: list[Path]) -> None:
    # Removed before it is free, so that it is never another one's.
    with contextlib.suppress(OSError):
        if _is_at(descriptor, path):
            path.unlink()
    os.close(descriptor)
    atomic.remove_empty(created)
