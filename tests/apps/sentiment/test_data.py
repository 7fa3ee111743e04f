import collections
import csv
import gzip
import json

import numpy as np
import pytest

from apps.sentiment import data, datasets, evaluate, text
from apps.sentiment.config import Config
from common.errors import UserError
from common.training import runs

# Enough for a hash to put several into every tenth.
FILMS = [(f"film {n} is {'bad' * (n % 2) or 'good'}", n % 2) for n in range(99)]


def write(path, rows=FILMS, columns=("text", "label")):
    """Writes a table in the format that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as stream:
        if ".jsonl" in path.name:
            for row in rows:
                record = dict(zip(columns, row, strict=True))
                stream.write(json.dumps(record) + "\n")
        else:
            tab = "\t" if ".tsv" in path.name else ","
            csv.writer(stream, delimiter=tab).writerows([columns, *rows])
    return path


def write_texts(folder, texts):
    folder.mkdir(parents=True)
    for number, content in enumerate(texts):
        (folder / f"{number}_7.txt").write_text(content, encoding="utf-8")


def opened(path, **options):
    return datasets.open_splits(Config(data=str(path), **options))


def texts(stream):
    return [example.text for example in stream]


def pairs(stream):
    return [(example.text, example.label) for example in stream]


def load(path, **options):
    return data.load(Config(data=str(path), **options))


# Layouts


def test_builtin_has_three_splits_that_share_no_text():
    splits = datasets.open_splits(Config(num_examples=200))
    found = {name: set(texts(stream)) for name, stream in splits.items()}
    assert {name: len(pairs(s)) for name, s in splits.items()} == {
        "train": 200,
        "valid": 20,
        "test": 20,
    }
    assert not found["train"] & found["valid"]
    assert not (found["train"] | found["valid"]) & found["test"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz"])
def test_one_file_is_cut_into_three_splits(tmp_path, name):
    splits = opened(write(tmp_path / name))
    parts = {split: pairs(stream) for split, stream in splits.items()}
    assert list(parts) == ["train", "valid", "test"]
    everything = [pair for part in parts.values() for pair in part]
    assert sorted(everything) == sorted((t, str(n)) for t, n in FILMS)
    assert all(parts.values())
    assert len(parts["train"]) > 65


def test_the_cut_is_the_same_in_every_format_and_every_order(tmp_path):
    one = opened(write(tmp_path / "a.csv"))
    other = opened(write(tmp_path / "b.jsonl.gz", FILMS[::-1]))
    for split in datasets.SPLITS:
        assert texts(one[split]) == texts(other[split])[::-1]


def test_equal_texts_never_stand_on_both_sides(tmp_path):
    twice = FILMS + [(film, 1 - label) for film, label in FILMS]
    splits = opened(write(tmp_path / "a.csv", twice))
    for stream in splits.values():
        assert set(collections.Counter(texts(stream)).values()) == {2}


def test_a_folder_with_train_only_gives_a_tenth_to_valid(tmp_path):
    write(tmp_path / "train.csv")
    splits = opened(tmp_path)
    assert list(splits) == ["train", "valid"]
    assert 0 < len(texts(splits["valid"])) < 20
    assert len(texts(splits["valid"])) + len(texts(splits["train"])) == 99


@pytest.mark.parametrize("name", ["valid", "validation", "dev", "val"])
def test_a_folder_with_its_own_valid_and_test_keeps_them(tmp_path, name):
    write(tmp_path / "train.csv.gz")
    write(tmp_path / f"{name}.tsv", [("fine", 0)])
    write(tmp_path / "test.jsonl", [("dull", "1")])
    splits = opened(tmp_path)
    assert len(texts(splits["train"])) == 99
    assert pairs(splits["valid"]) == [("fine", "0")]
    assert pairs(splits["test"]) == [("dull", "1")]


def test_a_folder_with_train_and_test_cuts_valid_from_train(tmp_path):
    write(tmp_path / "train.csv")
    write(tmp_path / "test.csv", FILMS)
    splits = opened(tmp_path)
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
    splits = opened(tmp_path)
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
    splits = opened(tmp_path)
    assert set(splits) == {"train", "valid", "test"}
    assert sum(len(texts(stream)) for stream in splits.values()) == 120
    assert load(tmp_path).labels == ["gut", "schlecht", "so là là"]


def test_other_column_names(tmp_path):
    columns = ("id", "stars", "review")
    rows = [(n, label, film) for n, (film, label) in enumerate(FILMS)]
    path = write(tmp_path / "a.tsv", rows, columns)
    splits = opened(path, text_column="review", label_column="stars")
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


# What `load` makes of them


def test_vocabulary_and_ids(tmp_path):
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
    assert report["train"] == {
        "examples": 99,
        "labels": {"0": 50, "1": 49},
        "skipped": {"empty_text": 2},
    }
    skipped = {"skipped": {"empty_text": 1}}
    assert report["valid"] == {"examples": 5} | skipped
    assert report["test"] == {"examples": 7} | skipped


def test_a_lone_surrogate_is_read(tmp_path):
    path = write(tmp_path / "a.jsonl", [("bad \ud800", 0), *FILMS])
    assert load(path).report["train"]["skipped"] == {}


# Batches

LENGTHS = [3, 1, 9, 17, 2, 5, 8, 30, 4, 6, 7, 20, 21, 22, 25]


@pytest.fixture
def examples():
    starts = np.cumsum([0, *LENGTHS])
    ids = np.repeat(np.arange(len(LENGTHS)) + 10, LENGTHS)
    return data.Encoded(ids.astype(np.int32), starts, np.arange(len(LENGTHS)))


def batches(examples, epoch=None, start=0, seed=0):
    config = Config(batch_size=4, num_buckets=2, seed=seed)
    dataset = data.batches(examples, config, epoch, start)
    rows = list(dataset.as_numpy_iterator())
    assert dataset.cardinality() == len(rows)
    return rows


def order(rows):
    return [label for _, labels in rows for label in labels.tolist()]


@pytest.mark.parametrize("epoch", [None, 0, 1])
def test_every_example_comes_once_padded_on_the_right(examples, epoch):
    rows = batches(examples, epoch)
    assert sorted(order(rows)) == list(range(len(LENGTHS)))
    for ids, labels in rows:
        for row, label in zip(ids, labels, strict=True):
            length = LENGTHS[label]
            assert row[:length].tolist() == [label + 10] * length
            assert set(row[length:].tolist()) <= {text.PADDING_ID}


def test_shapes_are_few_and_fixed(examples):
    shapes = {ids.shape for ids, _ in batches(examples, epoch=0)}
    assert shapes == {(4, 8), (4, 32), (3, 32)}  # The last is what is left.


def test_order_follows_seed_and_epoch(examples):
    first = order(batches(examples, epoch=1))
    assert order(batches(examples, epoch=1)) == first
    assert order(batches(examples, epoch=2)) != first
    assert order(batches(examples, epoch=1, seed=1)) != first


def test_an_epoch_goes_on_where_it_was_left(examples):
    rest = order(batches(examples, epoch=1, start=2))
    assert order(batches(examples, epoch=1))[-len(rest) :] == rest
    assert len(batches(examples, epoch=1, start=2)) == 2


# Data that cannot be used


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


def test_a_text_file_of_a_class_in_another_encoding(tmp_path):
    write_texts(tmp_path / "train" / "pos", ["fine"])
    (tmp_path / "train" / "pos" / "9.txt").write_bytes(b"ok\ncaf\xe9")
    with pytest.raises(UserError, match="pos/9.txt:2: byte 0xe9 is not utf-8"):
        load(tmp_path)


@pytest.mark.parametrize("split", ["test", "valid", "dev"])
def test_a_label_never_seen_in_training(tmp_path, split):
    write(tmp_path / "train.csv")
    write(tmp_path / f"{split}.csv", [("fine", 1), ("so so", "neutral")])
    message = f"{split}.csv:3: label 'neutral' does not occur in .* has 0, 1"
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_a_folder_without_anything_usable_says_what_it_holds(tmp_path):
    with pytest.raises(UserError, match=r"expected train.csv.*holds nothing"):
        load(tmp_path)
    (tmp_path / "reviews.doc").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"it holds empty, reviews.doc"):
        load(tmp_path)


def test_a_split_that_the_data_do_not_have(tmp_path, monkeypatch):
    write(tmp_path / "train.csv")
    config = Config(data=str(tmp_path))
    monkeypatch.setattr(
        evaluate, "load", lambda _: evaluate.Predictor(config, [], None)
    )
    monkeypatch.setattr("sys.argv", ["evaluate", "RUN", "--split", "dev"])
    with pytest.raises(UserError, match="--split dev: .* train, valid"):
        evaluate.main()


# The same from the command line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label\nx,1\ny\n", "a.csv:3: expected 2 fields"),
        ("a.csv.gz", b"text", "a.csv.gz: broken gzip file"),
    ],
)
def test_the_command_ends_with_one_line_and_leaves_no_run(
    command, name, content, message
):
    (command.folder / name).write_bytes(content)
    error = command.error("apps.sentiment.train", "--data", name)
    assert message in error
    assert not (command.folder / "runs").exists()


def test_the_report_is_stored_in_the_run_folder(tmp_path):
    run = runs.Run(Config(run_dir=str(tmp_path / "run")), "apps.mine", "x")
    run.create(load(write(tmp_path / "a.csv")).report)
    stored = runs.read_json(tmp_path / "run" / "data.json")
    assert stored["train"]["labels"].keys() == {"0", "1"}


def test_all_splits_together_are_the_whole_file(tmp_path):
    path = tmp_path / "reviews.csv"
    rows = [f"film number {n},{n % 2}" for n in range(60)]
    path.write_text("\n".join(["text,label", *rows]))
    splits = datasets.open_splits(Config(data=str(path)))
    texts = [example.text for example in evaluate.select(splits, "all")]
    assert sorted(texts) == sorted(row.partition(",")[0] for row in rows)


def test_a_folder_with_only_a_test_file_can_be_scored_not_trained(tmp_path):
    (tmp_path / "test.csv").write_text("text,label\ngood,1\nbad,0\n")
    config = Config(data=str(tmp_path))
    splits = datasets.open_splits(config)
    assert len(list(evaluate.select(splits, "test"))) == 2
    with pytest.raises(UserError, match="no training examples; it has only"):
        data.load(config)
