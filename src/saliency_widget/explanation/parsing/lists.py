"""The rules for which of the lists that a reader finds are lists of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .classes import KEY
from .entries import CLASS_KEYS, VALUE_KEYS, Entry
from .labels import NEITHER, L, Labels
from .literals import OPEN_QUOTES, OPENERS, words

_TEMPLATE = re.compile(r"<[^<>]{1,60}>|(?:word or punctuation|float importance|int classification)", re.IGNORECASE)
_ONLY_NUMBERS = re.compile(r"(?=.*\d)[\d.,．%％\s\-+/]+", re.DOTALL)
_NO_WORDS = VALUE_KEYS | CLASS_KEYS | NEITHER | {"中性", "confidence", "probability"}
_OPENS = re.compile(rf"[\[{{［【｛]\s*+[{OPENERS}{OPEN_QUOTES}]?+\Z")
_CLOSES = re.compile(r"[\s,，、.…]*+[\]}］】｝]")
_CLASS_KEY = re.compile(rf"[#*_ ]{{0,6}}(?:\w{{1,20}}\s)?{KEY}[*_ ]{{0,3}}[:：=]", re.IGNORECASE)
_OVERALL = re.compile(r"\**(?:overall|final|total|average|sum|net)\b", re.IGNORECASE)
_FINAL = words("final finale finales overall général general global globale total gesamt")
_NEVER_WORDS = frozenset({"classification", "final classification", "int classification", "prediction"})
_CONFIDENCE = frozenset({"confidence", "probability", "certainty", "konfidenz", "confianza", "置信度"})
_CUT = re.compile(r"\d[.．]\Z")
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")


@dataclass(frozen=True, slots=True)
class FoundList:
    """A list of entries, at least one with a number. `rank`: the index of its reader.

    `brackets`: whether a bracket opens before the entries and does not close after them.
    """

    entries: list[Entry]
    pairs: list[tuple[str, float]]
    brackets: bool
    rank: int

    @property
    def start(self) -> int:
        """Return the start of the first entry."""
        return self.entries[0].start

    @property
    def end(self) -> int:
        """Return the end of the last entry."""
        return self.entries[-1].end


def lists_of(
    answer: str,
    lists: Iterable[Sequence[Entry]],
    rank: int,
    known: Callable[[str], bool | None],
    labels: Labels[L],
) -> Iterator[FoundList]:
    """Yield the lists of words, but no legends of classes, lists of numbers or single pairs in prose.

    `known` returns whether a word is in the explained text, or None if no text is given.
    """
    for given in lists:
        entries = [_if_whole(answer, entry) for entry in given if not _is_template(entry)]
        entries = _without_class(answer, entries, known, labels)
        pairs = [(entry.word, entry.value) for entry in entries if entry.value is not None]
        if all(_is_no_word(word, labels) for word, _ in pairs) and not (
            pairs and all(known(word) for word, _ in pairs)
        ):
            continue  # also if there are no pairs
        brackets = _opened(answer, entries[0].start, entries[-1].end)
        alone = len(pairs) == 1 and not any(entry.quoted for entry in entries if entry.value is not None)
        numbers = all(_ONLY_NUMBERS.fullmatch(word) for word, _ in pairs) and not _are_words(pairs, known)
        if not (numbers or (alone and not brackets)):  # (as here, 1) in prose is a single pair
            yield FoundList(entries, pairs, brackets, rank)


def _are_words(pairs: Sequence[tuple[str, float]], known: Callable[[str], bool | None]) -> bool:
    """Return whether words that are all numbers are words of the text, rather than positions from 1 on."""
    if all(known(word) for word, _ in pairs):
        return True
    places = [word.strip(" .") for word, _ in pairs]
    counted = places in ([str(at) for at in range(len(pairs))], [str(at) for at in range(1, len(pairs) + 1)])
    return len(pairs) > 1 and not counted and any(value != int(value) for _, value in pairs)


def _is_no_word(word: str, labels: Labels[L]) -> bool:
    plain = word.casefold().strip(" *_\"'#")
    return plain in _NO_WORDS or plain in labels.names


def _if_whole(answer: str, entry: Entry) -> Entry:
    """Return the entry, without its number if the answer's end has cut that after the decimal point."""
    return entry._replace(value=None) if entry.end == len(answer) and _CUT.search(answer[-8:]) else entry


def _is_template(entry: Entry) -> bool:
    """Return whether the entry is the prompt's example; "<br>" with a number is a word."""
    return bool(_TEMPLATE.fullmatch(entry.word)) and (entry.value is None or entry.word[0] != "<")


def _opened(text: str, start: int, end: int) -> bool:
    """Return whether a bracket opens before `start` and does not close at `end`."""
    before = text[max(start - 20, 0) : start + 1]
    return bool(_OPENS.search(before)) and not _CLOSES.match(text, end)


# ── the class at the end of a list ───────────────────────────────────────────────────────────────────────────────


def _without_class(
    answer: str, entries: list[Entry], known: Callable[[str], bool | None], labels: Labels[L]
) -> list[Entry]:
    """Return the entries without a class at either end that is written like a pair: "Classification: 1"."""
    first, last = 0, len(entries)
    while first < last and _states_class(answer, entries, first, known, labels):
        first += 1
    while first < last and _states_class(answer, entries, last - 1, known, labels):
        last -= 1
    return entries[first:last]


def _states_class(
    answer: str, entries: list[Entry], at: int, known: Callable[[str], bool | None], labels: Labels[L]
) -> bool:
    entry = entries[at]
    if not entry.name and not (at == len(entries) - 1 and entry.word.casefold() in _NEVER_WORDS):
        return False
    word = entry.word.casefold().strip(" *_#")
    parts = word.split()
    is_label = entry.value is None or entry.value in labels.numbers or (entry.value == 0 and at > 0)
    if is_label and (_CLASS_KEY.match(entry.word) or _names_class(parts)):
        return not known(entry.word) or len(parts) > 1
    if known(entry.word):
        return False
    if word in _CONFIDENCE:
        return len(entries) > 1
    if _OVERALL.match(entry.word):
        return len(parts) > 1 or entry.word.strip("*_")[:1].isupper() or _is_sum(entries, at)
    return is_label and word in labels.names and _stands_apart(answer, entries, at)


def _names_class(parts: Sequence[str]) -> bool:
    """Return whether words name the class: "Review classification", "Classement final"."""
    if " ".join(parts) in CLASS_KEYS:
        return True
    last = [part for part in parts if part not in _FINAL][-1:]
    return bool(last) and last[0] in CLASS_KEYS | {"output"}


def _is_sum(entries: list[Entry], at: int) -> bool:
    value = entries[at].value
    others = sum(entry.value or 0.0 for i, entry in enumerate(entries) if i != at)
    return value is not None and abs(others - value) < 1e-6


def _stands_apart(answer: str, entries: list[Entry], at: int) -> bool:
    """Return whether there is an empty line between an entry and its neighbours."""
    before = at == 0 or _BLANK_LINE.search(answer[entries[at - 1].end : entries[at].start])
    after = at + 1 == len(entries) or _BLANK_LINE.search(answer[entries[at].end : entries[at + 1].start])
    return len(entries) > 1 and bool(before and after)
