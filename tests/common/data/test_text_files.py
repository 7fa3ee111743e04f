import gzip
import json
import zipfile

import pytest

from common.data import text_files
from common.errors import UserError

COLUMNS = {"--text-column": "text", "--label-column": "label"}


def table(path, encoding="utf-8"):
    return list(text_files.read_table(path, COLUMNS, encoding))


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


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
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
    ],
)
def test_bad_files_are_named_with_line_and_remedy(
    tmp_path, name, content, text
):
    path = write(tmp_path, name, content)
    with pytest.raises(UserError) as caught:
        table(path)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [5, 15, 40, -4])
def test_a_broken_gzip_is_called_one(tmp_path, keep):
    content = "text,label\n" + "".join(f"film {n},1\n" for n in range(500))
    path = tmp_path / "a.csv.gz"
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


def test_find_table_takes_any_ending(tmp_path):
    assert text_files.find_table(tmp_path, "train") is None
    path = write(tmp_path, "train.tsv.gz", "text\tlabel\n")
    assert text_files.find_table(tmp_path, "train") == path
    assert text_files.find(tmp_path, "train", (".de",)) is None
    path = write(tmp_path, "train.de.gz", "gut")
    assert text_files.find(tmp_path, "train", (".en", ".de")) == path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.zip"])
def test_bare_lines_end_at_line_ends_alone(tmp_path, name):
    odd = " a\u2028b\x0bc\x85d\x1ce\rf "
    content = f"\ufeff{odd}\r\n\n{odd}\r\r\n{odd}\r"
    if name == "a.zip":
        path = write_zip(tmp_path, {"a.txt": content})
    else:
        path = write(tmp_path, name, content)
    lines = list(text_files.bare_lines(path))
    assert lines == [odd, "", odd + "\r", odd + "\r"]


# Zip files


def write_zip(tmp_path, texts):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in texts.items():
            archive.writestr(name, content)
    return path


def unreadable(path):
    with pytest.raises(UserError) as caught:
        list(text_files.read_lines(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_one_text_file_of_a_zip_is_read(tmp_path):
    texts = {"a/B.TXT": "one\ntwo", "a/_about.txt": "", "__MACOSX/a.txt": ""}
    path = write_zip(
        tmp_path, texts | {"a/.b.tsv": "", "c.md": "", "d.txt/": ""}
    )
    assert list(text_files.read_lines(path)) == ["one\n", "two"]


def test_a_zip_needs_one_text_file(tmp_path):
    expected = "a.zip: expected one .tsv or .txt file in it, got"
    assert f"{expected} nothing: unpack" in unreadable(write_zip(tmp_path, {}))
    path = write_zip(tmp_path, {"a.md": "", "b.csv": ""})
    assert f"{expected} a.md, b.csv: unpack it and" in unreadable(path)
    path = write_zip(tmp_path, {"a.txt": "", "b.tsv": "", "c.md": ""})
    assert f"{expected} a.txt, b.tsv: unpack it and" in unreadable(path)


def test_bytes_in_a_zip_that_are_not_text(tmp_path):
    path = write_zip(tmp_path, {"a.txt": b"ok\ncaf\xe9\n"})
    assert "a.zip:2: byte 0xe9 is not utf-8" in unreadable(path)


@pytest.mark.parametrize("keep", [0, 9, 400, -4])
def test_a_cut_off_zip_is_called_broken(tmp_path, keep):
    path = write_zip(tmp_path, {"a.txt": str(list(range(999)))})
    path.write_bytes(path.read_bytes()[:keep])
    assert "a.zip: broken zip file (File is not" in unreadable(path)


def test_bytes_damaged_inside_a_zip(tmp_path):
    path = write_zip(tmp_path, {"a.txt": str(list(range(999)))})
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    assert "a.zip: broken zip file" in unreadable(path)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [(8, 1, "is encrypted"), (10, 9, "compression method is not supported")],
)
def test_a_zip_for_another_program(tmp_path, offset, value, message):
    path = write_zip(tmp_path, {"a.txt": "text"})
    packed = bytearray(path.read_bytes())
    entry = packed.index(b"PK\x01\x02")  # The directory tells of the file.
    packed[entry + offset] = value
    path.write_bytes(packed)
    error = unreadable(path)
    assert message in error
    assert error.endswith("; unpack it and pass the path of the file in it")
