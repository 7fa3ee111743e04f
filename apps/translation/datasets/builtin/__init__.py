"""Sentence pairs, English and French, made in memory by a small grammar.

Word by word there is no way through: adjectives change sides and agree, the
negation embraces the verb, pronouns move in front of it, "it" is "il" or
"elle" as a noun far before says, and "that" or "her" is something else in each
sentence. A model has to read the whole sentence, and to look back at it while
it writes.

What is held out: `nouns.allowed` lays a square over each of three kinds of
pairs, and gives 6/8 of the pairs to train, 1/8 to valid, 1/8 to test.

- A noun and its adjective, as ("car", "red"), beside it or behind "is".
- A subject and its verb, as ("girl", "sing").
- A verb and its direct object, as ("see", "car").

All such pairs of a sentence belong to its split, and it has one at least; so no
sentence can occur in two splits. Pronouns are in no pair, and every word and
every form occurs in train.

English decides French. "They" is "ils", unless it is the subject of a second
clause: there it means the subject of the first, as do "it", "he" and "she";
"it" as an object means the object of the first. There is no "you". "I" and
"we" stand where gender does not show, and objects before the verb where no
participle agrees with them. "Will" is "aller" and an infinitive, a past is the
passé composé, but "was" is "était".
"""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from . import lexicon, phrases
from .lexicon import IL, ILS, LIVING, Noun, Verb
from .nouns import Nouns
from .phrases import Clause, NounPhrase, Phrase, finish, join

SPLITS = ("train", "valid", "test")
NUM_WORDS = range(3, 21)
TENSES = ("present", "present", "past", "past", "future")
NOT_PAST = ("present", "present", "future")
TIMES = {
    "present": Phrase("now", "maintenant"),
    "past": Phrase("yesterday", "hier"),
    "future": Phrase("tomorrow", "demain"),
}
NEGATIONS = ("", "", "", "not", "never")
AFFIRMED = ("",)
QUESTIONS = [
    (Phrase("", "est-ce que"), AFFIRMED),
    (Phrase("when", "quand est-ce que"), AFFIRMED),
    (Phrase("why", "pourquoi est-ce que"), NEGATIONS),
]
CONJUNCTIONS = [
    Phrase(" and", " et"),
    Phrase(", but", ", mais"),
    Phrase(" because", " parce que"),
]


class Sentence(NamedTuple):
    """A sentence in both languages, and the pairs of words in it."""

    english: str
    french: str
    pairs: frozenset[tuple[str, str]]


