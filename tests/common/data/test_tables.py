"""Tables: columns, quotes and line ends; errors with line and remedy."""

import gzip
import json

import pytest

from common.data import tables
from common.errors import UserError

COLUMNS = {"--text-column": "text", "--label-column": "label"}


def table(path, encoding="utf-8"):
    return list(tables.read_rows(path, COLUMNS, encoding))


def write(tmp_path, name, content):
    path = tmp_path / name
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_csv_columns_in_any_order_with_quotes_and_line_breaks(tmp_path, gz):
    path = write(
        tmp_path,
        f"a.csv{gz}",
        'id,label,text\n1,good,"a ""fine"", long\nfilm"\n\n2,bad,dull\n',
    )
    assert table(path) == [
        (3, ('a "fine", long\nfilm', "good")),
        (5, ("dull", "bad")),
    ]


def test_tsv_keeps_bare_quotes_and_undoes_full_ones(tmp_path):
    path = write(
        tmp_path, "a.tsv", 'text\tlabel\n"so " bad\t0\n"it ""was"" good"\t1\n'
    )
    assert table(path) == [(2, ('"so " bad', "0")), (3, ('it "was" good', "1"))]


def test_jsonl_takes_numbers_and_null(tmp_path):
    rows = [
        {"label": 1, "text": "good", "more": 0},
        {"text": None, "label": True},
    ]
    path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    assert table(path) == [(1, ("good", "1")), (2, ("", "true"))]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    path = write(tmp_path, "a.csv", "\ufefftext,label\nfine,1\n")
    assert table(path) == [(2, ("fine", "1"))]


def test_a_text_longer_than_the_csv_modules_limit(tmp_path):
    text = "word " * 100_000
    path = write(tmp_path, "a.csv", f"text,label\n{text},1\n")
    assert table(path) == [(2, (text, "1"))]


def test_other_encodings_by_name(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\ncafé,1\n".encode("latin-1"))
    assert table(path, "latin-1") == [(2, ("café", "1"))]
    path = write(tmp_path, "b.csv", "text,label\ncafé,1\n".encode("utf-16"))
    assert table(path, "utf-16") == [(2, ("café", "1"))]


# Name, content and error.
BAD_FILES = [
    ("a.csv", "", "a.csv: empty, expected a header with text and label"),
    ("a.tsv", "", "a.tsv: empty, expected a header"),
    ("a.jsonl", "", "a.jsonl: empty, expected rows with text and label"),
    ("a.csv", "text,label\n", "a.csv: empty, expected rows"),
    (
        "a.csv",
        "review,label\nx,1\n",
        "a.csv:1: no column 'text'; it has review, label: name the right"
        " one with --text-column",
    ),
    (
        "a.jsonl",
        '{"text": "x", "label": 1}\n{"text": "x"}\n',
        "a.jsonl:2: no column 'label'; it has text: name the right one with"
        " --label-column",
    ),
    ("a.csv", "text,label\nx,1\ny\n", "a.csv:3: expected 2 fields (text, "),
    ("a.tsv", "text\tlabel\nx\t1\ty\n", "a.tsv:2: expected 2 fields"),
    ("a.csv", 'text,label\n"x,1\n', "a.csv:2: unexpected end of data"),
    ("a.jsonl", '{"text": }\n', "a.jsonl:1: not JSON"),
    ("a.jsonl", "[1]\n", "a.jsonl:1: expected an object"),
    (
        "a.csv",
        b"text,label\nok,1\ncaf\xe9,1\n",
        "a.csv:3: byte 0xe9 is not utf-8; pass the file's --encoding",
    ),
    (
        "a.csv.gz",
        b"text,label\nok,1\ncaf\xe9,1\n",
        "a.csv.gz:3: byte 0xe9 is not utf-8",
    ),
    ("a.xml", "text", "a.xml: expected one of .csv, .tsv, .jsonl"),
]


def test_bad_files_are_named_with_line_and_remedy(tmp_path):
    for name, content, text in BAD_FILES:
        path = write(tmp_path, name, content)
        with pytest.raises(UserError) as caught:
            table(path)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_broken_gzip_is_called_one(tmp_path):
    content = "text,label\n" + "".join(f"film {n},1\n" for n in range(500))
    path = tmp_path / "a.csv.gz"
    for keep in (5, 15, 40, -4):
        path.write_bytes(gzip.compress(content.encode())[:keep])
        with pytest.raises(UserError, match="a.csv.gz: broken gzip file"):
            table(path)


def test_bytes_damaged_inside_a_gzip(tmp_path):
    content = "text,label\n" + "".join(f"film {n},1\n" for n in range(5000))
    packed = bytearray(gzip.compress(content.encode()))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "a.csv.gz").write_bytes(packed)
    with pytest.raises(UserError, match="a.csv.gz"):
        table(tmp_path / "a.csv.gz")


