"""Lines of text files and of standard input, strict and lenient."""

import gzip
import io
import os
import threading
import types
import zipfile

import pytest

from common.data import text_files
from common.errors import UserError

COUNTED = "".join(f"line {n}\n" for n in range(5000)).encode()


def write(path, content):
    """Writes bytes or text, packed as the file's name says."""
    data = content if isinstance(content, bytes) else content.encode()
    packed = path.suffix.lower() == ".gz"
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def write_zip(tmp_path, texts):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in texts.items():
            archive.writestr(name, content)
    return path


def damage_middle(path):
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)


def read_error(path, read=text_files.read_lines, encoding="utf-8"):
    """Returns the error of reading a file, which is one line."""
    with pytest.raises(UserError) as caught:
        list(read(path, encoding))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_find_takes_the_first_ending_that_is_there(tmp_path):
    assert text_files.find(tmp_path, "train", (".de",)) is None
    path = write(tmp_path / "train.de.gz", "gut")
    assert text_files.find(tmp_path, "train", (".en", ".de")) == path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.zip"])
def test_bare_lines_end_at_line_ends_alone(tmp_path, name):
    odd = " a\u2028b\x0bc\x85d\x1ce\rf "
    content = f"\ufeff{odd}\r\n\n{odd}\r\r\n{odd}\r"
    if name == "a.zip":
        path = write_zip(tmp_path, {"a.txt": content})
    else:
        path = write(tmp_path / name, content)
    lines = list(text_files.read_bare_lines(path))
    assert lines == [odd, "", odd + "\r", odd + "\r"]


def test_broken_gzips_are_called_so(tmp_path):
    path = tmp_path / "a.txt.gz"
    for read in (text_files.read_lines, text_files.read_lines_leniently):
        for keep in (5, 15, 40, -4):
            path.write_bytes(gzip.compress(COUNTED)[:keep])
            assert "a.txt.gz: broken gzip file (" in read_error(path, read)
        path.write_bytes(b"plain text\n")
        assert "a.txt.gz: broken gzip file (" in read_error(path, read)
        damage_middle(write(path, COUNTED))
        assert "a.txt.gz: broken gzip file (" in read_error(path, read)


def test_files_that_cannot_be_opened(tmp_path):
    for read in (text_files.read_lines, text_files.read_lines_leniently):
        for name in ("gone.txt", "gone.txt.gz"):
            for encoding in ("utf-8", "utf-16"):
                path = tmp_path / name
                message = f"{path}: No such file or directory"
                assert read_error(path, read, encoding) == message
        message = f"{tmp_path}: Is a directory"
        assert read_error(tmp_path, read) == message


class TestZip:
    """The one text file in a zip file."""

    def test_the_one_text_file_is_read(self, tmp_path):
        texts = {"a/B.TXT": "one\ntwo", "a/_about.txt": "", "c.md": ""}
        others = {"a/.b.tsv": "", "__MACOSX/a.txt": "", "d.txt/": ""}
        path = write_zip(tmp_path, texts | others)
        assert list(text_files.read_lines(path)) == ["one\n", "two"]
        assert list(text_files.read_lines_leniently(path)) == ["one", "two"]

    def test_there_must_be_one_text_file(self, tmp_path):
        for texts, listed in (
            ({}, "nothing: unpack"),
            ({"a.md": "", "b.csv": ""}, "a.md, b.csv: unpack it and"),
            (
                {"a.txt": "", "b.tsv": "", "c.md": ""},
                "a.txt, b.tsv: unpack it and",
            ),
        ):
            assert (
                f"a.zip: expected one .tsv or .txt file in it, got {listed}"
            ) in read_error(write_zip(tmp_path, texts))

    def test_bytes_that_are_not_text(self, tmp_path, capsys):
        path = write_zip(tmp_path, {"a.txt": b"ok\ncaf\xe9\n"})
        assert "a.zip:2: byte 0xe9 is not utf-8" in read_error(path)
        assert list(text_files.read_lines_leniently(path)) == ["ok", None]
        assert "a.zip:2: byte 0xe9 is not" in capsys.readouterr().err

    def test_broken_ones_are_called_so(self, tmp_path):
        for read in (text_files.read_lines, text_files.read_lines_leniently):
            for keep in (0, 9, 400, -4):
                path = write_zip(tmp_path, {"a.txt": str(list(range(999)))})
                path.write_bytes(path.read_bytes()[:keep])
                message = "a.zip: broken zip file (File is not"
                assert message in read_error(path, read)
            path = write_zip(tmp_path, {"a.txt": str(list(range(999)))})
            damage_middle(path)
            assert "a.zip: broken zip file" in read_error(path, read)

    def test_one_for_another_program(self, tmp_path):
        for offset, value, message in (
            (8, 1, "is encrypted"),
            (10, 9, "compression method is not supported"),
        ):
            path = write_zip(tmp_path, {"a.txt": "text"})
            packed = bytearray(path.read_bytes())
            entry = packed.index(b"PK\x01\x02")  # The directory's entry.
            packed[entry + offset] = value
            path.write_bytes(packed)
            error = read_error(path)
            assert message in error
            assert error.endswith(
                "; unpack it and pass the path of the file in it"
            )


