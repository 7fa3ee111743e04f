"""The words of the made sentences, and the forms that each can take.

The order of the lists matters: the places of two words say whether the pair is
held out. Lists have eight places or more, so that every word takes part in
every split.
"""

import re
from typing import NamedTuple

# The order of all forms that follow the person.
JE, IL, NOUS, ILS = range(4)
# An h that is written like a consonant; all the others are silent.
VOWEL = r"(?=[aeiouéêœAEIOU]|h(?!ache|ibou|uit))"


class Noun(NamedTuple):
    """A noun, its plurals, its gender in French, and what it names."""

    english: str
    english_plural: str
    french: str
    french_plural: str
    feminine: bool
    kind: str


class Adjective(NamedTuple):
    """An adjective; `before_vowel` is another masculine, as in "bel œuf"."""

    english: str
    masculine: str
    feminine: str
    before_vowel: str
    before_noun: bool

    def agreeing(self, feminine: bool, plural: bool) -> str:
        """The French form."""
        form = self.feminine if feminine else self.masculine
        return plural_of(form) if plural else form


class Verb(NamedTuple):
    """A verb, and what follows it.

    Attributes:
        english: the infinitive.
        third: the form for he and she.
        past: the form for all persons.
        particle: what stands between verb and object, as in "look for".
        infinitive: the French infinitive.
        present: four forms, for je, il, nous and ils.
        participle: the masculine singular.
        with_etre: the auxiliary is être, and the participle agrees.
        follows: "any" or "thing", for objects, or the preposition of places.
    """

    english: str
    third: str
    past: str
    particle: str
    infinitive: str
    present: tuple[str, ...]
    participle: str
    with_etre: bool
    follows: str

    @property
    def transitive(self) -> bool:
        """Whether an object follows."""
        return self.follows in ("any", "thing")


class Phrase(NamedTuple):
    """A part of a sentence in both languages."""

    english: str = ""
    french: str = ""


class Determiner(NamedTuple):
    """An article or the like."""

    english: str
    english_plural: str
    masculine: str
    feminine: str
    plural: str

    def phrase(self, feminine: bool, plural: bool) -> Phrase:
        """The forms that agree."""
        if plural:
            return Phrase(self.english_plural, self.plural)
        return Phrase(self.english, (self.masculine, self.feminine)[feminine])


class Preposition(NamedTuple):
    """A preposition of place, before nouns and before towns."""

    english: str
    french: str
    english_town: str = ""
    french_town: str = ""

    @property
    def is_near(self) -> bool:
        """Whether living beings and things are places, too."""
        return self.english in ("near", "behind", "in front of")


def _items(text: str) -> list[list[str]]:
    """Splits at slashes and ends of lines, and each part at spaces."""
    return [item.split() for item in re.split("[/\n]", text)]


def plural_of(french: str) -> str:
    """The plural of a noun or adjective that is regular.

    Example:
        >>> plural_of("chat"), plural_of("tapis"), plural_of("chapeau")
        ('chats', 'tapis', 'chapeaux')
    """
    if french.endswith(("s", "x")):
        return french
    return french + ("x" if french.endswith("eau") else "s")


def _nouns(kind: str, masculine: str, feminine: str) -> list[Noun]:
    """Reads "man+men:homme": a noun, its irregular plural, its French."""
    nouns = []
    for text in masculine.split() + feminine.split():
        english, french = text.split(":")
        singular, _, plural = english.partition("+")
        french, _, french_plural = french.partition("+")
        forms = singular, plural or singular + "s", french
        french_plural = french_plural or plural_of(french)
        nouns.append(
            Noun(*forms, french_plural, text in feminine.split(), kind)
        )
    return nouns


def _copied(kind: str, masculine: str, feminine: str = "") -> list[Noun]:
    """Names, which are the same in both languages."""
    texts = [" ".join(f"{name}:{name}" for name in names.split())
             for names in (masculine, feminine)]  # fmt: skip
    return _nouns(kind, *texts)


def _adjective(english: str, masculine: str, *forms: str) -> Adjective:
    """Adds what is not given, by the rule."""
    feminine = masculine if masculine.endswith("e") else masculine + "e"
    feminine, before_vowel = [*forms, *(feminine, masculine)[len(forms) :]]
    before = english in ["small", "big", "beautiful", "old", "young", "new"]
    return Adjective(english, masculine, feminine, before_vowel, before)


def _verb(follows: str, english: str, past: str, *french: str) -> Verb:
    """Conjugates in English, and in French if only the infinitive is given."""
    english, _, particle = english.partition("_")
    third = english + ("es" if english.endswith(("ch", "o")) else "s")
    infinitive, *forms = french
    with_etre = infinitive.startswith("+")
    infinitive = infinitive.removeprefix("+")
    if not forms:
        stem = infinitive.removesuffix("er")
        forms = [stem + ending for ending in ("e", "e", "ons", "ent", "é")]
    *present, participle = forms
    return Verb(
        *(english, third, past, particle, infinitive, tuple(present)),
        *(participle, with_etre, follows),
    )


