"""The phrase grammar of the translation demo: Chinese sentences, their English translations, and their word alignment.

Chinese and English differ in order, so a translation does not follow its source from left to right:

    她昨天在學校安靜地讀了一本有趣的書。   She read an interesting book quietly at school yesterday.
    我不喜歡我的老師推薦的小說。           I do not like the novels that my teacher recommends.

Functions build a sentence from parts that are chosen at random. Every part keeps the Chinese words that it was made
from, so the alignment is exact: attributions of the trained model are tested against it.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from . import lexicon as lex

Span: TypeAlias = tuple[int, int]
"""Half-open, in code points."""

HOMEWORK = "我喜歡機器學習和人工智慧。"
"""The sentence that the homework translates."""

_T = TypeVar("_T", lex.Entry, lex.Verb)


class Word(NamedTuple):
    """An English word of a pair, or its punctuation: `target[start:end] == text`.

    `sources`: the spans of the Chinese words that it translates: usually one; none for a word that English adds (the
    "is" of 這本書很新); two for "my" (我 and 的). `content`: whether it is a noun, verb, adjective, adverb or numeral;
    such a word has exactly one source, which alone decides its stem. Its ending (s, ed) depends on other words too.
    """

    text: str
    start: int
    end: int
    sources: tuple[Span, ...]
    content: bool


class Pair(NamedTuple):
    """A Chinese sentence, its English translation, and the English words, which tile `target` except for spaces."""

    source: str
    target: str
    words: tuple[Word, ...]


def sample(n: int, seed: int = 0, *, held_out: bool = False) -> list[Pair]:
    """Return `n` different pairs, equal for equal arguments, from the held-out tenth of the sentences or from the rest.

    A sentence contains each content word once. A longer sample begins with the shorter one of the same seed. 20,000
    pairs, of many millions, take a second.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    found: dict[str, Pair] = {}
    while len(found) < n:
        pair = _any_sentence(rng)
        if is_held_out(pair.source) == held_out and not _repeats_itself(pair):
            found.setdefault(pair.source, pair)
    return list(found.values())


def homework() -> Pair:
    """Return the pair of 我喜歡機器學習和人工智慧。 It is held out, so the model was not trained on it."""
    first, second = (
        _field(_find(lex.FIELD_MODIFIERS, modifier), _find(lex.FIELD_HEADS, head))
        for modifier, head in (("機器", "學習"), ("人工", "智慧"))
    )
    return _Clause(_pronoun("我"), _find(lex.STATES, "喜歡"), _joined(first, second)).pair()


def is_held_out(source: str) -> bool:
    """Return whether the sentence is held out of training: one in ten, by a hash of its text, and the homework's."""
    return source == HOMEWORK or zlib.crc32(source.encode()) % 10 == 0


def source_words() -> list[str]:
    """Return every Chinese word and sign of the grammar once, sorted: the source tokenizer has one token for each."""
    tables = (lex.FIELD_MODIFIERS, lex.FIELD_HEADS, lex.FIELDS, lex.ADJECTIVES, lex.COLOURS, lex.DEGREES, lex.NUMBERS)
    times = (lex.FREQUENCIES, lex.MANNERS, lex.PAST_TIMES, lex.FUTURE_TIMES, lex.PRESENT_TIMES, lex.PLACES)
    words = {entry.zh for table in (*tables, *times, lex.NOUNS, lex.ACTIONS, lex.STATES) for entry in table}
    words |= {noun.measure for noun in lex.NOUNS if noun.measure} | _POINTERS.keys() | _PRONOUNS.keys()
    words |= set(_MODALS.values()) | set("的地在了不和嗎。？") | {"沒有"}
    return sorted(words)


