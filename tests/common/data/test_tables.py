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
