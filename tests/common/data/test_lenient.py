import gzip
import io
import types

import pytest

from common.data import lenient
from common.errors import UserError


@pytest.fixture(params=["a.txt", "a.txt.gz", "A.TXT.GZ", "stdin"])
def read(request, tmp_path, monkeypatch):
    """Reads bytes as lines, from wherever bytes come; knows its own name."""

    def lines(content, encoding="utf-8"):
        if request.param == "stdin":
            stdin = types.SimpleNamespace(buffer=io.BytesIO(content))
            monkeypatch.setattr("sys.stdin", stdin)
            path = None
        else:
            path = tmp_path / request.param
            packed = path.suffix.lower() == ".gz"
            path.write_bytes(gzip.compress(content) if packed else content)
        lines.name = str(path or "standard input")
        return list(lenient.read_lines(path, encoding))

    return lines


def test_lines_come_in_order_without_their_ends(read, capsys):
    content = "one\n\n two \ncafé 日本\nlast".encode()
    assert read(content) == ["one", "", " two ", "café 日本", "last"]
    assert capsys.readouterr().err == ""


def test_no_bytes_are_no_lines(read):
    assert read(b"") == []


def test_a_broken_line_is_told_and_empty(read, capsys):
    content = b"good\nca\xe9f\n\xc3\xa9t\xc3\xa9\n\xff\nend \xc3"
    assert read(content) == ["good", "", "été", "", ""]
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"{read.name}:{number}: byte 0x{byte} is not utf-8; nothing is answered"
        " to this line"
        for number, byte in [(2, "e9"), (4, "ff"), (5, "c3")]
    ]


def test_in_another_encoding_other_bytes_are_broken(read, capsys):
    content = b"caf\xe9\na\x81b\nend\n"
    assert read(content, "cp1252") == ["café", "", "end"]
    told = capsys.readouterr().err
    assert told.startswith(f"{read.name}:2: byte 0x81 is not cp1252; nothing")
    assert read(content, "latin-1") == ["café", "a\x81b", "end"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(read):
    assert read("\ufeffone\ntwo\n".encode()) == ["one", "two"]
    assert read("\ufeff\n\ufefftwo\n".encode()) == ["", "\ufefftwo"]


def test_windows_line_ends_are_ends(read):
    assert read(b"one\r\n\r\ntwo\r\nlast\r\n") == ["one", "", "two", "last"]


@pytest.mark.parametrize("inside", "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_nothing_else_ends_a_line(read, inside):
    assert read(f"a{inside}b\nc\n".encode()) == [f"a{inside}b", "c"]


def test_an_encoding_of_two_bytes_a_character_is_read_whole(read):
    content = "one\r\n\ncafé \u0a0a ok\nlast".encode("utf-16")
    assert read(content, "utf-16") == ["one", "", "café \u0a0a ok", "last"]


def test_an_encoding_with_other_line_ends_is_read_whole(read):
    content = "one\ntwo\n".encode("cp037")
    assert read(content, "cp037") == ["one", "two"]


def test_there_the_first_broken_line_is_an_error(read):
    content = "one\ntwo\n".encode("utf-16") + b"\x00"
    with pytest.raises(UserError) as caught:
        read(content, "utf-16")
    assert str(caught.value).startswith(f"{read.name}:")
    assert "is not utf-16; pass " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-9", "rot13"])
def test_an_unknown_encoding(read, encoding):
    with pytest.raises(UserError) as caught:
        read(b"one\n", encoding)
    assert str(caught.value).startswith("--encoding: ")
    assert encoding in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", ["gone.txt", "gone.txt.gz"])
def test_a_missing_file(tmp_path, name, encoding):
    path = tmp_path / name
    with pytest.raises(UserError) as caught:
        list(lenient.read_lines(path, encoding))
    assert str(caught.value) == f"{path}: No such file or directory"


def test_a_folder(tmp_path):
    with pytest.raises(UserError) as caught:
        list(lenient.read_lines(tmp_path))
    assert str(caught.value) == f"{tmp_path}: Is a directory"


@pytest.mark.parametrize("keep", [5, 15, 40, -4])
def test_a_broken_gzip_is_called_one(tmp_path, keep):
    content = "".join(f"line {n}\n" for n in range(999)).encode()
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(content)[:keep])
    with pytest.raises(UserError, match=r"a\.txt\.gz: broken gzip file \(.+\)"):
        list(lenient.read_lines(path))


def test_bytes_damaged_inside_a_gzip(tmp_path):
    content = "".join(f"line {n}\n" for n in range(5000)).encode()
    packed = bytearray(gzip.compress(content))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "a.txt.gz"
    path.write_bytes(packed)
    with pytest.raises(UserError, match=r"a\.txt\.gz: broken gzip file \(.+\)"):
        list(lenient.read_lines(path))


def test_a_file_that_is_no_gzip(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(b"plain text\n")
    with pytest.raises(UserError, match="a.txt.gz: broken gzip file"):
        list(lenient.read_lines(path))


def test_lines_are_read_one_by_one(monkeypatch):
    """Whoever types sees the answer to a line before the next one."""
    stream = io.BytesIO(b"one\ntwo\n")
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=stream))
    lines = lenient.read_lines(None)
    assert next(lines) == "one"
    assert stream.tell() == len(b"one\n")
    assert next(lines) == "two"
