"""Lines of text files: plain, packed or from standard input, one by one.

Errors name file and line. No function holds a whole file in memory.
"""

import codecs
import contextlib
import errno
import gzip
import io
import lzma
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from common.characters import printable
from common.data import zipped
from common.errors import UserError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Errors of packed files that are cut off or damaged.
_BROKEN = (
    *[EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile],
    lzma.LZMAError,
)
# Characters; no text has longer lines, but a packed file may claim them.
MAX_LINE = 2**24
# Times that a packed file may grow: text does by ten at most, a trap by 1,000.
MAX_GROWTH = 100


def suffix(path: Path) -> str:
    """Returns the ending of a file's name in lower case, without `.gz`.

    Example:
        >>> suffix(Path("reviews.CSV.gz"))
        '.csv'
    """
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
    return endings[-1] if endings else ""


def find(folder: Path, stem: str, endings: tuple[str, ...]) -> Path | None:
    """Finds the first file of a folder with one of several endings.

    Args:
        folder: the folder.
        stem: the name of the file before its ending.
        endings: the endings to try, in this order, without and with `.gz`.

    Returns:
        The path of the file; None if there is none.
    """
    for ending in endings:
        for gz in ("", ".gz"):
            path = folder / f"{stem}{ending}{gz}"
            if path.is_file():
                return path
    return None


def read_lines(
    path: Path, encoding: str = "utf-8", newline: str = ""
) -> Iterator[str]:
    """Yields the lines of a text file with their line ends.

    Args:
        path: a text file; unpacked on the fly if its name ends in `.gz`, or
            in `.zip` with one text file in it.
        encoding: its encoding; `utf-8` also takes a byte order mark, that of
            UTF-16 too.
        newline: the line end, as in `open`; by default also a lone CR.

    Raises:
        UserError: if the file is missing, unreadable, broken or not in
            `encoding`; the line is named.
    """
    with _user_errors(path), _decoding_errors(path, encoding):
        encoding = detect_encoding(path, encoding)
        options = {"encoding": _codec(encoding), "newline": newline}
        with _open(path, "rt", **options) as stream:
            yield from _split_lines(stream, path)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Reads a whole text file, whose lines may be of any length.

    Line ends stay as they are.

    Raises:
        UserError: as `read_lines`; or if it is packed and grows beyond all
            texts.
    """
    with _user_errors(path), _decoding_errors(path, encoding):
        encoding = detect_encoding(path, encoding)
        options = {"encoding": _codec(encoding), "newline": ""}
        with _open(path, "rt", **options) as stream:
            most = max(MAX_LINE, MAX_GROWTH * path.stat().st_size)
            text = stream.read(most + 1)
    if len(text) > most:
        raise UserError(
            f"{path}: it unpacks to more than {most:,} characters, {MAX_GROWTH}"
            " times its size: if it is right, unpack it first"
        )
    return text


def _split_lines(stream: IO[str], path: Path | None) -> Iterator[str]:
    number = 1
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise _too_long(path, number)
        yield line
        number += 1


def _too_long(path: Path | None, number: int) -> UserError:
    return UserError(
        f"{_name(path)}:{number}: a line of more than {MAX_LINE:,} characters;"
        " expected a text with line ends: is it the right file?"
    )


def read_bare_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a text file without their line ends.

    Only LF and CR LF end a line: sentences hold other separators now and then,
    and the files of two languages would no longer run in step.

    Raises:
        UserError: as `read_lines`.
    """
    for line in read_lines(path, encoding, newline="\n"):
        yield line.removesuffix("\r\n" if line.endswith("\r\n") else "\n")


