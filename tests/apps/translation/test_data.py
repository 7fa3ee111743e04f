import numpy as np
import pytest

from apps.translation import data, text
from apps.translation.config import Config
from common.data import json_files
from common.data.splits import SPLITS
from common.errors import UserError
from common.training import Run
from tests.support import commands

# Enough for a hash to put several into every tenth.
COUPLES = [(f"house {n}", f"maison {n}") for n in range(99)]
VALID = [("a good day", "une bonne journée")]
A, DOG, UN, CHIEN = (text.NUM_SPECIAL + n for n in (0, 1, 0, 1))
UNKNOWN = text.UNKNOWN_ID


def write(path, couples=COUPLES):
    lines = [f"{source}\t{target}\n" for source, target in couples]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def load(path, level="word", **options):
    return data.load(Config(data=str(path), level=level, **options))


def rows(sequences):
    return [sequences[number].tolist() for number in range(len(sequences))]


def skipped(dataset):
    return dataset.report["skipped"]


# What `load` makes of the pairs


def test_vocabularies_and_ids(tmp_path):
    write(
        tmp_path / "train.tsv",
        [("a dog", "un chien"), ("a dog.", "un chien !"), ("a cat", "un chat")],
    )
    write(tmp_path / "valid.tsv", [("a new dog", "un nouveau chien")])
    dataset = load(tmp_path)
    assert dataset.source_vocabulary == [" a", " dog"]  # Twice or more.
    assert dataset.target_vocabulary == [" un", " chien"]
    assert rows(dataset.train.source) == [[A, DOG], [A, DOG, UNKNOWN]] + [
        [A, UNKNOWN]
    ]
    assert rows(dataset.train.target) == [[UN, CHIEN], [UN, CHIEN, UNKNOWN]] + [
        [UN, UNKNOWN]
    ]
    assert rows(dataset.valid.source) == [[A, UNKNOWN, DOG]]
    assert rows(dataset.valid.target) == [[UN, UNKNOWN, CHIEN]]
    assert dataset.valid_pairs[0][:2] == ("a new dog", "un nouveau chien")


def test_held_out_pairs_teach_no_words(tmp_path):
    cat, cow = [("my cat", "mon chat")] * 3, [("my cow", "ma vache")] * 3
    write(tmp_path / "train.tsv", [("a dog", "un chien")] * 2 + cat + cow)
    write(tmp_path / "valid.tsv", cat)
    write(tmp_path / "test.tsv", cow)
    assert load(tmp_path).source_vocabulary == [" a", " dog"]
    assert load(tmp_path).target_vocabulary == [" chien", " un"]


def test_vocabularies_hold_the_most_frequent(tmp_path):
    write(
        tmp_path / "train.tsv",
        [("a b c", "x"), ("b b c", "x y"), ("b a", "y y"), ("a d d", "z z")],
    )
    write(tmp_path / "valid.tsv", VALID)
    dataset = load(tmp_path, vocab_size=6)
    assert dataset.source_vocabulary == [" b", " a"]
    assert dataset.target_vocabulary == [" y", " x"]


def test_words_that_occur_once_make_no_vocabulary(tmp_path):
    letters = "abcdefghij"
    pairs = [(f"{a}{b}x", f"{a}{b}y") for a in letters for b in letters]
    path = write(tmp_path / "a.tsv", pairs)
    message = "a.tsv: no word of one language occurs twice in its .* training"
    with pytest.raises(UserError, match=message):
        load(path)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["char", "subword"])
def test_nothing_is_unknown_to_characters_and_subwords(tmp_path, level):
    dataset = load(write(tmp_path / "a.tsv"), level, vocab_size=300)
    tokenizer = text.Tokenizer(dataset.target_vocabulary, level)
    assert 256 <= len(dataset.target_vocabulary) <= 296
    for ids, pair in zip(
        rows(dataset.valid.target), dataset.valid_pairs, strict=True
    ):
        assert UNKNOWN not in ids
        assert tokenizer.decode([ids])[0].numpy().decode() == pair.target


