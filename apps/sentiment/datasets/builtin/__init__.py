"""Short reviews, made in memory, in which word order decides the label.

A count of the good and the bad words says next to nothing here: "anything
but dull" praises, and "although the acting was clumsy, the ending was superb"
and "although the ending was superb, the acting was clumsy" use the same words
for opposite labels. A model has to read a review from one end to the other.

A review is a frame ("although {opposite}, {same}."); in every slot stands a
claim, which is a form ("{aspect_was} far from {adjective}"), an aspect, and an
adjective, good or bad, so that the claim means what label and frame ask for.

What is held out: `_allowed` lays a square over each of two kinds of pairs, and
gives 6/8 of the pairs to train, 1/8 to valid, 1/8 to test.

- A noun and its word, as ("plot", "dull"). All such pairs of a review, not
  only one, belong to its split; so no review can occur in two splits.
- The forms of two neighbouring claims of a review, as places in their lists.

Every word, every form and every frame occurs in train.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from common.data.splits import SPLITS

LABELS = ("negative", "positive")


class Lexicon(NamedTuple):
    """Nouns, and what can be said of each: 8 n good, 8 n bad words."""

    nouns: list[str]
    good: list[str]
    bad: list[str]


class Domain(NamedTuple):
    """The words of reviews of one kind; the facts judge nothing."""

    wholes: Lexicon
    aspects: Lexicon
    facts: list[str]


class Claim(NamedTuple):
    """One statement of a review, and what it was made from."""

    noun: str
    word: str
    form: str
    place: int
    text: str


class Review(NamedTuple):
    """A review, its label, and its claims in reading order."""

    text: str
    label: str
    claims: list[Claim]


LIKE = "love like enjoy adore admire praise recommend treasure"
DISLIKE = "hate dislike loathe detest despise resent criticise condemn"
GOOD = """brilliant wonderful superb impressive delightful lovely excellent
    remarkable marvellous fantastic """
BAD = """awful terrible dreadful disappointing horrible mediocre poor dismal
    lousy appalling """


def _items(text: str, form: str = "{}") -> list[str]:
    """Splits at slashes and ends of lines, and puts each part in `form`."""
    return [form.format(item.strip()) for item in re.split("[/\n]", text)]


def _lexicon(*texts: str) -> Lexicon:
    return Lexicon(*[text.split() for text in texts])


FILM = Domain(
    _lexicon("film movie thriller", LIKE, DISLIKE),
    _lexicon(
        "plot acting ending dialogue script soundtrack camerawork direction"
        " pacing jokes performances characters",
        GOOD + "gripping convincing captivating inspired fresh witty",
        BAD + "dull boring clumsy lifeless predictable tedious",
    ),
    _items("""we watched it on a rainy Sunday/my brother picked this one
        it runs for about two hours/this is the second part of a series
        the book came out ten years ago/there is a scene after the credits
        I saw it twice, once at home and once in the cinema"""),
)
HOTEL = Domain(
    _lexicon("hotel resort guesthouse", LIKE, DISLIKE),
    _lexicon(
        "room lobby breakfast service pool view bar garden terrace sauna"
        " corridors meals",
        GOOD + "charming pleasant inviting relaxing perfect elegant",
        BAD + "shabby gloomy unpleasant dreary miserable depressing",
    ),
    _items("""we stayed for three nights in March/this was a business trip
        we came by car with two children/we arrived after midnight
        the bus stops around the corner/there are two churches nearby
        the building stands between the station and the old town"""),
)
COMPUTER = Domain(
    _lexicon("laptop tablet phone", LIKE, DISLIKE),
    _lexicon(
        "battery screen keyboard camera sound design software charger"
        " packaging speakers buttons menus",
        GOOD + "reliable practical clever sensible perfect elegant",
        BAD + "flimsy unreliable faulty awkward useless annoying",
    ),
    _items("""I bought it for my daughter/I have owned it for six weeks
        it arrived on a Tuesday/I use it every day at the office
        it weighs as much as a book/the next version comes out in June
        this one replaces a model from the same company"""),
)
DOMAINS = (FILM, HOTEL, COMPUTER)

# The first eight of each also read well after "my sister says that".
STRAIGHT = _items("""{aspect_was} {adjective}/{aspect_was} {really}{adjective}
    I found {aspect} {really}{adjective}/{aspect} seemed {adjective}
    {aspect} made for a {really}{adjective} experience
    {aspect} turned out to be {really}{adjective}
    {aspect} could not have been more {adjective}
    {aspect_was} every bit as {adjective} as people claim
    {aspect_was} nothing short of {adjective}
    there is no denying that {aspect_was} {adjective}
    {aspect} struck me as {really}{adjective}
    {aspect} never stopped being {adjective}
    it was hard not to find {aspect} {adjective}
    I would not call {aspect} anything but {adjective}
    nobody could deny that {aspect_was} {adjective}
    {aspect_was} without a doubt {adjective}""")
FLIPPED = _items("""{aspect_was} not {adjective}/{aspect_was}n't {adjective}
    I did not find {aspect} {really}{adjective}/{aspect_was} never {adjective}
    {aspect} hardly made for a {adjective} experience
    {aspect_was} not {adjective} at all/{aspect_was} far from {adjective}
    {aspect_was} anything but {adjective}/{aspect_was} by no means {adjective}
    there was nothing {adjective} about {aspect}/{aspect_was} hardly {adjective}
    {aspect} did not strike me as {really}{adjective}
    it would be wrong to call {aspect} {adjective}
    I would not call {aspect} {really}{adjective}
    nobody could claim that {aspect_was} {adjective}
    {aspect_was} the opposite of {adjective}""")
HOPE = """I expected that/I was sure that/I had been told that/I had read that
    it looked as if/friends told me that/everyone said that/I believed that"""
DOUBT = """I did not expect that/I was not sure that/I doubted that
    I did not think that/I never thought that/it did not look as if
    nobody believed that/it seemed unlikely that"""
WISH = """wanted to/expected to/was ready to/was prepared to/was about to
    thought I would/was going to/was determined to"""
RELUCTANCE = """did not want to/did not expect to/was not ready to
    was not prepared to/never thought I would/was not going to
    was determined not to/had no wish to"""
MANNER = "truly/rather/frankly/quite/undeniably/certainly/simply/really"
NEGATION = """not so/less than/far from/hardly/never/by no means/not exactly
    anything but"""
HOPED = "{} {{aspect}} would be {{adjective}}"
WISHED = "I {} {{verb}} this {{noun}}"
PHRASE = "the {} {{adjective}} {{noun}}"

# Kind of slot: forms that mean what their word says, forms that turn it round.
FORMS = {
    "": (STRAIGHT, FLIPPED),
    "plain": (STRAIGHT[:8], FLIPPED[:8]),
    "hope": (_items(HOPE, HOPED), _items(DOUBT, HOPED)),
    "wish": (_items(WISH, WISHED), _items(RELUCTANCE, WISHED)),
    "phrase": (_items(MANNER, PHRASE), _items(NEGATION, PHRASE)),
}
FRAMES = _items("""{same}./{same}, and {same}./{same}. also, {same}.
    first of all, {same}. secondly, {same}./I must say that {same plain}.
    all in all, {same}./although {opposite}, {same}, and {same}.
    {opposite}, but {same}./{opposite}, yet {same}./{same}, even if {opposite}.
    {opposite}. however, {same}./{same}, though I admit that {opposite plain}.
    although {opposite}, {same}./even though {opposite}, {same}.
    {same}, although {opposite}./granted, {opposite}, but {same}.
    it is true that {opposite plain}, but {same}./{opposite}. still, {same}.
    {opposite}, but {same}, even if {opposite}.
    {opposite} and {opposite plain}, but {same}.
    despite {opposite phrase}, {same}./{same}, despite {opposite phrase}.
    despite {opposite phrase} and {opposite phrase}, {same}.
    in spite of {opposite phrase}, {same}.
    {opposite wish}, but {same}./{opposite wish}, yet {same}.
    {opposite hope}, but {same}./{opposite hope}, yet {same}.
    {opposite hope}, but that proved wrong.
    {same hope}, and that proved right./it is not true that {opposite plain}.
    my sister says that {same plain}, and I agree.
    my sister says that {opposite plain}, but I disagree.
    people say that {same plain}, and they are not wrong.
    people say that {opposite plain}, but they are wrong.
    nobody will convince me that {opposite plain}.""")
ASIDES = [", in my opinion,", ", by the way,", ", to be fair,"]
SLOT = re.compile(r"\{(same|opposite) ?(\w*)\}")
# With 0.5, an LSTM stayed at chance for five epochs; with 0.3, for one.
CHANCE_FLIPPED = 0.3


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
        yield compose(rng, split, label, rng.choice(FRAMES))


def compose(rng: random.Random, split: str, label: str, frame: str) -> Review:
    """Makes one review that means `label`, from a chosen frame."""
    domain = rng.choice(DOMAINS)
    claims: list[Claim] = []
    for relation, kind in SLOT.findall(frame):
        is_good = (label == "positive") == (relation == "same")
        claims.append(_claim(rng, split, domain, kind, is_good, claims))
    texts = iter(claims)
    sentence = SLOT.sub(lambda _: next(texts).text, frame)
    fact = f"{rng.choice(domain.facts)}."
    text = rng.choice([f"{fact} {sentence}", f"{sentence} {fact}", sentence])
    return Review(_correct(text), label, claims)


def _claim(
    rng: random.Random,
    split: str,
    domain: Domain,
    kind: str,
    is_good: bool,
    before: list[Claim],
) -> Claim:
    """Makes a claim that means good or bad, on a noun not used before."""
    flipped = rng.random() < CHANCE_FLIPPED
    forms = FORMS[kind][flipped]
    row = before[-1].place if before else None
    form = rng.choice(_allowed(split, row, forms))
    nouns, good, bad = domain.wholes if kind == "wish" else domain.aspects
    used = [claim.noun for claim in before]
    noun = rng.choice([noun for noun in nouns if noun not in used])
    words = good if is_good != flipped else bad
    word = rng.choice(_allowed(split, nouns.index(noun), words))
    text = _write(rng, form, noun, word)
    return Claim(noun, word, form, forms.index(form), text)


def _allowed(split: str, row: int | None, columns: list[str]) -> list[str]:
    """Picks what may stand in a row of the square; without a row, all."""
    owners = ["valid", "test", *["train"] * 6]
    return [
        item
        for column, item in enumerate(columns)
        if row is None or owners[(row + column) % 8] == split
    ]


def _write(rng: random.Random, form: str, noun: str, word: str) -> str:
    """Fills in a form; `rng` chooses the small words that change nothing."""
    be = "were" if noun.endswith("s") else "was"
    aside = rng.choice([*ASIDES, *[""] * 9])
    return form.format(
        noun=noun,
        aspect=f"the {noun}",
        aspect_was=f"the {noun}{aside} {be}",
        really=rng.choice(["really ", "truly ", "quite ", "", "", ""]),
        adjective=word,
        verb=word,
    )


def _correct(text: str) -> str:
    """Starts sentences with a capital, and says "an" before vowels."""
    text = re.sub(r"\ba (?=[aeio]|un)", "an ", text)
    return re.sub(r"(^|\. )[a-z]", lambda match: match[0].upper(), text)
