"""The readers of pairs in running text: many on one line, words above numbers, or in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .entries import Entry, grouped, has_fields, kind_of_key
from .literals import ARROW, LITERAL, NUMBER, as_number, is_fractional, numbered_lines, undressed, value_of

_NAMED_LINE = re.compile(
    r"[\s*_\-•]*+(?P<key>[^\W\d_][\w ]{0,20})[*_]{0,2}\s?[:：=][*_]{0,2}\s*+[\[(]?(?P<items>[^\[\]]+)[\])]?\s*;?\s*"
)
_BETWEEN_ITEMS = re.compile(r"[,，、]\s|\s?[|;]\s?")
_SENTENCE = re.compile(
    rf"(?P<word>[\"“„«「`][^\"”“»」`\n]{{1,40}}[\"”“»」`])[ ]"
    rf"(?:[^\W\d]{{1,30}},?[ ]){{1,8}}?[*]{{0,2}}{NUMBER}(?=[\s,;.)*]|\Z)"
)
_IN_ONE_LINE = re.compile(
    rf"""(?<![^\s,;,；、)）\]］])(?P<word>{LITERAL}|[^\s,;,；、()（）\[\]{{}}/]{{1,40}}?|[,;，；、/])
    (?: [ ]?(?:[:：=]|{ARROW})[ ]?
      | [ ]?\^?(?P<round>[(（\[{{<])[ ]?(?:(?P<label>[^\W\d_]{{3,16}})[:=：][ ]?)?
      | [/|_^](?=[-+−]?\d*[.]\d|[-+−]\d|[01]\b)
      | <(?P<script>su[bp]|small)> )
    {NUMBER} (?(round)[ ]?[)）\]}}>]) (?(script)</\w{{3,5}}>) (?=[\s,;.，；、。]|\Z|(?<=[)）\]］])[^\x00-\u2e7f])""",
    re.VERBOSE,
)


def in_one_line(text: str) -> Iterator[list[Entry]]:
    """Yield This (0.1), film (0.2); This: 0.1, film: 0.2; and This/0.1 film/0.2, of one line each."""
    for at, line in numbered_lines(text):
        if line.lstrip().startswith(("{", "[", "(")) or has_fields(line):
            continue
        entries = [
            Entry(undressed(m["word"])[0], value_of(m["number"]), at + m.start(), at + m.end(), False, name=True)
            for m in _IN_ONE_LINE.finditer(line)
            if not m["label"] or kind_of_key(m["label"]) == "value"
        ]
        if entries:
            yield entries


def in_two_lines(text: str) -> Iterator[list[Entry]]:
    """Yield the pairs of a line "Words: This, film" above a line "Scores: 0.1, 0.5" of equal length."""
    words: tuple[list[str], int] | None = None
    for at, line in numbered_lines(text):
        found = _NAMED_LINE.fullmatch(line)
        kind = kind_of_key(found["key"]) if found else None
        if not found or kind not in ("word", "value"):
            continue
        items = [item.strip() for item in _BETWEEN_ITEMS.split(found["items"])]
        if kind == "word":
            words = [undressed(item)[0] for item in items], at
            continue
        values = [as_number(item) for item in items]
        if words and len(words[0]) == len(values) > 1 and None not in values:
            yield [Entry(w, v, words[1], at + len(line), True) for w, v in zip(words[0], values, strict=True)]
        words = None


def in_sentences(text: str) -> Iterator[list[Entry]]:
    """Yield the pairs of sentences: The word "film" has an importance of 0.5."""
    entries = (
        Entry(found["word"][1:-1].strip(), value_of(found["number"]), found.start(), found.end(), True)
        for found in _SENTENCE.finditer(text)
        if is_fractional(found["number"])
    )
    return grouped(text, entries, lambda gap: "\n\n" in gap)
