"""Phrases and clauses in both languages: agreement, order and elision."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from . import lexicon
from .lexicon import Adjective, Noun, Verb

JE, IL, NOUS, ILS = range(4)  # The persons, as in `Verb.present`.
# An h that is written like a consonant; all the others are silent.
VOWEL = r"(?=[aeiouéêœAEIOU]|h(?!ache|ibou))"
# In this order: "ma école" is "mon école", and then no "m'école".
SOUND_RULES = {
    rf"\b([ms])a {VOWEL}": r"\1on ",
    rf"\bce {VOWEL}": "cet ",
    rf"\b([jnmd]|l|qu)[ea] {VOWEL}": r"\1'",
    r"\bde le ": "du ",
    r"\bde les ": "des ",
    r"\bà le ": "au ",
    r"\bà les ": "aux ",
}


class Phrase(NamedTuple):
    """Words in both languages, and all that others have to agree with."""

    english: str = ""
    french: str = ""
    person: int = IL  # Of every singular.
    feminine: bool = False
    kind: str = "person"
    noun: Noun | None = None  # A pronoun stands before the French verb.


NOTHING = Phrase()


def join(head: Phrase, *others: Phrase) -> Phrase:
    """Puts phrases behind each other; the first one is the head."""
    english, french, *_ = zip(head, *others, strict=True)
    return head._replace(english=" ".join(english), french=" ".join(french))


def make_pronoun(phrase: Phrase, is_object: bool = False) -> Phrase:
    """Makes the pronoun that stands for a phrase."""
    _, _, person, feminine, kind, _ = phrase
    third = "she her" if feminine else "he him"
    if kind in ("animal", "thing", "place"):
        third = "it it"
    il, ils = ("elle la", "elles les") if feminine else ("il le", "ils les")
    english = ("I me", third, "we us", "they them")[person].split()
    french = ("je me", il, "nous nous", ils)[person].split()
    return Phrase(english[is_object], french[is_object], person, feminine, kind)


def agree(adjective: Adjective, phrase: Phrase) -> str:
    """Returns the French form of an adjective beside a phrase or behind it."""
    form = adjective.feminine if phrase.feminine else adjective.masculine
    return lexicon.make_plural(form) if phrase.person == ILS else form


def make_noun_phrase(
    noun: Noun,
    determiner: Sequence[str] = ("",) * 5,
    is_plural: bool = False,
    adjectives: Sequence[Adjective] = (),
    owner: Phrase = NOTHING,
) -> Phrase:
    """Makes a noun with all that agrees with it.

    Adjectives in front of the noun come first; an owner turns "the" into
    "Anna's", and "la" into "la ... d'Anna".
    """
    person = ILS if is_plural else IL
    phrase = Phrase("", "", person, noun.feminine, noun.kind, noun)
    sides: tuple[list[str], list[str]] = [], []
    for adjective in adjectives:
        side = sides[adjective not in lexicon.BEFORE_NOUN]
        side.append(agree(adjective, phrase))
    before, behind = sides
    word = noun.french_plural if is_plural else noun.french
    if before and re.match(VOWEL, word) and not is_plural:
        before[-1] = lexicon.BEFORE_VOWEL.get(before[-1], before[-1])
    french = determiner[4 if is_plural else 2 + noun.feminine]
    french = "de" if french == "des" and before else french
    possession = f"de {owner.french}" * bool(owner.noun)
    first = owner.english or determiner[is_plural]
    if owner.noun:
        first += "'" if first.endswith("s") else "'s"
    words = [first, *(word.english for word in adjectives), noun[is_plural]]
    return phrase._replace(
        english=" ".join(words),
        french=" ".join([french, *before, word, *behind[::-1], possession]),
    )


class Clause(NamedTuple):
    """A subject and what is said of it; the tail is a place or an adjective."""

    subject: Phrase
    verb: Verb
    tense: str
    negation: str
    object: Phrase = NOTHING
    tail: Phrase = NOTHING

    def write(self, order: str = "statement") -> Phrase:
        """Writes a "statement", a "predicate" (no subject) or a "question"."""
        subject = NOTHING if order == "predicate" else self.subject
        is_question = order == "question"
        has_auxiliary = is_question or self.negation == "not"
        auxiliary, verb = self._conjugate_english(has_auxiliary)
        first = [subject.english, auxiliary][:: -1 if is_question else 1]
        english = [*first, self.negation, verb, self.object.english]
        behind = self.object.french if self.object.noun else ""
        french = [subject.french, self._conjugate_french(), behind]
        return join(Phrase(" ".join(english), " ".join(french)), self.tail)

    def _conjugate_english(self, has_auxiliary: bool) -> tuple[str, str]:
        """Returns an auxiliary, "" where there is none, and the verb."""
        verb, tense = self.verb, self.tense
        is_singular = self.subject.person == IL
        if tense == "future":
            return "will", verb.english
        if verb is lexicon.BE:
            return lexicon.ENGLISH_BE[tense][is_singular], ""
        if has_auxiliary:
            return lexicon.ENGLISH_DO[tense][is_singular], verb.english
        if tense == "past":
            return "", verb.past
        return "", verb.third if is_singular else verb.english

    def _conjugate_french(self) -> str:
        """Writes the verb with its negation and its pronoun."""
        verb, person = self.verb, self.subject.person
        finite, rest = verb.present[person], ""
        if self.tense == "future":
            finite, rest = lexicon.ALLER[person], verb.infinitive
        elif self.tense == "past":
            finite, rest = lexicon.AVOIR[person], verb.participle
            if verb.infinitive in lexicon.WITH_ETRE:
                finite = lexicon.BE.present[person]
                rest += "e" * self.subject.feminine + "s" * (person >= NOUS)
        pronoun = "" if self.object.noun else self.object.french
        words = [finite, lexicon.NEGATIONS[self.negation], rest]
        words.insert(2 if rest else 0, pronoun)
        return " ".join(["ne" if self.negation else "", *words])


def finish(phrase: Phrase, mark: str) -> tuple[str, str]:
    """Makes a sentence of words that stand side by side."""
    english, french = (" ".join(text.split()) for text in phrase[:2])
    english = re.sub(r"\ba (?=[aeiouI])", "an ", english)
    for pattern, replacement in SOUND_RULES.items():
        french = re.sub(pattern, replacement, french)
    # French puts a space in front of a question mark.
    texts = english + mark, french + mark.replace("?", " ?")
    english, french = (text[0].upper() + text[1:] for text in texts)
    return english.replace(" ,", ","), french.replace(" ,", ",")