@pytest.mark.slow
def test_ids_do_not_depend_on_how_pairs_are_grouped(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tsv")
    whole = load(path)
    monkeypatch.setattr(data, "CHUNK", 50)
    pieces = load(path)
    assert pieces.source_vocabulary == whole.source_vocabulary
    assert pieces.target_vocabulary == whole.target_vocabulary
    for a, b in zip(pieces.train, whole.train, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.starts, b.starts)
        assert (a.ids.dtype, a.starts.dtype) == (np.int32, np.int64)


def test_the_languages_are_those_of_the_files(tmp_path):
    for language, column in (("de", 0), ("en", 1)):
        lines = "".join(f"{pair[column]}\n" for pair in COUPLES)
        (tmp_path / f"train.{language}").write_text(lines)
    dataset = load(tmp_path, source="en", target="de")
    assert dataset.languages == ("en", "de")
    assert dataset.report["languages"] == ["en", "de"]
    assert " maison" in dataset.source_vocabulary
    assert " house" in dataset.target_vocabulary


# What is left out


def test_pairs_with_an_empty_side_are_left_out_and_told(tmp_path):
    broken = [("", "rien"), ("nothing", ""), ("\u2003", "rien"), ("x", " ")]
    write(tmp_path / "train.tsv", COUPLES[:3] + broken + COUPLES[3:])
    write(tmp_path / "valid.tsv", [*VALID, ("", "rien")])
    write(tmp_path / "test.tsv", [("fine", "beau"), ("dull", "")])
    dataset = load(tmp_path)
    assert dataset.report["train"] == {"examples": 99}
    assert len(dataset.train.source) == 99
    places = [f"{tmp_path}/{split}.tsv:2" for split in ("test", "valid")]
    places += [f"{tmp_path}/train.tsv:{line}" for line in (4, 5, 6, 7)]
    assert skipped(dataset) == {
        "with an empty side": {"count": 6, "first": places[:5]}
    }
    for split in ("valid", "test"):
        assert dataset.report[split] == {"examples": 1}
    assert f"skipped: 6 (with an empty side): {places[0]}" in dataset.summary()


def test_sources_that_are_held_out_are_not_learnt_from(tmp_path):
    write(tmp_path / "train.tsv")
    other_words = [("house 3", "logis 3"), ("house 3", "abri 3"), *VALID]
    write(tmp_path / "valid.tsv", other_words)
    write(tmp_path / "test.tsv", [("house 5", "logis 5"), ("house 6", "")])
    dataset = load(tmp_path)
    places = [f"{tmp_path}/train.tsv:{line}" for line in (4, 6)]
    assert skipped(dataset)["also held out"] == {"count": 2, "first": places}
    num_train = dataset.report["train"]["examples"]
    assert num_train == len(dataset.train.source) == 97
    num_valid = dataset.report["valid"]["examples"]
    assert num_valid == len(dataset.valid_pairs) == 3


def test_a_pair_may_occur_twice_in_training(tmp_path):
    write(tmp_path / "train.tsv", COUPLES * 2)
    write(tmp_path / "valid.tsv", VALID)
    assert len(load(tmp_path).train.source) == 198


def test_pairs_too_long_or_too_unequal_are_left_out_of_training(tmp_path):
    lengths = [(3, 3), (4, 4), (5, 4), (2, 4), (1, 3), (4, 2), (4, 1), (4, 5)]
    couples = [(" ".join("s" * n), " ".join("t" * m)) for n, m in lengths]
    write(tmp_path / "train.tsv", couples)
    write(tmp_path / "valid.tsv", [("v" + " v" * 8, "w")])
    dataset = load(tmp_path, max_tokens=4, max_ratio=2.0)
    kept = [(3, 3), (4, 4), (2, 4), (4, 2)]
    assert dataset.train.source.lengths.tolist() == [n for n, _ in kept]
    assert dataset.train.target.lengths.tolist() == [m for _, m in kept]
    places = [f"{tmp_path}/train.tsv:{line}" for line in (3, 5, 7, 8)]
    reason = "too long or too unequal"
    assert skipped(dataset) == {reason: {"count": 4, "first": places}}
    assert dataset.report["valid"] == {"examples": 1}
    assert dataset.valid.source.lengths.tolist() == [9]


def test_lengths_are_compared_with_those_of_most_pairs(tmp_path):
    """A character of Chinese is as long as several of English."""
    pairs = [(f"The old cat likes the dog {n}.", "猫狗") for n in range(40)]
    odd = ("A cat.", "猫狗" * 20)
    write(tmp_path / "train.tsv", [*pairs, odd])
    write(tmp_path / "valid.tsv", VALID)
    dataset = load(tmp_path, level="char")
    assert len(dataset.train.source) == 40
    assert dataset.report["left_out_share"] == 1 / 41
    assert "2.4% of the training pairs are left out" in dataset.summary()


def test_a_pair_is_shown_and_a_test_without_targets_is_noted(tmp_path):
    write(tmp_path / "train.tsv")
    write(tmp_path / "valid.tsv", [("a " * 99, "une bonne journée")])
    (tmp_path / "test.tsv").write_text("a cat\na dog\n")
    lines = load(tmp_path).summary().splitlines()
    assert lines[1].startswith("such as: a a a ")
    assert lines[1].endswith("a... -> une bonne journée")
    assert lines[2].startswith("skipped: 2 (with an empty side): ")
    told = "test: no example in it has a source and a target; training goes on"
    assert lines[3] == f"{told} without it"
    assert lines[4].startswith("fewer than 10 validation examples cannot tell")


def test_only_the_first_places_are_told(tmp_path):
    write(tmp_path / "train.tsv", COUPLES + [("", "rien")] * 20)
    write(tmp_path / "valid.tsv", VALID)
    told = skipped(load(tmp_path))["with an empty side"]
    assert told["count"] == 20
    assert told["first"] == [
        f"{tmp_path}/train.tsv:{line}" for line in range(100, 105)
    ]


def test_the_report_is_complete_and_stored_in_the_run_folder(tmp_path):
    path = write(tmp_path / "train.tsv")
    dataset = load(path)
    num_pairs = [dataset.report[split]["examples"] for split in SPLITS]
    assert sum(num_pairs) == 99
    assert all(num_pairs)
    assert dataset.report.keys() == {
        *["data", "languages", "kept_epoch", "skipped", "left_out_share"],
        "example",
        *SPLITS,
    }
    assert dataset.report["data"] == str(path)
    assert dataset.report["languages"] == ["source", "target"]
    config = Config(run_dir=str(tmp_path / "run"))
    Run(config, "apps.mine", "x").create(config, dataset.report)
    assert json_files.read(tmp_path / "run" / "data.json") == dataset.report


# Which pairs validate


def chosen(tmp_path, **options):
    dataset = load(tmp_path, **options)
    assert dataset.report["valid"]["examples"] == 60
    assert len(dataset.valid.source) == len(dataset.valid_pairs)
    return [int(pair.where.rpartition(":")[2]) for pair in dataset.valid_pairs]


def test_few_validation_pairs_are_chosen_by_the_seed(tmp_path):
    write(tmp_path / "train.tsv")
    write(
        tmp_path / "valid.tsv", [(f"day {n}", f"jour {n}") for n in range(60)]
    )
    first = chosen(tmp_path, max_valid=7)
    assert len(set(first)) == 7
    assert first == sorted(first)
    assert first != [*range(1, 8)]
    assert chosen(tmp_path, max_valid=7) == first
    assert chosen(tmp_path, max_valid=7, seed=1) != first
    assert chosen(tmp_path, max_valid=60) == [*range(1, 61)]


# Data that cannot be used


def test_no_training_pairs_but_reasons(tmp_path):
    write(tmp_path / "train.tsv", [("a b c", "a"), ("", "x"), *VALID])
    write(tmp_path / "valid.tsv", [*VALID, ("", "not of training")])
    message = (
        "no training pairs; skipped: 1 with an empty side, 1 also held out,"
        " 1 too long or too unequal"
    )
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, max_ratio=1.0)
    assert str(caught.value).startswith(f"--data {tmp_path}: ")


