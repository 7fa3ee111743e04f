import collections
import functools
import random
import re
import sys

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from apps.sentiment import datasets
from apps.sentiment.datasets import builtin
from apps.sentiment.datasets.builtin import __main__, words
from common import cli
from common.errors import UserError

SIZES = {"train": 10_000, "valid": 1000, "test": 1000}
TOKEN = r"(?u)[\w']+|[^\w\s]"
NAME = r"(?:[bdfgklmnprstvz][aeiou]){3}"
LEXICA = [*words.KINDS.values(), *words.DOMAINS]
GOOD = {word for lexicon in LEXICA for word in lexicon.good}
BAD = {word for lexicon in LEXICA for word in lexicon.bad}
# A sentence, and whether it praises when its (last) adjective is a good one.
# Labelled by hand, from reading them, not from the generator's tables.
IT = r"(?:[Tt]he \w+|[Ii]t|[Tt]his) (?:was|were|is|are)"
HAND_LABELLED = [
    (rf"{IT} (\w+)\.", True),
    (rf"{IT} not (\w+) at all\.", False),
    (rf"{IT} anything but (\w+)\.", False),
    (rf"{IT} by no means (\w+)\.", False),
    (r"There was nothing (\w+) about \w+\.", False),
    (rf"I (?:do|did) not think that {IT} (\w+)\.", False),
    (r"\w+ could not have been more (\w+)\.", True),
    (rf"It is not true that {IT} (\w+)\.", False),
    (rf"It is not true that {IT} not (\w+) at all\.", True),
    (r"Not (?:at all )?(\w+)\.", False),
    (r"Never (\w+)\.", False),
    (r"I (\w+)d it\.", True),
    (r"I (?:would|did|do|can)(?:not| not) (\w+) it\.", False),
    (r"You will not (\w+) it\.", False),
    (r"It could not be (\w+)\.", True),
    (r"It could be (\w+)\.", False),
    (rf"{IT} (\w+) than I expected\.", True),
    (rf"{IT} not (\w+) than the first\.", False),
    (rf"{IT} not the (\w+) \w+\.", False),
    (r"The (\w+) \w+ ever\.", True),
    (rf"{IT} neither (\w+) nor (?:\w+ )?\w+\.", False),
    (rf"{IT} not (?:\w+ )?\w+, but (?:\w+ )?(\w+)\.", True),
    (
        r"I (?:was about|hoped) to \w+ .*, but [\w ]+ (?:felt|seemed) (\w+)\.",
        True,
    ),
    (
        r"I did not (?:want|expect) to .*, but [\w ]+ (?:felt|seemed) (\w+)\.",
        True,
    ),
    (r"I expected that \w+ would be (\w+), but that .* wrong\.", False),
    (r"I doubted that \w+ would be (\w+), but that .* wrong\.", True),
    (rf"My sister says that {IT} (\w+), but I disagree\.", False),
    (rf"People say that {IT} (\w+), but they are wrong\.", False),
    (rf"(?:Although|Even though) [^,]*, {IT} never (\w+)\.", False),
    (rf"{IT} (\w+), (?:although|even if) [^,]*\.", True),
    (rf"Despite [^,]*, {IT} (\w+)\.", True),
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


def forms_with_words(split):
    return {
        (claim.form, claim.word)
        for review in reviews(split)
        for claim in review.claims
    }


def test_the_same_arguments_give_the_same_reviews():
    first = list(builtin.generate("valid", 50, seed=3))
    assert first == list(builtin.generate("valid", 50, seed=3))
    assert first != list(builtin.generate("valid", 50, seed=4))


def test_the_reviews_do_not_depend_on_the_python_that_makes_them():
    _, (text, label) = builtin.generate("test", 2, seed=0)
    assert label == "negative"
    assert (
        text
        == "Just boring, simply rude and just average. We sat by the window."
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


def test_words_are_held_out_of_forms():
    pairs = {split: forms_with_words(split) for split in SIZES}
    assert not pairs["train"] & (pairs["valid"] | pairs["test"])
    assert not pairs["valid"] & pairs["test"]


def test_the_lists_can_be_cut_in_eighths():
    for name, kind in words.KINDS.items():
        for items in kind:
            assert len(items) % 8 == 0, name
            assert len(set(items)) == len(items), name
    for domain in words.DOMAINS:
        assert len(domain.good) == len(domain.bad) == 8
    assert not GOOD & BAD


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

    new = tokens(reviews(split)) - tokens(reviews("train"))
    # Names are made up: most of them are new, and none decides anything.
    assert len(new) > 100
    names = [token for token in new if re.fullmatch(NAME, token)]
    assert len(new) - len(names) < 5  # A rare plural, or "werent".
    assert forms(reviews(split)) <= forms(reviews("train"))


def test_what_people_type_is_learnt():
    typed = {"good", "bad", "great", "terrible", "loved", "hated", "best"}
    typed |= {"worst", "recommend", "not", "isn't", "isnt", "can't", "never"}
    text = " ".join(review.text.lower() for review in reviews("train"))
    counts = collections.Counter(re.findall(r"[\w']+", text))
    assert min(counts[word] for word in typed) > 5


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "praises_if_good"), HAND_LABELLED)
def test_labels_agree_with_a_reader(pattern, praises_if_good):
    matches = [
        (review, match[1] in GOOD)
        for review in reviews_of_frames()
        if (match := re.fullmatch(pattern, review.text))
        and match[1] in GOOD | BAD | {"lov", "lik", "hat", "dislik"}
    ]
    assert matches
    for review, is_good in matches:
        praises = is_good == praises_if_good
        assert (review.label == "positive") == praises, review.text


@pytest.mark.slow
def test_articles_and_verbs_agree():
    for review in reviews_of_frames():
        assert not re.search(r"(?i)\ba ([aeio]|u[gnp])", review.text)
        assert not re.search(r"(?i)(the|my) \w+s (was|is) ", review.text)
        assert not re.search(r"(?i)(the|my) \w+[^s] (were|are) ", review.text)


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
