import functools
import random
import re
import sys

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from apps.sentiment import datasets
from apps.sentiment.datasets import builtin
from apps.sentiment.datasets.builtin import __main__
from common import cli
from common.errors import UserError

SIZES = {"train": 3000, "valid": 500, "test": 500}
TOKEN = r"(?u)[\w']+|[^\w\s]"
GOOD = {
    word
    for domain in builtin.DOMAINS
    for lexicon in (domain.wholes, domain.aspects)
    for word in lexicon.good
}
# A sentence, and whether it praises when its (last) adjective is a good one.
# Labelled by hand, from reading them, not from the generator's tables.
HAND_LABELLED = [
    (r"The \w+ (?:was|were) (\w+)\.", True),
    (r"The \w+ (?:was|were) not (\w+) at all\.", False),
    (r"The \w+ (?:was|were) anything but (\w+)\.", False),
    (r"There was nothing (\w+) about the \w+\.", False),
    (r"I would not call the \w+ anything but (\w+)\.", True),
    (r"The \w+ could not have been more (\w+)\.", True),
    (r"The \w+ (?:was|were) nothing short of (\w+)\.", True),
    (r"It is not true that the \w+ (?:was|were) (\w+)\.", False),
    (r"It is not true that the \w+ (?:was|were) not (\w+)\.", True),
    (r"I was \w+ to \w+ this \w+, but the \w+ seemed (\w+)\.", True),
    (r"I did not \w+ to \w+ this \w+, but the \w+ seemed (\w+)\.", True),
    (r"I expected that the \w+ would be (\w+), but that .* wrong\.", False),
    (r"I doubted that the \w+ would be (\w+), but that .* wrong\.", True),
    (r"My sister says that the \w+ \w+ (\w+), but I disagree\.", False),
    (r"People say .* far from (\w+), but they are wrong\.", True),
    (r"Although [^,]*, the \w+ (?:was|were) far from (\w+)\.", False),
    (r"The \w+ (?:was|were) far from (\w+), although [^,]*\.", False),
    (r"Despite [^,]*, the \w+ (?:was|were) never (\w+)\.", False),
    (r"The \w+ (?:was|were) never (\w+), even if [^,]*\.", False),
    (r"The \w+ \w+ \w+ and the .*, but the \w+ seemed (\w+)\.", True),
]


@functools.cache
def reviews(split):
    return list(builtin.reviews(split, SIZES[split], seed=0))


@functools.cache
def reviews_of_frames():
    """Makes reviews of every frame, also of the rare ones."""
    rng = random.Random(0)
    return [
        builtin.compose(rng, "train", label, frame)
        for frame in builtin.FRAMES
        for label in builtin.LABELS
        for _ in range(250)
    ]


def neighbours(review):
    places = [claim.place for claim in review.claims]
    return set(zip(places, places[1:], strict=False))


def parsed_pairs(text):
    """Reads the nouns and words from the text: the n-th belong together."""
    tokens = re.findall(r"\w+", text)
    lexica = [lex for d in builtin.DOMAINS for lex in (d.wholes, d.aspects)]
    nouns = {noun for lexicon in lexica for noun in lexicon.nouns}
    words = {word for lexicon in lexica for word in lexicon.good + lexicon.bad}
    found = [token for token in tokens if token in nouns]
    return set(zip(found, filter(words.__contains__, tokens), strict=True))


def test_the_same_arguments_give_the_same_reviews():
    first = list(builtin.generate("valid", 50, seed=3))
    assert first == list(builtin.generate("valid", 50, seed=3))
    assert first != list(builtin.generate("valid", 50, seed=4))


def test_the_reviews_do_not_depend_on_the_python_that_makes_them():
    text, label = next(builtin.generate("test", 2, seed=0))
    assert label == "positive"
    assert text == (
        "It seemed unlikely that the sound would be sensible,"
        " yet I did not find the menus quite poor."
    )


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split must be one of .* 'dev'"):
        next(builtin.generate("dev", 1, seed=0))


@pytest.mark.parametrize("split", builtin.SPLITS)
def test_labels_are_balanced(split):
    labels = [label for _, label in builtin.generate(split, 500, seed=1)]
    assert labels.count("positive") == labels.count("negative") == 250


