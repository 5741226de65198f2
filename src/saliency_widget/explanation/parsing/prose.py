"""The class that free prose decides on, sentence by sentence."""

from __future__ import annotations

import re
from typing import Generic

from .labels import NEITHER, L, Labels
from .literals import words

_ABOUT_ANY = words("passage article document message topic category class label sentence answer post comment question")
_ABOUT = words("review sentiment text opinion verdict impression classification it this it's tone")
_HAS = words("has have conveys expresses")
_IS = words("is was it's as seems appears be reads leans remains") | _HAS
_TONE = words("tone sentiment opinion view feeling message assessment impression attitude review outlook")
_NOT = words("not no never neither nor without hardly isn't doesn't don't wasn't cannot can't lacks lack than instead")
_MAYBE = words(
    "whether if would could might may should can perhaps possibly possible sometimes either assuming suppose"
)
_ELSEWHERE = words("about of that which who by than because between for with from")
_BOTH = words("mix mixture both")
_NOT_IN_CHINESE = frozenset("不非没沒无無")

_SENTENCE = re.compile(r"[.!?;](?=\s|$)|[\n。！？；]")
_ENGLISH_OR_CHINESE = r"[a-z]++(?:['’][a-z]++)?+|-?\d++|[\u4e00-\u9fff]"
_CONCLUDING = re.compile(
    r"\W{0,9}(?:in conclusion|in summary|to sum up|overall|therefore|thus|hence|so),?\s", re.IGNORECASE
)
_SAYING = re.compile(r"\bI(?: would|['’]d| can| could| should)\b|\bcan be (?=class|categ|label|consid)", re.IGNORECASE)
_IN_CHINESE = r"""
    (?: (?:评论|評論|影评|影評|评价|評價|情感|态度|態度|观点|觀點|文本|文章)[^。\n]{0,12}?(?:是|为|為|属于|屬於|偏)
      | (?:这|這|此|本)[^。\n，,]{0,8}?(?:是|为|為|属于|屬於) )
    [^。\n，,]{0,6}?"""
_NAME_AND_NUMBER = r"""
    (?P<name>{name})(?:[ ](?:review|sentiment|class|label|overall))?(?:评论|評論|影评|影評|评价|評價|的)*
    (?:です|である|입니다|이다)?[ ]?[*_]*[ ]?
    [(（\[]\s?(?P<number>{number})\s?[)）\]]"""
_NUMBER_AND_NAME = r"""(?<![\w.,-])(?P<number>{number})[ ]?[*_]*[ ]?[(（][ ]?[*_"']*(?P<name>{name})[*_"']*[ ]?[)）]"""
_QUOTE = re.compile(r"[\"“”„«»「」`]|(?<!\w)'\w")
_LISTED = re.compile(r"\s*(?:[-*•]|\d{1,4}[.)])\s")
_OPENING_WORD = r"""
    [*_"'`\s]{{0,9}}(?P<name>{name})
    (?=[*_"'`]{{0,3}}(?:\s{{0,3}}[.:,;!(\n]|\s{{1,3}}[-–—]\s|\s{{0,3}}$|\s(?:review|because|as)\b))"""


class _Prose(Generic[L]):
    """The patterns and words that are searched in prose about these labels."""

    def __init__(self, labels: Labels[L]) -> None:
        name, number = labels.name, labels.number
        self.labels = labels
        self.about = _ABOUT if labels.homework else _ABOUT | _ABOUT_ANY
        self.elsewhere = _ELSEWHERE if labels.homework else _ELSEWHERE - {"about", "of"}  # "is about cooking"
        self.named_at_all = re.compile(rf"{name}|\b(?:{'|'.join(sorted(NEITHER))})\b", re.IGNORECASE)
        self.token = re.compile(rf"(?P<name>{name})|{_ENGLISH_OR_CHINESE}", re.IGNORECASE)
        flags = re.VERBOSE | re.IGNORECASE
        self.chinese = re.compile(rf"{_IN_CHINESE}(?P<value>{name})", flags)
        self.named = re.compile(_NAME_AND_NUMBER.format(name=name, number=number), flags)
        self.numbered = re.compile(_NUMBER_AND_NAME.format(name=name, number=number), flags)
        self.opening = re.compile(_OPENING_WORD.format(name=name), flags)


