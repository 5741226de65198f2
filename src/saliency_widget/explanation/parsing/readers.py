"""The table of readers: one for each way in which models write words and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .entries import Entry
from .lines import in_lines
from .markup import in_markup
from .objects import in_objects
from .running import in_one_line, in_sentences, in_two_lines
from .tables import in_tables
from .tuples import in_tuples


class Reader(NamedTuple):
    """`read` goes over a whole answer and yields the lists in it, in order.

    `brackets`: what it reads is written with brackets, so that a number the end has cut is not taken for a whole one.
    """

    read: Callable[[str], Iterator[list[Entry]]]
    brackets: bool


# Who knows most of what it reads comes first: of two that find as much in the same place, the first is right.
READERS: tuple[Reader, ...] = (
    Reader(in_markup, brackets=True),
    Reader(in_objects, brackets=True),
    Reader(in_tuples, brackets=True),
    Reader(in_tables, brackets=False),
    Reader(in_lines, brackets=False),
    Reader(in_one_line, brackets=False),
    Reader(in_two_lines, brackets=True),
    Reader(in_sentences, brackets=False),
)
