"""The reader of ("word", 0.5) and ["word", 0.5], in any quotes and brackets, or with broken ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .entries import Entry, grouped, noted, shown
from .literals import (
    ARROW,
    BRACKETS,
    CLOSERS,
    LITERAL,
    LONGEST_WORD,
    NUMBER,
    OPEN_QUOTES,
    OPENERS,
    QUOTES,
    is_fractional,
    undressed,
    unescaped,
    value_of,
)

_OPENING = re.compile(rf"[{OPENERS}]")
_SEPARATOR = rf"(?:[,，、،:：;；=|]|{ARROW})"
_TUPLE = re.compile(
    rf"""[{OPENERS}]\s*+(?:\d{{1,6}}\s*+[,，]\s*+)?(?P<word>{LITERAL})
    (?: \s*+ (?: {_SEPARATOR}\s*+ | [-–—.][ ]++ ) | \s++ )
    (?P<between>{LITERAL}\s*+[,，،]\s*+)?+
    [{OPEN_QUOTES}*]?+ {NUMBER} [*]?+
    (?P<more>[ ]?[,，、،;:|][^{OPENERS}{CLOSERS}\n]{{0,80}}+)?+
    (?: \s*+[{QUOTES}]?+\s*+[{CLOSERS}] | (?=\s*+[,，、،]?+\s*+[(\[（［]) | (?=[ \t\r,，]*+\n) )""",
    re.VERBOSE,
)
_REVERSED = re.compile(
    rf"[{OPENERS}]\s*+[{OPEN_QUOTES}]?+{NUMBER}[{QUOTES}]?+\s*+{_SEPARATOR}\s*+(?P<word>{LITERAL})\s*+[{CLOSERS}]"
)
# The end of a pair whose word is not properly quoted.
_ENDING = re.compile(rf"{_SEPARATOR}\s*+[{OPEN_QUOTES}]?+{NUMBER}[ ]?[{QUOTES}]?+\s*+(?P<close>[{CLOSERS}])")
_TWO_WORDS = re.compile(rf"[{QUOTES}]\s*+{_SEPARATOR}\s*+[{OPEN_QUOTES}]|[{OPENERS}]\s*+[{OPEN_QUOTES}]")
_NO_WORD = re.compile(rf"[{OPENERS}{CLOSERS}\n]")
_MEMBERS = re.compile(rf"\{{\s*+{LITERAL}\s*+:\s*+{NUMBER}\s*+,\s*+{LITERAL}\s*+:")
_NO_NUMBER = re.compile(
    rf"""[{OPENERS}]\s*+(?P<word>{LITERAL})\s*+
    (?:{_SEPARATOR}\s*+(?:{LITERAL}|[^{OPENERS}{CLOSERS}{OPEN_QUOTES}\n]{{0,80}}+)\s*+)?+[{CLOSERS}]""",
    re.VERBOSE,
)
_NOTHING_LIKE_IT = re.compile(rf"[(（]\s*+(?P<word>{LITERAL})\s*+[,，:](?:[^()（）\n]{{0,80}}+(?:[)）]|(?=[(（\n])))")
_BARE_NO_NUMBER = re.compile(r"[(（]\s*+(?P<word>[^()（）\[\]{}\n,，]{1,40}+)[,，][^()（）\[\]{}\n,，]{0,40}+[)）]")
_NEW_LIST = re.compile(r"[\[\]{}［］【】]|```|\n[^\S\n]*+\n\s*+[^\s(（]")


def in_tuples(text: str) -> Iterator[list[Entry]]:
    """Yield lists of ("word", 0.5) and ["word", 0.5]."""
    return grouped(text, each_tuple(text), lambda gap: bool(_NEW_LIST.search(gap)))


def each_tuple(text: str) -> Iterator[Entry]:
    """Yield every pair in brackets."""
    endings = _Endings(text)
    found = _OPENING.search(text)
    while found:
        at = found.start()
        if text[at] == "{" and _MEMBERS.match(text, at):  # a dictionary
            found = _OPENING.search(text, at + 1)
            continue
        entry = _strict(text, at) or _reversed(text, at) or endings.entry(at) or _numberless(text, at)
        if entry:
            yield entry
        found = _OPENING.search(text, entry.end if entry else at + 1)


def _strict(text: str, at: int) -> Entry | None:
    """Return the pair at `at` if its word is in proper quotes."""
    found = _TUPLE.match(text, at)
    if not found:
        return None
    word, number = unescaped(found["word"][1:-1]), found["number"]
    value = value_of(number)
    note: str | None
    if "," in number:
        note = f"The comma in the number of {shown(word)} is read as a decimal point."
    elif found["between"] or (found["more"] or "").strip(" ,，、;"):
        note = f"There is more than a number with {shown(word)}."
    else:
        note = noted(word, value)
    return Entry(word, value, at, found.end(), True, note)


def _reversed(text: str, at: int) -> Entry | None:
    """Return the pair at `at` if its number comes first: (0.5, "film")."""
    found = _REVERSED.match(text, at)
    if not found or not is_fractional(found["number"]):
        return None  # in (0, "film") the number is a position
    word, value = unescaped(found["word"][1:-1]), value_of(found["number"])
    return Entry(word, value, at, found.end(), True, noted(word, value))


class _Endings:
    """A reader of pairs with broken or missing quotes: from an opening bracket to the next ", 0.5)"."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = _ENDING.search(text)

    def entry(self, at: int) -> Entry | None:
        """Return the pair of the bracket at `at`, or None. Must be called in order, so each ending is found once."""
        while self._next and self._next.start() <= at:
            self._next = _ENDING.search(self._text, at + 1)
        end = self._next
        if not end or end.start() - at > LONGEST_WORD:
            return None
        raw = self._text[at + 1 : end.start()].strip()
        word, quoted = undressed(raw)
        if not quoted:
            word = word.strip(QUOTES) or word
        in_quotes = quoted or raw[:1] in OPEN_QUOTES
        if not _is_word(raw, in_quotes) or (not in_quotes and BRACKETS[self._text[at]] != end["close"]):
            return None
        value = value_of(end["number"])
        return Entry(word, value, at, end.end(), quoted, noted(word, value))


def _is_word(raw: str, in_quotes: bool) -> bool:
    if in_quotes:
        return "\n" not in raw and not _TWO_WORDS.search(raw)
    return len(raw) == 1 or (not _NO_WORD.search(raw) and len(raw.split()) <= 4)


def _numberless(text: str, at: int) -> Entry | None:
    """Return the word in brackets at `at` if it has no readable number."""
    found = _NO_NUMBER.match(text, at) or _NOTHING_LIKE_IT.match(text, at)
    if found:
        return Entry(unescaped(found["word"][1:-1]), None, at, found.end(), True)
    found = _BARE_NO_NUMBER.match(text, at)
    return Entry(found["word"].strip(), None, at, found.end(), False) if found else None