def class_by_prose(text: str, labels: Labels[L]) -> L | None:
    """Return the class that all deciding sentences agree on, or None. If any sentence concludes, only those count."""
    prose = _Prose(labels)
    decided: set[L | None] = set()  # None: neither
    concluded: set[L | None] = set()
    at = 0
    for end in [*(m.end() for m in _SENTENCE.finditer(text)), len(text)]:
        sentence, at = text[at:end], end
        said = _sentence(sentence, prose)
        decided |= said
        if said and _CONCLUDING.match(sentence):
            concluded |= said
    opening = prose.opening.match(text)
    if opening:
        decided.add(labels.of(opening["name"]))
    decided = concluded or decided
    return decided.pop() if len(decided) == 1 else None


def _sentence(sentence: str, prose: _Prose[L]) -> set[L | None]:
    """Return the classes (None: neither) that a sentence decides on; none if it is about both, or hypothetical."""
    labels = prose.labels
    if not prose.named_at_all.search(sentence):
        return set()
    decided: set[L | None] = {
        labels.of(m["value"]) for m in prose.chinese.finditer(sentence) if _NOT_IN_CHINESE.isdisjoint(m[0])
    }
    tokens: list[str] = []
    meanings: list[L | None] = []
    for found in prose.token.finditer(_SAYING.sub(" ", sentence)):
        tokens.append(found[0].casefold().replace("’", "'"))
        meanings.append(labels.of(found["name"]) if found["name"] else None)
    if not _MAYBE.isdisjoint(tokens):
        return decided
    named = [m is not None or (labels.homework and token in NEITHER) for m, token in zip(meanings, tokens, strict=True)]
    meant = [at for at, is_name in enumerate(named) if is_name and not _negated(tokens, at)]
    if len({meanings[at] for at in meant}) != 1:
        return decided | ({None} if meant and not _BOTH.isdisjoint(tokens) else set())
    if _name_and_number(sentence, prose) and sum(named) == len(meant):
        return decided | {meanings[meant[0]]}
    return decided | {meanings[at] for at in meant if _is_about_review(tokens, named, at, prose)}


def _name_and_number(sentence: str, prose: _Prose[L]) -> bool:
    """Return whether a class is written with its number, "negative (-1)", in a sentence that quotes no word."""
    found = (m for pattern in (prose.named, prose.numbered) for m in pattern.finditer(sentence))
    agreeing = any(prose.labels.of(m["name"]) == prose.labels.of(m["number"]) for m in found)
    return agreeing and not _QUOTE.search(sentence) and not _LISTED.match(sentence)


def _negated(tokens: list[str], at: int) -> bool:
    """Return whether a negation other than "not only" precedes, with no "but" or "rather" between."""
    for back in range(at - 1, max(at - 9, -1), -1):
        if tokens[back] in {"but", "rather"}:
            return False
        if tokens[back] in _NOT and tokens[back + 1] != "only":
            return True
    return False


def _is_about_review(tokens: list[str], named: list[bool], at: int, prose: _Prose[L]) -> bool:
    """Return whether the words before are about the review, rather than about something in it."""
    verb = next((back for back in range(at - 1, max(at - 8, -1), -1) if tokens[back] in _IS), None)
    if verb is None or not prose.elsewhere.isdisjoint(tokens[verb:at]):
        return False
    if tokens[verb] in _HAS and _TONE.isdisjoint(tokens[at + 1 : at + 2]):
        return False  # "has a negative side"
    return any(
        tokens[back] in prose.about and not (back and named[back - 1]) for back in range(verb, max(verb - 20, -1), -1)
    )
