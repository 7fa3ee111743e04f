"""Rows that are scored: the held-out ones of the run's data, or all."""

from common.data import scored, splits


def test_the_data_of_training_are_known_by_any_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.csv").write_text("x")
    for spec in ("a.csv", "./a.csv", str(tmp_path / "a.csv")):
        assert scored.is_own(spec, "a.csv")
    assert scored.is_own("gone.csv", "gone.csv")
    assert scored.is_own("builtin", "builtin")
    for spec in ("b.csv", "gone.csv", "builtin", "tfds:a"):
        assert not scored.is_own(spec, "a.csv")


def test_all_of_a_file_that_training_did_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()

    def choose(name, data, streams):
        return scored.choose_split(name, data, "old.csv", streams)

    cut = splits.cut(lambda: iter("ab"), str)
    complete = splits.complete({"train": list, "test": list}, str)
    assert choose("", "old.csv", cut) == "test"
    assert choose("", "new.csv", cut) == "all"
    assert choose("valid", "new.csv", cut) == "valid"
    assert choose("", "folder", cut) == "all"
    assert choose("", "folder", complete) == "test"
    assert choose("", "builtin", complete) == "test"


def test_the_first_line_says_which_rows():
    for split, note in (
        ("test", "held out from training"),
        ("valid", "by which training chose its best epoch"),
        ("train", "on which it was trained"),
        ("all", "on which it was trained"),
    ):
        line = scored.describe_rows(split, 3, "a.csv", "a.csv")
        assert line == f"{split}: 3 examples of a.csv, {note}"
