"""Noun phrases that are chosen at random, and the pairs that are held out."""

import random
from collections.abc import Sequence
from typing import TypeVar

from . import lexicon, phrases
from .lexicon import (
    ILS,
    JE,
    LIVING,
    NAMES,
    NOUS,
    SOME,
    THE,
    THINGS,
    THIS,
    Determiner,
    Noun,
    Verb,
)
from .phrases import NounPhrase, Phrase

Item = TypeVar("Item")

POSSESSIVE = lexicon.DETERMINERS[3:]
DEFINITE = [*[THE] * 7, *POSSESSIVE]
DETERMINERS = [*DEFINITE, *[SOME] * 5, *[THIS] * 2]


def allowed(split: str, row: int, columns: Sequence[Item]) -> list[Item]:
    """Picks what may stand in a row of the square.

    Example:
        >>> [allowed(split, 1, "abcdefgh") for split in ("valid", "test")]
        [['h'], ['a']]
    """
    owners = ["valid", "test", *["train"] * 6]
    return [
        item
        for column, item in enumerate(columns)
        if owners[(row + column) % 8] == split
    ]


class Nouns:
    """Makes the noun phrases of one sentence, and notes its pairs of words.

    Args:
        rng: makes all choices.
        split: which pairs of words are allowed.
    """

    def __init__(self, rng: random.Random, split: str) -> None:
        self.rng = rng
        self.split = split
        self.pairs: set[tuple[str, str]] = set()

    def chance(self, probability: float) -> bool:
        """Is true with this probability."""
        return self.rng.random() < probability

    def phrase(self, noun: Noun, role: str) -> NounPhrase:
        """A noun with what belongs to it, but for relative clauses.

        Args:
            noun: a noun or a name.
            role: "subject", "object", "denied" (the object of a verb with a
                negation), "place" (what stands behind a preposition) or
                "goal" (what stands behind "à", which should be definite).
        """
        if noun.kind in ("name", "town"):
            return phrases.noun_phrase(noun)
        plural = noun.kind != "place" and self.chance(0.4)
        adjectives = self.adjectives(noun, self.rng.choice((0, 0, 1, 1, 2)))
        number = Phrase()
        if plural and self.chance(0.3):
            number = self._number(noun.feminine)
        word = self._determiner(noun, plural, role, bool(number.english))
        owner = None
        if word is THE and noun.kind != "place" and self.chance(0.15):
            owner = self._owner()
        is_denied = role == "denied"
        return phrases.noun_phrase(
            noun, word, plural, adjectives, number, owner, is_denied
        )

    def adjectives(self, noun: Noun, most: int) -> list[lexicon.Adjective]:
        """At most one from each side of the noun, those in front first."""
        nouns, adjectives = lexicon.DESCRIBED[noun.kind]
        fitting = allowed(self.split, nouns.index(noun), adjectives)
        chosen = self.rng.sample(fitting, min(most, len(fitting)))
        by_side = {adjective.before_noun: adjective for adjective in chosen}
        chosen = [by_side[side] for side in (True, False) if side in by_side]
        self.pairs |= {(noun.english, word.english) for word in chosen}
        return chosen

    def _number(self, feminine: bool) -> Phrase:
        if self.chance(0.4):
            digits = self.rng.choice(lexicon.DIGITS)
            return Phrase(digits, digits)
        numbers = range(20, 50) if self.chance(0.5) else range(2, 11)
        return phrases.number_words(self.rng.choice(numbers), feminine)

    def _determiner(
        self, noun: Noun, plural: bool, role: str, is_counted: bool
    ) -> Determiner | None:
        """What stands in front of a noun, if anything."""
        words = DEFINITE if role == "goal" else DETERMINERS
        word = self.rng.choice(words)
        if not plural or word is not SOME:
            return word
        if is_counted:  # No sentence begins with a number.
            return THE if role == "subject" else None
        # "De" and "des" never meet; "pas d'œufs" is too rare to be learnt.
        is_rare = role == "denied" and phrases.starts_with_vowel(noun.french)
        return THE if is_rare or role == "place" else SOME

    def _owner(self) -> NounPhrase:
        owner = self.rng.choice(lexicon.PEOPLE + NAMES)
        if owner.kind == "name":
            return phrases.noun_phrase(owner)
        word = self.rng.choice([THE, THE, *POSSESSIVE])
        return phrases.noun_phrase(owner, word)

    def subject(self) -> NounPhrase:
        """Who or what a clause is about."""
        if self.chance(0.45):
            pronouns, weights = phrases.SUBJECT_PRONOUNS, (5, 5, 2, 2, 3)
            return self.rng.choices(pronouns, weights)[0]
        return self.new_subject()

    def new_subject(self) -> NounPhrase:
        """The same, but no pronoun."""
        pool = self.rng.choice([*[LIVING] * 4, NAMES, THINGS])
        return self.phrase(self.rng.choice(pool), "subject")

    def doer(self, verb: Verb, *others: Noun) -> NounPhrase:
        """A subject for a verb, but not one of `others`."""
        column = lexicon.VERBS.index(verb)
        nouns = [
            noun
            for noun in allowed(self.split, column, lexicon.SUBJECTS)
            if lexicon.can(noun.kind, verb) and noun not in others
        ]
        return self.phrase(self.rng.choice(nouns), "subject")

    def verbs(
        self, subject: NounPhrase, tense: str, *follows: str
    ) -> list[Verb]:
        """What a subject may do, and, if wanted, what may follow."""
        # The gender of "I" and "we" must not show.
        shows = tense == "past" and subject.person in (JE, NOUS)
        verbs = [
            verb
            for verb in lexicon.VERBS
            if lexicon.can(subject.kind, verb)
            and not (verb.with_etre and shows)
            and verb.follows in (follows or lexicon.FOLLOWS)
        ]
        for noun in subject.nouns:
            row = lexicon.SUBJECTS.index(noun)
            its_verbs = allowed(self.split, row, lexicon.VERBS)
            verbs = [verb for verb in verbs if verb in its_verbs]
        return verbs

    def adjective(self, subject: NounPhrase) -> Phrase:
        """What a subject is."""
        adjectives = lexicon.DESCRIBED[subject.kind][1]
        for noun in subject.nouns:
            adjectives = self.adjectives(noun, most=1)
        adjective = self.rng.choice(adjectives)
        plural = subject.person == ILS
        french = adjective.agreeing(subject.feminine, plural)
        return Phrase(adjective.english, french)

    def object(
        self, subject: NounPhrase, verb: Verb, tense: str, negation: str
    ) -> NounPhrase:
        """Whom or what somebody sees; in the past, no pronoun."""
        if verb.follows == "any" and tense != "past" and self.chance(0.4):
            pronouns = phrases.OBJECT_PRONOUNS
            if subject.person in (JE, NOUS):  # "I see me" is wrong.
                pronouns = pronouns[2:]
            return self.rng.choice(pronouns)
        pool = THINGS
        if verb.follows == "any":
            pool = self.rng.choice([LIVING, LIVING, NAMES, THINGS, THINGS])
        row = lexicon.TRANSITIVE.index(verb)
        nouns = allowed(self.split, row, pool)
        others = [noun for noun in nouns if noun not in subject.nouns]
        noun = self.rng.choice(others or nouns)
        self.pairs.add((verb.english, noun.english))
        return self.phrase(noun, "denied" if negation else "object")

    def taker(self, noun: Noun) -> Verb:
        """A verb that can have this object."""
        pool = THINGS if noun.kind == "thing" else LIVING
        column = pool.index(noun)
        verb = self.rng.choice(
            [
                verb
                for verb in allowed(self.split, column, lexicon.TRANSITIVE)
                if verb.follows == "any" or noun.kind == "thing"
            ]
        )
        self.pairs.add((verb.english, noun.english))
        return verb

    def place(self, verb: Verb) -> Phrase:
        """Where something is done, or whom somebody talks about; or ""."""
        probability = 0.15 if verb.transitive else 0.6
        if verb.follows != "to" and not self.chance(probability):
            return Phrase()
        preposition = lexicon.PREPOSITIONS[self._preposition(verb)]
        pool = lexicon.PLACES
        if verb.follows in ("about", "of"):
            pool = LIVING + NAMES
        elif preposition.is_near and self.chance(0.4):
            pool = LIVING + THINGS
        elif preposition.english_town and self.chance(0.3):
            pool = lexicon.TOWNS
        role = "goal" if preposition.french == "à" else "place"
        noun = self.phrase(self.rng.choice(pool), role)
        if noun.kind == "town":
            words = preposition.english_town, preposition.french_town
            return phrases.join(Phrase(*words), noun)
        return phrases.join(
            Phrase(preposition.english, preposition.french), noun
        )

    def _preposition(self, verb: Verb) -> str:
        if verb.follows == "about":
            return self.rng.choice(("about", "to"))
        if verb.transitive or verb.follows == "in":
            return self.rng.choice(("in", "near", "behind", "in front of"))
        return verb.follows
