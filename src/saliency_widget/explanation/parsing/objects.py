"""The reader of JSON objects and dictionaries, also in wrong quotes, without any, or broken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .entries import VALUE_KEYS, WORD_KEYS, Entry, grouped, noted
from .literals import LITERAL, NUMBER, as_number, unescaped, value_of

_BARE_KEYS = "|".join(sorted(key for key in WORD_KEYS | VALUE_KEYS if " " not in key))
_MEMBER = re.compile(
    rf"""(?P<bracket>[{{}}(\[\])])
    | (?: (?<!\\)(?P<key>\"\"\"(?=\s?:)|{LITERAL}) | (?<![\w"'])(?P<name>{_BARE_KEYS}) )
      \s*+[:：=]\s*+
      (?: (?P<string>\"\"\"(?=\s?[,}}])|{LITERAL}) | {NUMBER} | (?P<none>[^\s\[\]{{}}"'“,]{{1,30}}+|,(?=\s*\n)) )""",
    re.VERBOSE,
)
_NEXT_MEMBER = re.compile(r"[^\[\]{}]*+|(?!.*\n\s*\n)[\s,，;{}]*+", re.DOTALL)


class _Field(NamedTuple):
    """One member of an object: its value is a string, a number, or None."""

    key: str
    value: str | float | None
    start: int
    end: int
    named: bool  # a bare name: no word


def in_objects(text: str) -> Iterator[list[Entry]]:
    """{"word": "film", "importance": 0.5} and {"film": 0.5}, also where the brackets are missing."""
    return grouped(text, _each_object(text), lambda gap: not _NEXT_MEMBER.fullmatch(gap) or "```" in gap)


def _each_object(text: str) -> Iterator[Entry]:
    fields: list[_Field] = []
    depth = 0
    for found in _MEMBER.finditer(text):
        bracket = found["bracket"]
        if bracket:
            yield from _entries(fields)
            fields = []
            depth = max(depth + (1 if bracket in "([{" else -1), 0)
        elif not (depth and found.end() == len(text)):  # else the end may have cut the number
            fields.append(_field(found))
            if not depth and _is_object(fields[-2:]):
                yield from _entries(fields)
                fields = []
    yield from _entries(fields)


def _field(found: re.Match[str]) -> _Field:
    key = _literal(found["key"]) if found["key"] else found["name"]
    value = _literal(found["string"]) if found["string"] else value_of(found["number"]) if found["number"] else None
    if found["none"] and key.casefold() in WORD_KEYS and not found["key"]:
        value = found["none"]  # word: film, without quotes
    return _Field(key, value, found.start(), found.end(), not found["key"])


def _literal(written: str) -> str:
    return '"' if written == '"""' else unescaped(written[1:-1])


def _is_object(fields: list[_Field]) -> bool:
    """Whether these two name a word and its importance."""
    keys = {f.key.casefold() for f in fields}
    return bool(keys & WORD_KEYS) and bool(keys & VALUE_KEYS)


def _entries(fields: list[_Field]) -> Iterator[Entry]:
    """The pair that an object is, or those in a dictionary."""
    word = next((f for f in fields if f.key.casefold() in WORD_KEYS and isinstance(f.value, str)), None)
    if word and isinstance(word.value, str):
        given = [f for f in fields if f.key.casefold() in VALUE_KEYS]
        if given or not word.named:
            value = as_number(given[0].value) if given else None
            yield Entry(word.value, value, fields[0].start, fields[-1].end, True, noted(word.value, value))
        return
    for f in fields:
        if not f.named:
            value = as_number(f.value)
            yield Entry(f.key, value, f.start, f.end, True, noted(f.key, value), name=True)
