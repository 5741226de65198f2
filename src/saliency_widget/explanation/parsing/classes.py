"""The classes that an answer may name, and where one is explicitly stated."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, TypeAlias, TypeVar

from .entries import CLASS_KEYS
from .literals import ARROW, EMOJI, LONGEST_LINE, PLAIN, numbered_lines

Label: TypeAlias = Literal[1, -1]  # of the homework
L = TypeVar("L", bound=Hashable)

POSITIVE = frozenset(
    """positive pos positiv positiva positivo positif positief pozytywny pozytywna pozitivní olumlu позитивный позитивная
    положительный положительная положительное 正面 积极 積極 正向 好评 好評 ポジティブ 肯定的 긍정적 긍정 إيجابي إيجابية
    सकारात्मक""".split()
) | {"tích cực", "thumbs up"}
NEGATIVE = frozenset(
    """negative neg negativ negativa negativo négatif négative negatief negatywny negatywna negativní olumsuz негативный
    негативная отрицательный отрицательная отрицательное 负面 負面 消极 消極 负向 負向 差评 差評 ネガティブ 否定的 부정적 부정
    سلبي سلبية नकारात्मक""".split()
) | {"tiêu cực", "thumbs down"}
NEITHER = frozenset({"neutral", "mixed"})

KEY = "(?:" + "|".join(sorted(map(re.escape, CLASS_KEYS | {"final", "overall"}), key=len, reverse=True)) + ")"
# What models call a label that is no sentiment.
_ANY_KEY = rf"(?:{KEY}|topic|theme|subject|genre|intent|emotion|rating|stars?|language|type|group|tag|thema|tema|sujet|主题|主題)"
_SIGN = "[-+−–－‐‑＋]"
_LETTER = "A-Za-zÀ-ɏΑ-ωЀ-ӿ"


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Labels(Generic[L]):
    """The labels, by how they are written: names in small letters, and numbers. `homework`: positive 1, negative -1."""

    names: Mapping[str, L]
    numbers: Mapping[float, L]
    homework: bool = False

    def of(self, written: str) -> L | None:
        """Return the label that is written so, or None."""
        plain = _spaced(written)
        if plain in self.names:
            return self.names[plain]
        try:
            return self.numbers.get(float(written.translate(PLAIN)))
        except ValueError:
            return None

    @cached_property
    def name(self) -> str:
        """The pattern of any name; a letter on either side makes another word of it."""
        ordered = sorted(self.names, key=len, reverse=True)
        cased = [_pattern_of(name) for name in ordered if _is_cased(name)]
        others = [_pattern_of(name) for name in ordered if not _is_cased(name)]
        whole = rf"(?<![{_LETTER}])(?:{'|'.join(cased)})(?![{_LETTER}])" if cased else "(?!)"
        return "(?:" + "|".join([whole, *others]) + ")"

    @cached_property
    def number(self) -> str:
        """The pattern of any number that stands for a label, and of 0 where that is none."""
        digits = sorted({_digits(abs(number)) for number in self.numbers}, key=len, reverse=True)
        pattern = rf"{_SIGN}?(?:{'|'.join(digits)})(?:\.0{{1,6}})?(?![\d.,]?\d)(?!%)" if digits else r"(?!)"
        return rf"(?:{pattern}|(?<![-\d.])0(?:\.0{{1,6}})?(?![.,]?\d)(?!%))" if self.homework else f"(?:{pattern})"

    @cached_property
    def patterns(self) -> _Patterns:
        """What the reader of classes looks for."""
        return _patterns(self.name, self.number, KEY if self.homework else _ANY_KEY)


def homework_labels() -> Labels[Label]:
    """Return positive = 1 and negative = -1, in the languages that models answer in."""
    names: dict[str, Label] = {**dict.fromkeys(POSITIVE, 1), **dict.fromkeys(NEGATIVE, -1)}
    return Labels(names, {1.0: 1, -1.0: -1}, homework=True)


def labels_of(given: Iterable[L] | Mapping[L, float]) -> Labels[L]:
    """Return the labels that a user names, {name: number} or names alone; those called positive know their synonyms."""
    names: dict[str, L] = {}
    numbers: dict[float, L] = {}
    for label in given:
        names[_spaced(str(label).strip())] = label
        if isinstance(given, Mapping):
            numbers[float(given[label])] = label
        elif isinstance(label, int | float):
            numbers[float(label)] = label
    for synonyms in (POSITIVE, NEGATIVE):
        called = [name for name in names if name in synonyms]
        if len(called) == 1:
            names = {**dict.fromkeys(synonyms, names[called[0]]), **names}
    names.pop("", None)
    return Labels(names, numbers)


_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def _spaced(name: str) -> str:
    return " ".join(_BETWEEN_WORDS.split(name.casefold()))


def _pattern_of(name: str) -> str:
    """Return the pattern of a name: with spaces, hyphens or underlines between its words."""
    return r"[\s_-]".join(re.escape(word) for word in _BETWEEN_WORDS.split(name))


def _is_cased(name: str) -> bool:
    """Whether a script with small and capital letters writes the name: those put spaces between words."""
    return name.lower() != name.upper()


def _digits(number: float) -> str:
    """Return the pattern of a number's digits, which may be full-width ones."""
    return "".join(
        f"[{digit}{chr(ord(digit) + 0xFEE0)}]" if digit.isdigit() else re.escape(digit) for digit in f"{number:g}"
    )


