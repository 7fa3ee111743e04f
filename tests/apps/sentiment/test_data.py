"""Vocabulary, ids, labels and the report."""

import json
import os

import numpy as np
import pytest

from apps.sentiment import data, text
from common.errors import UserError
from common.training import runs
from tests.support.sentiment import (
    FILMS,
    load,
    write,
    write_texts,
)


def test_vocabulary_and_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "SMALL", 3)
    rows = [("good good film", "b"), ("bad film", "a"), ("bad, odd", "a")]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "valid.csv", [("good new film", "b")])
    dataset = load(tmp_path)
    assert dataset.vocabulary == ["bad", "film", "good"]  # Seen twice or more.
    assert dataset.labels == ["a", "b"]
    bad, film, good = (text.NUM_SPECIAL + index for index in range(3))
    unknown = text.UNKNOWN_ID
    expected = [good, good, film, bad, film, bad, unknown, unknown]
    assert dataset.train.ids.tolist() == expected
    assert dataset.train.lengths.tolist() == [3, 2, 3]
    assert dataset.train.labels.tolist() == [1, 0, 0]
    assert dataset.valid.ids.tolist() == [good, unknown, film]
    assert dataset.report["vocabulary"] == {
        "distinct_words": 5,
        "kept_words": 3,
        "unknown_share": 0.25,
    }


def test_in_small_data_words_count_that_occur_once(tmp_path):
    rows = [("good good film", "b"), ("bad film", "a"), ("odd", "a")]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "valid.csv", [("good new film", "b")])
    assert load(tmp_path).vocabulary == ["film", "good", "bad", "odd"]


def test_the_vocabulary_holds_the_most_frequent_words(tmp_path):
    dataset = load(write(tmp_path / "a.csv"), vocab_size=4)
    assert dataset.vocabulary == ["film", "is"]


def test_ids_do_not_depend_on_how_texts_are_grouped(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv")
    whole = load(path)
    monkeypatch.setattr(data, "CHUNK", 20)
    pieces = load(path)
    assert pieces.vocabulary == whole.vocabulary
    for name in ("ids", "starts", "labels"):
        np.testing.assert_array_equal(
            getattr(pieces.train, name), getattr(whole.train, name)
        )


def test_long_texts_lose_their_middle(tmp_path):
    path = write(tmp_path / "a.csv", [(f"{t} " * 9, n) for t, n in FILMS])
    assert set(load(path, max_tokens=8).train.lengths) == {8}


def test_the_report_counts_examples_labels_and_what_was_skipped(tmp_path):
    write(tmp_path / "train.csv", [*FILMS, ("", 1), (" \n", 0)])
    write(tmp_path / "valid.csv", [*FILMS[:5], ("", 1)])
    write(tmp_path / "test.csv", [*FILMS[:7], ("\u2003", 1)])
    report = load(tmp_path).report
    labels = {"0": 50, "1": 49}
    assert report["train"] == {"examples": 99, "labels": labels}
    assert report["valid"] == {"examples": 5}
    assert report["test"] == {"examples": 7}
    skipped = report["skipped"]["empty text"]
    assert skipped["count"] == 4
    assert skipped["first"][0] == f"{tmp_path / 'train.csv'}:101"


def test_a_lone_surrogate_is_read(tmp_path):
    path = write(tmp_path / "a.jsonl", [("bad \ud800", 0), *FILMS])
    assert load(path).report["skipped"] == {}


def test_half_a_character_in_a_label_is_refused_with_its_line(tmp_path):
    path = write(tmp_path / "a.jsonl", [*FILMS[:8], ("so", "x\ud83d"), *FILMS])
    with pytest.raises(UserError) as caught:
        load(path)
    assert str(caught.value) == (
        f"{path}:9: the label 'x\\ud83d' has half a character, or bytes that"
        " are not UTF-8, and cannot be kept: rename it"
    )
    folder = write_classes(tmp_path).parent
    write_texts(folder / os.fsdecode(b"m\xe4\xdfig"), ["so", "la la"])
    with pytest.raises(UserError, match=r"_7.txt: the label 'm\\udce4\\udcdf"):
        load(folder)


def test_names_of_files_need_not_be_utf8(tmp_path):
    folder = write_classes(tmp_path)
    name = os.fsdecode(b"m\xe4\xdfig.txt")
    (folder / name).write_text("")
    report = load(folder.parent).report["skipped"]
    assert report["empty text"]["first"] == [str(folder / name)]
    assert json.loads(runs.to_json(report).encode()) == report


def write_classes(folder):
    """Writes two folders of texts; returns the second one."""
    for label in "ab":
        texts = [f"so {label} {n}" for n in range(30)]
        write_texts(folder / "classes" / label, texts)
    return folder / "classes" / "b"


def test_any_label_is_learned_as_it_is(tmp_path):
    labels = ["good\nreview", '"quoted"', "=1+1", "a\tb", "\x1b[31mred"]
    rows = [(f"so {n} la", labels[n % 5]) for n in range(99)]
    for name in ("a.csv", "a.jsonl"):
        dataset = load(write(tmp_path / name, rows))
        assert dataset.labels == sorted(labels)
        shown = r"\x1b[31mred, " + '"quoted", =1+1, ' + r"a\tb, good\nreview"
        assert shown in dataset.summary()
