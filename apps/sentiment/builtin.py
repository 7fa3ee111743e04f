"""Short reviews, made in memory, in which word order decides the label.

A count of the good and the bad words says next to nothing here: "anything
but dull" praises, and "although the acting was clumsy, the ending was superb"
and "although the ending was superb, the acting was clumsy" use the same words
for opposite labels. A model has to read a review from one end to the other.

How a review is made: draw a frame ("although {opposite}, {same}."), and for
every slot an aspect of a film, a hotel or a computer and a form ("{aspect_was}
far from {adjective}"). The adjective comes last: good or bad, so that the
claim means what the label and the frame ask for.

What is held out: `_allowed` lays a square over each of two kinds of pairs, and
gives 6/8 of the pairs to train, 1/8 to valid, 1/8 to test.

- A noun and its word, as ("plot", "dull"). All such pairs of a review, not
  only one, belong to its split; so no review can occur in two splits.
- The form of a claim and that of the claim before it, as places in their
  lists, for all neighbours in a review of several claims.

Every word, every form and every frame occurs in train.
"""

import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LABELS = ("negative", "positive")
SPLITS = ("train", "valid", "test")


class Lexicon(NamedTuple):
    """Nouns, and what can be said of each: 8 n good, 8 n bad words."""

    nouns: list[str]
    good: list[str]
    bad: list[str]


class Domain(NamedTuple):
    """What reviews of one kind talk about; openers and closers judge nothing.

    Attributes:
        wholes: the thing itself, and verbs.
        aspects: parts of it, and adjectives.
        openers: sentences before a review.
        closers: sentences after one.
    """

    wholes: Lexicon
    aspects: Lexicon
    openers: list[str]
    closers: list[str]


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


def _items(text: str) -> list[str]:
    """Splits at every slash and at every end of a line."""
    return [item.strip() for item in re.split("[/\n]", text.strip())]


LIKE = "love like enjoy adore admire praise recommend treasure".split()
DISLIKE = "hate dislike loathe detest despise resent criticise condemn".split()
GOOD = """brilliant wonderful superb impressive delightful lovely excellent
    remarkable marvellous fantastic""".split()
BAD = """awful terrible dreadful disappointing horrible mediocre poor dismal
    lousy appalling""".split()

FILM = Domain(
    Lexicon(["film", "movie", "thriller"], LIKE, DISLIKE),
    Lexicon(
        """plot acting ending dialogue script soundtrack camerawork direction
        pacing jokes performances characters""".split(),
        GOOD
        + "gripping convincing captivating inspired fresh engaging".split(),
        BAD + "dull boring clumsy lifeless predictable tedious".split(),
    ),
    _items("""we watched it on a rainy Sunday. / my brother picked this one.
        I saw it twice, once at home and once in the cinema.
        it runs for about two hours. / this is the second part of a series.
        the story begins in a small village near the sea."""),
    _items("""it is still showing in town. / there is a scene after the credits.
        the book came out ten years ago. / we took the last train home."""),
)
HOTEL = Domain(
    Lexicon(["hotel", "resort", "guesthouse"], LIKE, DISLIKE),
    Lexicon(
        """room lobby breakfast service pool view bar garden terrace sauna
        corridors meals""".split(),
        GOOD
        + "charming pleasant inviting relaxing faultless exquisite".split(),
        BAD + "shabby gloomy unpleasant dreary miserable depressing".split(),
    ),
    _items("""we stayed for three nights in March. / this was a business trip.
        we came by car with two children. / we arrived after midnight.
        the building stands between the station and the old town."""),
    _items("""the airport is twenty minutes away. / we paid in cash.
        the bus stops around the corner. / there are two churches nearby."""),
)
COMPUTER = Domain(
    Lexicon(["laptop", "tablet", "phone"], LIKE, DISLIKE),
    Lexicon(
        """battery screen keyboard camera sound design software charger
        packaging speakers buttons menus""".split(),
        GOOD + "reliable practical clever sensible flawless elegant".split(),
        BAD + "flimsy unreliable faulty awkward useless annoying".split(),
    ),
    _items("""I bought it for my daughter. / I have owned it for six weeks.
        it arrived on a Tuesday. / I use it every day at the office.
        this one replaces a model from the same company."""),
    _items("""there is a cable in the box. / I work with it on the train.
        it weighs as much as a book. / the next version comes out in June."""),
)
DOMAINS = (FILM, HOTEL, COMPUTER)