def test_a_missing_file_and_an_unknown_encoding(tmp_path):
    with pytest.raises(UserError, match="gone.csv: No such file"):
        table(tmp_path / "gone.csv")
    path = write(tmp_path, "a.csv", "text,label\n")
    with pytest.raises(UserError, match="--encoding: unknown encoding: utf-9"):
        table(path, "utf-9")


def test_find_takes_any_ending(tmp_path):
    assert tables.find(tmp_path, "train") is None
    path = write(tmp_path, "train.tsv.gz", "text\tlabel\n")
    assert tables.find(tmp_path, "train") == path


# The separator, by its file; all of them are the rows of SEPARATED.
SEPARATED = [(2, ("good, fine", "1")), (3, ("dull", "0"))]
SEPARATED_FILES = {
    "semicolons.csv": "text;label\ngood, fine;1\ndull;0\n",
    "tabs.csv": "id\ttext\tlabel\n1\tgood, fine\t1\n2\tdull\t0\n",
    "bars.csv": "label|text\n1|good, fine\n0|dull\n",
    "commas.tsv": 'text,label\n"good, fine",1\ndull,0\n',
    "spaces.csv": 'label, text\n1,"good, fine"\n0,dull\n',
    "empty_cells.csv": 'text,label,,\n"good, fine",1,,\ndull,0,,\n,,,\n,,\n',
    "empty_cells.tsv": "text\tlabel\t\ngood, fine\t1\t\ndull\t0\t\n\t\t\n",
    "more_cells.csv": 'text,label\n"good, fine",1,,\ndull,0,\n',
    "utf16.csv": "text;label\ngood, fine;1\ndull;0\n".encode("utf-16"),
    "utf16.tsv.gz": "text\tlabel\ngood, fine\t1\ndull\t0\n".encode("utf-16"),
}


def test_the_separator_is_recognised_and_empty_cells_are_no_rows(tmp_path):
    for name, content in SEPARATED_FILES.items():
        assert table(write(tmp_path, name, content)) == SEPARATED, name
    path = write(tmp_path, "a.csv", "sep=;\ntext;label\ngood, fine;1\n")
    assert table(path) == [(3, ("good, fine", "1"))]


def test_the_separator_by_its_flag(tmp_path):
    path = write(tmp_path, "a.csv", "text,x~label\ngood, fine~1\n")
    names = {"--text-column": "text,x", "--label-column": "label"}
    rows = list(tables.read_rows(path, names, delimiter="~"))
    assert rows == [(2, ("good, fine", "1"))]
    path = write(tmp_path, "b.csv", 'text\tlabel\n"good"\t1\n')
    for name in ("tab", "\\t", "\t"):
        rows = list(tables.read_rows(path, COLUMNS, delimiter=name))
        assert rows == [(2, ("good", "1"))] or rows == [(2, ('"good"', "1"))]
    with pytest.raises(UserError, match="--delimiter ';;': expected one char"):
        list(tables.read_rows(path, COLUMNS, delimiter=";;"))


