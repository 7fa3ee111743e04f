"""Tables in text files: `.csv`, `.tsv` and `.jsonl`, row by row."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from common.data import text_files
from common.errors import UserError

SUFFIXES = (".csv", ".tsv", ".jsonl")

# A review of 100,000 words is longer than the csv module's 128 KiB.
csv.field_size_limit(2**31 - 1)

_Row = tuple[int, tuple[str, ...]]


def find(folder: Path, stem: str) -> Path | None:
    """Finds `stem.csv`, `.tsv` or `.jsonl` in a folder, `.gz` or not."""
    return text_files.find(folder, stem, SUFFIXES)


def read_rows(
    path: Path, columns: dict[str, str], encoding: str = "utf-8"
) -> Iterator[_Row]:
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
    reader = _READERS.get(text_files.suffix(path))
    if reader is None:
        raise UserError(
            f"{path}: expected one of {', '.join(SUFFIXES)}"
            f" (or with .gz), got {path.name}"
        )
    is_empty = True
    for row in reader(path, columns, encoding):
        is_empty = False
        yield row
    if is_empty:
        wanted = " and ".join(columns.values())
        raise UserError(f"{path}: empty, expected rows with {wanted}")


def read_column(
    path: Path, flag: str, name: str, encoding: str = "utf-8"
) -> Iterator[str]:
    """Yields one column of a table; see `read_rows`.

    Args:
        path: the file.
        flag: that names the column, for errors.
        name: of the column.
        encoding: of the file.
    """
    for _, (text,) in read_rows(path, {flag: name}, encoding):
        yield text


def _read_csv(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[_Row]:
    rows = csv.reader(text_files.read_lines(path, encoding), strict=True)
    try:
        header = next(rows, [])
        indices = _find_columns(path, header, columns)
        for row in rows:
            if not row:
                continue  # A blank line.
            _check_width(path, rows.line_num, row, header)
            yield rows.line_num, tuple(row[index] for index in indices)
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def _read_tsv(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[_Row]:
    lines = enumerate(text_files.read_lines(path, encoding), 1)
    header = [_unquote(name) for name in _split_cells(next(lines, (1, ""))[1])]
    indices = _find_columns(path, header, columns)
    for number, line in lines:
        row = _split_cells(line)
        if row == [""]:
            continue
        _check_width(path, number, row, header)
        yield number, tuple(_unquote(row[index]) for index in indices)


def _split_cells(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t")


def _unquote(cell: str) -> str:
    """Removes the quotes that some programs add to tab-separated files.

    Others write bare quotes in the text, so csv rules would merge rows.
    """
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _read_jsonl(
    path: Path, columns: dict[str, str], encoding: str
) -> Iterator[_Row]:
    for number, line in enumerate(text_files.read_lines(path, encoding), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}:{number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: expected an object {{...}}")
        _find_columns(path, list(record), columns, number)
        yield number, tuple(_to_text(record[name]) for name in columns.values())


def _to_text(value: object) -> str:
    """Converts a JSON value: null to "", numbers and booleans as written."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


_READERS: dict[str, Callable[[Path, dict[str, str], str], Iterator[_Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
}


def _find_columns(
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
