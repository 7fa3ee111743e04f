"""Makes sentences at random, of the pairs of words that a split owns."""

import random
from collections.abc import Sequence
from typing import Any

from . import grammar, lexicon
from .grammar import NOTHING, Clause, Phrase, join, make_pronoun
from .lexicon import Noun, Verb

OWNERS = ("valid", "test", *["train"] * 6)
TABLES: tuple[list[Any], ...] = (
    lexicon.NOUNS,
    lexicon.ADJECTIVES,
    lexicon.VERBS,
)
PLACES = {
    word.english: place for table in TABLES for place, word in enumerate(table)
}
TENSES = ("past", "past", "present", "present", "future")
NEGATIONS = ("", "", "", "not", "never")
# I, we, he, she, they.
PRONOUNS = [Phrase(person=person) for person in (0, 2, 1)]
PRONOUNS += [Phrase(feminine=True), Phrase(person=3)]
DETERMINERS = [*[lexicon.THE] * 8, *[lexicon.THIS] * 2, *lexicon.POSSESSIVES]


def owner(first: str, second: str) -> str:
    """Returns the split to which a pair of words belongs."""
    return OWNERS[(PLACES[first] + PLACES[second]) % len(OWNERS)]


class Writer:
    """Writes one sentence, of pairs that a split owns; counts its words."""

    def __init__(self, rng: random.Random, split: str) -> None:
        self.words: list[str] = []
        self.num_pairs = 0
        self._rng = rng
        self._choose = rng.choice
        self._split = split
        self._has_relative = False

    def write(self) -> tuple[str, str]:
        """Writes a sentence of any kind in both languages."""
        first = self._clause(self._subject())
        if self._chance(0.2):
            word = Phrase(*self._choose([*lexicon.QUESTIONS.items()]))
            return grammar.finish(join(word, first.write("question")), "?")
        if self._chance(0.3):
            return grammar.finish(first.write(), ".")
        conjunction = Phrase(*self._choose([*lexicon.CONJUNCTIONS.items()]))
        clauses = first.write(), conjunction, self._refer_to(first).write()
        return grammar.finish(join(*clauses), ".")

    def _refer_to(self, first: Clause) -> Clause:
        """Makes a second clause, which may speak of the same as the first."""
        subject = make_pronoun(first.subject)
        if self._chance(0.35):
            subject = self._subject(pronouns=0)
        if not first.object.noun or subject.kind == "thing":
            return self._clause(subject)
        verb = self._pick(lexicon.TRANSITIVE, subject.noun)
        thing = make_pronoun(first.object, is_object=True)
        return Clause(subject, verb, *self._inflection(TENSES[2:]), thing)

    def _clause(self, subject: Phrase) -> Clause:
        """Makes a clause that says what a subject is or does."""
        tense, negation = self._inflection()
        can_be = subject.person in (grammar.IL, grammar.ILS)
        if subject.kind == "thing" or (can_be and self._chance(0.25)):
            pool = lexicon.DESCRIBED[subject.kind]
            word = self._pick(pool, subject.noun)
            tail = Phrase(word.english, grammar.agree(word, subject))
            return Clause(subject, lexicon.BE, tense, negation, tail=tail)
        verb = self._pick(lexicon.VERBS, subject.noun)
        if verb not in lexicon.TRANSITIVE:
            place = self._place(verb)
            return Clause(subject, verb, tense, negation, tail=place)
        # No participle agrees with a pronoun.
        if tense != "past" and self._chance(0.3):
            thing = make_pronoun(self._choose(PRONOUNS[2:]), is_object=True)
        else:
            thing = self._object(verb, negation)
        return Clause(subject, verb, tense, negation, thing)

    def _inflection(self, tenses: Sequence[str] = TENSES) -> tuple[str, str]:
        return self._choose(tenses), self._choose(NEGATIONS)

    def _subject(self, pronouns: float = 0.45) -> Phrase:
        if self._chance(pronouns):
            return make_pronoun(self._choose([*PRONOUNS, *PRONOUNS[:2]]))
        living = [lexicon.PEOPLE, lexicon.PEOPLE, lexicon.ANIMALS]
        pool = self._choose([*living, lexicon.NAMES, lexicon.THINGS])
        return self._relate(self._noun_phrase(self._pick(pool)))

    def _object(self, verb: Verb, negation: str) -> Phrase:
        noun = self._pick(lexicon.NOUNS, verb)
        if negation:  # A relative clause would have the subjunctive.
            return self._noun_phrase(noun, lexicon.ANY)
        return self._relate(self._noun_phrase(noun))

    def _place(self, verb: Verb) -> Phrase:
        if verb.preposition != "to" and self._chance(0.3):
            return NOTHING
        french = lexicon.PREPOSITIONS[verb.preposition]
        # "De des" would be wrong.
        place = self._noun_phrase(self._pick(lexicon.PLACES), lexicon.THE)
        return join(Phrase(verb.preposition, french), place)

    def _noun_phrase(self, noun: Noun, some: list[str] = lexicon.A) -> Phrase:
        """Makes a noun phrase; `some` is its indefinite determiner."""
        if noun.kind == "name":
            return grammar.make_noun_phrase(noun)
        count = self._choose((0, 0, 1, 1, 2))
        pool = lexicon.DESCRIBED[noun.kind]
        adjectives = [self._pick(pool, noun) for _ in range(count)]
        adjectives.sort(key=lambda word: word not in lexicon.BEFORE_NOUN)
        is_plural = noun.kind != "place" and self._chance(0.4)
        determiner = self._choose([*DETERMINERS, *[some] * 5])
        possessor = NOTHING
        if determiner is lexicon.THE and self._chance(0.2):
            owners = self._choose((lexicon.PEOPLE, lexicon.NAMES))
            possessor = self._noun_phrase(self._pick(owners), lexicon.THE)
        parts = noun, determiner, is_plural, adjectives, possessor
        return grammar.make_noun_phrase(*parts)

    def _relate(self, head: Phrase) -> Phrase:
        """Adds a relative clause now and then, one to a sentence."""
        # "Le chat du roi qui dort" has two meanings.
        is_clear = head.kind != "name" and "'" not in head.english
        if self._has_relative or not is_clear or self._chance(0.6):
            return head
        self._has_relative = True
        if self._chance(0.5):
            who = Phrase("who" if head.kind == "person" else "that", "qui")
            return join(head, who, self._clause(head).write("predicate"))
        verb = self._pick(lexicon.TRANSITIVE, head.noun)
        subject = make_pronoun(self._choose(PRONOUNS[:4]))
        if self._chance(0.5):
            subject = self._noun_phrase(self._pick(lexicon.PEOPLE, verb))
        clause = Clause(subject, verb, *self._inflection(TENSES[2:]))
        return join(head, Phrase("that", "que"), clause.write())

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _pick(self, pool: Sequence[Any], partner: Any = None) -> Any:
        """Picks a word of which the split owns the pair with `partner`."""
        if partner:
            pool = [
                word
                for word in pool
                if owner(partner.english, word.english) == self._split
            ]
            self.num_pairs += 1
        word = self._choose(pool)
        self.words.append(word.english)
        return word