def test_no_training_split(tmp_path):
    write(tmp_path / "test.tsv")
    with pytest.raises(UserError, match="no training pairs; it has only test"):
        load(tmp_path)


def test_too_few_to_hold_out(tmp_path):
    message = (
        "no validation pairs; one pair in ten is held out and there are only"
        " 2: give more, or valid files beside the training files"
    )
    path = write(tmp_path / "a.tsv", [("car", "x"), ("x", "y")])
    with pytest.raises(UserError, match=message):
        load(path)


@pytest.mark.parametrize("level", ["char", "subword"])
def test_a_vocabulary_that_cannot_hold_every_byte(tmp_path, level):
    message = f"--vocab-size must be at least 260 for --level {level}.*got 259"
    with pytest.raises(UserError, match=message):
        load(write(tmp_path / "a.tsv"), level, vocab_size=259)


def test_a_bad_line_ends_the_command_with_one_line_and_no_run(tmp_path):
    (tmp_path / "a.tsv").write_text("house\tmaison\nno tab\n")
    error = commands.error_line(
        "apps.translation.train", "--data", "a.tsv", folder=tmp_path
    )
    assert "a.tsv:2: no tab in 'no tab'; expected source<TAB>target" in error
    assert not (tmp_path / "runs").exists()


# Options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"units": 7}, "--units must be even, half for each direction, got 7"),
        ({"num_layers": 5}, "--num-layers must be at least 1 and below 5"),
        (
            {"attention": "none", "coverage_penalty": 1.0},
            "--coverage-penalty needs attention",
        ),
        ({"level": "subword", "source_vectors": "v.txt"}, "add --level word"),
        (
            {"vocab_size": text.NUM_SPECIAL},
            f"--vocab-size must be at least {text.NUM_SPECIAL + 1}, got",
        ),
    ],
)
def test_options_that_cannot_work(options, expected):
    with pytest.raises(UserError, match=expected):
        Config(**options)