# The first eight of each also read well after "my sister says that".
STRAIGHT = _items("""
    {aspect_was} {adjective} / {aspect_was} {really}{adjective}
    I found {aspect} {really}{adjective} / {aspect_was} never less than {adjective}
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
FLIPPED = _items("""
    {aspect_was} not {adjective} / {aspect_was}n't {really}{adjective}
    I did not find {aspect} {really}{adjective} / {aspect_was} never {adjective}
    {aspect} hardly made for a {adjective} experience
    {aspect_was} not {adjective} at all / {aspect_was} far from {adjective}
    {aspect_was} anything but {adjective}
    there was nothing {adjective} about {aspect}
    {aspect} did not strike me as {really}{adjective}
    {aspect_was} by no means {adjective} / {aspect_was} hardly {adjective}
    it would be wrong to call {aspect} {adjective}
    I would not call {aspect} {really}{adjective}
    nobody could claim that {aspect_was} {adjective}
    {aspect_was} the opposite of {adjective}""")
HOPE = _items("""I expected that / I was sure that / I had been told that
    friends had told me that / I had read that / it looked as if
    at first I thought that / everyone had said that""")
DOUBT = _items("""I did not expect that / I was not sure that / I doubted that
    nobody had told me that / I had not read that / it did not look as if
    I never thought that / it seemed unlikely that""")
WISH = _items("""wanted to / expected to / was ready to / was prepared to
    thought I would / was going to / was determined to / was about to""")
RELUCTANCE = _items("""did not want to / did not expect to / was not ready to
    was not prepared to / never thought I would / was not going to
    was determined not to / had no wish to""")
MANNER = _items("""truly / rather / frankly / quite / undeniably / certainly
    simply / really""")
NEGATION = _items("""not so / less than / far from / hardly / never / by no means
    not exactly / anything but""")
HOPED = "{} {{aspect}} would be {{adjective}}"
WISHED = "I {} {{verb}} this {{noun}}"
PHRASE = "the {} {{adjective}} {{noun}}"

# Kind of slot: forms that mean what their word says, forms that turn it round.
FORMS = {
    "": (STRAIGHT, FLIPPED),
    "plain": (STRAIGHT[:8], FLIPPED[:8]),
    "hope": ([*map(HOPED.format, HOPE)], [*map(HOPED.format, DOUBT)]),
    "wish": ([*map(WISHED.format, WISH)], [*map(WISHED.format, RELUCTANCE)]),
    "phrase": ([*map(PHRASE.format, MANNER)], [*map(PHRASE.format, NEGATION)]),
}
FRAMES = _items("""
    {same}. / {same}, and {same}. / {same}. also, {same}. / all in all, {same}.
    first of all, {same}. secondly, {same}. / I must say that {same plain}.
    {opposite}, but {same}. / {opposite}, yet {same}.
    {opposite}. however, {same}. / {opposite}. still, {same}.
    although {opposite}, {same}. / even though {opposite}, {same}.
    granted, {opposite}, but {same}.
    it is true that {opposite plain}, but {same}.
    {same}, although {opposite}. / {same}, even if {opposite}.
    {same}, though I admit that {opposite plain}.
    despite {opposite phrase}, {same}. / {same}, despite {opposite phrase}.
    in spite of {opposite phrase}, {same}.
    despite {opposite phrase} and {opposite phrase}, {same}.
    {opposite hope}, but {same}. / {opposite hope}, yet {same}.
    {opposite hope}, but I was mistaken. / {same hope}, and so it was.
    {opposite wish}, but {same}. / {opposite wish}, yet {same}.
    {opposite} and {opposite plain}, but {same}.
    {opposite}, but {same}, even if {opposite}.
    although {opposite}, {same}, and {same}.
    my sister says that {same plain}, and I agree.
    my sister says that {opposite plain}, but I disagree.
    people say that {same plain}, and they are not wrong.
    people say that {opposite plain}, but they are wrong.
    it is not true that {opposite plain}.
    nobody will convince me that {opposite plain}.""")
ASIDES = [", in my opinion,", ", by the way,", ", to be fair,"]
SLOT = re.compile(r"\{(same|opposite) ?(\w*)\}")
# At a half, training would wait for many epochs before anything is learned.
CHANCE_FLIPPED = 0.35


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
    claims = []
    for relation, kind in SLOT.findall(frame):
        is_good = (label == "positive") == (relation == "same")
        claims.append(_claim(rng, split, domain, kind, is_good, claims))
    texts = iter(claims)
    sentence = SLOT.sub(lambda _: next(texts).text, frame)
    opener = rng.choice([*domain.openers, *[""] * 12])
    closer = rng.choice([*domain.closers, *[""] * 8])
    text = _correct(f"{opener} {sentence} {closer}".strip())
    return Review(text, label, claims)


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
    nouns, *words = domain.wholes if kind == "wish" else domain.aspects
    used = {claim.noun for claim in before}
    noun = rng.choice([noun for noun in nouns if noun not in used])
    good, bad = words
    row = nouns.index(noun)
    word = rng.choice(_allowed(split, row, good if is_good != flipped else bad))
    return Claim(
        noun, word, form, forms.index(form), write(form, noun, word, rng)
    )


def _allowed(split: str, row: int | None, columns: list[str]) -> list[str]:
    """Picks what may stand in a row of the square; without a row, all."""
    owners = ["valid", "test", *["train"] * 6]
    return [
        item
        for column, item in enumerate(columns)
        if row is None or owners[(row + column) % 8] == split
    ]


def write(form: str, noun: str, word: str, rng: random.Random) -> str:
    """Fills in a form; `rng` chooses the small words that change nothing.

    Example:
        >>> write("{aspect} seemed {adjective}", "plot", "dull", random.Random(0))
        'the plot seemed dull'
    """
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
