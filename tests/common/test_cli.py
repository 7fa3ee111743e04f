import dataclasses

import pytest

from common import cli
from common.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of a test."""

    batch_size: int = 32  # Rows of a batch.
    bidirectional: bool = True  # Both directions.
    pooling: tuple[str, ...] = ("max", "mean")  # Kinds.
    rate: float = 0.5  # A share.

    def __post_init__(self):
        cli.check_fields(
            self, batch_size=cli.at_least(1), rate=cli.between(0, 1)
        )


def parse(*argv):
    return cli.parse_config(
        Config(), Config(batch_size=2), list(argv), package="apps.some"
    )


def test_no_flags_give_the_defaults():
    assert parse() == Config()


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


def test_help_shows_the_comment_behind_each_field(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse("--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "python -m apps.some.train" in shown
    assert "Rows of a batch." in shown


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