def target_pieces() -> list[str]:
    """Return every stem ("▁like"), ending ("s") and sign of the English side, sorted.

    "likes" is "▁like" and "s", "an" is "▁an", so its Chinese word alone decides a content word's first piece.
    """
    # Entries may have several English words; words that may begin a sentence are included with a capital too.
    tables = (lex.FIELDS, lex.ADJECTIVES, lex.COLOURS, lex.DEGREES, lex.NUMBERS, lex.FREQUENCIES, lex.MANNERS)
    times = (lex.PAST_TIMES, lex.FUTURE_TIMES, lex.PRESENT_TIMES, lex.PLACES, lex.FIELD_MODIFIERS, lex.FIELD_HEADS)
    stems = {e for table in (*tables, *times) for entry in table for e in entry.en.split()}
    stems |= {entry.en for table in (lex.NOUNS, lex.ACTIONS, lex.STATES) for entry in table}
    stems |= {"an", "and", "that", "is", "are", "not", "will", "should", "must", "can"}
    openers = {"the", "do", "does", "did", *_POINTERS.values()}
    openers |= {form for pronoun in _PRONOUNS.values() for form in (pronoun.subject, pronoun.owner)}
    openers |= {e.en for table in (lex.NOUNS, lex.FIELD_MODIFIERS, lex.FIELD_HEADS, lex.FIELDS) for e in table}
    stems |= openers | {_capitalised(stem) for stem in openers}
    return sorted({f"▁{stem}" for stem in stems} | {"s", "es", "d", "ed", ".", "?"})


# ── what sentences are made of ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)  # by identity: a sentence may contain a word twice
class _Zh:
    text: str


class _En(NamedTuple):
    text: str
    of: tuple[_Zh, ...] = ()
    content: bool = False


class _Phrase(NamedTuple):
    """A phrase in both languages. `third`: whether a verb after it takes an s."""

    zh: tuple[_Zh, ...]
    en: tuple[_En, ...]
    third: bool = True


class _Pronoun(NamedTuple):
    subject: str
    owner: str
    third: bool


_PRONOUNS = {
    "我": _Pronoun("I", "my", third=False),
    "你": _Pronoun("you", "your", third=False),
    "他": _Pronoun("he", "his", third=True),
    "她": _Pronoun("she", "her", third=True),
    "我們": _Pronoun("we", "our", third=False),
    "他們": _Pronoun("they", "their", third=False),
}
_POINTERS = {"這": "this", "那": "that", "這些": "these", "那些": "those"}

Tense: TypeAlias = Literal["present", "past", "future", "should", "must", "can"]
_MODALS: dict[Tense, str] = {"should": "應該", "must": "必須", "can": "可以", "future": "會"}


def _entry(entry: lex.Entry | lex.Noun | lex.Verb, ending: str = "") -> _Phrase:
    """Return the phrase of a table's entry. Only the last of several English words is content: "last week"."""
    zh = _Zh(entry.zh)
    *before, last = entry.en.split()
    return _Phrase((zh,), (*(_En(text, (zh,)) for text in before), _En(last + ending, (zh,), content=True)))


def _s(stem: str) -> str:
    """Return the ending of the plural and of the third person."""
    return "es" if stem.endswith(("s", "x", "ch", "sh")) else "s"


def _ed(stem: str) -> str:
    """Return the ending of the past. All verbs of the tables are regular except "read", whose past is spelt alike."""
    return "" if stem == "read" else "d" if stem.endswith("e") else "ed"


def _noun(noun: lex.Noun, adjective: lex.Entry | None, *, plural: bool) -> _Phrase:
    """Return 有趣的書: "interesting book" or, if plural and countable, "interesting books"."""
    head = _entry(noun, _s(noun.en) if plural and noun.measure else "")
    third = not (plural and noun.measure)
    if adjective is None:
        return _Phrase(head.zh, head.en, third)
    front = _entry(adjective)
    return _Phrase((*front.zh, _Zh("的"), *head.zh), front.en + head.en, third)


def _counted(number: lex.Entry, noun: lex.Noun, adjective: lex.Entry | None) -> _Phrase:
    """Return 一本有趣的書: "an interesting book"."""
    what, count = _noun(noun, adjective, plural=number.en != "a"), _Zh(number.zh)
    article = "an" if what.en[0].text[0] in "aeiou" else "a"
    en = _En(article, (count,)) if number.en == "a" else _En(number.en, (count,), content=True)
    return _Phrase((count, _Zh(noun.measure), *what.zh), (en, *what.en))


def _pointed(pointer: str, noun: lex.Noun, adjective: lex.Entry | None) -> _Phrase:
    """Return 這本有趣的書: "this interesting book"; 這些有趣的書: "these interesting books"."""
    plural, zh = pointer.endswith("些"), _Zh(pointer)
    what = _noun(noun, adjective, plural=plural)
    measure = () if plural else (_Zh(noun.measure),)
    return _Phrase((zh, *measure, *what.zh), (_En(_POINTERS[pointer], (zh,)), *what.en), what.third)


