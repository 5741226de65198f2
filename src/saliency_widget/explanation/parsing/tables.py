"""The reader of Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from .entries import VALUE_KEYS, WORD_KEYS, Entry, noted
from .literals import as_number, numbered_lines, undressed

_CELL_END = re.compile(r"(?<!\\)[|｜]")
_RULE = re.compile(r"[\s|｜:\-–—+=]+")
_WORD_HEADS = WORD_KEYS | {"单词", "詞", "词"}


def in_tables(text: str) -> Iterator[list[Entry]]:
    """| film | 0.5 |, a list for each table."""
    for barred, lines in groupby(numbered_lines(text), lambda line: "|" in line[1] or "｜" in line[1]):
        rows = _rows(lines) if barred else []
        if rows:
            yield rows


def _rows(lines: Iterable[tuple[int, str]]) -> list[Entry]:
    """By the columns that the table's head names, or else the last number and the cell before it."""
    rows: list[Entry] = []
    columns: tuple[int, int] | None = None
    for at, line in lines:
        if _RULE.fullmatch(line):
            continue
        cells = [undressed(cell.replace("\\|", "|"))[0] for cell in _cells(line)]
        columns = columns or _columns(cells)
        entry = _row(cells, columns, at, at + len(line))
        if entry and (entry.value is not None or rows):
            rows.append(entry)
    return rows


def _cells(line: str) -> list[str]:
    cells = _CELL_END.split(line.strip())
    return cells[not cells[0].strip() : len(cells) - (len(cells) > 1 and not cells[-1].strip())]


def _columns(cells: list[str]) -> tuple[int, int] | None:
    """Where the words and the numbers are, if this is a head that says so."""
    names = [set(re.split(r"\W+", cell.casefold())) for cell in cells[:20]]
    words = [at for at, name in enumerate(names) if name & _WORD_HEADS]
    values = [at for at, name in enumerate(names) if name & VALUE_KEYS and at not in words]
    return (words[0], values[0]) if words and values else None


def _row(cells: list[str], columns: tuple[int, int] | None, start: int, end: int) -> Entry | None:
    numbers = [as_number(cell) for cell in cells]
    if columns and max(columns) < len(cells):
        word, value = cells[columns[0]], numbers[columns[1]]
        if value is None and {word.casefold(), cells[columns[1]].casefold()} & (WORD_KEYS | VALUE_KEYS):
            return None  # the head itself
    else:
        at = next((at for at in range(len(cells) - 1, 0, -1) if numbers[at] is not None), None)
        if at is None:
            return Entry(cells[0], None, start, end, True) if len(cells) > 1 and cells[0] else None
        word, value = cells[at - 1], numbers[at]
    return Entry(word, value, start, end, False, noted(word, value), name=True)
