"""The reader of tables: Markdown, LaTeX, HTML and CSV are first read as rows of cells, then all in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import groupby, pairwise
from typing import NamedTuple

from .entries import Entry, kind_of_key, noted
from .literals import LONGEST_LINE, as_number, numbered_lines, undressed


class _Row(NamedTuple):
    """The cells of a row, as they are written, and the row's place in the answer."""

    cells: list[str]
    start: int
    end: int


_BARS = "|｜│┃║"
_CELL_END = re.compile(rf"(?<!\\)[{_BARS}]")
_RULE = re.compile(rf"[\s{_BARS}:\-–—+=\u2500-\u257f]+")
_LATEX_END = re.compile(r"\\\\\s*(?:\\hline|\\(?:top|mid|bottom)rule)?\s*|\\hline|\\(?:top|mid|bottom)rule")
_AMPERSAND = re.compile(r"(?<!\\)&")
_HTML_ROW = re.compile(r"<tr\b[^<>]{0,200}>(?P<cells>.*?)(?=</tr>|<tr\b|</table>|\Z)", re.IGNORECASE | re.DOTALL)
_HTML_CELL = re.compile(r"<t[dh]\b[^<>]{0,200}>(?P<cell>[^<]*+(?:<(?!/?t[dhr]\b)[^<]*+)*+)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
_SPACES = "  "  # of a table whose columns are aligned by spaces
_BETWEEN_SPACES = re.compile(r"\s{2,}")
_CSV_QUOTED = re.compile(r'\s?"((?:[^"]|"")*+)"\s?')


def in_tables(text: str) -> Iterator[list[Entry]]:
    """Yield a list for each table."""
    for barred, lines in groupby(numbered_lines(text), lambda line: bool(_CELL_END.search(line[1]))):
        if barred:
            yield from _read(_Row(_cells(line), at, at + len(line)) for at, line in lines if not _RULE.fullmatch(line))
    if "&" in text:
        inside = "\\begin{" in text  # then the last row may end without \\\\
        for latex, lines in groupby(numbered_lines(text), lambda line: _is_latex(line[1], inside)):
            if latex:
                yield from _read(_latex_rows(lines))
    if "<tr" in text or "<TR" in text:
        yield from _read(_html_rows(text))
    yield from _in_csv(text)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cells(line: str) -> list[str]:
    cells = _CELL_END.split(line.strip())
    cells = cells[not cells[0].strip() : len(cells) - (len(cells) > 1 and not cells[-1].strip())]
    return [undressed(cell.replace("\\|", "|"))[0] for cell in cells]


def _is_latex(line: str, inside: bool) -> bool:
    return ("&" in line and (inside or "\\\\" in line)) or line.strip().startswith(
        ("\\hline", "\\toprule", "\\midrule")
    )


def _latex_rows(lines: Iterable[tuple[int, str]]) -> Iterator[_Row]:
    for at, line in lines:
        bare = _LATEX_END.sub("", line)
        if "&" in bare:
            cells = [undressed(cell.strip().strip("$").replace("\\&", "&"))[0] for cell in _AMPERSAND.split(bare)]
            yield _Row([cell.replace("\\%", "%").replace("\\_", "_") for cell in cells], at, at + len(line))


def _html_rows(text: str) -> Iterator[_Row]:
    for row in _HTML_ROW.finditer(text):
        cells = [unescape(_TAG.sub("", cell["cell"])).strip() for cell in _HTML_CELL.finditer(row["cells"])]
        yield _Row([undressed(cell)[0] for cell in cells], row.start(), row.end())


def _in_csv(text: str) -> Iterator[list[Entry]]:
    """Yield the pairs of the rows below a line that names a column of words and one of numbers."""
    mark, rows = "", list[_Row]()
    for at, line in numbered_lines(text):
        if not rows or line.count(mark) < 1:
            yield from _read(rows)
            mark, rows = _csv_mark(line), []
        if mark and not (mark == _SPACES and _RULE.fullmatch(line)):
            rows.append(_Row([undressed(cell)[0] for cell in _csv_cells(line, mark)], at, at + len(line)))
    yield from _read(rows)


def _csv_mark(line: str) -> str:
    """Return the separator of the cells of a head, or "" if the line is none."""
    if len(line) > LONGEST_LINE:
        return ""
    heads = ((mark, _csv_cells(line, mark)) for mark in ("\t", ";", ",", _SPACES) if mark in line)
    return next((mark for mark, cells in heads if _columns(cells) and "word" in map(kind_of_key, cells)), "")


def _csv_cells(line: str, mark: str) -> list[str]:
    """Return the cells of a line; a quoted cell may contain the separator."""
    if mark == _SPACES:
        return _BETWEEN_SPACES.split(line.strip())
    cells: list[str] = []
    at = 0
    while at <= len(line):
        quoted = _CSV_QUOTED.match(line, at)
        end = quoted.end() if quoted else -1
        if quoted and line[end : end + 1] in ("", mark):
            cells.append(quoted[1].replace('""', '"'))
        else:
            end = line.find(mark, at + (at == 0 and line.startswith(mark * 2)))  # the separator may be the first word
            end = len(line) if end < 0 else end
            cells.append(line[at:end].strip())
        at = end + 1
    return cells


# ── what rows mean ───────────────────────────────────────────────────────────────────────────────────────────────


def _read(rows: Iterable[_Row]) -> Iterator[list[Entry]]:
    """Yield the pairs of the columns that the head names; without a head, the last number and the cell before it."""
    found: list[Entry] = []
    columns: list[tuple[int, int]] = []
    words: list[str] = []  # of a transposed table: a row of words above a row of numbers
    for row in rows:
        first = kind_of_key(row.cells[0]) if row.cells else None
        if first == "word" and not columns and not _columns(row.cells):
            words = row.cells
        elif first == "value" and len(words) == len(row.cells) > 1:
            numbers = [as_number(cell) for cell in row.cells]
            found += [Entry(w, n, row.start, row.end, False) for w, n in list(zip(words, numbers, strict=True))[1:]]
            continue
        named = _columns(row.cells)
        if named and (not columns or named == columns):
            columns = named  # a head, which may be repeated
            continue
        for entry in _by_head(row, columns) if columns and len(row.cells) > columns[0][1] else _by_place(row):
            if entry.value is not None or found:
                found.append(entry)
    if found:
        yield found


def _columns(cells: list[str]) -> list[tuple[int, int]]:
    """Return the columns of words and numbers that a head names; several if the table has pairs side by side.

    The first column that names a value counts: "Word | Score | Weight of evidence".
    """
    kinds = [kind_of_key(cell) for cell in cells[:40]]
    if kinds.count(None) == len(kinds) or any(as_number(cell) is not None for cell in cells[:40]):
        return []
    words = [at for at, kind in enumerate(kinds) if kind == "word"]
    pairs: list[tuple[int, int]] = []
    for at, end in pairwise([*words, len(kinds)]):
        value = next((v for v in range(at + 1, end) if kinds[v] == "value"), None)
        if value is not None:
            pairs.append((at, value))
    if not pairs and len(words) == 1 and "value" in kinds:
        pairs = [(words[0], kinds.index("value"))]  # the numbers come first
    if not pairs and not words and kinds.count("value") == 1 and kinds.index("value") == 1:
        pairs = [(0, 1)]
    return pairs


def _by_head(row: _Row, columns: list[tuple[int, int]]) -> Iterator[Entry]:
    for at, (word, value) in enumerate(columns):
        if max(word, value) < len(row.cells) and (at == 0 or row.cells[word] or row.cells[value]):
            number = as_number(row.cells[value])
            yield Entry(
                row.cells[word], number, row.start, row.end, False, noted(row.cells[word], number), name=at == 0
            )


def _by_place(row: _Row) -> Iterator[Entry]:
    numbers = [as_number(cell) for cell in row.cells]
    at = next((at for at in range(len(row.cells) - 1, 0, -1) if numbers[at] is not None), None)
    if at is not None:
        word = row.cells[at - 1]
        yield Entry(word, numbers[at], row.start, row.end, False, noted(word, numbers[at]), name=True)
    elif len(row.cells) > 1 and row.cells[0]:
        yield Entry(row.cells[0], None, row.start, row.end, True)