@pytest.fixture(params=["a.txt", "a.txt.gz", "A.TXT.GZ", "stdin"])
def read(request, tmp_path, monkeypatch):
    """Reads bytes as lines, from wherever bytes come; knows its own name."""

    def lines(content, encoding="utf-8"):
        if request.param == "stdin":
            stdin = types.SimpleNamespace(buffer=io.BytesIO(content))
            monkeypatch.setattr("sys.stdin", stdin)
            path = None
        else:
            path = write(tmp_path / request.param, content)
        lines.name = str(path or "standard input")
        return list(text_files.read_lines_leniently(path, encoding))

    return lines


class TestLenient:
    """Lines that keep their numbers, whatever is broken between them."""

    def test_lines_come_in_order_without_their_ends(self, read, capsys):
        odd = [f"a{c}b" for c in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"]
        for lines in (
            [],
            ["one", "", " two ", "café 日本", "last"],
            odd,  # Nothing else ends a line.
        ):
            for end in ("\n", "\r\n"):
                assert read(end.join(lines).encode()) == lines
                content = "".join(line + end for line in lines)
                assert read(content.encode()) == lines
        assert capsys.readouterr().err == ""

    def test_a_broken_line_is_told_and_empty(self, read, capsys):
        content = b"good\nca\xe9f\n\xc3\xa9t\xc3\xa9\n\xff\nend \xc3"
        assert read(content) == ["good", None, "été", None, None]
        told = capsys.readouterr().err.splitlines()
        assert told == [
            f"{read.name}:{number}: byte 0x{byte} is not utf-8; nothing is"
            " answered to this line"
            for number, byte in [(2, "e9"), (4, "ff"), (5, "c3")]
        ]

    def test_in_another_encoding_other_bytes_are_broken(self, read, capsys):
        content = b"caf\xe9\na\x81b\nend\n"
        assert read(content, "cp1252") == ["café", None, "end"]
        told = capsys.readouterr().err
        expected = f"{read.name}:2: byte 0x81 is not cp1252; nothing"
        assert told.startswith(expected)
        assert read(content, "latin-1") == ["café", "a\x81b", "end"]

    def test_a_byte_order_mark_is_no_part_of_the_first_line(self, read):
        assert read("\ufeffone\ntwo\n".encode()) == ["one", "two"]
        assert read("\ufeff\n\ufefftwo\n".encode()) == ["", "\ufefftwo"]

    def test_encodings_with_other_line_ends_are_read_whole(self, read):
        content = "one\r\n\ncafé \u0a0a ok\nlast".encode("utf-16")
        assert read(content, "utf-16") == ["one", "", "café \u0a0a ok", "last"]
        assert read("one\ntwo\n".encode("cp037"), "cp037") == ["one", "two"]

    def test_there_the_first_broken_line_is_an_error(self, read):
        content = "one\ntwo\n".encode("utf-16") + b"\x00"
        with pytest.raises(UserError) as caught:
            read(content, "utf-16")
        assert str(caught.value).startswith(f"{read.name}:")
        assert "is not utf-16; pass " in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_an_unknown_encoding(self, read):
        for encoding in ("utf-9", "rot13"):
            with pytest.raises(UserError) as caught:
                read(b"one\n", encoding)
            assert str(caught.value).startswith("--encoding: ")
            assert encoding in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_encodings_that_are_none_for_lines(self, read, monkeypatch):
        for encoding in ("utf-16", "utf-32", "undefined", "punycode"):
            content = b"\xff\xfe\xfd" if encoding != "utf-16" else b"text"
            with pytest.raises(UserError, match=f"not {encoding}"):
                read(content, encoding)
            stream = io.BytesIO(content)
            stdin = types.SimpleNamespace(buffer=stream)
            monkeypatch.setattr("sys.stdin", stdin)
            message = f"^standard input: .*not {encoding}.*--encoding"
            with pytest.raises(UserError, match=message):
                list(text_files.read_lines_leniently(None, encoding))

    def test_a_line_that_no_text_has(self, read, monkeypatch):
        monkeypatch.setattr(text_files, "MAX_LINE", 10)
        with pytest.raises(UserError, match=":2: a line of more than 10 cha"):
            read(b"short\n" + b"x" * 11)

    def test_lines_are_read_one_by_one(self, monkeypatch):
        """Whoever types sees the answer to a line before the next one."""
        stream = io.BytesIO(b"one\ntwo\n")
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=stream))
        lines = text_files.read_lines_leniently(None)
        assert next(lines) == "one"
        assert stream.tell() == len(b"one\n")
        assert next(lines) == "two"


