"""Tables in text files: `.csv`, `.tsv` and `.jsonl`, row by row.

The separator is recognised by the header. Quotes of csv writers are undone;
those of the text stay, also at its beginning (see `split_rows`).
"""

import csv
import io
import itertools
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from common.data import json_files, text_files
from common.errors import UserError, format_names

SUFFIXES = (".csv", ".tsv", ".jsonl")
TAB = "\t"
SEPARATORS = {".csv": (",", ";", TAB, "|"), ".tsv": (TAB, ",", ";", "|")}
# Rows by which it is decided whether a writer quotes all of a column.
NUM_SAMPLED = 100
# Lines of one quoted cell; where more would be, the quote is of the text.
MAX_CELL_LINES = 1000

# A review of 100,000 words is longer than the csv module's 128 KiB.
csv.field_size_limit(text_files.MAX_LINE)

_Row = tuple[int, tuple[str, ...]]
# A row of cells, and True if csv rules have read it.
_Cells = tuple[int, list[str], bool]


def find(folder: Path, stem: str) -> Path | None:
    """Finds `stem.csv`, `.tsv` or `.jsonl` in a folder, `.gz` or not."""
    return text_files.find(folder, stem, SUFFIXES)


def parse_delimiter(text: str) -> str:
    r"""Returns the character that `--delimiter` names; "" for none.

    Raises:
        UserError: if it is not one character.

    Example:
        >>> parse_delimiter("tab"), parse_delimiter("\\t"), parse_delimiter(";")
        ('\t', '\t', ';')
    """
    character = {"tab": TAB, r"\t": TAB}.get(text.lower(), text)
    if len(character) > 1 or character in ("\r", "\n", '"'):
        raise UserError(
            f"--delimiter {text!r}: expected one character between columns,"
            " such as ';', or tab"
        )
    return character


def read_rows(
    path: Path,
    columns: dict[str, str],
    encoding: str = "utf-8",
    delimiter: str = "",
    optional: Sequence[str] = (),
) -> Iterator[_Row]:
    """Yields the line number and the named columns of every row.

    Args:
        path: a `.csv`, `.tsv` or `.jsonl` file, optionally with `.gz`. The
            first two begin with a header line.
        columns: the columns to keep, in this order, each behind the flag
            that names it (`{"--text-column": "text"}`).
        encoding: the file's text encoding.
        delimiter: between columns, as of `parse_delimiter`; "" is the one of
            SEPARATORS with which the header has the columns.
        optional: those of the columns that may be missing; they are "" then.

    Yields:
        `(line, values)`; the line is the one on which the row ends. Rows
        without any value are passed over.

    Raises:
        UserError: for another ending, an empty file, a missing column (those
            it has are listed) or a row that does not fit its header.
    """
    suffix = text_files.suffix(path)
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path}: expected one of {', '.join(SUFFIXES)}"
            f" (or with .gz), got {path.name}"
        )
    reader = _read_jsonl if suffix == ".jsonl" else _read_table
    is_empty = True
    for row in reader(path, columns, encoding, delimiter, optional):
        is_empty = False
        yield row
    if is_empty:
        wanted = " and ".join(columns.values())
        raise UserError(f"{path}: empty, expected rows with {wanted}")


def read_column(
    path: Path,
    flag: str,
    name: str,
    encoding: str = "utf-8",
    delimiter: str = "",
) -> Iterator[str]:
    """Yields one column of a table; see `read_rows`.

    Args:
        path: the file.
        flag: that names the column, for errors.
        name: of the column.
        encoding: of the file.
        delimiter: between columns; "" is found by the header.
    """
    for _, (text,) in read_rows(path, {flag: name}, encoding, delimiter):
        yield text


def _read_table(
    path: Path,
    columns: dict[str, str],
    encoding: str,
    delimiter: str,
    optional: Sequence[str],
) -> Iterator[_Row]:
    lines = text_files.read_lines(path, encoding)
    first = next(lines, "")
    separator = parse_delimiter(delimiter) or _find_separator(
        path, first, columns
    )
    lines = itertools.chain([first], lines)
    is_quoted = all(map(_QUOTED.fullmatch, _split_line(first, separator)))
    split = split_rows if separator == TAB and not is_quoted else _split_csv
    header: list[str] = []
    indices: list[int | None] = []
    for number, row in split(lines, path, separator):
        if not header and _SEPARATOR_LINE.fullmatch(first) and number == 1:
            continue
        if not header:
            header = [name.strip() for name in row]
            indices = _find_columns(path, header, columns, optional)
        elif any(cell.strip() for cell in row):
            _check_width(path, number, row, header)
            yield (
                number,
                tuple("" if x is None else row[x] for x in indices),
            )
    if not header:
        _find_columns(path, header, columns)


def _find_separator(path: Path, header: str, columns: dict[str, str]) -> str:
    """Finds the separator by which a header has most of the columns."""
    if named := _SEPARATOR_LINE.fullmatch(header):
        return named[1]
    separators = SEPARATORS[text_files.suffix(path)]
    names = set(columns.values())

    def count_columns(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=separator), [])
        return len(names & {cell.strip() for cell in cells}), len(cells)

    return max(separators, key=count_columns)


def _split_csv(
    lines: Iterable[str], path: Path, separator: str
) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for row in rows:
            if row:  # No blank line.
                yield rows.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: {error}") from error


