import dataclasses
import io
import itertools
import json
import sys
from typing import Literal

import pytest

from common import cli, errors, options
from common.data import tables
from common.errors import UserError
from tests.support import commands


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of a test."""

    # --- data ---
    batch_size: int = 32  # Rows of a batch.
    bidirectional: bool = True  # Both directions.
    # Which summaries
    # to compute.
    pooling: tuple[str, ...] = ("max", "mean")

    # --- model ---
    rate: float = 0.5  # A share, such as 10%.
    cell: Literal["lstm", "gru"] = "lstm"  # The kind of cell.

    def __post_init__(self):
        options.check_fields(
            self, batch_size=options.at_least(1), rate=options.between(0, 1)
        )


def parse(*argv):
    return parse_train(*argv)[0]


def parse_train(*argv):
    return cli.parse_train(
        Config(), Config(batch_size=2), list(argv), package="apps.some"
    )


def test_no_flags_give_the_defaults():
    assert parse() == Config()


def test_overwrite_is_no_option_of_a_run():
    assert parse_train() == (Config(), False)
    assert parse_train("--overwrite") == (Config(), True)


def test_every_field_is_a_flag():
    config = parse(
        *["--batch-size", "8", "--bidirectional", "false"],
        *["--pooling", "last", "--rate", "0.25"],
    )
    assert config == Config(8, False, ("last",), 0.25)


def test_smoke_changes_the_defaults_and_flags_still_win():
    assert parse("--smoke").batch_size == 2
    assert parse("--smoke", "--batch-size", "5").batch_size == 5


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--batch-sise", "8"], "--batch-sise; did you mean --batch-size?"),
        (["--batch", "8"], "unknown argument --batch"),
        (["--batch-size", "many"], "argument --batch-size: invalid int value"),
        (["--batch-size"], "argument --batch-size: expected one argument"),
    ],
)
def test_wrong_flags_are_one_line_and_status_2(argv, text, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(*argv)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.count("\n") == 1


def test_values_out_of_range_name_flag_and_value():
    with pytest.raises(
        UserError, match="--batch-size must be at least 1, got 0"
    ):
        parse("--batch-size", "0")
    with pytest.raises(UserError, match="--rate must be .* below 1, got 1.0"):
        parse("--rate", "1")


def test_a_bare_flag_is_true_and_choices_are_checked(capsys):
    assert parse("--bidirectional").bidirectional
    assert parse("--cell", "gru").cell == "gru"
    for wrong in (["--cell", "rnn"], ["--bidirectional", "maybe"]):
        with pytest.raises(SystemExit, match="2"):
            parse(*wrong)
    printed = capsys.readouterr().err
    assert "argument --cell: invalid choice: 'rnn'" in printed
    assert "expected true or false, got maybe" in printed


def test_help_has_headings_names_and_defaults(capsys):
    with pytest.raises(SystemExit, match="0"):
        parse("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "python -m apps.some.train" in shown
    assert "data: --batch-size N Rows of a batch. [32]" in shown
    assert "Which summaries to compute. [max mean]" in shown
    assert "model: --rate X A share, such as 10%. [0.5]" in shown
    assert "--cell {lstm,gru} The kind of cell. [lstm]" in shown
    assert "None" not in shown


def test_options_come_from_a_file_and_flags_win(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"batch_size": 7, "pooling": ["last"]}))
    config = parse("--config", str(path), "--rate", "0.1")
    assert config == Config(7, pooling=("last",), rate=0.1)
    for content, message in {
        '{"units": 3}': "another version of this app .unknown: units.; train",
        "[]": "expected an object {...}, got a list",
        "{": "config.json:1: not JSON",
    }.items():
        path.write_text(content)
        with pytest.raises(UserError, match=message):
            parse("--config", str(path))


def test_overrides_replace_fields_of_a_config(capsys):
    parser = cli.evaluate_parser("apps.some", "rows")
    options.add_overrides(parser, Config, "rate", "pooling")
    args = parser.parse_args(["RUN", "--rate", "0.2"])
    assert options.override(Config(batch_size=3), args) == Config(3, rate=0.2)


def test_numbers_of_a_flag_are_checked(capsys):
    parser = cli.evaluate_parser("apps.some", "rows")
    for text, message in {
        "-1": "error: --limit must be at least 0, got -1 (see --help)",
        "x": "error: argument --limit: invalid int value: 'x' (see --help)",
    }.items():
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args(["RUN", "--limit", text])
        assert capsys.readouterr().err == message + "\n"


def test_a_user_error_is_one_line_and_status_2(capsys):
    def command():
        raise UserError("no such file")

    with pytest.raises(SystemExit) as stopped:
        cli.main(command)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: no such file\n"


def test_a_programming_error_keeps_its_traceback():
    def command():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        cli.main(command)


def test_an_error_is_one_line_of_at_most_500_characters(capsys):
    def command():
        raise UserError("a.csv:\n" + "long " * 200 + "mend it")

    with pytest.raises(SystemExit, match="2"):
        cli.main(command)
    printed = capsys.readouterr().err
    assert printed.startswith(r"error: a.csv:\nlong ")
    assert printed.endswith(" mend it\n")
    assert 490 < len(printed.rstrip("\n")) <= 500
    parser = cli.evaluate_parser("apps.some", "rows")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["RUN", "--limit", "9" * 900 + "x"])
    printed = capsys.readouterr().err
    assert len(printed) <= 501
    assert printed.endswith(" (see --help)\n")


def test_what_is_printed_cannot_steer_a_terminal(capsys):
    answer = {"text": "\x1b[2J\x9b\u202e\ud83d é", "label": "a\nb"}
    cli.print_json(answer)
    out = capsys.readouterr().out
    assert out.endswith(
        '\\u001b[2J\\u009b\\u202e\\ud83d é", "label": "a\\nb"}\n'
    )
    assert json.loads(out) == answer
    cli.print_error(UserError("no label 'a\x1b'\nb\r"))
    err = capsys.readouterr().err
    assert err == "error: no label 'a\\x1b'\\nb\\r\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_few_characters_ends_no_command(encoding, monkeypatch):
    answer = {"é \x7f": 0.75, "ş 😀": 0.25}

    def command():
        print("ş")
        cli.print_json(answer)

    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    cli.main(command)
    sample, line = stream.buffer.getvalue().decode(encoding).splitlines()
    assert sample == "?"
    assert line.isascii() and line.isprintable()
    # In JSON a "?" would be another name, and two names could be one.
    assert json.loads(line) == answer


def test_an_error_names_twelve_of_many():
    assert errors.format_names([]) == "nothing"
    assert errors.format_names("abcdefghijkl") == ", ".join("abcdefghijkl")
    assert errors.format_names("abcdefghijklm").endswith("k, l, ...")
    assert errors.format_names(["a\nb", 3], " ") == r"a\nb 3"
    assert errors.format_names(["x" * 61]) == "x" * 57 + "..."
    long = errors.format_names(str(n) * 30 for n in range(9))
    assert long.startswith("0" * 30 + ", " + "1" * 30)
    assert long.endswith(", ...")
    assert len(long) < 210


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_output_in_another_encoding_ends_no_command(encoding, monkeypatch):
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.TextIOWrapper(
            io.BytesIO(), encoding, write_through=True
        )
        monkeypatch.setattr(sys, name, streams[name])

    def command():
        print("猫 is a cat é")
        raise UserError("猫.csv: missing")

    with pytest.raises(SystemExit, match="2"):
        cli.main(command)
    out, err = (
        stream.buffer.getvalue().decode(encoding) for stream in streams.values()
    )
    cat = {"utf-8": "猫"}.get(encoding, "?")
    assert out.startswith(f"{cat} is a cat")
    assert err == f"error: {cat}.csv: missing\n"


def test_a_broken_line_has_no_answer_and_the_others_keep_theirs(
    tmp_path, capsys
):
    path = tmp_path / "lines.txt"
    path.write_bytes(b"good film\nbad\xff film\nfine\n")

    def predict(texts):
        texts = iter(texts)
        while window := list(itertools.islice(texts, 2)):
            yield from (text.upper() for text in window)

    inputs = cli.read_inputs(["first"], str(path), "utf-8")
    answers = list(cli.answer_inputs(predict, inputs))
    assert answers == ["FIRST", "GOOD FILM", None, "FINE"]
    told = f"{path}:2: byte 0xff is not utf-8; nothing is answered to this line"
    assert capsys.readouterr().err == told + "\n"


def test_standard_input_is_read_where_it_is_piped(monkeypatch, capsys):
    def choose(stdin, *argv):
        monkeypatch.setattr("sys.stdin", stdin)
        parser = cli.predict_parser("apps.some", "text", "Labels.")
        args = parser.parse_args(["run", *argv])
        cli.choose_inputs(parser, args, "texts")
        return args.file

    piped = commands.as_stdin(b"a text\n")
    assert choose(piped) == "-"
    assert sys.stdin.read() == "a text\n"
    assert choose(commands.as_stdin(b"x"), "a text") == ""
    assert choose(commands.as_stdin(b"x"), "--file", "f") == "f"
    terminal = commands.as_stdin(b"x")
    monkeypatch.setattr(terminal.buffer.raw, "isatty", lambda: True)
    for stdin in (commands.as_stdin(b""), None, terminal):
        with pytest.raises(SystemExit):
            choose(stdin)
        assert "give texts, or --file FILE (- for" in capsys.readouterr().err


def test_a_table_is_read_by_its_column(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("id,review\n1,one\n2,two\n")
    lines = cli.read_inputs([], str(path), "utf-8")
    assert list(lines) == ["id,review", "1,one", "2,two"]

    def read(path):
        return tables.read_column(path, "--text-column", "review")

    assert list(cli.read_inputs(["a"], str(path), "utf-8", read)) == [
        *["a", "one", "two"]
    ]
    text = tmp_path / "new.txt"
    text.write_text("1,one\n")
    assert list(cli.read_inputs([], str(text), "utf-8", read)) == ["1,one"]