def read_stdin(encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of standard input with their line ends.

    Raises:
        UserError: if it is not in `encoding`.
    """
    with _user_errors(None), _decoding_errors(None, encoding):
        stream = io.TextIOWrapper(
            sys.stdin.buffer, encoding=_codec(encoding), newline=""
        )
        yield from _split_lines(stream, None)


def read_lines_leniently(
    path: Path | None, encoding: str = "utf-8"
) -> Iterator[str | None]:
    """Yields lines without their ends, and goes on after a broken one.

    A line that is not in `encoding` is reported on standard error and is None,
    so that the n-th answer still belongs to the n-th line.

    Args:
        path: a text file as in `read_lines`; None for standard input.
        encoding: its encoding. If a line end is more than one byte in it
            (UTF-16), the first broken line is an error instead.

    Raises:
        UserError: if the file is missing, unreadable or broken, or the
            encoding is unknown.
    """
    with _user_errors(path):
        if path and is_regular(path):
            encoding = detect_encoding(path, encoding)
        if not _ends_lines_by_byte(encoding):
            strict = read_bare_lines(path, encoding) if path else None
            for line in strict or read_stdin(encoding):
                yield line.rstrip("\r\n")
            return
        with _open_input(path) as stream:
            yield from _decode_lines(stream, path, encoding)


def _decode_lines(
    stream: IO[bytes], path: Path | None, encoding: str
) -> Iterator[str | None]:
    number = 1
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise _too_long(path, number)
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode(encoding).rstrip("\r\n")
        except UnicodeError as error:
            print(
                f"{printable(_name(path))}:{number}: {_describe(error)} is not"
                f" {encoding}; nothing is answered to this line",
                file=sys.stderr,
            )
            yield None
        number += 1


def _describe(error: UnicodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x}"
    return "this"


def detect_encoding(path: Path, encoding: str) -> str:
    """Returns UTF-16 for a file with its mark, as spreadsheets write it.

    Args:
        path: a text file as in `read_lines`.
        encoding: returned for all other files, or if it is not UTF-8.
    """
    if _codec(encoding) != "utf-8-sig":
        return encoding
    with _open(path, "rb") as stream:
        mark = stream.read(2)
    return "utf-16" if mark in UTF16_MARKS else encoding


def _codec(encoding: str) -> str:
    """Returns the name of an encoding for `open`; UTF-8 takes a mark, too.

    Raises:
        LookupError: if there is no such encoding.
    """
    try:
        name = codecs.lookup(encoding).name
    except ValueError as error:  # A zero in it.
        raise LookupError(f"unknown encoding: {encoding!r}") from error
    return "utf-8-sig" if name == "utf-8" else encoding


def _ends_lines_by_byte(encoding: str) -> bool:
    """Returns True if a line ends with the byte of ASCII, as in most."""
    try:
        return "\n".encode(encoding) == b"\n"
    except UnicodeError:
        return False


def _open(path: Path, mode: str, **kwargs: str) -> IO:
    if not is_regular(path):
        raise UserError(
            f"{path}: a pipe or a device, expected a file, which can be read"
            " more than once: save it as one"
        )
    openers: dict[str, Callable[..., IO]] = {
        ".gz": gzip.open,
        ".zip": zipped.open_text,
    }
    return openers.get(path.suffix.lower(), open)(path, mode, **kwargs)


def _open_input(path: Path | None) -> IO[bytes]:
    """Opens inputs, which are read once: a pipe will do."""
    if path is None:
        return sys.stdin.buffer
    return _open(path, "rb") if is_regular(path) else path.open("rb")


def is_regular(path: Path) -> bool:
    """Returns True unless reading may wait for ever: of pipes and devices."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return True  # Opening it tells what is wrong.
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def check_regular(path: Path) -> None:
    """Refuses what would be waited for for ever, for readers of whole files.

    Raises:
        OSError: for pipes and devices.
    """
    if not is_regular(path):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file")


def _name(path: Path | None) -> str:
    return str(path or "standard input")


@contextlib.contextmanager
def _user_errors(path: Path | None) -> Iterator[None]:
    """Turns the errors of reading a file into errors in one line."""
    try:
        yield
    except _BROKEN as error:
        kind = "zip" if path and suffix(path) == ".zip" else "gzip"
        raise UserError(
            f"{_name(path)}: broken {kind} file ({error}); copy or download it"
            " again"
        ) from error
    except OSError as error:
        raise UserError(f"{_name(path)}: {error.strerror or error}") from error
    except LookupError as error:
        raise UserError(f"--encoding: {error}") from error


@contextlib.contextmanager
def _decoding_errors(path: Path | None, encoding: str) -> Iterator[None]:
    """Turns bytes that are not in an encoding into errors in one line."""
    try:
        yield
    except UnicodeDecodeError as error:
        if path:
            raise UserError(_locate_error(path, encoding)) from error
        # Text mode reads ahead, and nobody can read this input again.
        raise UserError(
            f"{_name(path)}: {_describe(error)} is not {encoding}; pass its"
            " --encoding, for example cp1252"
        ) from error
    except UnicodeError as error:  # Such as UTF-16 without its mark.
        raise UserError(
            f"{_name(path)}: not {encoding} ({error}); pass its --encoding"
        ) from error


def _locate_error(path: Path, encoding: str) -> str:
    """Finds the first bad line; text mode reads ahead and cannot tell it."""
    if not _ends_lines_by_byte(encoding):
        return f"{path}: this is not {encoding}; pass the file's --encoding"
    with _open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                bad = line[error.start]
                return (
                    f"{path}:{number}: byte 0x{bad:02x} is not {encoding};"
                    " pass the file's --encoding, for example cp1252"
                )
    return f"{path}: not {encoding}; pass the file's --encoding"