def test_a_line_that_no_text_has(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE", 10)
    path = tmp_path / "a.txt"
    path.write_text("short\n" + "x" * 11 + "\n")
    with pytest.raises(UserError, match=f"^{path}:2: a line of more than 10 c"):
        list(text_files.read_lines(path))
    assert text_files.read_text(path).endswith("x\n")


def test_a_packed_text_that_grows_beyond_all_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE", 10)
    text = "x" * 50_000
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert text_files.read_text(path) == text  # As large as it says.
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    message = f"^{packed}: it unpacks to more than .* unpack it first"
    with pytest.raises(UserError, match=message):
        text_files.read_text(packed)


def read_all(*args):
    return list(text_files.read_lines(*args))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "undefined"])
def test_text_in_another_encoding_is_one_line(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(b"text,label\na,x\n")
    for read in (
        text_files.read_text,
        lambda *x: list(text_files.read_lines(*x)),
    ):
        with pytest.raises(UserError, match=f"^{path}: .*not {encoding}"):
            read(path, encoding)


@pytest.mark.parametrize("encoding", ["hex", "rot13", "utf-9", "a\0b"])
def test_what_is_no_encoding_is_one_line(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(b"text\n")
    name = encoding.replace("\0", r"\\x00")
    with pytest.raises(UserError, match=f"^--encoding: .*{name}"):
        text_files.read_text(path, encoding)


def test_a_pipe_is_refused_where_it_would_be_waited_for(tmp_path):
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    for read in (
        text_files.read_text,
        lambda x: list(text_files.read_lines(x)),
    ):
        with pytest.raises(UserError, match=f"^{path}: a pipe or a device"):
            read(path)


def test_inputs_may_come_from_a_pipe(tmp_path):
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("one\ntwo\n",))
    writer.start()
    assert list(text_files.read_lines_leniently(path)) == ["one", "two"]
    writer.join()


def test_a_whole_text_keeps_its_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\rthree\n")
    assert text_files.read_text(path) == "one\r\ntwo\rthree\n"
