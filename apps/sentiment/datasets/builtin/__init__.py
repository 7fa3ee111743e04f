"""Short reviews, made in memory, in which word order decides the label.

A count of the good and the bad words says little here: "anything but dull"
praises, and "although the food was bad, the service was great" and "although
the service was great, the food was bad" use the same words for opposite
labels. A model has to read a review from one end to the other.

A review is a frame ("although {opposite}, {same}."); in every slot stands a
claim, made of a form ("{it_was} far from {w}") and a word, good or bad, so that
the claim means what label and frame ask for. All of them are in `words.py`.

What is held out: `_allowed` lays a square over each of two kinds of pairs, and
gives 6/8 of the pairs to train, 1/8 to valid, 1/8 to test.

- A form and its word, as ("not a {w} {noun}", "bad"). All such pairs of a
  review, not only one, belong to its split.
- The forms of two neighbouring claims of a review, as places in their lists.

Every word, every form and every frame occurs in train. Names are made up, most
of them once: so a model learns that a word it does not know decides nothing.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from common.data.splits import SPLITS

from .words import (
    BAD,
    CLAUSES,
    DOMAINS,
    GOOD,
    KINDS,
    SHORT,
    Domain,
    split_items,
)

LABELS = ("negative", "positive")


class Claim(NamedTuple):
    """One statement of a review, and what it was made from."""

    word: str
    form: str
    place: int
    text: str


class Review(NamedTuple):
    """A review, its label, and its claims in reading order."""

    text: str
    label: str
    claims: list[Claim]


FRAMES = [*["{same}."] * 6, *["{same short}."] * 5, *["{same adjective}."] * 3]
FRAMES += ["{same verb}.", "{same degree}.", "{same fragment}."] * 2
FRAMES += ["{same degree}.", "{same short degree}."]
FRAMES += ["{same event}.", "{same noun}.", "{same best}.", "{same feeling}."]
FRAMES += split_items("""{same short}. {same}./{same}. {same short}.
    not only is it {same word}, it is also {same word}.
    {same short}. {same short}./{same}. {same}. {same}.
    {same}, and {same}./{same plain} and {same word}./{same}. also, {same}.
    {same word}, {same word} and {same word}./I must say that {same plain}.
    {it_was} both {same word} and {same word}./{same word} and {same word}.
    {it_was} neither {opposite word} nor {opposite word}.
    neither {opposite word} nor {opposite word}.
    {it_was} not {opposite word}, but {same word}.
    {it_was} not {opposite word}, just {same word}.
    {it_was} more {same word} than {opposite word}.
    {opposite word} but {same word}./{it_was} {opposite word} but {same word}.
    {opposite}, but {same}./{opposite} but {same}./{opposite}, yet {same}.
    {opposite}. however, {same}./{opposite}. but {same}.
    {same}, even if {opposite}./{same}, though I admit that {opposite plain}.
    although {opposite}, {same}./even though {opposite}, {same}.
    {same}, although {opposite}./although {opposite}, {same}, and {same}.
    it is true that {opposite plain}, but {same}./{opposite}. still, {same}.
    {opposite} and {opposite plain}, but {same}.
    despite {opposite phrase}, {same}./{same}, despite {opposite phrase}.
    {opposite wish}, but {same}./{opposite wish}, yet {same}.
    {opposite hope}, but {same}./{opposite hope}, but {same}.
    {opposite hope}, but that proved wrong./{opposite other}, but {same verb}.
    {same other}, and so did I./{opposite other}. I disagree.
    my sister says that {same plain}, and I agree.
    my sister says that {opposite simple}, but I disagree.
    people say that {opposite simple}, but they are wrong.
    it is not true that {opposite plain}.
    nobody will convince me that {opposite simple}.""")
SLOT = re.compile(r"\{(same|opposite) ?([\w ]*)\}")
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
REALLY = ["really", "very", "truly", "quite", "so", "absolutely", "pretty"]
TOO = ["too", "very", "that", "so", "really", "all that"]
SUBJECTS = ["it"] * 10 + ["the {noun}"] * 5 + ["this", "{name}", "everything"]
SUBJECTS += ["the {noun} of {name}", "the {name} {noun}", "my {noun}"]
SHORTER = {
    "(is|was|were|are|did|do|does|would|could|has|have|had) not": r"\1n't",
    "will not": "won't",
    "cannot": "can't",
    "(I|you|we|they) will": r"\1'll",
    "(I|we|they) have": r"\1've",
    "(it|there) is": r"\1's",
    "I am": "I'm",
    "(say|says|think|deny|claim|true|sure|expected) that": r"\1",
}
# Of a claim that stands alone, and of a claim in company. With more of them, an
# LSTM takes epochs to learn which words are good.
CHANCES_FLIPPED = 0.25, 0.1


def generate(
    split: str, num_examples: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Makes the reviews of one split, the same for the same arguments.

    Args:
        split: "train", "valid" or "test".
        num_examples: how many reviews; half of them of each label.
        seed: another seed gives other reviews of the same split.

    Yields:
        Pairs of a text and its label, "negative" or "positive".

    Example:
        >>> pairs = list(generate("train", num_examples=4, seed=0))
        >>> sorted(label for _, label in pairs)
        ['negative', 'negative', 'positive', 'positive']
    """
    for review in reviews(split, num_examples, seed):
        yield review.text, review.label


