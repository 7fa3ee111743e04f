"""Text files of users: plain or packed, streamed, with errors that name lines.

Nothing here holds a whole file in memory.
"""

import csv
import gzip
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from common.data import zipped
from common.errors import UserError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
# What packed files raise where they are cut off or damaged.
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)

# A review of 100,000 words is longer than the csv module's 128 KiB.
csv.field_size_limit(2**31 - 1)


def suffix(path: Path) -> str:
    """The file's ending in lower case, without `.gz`.

    Example:
        >>> suffix(Path("reviews.CSV.gz"))
        '.csv'
    """
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
    return endings[-1] if endings else ""


def find(folder: Path, stem: str, endings: tuple[str, ...]) -> Path | None:
    """The first of the files `stem` and ending of a folder, `.gz` or not."""
    for ending in endings:
        for gz in ("", ".gz"):
            path = folder / f"{stem}{ending}{gz}"
            if path.is_file():
                return path
    return None


def find_table(folder: Path, stem: str) -> Path | None:
    """The file `stem.csv`, `.tsv` or `.jsonl` of a folder, `.gz` or not."""
    return find(folder, stem, TABLE_SUFFIXES)


def read_lines(
    path: Path, encoding: str = "utf-8", newline: str = ""
) -> Iterator[str]:
    """Yields the lines of a text file with their line ends.

    Args:
        path: a text file; unpacked on the fly where its name ends in `.gz`,
            or in `.zip` with one text file in it.
        encoding: its encoding; `utf-8` also takes a byte order mark.
        newline: what ends a line, as in `open`; by default also a lone CR.

    Raises:
        UserError: if the file is missing, unreadable, broken or not in
            `encoding`; the line is named.
    """
    options = {"encoding": _codec(encoding), "newline": newline}
    try:
        with _open(path, "rt", **options) as stream:
            yield from stream
    except UnicodeDecodeError as error:
        raise UserError(_undecodable(path, encoding)) from error
    except BROKEN as error:
        kind = "zip" if suffix(path) == ".zip" else "gzip"
        raise UserError(
            f"{path}: broken {kind} file ({error}); copy or download it again"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except LookupError as error:
        raise UserError(f"--encoding: {error}") from error


def bare_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a text file as they are, without their line ends.

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
    try:
        stream = io.TextIOWrapper(
            sys.stdin.buffer, encoding=_codec(encoding), newline=""
        )
        yield from stream
    except UnicodeDecodeError as error:
        # Text mode reads ahead, and nobody can read this input again.
        raise UserError(
            f"standard input: byte 0x{error.object[error.start]:02x} is not"
            f" {encoding}; pass its --encoding, for example latin-1"
        ) from error
    except LookupError as error:
        raise UserError(f"--encoding: {error}") from error


def _codec(encoding: str) -> str:
    is_utf8 = encoding.lower() in ("utf-8", "utf8")
    return "utf-8-sig" if is_utf8 else encoding


def _open(path: Path, mode: str, **kwargs: str) -> IO:
    openers: dict[str, Callable[..., IO]] = {
        ".gz": gzip.open,
        ".zip": zipped.open_text,
    }
    return openers.get(path.suffix.lower(), open)(path, mode, **kwargs)


def _undecodable(path: Path, encoding: str) -> str:
    """Finds the first bad line; text mode reads ahead and cannot tell it."""
    with _open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                bad = line[error.start]
                return (
                    f"{path}:{number}: byte 0x{bad:02x} is not {encoding};"
                    " pass the file's --encoding, for example latin-1"
                )
    return f"{path}: not {encoding}; pass the file's --encoding"


def read_table(
    path: Path, columns: dict[str, str], encoding: str = "utf-8"
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields the line number and the named columns of every row.

    Args:
        path: a `.csv`, `.tsv` or `.jsonl` file, optionally with `.gz`. The
            first two begin with a header line.
        columns: the columns to keep, in this order, each behind the flag
            that names it (`{"--text-column": "text"}`).
        encoding: the file's text encoding.

    Yields:
        `(line, values)`; the line is the one on which the row ends.

    Raises:
        UserError: for another ending, an empty file, a missing column (those
            it has are listed) or a row that does not fit its header.
    """
    reader = _READERS.get(suffix(path))
    if reader is None:
        raise UserError(
            f"{path}: expected one of {', '.join(TABLE_SUFFIXES)}"
            f" (or with .gz), got {path.name}"
        )
    is_empty = True
    for row in reader(path, columns, encoding):
        is_empty = False
        yield row
    if is_empty:
        wanted = " and ".join(columns.values())
        raise UserError(f"{path}: empty, expected rows with {wanted}")


def _read_csv(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    rows = csv.reader(read_lines(path, encoding), strict=True)
    try:
        header = next(rows, [])
        picked = _positions(path, header, columns)
        for row in rows:
            if not row:
                continue  # A blank line.
            _check_width(path, rows.line_num, row, header)
            yield rows.line_num, tuple(row[index] for index in picked)
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def _read_tsv(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    lines = enumerate(read_lines(path, encoding), 1)
    header = [_unquote(name) for name in _cells(next(lines, (1, ""))[1])]
    picked = _positions(path, header, columns)
    for number, line in lines:
        row = _cells(line)
        if row == [""]:
            continue
        _check_width(path, number, row, header)
        yield number, tuple(_unquote(row[index]) for index in picked)


def _cells(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t")


def _unquote(cell: str) -> str:
    """Undoes the quoting some programs add to tab-separated files.

    Others write bare quotes in the text, so csv rules would merge rows.
    """
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _read_jsonl(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    for number, line in enumerate(read_lines(path, encoding), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: expected an object {{...}}")
        _positions(path, list(record), columns, number)
        yield number, tuple(_as_text(record[name]) for name in columns.values())


def _as_text(value: object) -> str:
    """JSON null is an empty cell; numbers and booleans are their JSON text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


_READERS: dict[str, Callable] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
}


def _positions(
    path: Path, header: list[str], columns: dict[str, str], line: int = 1
) -> list[int]:
    if header in ([], [""]):
        wanted = " and ".join(columns.values())
        raise UserError(f"{path}: empty, expected a header with {wanted}")
    for flag, name in columns.items():
        if name not in header:
            raise UserError(
                f"{path}:{line}: no column {name!r}; it has"
                f" {', '.join(header)}: name the right one with {flag}"
            )
    return [header.index(name) for name in columns.values()]


def _check_width(
    path: Path, line: int, row: list[str], header: list[str]
) -> None:
    if len(row) != len(header):
        raise UserError(
            f"{path}:{line}: expected {len(header)} fields"
            f" ({', '.join(header)}), got {len(row)}"
        )