# Rows of a tab-separated table after its header `text, label`.
TAB_QUOTES = {
    '"two\nlines ""x"""\tpos\nplain\tneg\n': [
        (3, ('two\nlines "x"', "pos")),
        (4, ("plain", "neg")),
    ],
    '"a\ttab"\tpos\n': [(2, ("a\ttab", "pos"))],
    '"a\ttab\nand ""more"""\tpos\n': [(3, ('a\ttab\nand "more"', "pos"))],
    # Quotes of the text: they stay, and no rows are merged.
    '"Go!" he said.\tpos\n"so bad\tneg\nreally"\tneg\n': [
        (2, ('"Go!" he said.', "pos")),
        (3, ('"so bad', "neg")),
        (4, ('really"', "neg")),
    ],
    '"Wait!"\tpos\nGo!\tneg\n5" screen\tpos\n"\tneg\n': [
        (2, ('"Wait!"', "pos")),
        (3, ("Go!", "neg")),
        (4, ('5" screen', "pos")),
        (5, ('"', "neg")),
    ],
}


def test_quotes_of_a_writer_are_undone_and_those_of_the_text_stay(tmp_path):
    for content, rows in TAB_QUOTES.items():
        path = write(tmp_path, "a.tsv", "text\tlabel\n" + content)
        assert table(path) == rows
    content = '"text"\t"label"\n"Wait!"\t"pos"\n"a ""b"""\t"neg"\n'
    path = write(tmp_path, "b.tsv", content)
    assert table(path) == [(2, ("Wait!", "pos")), (3, ('a "b"', "neg"))]


def test_a_cell_that_never_ends_is_a_row_of_wrong_width(tmp_path):
    lines = "".join(f"line {n}\n" for n in range(1500))
    path = write(tmp_path, "a.tsv", f'text\tlabel\nfine\t1\n"open\n{lines}')
    with pytest.raises(UserError, match=r"a.tsv:3: expected 2 fields \(text"):
        table(path)


def test_missing_columns_that_are_optional_are_empty(tmp_path):
    for name, content in {
        "a.csv": "id,text\n1,good\n",
        "a.tsv": "text\tid\ngood\t1\n",
        "a.jsonl": '\n{"text": "good"}\n',
    }.items():
        path = write(tmp_path, name, content)
        rows = tables.read_rows(path, COLUMNS, optional=["label"])
        assert list(rows) == [(2, ("good", ""))]


def test_errors_of_columns_list_a_few_and_refuse_two_of_a_name(tmp_path):
    path = write(tmp_path, "a.csv", ";".join(f"c{n}" for n in range(500)))
    with pytest.raises(UserError) as caught:
        table(path)
    assert "it has c0, c1, " in str(caught.value)
    assert len(str(caught.value)) - len(str(path)) < 200
    path = write(tmp_path, "b.csv", "text,label,text\na,b,c\n")
    with pytest.raises(UserError, match="2 columns are called 'text'; expec"):
        table(path)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_cell_that_no_text_has(tmp_path, suffix):
    separator = "," if suffix == "csv" else "\t"
    lines = f'text{separator}label\n"{"x" * 999_999}\n'
    path = write(tmp_path, f"a.{suffix}.gz", lines + "x" * 999_999 + "\n" * 2)
    limit = tables.csv.field_size_limit(1_000_000)
    try:
        with pytest.raises(UserError, match=f"^{path}:[23]: .*(limit|fields)"):
            table(path)
    finally:
        assert tables.csv.field_size_limit(limit) == 1_000_000
    assert limit == tables.text_files.MAX_LINE


def test_a_quote_that_is_not_closed_takes_no_more_than_a_line(monkeypatch):
    """Of a thousand lines, each as long as one can be."""
    monkeypatch.setattr(tables.text_files, "MAX_LINE", 100)
    seen = []

    def lines():
        for number in range(50):
            seen.append(number)
            yield f"{'x' * 60}\n" if number else 'a "b\tc\n'

    rows = tables.split_rows(lines(), min_width=2)
    assert next(iter(tables._join_lines(lines(), "\t", 2)))[1] == ['a "b', "c"]
    assert len(seen) < 5
    assert next(rows)