PEOPLE = _nouns(
    "person",
    "man+men:homme boy:garçon brother:frère uncle:oncle king:roi",
    "woman+women:femme girl:fille sister:sœur aunt:tante queen:reine",
)
ANIMALS = _nouns(
    "animal",
    "cat:chat owl:hibou+hiboux horse:cheval+chevaux",
    "mouse+mice:souris bee:abeille cow:vache",
)
THINGS = _nouns(
    "thing",
    "book:livre hat:chapeau computer:ordinateur knife+knives:couteau"
    " egg:œuf carpet:tapis bike:vélo bag:sac",
    "car:voiture key:clé clock:horloge letter:lettre plate:assiette axe:hache"
    " chair:chaise table:table",
)
PLACES = _nouns(
    "place",
    "garden:jardin market:marché hotel:hôtel park:parc",
    "house:maison school:école station:gare church+churches:église",
)
NAMES = _copied(
    "name",
    "Bruno Ivan Martin Oscar Paul Simon Victor Adam",
    "Alice Clara Emma Julia Nora Olga Sarah Vera",
)
TOWNS = _copied("town", "Paris Oslo Berlin Madrid Amsterdam Prague Rome Tokyo")
LIVING = PEOPLE + ANIMALS
SUBJECTS = LIVING + NAMES

ADJECTIVES = {
    item[0]: _adjective(*item)
    for item in _items("""small petit/big grand/beautiful beau belle bel
        old vieux vieille vieil/young jeune/new nouveau nouvelle nouvel
        happy heureux heureuse/sad triste/tired fatigué
        lazy paresseux paresseuse/dangerous dangereux dangereuse
        intelligent intelligent/rich riche/kind gentil gentille
        strange étrange/strong fort/famous célèbre
        French français/Italian italien italienne/red rouge/black noir
        white blanc blanche/green vert/blue bleu/heavy lourd
        expensive cher chère/dirty sale""")
}


def _adjectives(text: str) -> list[Adjective]:
    return [ADJECTIVES[word] for word in text.split()]


_OF_PEOPLE = _adjectives("""small old young happy sad tired lazy dangerous kind
    intelligent strange strong famous rich French Italian""")
# What can be said of each kind of noun: a list of nouns, one of adjectives.
DESCRIBED = {
    "person": (PEOPLE, _OF_PEOPLE),
    "name": (NAMES, _OF_PEOPLE),
    "animal": (ANIMALS, _adjectives("""small big beautiful old young happy sad
        tired lazy dangerous kind intelligent strange strong black white""")),
    "thing": (THINGS, _adjectives("""small big beautiful old new strange red
        black white green blue heavy expensive dirty French Italian""")),
    "place": (PLACES, _adjectives(
        "small big beautiful old new strange dirty white")),
}  # fmt: skip
# What should not come twice in a sentence.
TELLING = ADJECTIVES.keys() | {
    noun.english for noun in SUBJECTS + THINGS + PLACES + TOWNS
}

_PLAIN = _items("""any see saw voir vois voit voyons voient vu
    any look_for looked chercher/any find found trouver
    any hear heard entendre entends entend entendons entendent entendu
    any follow followed suivre suis suit suivons suivent suivi
    any love loved aimer/any watch watched regarder/any hide hid cacher
    in sleep slept dormir dors dort dormons dorment dormi
    at arrive arrived +arriver/in stay stayed +rester
    from leave left +partir pars part partons partent parti
    to go went +aller vais va allons vont allé
    from come came +venir viens vient venons viennent venu""")
_HUMAN = _items("""thing sell sold vendre vends vend vendons vendent vendu
    thing buy bought acheter achète achète achetons achètent acheté
    in sing sang chanter/in work worked travailler
    of think thought penser/about talk talked parler""")
VERBS = [_verb(*item) for item in _PLAIN + _HUMAN]
FOLLOWS = sorted({verb.follows for verb in VERBS})
TRANSITIVE = [verb for verb in VERBS if verb.transitive]
BE = Verb(
    *("be", "is", "was", "", "être", ("suis", "est", "sommes", "sont")),
    *("été", False, ""),
)
# The past of "to be" is told in the imparfait.
WAS = ("étais", "était", "étions", "étaient")
AVOIR = ("ai", "a", "avons", "ont")
ALLER = ("vais", "va", "allons", "vont")

DETERMINERS = [
    Determiner(*item)
    for item in _items("""the the le la les/a some un une des
        this these ce cette ces/my my mon ma mes/our our notre notre nos
        his his son sa ses/her her son sa ses/their their leur leur leurs""")
]
THE, SOME, THIS = DETERMINERS[:3]
PREPOSITIONS = {
    item[0]: Preposition(*item)
    for item in (
        ("in", "dans", "in", "à"),
        ("at", "à", "in", "à"),
        ("near", "près de", "near", "près de"),
        ("to", "à", "to", "à"),
        ("from", "de", "from", "de"),
        ("behind", "derrière"),
        ("in front of", "devant"),
        ("about", "de"),
        ("of", "à"),
    )
}
UNITS = _items("""zero zéro/one un/two deux/three trois/four quatre/five cinq
    six six/seven sept/eight huit/nine neuf""")
TENS = _items("zero zéro/ten dix/twenty vingt/thirty trente/forty quarante")
DIGITS = ["10", "12", "15", "18", "24", "36", "50", "75"]


def can(kind: str, verb: Verb) -> bool:
    """Whether people or animals do such things."""
    return kind != "animal" or verb in VERBS[: len(_PLAIN)]
