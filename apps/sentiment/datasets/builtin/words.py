"""Words that people type in reviews, and the forms that they stand in."""

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of statement: words, and forms with a place for one.

    All lists have 8 n entries, so that eighths of all pairs can be held out.

    Attributes:
        good: words that praise.
        bad: words that blame.
        straight: forms that mean what their word says.
        flipped: forms that turn it round; there may be none.
    """

    good: list[str]
    bad: list[str]
    straight: list[str]
    flipped: list[str]


class Domain(NamedTuple):
    """The words of reviews of one kind; the facts judge nothing."""

    nouns: list[str]
    good: list[str]
    bad: list[str]
    facts: list[str]


def split_items(text: str) -> list[str]:
    """Splits at slashes and ends of lines."""
    return [item.strip() for item in re.split("[/\n]", text)]


def split_words(text: str) -> list[str]:
    """Splits at blanks."""
    return text.split()


def _domain(nouns: str, good: str, bad: str, facts: str) -> Domain:
    return Domain(nouns.split(), good.split(), bad.split(), split_items(facts))


FILM = _domain(
    """film movie show comedy musical thriller book novel story plot acting
    ending script dialogue soundtrack pacing jokes characters actors scenes""",
    "gripping witty convincing moving captivating absorbing touching thrilling",
    "unwatchable cliched predictable unconvincing slow lifeless wooden corny",
    """we watched it on a rainy Sunday/{name} picked this one
    it runs for about two hours/I read it in {name}/I saw it twice
    this is the second part of {name}/there is a scene after the credits""",
)
FOOD = _domain(
    """food restaurant meal pizza soup coffee service waiter dinner lunch menu
    dessert salad burger cafe place wine steak drinks portions""",
    "delicious tasty fresh yummy attentive polite generous friendly",
    "tasteless bland stale greasy cold rude inedible overcooked",
    """we were there with {name}/I ordered the {name}/we sat by the window
    the place is near {name}/we came at eight/we had a table for four""",
)
HOTEL = _domain(
    """hotel room staff breakfast pool bed view lobby location resort hostel
    trip tour apartment bathroom reception garden beach beds rooms""",
    "clean comfortable cosy quiet spotless helpful welcoming relaxing",
    "dirty noisy smelly filthy uncomfortable shabby cramped unfriendly",
    """we stayed for three nights in {name}/this was a business trip
    we came by car with {name}/we arrived after midnight
    the bus stops around the corner/it lies between {name} and {name}""",
)
PRODUCT = _domain(
    """phone laptop product battery screen camera keyboard sound app game
    software charger vacuum printer delivery quality design shoes headphones
    speakers""",
    "reliable sturdy useful practical handy fast durable responsive",
    "broken flimsy faulty unreliable defective laggy fragile outmoded",
    """I bought it for {name}/I have owned it for six weeks
    it arrived on a Tuesday/I use it every day at the office
    this one replaces a {name}/the next {name} comes out in June""",
)
DOMAINS = (FILM, FOOD, HOTEL, PRODUCT)

# Of each line, the words in the middle meet the commonest forms in training:
# those that are held out for them stand at the end of each four of forms.
GOOD = split_words("""
    outstanding pleasant good great excellent solid terrific fabulous
    marvellous magnificent amazing nice perfect exceptional remarkable
    delightful charming exciting awesome wonderful fantastic satisfying
    splendid stunning
    memorable original fun funny interesting clever inspiring refreshing
    adorable alright beautiful brilliant lovely kind sweet gorgeous
    entertaining engaging enjoyable superb incredible polished comfy thoughtful
    lively ideal fine okay decent stellar magical tremendous
    valuable hilarious impressive cool smart glorious epic neat""")
BAD = split_words("""
    dreadful ugly bad terrible boring pathetic overrated tedious
    painful atrocious awful horrible poor unpleasant frustrating forgettable
    abysmal overpriced disappointing dull stupid unbearable nasty appalling
    miserable dismal silly annoying useless depressing pointless unacceptable
    uninteresting laughable disgusting mediocre weak messy dumb worthless
    crappy unhelpful confusing lame average inferior gross shocking
    dreary dated expensive ridiculous sad soulless shallow trashy
    pretentious rubbish sloppy lousy unfunny horrid shoddy vile""")

# The first eight of each also read well after "my sister says that".
STRAIGHT = split_items("""{it_was} {w}/{it_was} {really}{w}
    I found {it} {really}{w}/{it} seemed {w}/{it} looked {really}{w}
    {it} turned out to be {w}/{it_was} always {w}/{it} felt {w}
    I think that {it_was} {w}/this is a {really}{w} {noun}
    {it_was} a {really}{w} {noun}/{it} could not have been more {w}
    I have never had such a {w} {noun}/{it_was} as {w} as I expected
    there is no denying that {it_was} {w}/it was hard not to find {it} {w}""")
FLIPPED = split_items("""{it_was} not {w}/{it_was} not {too}{w}
    I {do} not find {it} {too}{w}/{it_was} not {w} at all/{it_was} never {w}
    {it_was} far from {w}/{it_was} anything but {w}/{it_was} by no means {w}
    I {do} not think that {it_was} {w}/this is not a {w} {noun}
    there was nothing {w} about {it}/{it_was} not as {w} as I expected
    nobody could call {it} {w}/I would not call {it} {w}
    I would not say that {it_was} {too}{w}/I cannot say that {it_was} {w}""")
WORD = split_items("""{w}/very {w}/so {w}/really {w}/simply {w}/just {w}
    quite {w}/absolutely {w}""")
PRAISE = split_words("adore admire love recommend like enjoy appreciate praise")
BLAME = split_words("detest despise hate regret dislike loathe resent condemn")
VERB = Kind(
    PRAISE,
    BLAME,
    split_items("""I {w}ed {it}/I {really}{w}ed {it}/I {w} {it}
        I would definitely {w} {it}/everyone {w}ed {it}/I do {w} {it}
        we {w}ed {it} very much/everyone will {w} {it}/I absolutely {w}ed {it}
        you will {w} {it}/I {w}ed every minute of {it}
        I could not help but {w} {it}/I cannot deny that I {w}ed {it}
        it is hard not to {w} {it}/I really do {w} {it}
        I {w}ed all of {it}"""),
    split_items("""I did not {w} {it}/I did not {really}{w} {it}
        I do not {w} {it}/I would not {w} {it}/I never {w}ed {it}
        nobody {w}ed {it}
        I can hardly {w} {it}/we did not {w} {it} at all/I cannot {w} {it}
        I cannot say that I {w}ed {it}/you will not {w} {it}
        no one will {w} {it}/I see no reason to {w} {it}
        I do not think that anyone will {w} {it}/I had no reason to {w} {it}
        it is not true that I {w}ed {it}"""),
)
NOUN = Kind(
    split_items("""a gem/a joy/a masterpiece/worth it/a pleasure/a delight
        a success/a bargain/a real treat/a triumph/worth the money/a must see
        a lot of fun/a work of art/a great idea/a hit/second to none
        out of this world/the best/worth every penny/my favourite/good value
        a good choice/worth seeing"""),
    split_items("""a nightmare/junk/a waste of time/a disaster/a disappointment
        a letdown/a joke/trash/a failure/crap/a waste of money/garbage/a mess
        a rip-off/a bad idea/too complicated/too loud/full of mistakes
        the worst/too long/too expensive/too slow/poor quality/nonsense"""),
    split_items("""{it_was} {w}/{it_was} simply {w}/{it} turned out to be {w}
        I think {it_was} {w}/{it_was} {w} from start to finish
        {it_was} really {w}/everyone thought it was {w}
        I must admit that {it_was} {w}"""),
    split_items("""{it_was} not {w}/{it_was} far from {w}/{it_was} never {w}
        I {do} not think that {it_was} {w}/{it_was} hardly {w}
        {it_was} anything but {w}/I would not call {it} {w}
        I cannot say that {it_was} {w}"""),
)
DEGREE = Kind(
    split_items("""nicer/more interesting/better/funnier/greater/more exciting
        more enjoyable/more impressive/tastier/cleaner/more fun/more beautiful
        more useful/smarter/friendlier/more pleasant"""),
    split_items("""weaker/more boring/worse/duller/uglier/more annoying
        more disappointing/more confusing/dirtier/noisier/more stupid
        more expensive/poorer/ruder/more painful/more useless"""),
    split_items("""{it_was} {w} than I expected
        {it_was} a lot {w} than I thought/{it} could not be {w}
        {it} could not have been {w}
        it does not get {w} than this/I have never {had} a {w} {noun}
        {it_was} much {w} than the first/I cannot imagine anything {w}"""),
    split_items("""{it} could have been {w}/{it} could be {w}/I expected {w}
        {it} should have been {w}/I had hoped for a {w} {noun}
        I have {had} {w} {nouns}/{it_was} not {w} than the first
        there are {w} ones"""),
)
BEST = Kind(
    split_items("""finest/nicest/best/greatest/funniest/loveliest/most beautiful
        most enjoyable"""),
    split_items("""weakest/dullest/worst/ugliest/poorest/most boring
        most annoying/most disappointing"""),
    split_items("""{it_was} the {w} {noun} ever/it must be the {w} {noun} ever
        {it_was} one of the {w} {nouns} I have ever seen
        this is the {w} {noun} I have ever had/{it_was} easily the {w} {noun}
        this is one of the {w} {nouns} in {name}/{it_was} simply the {w}
        I call it the {w} {noun}"""),
    split_items("""{it_was} not the {w} {noun}
        {it_was} by no means the {w} {noun}/{it_was} surely not the {w} {noun}
        {it_was} far from the {w} {noun}
        {it_was} not one of the {w} {nouns} I have seen
        nobody would call it the {w} {noun}/I have not had the {w} {noun}
        I would not say that {it_was} the {w} {noun}"""),
)
FEELING = Kind(
    split_words(
        "glad thrilled happy satisfied impressed pleased delighted amazed"
    ),
    split_words(
        "angry unhappy disappointed bored annoyed frustrated shocked upset"
    ),
    split_items("""I was {w}/I am {really}{w}/we were {really}{w}
        I was {really}{w} with {it}/it left me {w}/I felt {really}{w}
        you will be {w}/I have never been so {w}"""),
    split_items("""I was not {w}/I am not {w} with {it}/I was never {w}
        you will not be {w}/I was not {too}{w}/we were never {w}
        I was far from {w}/I cannot say that I was {w}"""),
)
EVENT = Kind(
    split_items("""I could not put it down/I laughed out loud/we laughed a lot
        it works perfectly/it works like a charm/we will come back
        we will be back/I would buy it again/I cannot wait to see it again
        it made my day/I could watch it again and again/I will be back soon
        it exceeded my expectations/I was pleasantly surprised/it does the job
        we had a great time/we had a lovely evening/I had no problems
        I cannot complain/I have nothing to complain about/I have no complaints
        it never let me down/I did not want it to end/I am a big fan
        it lasts all day/it arrived on time/it lived up to the hype
        I will tell all my friends/it was money well spent/it kept me smiling
        I could not be happier/I could not ask for more/it changed my life
        you cannot go wrong with it/I cannot recommend it enough
        I cannot get enough of it/it saved my day/I fell in love with it
        it is just what I wanted/it put a smile on my face/I use it often
        there is nothing wrong with it/everything went well
        I will be coming back/they took good care of us/it works as promised
        I would give it ten stars/it is a must have"""),
    split_items("""I fell asleep/I walked out/we left early
        I could not finish it
        I could not wait for it to end/it broke after two days/it does not work
        it stopped working after a week/it never worked/I want my money back
        I sent it back/we will not come back/we will never go there again
        I would not buy it again/it ruined our evening/it gave me a headache
        it did not live up to the hype/I had to return it/I expected more
        I regret buying it/it makes no sense/it let me down/it sucks
        we waited for an hour/it arrived broken/nobody helped us/I gave up
        I wasted my money/I want a refund/I will never buy it again
        it falls apart
        I do not see the point/it is nothing special/it was not worth the money
        it is not what I ordered/I cannot understand the fuss/it made me sick
        I have had enough/something was missing/nothing worked/it went wrong
        it did not meet my expectations/I would give it zero stars
        it did not do the job/they lost my order/nobody answered
        I cannot recommend it/I wish I had never bought it"""),
    split_items("""{w}/I must say that {w}/in the end {w}/I can say that {w}
        honestly {w}/overall {w}/to be honest {w}/it is true that {w}"""),
    [],
)
FRAGMENT = Kind(
    split_items("""yes please/keep it up/highly recommended/two thumbs up
        five stars/5 stars/10 out of 10/well done/hats off/bravo
        money well spent/no complaints/never a dull moment/thank you
        nothing to complain about/a must see/see you again soon
        no problems at all/recommended/nothing wrong with it/would buy again
        will come again
        recommended to everyone/thumbs up/wow/cannot wait for more/works great
        I highly recommend it/cannot complain/love love love
        exactly what I wanted/a must have"""),
    split_items("""so what/once is enough/never again/not recommended/one star
        two thumbs down/1 star/zero stars/such a pity/no thank you/do not buy
        do not bother/stay away/avoid/avoid at all costs/no thanks
        money back please/buy something else/do not waste your time
        do not waste your money/meh/nothing special/such a shame/thumbs down
        0 out of 10/yawn/not worth it/no fun at all/not for me
        not my cup of tea/does not work/save your money"""),
    split_items("""{w}/honestly, {w}/in short, {w}/overall, {w}/well, {w}
        {w}, believe me/{w}, to be honest/{w}, really"""),
    [],
)
HOPE = """I expected that/I was sure that/I had been told that/I thought
    it looked as if/friends told me that/everyone said that/I believed"""
DOUBT = """I did not expect that/I was not sure that/I doubted that
    I did not think that/I never thought that/I would not have thought
    nobody believed that/it seemed unlikely that"""
WISH = """wanted to/expected to/was ready to/hoped to/was about to
    thought I would/was going to/was determined to"""
RELUCTANCE = """did not want to/did not expect to/was not ready to
    was not prepared to/never thought I would/was not going to
    was determined not to/had no wish to"""
MANNER = "truly/rather/very/quite/undeniably/certainly/simply/really"
WHO = """my sister/my friend/my kids/everyone else/{name}/the critics
    my parents/most people"""


def _fill(form: str, parts: str) -> list[str]:
    """Puts each part into a form, in the place of "..."."""
    return [form.replace("...", part) for part in split_items(parts)]


def _adjectives(straight: list[str], flipped: list[str]) -> Kind:
    return Kind(GOOD, BAD, straight, flipped)


KINDS = {
    # Clauses.
    "plain": _adjectives(STRAIGHT[:8], FLIPPED[:8]),
    "simple": _adjectives(STRAIGHT[:8], []),
    "adjective": _adjectives(STRAIGHT, FLIPPED),
    "verb": VERB,
    "noun": NOUN,
    "degree": DEGREE,
    "best": BEST,
    "event": EVENT,
    "feeling": FEELING,
    "other": VERB._replace(straight=_fill("... {w}ed {it}", WHO), flipped=[]),
    "hope": _adjectives(
        _fill("... {it} would be {w}", HOPE),
        _fill("... {it} would be {w}", DOUBT),
    ),
    "wish": VERB._replace(
        straight=_fill("I ... {w} {it}", WISH),
        flipped=_fill("I ... {w} {it}", RELUCTANCE),
    ),
    # No clauses.
    "phrase": _adjectives(
        _fill("the ... {w} {noun}", MANNER),
        [],
    ),
    "word": _adjectives(WORD, []),
    "fragment": FRAGMENT,
    "short": _adjectives(
        WORD,
        split_items("""not {w}/not {w} at all/not very {w}/not so {w}
            not at all {w}/not {too}{w}/anything but {w}/never {w}"""),
    ),
    "short adjective": _adjectives(
        split_items("""{w} {noun}/a {w} {noun}/a {really}{w} {noun}
            what a {w} {noun}/such a {w} {noun}/very {w} {noun}
            really {w} {nouns}/{w} {noun} and {w} {nouns}"""),
        split_items("""not a {w} {noun}/not a {too}{w} {noun}/no {w} {nouns}
            not a single {w} {noun}/hardly a {w} {noun}/not exactly {w} {nouns}
            anything but a {w} {noun}/far from a {w} {noun}"""),
    ),
    "short verb": VERB._replace(
        straight=split_items("""{w}ed {it}/absolutely {w}ed {it}/{w} {it}
            really {w}ed {it}/just {w} {it}/{w}ed every minute/{w}ed all of it
            would {w} it again"""),
        flipped=split_items("""did not {w} {it}/do not {w} {it}
            would not {w} {it}/cannot {w} {it}/never {w}ed it
            how can anyone {w} {it}
            no reason to {w} {it}/did not {w} {it} at all"""),
    ),
    "short noun": NOUN._replace(
        straight=split_items("""{w}/what {w}/simply {w}/really {w}/just {w}
            such {w}/pure {w}/well, {w}"""),
        flipped=split_items("""not {w}/never {w}/certainly not {w}
            not really {w}/hardly {w}/far from {w}/anything but {w}
            by no means {w}"""),
    ),
    "short degree": DEGREE._replace(
        straight=split_items("""{w} than I expected/{w} than expected
            could not be {w}/could not have been {w}/{w} than ever
            does not get {w} than this/much {w} than the first
            a lot {w} than I thought"""),
        flipped=split_items("""could be {w}/could have been {w}/expected {w}
            should have been {w}/have seen {w}/could easily be {w}
            not {w} than the first/there are {w} ones"""),
    ),
    "short best": BEST._replace(
        straight=split_items("""{w} {noun} ever/the {w} {noun} ever
            one of the {w} {nouns} ever/{w} {noun} in town/my {w} {noun} ever
            the {w} {noun} in {name}/simply the {w} {noun}
            the {w} {noun} of the year"""),
        flipped=split_items("""not the {w} {noun}/far from the {w} {noun}
            certainly not the {w} {noun}/hardly the {w} {noun}
            clearly not the {w} {noun}/by no means the {w} {noun}
            not really the {w} {noun}/not one of the {w} {nouns}"""),
    ),
}  # fmt: skip
CLAUSES = ["adjective"] * 4 + ["verb", "verb", "event", "event"]
CLAUSES += ["degree", "degree", "degree", "noun", "best", "feeling"]
SHORT = [name for name in KINDS if name.startswith("short")]
SHORT += ["short", "short degree", "fragment", "fragment"]
