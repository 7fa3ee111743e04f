"""The words of both languages, each with all of its forms.

The places of two words in their tables say which split owns the pair: the
partners of a word are eight or more in a row, one at least for every split.
"""

from collections import namedtuple

# A noun or a name; the gender is that of the French word.
Noun = namedtuple(
    "Noun", "english english_plural french french_plural kind feminine"
)
Adjective = namedtuple("Adjective", "english masculine feminine")
# Behind the verb stands a preposition, or "-" and an object; the French present
# is for je, il, nous and ils.
Verb = namedtuple(
    "Verb", "preposition english third past infinitive present participle"
)


def make_plural(french: str) -> str:
    """Makes the plural of a noun or an adjective by the rule."""
    if french[-1] in "sx":
        return french
    return french + ("x" if french.endswith("eau") else "s")


def _rows(text: str) -> list[list[str]]:
    return [row.split() for row in text.split(",")]


def _noun(kind: str, gender: str, *row: str) -> Noun:
    """Adds the plurals by the rule to a row of two words, or of a name."""
    plurals = row[0], row[0] + "s", row[-1], make_plural(row[-1])
    return Noun(*(row if len(row) == 4 else plurals), kind, gender == "f")


def _verb(preposition: str, english: str, past: str, *row: str) -> Verb:
    """Adds the French forms by the rule where the row does not have them."""
    third = english + ("es" if english[-1] in "ho" else "s")
    infinitive, *forms = row
    rule = [row[0][:-2] + end for end in ("e", "e", "ons", "ent", "é")]
    *present, participle = forms or rule
    english_forms = english, third, past
    return Verb(preposition, *english_forms, infinitive, present, participle)


_NOUNS = """
person m man men homme hommes, boy garçon, brother frère, king roi, uncle oncle
person f woman women femme femmes, girl fille, sister sœur, queen reine
person f aunt tante
animal m cat chat, owl owls hibou hiboux, horse horses cheval chevaux
animal f mouse mice souris souris, bee abeille, cow vache
thing m book livre, hat chapeau, computer ordinateur, egg œuf
thing m knife knives couteau couteaux, carpet tapis, bike vélo, bag sac
thing f car voiture, key clé, clock horloge, letter lettre, plate assiette
thing f axe hache, chair chaise, table table
place m garden jardin, market marché, hotel hôtel, park parc
place f house maison, school école, station gare, church churches église églises
name m Bruno, Ivan, Martin, Oscar, Paul, Simon, Victor, Adam
name f Alice, Clara, Emma, Julia, Nora, Olga, Sarah, Vera
"""
_ADJECTIVES = """
French français française, Italian italien italienne, green vert verte,
blue bleu bleue, heavy lourd lourde, red rouge, expensive cher chère,
dirty sale, new nouveau nouvelle, black noir noire, white blanc blanche,
small petit petite, big grand grande, beautiful beau belle, old vieux vieille,
strange étrange, young jeune, happy heureux heureuse, sad triste,
tired fatigué fatiguée, lazy paresseux paresseuse,
dangerous dangereux dangereuse, rich riche,
intelligent intelligent intelligente, kind gentil gentille, strong fort forte,
famous célèbre
"""
_VERBS = """
- see saw voir vois voit voyons voient vu, - seek sought chercher,
- lose lost perdre perds perd perdons perdent perdu, - find found trouver,
- follow followed suivre suis suit suivons suivent suivi, - love loved aimer,
- watch watched regarder, - hide hid cacher, in sing sang chanter,
in sleep slept dormir dors dort dormons dorment dormi,
near work worked travailler, behind stay stayed rester,
at arrive arrived arriver, to go went aller vais va allons vont allé,
from leave left partir pars part partons partent parti,
from come came venir viens vient venons viennent venu,
of think thought penser, about talk talked parler,
- be was être suis est sommes sont été
"""
WITH_ETRE = ("rester", "arriver", "aller", "partir", "venir")
NOUNS = [
    _noun(kind, gender, *row)
    for line in _NOUNS.strip().splitlines()
    for kind, gender, words in [line.split(maxsplit=2)]
    for row in _rows(words)
]
PEOPLE, ANIMALS, THINGS, PLACES, NAMES = (
    [noun for noun in NOUNS if noun.kind == kind]
    for kind in ("person", "animal", "thing", "place", "name")
)
ADJECTIVES = [Adjective(*(row + row[1:])[:3]) for row in _rows(_ADJECTIVES)]
*VERBS, BE = [_verb(*row) for row in _rows(_VERBS)]
TRANSITIVE = VERBS[:8]

# What can be said of each kind of noun.
DESCRIBED = {
    "thing": ADJECTIVES[:16],
    "place": ADJECTIVES[6:16],
    "animal": ADJECTIVES[9:],
    "person": ADJECTIVES[11:],
    "name": ADJECTIVES[16:],
}
BEFORE_NOUN = [ADJECTIVES[index] for index in (8, 11, 12, 13, 14, 16)]
BEFORE_VOWEL = {"beau": "bel", "vieux": "vieil", "nouveau": "nouvel"}

ENGLISH_BE = {"present": ("are", "is"), "past": ("were", "was")}
ENGLISH_DO = {"present": ("do", "does"), "past": ("did", "did")}
AVOIR = ("ai", "a", "avons", "ont")
ALLER = ("vais", "va", "allons", "vont")
# English singular and plural; French masculine, feminine and plural.
THE, A, ANY, THIS, *POSSESSIVES = _rows("""the the le la les,
    a some un une des, a any de de de, this these ce cette ces,
    my my mon ma mes, our our notre notre nos, his his son sa ses,
    her her son sa ses, their their leur leur leurs""")
PREPOSITIONS = {
    english: " ".join(french)
    for english, *french in _rows("""in dans, near près de, behind derrière,
        at à, to à, of à, from de, about de""")
}
NEGATIONS = {"": "", "not": "pas", "never": "jamais"}
CONJUNCTIONS = {" and": " et", ", but": ", mais", " because": " parce que"}
QUESTIONS = {"": "est-ce que", "when": "quand est-ce que",
             "why": "pourquoi est-ce que"}  # fmt: skip
