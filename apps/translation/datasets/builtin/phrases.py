"""Phrases and clauses in both languages: agreement, order and elision."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from . import lexicon
from .lexicon import (
    IL,
    ILS,
    JE,
    NOUS,
    SOME,
    VOWEL,
    Adjective,
    Determiner,
    Noun,
    Phrase,
    Verb,
)

NOTHING = Phrase()
_NEGATIONS = {"not": "pas", "never": "jamais"}
# In this order: "ma école" is "mon école", and then no "m'école".
_SOUND_RULES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (rf"\b([ms])a {VOWEL}", r"\1on "),
        (rf"\bce {VOWEL}", "cet "),
        (rf"\b([jnmd]|l|qu)[ea] {VOWEL}", r"\1'"),
        (r"\bde le ", "du "),
        (r"\bde les ", "des "),
        (r"\bà le ", "au "),
        (r"\bà les ", "aux "),
    ]
]


class NounPhrase(NamedTuple):
    """A phrase with a noun or a pronoun, and what agreement needs to know.

    Attributes:
        english: the text.
        french: its translation.
        person: JE, IL (for every singular), NOUS or ILS.
        feminine: the gender.
        kind: what the noun names.
        nouns: what is in pairs with the verb; nothing for a pronoun.
    """

    english: str
    french: str
    person: int
    feminine: bool
    kind: str = "person"
    nouns: tuple[Noun, ...] = ()


SUBJECT_PRONOUNS = [
    NounPhrase("I", "je", JE, False),
    NounPhrase("we", "nous", NOUS, False),
    NounPhrase("he", "il", IL, False),
    NounPhrase("she", "elle", IL, True),
    NounPhrase("they", "ils", ILS, False),
]
OBJECT_PRONOUNS = [
    NounPhrase("me", "me", JE, False),
    NounPhrase("us", "nous", NOUS, False),
    NounPhrase("him", "le", IL, False),
    NounPhrase("her", "la", IL, True),
    NounPhrase("them", "les", ILS, False),
]
WHO = NounPhrase("who", "qui", IL, False)


class Clause(NamedTuple):
    """A subject and what is said of it.

    Attributes:
        subject: who or what.
        verb: its verb.
        negation: "", "not" or "never".
        tense: "present", "past" or "future".
        object: a pronoun stands in front of the verb in French.
        tail: a place, or the adjective behind "is".
    """

    subject: NounPhrase
    verb: Verb
    negation: str
    tense: str
    object: NounPhrase | None = None
    tail: Phrase = NOTHING

    def statement(self) -> Phrase:
        """The clause, subject first."""
        return join(self.subject, self.predicate())

    def predicate(self) -> Phrase:
        """The clause without its subject."""
        auxiliary, rest = self._english_verb(self.negation == "not")
        return self._phrase(f"{auxiliary} {self.negation} {rest}")

    def question(self) -> Phrase:
        """What stands behind "why" and "pourquoi est-ce que"."""
        auxiliary, rest = self._english_verb(True)
        subject, french = self.subject.english, self.subject.french
        text = f"{auxiliary} {subject} {self.negation} {rest}"
        return join(Phrase("", french), self._phrase(text))

    def _phrase(self, english: str) -> Phrase:
        """Adds what stands behind the verb, and translates that."""
        english = f"{english} {self.verb.particle}".strip()
        verb = Phrase(english, self._french_verb())
        if self.object is None:
            return join(verb, self.tail)
        behind = self.object.french if self.object.nouns else ""
        return join(verb, Phrase(self.object.english, behind), self.tail)

    def _english_verb(self, apart: bool) -> tuple[str, str]:
        """The auxiliary, which there must be if it stands apart; the rest."""
        verb, is_singular = self.verb, self.subject.person == IL
        if self.tense == "future":
            return "will", verb.english
        if verb is lexicon.BE:
            forms = {"present": ("are", "is"), "past": ("were", "was")}
            return forms[self.tense][is_singular], ""
        if self.tense == "past":
            return ("did", verb.english) if apart else ("", verb.past)
        if apart:
            return ("do", "does")[is_singular], verb.english
        return "", verb.third if is_singular else verb.english

    def _french_verb(self) -> str:
        """The verb with its negation and pronouns."""
        finite, rest = self._french_forms()
        pronoun = ""
        if self.object and not self.object.nouns:
            pronoun = self.object.french
        if self.tense == "present":
            finite = f"{pronoun} {finite}"
        else:
            rest = f"{pronoun} {rest}"
        if self.negation:
            finite = f"ne {finite} {_NEGATIONS[self.negation]}"
        return f"{finite} {rest}".strip()

    def _french_forms(self) -> tuple[str, str]:
        """The form that agrees in person, and an infinitive or participle."""
        verb, person = self.verb, self.subject.person
        if self.tense == "future":
            return lexicon.ALLER[person], verb.infinitive
        if self.tense == "present":
            return verb.present[person], ""
        if verb is lexicon.BE:
            return lexicon.WAS[person], ""
        if not verb.with_etre:
            return lexicon.AVOIR[person], verb.participle
        ending = "e" * self.subject.feminine + "s" * (person == ILS)
        return lexicon.BE.present[person], verb.participle + ending


def join(*parts: Phrase | NounPhrase) -> Phrase:
    """Puts phrases behind each other, without the empty ones."""
    return Phrase(
        " ".join(part.english for part in parts if part.english),
        " ".join(part.french for part in parts if part.french),
    )


def finish(phrase: Phrase, mark: str) -> Phrase:
    """Makes a sentence of words that stand side by side.

    Example:
        >>> finish(Phrase("who is  at a hotel", "qui est à le hôtel"), "?")
        Phrase(english='Who is at a hotel?', french="Qui est à l'hôtel ?")
    """
    english = " ".join(phrase.english.split())
    english = re.sub(r"\ba (?=[aeiouAEIO])", "an ", english)
    french = " ".join(phrase.french.split())
    for pattern, replacement in _SOUND_RULES:
        french = pattern.sub(replacement, french)
    # French puts a space in front of some marks.
    french_mark = mark if mark == "." else f" {mark}"
    return Phrase(_capital(english) + mark, _capital(french) + french_mark)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def starts_with_vowel(french: str) -> bool:
    """Whether "le" in front of the word would be "l'"."""
    return bool(re.match(VOWEL, french))


def described(
    noun: Noun, plural: bool, adjectives: Sequence[Adjective]
) -> Phrase:
    """A noun with its adjectives, some in front of it in French."""
    word = noun.french_plural if plural else noun.french
    before_vowel = starts_with_vowel(word)
    before, behind = [], []
    for adjective in adjectives:
        form = adjective.agreeing(noun.feminine, plural)
        if not adjective.before_noun:
            behind.append(form)
        elif before_vowel and not (noun.feminine or plural):
            before.append(adjective.before_vowel)
        else:
            before.append(form)
    english = [adjective.english for adjective in adjectives]
    english.append(noun.english_plural if plural else noun.english)
    return Phrase(" ".join(english), " ".join([*before, word, *behind]))


def noun_phrase(
    noun: Noun,
    determiner: Determiner | None = None,
    plural: bool = False,
    adjectives: Sequence[Adjective] = (),
    number: Phrase = NOTHING,
    owner: NounPhrase | None = None,
    is_denied: bool = False,
) -> NounPhrase:
    """A noun with all that agrees with it.

    Args:
        noun: a noun or a name.
        determiner: what stands first.
        plural: whether there are several.
        adjectives: those in front of the noun, then those behind it.
        number: how many.
        owner: whose it is; turns "Anna's" into "la" and "d'Anna".
        is_denied: whether it is the object of a verb with a negation.
    """
    first = behind = NOTHING
    if determiner:
        first = determiner.phrase(noun.feminine, plural)
    if determiner is SOME and is_denied:
        first = Phrase("any" if plural else "a", "de")
    elif determiner is SOME and plural:
        is_adorned = bool(adjectives) and adjectives[0].before_noun
        first = Phrase("some", "de" if is_adorned else "des")
    if owner:
        first = Phrase(f"{owner.english}'s", first.french)
        behind = Phrase("", f"de {owner.french}")
    words = join(first, number, described(noun, plural, adjectives), behind)
    person = ILS if plural else IL
    return NounPhrase(*words, person, noun.feminine, noun.kind, (noun,))


def subject_pronoun(phrase: NounPhrase) -> NounPhrase:
    """What stands for a subject when it comes again."""
    if not phrase.nouns:
        return phrase
    if phrase.person == ILS:
        words = "they", "elles" if phrase.feminine else "ils"
    elif phrase.kind in ("person", "name"):
        words = ("she", "elle") if phrase.feminine else ("he", "il")
    else:
        words = "it", "elle" if phrase.feminine else "il"
    return phrase._replace(english=words[0], french=words[1], nouns=())


def object_pronoun(phrase: NounPhrase) -> NounPhrase:
    """What stands for an object when it comes again."""
    words = "it", "la" if phrase.feminine else "le"
    if phrase.person == ILS:
        words = "them", "les"
    elif phrase.kind in ("person", "name"):
        words = ("her", "la") if phrase.feminine else ("him", "le")
    return phrase._replace(english=words[0], french=words[1], nouns=())


def number_words(number: int, feminine: bool) -> Phrase:
    """A number below fifty, but not from 11 to 19.

    Example:
        >>> number_words(21, feminine=True)
        Phrase(english='twenty-one', french='vingt et une')
    """
    tens, unit = divmod(number, 10)
    words = lexicon.TENS[tens : tens + 1] if tens else []
    words = words + lexicon.UNITS[unit : unit + 1] if unit else words
    english = "-".join(english for english, _ in words)
    french = ("-", " et ")[unit == 1].join(french for _, french in words)
    return Phrase(english, french + "e" * (unit == 1 and feminine))