def _owned(owner: str, noun: lex.Noun) -> _Phrase:
    """Return 我的書: "my book"."""
    who, of, what = _Zh(owner), _Zh("的"), _noun(noun, None, plural=False)
    return _Phrase((who, of, *what.zh), (_En(_PRONOUNS[owner].owner, (who, of)), *what.en))


def _pronoun(zh: str) -> _Phrase:
    word = _Zh(zh)
    return _Phrase((word,), (_En(_PRONOUNS[zh].subject, (word,)),), _PRONOUNS[zh].third)


def _field(modifier: lex.Entry | None, head: lex.Entry) -> _Phrase:
    """Return 機器學習: "machine learning"."""
    parts = [_entry(entry) for entry in (modifier, head) if entry is not None]
    return _Phrase(tuple(zh for part in parts for zh in part.zh), tuple(en for part in parts for en in part.en))


def _relative(subject: _Phrase, verb: lex.Verb, time: lex.Entry | None, noun: lex.Noun) -> _Phrase:
    """Return 我昨天讀的書: "the books that I read yesterday"; without a time: "the books that I read"."""
    of, what, when = _Zh("的"), _noun(noun, None, plural=True), _entry(time) if time else _Phrase((), ())
    doing = _entry(verb, _ed(verb.en) if time else _s(verb.en) if subject.third else "")
    en = (_En("the", (of,)), *what.en, _En("that", (of,)), *subject.en, *doing.en, *when.en)
    return _Phrase((*subject.zh, *when.zh, *doing.zh, of, *what.zh), en, what.third)


