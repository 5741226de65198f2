"""Explicit statements of a class in an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from .entries import CLASS_KEYS
from .labels import LETTER, L, Labels
from .literals import ARROW, EMOJI, LONGEST_LINE, alternatives, numbered_lines, words

_CONCLUSIONS = {"final", "overall", "on balance", "in short", "all in all"}
_OUTPUT = r"(?:output|int)(?![^\w\n]*\n)"  # "Output: 1"; but below "Output:" stands the list
KEY = rf"(?:{alternatives(CLASS_KEYS | _CONCLUSIONS)}|{_OUTPUT})"
# What models call a label that is no sentiment.
_OTHER_NAMES = words("""
    topic theme subject genre intent stance position opinion mood domain emotion rating star stars language type group
    tag thema tema 主题 主題
""")
_ANY_KEY = rf"(?:{KEY}|{alternatives(_OTHER_NAMES)})"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The patterns of a class: after a key, in words, on its own line, with a confidence; and of an alternative."""

    stated: re.Pattern[str]
    in_words: re.Pattern[str]
    bare: re.Pattern[str]
    either: re.Pattern[str]
    confident: re.Pattern[str]


def _patterns(labels: Labels[L]) -> _Patterns:
    name, number = labels.name, labels.number
    value = rf"(?P<value>{number}|{name})"
    of_key = r"""(?:class|label|polarity|category|value|score|of[ ]the[ ]\w{1,20}|分类|分類|结果|結果|标签|標籤|类别
        |類別|finale?|correct[ae]?|adecuada|predicha|prevista|correta|prédite|отзыва|рецензии|текста
        |(?:de|du|da|do|del|della|der|des)[ ](?:la[ ]|l['’])?\w{1,20})"""
    key = rf"""(?:(?<![{LETTER}])|(?-i:(?<=[a-z])(?=[A-Z]))){KEY if labels.homework else _ANY_KEY}
        (?:[ _]{of_key})?(?:结果|結果)?"""
    dress = r"""[*_"'`<(\[「“$ ]{0,6}(?:\\(?:boxed|text|mathbf)\{)?"""
    tag = r"(?:<(?:b|strong|em|i|u|code|mark|span|p|td|div)>)?"
    verb = r"(?:[ ]?[:：=]|[ ](?:is|was|would[ ]be|will[ ]be|should[ ]be|ist|es|est|è|é)[ :])"
    stated = rf"""{key}
        (?:[*_"'` ]{{0,4}}\([^()\n]{{0,60}}\))?
        (?: [*_"'`\] >]{{0,6}}{verb}(?:[^\n]{{0,40}}?{ARROW}[ ]?)?{dress}{tag}\n?[ ]{{0,2}}{EMOJI}?[ ]?{dress}
            (?:\(?[A-Z][).][ ])?(?:not[ ](?:{number}|{name}),?[ ](?:but|rather)[ ])?
          | [ ][-–—][ ] | [ ]*[(<*]{{1,3}} | [ ]?> | [ ]{{0,2}}{ARROW}[ ]{{0,2}}
          | [*_"'`]{{0,3}}[ ]?[,;|｜\t][ ]?[*_]{{0,3}}(?=[^\n]{{1,20}}(?:\n|\Z))
          | [ ]+ | 为|為|是 )
        {value}"""
    in_words = rf"""(?<!not[ ])\b(?:(?:classified|labell?ed|rated|categori[sz]ed)[ ](?:(?:\w{{1,20}}[ ]){{0,3}}?as[ ])?
          |(?:class(?:é|ée|ifié|ifiée)[ ]comme|clasificad[ao][ ]como|classificad[ao][ ]como|classificat[ao][ ]come
          |(?:klassifiziert|eingestuft|bewertet|eingeordnet)[ ]als)[ ])
        {dress}(?P<verb>{number}|{name})
      | {key}[*_"'` ]{{0,4}}[:：=][^\n\d:：()（）]{{1,40}}[(（](?P<value>{number})[)）][*_"'`. ]{{0,6}}(?=\n|\Z)"""
    second = rf"(?P<second>{number}|{name})"
    bare = rf"""(?:(?:print|return)[ ]?(?=[(\d+-]))?
        (?:[\])}}>，,.\s*_"'`#<(（【「“$]|{EMOJI}|[→⇒➡∴]|\\[\[(]|</?[\w-]{{1,20}}>)*+(?:{ARROW}\s)?(?:\\(?:boxed|text)\{{)?
        (?:\(?[A-H][).]\s)?(?P<mark>[-*•]\s|\d{{1,4}}[.)]\s)?(?:{EMOJI}[ ]?)?[*_"'`<(]{{0,4}}
        (?P<round>[\[{{]\s?)?{value}(?(round)\s?[\]}}])[*_"'`)>]{{0,4}}
        (?:[ ](?:review|sentiment|class)(?=[ ]{ARROW}))?
        (?: \s{{0,2}}(?:[:：=(（\[#,]{{1,2}}|[-–—](?=\s)|{ARROW})\s?{second}
          | [ ](?:{ARROW}|[-–—])[ ](?P<third>{name}) )?
        (?:[ ]?[(（](?:confidence:?[ ])?\d{{1,3}}(?:\.\d{{1,4}})?[ ]?%[)）])?
        (?:[.\s*_"'`>)）】\]」”。!！,;}}$]|{EMOJI}|\\[\])]|</[\w-]{{1,20}}>)*+(?:\#.*)?"""
    either = rf"""\s{{0,3}}(?:\([-+−]?\d\))?[*"]{{0,3}}\s{{0,3}}
        (?:or|and|/|\||,|、|或|和|vs|oder|und|ou|o|y)\s{{0,3}}["*]{{0,3}}(?:[-+−]?[01]\b(?![.,]\d)|{name})"""
    share = r"(?:0?\.\d{1,8}|1\.0{0,8}|\d{1,3}(?:\.\d{1,4})?%)"
    confident = rf"""\s*[*_`]{{0,2}}(?:[^\n():：]{{0,40}}{key}[*_ ]{{0,4}}[:：=]?[*_ ]{{0,4}})?
        [(\[（]\s?["']?{value}["']?\s?[,，:;]\s?{share}\s?[)\]）][*_`]{{0,2}}\s*"""
    flags = re.VERBOSE | re.IGNORECASE
    return _Patterns(*(re.compile(each, flags) for each in (stated, in_words, bare, either, confident)))