# ── stated classes ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Patterns:
    """`stated`: after a key; `bare`: on a line of its own; `either`: what makes an alternative of it."""

    stated: re.Pattern[str]
    in_words: re.Pattern[str]
    bare: re.Pattern[str]
    either: re.Pattern[str]
    confident: re.Pattern[str]


def _patterns(name: str, number: str, keys: str) -> _Patterns:
    value = rf"(?P<value>{number}|{name})"
    key = rf"(?:(?<![{_LETTER}])|(?-i:(?<=[a-z])(?=[A-Z]))){keys}"
    after_key = (
        r"(?:[ _](?:class|label|polarity|category|value|score|of[ ]the[ ]\w{1,20}|分类|分類|结果|結果))?(?:结果|結果)?"
    )
    decor = r"""[*_"'`<(\[「“$ ]{0,6}(?:\\(?:boxed|text|mathbf)\{)?"""
    stated = rf"""{key}{after_key}
        (?:[*_"'` ]{{0,4}}\([^()\n]{{0,60}}\))?
        (?: [*_"'`\] >]{{0,6}}(?:[:：=]|[ ](?:is|was|would[ ]be|will[ ]be|should[ ]be|ist|es|est|è|é)[ :])(?:[^\n]{{0,40}}?{ARROW}[ ]?)?{decor}\n?[ ]{{0,2}}{EMOJI}?[ ]?{decor}
          | [ ][-–—][ ] | [ ]*[(<*]{{1,3}} | [ ]?> | [ ]{{0,2}}{ARROW}[ ]{{0,2}} | [*_"'`]{{0,3}}[ ]?[,;|｜\t][ ]?[*_]{{0,3}}(?=[^\n]{{1,20}}(?:\n|\Z)) | [ ]+ | 为|為|是 )
        {value}"""
    in_words = rf"""(?<!not[ ])\b(?:classified|labell?ed|rated|categori[sz]ed)[ ](?:\w{{1,20}}[ ]){{0,3}}?as[ ]{decor}(?P<verb>{number}|{name})
        | {key}{after_key}[*_"'` ]{{0,4}}[:：=][^\n\d:：()（）]{{1,40}}[(（](?P<value>{number})[)）][*_"'`. ]{{0,6}}(?=\n|\Z)"""
    bare = rf"""(?:[\])}}>，,.\s*_"'`#<(（【「“$]|{EMOJI}|[→⇒➡∴]|\\[\[(])*+(?:[=-]>\s)?(?:\\(?:boxed|text)\{{)?
        (?P<mark>[-*•]\s|\d{{1,4}}[.)]\s)?(?:{EMOJI}[ ]?)?[*_"'`<(]{{0,4}}
        {value}[*_"'`)>]{{0,4}}
        (?:\s{{0,2}}(?:[:：=(（\[#,]{{1,2}}|[-–—](?=\s))\s?(?P<second>{number}|{name})|[ ](?:{ARROW}|[-–—])[ ](?P<third>{name}))?
        (?:[ ]?[(（](?:confidence:?[ ])?\d{{1,3}}(?:\.\d{{1,4}})?[ ]?%[)）])?
        (?:[.\s*_"'`>)）】\]」”。!！,}}$]|{EMOJI}|\\[\])])*+(?:\#.*)?"""
    either = rf"""\s{{0,3}}(?:\([-+−]?\d\))?[*"]{{0,3}}\s{{0,3}}(?:or|and|/|\||,|、|或|和|vs|oder|und|ou|o|y)\s{{0,3}}["*]{{0,3}}(?:[-+−]?[01]\b(?![.,]\d)|{name})"""
    confident = rf"""\s*[*_`]{{0,2}}(?:[^\n():：]{{0,40}}{key}{after_key}[*_ ]{{0,4}}[:：=]?[*_ ]{{0,4}})?[(\[（]\s?["']?(?P<value>{number}|{name})["']?\s?[,，:;]\s?(?:0?\.\d{{1,8}}|1\.0{{0,8}}|\d{{1,3}}(?:\.\d{{1,4}})?%)\s?[)\]）][*_`]{{0,2}}\s*"""
    flags = re.VERBOSE | re.IGNORECASE
    return _Patterns(*(re.compile(each, flags) for each in (stated, in_words, bare, either, confident)))