def _joined(first: _Phrase, second: _Phrase) -> _Phrase:
    """Return 書和雜誌: "books and magazines"."""
    both = _Zh("和")
    return _Phrase((*first.zh, both, *second.zh), (*first.en, _En("and", (both,)), *second.en), third=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adverbs:
    """Adverbs: in English, often … quietly at school yesterday; in Chinese all precede the verb."""

    frequency: lex.Entry | None = None
    manner: lex.Entry | None = None
    place: lex.Entry | None = None
    time: lex.Entry | None = None
    time_first: bool = False  # in Chinese only: 昨天我 rather than 我昨天


@dataclass(frozen=True, slots=True)
class _Clause:
    """A clause of subject, verb and object. `pair` writes it in both languages."""

    subject: _Phrase
    verb: lex.Verb
    thing: _Phrase
    tense: Tense = "present"
    negative: bool = False
    question: bool = False
    adverbs: _Adverbs = _Adverbs()

    def pair(self) -> Pair:
        """Return the sentence in both languages."""
        empty = _Phrase((), ())
        asked = self.adverbs
        frequency, manner, place, time = (
            _entry(entry) if entry else empty for entry in (asked.frequency, asked.manner, asked.place, asked.time)
        )
        at = (_Zh("在"),) if asked.place else ()
        there = (*(_En(word.text, at) for word in place.en[:-1]), *place.en[-1:])
        slowly = (_Zh("地"),) if asked.manner else ()
        helper_zh, helper = self._helper()
        verb = _entry(self.verb, "" if helper or self.question else self._ending())
        done = (_Zh("了"),) if self.tense == "past" and not self.negative else ()
        asks = (_Zh("嗎"),) if self.question else ()
        do = {"past": "did", "present": "does" if self.subject.third else "do"}
        opener = (_En(do[self.tense], asks),) if self.question else ()

        front = (*time.zh, *self.subject.zh) if asked.time_first else (*self.subject.zh, *time.zh)
        middle = (*frequency.zh, *helper_zh, *at, *place.zh, *manner.zh, *slowly)
        zh = (*front, *middle, *verb.zh, *done, *self.thing.zh, *asks)
        en = (*opener, *self.subject.en, *helper, *frequency.en, *verb.en, *self.thing.en)
        return _pair(zh, (*en, *manner.en, *there, *time.en), "？" if self.question else "。")

    def _ending(self) -> str:
        stem = self.verb.en
        return _ed(stem) if self.tense == "past" else _s(stem) if self.subject.third else ""

    def _helper(self) -> tuple[tuple[_Zh, ...], tuple[_En, ...]]:
        """Return the auxiliary: 不會 "will not", 沒有 "did not", 不 "does not", 應該 "should"."""
        if self.tense == "past":
            no = _Zh("沒有")
            return ((no,), (_En("did", (no,)), _En("not", (no,)))) if self.negative else ((), ())
        no = _Zh("不")
        negation = (_En("not", (no,)),) if self.negative else ()
        if self.tense == "present":
            do = _En("does" if self.subject.third else "do", (no,))
            return ((no,), (do, *negation)) if self.negative else ((), ())
        will = _Zh(_MODALS[self.tense])
        modal = _En("will" if self.tense == "future" else self.tense, (will,))
        return ((no, will) if self.negative else (will,), (modal, *negation))


def _description(subject: _Phrase, degree: lex.Entry | None, adjective: lex.Entry) -> Pair:
    """Return 這本書很有趣 "this book is very interesting", or without a degree 這本書不有趣 "this book is not …"."""
    quality, be = _entry(adjective), _En("is" if subject.third else "are")
    no = _Zh("不")
    grade = _entry(degree) if degree else _Phrase((no,), (_En("not", (no,)),))
    return _pair((*subject.zh, *grade.zh, *quality.zh), (*subject.en, be, *grade.en, *quality.en), "。")


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _pair(zh: Sequence[_Zh], en: Sequence[_En], end: Literal["。", "？"]) -> Pair:
    """Return the texts of both sides with the span of each word."""
    stop = _Zh(end)
    where: dict[_Zh, Span] = {}
    at = 0
    for part in (*zh, stop):
        where[part] = (at, at + len(part.text))
        at += len(part.text)
    words: list[Word] = []
    target = ""
    for i, word in enumerate(en):
        text = word.text if i else _capitalised(word.text)
        target += " " if i else ""
        sources = tuple(sorted(where[part] for part in word.of))
        words.append(Word(text, len(target), len(target) + len(text), sources, word.content))
        target += text
    sign = "." if end == "。" else "?"
    words.append(Word(sign, len(target), len(target) + 1, (where[stop],), content=False))
    return Pair("".join(part.text for part in where), target + sign, tuple(words))


# ── chance ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_KINDS = ("person", "text", "animal", "food", "thing", "media", "field")
_PEOPLE = [noun for noun in lex.NOUNS if noun.kind == "person"]
_LIVING = [*_PEOPLE, *(noun for noun in lex.NOUNS if noun.kind == "animal")]
_COLOURED = ("animal", "food", "thing")


def _find(table: tuple[_T, ...], zh: str) -> _T:
    return next(entry for entry in table if entry.zh == zh)


def _any_sentence(rng: random.Random) -> Pair:
    kind = rng.choice(_KINDS)
    if rng.random() < 0.2:
        kind = "field" if rng.random() < 0.2 else kind
        degree = rng.choice(lex.DEGREES) if rng.random() < 0.85 else None
        return _description(_any_topic(rng, kind), degree, rng.choice(lex.ADJECTIVES))
    nouns = [noun for noun in lex.NOUNS if noun.kind == kind]
    if nouns and rng.random() < 0.15:
        thing, bare = _any_relative(rng, rng.choice(nouns)), True
    else:
        thing, bare = _any_thing(rng, kind), False
    if rng.random() < 0.35:
        return _any_state(rng, _any_subject(rng, _LIVING), thing).pair()
    return _any_action(rng, _any_subject(rng, _PEOPLE), kind, thing, bare=bare).pair()


def _repeats_itself(pair: Pair) -> bool:
    content = [pair.source[start:end] for word in pair.words if word.content for start, end in word.sources]
    return len(content) > len(set(content))


def _any_state(rng: random.Random, subject: _Phrase, thing: _Phrase) -> _Clause:
    """Return a random clause of a state (she likes …), in the present and without a place."""
    negative = rng.random() < 0.25
    often = _Adverbs(frequency=_maybe(rng, 0.0 if negative else 0.2, lex.FREQUENCIES))
    question = not negative and rng.random() < 0.15
    return _Clause(subject, rng.choice(lex.STATES), thing, "present", negative, question, often)


def _any_action(rng: random.Random, subject: _Phrase, kind: str, thing: _Phrase, *, bare: bool) -> _Clause:
    """Return a random clause of an action. `bare`: without adverbs after the object."""
    tenses: tuple[Tense, ...] = ("present", "past", "future", "should", "must", "can")
    (tense,) = rng.choices(tenses, (8, 6, 3, 1, 1, 1))
    negative = tense not in ("must", "can") and rng.random() < 0.2
    question = tense in ("present", "past") and not negative and rng.random() < 0.15
    table, chance = {"past": (lex.PAST_TIMES, 0.6), "present": (lex.PRESENT_TIMES, 0.2)}.get(
        tense, (lex.FUTURE_TIMES, 0.6)
    )
    adverbs = _Adverbs(
        frequency=_maybe(rng, 0.2 if tense == "present" and not negative else 0.0, lex.FREQUENCIES),
        manner=_maybe(rng, 0.0 if bare else 0.2, lex.MANNERS),
        place=_maybe(rng, 0.0 if bare else 0.3, lex.PLACES),
        time=_maybe(rng, 0.0 if bare else chance, table),
        time_first=rng.random() < 0.4,
    )
    return _Clause(subject, _any_verb(rng, kind), thing, tense, negative, question, adverbs)


def _any_verb(rng: random.Random, kind: str) -> lex.Verb:
    return rng.choice([verb for verb in lex.ACTIONS if kind in verb.kinds])


def _any_subject(rng: random.Random, nouns: list[lex.Noun]) -> _Phrase:
    """Return a random subject: one of the nouns, or a pronoun. As a topic, it begins the sentence."""
    if rng.random() < 0.45:
        return _pronoun(rng.choice(list(_PRONOUNS)))
    return rng.choice([_any_owned, _any_pointed, _any_bare])(rng, rng.choice(nouns))


def _any_topic(rng: random.Random, kind: str) -> _Phrase:
    """Return a random topic of a description. It begins with a word that the tokenizer has with a capital."""
    if kind == "field":
        return _joined(_any_field(rng), _any_field(rng)) if rng.random() < 0.2 else _any_field(rng)
    noun = rng.choice([noun for noun in lex.NOUNS if noun.kind == kind])
    makers = [_any_owned, _any_relative, _any_bare, *([_any_pointed] * 2 if noun.measure else [])]
    return rng.choice(makers)(rng, noun)


def _any_thing(rng: random.Random, kind: str) -> _Phrase:
    """Return one random object of this kind, or two."""
    first = _any_single(rng, kind)
    return _joined(first, _any_single(rng, kind)) if rng.random() < 0.25 else first


def _any_single(rng: random.Random, kind: str) -> _Phrase:
    if kind == "field":
        return _any_field(rng)
    noun = rng.choice([noun for noun in lex.NOUNS if noun.kind == kind])
    if rng.random() < 0.4 or not noun.measure:
        return _noun(noun, _any_adjective(rng, noun, 0.4), plural=True)
    return rng.choice([_any_counted, _any_counted, _any_pointed, _any_owned])(rng, noun)


def _any_field(rng: random.Random) -> _Phrase:
    if rng.random() < 0.2:
        return _field(None, rng.choice(lex.FIELDS))
    return _field(_maybe(rng, 0.8, lex.FIELD_MODIFIERS), rng.choice(lex.FIELD_HEADS))


def _any_counted(rng: random.Random, noun: lex.Noun) -> _Phrase:
    number = lex.NUMBERS[0] if rng.random() < 0.4 else rng.choice(lex.NUMBERS)
    return _counted(number, noun, _any_adjective(rng, noun, 0.5))


def _any_pointed(rng: random.Random, noun: lex.Noun) -> _Phrase:
    return _pointed(rng.choice(list(_POINTERS)), noun, _any_adjective(rng, noun, 0.25))


def _any_bare(_: random.Random, noun: lex.Noun) -> _Phrase:
    return _noun(noun, None, plural=True)


def _any_owned(rng: random.Random, noun: lex.Noun) -> _Phrase:
    return _owned(rng.choice(list(_PRONOUNS)), noun)


def _any_relative(rng: random.Random, noun: lex.Noun) -> _Phrase:
    time = _maybe(rng, 0.4, lex.PAST_TIMES)
    pronoun = _pronoun(rng.choice(list(_PRONOUNS)))
    maker = pronoun if rng.random() < 0.5 else _any_owned(rng, rng.choice(_PEOPLE))
    return _relative(maker, _any_verb(rng, noun.kind), time, noun)


def _any_adjective(rng: random.Random, noun: lex.Noun, chance: float) -> lex.Entry | None:
    return _maybe(rng, chance, lex.ADJECTIVES + (lex.COLOURS if noun.kind in _COLOURED else ()))


def _maybe(rng: random.Random, chance: float, table: tuple[lex.Entry, ...]) -> lex.Entry | None:
    return rng.choice(table) if rng.random() < chance else None
