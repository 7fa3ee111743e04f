"""Layouts of data, and data that cannot be used."""

import collections
import gzip
import re

import pytest

from apps.sentiment import data
from apps.sentiment.config import Config
from common.data.splits import SPLITS, select
from common.errors import UserError
from tests.support.commands import error_line
from tests.support.sentiment import (
    FILMS,
    load,
    open_splits,
    pairs,
    texts,
    write,
    write_texts,
)


def test_builtin_has_three_splits_that_share_no_text():
    splits = open_splits("builtin", num_examples=200)
    inputs = {name: set(texts(stream)) for name, stream in splits.items()}
    assert {name: len(pairs(s)) for name, s in splits.items()} == {
        "train": 200,
        "valid": 20,
        "test": 20,
    }
    assert not inputs["train"] & inputs["valid"]
    assert not (inputs["train"] | inputs["valid"]) & inputs["test"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz"])
def test_one_file_is_cut_into_three_splits(tmp_path, name):
    splits = open_splits(write(tmp_path / name))
    parts = {split: pairs(stream) for split, stream in splits.items()}
    assert list(parts) == ["train", "valid", "test"]
    everything = [pair for part in parts.values() for pair in part]
    assert sorted(everything) == sorted((t, str(n)) for t, n in FILMS)
    assert all(parts.values())
    assert len(parts["train"]) > 65


def test_the_cut_is_the_same_in_every_format_and_every_order(tmp_path):
    one = open_splits(write(tmp_path / "a.csv"))
    other = open_splits(write(tmp_path / "b.jsonl.gz", FILMS[::-1]))
    for split in SPLITS:
        assert texts(one[split]) == texts(other[split])[::-1]


def test_equal_texts_never_stand_on_both_sides(tmp_path):
    twice = FILMS + [(film, 1 - label) for film, label in FILMS]
    splits = open_splits(write(tmp_path / "a.csv", twice))
    for stream in splits.values():
        assert set(collections.Counter(texts(stream)).values()) == {2}


def test_a_folder_with_train_only_gives_a_tenth_to_valid(tmp_path):
    write(tmp_path / "train.csv")
    splits = open_splits(tmp_path)
    assert list(splits) == ["train", "valid"]
    assert 0 < len(texts(splits["valid"])) < 20
    assert len(texts(splits["valid"])) + len(texts(splits["train"])) == 99


@pytest.mark.parametrize("name", ["valid", "validation", "dev", "val"])
def test_a_folder_with_its_own_valid_and_test_keeps_them(tmp_path, name):
    write(tmp_path / "train.csv.gz")
    write(tmp_path / f"{name}.tsv", [("fine", 0)])
    write(tmp_path / "test.jsonl", [("dull", "1")])
    splits = open_splits(tmp_path)
    assert len(texts(splits["train"])) == 99
    assert pairs(splits["valid"]) == [("fine", "0")]
    assert pairs(splits["test"]) == [("dull", "1")]


@pytest.mark.parametrize(
    "name",
    ["dev2.csv", "testing.tsv", "validation.csv", "TEST.csv", "eval.txt"],
)
def test_a_split_that_is_not_understood(tmp_path, name):
    write(tmp_path / "train.csv")
    write(tmp_path / "valid.csv")
    (tmp_path / "test_results.log").write_text("")
    (tmp_path / name).write_text("text,label\n")
    message = (
        f"{tmp_path}: {name} would not be read: expected one file or folder for"
        " each split, named train, valid (or validation, dev, val) and test;"
        " rename it, or move it away"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        open_splits(tmp_path)


def test_a_folder_of_a_split_is_no_class(tmp_path):
    for label in ("neg", "pos", "train"):  # The last travels on rails.
        write_texts(tmp_path / label, [f"{label} {n}" for n in range(9)])
    assert load(tmp_path).labels == ["neg", "pos", "train"]
    write_texts(tmp_path / "test2", ["who knows"])
    with pytest.raises(UserError, match="test2 would not be read"):
        open_splits(tmp_path)


def test_a_folder_with_train_and_test_cuts_valid_from_train(tmp_path):
    write(tmp_path / "train.csv")
    write(tmp_path / "test.csv", FILMS)
    splits = open_splits(tmp_path)
    assert len(texts(splits["test"])) == 99
    assert len(texts(splits["train"]) + texts(splits["valid"])) == 99


def test_the_large_movie_review_layout(tmp_path):
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            films = [f"{label} {split} {n}\nend\n" for n in range(30)]
            write_texts(tmp_path / split / label, films)
        (tmp_path / split / "labeledBow.feat").write_text("0:9")
    write_texts(tmp_path / "train" / "unsup", ["who knows"])
    (tmp_path / "imdb.vocab").write_text("the\n")
    (tmp_path / "train" / "neg" / "._0_7.txt").write_bytes(b"\0\xff")
    (tmp_path / "train" / "neg" / "0_7.txt.bak").write_bytes(b"\0\xff")
    splits = open_splits(tmp_path)
    assert list(splits) == ["train", "test", "valid"]
    assert len(texts(splits["train"])) + len(texts(splits["valid"])) == 60
    assert pairs(splits["test"])[0] == ("neg test 0\nend\n", "neg")
    every = {label for stream in splits.values() for _, label in pairs(stream)}
    assert every == {"neg", "pos"}


def test_a_folder_per_class_is_cut_in_three_like_a_file(tmp_path):
    for label in ("gut", "schlecht", "so là là"):
        write_texts(tmp_path / label, [f"{label} {n}" for n in range(40)])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("not a class")
    splits = open_splits(tmp_path)
    assert set(splits) == {"train", "valid", "test"}
    assert sum(len(texts(stream)) for stream in splits.values()) == 120
    assert load(tmp_path).labels == ["gut", "schlecht", "so là là"]


def test_other_column_names(tmp_path):
    columns = ("id", "stars", "review")
    rows = [(n, label, film) for n, (film, label) in enumerate(FILMS)]
    path = write(tmp_path / "a.tsv", rows, columns)
    splits = open_splits(path, text_column="review", label_column="stars")
    assert ("film 0 is good", "0") in sum(map(pairs, splits.values()), [])


def test_other_encodings(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"caf\xe9 {n},{n % 2}\n" for n in range(50))
    path.write_bytes(f"text,label\n{rows}".encode("latin-1"))
    assert "café" in load(path, encoding="latin-1").vocabulary


def test_three_classes_with_any_strings_as_labels(tmp_path):
    names = ["très bien", "so, so", "0.5"]
    rows = [(film, names[n % 3]) for n, (film, _) in enumerate(FILMS)]
    dataset = load(write(tmp_path / "a.csv", rows))
    assert dataset.labels == sorted(names)
    assert set(dataset.train.labels) == {0, 1, 2}


def test_a_missing_path():
    with pytest.raises(UserError, match=r"--data gone.csv: no such file or fo"):
        load("gone.csv")


BAD_FILES = {
    "nothing in it": ("a.csv", b"", "a.csv: empty, expected a header with te"),
    "a header only": ("a.csv", b"text,label\n", "a.csv: empty, expected rows"),
    "other columns": (
        "a.csv",
        b"review,stars\nx,1\n",
        "a.csv:1: no column 'text'; it has review, stars: name the right one"
        " with --text-column",
    ),
    "too few fields": (
        "a.csv",
        b"text,label\nx,1\ny\n",
        r"a.csv:3: expected 2 fields \(text, label\), got 1",
    ),
    "undecodable bytes": (
        "a.tsv",
        b"text\tlabel\nx\t1\ncaf\xe9\t1\n",
        "a.tsv:3: byte 0xe9 is not utf-8; pass the file's --encoding",
    ),
    "an empty label": (
        "a.csv",
        b"text,label\nx,1\ny, \n",
        "a.csv:3: no label; give the row a label or remove it",
    ),
    "no label in JSON": (
        "a.jsonl",
        b'{"text": "x", "label": null}\n',
        "a.jsonl:1: no label",
    ),
    "a broken gzip": (
        "a.csv.gz",
        gzip.compress(b"text,label\n" + b"x,1\n" * 99)[:-9],
        "a.csv.gz: broken gzip file .*; copy or download it again",
    ),
    "no gzip at all": ("a.csv.gz", b"text,label\n", "a.csv.gz: broken gzip"),
    "another ending": ("a.xlsx", b"PK", "a.xlsx: expected one of .csv, .tsv"),
    "one class": (
        "a.csv",
        b"text,label\n" + b"x,1\n" * 9,
        "a.csv: expected two or more classes, all 9 training examples are"
        " labelled '1'",
    ),
    "only empty texts": (
        "a.csv",
        b"text,label\n,1\n,0\n",
        "a.csv: no training examples in it",
    ),
    "no word twice, as in a column of numbers": (
        "a.csv",
        b"text,label\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(99)),
        "a.csv: no word occurs twice in its .* training texts: is 'text' the"
        " column of the text\\? Name it with --text-column",
    ),
    "two columns of one name": (
        "a.csv",
        b"text,label,label\nx,1,1\n",
        "a.csv:1: 2 columns are called 'label'; expected one",
    ),
    "a label for each text": (
        "a.csv",
        b"text,label\n"
        + b"".join(b"film %d,%.2f\n" % (n, n / 9) for n in range(99)),
        "this label does not occur in the training data, which has .*, ...;"
        " so it is with \\d+ examples: is it the --label-column, or a mistake",
    ),
    "too few to hold out": (
        "a.csv",
        b"text,label\nfine,1\nx,0\n",
        "a.csv: no validation examples; one example in ten is held out and"
        " there are only 2: give more, or a valid file",
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES
)
def test_bad_files_are_named_with_line_and_remedy(
    tmp_path, name, content, message
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_rare_label_that_chance_held_out_is_counted(tmp_path):
    rows = [f"film {n},{'good' if n % 2 else 'bad'}" for n in range(200)]
    rows += [f"film {n},rare" for n in range(200, 400)]
    with_rare = write_table(tmp_path / "all.csv", rows)
    texts = {
        name: {e.text for e in stream}
        for name, stream in data.open_splits(Config(data=with_rare)).items()
    }
    kept = [row for row in rows[200:] if row.split(",")[0] in texts["valid"]]
    loaded = load(write_table(tmp_path / "a.csv", [*rows[:200], *kept[:2]]))
    assert loaded.labels == ["bad", "good"]
    skipped = loaded.report["skipped"]["label without training examples"]
    assert skipped["count"] == 2
    assert set(loaded.valid.labels.tolist()) == {0, 1}


def write_table(path, rows):
    path.write_text("text,label\n" + "".join(f"{row}\n" for row in rows))
    return str(path)


def test_a_text_file_of_a_class_in_another_encoding(tmp_path):
    write_texts(tmp_path / "train" / "pos", ["fine"])
    (tmp_path / "train" / "pos" / "9.txt").write_bytes(b"ok\ncaf\xe9")
    with pytest.raises(UserError, match="pos/9.txt:2: byte 0xe9 is not utf-8"):
        load(tmp_path)


@pytest.mark.parametrize("split", ["test", "valid", "dev"])
def test_a_label_never_seen_in_training(tmp_path, split):
    write(tmp_path / "train.csv")
    write(tmp_path / f"{split}.csv", [("fine", 1), ("so so", "neutral")])
    message = f"{split}.csv:3 .'neutral'.: this label does not .* has 0, 1;"
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_a_folder_without_anything_usable_says_what_it_holds(tmp_path):
    with pytest.raises(UserError, match=r"expected train.csv.*holds nothing"):
        load(tmp_path)
    (tmp_path / "reviews.doc").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"it holds empty, reviews.doc"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label\nx,1\ny\n", "a.csv:3: expected 2 fields"),
        ("a.csv.gz", b"text", "a.csv.gz: broken gzip file"),
    ],
)
def test_the_command_ends_with_one_line_and_leaves_no_run(
    tmp_path, name, content, message
):
    (tmp_path / name).write_bytes(content)
    error = error_line("apps.sentiment.train", "--data", name, folder=tmp_path)
    assert message in error
    assert not (tmp_path / "runs").exists()


def test_all_splits_together_are_the_whole_file(tmp_path):
    path = tmp_path / "reviews.csv"
    rows = [f"film number {n},{n % 2}" for n in range(60)]
    path.write_text("\n".join(["text,label", *rows]))
    everything = texts(select(open_splits(path), "all"))
    assert sorted(everything) == sorted(row.partition(",")[0] for row in rows)


def test_a_folder_with_only_a_test_file_can_be_scored_not_trained(tmp_path):
    (tmp_path / "test.csv").write_text("text,label\ngood,1\nbad,0\n")
    assert len(texts(select(open_splits(tmp_path), "test"))) == 2
    with pytest.raises(UserError, match="no training examples; it has only"):
        data.load(Config(data=str(tmp_path)))


def test_semicolons_and_another_delimiter(tmp_path):
    path = tmp_path / "a.csv"
    for mark, options in ((";", {}), ("~", {"delimiter": "~"})):
        rows = [mark.join(("text", "label"))]
        rows += [f"{film}{mark}{label}" for film, label in FILMS]
        path.write_text("\n".join(rows))
        assert sorted(texts(select(open_splits(path, **options), "all"))) == (
            sorted(film for film, _ in FILMS)
        )
    with pytest.raises(UserError, match="--delimiter 'ab': expected one char"):
        load(path, delimiter="ab")


@pytest.mark.parametrize(
    "content", ["id,text\n1,film 0\n", "text,label\nfilm 0,\nfilm 1,\n"]
)
def test_texts_to_test_on_may_be_without_labels(tmp_path, content):
    write(tmp_path / "train.csv")
    (tmp_path / "test.csv").write_text(content)
    dataset = load(tmp_path)
    assert dataset.report["test"] == {"examples": 0}
    assert dataset.report["skipped"]["no label"]["first"][0] == (
        f"{tmp_path / 'test.csv'}:2"
    )
    told = "test: no example in it has a label; training goes on without it"
    assert told in dataset.summary().splitlines()
    (tmp_path / "valid.csv").write_text(content)
    with pytest.raises(UserError, match="valid.csv:[12]: no "):
        load(tmp_path)
