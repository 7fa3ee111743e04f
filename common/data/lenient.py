"""Lines of text of which some may be broken: those are told, not refused."""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from common.data import text_files
from common.errors import UserError


def read_lines(path: Path | None, encoding: str = "utf-8") -> Iterator[str]:
    """Yields lines without their ends; an undecodable one is told, and empty.

    So each line of an answer stands for the same line of the question.

    Args:
        path: a text file, `.gz` or not; None for standard input.
        encoding: its encoding. Where a line end is more than one byte
            (UTF-16), the first broken line is an error instead.

    Raises:
        UserError: if the file is missing, unreadable or broken, or the
            encoding is unknown.
    """
    if not _ends_in_one_byte(encoding):
        strict = text_files.bare_lines(path, encoding) if path else None
        for line in strict or text_files.read_stdin(encoding):
            yield line.rstrip("\r\n")
        return
    name = str(path or "standard input")
    try:
        with _open(path) as stream:
            yield from _decoded(stream, name, encoding)
    except text_files.BROKEN as error:
        raise UserError(
            f"{name}: broken gzip file ({error}); copy or download it again"
        ) from error
    except OSError as error:
        raise UserError(f"{name}: {error.strerror or error}") from error


def _ends_in_one_byte(encoding: str) -> bool:
    try:
        return "\n".encode(encoding) == b"\n"
    except LookupError as error:
        raise UserError(f"--encoding: {error}") from error


def _open(path: Path | None) -> IO[bytes]:
    if path is None:
        return sys.stdin.buffer
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path))
    return path.open("rb")


def _decoded(stream: IO[bytes], name: str, encoding: str) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            bad = line[error.start]
            print(
                f"{name}:{number}: byte 0x{bad:02x} is not {encoding}; nothing"
                " is answered to this line",
                file=sys.stderr,
            )
            yield ""
