"""The class that free prose decides on, sentence by sentence."""

from __future__ import annotations

import re

from .classes import CLASS_WORD, Label, class_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABOUT = _words("review sentiment text opinion verdict impression classification it this it's tone")
_HAS = _words("has have conveys expresses")
_IS = _words("is was it's as seems appears be reads leans remains") | _HAS
_TONE = _words("tone sentiment opinion view feeling message assessment impression attitude review outlook")
_NOT = _words("not no never neither nor without hardly isn't doesn't don't wasn't cannot can't lacks lack than instead")
_MAYBE = _words(
    "whether if would could might may should can perhaps possibly possible sometimes either assuming suppose"
)
_ELSEWHERE = _words("about of that which who by than because between for with from")
_BOTH = _words("mix mixture both")
_NOT_IN_CHINESE = frozenset("不非没沒无無")
_SENTIMENTS: dict[str, int] = {"positive": 1, "negative": -1, "neutral": 0, "mixed": 0}

_SENTENCE = re.compile(r"[.!?](?=\s|$)|[\n。！？]")
_TOKEN = re.compile(r"[a-z]++(?:['’][a-z]++)?+|-?\d++|[\u4e00-\u9fff]", re.IGNORECASE)
_CONCLUDING = re.compile(
    r"\W{0,9}(?:in conclusion|in summary|to sum up|overall|therefore|thus|hence|so),?\s", re.IGNORECASE
)
_SAYING = re.compile(r"\bI(?: would|['’]d| can| could| should)\b|\bcan be (?=class|categ|label|consid)", re.IGNORECASE)
_CHINESE = re.compile(
    rf"""(?:评论|評論|影评|影評|评价|評價|情感|态度|態度|观点|觀點)[^。\n]{{0,12}}?(?:是|为|為|属于|屬於|偏)
    [^。\n，,]{{0,6}}?(?P<value>{CLASS_WORD})""",
    re.VERBOSE,
)
_OPENING_WORD = re.compile(
    r"""[*_"'`\s]{0,9}(positive|negative)(?=[*_"'`]{0,3}(?:\s{0,3}[.:,;!(\n]|\s{1,3}[-–—]\s|\s{0,3}$|\s(?:review|because|as)\b))""",
    re.IGNORECASE,
)


def class_by_prose(text: str) -> Label | None:
    """The class that all sentences which decide on one agree on; only those that conclude, where there are such."""
    decided: set[int] = set()
    concluded: set[int] = set()
    at = 0
    for end in [*(m.end() for m in _SENTENCE.finditer(text)), len(text)]:
        sentence, at = text[at:end], end
        said = _sentence(sentence)
        decided |= said
        if said and _CONCLUDING.match(sentence):
            concluded |= said
    opening = _OPENING_WORD.match(text)
    if opening:
        decided.add(_SENTIMENTS[opening[1].casefold()])
    decided = concluded or decided
    if decided == {1}:
        return 1
    return -1 if decided == {-1} else None


def _sentence(sentence: str) -> set[int]:
    """The classes (0: neither) that a sentence decides on: none where it speaks of both, or of what might be."""
    decided: set[int] = {
        class_of(m["value"]) or 0 for m in _CHINESE.finditer(sentence) if _NOT_IN_CHINESE.isdisjoint(m[0])
    }
    tokens = [token.casefold().replace("’", "'") for token in _TOKEN.findall(_SAYING.sub(" ", sentence))]
    if not _MAYBE.isdisjoint(tokens):
        return decided
    meant = [at for at, token in enumerate(tokens) if token in _SENTIMENTS and not _negated(tokens, at)]
    if len({_SENTIMENTS[tokens[at]] for at in meant}) != 1:
        return decided | ({0} if meant and not _BOTH.isdisjoint(tokens) else set())
    return decided | {_SENTIMENTS[tokens[at]] for at in meant if _is_about_review(tokens, at)}


def _negated(tokens: list[str], at: int) -> bool:
    """Whether "not" or the like comes before, with no "but" between; "not only" is none."""
    for back in range(at - 1, max(at - 9, -1), -1):
        if tokens[back] == "but":
            return False
        if tokens[back] in _NOT and tokens[back + 1] != "only":
            return True
    return False


def _is_about_review(tokens: list[str], at: int) -> bool:
    """Whether what comes before says that the review is so, rather than that something in it is."""
    verb = next((back for back in range(at - 1, max(at - 8, -1), -1) if tokens[back] in _IS), None)
    if verb is None or not _ELSEWHERE.isdisjoint(tokens[verb:at]):
        return False
    if tokens[verb] in _HAS and _TONE.isdisjoint(tokens[at + 1 : at + 2]):
        return False  # "has a negative side"
    return any(
        tokens[back] in _ABOUT and tokens[back - 1] not in _SENTIMENTS for back in range(verb, max(verb - 20, -1), -1)
    )
