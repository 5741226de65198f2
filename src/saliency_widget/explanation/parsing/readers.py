"""The table of readers: one for each form in which models write words and their numbers."""

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
    """A reader of one form. `read` yields the lists in an answer, in order.

    `brackets`: whether the form has brackets, which show whether the answer's end has cut a number.
    """

    read: Callable[[str], Iterator[list[Entry]]]
    brackets: bool


# The most specific readers come first: of two that find equally many pairs in the same place, the first counts.
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