def reviews(split: str, num_examples: int, seed: int) -> Iterator[Review]:
    """Makes what `generate` does, and tells what each review consists of."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    # Seeded with a string, `Random` digests it the same way everywhere.
    rng = random.Random(f"{split} {seed}")
    labels = [LABELS[index % 2] for index in range(num_examples)]
    rng.shuffle(labels)
    for label in labels:
        review = compose(rng, split, label, rng.choice(FRAMES))
        yield review._replace(text=_type(rng, review.text))


def compose(rng: random.Random, split: str, label: str, frame: str) -> Review:
    """Makes one review that means `label`, from a chosen frame."""
    domain = rng.choice(DOMAINS)
    claims: list[Claim] = []
    alone = re.fullmatch(r"\{[^{]*\}\.", frame)
    for relation, kind in SLOT.findall(frame):
        is_good = (label == "positive") == (relation == "same")
        row = claims[-1].place if claims else None
        chance = CHANCES_FLIPPED[not alone]
        claims.append(_claim(rng, split, domain, kind, is_good, row, chance))
    texts = iter(claims)
    frame = frame.replace("{it_was}", _subject(rng, domain, with_verb=True))
    text = SLOT.sub(lambda _: next(texts).text, frame)
    if rng.random() < 0.2:
        fact = rng.choice(domain.facts).format(name=_name(rng))
        text = rng.choice([f"{fact}. {text}", f"{text} {fact}."])
    return Review(_correct(text), label, claims)


def _claim(
    rng: random.Random,
    split: str,
    domain: Domain,
    kind: str,
    is_good: bool,
    row: int | None,
    chance_flipped: float,
) -> Claim:
    """Makes a claim that means good or bad, in a form that may follow `row`."""
    kinds = {"": CLAUSES, "short": SHORT}.get(kind, [kind])
    name = rng.choice(kinds)
    good, bad, straight, flipped = KINDS[name]
    if "degree" in name:  # "It could be better" is as common as "it is".
        chance_flipped = 0.4
    is_flipped = bool(flipped) and rng.random() < chance_flipped
    forms = flipped if is_flipped else straight
    praises = is_good != is_flipped
    words = good if praises else bad
    if words in (GOOD, BAD):
        words = words + (domain.good if praises else domain.bad)
    form = rng.choice(_allowed(split, row, forms))
    place = forms.index(form)
    word = rng.choice(_allowed(split, place, words))
    return Claim(word, form, place, _write(rng, form, domain, word))


def _allowed(split: str, row: int | None, columns: list[str]) -> list[str]:
    """Picks what may stand in a row of the square; without a row, all."""
    owners = ["valid", "test", *["train"] * 6]
    return [
        item
        for column, item in enumerate(columns)
        if row is None or owners[(row + column) % 8] == split
    ]


def _write(rng: random.Random, form: str, domain: Domain, word: str) -> str:
    """Fills in a form; `rng` chooses the words that change nothing."""
    form = form.replace("{it_was}", _subject(rng, domain, with_verb=True))
    form = form.replace("{it}", _subject(rng, domain))
    form = form.replace("{w}ed", re.sub("e?$", "ed", word, count=1))
    noun = rng.choice([noun for noun in domain.nouns if noun[-1] != "s"])
    return form.format(
        w=word,
        noun=noun,
        nouns=re.sub("ys$", "ies", f"{noun}s"),
        name=_name(rng),
        really=rng.choice([*[f"{word} " for word in REALLY], *[""] * 8]),
        too=f"{rng.choice(TOO)} ",
        do=rng.choice(["do", "did"]),
        had=rng.choice(["had", "seen", "seen", "read", "tried"]),
    )


def _subject(
    rng: random.Random, domain: Domain, with_verb: bool = False
) -> str:
    """Makes a subject, such as "the beds", or "the beds were"."""
    noun = rng.choice(domain.nouns)
    subject = rng.choice(SUBJECTS).format(noun=noun, name=_name(rng))
    if not with_verb:
        return subject
    is_plural = noun[-1] == "s" and noun in subject
    be = rng.choice(["were", "are"] if is_plural else ["was", "was", "is"])
    return f"{subject} {be}"


def _name(rng: random.Random) -> str:
    """Makes a name that no vocabulary has."""
    return "".join(rng.choices(SYLLABLES, k=3)).capitalize()


def _correct(text: str) -> str:
    """Starts sentences with a capital, and says "an" before vowels."""
    text = re.sub(r"\ba (?=[aeio]|u[gnp])", "an ", text)
    text = text.replace("regreted", "regretted")
    return re.sub(r"(^|\. )[a-z]", lambda match: match[0].upper(), text)


def _type(rng: random.Random, text: str) -> str:
    """Writes a text as people type: contractions, loose marks or none."""
    for long, short in SHORTER.items():
        if rng.random() < 0.5:
            text = re.sub(rf"(?i)\b{long}\b", short, text)
    if rng.random() < 0.05:
        text = text.replace("'", "")
    if rng.random() < 0.3:
        text = text.replace(",", "")
    end = rng.choice([".", ".", "", "!", "!!", "..."])
    return re.sub(r"\.$", end, text)
