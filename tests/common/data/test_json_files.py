import os
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


def test_values_of_other_kinds(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"app": "a", "rate": 1, "best": null, "flag": true}')
    kinds = {"app": str, "rate": float, "best": dict | None, "flag": bool}
    assert json_files.read(path, "app", other=int, **kinds)["rate"] == 1
    for key, kind, message in (
        ("app", int, 'app is "a", expected int: it is damaged'),
        ("rate", str, "rate is 1, expected str"),
        ("flag", float, "flag is true, expected float"),
        ("best", list, "best is null, expected list"),
    ):
        with pytest.raises(UserError, match=re.escape(f"{path}: {message}")):
            json_files.read(path, **{key: kind})


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"a.json: cannot read it \(a pipe"):
        json_files.read(tmp_path / "a.json")
