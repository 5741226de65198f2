"""The class where it is explicitly stated."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from .literals import LONGEST_LINE, PLAIN, numbered_lines

Label: TypeAlias = Literal[1, -1]

POSITIVE = {"positive", "pos", "正面", "积极", "積極", "正向", "好评", "好評"}
NEGATIVE = {"negative", "neg", "负面", "負面", "消极", "消極", "负向", "負向", "差评", "差評"}
CLASS_WORD = "(?:" + "|".join(sorted(POSITIVE | NEGATIVE)) + ")"
KEY = (
    r"(?:class(?:ification)?|sentiment|label|polarity|verdict|prediction|answer|result|"
    r"分类|分類|情感|类别|類別|结果|結果)"
)
_ONE = r"[-+−–－＋]?[1１](?:\.0{1,6})?(?![\d.,]?\d)"
_VALUE = rf"(?P<value>{_ONE}|(?<![a-z]){CLASS_WORD}(?![a-z])|(?<![-\d.])0(?:\.0{{1,6}})?(?![.,]?\d))"
_STATED = re.compile(
    rf"""{KEY}(?:[ _](?:class|label|polarity|category|of[ ]the[ ]review|分类|分類))?
    (?:[*_"'` ]{{0,4}}\([^()\n]{{0,60}}\))?
    (?: [*_"'`\] ]{{0,6}}(?:[:：=]|[ ](?:is|was)[ :])[*_"'`<(\[「“ ]{{0,6}}\n?[ ]{{0,2}}
      | [ ][-–—][ ] | [ ]*[(<*]{{1,3}} | [ ]+ | 为|為|是 )
    {_VALUE}""",
    re.VERBOSE | re.IGNORECASE,
)
_EITHER = re.compile(
    r"""\s{0,3}(?:\([-+−]?\d\))?[*"]{0,3}\s{0,3}(?:or|and|/|\||,|、|或|和|vs)\s{0,3}["*]{0,3}(?:[-+−]?[01]\b|"""
    + CLASS_WORD
    + ")",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"""[\])}}>，,.\s*_"'`#<(（【「“$]{{0,20}}+(?:\\boxed\{{)?(?P<mark>[-*•]\s|\d{{1,4}}[.)]\s)?[*_"'`<(]{{0,4}}
    {_VALUE}[*_"'`)>]{{0,4}}
    (?:\s{{0,2}}[:：=(#,-]{{1,2}}\s?(?P<second>{_ONE}|{CLASS_WORD}))?
    [.\s*_"'`>)）】\]」”。!！,}}$]{{0,20}}+(?:\#.*)?""",
    re.VERBOSE | re.IGNORECASE,
)


def stated_classes(text: str) -> tuple[list[Label], list[str]]:
    """The classes that are explicitly stated, in order, and what else is in their place."""
    found: list[tuple[int, str]] = [
        (m.start(), m["value"]) for m in _STATED.finditer(text) if not _EITHER.match(text, m.end())
    ]
    listed: list[tuple[int, str]] = []
    problems: list[str] = []
    for at, line in numbered_lines(text):
        bare = _BARE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        if bare and bare["second"] and bare["value"][-1].isdecimal() == bare["second"][-1].isdecimal():
            continue  # two numbers, or two classes
        if bare and bare["mark"] and bare["mark"][0] == "-" and bare["value"][0].isdecimal():
            problems.append('A class is written "- 1", which can be 1 or -1.')
        elif bare and (bare["second"] or bare["mark"]):
            listed += [(at, bare["value"]), (at, bare["second"] or bare["value"])]
        elif bare:
            found.append((at, bare["value"]))
    if len({class_of(value) for _, value in listed}) == 1:
        found += listed
    elif listed:
        problems.append("The classes are listed, not chosen between.")
    found.sort(key=lambda place: place[0])
    classes = [class_of(value) for _, value in found]
    if None in classes:
        problems.append("A class is 0, which is neither 1 nor -1.")
    return [c for c in classes if c is not None], problems


def class_of(value: str) -> Label | None:
    """1 or -1; None for 0."""
    value = value.casefold().translate(PLAIN)
    if value[0] == "0":
        return None
    return -1 if value in NEGATIVE or value.startswith("-") else 1