def stated_classes(text: str, labels: Labels[L]) -> tuple[list[L], list[str]]:
    """Return the classes that are explicitly stated, in order, and what else is in their place."""
    patterns = labels.patterns
    found: list[tuple[int, str]] = [
        (m.start(), m["value"]) for m in patterns.stated.finditer(text) if not patterns.either.match(text, m.end())
    ]
    found += [
        (m.start(), m["value"] or m["verb"])
        for m in patterns.in_words.finditer(text)
        if not patterns.either.match(text, m.end())
    ]
    listed: list[tuple[int, str]] = []
    problems: list[str] = []
    for at, line in numbered_lines(text):
        if len(line) > LONGEST_LINE:
            continue
        sure = patterns.confident.fullmatch(line)
        if sure:
            zero = labels.homework and labels.of(sure["value"]) is None
            problems += ["The class is 0, with a confidence beside it: it is read as negative."] * zero
            found.append((at, "-1" if zero else sure["value"]))
            continue
        bare = patterns.bare.fullmatch(line)
        second = bare and (bare["second"] or bare["third"])
        if bare and second and bare["value"][-1].isdecimal() == second[-1].isdecimal():
            continue  # two numbers, or two classes
        if bare and bare["mark"] and bare["mark"][0] == "-" and bare["value"][0].isdecimal():
            problems.append(
                f'A class is written "- {bare["value"]}", which can be {bare["value"]} or -{bare["value"]}.'
            )
        elif bare and (second or bare["mark"]):
            listed += [(at, bare["value"]), (at, second or bare["value"])]
        elif bare:
            found.append((at, bare["value"]))
    if len({labels.of(value) for _, value in listed}) == 1:
        found += listed
    elif listed:
        problems.append("The classes are listed, not chosen between.")
    found.sort(key=lambda place: place[0])
    classes = [labels.of(value) for _, value in found]
    if None in classes:
        problems.append("A class is 0, which is neither 1 nor -1.")
    return [c for c in classes if c is not None], problems
