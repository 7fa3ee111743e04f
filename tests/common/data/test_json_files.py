import re

import pytest

from common.data import json_files
from common.errors import UserError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.json:1: not JSON: Expecting value"),
        ('{\n"a": }', "a.json:2: not JSON: Expecting value"),
        ("[" * 100_000, "a.json: not JSON: brackets too deep"),
        ("1" * 5_000, "a.json: a number of too many digits: expected one of"),
        ("[]", "a.json: expected an object {...}, got a list: it is damaged"),
        ("null", "a.json: expected an object {...}, got a NoneType"),
        ("{}", "a.json: expected app, best, it has no app, best: it is dam"),
        ('{"app": 1}', "a.json: expected app, best, it has no best: it is"),
    ],
)
def test_what_is_not_ours_is_one_line(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        json_files.read(path, "app", "best")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_bytes(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match=r"a.json: cannot read it \(.*No such"):
        json_files.read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(UserError, match="a.json: cannot read it .*utf-8"):
        json_files.read(path)