def generate(
    split: str, num_examples: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Makes the sentences of one split, the same for the same arguments.

    Args:
        split: "train", "valid" or "test".
        num_examples: how many pairs; no sentence comes twice.
        seed: another seed gives other sentences of the same split.

    Yields:
        Pairs of an English sentence and its French translation.

    Example:
        >>> next(generate("train", num_examples=1, seed=0))
        ('This king that we watch talks about Vera now.',
         'Ce roi que nous regardons parle de Vera maintenant.')
    """
    for sentence in sentences(split, num_examples, seed):
        yield sentence.english, sentence.french


def sentences(split: str, num_examples: int, seed: int) -> Iterator[Sentence]:
    """Makes what `generate` does, and tells which pairs of words are in it."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    # Seeded with a string, `Random` digests it the same way everywhere.
    rng = random.Random(f"{split} {seed}")
    seen: set[str] = set()
    while len(seen) < num_examples:
        sentence = compose(rng, split)
        if _is_sound(sentence) and sentence.english not in seen:
            seen.add(sentence.english)
            yield sentence


def _is_sound(sentence: Sentence) -> bool:
    """Has a pair, is not too long, and says not twice that the old is old."""
    words = re.findall(r"\w+", sentence.english)
    telling = [word for word in words if word in lexicon.TELLING]
    repeats = len(set(telling)) < len(telling)
    return bool(sentence.pairs) and len(words) in NUM_WORDS and not repeats


def compose(rng: random.Random, split: str) -> Sentence:
    """Makes a sentence of any kind, which may be empty or too long."""
    writer = Writer(rng, split)
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    text = kind(writer)
    return Sentence(text.english, text.french, frozenset(writer.nouns.pairs))


class Writer:
    """Writes one sentence.

    Args:
        rng: makes all choices.
        split: which pairs of words are allowed.
    """

    def __init__(self, rng: random.Random, split: str) -> None:
        self.rng = rng
        self.nouns = Nouns(rng, split)
        self.chance = self.nouns.chance
        # One in a sentence is enough.
        self.has_relative = False

    def statement(self) -> Phrase:
        """One clause."""
        clause = self._clause(self.nouns.subject())
        text, time = clause.statement(), TIMES[clause.tense]
        if clause.negation == "never" or self.chance(0.6):
            return finish(text, ".")
        if self.chance(0.5):
            return finish(join(text, time), ".")
        comma = Phrase(f"{time.english},", f"{time.french},")
        return finish(join(comma, text), ".")

    def two_clauses(self) -> Phrase:
        """Two clauses; a pronoun may join them."""
        first = self._clause(self.nouns.subject())
        second = self._second(first).statement()
        english, french = first.statement()
        word = self.rng.choice(CONJUNCTIONS)
        both = Phrase(english + word.english, french + word.french)
        return finish(join(both, second), ".")

    def two_predicates(self) -> Phrase:
        """One subject that does two things."""
        first = self._clause(self.nouns.subject())
        second = self._clause(first.subject, (first.tense,), grows=False)
        if second.verb == first.verb:
            return Phrase()
        both = Phrase("and", "et")
        return finish(join(first.statement(), both, second.predicate()), ".")

    def question(self) -> Phrase:
        """A question for a clause."""
        word, negations = self.rng.choice(QUESTIONS)
        clause = self._clause(self.nouns.subject(), negations=negations)
        return finish(join(word, clause.question()), "?")

    def who(self) -> Phrase:
        """A question for the subject."""
        return finish(self._clause(phrases.WHO).statement(), "?")

    def what_or_where(self) -> Phrase:
        """A question for what is left out: the object, or the place."""
        subject, tense = self.nouns.subject(), self.rng.choice(TENSES)
        if subject.kind == "thing":
            return Phrase()
        verb = self.rng.choice(self.nouns.verbs(subject, tense))
        word = Phrase("when", "quand est-ce que")
        if verb.transitive:
            word = Phrase("what", "qu'est-ce que")
        elif verb.follows in ("in", "at", "to"):
            word = Phrase("where", "où est-ce que")
        clause = self._act(subject, verb, "", tense)
        return finish(join(word, clause.question()), "?")

    def exclamation(self) -> Phrase:
        """What nouns with adjectives call forth."""
        noun = self.rng.choice(LIVING + lexicon.THINGS)
        plural = self.chance(0.5)
        adjectives = self.nouns.adjectives(noun, most=2)
        words = phrases.described(noun, plural, adjectives)
        which = "quelle" if noun.feminine else "quel"
        what = Phrase("what" if plural else "what a", which + "s" * plural)
        return finish(join(what, words), "!")

    def _clause(
        self,
        subject: NounPhrase,
        tenses: Sequence[str] = TENSES,
        negations: Sequence[str] = NEGATIONS,
        grows: bool = True,
    ) -> Clause:
        """Says what a subject is or does."""
        tense, negation = map(self.rng.choice, (tenses, negations))
        can_be = subject.person in (IL, ILS) and len(subject.nouns) < 2
        if can_be and (subject.kind == "thing" or self.chance(0.25)):
            adjective = self.nouns.adjective(subject)
            subject = self._related(subject) if grows else subject
            parts = negation, tense, None, adjective
            return Clause(subject, lexicon.BE, *parts)
        verbs = self.nouns.verbs(subject, tense)
        # Those with objects stand in other clauses, too.
        verbs += [verb for verb in verbs if not verb.transitive]
        verb = self.rng.choice(verbs)
        if grows:
            subject = self._related(self._joined(subject, verb))
        thing = None
        if verb.transitive:
            thing = self.nouns.object(subject, verb, tense, negation)
            thing = self._related(thing)
        place = self.nouns.place(verb)
        return self._act(subject, verb, negation, tense, thing, place)

    def _second(self, first: Clause) -> Clause:
        """A clause that may speak of what the first spoke of."""
        subject, known = phrases.subject_pronoun(first.subject), first.object
        if self.chance(0.35):
            subject = self.nouns.new_subject()
        acts = subject.kind != "thing" and self.chance(0.8)
        if acts and known and known.nouns:
            tense, negation = map(self.rng.choice, (NOT_PAST, NEGATIONS))
            follows = ("any", "thing") if known.kind == "thing" else ("any",)
            if verbs := self.nouns.verbs(subject, tense, *follows):
                verb = self.rng.choice(verbs)
                parts = negation, tense, phrases.object_pronoun(known)
                return self._act(subject, verb, *parts)
        tenses = [first.tense] if self.chance(0.7) else TENSES
        return self._clause(subject, tenses)

    def _act(self, subject: NounPhrase, verb: Verb, *parts: Any) -> Clause:
        """Notes who does what."""
        words = {(noun.english, verb.english) for noun in subject.nouns}
        self.nouns.pairs |= words
        return Clause(subject, verb, *parts)

    def _joined(self, subject: NounPhrase, verb: Verb) -> NounPhrase:
        """Two that do the same; one man makes a group masculine."""
        is_clear = "'s" not in subject.english
        if not (subject.nouns and is_clear and self.chance(0.12)):
            return subject
        other = self.nouns.doer(verb, *subject.nouns)
        words = join(subject, Phrase("and", "et"), other)
        feminine = subject.feminine and other.feminine
        kind = "animal" if "animal" in (subject.kind, other.kind) else "person"
        nouns = subject.nouns + other.nouns
        return NounPhrase(*words, ILS, feminine, kind, nouns)

    def _related(self, head: NounPhrase) -> NounPhrase:
        """Adds a relative clause now and then."""
        is_noun = len(head.nouns) == 1 and head.kind != "name"
        # "Le chat du roi qui dort" has two meanings; and what a negation
        # says not to be there would ask for the subjunctive.
        is_clear = "'s" not in head.english and head.french[:3] != "de "
        can_follow = is_noun and is_clear and not self.has_relative
        if not can_follow or self.chance(0.75):
            return head
        self.has_relative = True
        if self.chance(0.3 if head.kind == "thing" else 0.5):
            who = "who" if head.kind == "person" else "that"
            clause = self._clause(head, grows=False)
            words = join(head, Phrase(who, "qui"), clause.predicate())
        else:
            clause = self._done_to(head.nouns[0])
            words = join(head, Phrase("that", "que"), clause.statement())
        return head._replace(english=words.english, french=words.french)

    def _done_to(self, noun: Noun) -> Clause:
        """A clause without its object, which is `noun`."""
        verb = self.nouns.taker(noun)
        subject = self.rng.choice(phrases.SUBJECT_PRONOUNS[:4])
        if self.chance(0.5):
            subject = self.nouns.doer(verb, noun)
        tense, negation = map(self.rng.choice, (NOT_PAST, NEGATIONS))
        return self._act(subject, verb, negation, tense)


# Kinds of sentences, and how frequent they are.
KINDS = {
    Writer.statement: 35,
    Writer.two_clauses: 30,
    Writer.two_predicates: 8,
    Writer.question: 15,
    Writer.who: 5,
    Writer.what_or_where: 8,
    Writer.exclamation: 4,
}