class _Stated(NamedTuple):
    """A statement of a class, and its place. `listed`: whether it is one of several in an enumeration."""

    at: int
    written: str
    listed: bool = False


def stated_classes(text: str, labels: Labels[L]) -> tuple[list[L], list[str]]:
    """Return the classes that are explicitly stated, in order, and problems with other statements."""
    patterns = _patterns(labels)
    found = [
        _Stated(m.start(), m[m.lastgroup or "value"])
        for pattern in (patterns.stated, patterns.in_words)
        for m in pattern.finditer(text)
        if not patterns.either.match(text, m.end())
    ]
    problems: list[str] = []
    for at, line in numbered_lines(text):
        if len(line) <= LONGEST_LINE:
            found += _on_a_line(at, line, labels, patterns, problems)
    several = {labels.of(each.written) for each in found if each.listed}
    if len(several) > 1:
        problems.append("The classes are listed, not chosen between.")
        found = [each for each in found if not each.listed]
    classes = [labels.of(each.written) for each in sorted(found, key=lambda each: each.at)]
    if None in classes:
        problems.append("A class is 0, which is neither 1 nor -1.")
    return [c for c in classes if c is not None], problems


def _on_a_line(at: int, line: str, labels: Labels[L], patterns: _Patterns, problems: list[str]) -> list[_Stated]:
    """Return the class that a line consists of; add to the problems why it is none."""
    sure = patterns.confident.fullmatch(line)
    if sure and labels.homework and labels.of(sure["value"]) is None:
        problems.append("The class is 0, with a confidence beside it: it is read as negative.")
        return [_Stated(at, "-1")]
    bare = None if sure else patterns.bare.fullmatch(line)
    if not bare:
        return [_Stated(at, sure["value"])] if sure else []
    value, second = bare["value"], bare["second"] or bare["third"]
    if second and value[-1].isdecimal() == second[-1].isdecimal():
        return []  # two numbers, or two classes
    if bare["mark"] and bare["mark"][0] == "-" and value[0].isdecimal():
        problems.append(f'A class is written "- {value}", which can be {value} or -{value}.')
        return []
    listed = bool(second or bare["mark"])
    return [_Stated(at, value, listed)] + ([_Stated(at, second, listed)] if second else [])