def split_rows(
    lines: Iterable[str],
    path: Path | None = None,
    separator: str = TAB,
    min_width: int = 0,
) -> Iterator[tuple[int, list[str]]]:
    r"""Yields the rows of a file that may have been written without quoting.

    Some writers quote cells that hold a quote, a tab or a line end, some all
    cells, and many none. A cell's quotes are undone if quotes inside of it
    are doubled, if the line or the lines are a row only with them, or if all
    cells of the column have them. All others are of the text.

    Args:
        lines: with their line ends.
        path: is not used; as of the other ways to split lines.
        separator: between cells.
        min_width: cells that a row has at least; 0 for as many as the first.

    Yields:
        The number of the last line of a row, and its cells.

    Example:
        >>> lines = ['text\tlabel\n', '"Go!" is ""\t1\n', '"two\n', 'x"\t2\n']
        >>> [cells for _, cells in split_rows(lines)]
        [['text', 'label'], ['"Go!" is ""', '1'], ['two\nx', '2']]
    """
    rows = _join_lines(lines, separator, min_width)
    sample = list(itertools.islice(rows, NUM_SAMPLED))
    plain = [cells for _, cells, is_csv in sample if not is_csv]
    quoted = [
        all(_QUOTED.fullmatch(cell) for cell in column)
        for column in zip(*plain, strict=False)
    ]
    for number, cells, is_csv in itertools.chain(sample, rows):
        if not is_csv and '"' in "".join(cells):
            always = itertools.chain(quoted, itertools.repeat(False))
            cells = list(map(_unquote, cells, always))
        yield number, cells


# A first line by which spreadsheets tell the separator to each other.
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\w])"?\s*', re.IGNORECASE)

# All that stands between the quotes of a cell, quotes inside being doubled.
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def _unquote(cell: str, always: bool) -> str:
    match = _QUOTED.fullmatch(cell)
    if match and (always or '""' in match[1]):
        return match[1].replace('""', '"')
    return cell


def _join_lines(
    lines: Iterable[str], separator: str, min_width: int
) -> Iterator[_Cells]:
    """Yields rows, joining the lines of a cell that csv rules quote."""
    source = enumerate(lines, 1)
    pending: deque[tuple[int, str]] = deque()
    width = min_width

    def fits(cells: Sequence[str] | None) -> bool:
        if cells is None:
            return False
        return len(cells) >= width if min_width else len(cells) == width

    while item := (pending.popleft() if pending else next(source, None)):
        number, line = item
        cells = _split_line(line, separator)
        width = width or len(cells)
        if '"' in line:
            taken = _take_until_closed(item, itertools.chain(pending, source))
            pending = deque(taken[1:] + list(pending)[len(taken) - 1 :])
            record = "".join(text for _, text in taken)
            is_plain = all(fits(_split_line(x, separator)) for _, x in taken)
            if not is_plain or (len(taken) > 1 and '""' in record):
                joined = _parse_csv(record, separator)
                if joined and fits(joined):
                    pending = deque(list(pending)[len(taken) - 1 :])
                    yield taken[-1][0], joined, True
                    continue
        if cells != [""]:
            yield number, cells, False


def _take_until_closed(
    item: tuple[int, str], more: Iterator[tuple[int, str]]
) -> list[tuple[int, str]]:
    """Returns a line, and those that follow until its quotes are even."""
    taken = [item]
    num_quotes, size = item[1].count('"'), len(item[1])
    # Many lines may each be as long as one can be.
    while (
        num_quotes % 2
        and len(taken) < MAX_CELL_LINES
        and size <= text_files.MAX_LINE
    ):
        item = next(more, item)
        if item is taken[-1]:
            break  # The end of the file.
        taken.append(item)
        num_quotes += item[1].count('"')
        size += len(item[1])
    return taken


def _split_line(line: str, separator: str) -> list[str]:
    return line.rstrip("\r\n").split(separator)


def _parse_csv(text: str, separator: str) -> list[str] | None:
    """Returns the cells of a row by csv rules; None if it is not just one."""
    lines = io.StringIO(text, newline="")
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _read_jsonl(
    path: Path,
    columns: dict[str, str],
    encoding: str,
    delimiter: str,
    optional: Sequence[str],
) -> Iterator[_Row]:
    for number, line in enumerate(text_files.read_lines(path, encoding), 1):
        if not line.strip():
            continue
        record = json_files.parse(line, path, number)
        if not isinstance(record, dict):
            raise UserError(f"{path}:{number}: expected an object {{...}}")
        _find_columns(path, list(record), columns, optional, number)
        values = (record.get(name) for name in columns.values())
        yield number, tuple(map(_to_text, values))


def _to_text(value: object) -> str:
    """Converts a JSON value: null to "", numbers and booleans as written."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _find_columns(
    path: Path,
    header: list[str],
    columns: dict[str, str],
    optional: Sequence[str] = (),
    line: int = 1,
) -> list[int | None]:
    if header in ([], [""]):
        wanted = " and ".join(columns.values())
        raise UserError(f"{path}: empty, expected a header with {wanted}")
    for flag, name in columns.items():
        if name not in header and name not in optional:
            raise UserError(
                f"{path}:{line}: no column {name!r}; it has"
                f" {format_names(header)}: name the right one with {flag}"
            )
        if header.count(name) > 1:
            raise UserError(
                f"{path}:{line}: {header.count(name)} columns are called"
                f" {name!r}; expected one: rename the others"
            )
    return [
        header.index(name) if name in header else None
        for name in columns.values()
    ]


def _check_width(
    path: Path, line: int, row: list[str], header: list[str]
) -> None:
    # Spreadsheets write empty cells behind the last column.
    if len(row) < len(header) or any(row[len(header) :]):
        raise UserError(
            f"{path}:{line}: expected {len(header)} fields"
            f" ({format_names(header)}), got {len(row)}"
        )
