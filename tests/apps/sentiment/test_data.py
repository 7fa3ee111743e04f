"""Vocabulary, ids, labels and the report."""

import numpy as np

from apps.sentiment import data, text
from tests.support.sentiment import (
    FILMS,
    load,
    write,
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
