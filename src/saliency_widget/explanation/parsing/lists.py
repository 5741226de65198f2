"""Which readers there are, and which of the lists that they find count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .classes import KEY, NEGATIVE, POSITIVE
from .entries import VALUE_KEYS, Entry
from .lines import in_lines, in_one_line
from .literals import OPEN_QUOTES, OPENERS
from .objects import in_objects
from .tables import in_tables
from .tuples import in_tuples

# Each goes over the whole text and gives the lists of entries it finds, in order. Who knows most of what it reads comes
# first. Those without brackets are a kind of their own: they take a number that was cut for a whole one.
_WITH_BRACKETS = (in_objects, in_tuples)
_WITHOUT_BRACKETS = (in_tables, in_lines, in_one_line)

_TEMPLATE = re.compile(r"<[^<>]{1,60}>|(?:word or punctuation|float importance|int classification)", re.IGNORECASE)
_ONLY_NUMBERS = re.compile(r"[\d.,．%％\s\-+]+")
_NO_WORDS = POSITIVE | NEGATIVE | VALUE_KEYS
_NO_WORDS |= {"neutral", "mixed", "中性", "sentiment", "classification", "class", "label"}
_OPENS = re.compile(rf"[\[{{［【｛]\s*+[{OPENERS}{OPEN_QUOTES}]?+\Z")
_CLOSES = re.compile(r"[\s,，、.…]*+[\]}］】｝]")
_CLASS_KEYS = {"class", "classification", "label", "sentiment", "polarity", "prediction", "分类", "分類", "情感"}
_CLASS_KEY = re.compile(rf"(?:\w{{1,20}}\s)?{KEY}[*_ ]{{0,3}}[:：=]", re.IGNORECASE)
_OVERALL = re.compile(r"(?:overall|final|total|average)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundList:
    """Entries that belong together, at least one with a number.

    `brackets`: a bracket was opened before them, and not closed after them.
    """

    entries: list[Entry]
    pairs: list[tuple[str, float]]
    brackets: bool

    @property
    def start(self) -> int:
        """Where the first entry begins."""
        return self.entries[0].start

    @property
    def end(self) -> int:
        """Where the last entry ends."""
        return self.entries[-1].end


def lists_in(text: str, check: Callable[[], None]) -> list[FoundList]:
    """The lists of the reader that found the longest one, in order; of several as long, of the one that knows most.

    What is written without brackets has to be longer by two. `check` is called before each reader.
    """

    def found_by(reader: Callable[[str], Iterator[list[Entry]]]) -> list[FoundList]:
        check()
        return list(_worth_it(text, reader(text)))

    strict, loose = (
        max((found_by(reader) for reader in readers), key=_longest) for readers in (_WITH_BRACKETS, _WITHOUT_BRACKETS)
    )
    return loose if _longest(loose) > _longest(strict) + bool(strict) else strict


def _longest(lists: list[FoundList]) -> int:
    return max((len(found.pairs) for found in lists), default=0)


def _worth_it(text: str, lists: Iterable[list[Entry]]) -> Iterator[FoundList]:
    """Those that are about words."""
    for given in lists:
        entries = _without_class([entry for entry in given if not _is_template(entry)])
        pairs = [(entry.word, entry.value) for entry in entries if entry.value is not None]
        if all(word.casefold().strip(" *_\"'") in _NO_WORDS for word, _ in pairs):
            continue  # also where there are no pairs
        brackets = _opened(text, entries[0].start, entries[-1].end)
        alone = len(pairs) == 1 and not any(entry.quoted for entry in entries if entry.value is not None)
        numbers = all(_ONLY_NUMBERS.fullmatch(word) for word, _ in pairs) and (alone or len(pairs) > 1)
        if not (numbers or (alone and not brackets)):  # (as here, 1) in prose is alone
            yield FoundList(entries, pairs, brackets)


def _is_template(entry: Entry) -> bool:
    """Whether the entry is the prompt's example; "<br>" with a number is a word."""
    return bool(_TEMPLATE.fullmatch(entry.word)) and (entry.value is None or entry.word[0] != "<")


def _opened(text: str, start: int, end: int) -> bool:
    """Whether there is a bracket around, open before `start` and not closed at `end`."""
    before = text[max(start - 20, 0) : start + 1]
    return bool(_OPENS.search(before)) and not _CLOSES.match(text, end)


def _without_class(entries: list[Entry]) -> list[Entry]:
    """Without the class at either end of a list, which is written like a pair there: "Classification: 1"."""
    words = [at for at, entry in enumerate(entries) if not _states_class(entry)]
    return entries[words[0] : words[-1] + 1] if words else []


def _states_class(entry: Entry) -> bool:
    if not entry.name:
        return False
    last = entry.word.casefold().split(" ")[-1]
    named = last in _CLASS_KEYS or _CLASS_KEY.match(entry.word)
    return bool(named and entry.value in {None, 0, 1, -1}) or bool(_OVERALL.match(entry.word))
