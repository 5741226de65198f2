"""The reader of XML and HTML: a word in an element, its number in an attribute or in an element beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from .entries import Entry, grouped, kind_of_key, noted
from .literals import as_number

_ELEMENT = re.compile(
    r"""<(?P<tag>[A-Za-z][\w:.-]{0,30}+)
    (?P<attributes>(?:\s{1,8}[\w:.-]{1,40}\s?=\s?(?:"[^"<>\n]{0,80}"|'[^'<>\n]{0,80}'))*+)\s{0,8}
    (?:/>|>(?P<text>[^<>\n]{0,80}+|<(?=</))(?=</))""",
    re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,40})\s?=\s?(?:"([^"]*+)"|'([^']*+)')""")
_LONGEST_GAP = 300


def in_markup(text: str) -> Iterator[list[Entry]]:
    """Yield pairs: <word importance="0.5">film</word>, <item word="film" score="0.5"/>, <word>film</word><score>…."""
    return grouped(text, _each(text), lambda gap: len(gap) > _LONGEST_GAP)


def _each(text: str) -> Iterator[Entry]:
    word: tuple[str, int, int] | None = None  # that waits for its number
    number: tuple[float, int, int] | None = None
    for found in _ELEMENT.finditer(text):
        start, end = found.span()
        kind, inner = kind_of_key(found["tag"]), unescape(found["text"] or "").strip()
        given = [(name, unescape(a or b)) for name, a, b in _ATTRIBUTE.findall(found["attributes"])]
        values = [v for name, v in given if _names_value(name) and as_number(v) is not None]
        names = [v for name, v in given if kind_of_key(name) == "word" and v not in values]
        if values and (names or inner):
            yield _entry(names[0] if names else inner, values[0], start, end)
        elif kind == "word" and inner and not given:
            word = inner, start, end
        elif kind == "value" and as_number(inner) is not None and not given:
            number = as_number(inner) or 0.0, start, end
        if word and number:
            yield Entry(word[0], number[0], min(word[1], number[1]), max(word[2], number[2]), True)
            word = number = None


def _names_value(name: str) -> bool:
    return kind_of_key(name) == "value" or name.startswith("data-") or name == "title"


def _entry(word: str, number: str, start: int, end: int) -> Entry:
    value = as_number(number)
    return Entry(word, value, start, end, True, noted(word, value))
