"""The readers of pairs without brackets or quotes: a line each, or many in one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .entries import Entry
from .literals import BRACKETS, LONGEST_LINE, NUMBER, OPEN_QUOTES, QUOTES, numbered_lines, undressed, value_of

_BULLET = re.compile(r"\s*+(?P<mark>(?:[-*•·+‣◦–—]|\(?\d{1,4}[.)、])\s++)?+(?P<rest>.*)")
_LINE = re.compile(
    rf"""
    (?: (?:[-=]>|→|[:：=,，|\t]|[-–—](?=\s))[ \t*_]*+[(（\[{OPEN_QUOTES}*_]*+
      | (?P<round>[(（])[ ]?
      | (?<!\s)\s++(?=[-+−]?\d*\.\d|[-+−]\d) )
    {NUMBER}
    (?(round)[ ]?[)）]) [ ]?[)）\]{QUOTES}*_]*+ [ ]?
    (?: [,;.，；。]?+[ \r]*+\Z | [(（\[] | [-–—:：#,]\s | // )""",
    re.VERBOSE,
)
_HEADING = re.compile(
    r"[^\d\n]{0,60}(?:positive|negative|neutral|words?\b|punctuation)[^\d\n]{0,60}[:*#]\s*", re.IGNORECASE
)
_NO_NUMBER = re.compile(r"(?P<word>[^:：]{1,40})[:：][^\d]{1,20}")
_IN_ONE_LINE = re.compile(
    rf"""(?<![^\s,;，；、])(?P<word>[^\s,;，；、()（）\[\]{{}}]{{1,40}}?|[,;，；、])
    [ ]?(?: [:：=][ ]? | [(（](?P<round>)[ ]? ) {NUMBER} (?(round)[ ]?[)）]) (?=[\s,;.，；、。]|\Z)""",
    re.VERBOSE,
)


def in_lines(text: str) -> Iterator[list[Entry]]:
    """- film: 0.5, a line each, with or without bullets or numbers."""
    block: list[Entry] = []
    for at, line in numbered_lines(text):
        entry = _line(at, line)
        if entry and (entry.value is not None or block):
            block.append(entry)
        elif line.strip() and block and not _HEADING.fullmatch(line):
            yield block
            block = []
    if block:
        yield block


def _line(at: int, line: str) -> Entry | None:
    parts = _BULLET.match(line) if len(line) <= LONGEST_LINE else None
    if not parts or not parts["rest"].strip():
        return None
    for found in _LINE.finditer(parts["rest"]):
        word, quoted = undressed(parts["rest"][: found.start()].rstrip("*_ "))
        word = word.removeprefix("**") or word
        if not word:
            continue  # the separator itself is the word, as in ":: 0.1"
        if len(word.split()) > 4 or len(word) > 40 or (len(word) > 1 and word[0] in BRACKETS):
            return None
        value = value_of(found["number"])
        return Entry(word, value, at, at + len(line), quoted or bool(parts["mark"]), name=True)
    found_none = _NO_NUMBER.fullmatch(parts["rest"].strip()) if parts["mark"] else None
    if not found_none:
        return None
    return Entry(undressed(found_none["word"])[0], None, at, at + len(line), True, name=True)


def in_one_line(text: str) -> Iterator[list[Entry]]:
    """This (0.1), film (0.2) and This: 0.1, film: 0.2, in one line."""
    for at, line in numbered_lines(text):
        if line.lstrip().startswith(("{", "[", "(")):
            continue
        entries = [
            Entry(undressed(m["word"])[0], value_of(m["number"]), at + m.start(), at + m.end(), False, name=True)
            for m in _IN_ONE_LINE.finditer(line)
        ]
        if entries:
            yield entries
