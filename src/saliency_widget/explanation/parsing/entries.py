"""What every reader gives: pairs, each with its place in the text, in the lists they are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

# What models call the word and its number, in objects and at the head of tables.
WORD_KEYS = {"word", "token", "text", "punctuation", "word or punctuation"}
VALUE_KEYS = {"importance", "score", "value", "weight", "attribution", "float importance"}


class Entry(NamedTuple):
    """A pair at [start, end) of the text; without `value` where its number cannot be read.

    `name`: it is written "name: value", so that it can be the class as well.
    """

    word: str
    value: float | None
    start: int
    end: int
    quoted: bool
    note: str | None = None
    name: bool = False


def noted(word: str, value: float | None) -> str | None:
    """The note on a pair that has nothing but a number."""
    return None if word or value is None else "An entry has no word."


def shown(word: str) -> str:
    """A word as problems and notes name it."""
    return f'"{word}"' if len(word) <= 40 else f'"{word[:39]}…"'


def grouped(text: str, entries: Iterable[Entry], parted: Callable[[str], bool]) -> Iterator[list[Entry]]:
    """Entries in lists: a new one begins where `parted` says so of what is between two entries."""
    group: list[Entry] = []
    for entry in entries:
        gap = text[group[-1].end : entry.start] if group else ""
        if not entry.quoted and entry.value is None and (not group or gap.strip(" ,，\n")):
            continue  # (with care, of course) is prose
        if group and parted(gap):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
