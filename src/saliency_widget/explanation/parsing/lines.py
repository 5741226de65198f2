"""The reader of pairs without brackets or quotes, one on each line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .entries import Entry, has_fields, kind_of_key
from .literals import (
    ARROW,
    BRACKETS,
    EMOJI,
    LITERAL,
    LONGEST_LINE,
    LONGEST_WORD,
    NUMBER,
    OPEN_QUOTES,
    QUOTES,
    VULGAR,
    as_number,
    is_fractional,
    numbered_lines,
    undressed,
    value_of,
)

_BULLET = re.compile(r"\s*+(?P<mark>(?:[-*•·+‣◦–—▪●○]|\\item|\(?\d{1,4}[.)、]|\(?[A-Za-z]\))\s++)?+(?P<rest>.*)")
_LEADING_TAGS = re.compile(r"\s*(?:<(?:li|p|div|ul|ol|br)\b[^<>]{0,80}>\s*)+", re.IGNORECASE)
_TRAILING_TAGS = re.compile(r"(?:</(?:li|p|div|ul|ol)>|<br\s?/?>|\s)+\Z", re.IGNORECASE)
_LINE = re.compile(
    rf"""
    (?: (?:{ARROW}|[:：=,，،;|\t]|[-–—](?=\s)) (?:[ \t*_(（\[{OPEN_QUOTES}]|{EMOJI})*+
      | (?P<round>[(（\[])[ ]?[*_]{{0,2}}
      | (?<!\s)\s++(?=[-+−]?\d*\.\d|[-+−]\d) )
    {NUMBER}
    [*_]*+ (?(round)[ ]?[)）\]]) [ ]?[)）\]{QUOTES}*_]*+ [ ]? (?:{EMOJI}{{1,3}}[ ]?)?
    (?= [,;.，；。]?+[ \r]*+\Z | [(（\[|] | [-–—:：#,]\s | // | {ARROW} )""",
    re.VERBOSE,
)
_ANOTHER_NUMBER = re.compile(rf"\s?[:：=][ ]?{NUMBER}[\s.,;]*")
_WORD_AND_REMARK = re.compile(r"(?P<word>[^:：=]{1,40})[:：=]\s(?:(?P<remark>[^\d:：]{1,60})|.{1,80})")
_WORD_AND_KIND = re.compile(r"(?P<word>\S{1,40}) [(（][^()（）\d]{2,40}[)）]")  # film (noun)
_BARS = re.compile(r"(?:[\s\u2580-\u259f]|\.{4,}|_{3,})+\Z")  # and what else leads to a number in a row
_QUOTED = re.compile(LITERAL)
_AND_MORE = frozenset(",，、")
_NO_LINE = re.compile(r"[|｜]|<[A-Za-z][\w:.-]{0,30}\s[^<>]{0,80}=")  # a table's row, an element with attributes
_HALF_QUOTED = re.compile(r'["“„«「]\w[^"”“»」]*["”“»」].')
_LONGEST_PHRASE = 8  # words
_DIGIT = re.compile(rf"[\d{VULGAR}]")
_A_LABEL = re.compile(
    r"[^\W\d_]{3}[ ]?[*_]{0,2}[ ]?(?:[:：=]|is|of|de|di|von|van)?[ ]?[*_]{0,2}[ ]?[-+−–~≈]?[ ]?[.]?\d"
)
_LABELLED = re.compile(
    rf"""(?P<word>(?P<dress>\*\*|__|`)[^\n]{{1,60}}?(?P=dress)|{LITERAL}|[^\n]{{1,60}}?)[*_]{{0,2}}\s*+
    (?:(?:[:：,，،|]|[-–—](?=\s)|{ARROW})\s*+(?:[^\d\n:：=]{{1,60}}?[,;，；(（\[–—]\s?)?|[(（\[])[ ]?[*_]{{0,2}}
    (?P<label>[^\W\d_]{{3,16}})[ ]?[*_]{{0,2}}[ ]?(?:[:：=]|\b(?:is|of|de|di|von|van)\b)?
    [ ]?[*_]{{0,2}}[ ]?{NUMBER}[*_]{{0,2}}[ ]?
    (?:[)）\]]?[.,;。，；]?[ \r]*+\Z|[)）\]]\s*+[-–—:]|[)）\]]?\s*+[(（\[|])""",
    re.VERBOSE,
)
_TITLE = re.compile(r"\s*+(?:[-*•]|\d{1,4}[.)]|#{1,6})\s++(?P<word>[^\s\d:：]{1,40})[:：]?[*]{0,2}[:：]?\s*")
_ABOUT_A_WORD = re.compile(
    r"\s*+(?:[-*•]\s)?[*_]{0,2}(?:reason|explanation|rationale|why|comment|note)\b", re.IGNORECASE
)
_REVISED = re.compile(rf"\s?{ARROW}\s?[*_`]{{0,2}}{NUMBER}[*_`]{{0,2}}[\s.;]*")
_NUMBER_ALONE = re.compile(rf"\s*+(?:[-*•:]\s++)?[*_`]{{0,2}}{NUMBER}[*_`]{{0,2}}\s*")
_DEFINED = re.compile(r"\s*+(?P<word>[^\s\d:：]{1,40})\s*")
_NUMBER_FIRST = re.compile(
    rf"[*_(（\[]{{0,3}}{NUMBER}[*_)）\]]{{0,3}}[ ]?(?:{ARROW}|[:：=,|\t]|[-–—](?=\s)|(?=\s))[ \t]?(?P<word>\S.{{0,60}})"
)
_HEADING = re.compile(
    r"[^\d\n]{0,60}(?:positive|negative|neutral|words?\b|punctuation)[^\d\n]{0,60}[:*#]\s*", re.IGNORECASE
)
_NO_NUMBER = re.compile(r"(?P<word>[^:：]{1,40})[:：][^\d]{1,20}")
_ONE = rf"(?:[^\s,，、]{{1,40}}|[{OPEN_QUOTES}].[{QUOTES}])"
_SEVERAL = re.compile(rf"{_ONE}(?:(?:[,，、]|\s/)\s{_ONE})+")
_AND_THE_NEXT = re.compile(r"(?:[,，、]|\s/)\s")


def in_lines(text: str) -> Iterator[list[Entry]]:
    """Yield lines like "- film: 0.5" or "- 0.5: film", with or without bullets or numbers.

    A word can also stand alone, as a heading, and its number below it: "Importance: 0.5".
    """
    block: list[Entry] = []
    title: tuple[str, int] | None = None
    defined: tuple[str, int] | None = None  # the word on the line before
    for at, line in numbered_lines(text):
        entries = _line(at, line)
        if title and len(entries) == 1 and kind_of_key(entries[0].word) == "value":
            entries = [entries[0]._replace(word=title[0], start=title[1], quoted=True)]
            title = None
        elif not entries and (title or defined) and len(line) <= LONGEST_LINE:
            entries = _number_below(at, line, title, defined)
        alone = _DEFINED.fullmatch(line) if len(line) <= LONGEST_WORD else None
        defined = (alone["word"], at) if alone else None
        if entries and (entries[0].value is not None or block):
            block += entries
        elif line.strip():
            title = _title(at, line)
            if block and not title and not _HEADING.fullmatch(line) and not _ABOUT_A_WORD.match(line):
                yield block
                block = []
    if block:
        yield block


def _number_below(at: int, line: str, title: tuple[str, int] | None, defined: tuple[str, int] | None) -> list[Entry]:
    """Return the pair of a line that is nothing but the number of a word above it: "- film" over "  - 0.5"."""
    found = _NUMBER_ALONE.fullmatch(line)
    above = defined if line.lstrip().startswith(":") else title
    if not found or above is None or not is_fractional(found["number"]):
        return []
    return [Entry(above[0], value_of(found["number"]), above[1], at + len(line), True, name=True)]


def _title(at: int, line: str) -> tuple[str, int] | None:
    """Return the word that a line consists of, and where the line begins, if it is a heading or a bullet."""
    found = _TITLE.fullmatch(line) if len(line) <= LONGEST_WORD else None
    return (undressed(found["word"])[0], at) if found else None


def _line(at: int, line: str) -> list[Entry]:
    """Return the pairs in a line: one, or several words with one number."""
    end = at + len(line)
    if "<" in line:
        line = _TRAILING_TAGS.sub("", _LEADING_TAGS.sub("- ", line))
    parts = _BULLET.match(line) if len(line) <= LONGEST_LINE else None
    if not parts or _NO_LINE.match(parts["rest"]) or has_fields(line):
        return []
    rest, marked = parts["rest"], bool(parts["mark"])
    read = _with_number if _DIGIT.search(rest) else _without_number
    pair = read(rest, marked)
    return [Entry(word, pair.value, at, end, pair.quoted or marked, name=True) for word in pair.words] if pair else []


class _Pair(NamedTuple):
    """The words of a line, and their number."""

    words: list[str]
    value: float | None
    quoted: bool


def _with_number(rest: str, marked: bool) -> _Pair | None:
    return _labelled(rest, marked) or _plain(rest, marked)


def _labelled(rest: str, marked: bool) -> _Pair | None:
    """Read "film (importance: 0.5)", "film: a noun, score 0.5"."""
    found = _LABELLED.match(rest) if _A_LABEL.search(rest) else None
    if not found or kind_of_key(found["label"]) != "value":
        return None
    raw = found["word"]
    word, quoted = undressed(raw if found["dress"] else raw.rstrip("*_ :："))
    return _Pair([word], value_of(found["number"]), quoted) if _is_word(word, found["word"], marked) else None


def _plain(rest: str, marked: bool) -> _Pair | None:
    """Read "film: 0.5", "film (0.5)", "0.5: film"."""
    literal = _QUOTED.match(rest)
    start = literal.end() if literal and _LINE.search(rest, literal.end()) else 0  # "," may be the word
    for found in _LINE.finditer(rest, start):
        raw = _BARS.sub("", rest[: found.start()]).rstrip("*_ ")
        word, quoted = undressed(raw)
        word = word.removeprefix("**") or word
        if not word:
            continue  # the separator itself is the word, as in ":: 0.1"
        if _ANOTHER_NUMBER.fullmatch(rest, found.end("number")):
            continue  # 7:30: 0.1
        first = _number_first(rest) if as_number(word) is not None else None
        if not quoted and rest[found.end() : found.end() + 1] in _AND_MORE and _WORD_AND_REMARK.fullmatch(word):
            return None  # Positive: good (0.8), great (0.9)
        revised = _REVISED.fullmatch(rest, found.end())  # 0.3 → 0.5
        value = value_of((revised or found)["number"])
        return first or _word_first(word, raw, quoted, value, marked)
    return _number_first(rest) or _without_number(rest, marked)


def _without_number(rest: str, marked: bool) -> _Pair | None:
    """Read "- film: high", which has a word only."""
    found = _NO_NUMBER.fullmatch(rest.strip()) if marked else None
    return _Pair([undressed(found["word"])[0]], None, True) if found else None


def _word_first(word: str, raw: str, quoted: bool, value: float | None, marked: bool) -> _Pair | None:
    if _SEVERAL.fullmatch(raw):  # The, is, . : 0.0
        return _Pair([undressed(each)[0] for each in _AND_THE_NEXT.split(raw)], value, quoted)
    kind = None if quoted else _WORD_AND_KIND.fullmatch(word)
    word = kind["word"] if kind else word
    about = None if quoted or len(word) < 3 else _WORD_AND_REMARK.fullmatch(word)
    if about:  # film: neutral (0.0); but in "film: 0.8 to 0.9" is no number
        word, value = undressed(about["word"])[0], value if about["remark"] else None
    return _Pair([word], value, quoted) if quoted or _is_word(word, raw, marked) else None


def _is_word(word: str, raw: str, marked: bool) -> bool:
    """Return whether the text before a number can be a word, or a phrase if a bullet precedes it."""
    if len(word) > 1 and word[0] in BRACKETS and raw[:1] == word[0]:
        return False
    if _HALF_QUOTED.match(word):
        return False  # "film" - score: 0.5 is about the word, but not a word
    return len(word.split()) <= (_LONGEST_PHRASE if marked else 4) and len(word) <= (LONGEST_WORD if marked else 40)


def _number_first(rest: str) -> _Pair | None:
    """Read "0.5: film". A whole number before a word is its position, not its importance."""
    found = _NUMBER_FIRST.fullmatch(rest.strip())
    if not found or not is_fractional(found["number"]):
        return None
    word, quoted = undressed(found["word"])
    if as_number(word) is not None or len(word.split()) > 2 or len(word) > 40:
        return None
    return _Pair([word], value_of(found["number"]), quoted)