def test_no_review_occurs_in_two_splits():
    texts = {split: {r.text for r in reviews(split)} for split in SIZES}
    assert not texts["train"] & (texts["valid"] | texts["test"])
    assert not texts["valid"] & texts["test"]


def test_the_parsed_pairs_are_those_the_generator_names():
    for review in reviews("test"):
        named = {(claim.noun, claim.word) for claim in review.claims}
        # In "the dull plot" and "nothing dull about the plot" the noun comes
        # second, but the n-th of both still belong together.
        assert parsed_pairs(review.text) == named


def test_pairs_of_noun_and_word_are_held_out():
    pairs = {
        split: set().union(*(parsed_pairs(r.text) for r in reviews(split)))
        for split in SIZES
    }
    assert not pairs["train"] & (pairs["valid"] | pairs["test"])
    assert not pairs["valid"] & pairs["test"]


def test_pairs_of_neighbouring_forms_are_held_out():
    pairs = {
        split: set().union(*map(neighbours, reviews(split))) for split in SIZES
    }
    assert not pairs["train"] & (pairs["valid"] | pairs["test"])
    assert not pairs["valid"] & pairs["test"]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_every_token_and_every_form_occurs_in_train(split):
    def tokens(reviews):
        text = " ".join(review.text for review in reviews)
        return set(re.findall(TOKEN, text.lower()))

    def forms(reviews):
        return {claim.form for review in reviews for claim in review.claims}

    assert tokens(reviews(split)) <= tokens(reviews("train"))
    assert forms(reviews(split)) <= forms(reviews("train"))


@pytest.mark.parametrize(("pattern", "praises_if_good"), HAND_LABELLED)
def test_labels_agree_with_a_reader(pattern, praises_if_good):
    found = [
        (review, match[1] in GOOD)
        for review in reviews_of_frames()
        if (match := re.fullmatch(pattern, review.text))
    ]
    assert found
    for review, is_good in found:
        praises = is_good == praises_if_good
        assert (review.label == "positive") == praises, review.text


def test_articles_and_verbs_agree():
    for review in reviews_of_frames():
        assert not re.search(r"\b[Aa] (?=[aeio]|un)", review.text), review.text
        assert not re.search(r"\bthe \w+s was\b", review.text), review.text
        assert not re.search(r"(?<!by )\b[Tt]he \w+[^s,] were\b", review.text)


def test_counting_words_does_not_solve_it():
    counts = CountVectorizer(token_pattern=TOKEN)
    model = LogisticRegression(max_iter=300)
    train, test = reviews("train"), reviews("test")
    features = counts.fit_transform([review.text for review in train])
    model.fit(features, [review.label for review in train])
    features = counts.transform([review.text for review in test])
    accuracy = model.score(features, [review.label for review in test])
    print(f"counting words: accuracy {accuracy:.3f}")
    assert accuracy < 0.75


# The command.


@pytest.fixture
def run_command(monkeypatch, capsys):
    def run(*args):
        monkeypatch.setattr(sys, "argv", ["reviews", *map(str, args)])
        cli.main(__main__.main)
        return capsys.readouterr().out

    return run


def test_the_command_writes_a_folder_that_training_reads(run_command, tmp_path):
    folder = tmp_path / "new"
    assert run_command(folder, "--num", 20, "--seed", 5) == (
        f"{folder}: 20 reviews each for training, validation and test, with"
        " their labels\n"
    )
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["test.csv", "train.csv", "valid.csv"]
    streams = datasets.open_splits(str(folder))
    for split, stream in streams.items():
        pairs = [(example.text, example.label) for example in stream]
        assert pairs == list(builtin.generate(split, 20, seed=5))


def test_wrong_arguments_are_refused(run_command, capsys, tmp_path):
    new = tmp_path / "new"
    for args, message in [
        ([tmp_path], f"{tmp_path}: exists already; expected the name of a new"),
        ([new, "--num", 0], "--num must be at least 1, got 0"),
        ([new, "--seed", -1], "--seed must be at least 0, got -1"),
    ]:
        with pytest.raises(SystemExit) as stopped:
            run_command(*args)
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*args):
        yield from builtin.generate(*args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(__main__, "generate", fail)
    with pytest.raises(UserError, match="No space left on device"):
        __main__.write(tmp_path / "new", 2, 0)
    assert list(tmp_path.iterdir()) == []
