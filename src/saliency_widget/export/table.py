"""The attribution as text for a terminal, and as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from ..characters import in_a_cell
from .figures import significant
from .notes import notes
from .reading import MINUS, Column, columns, decimals, headline, label, measured
from .reading import width as cells

if TYPE_CHECKING:
    import pandas as pd

    from . import AttributionLike

SHADES = " ░▒▓█"
MAX_TARGETS = 40  # lines of the list, and rows of the matrix
TOP = 3  # inputs of each target
LABEL = 16  # terminal cells of a label


def to_text(attribution: AttributionLike, width: int = 80) -> str:
    """Return the map as text: the question, a line for each target, and a shaded matrix if it fits `width` cells."""
    shown = columns(attribution)
    n_rows, n_cols = attribution.scores.shape
    lines = [
        _cut(" · ".join(headline(attribution)), width),
        _cut(f"{_count(n_rows, 'input')}, {_count(n_cols, 'target')}; {measured(attribution)}", width),
        *(_cut(note.text, width) for note in notes(attribution)),
        "",
        *_targets(attribution, shown, width),
    ]
    matrix = list(_matrix(attribution, shown, width))
    return "\n".join(line.rstrip() for line in [*lines, *([""] if matrix else []), *matrix])


def to_dataframe(attribution: AttributionLike) -> pd.DataFrame:
    r"""Return one line for each visible cell, target by target.

    Columns: row, row_token, row_position, col, col_token, col_position, score, share; and error, the standard error of
    the score, if the map has any.

    Characters that control a terminal are replaced by signs ("ESC") in tokens. A spreadsheet that opens a CSV executes
    text that begins with = + - @, a tab or a line break, so the CSV that the page saves puts an apostrophe before such
    tokens. To undo that, delete the matches of `^'(?=["' ]*[=+\-@\t\r\n＝＋－＠])`.
    """
    import pandas as pd

    scores = np.asarray(attribution.scores)
    shares = [column.numbers.astype(np.float32) for column in columns(attribution)]
    col, row = np.nonzero(~np.isnan(scores.T))
    rows, cols = attribution.rows, attribution.cols
    errors = attribution.errors
    return pd.DataFrame(
        {
            "row": row,
            "row_token": [in_a_cell(rows[i].text) for i in row.tolist()],
            "row_position": np.array([t.position for t in rows], dtype=np.int64)[row],
            "col": col,
            "col_token": [in_a_cell(cols[i].text) for i in col.tolist()],
            "col_position": np.array([t.position for t in cols], dtype=np.int64)[col],
            "score": scores[row, col],
            "share": np.stack(shares, axis=1)[row, col] if shares else [],
        }
        | ({} if errors is None else {"error": errors[row, col]})
    )


def _targets(attribution: AttributionLike, shown: Sequence[Column], width: int) -> Iterator[str]:
    number = len(str(len(shown)))
    name = max([6, *(min(LABEL, cells(label(c.target))) for c in shown[:MAX_TARGETS])])
    called = "p" if all(np.isnan(column.value) for column in shown) else "value"
    yield _cut(f"{'':{number}}  {_pad('target', name)}  {called:>5}  strongest inputs", width)
    for col, column in enumerate(shown[:MAX_TARGETS]):
        said = [f"{label(attribution.rows[r])} {decimals(float(column.numbers[r]))}" for r in column.top(TOP)]
        start = f"{col + 1:{number}}  {_pad(label(column.target), name)}  {_number(column):>5}  "
        none = "no input has a score" if np.isnan(column.numbers).all() else "every score is 0"
        yield start + _cut(" · ".join(said) or none, width - cells(start))
    if len(shown) > MAX_TARGETS:
        yield f"… and {_count(len(shown) - MAX_TARGETS, 'more target')}; to_dataframe() has them all"


def _number(column: Column) -> str:
    return decimals(column.probability) if np.isnan(column.value) else significant(column.value)


def _matrix(attribution: AttributionLike, shown: Sequence[Column], width: int) -> Iterator[str]:
    """Yield the lines of the matrix. Rows: inputs. Columns: numbers of targets in the list, each on its own scale."""
    n_rows = len(attribution.rows)
    name = max([cells(_cut(label(token), LABEL)) for token in attribution.rows], default=0)
    cell = max(2 + attribution.signed, len(str(len(shown))) + 1)
    if not shown or n_rows > MAX_TARGETS or name + 1 + cell * len(shown) > width:
        return
    yield " " * (name + 1) + "".join(f"{col + 1:<{cell}}" for col in range(len(shown)))
    for row, token in enumerate(attribution.rows):
        shades = "".join(f"{_shade(column, row, attribution.signed):{cell}}" for column in shown)
        yield f"{_pad(label(token), name)} {shades}"


def _shade(column: Column, row: int, signed: bool) -> str:
    share = float(column.numbers[row])
    if isnan(share):
        return ""
    step = round(4 * abs(share) / column.largest) if column.largest > 0 else 0
    block = SHADES[step] * 2 if step else "· "
    if not signed:
        return block
    return (" " if step == 0 else MINUS if share < 0 else "+") + block


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _pad(text: str, width: int) -> str:
    text = _cut(text, width)
    return text + " " * (width - cells(text))


def _cut(text: str, width: int) -> str:
    """Return the text in at most `width` cells, with an ellipsis if it was cut."""
    if cells(text) <= width:
        return text
    kept = ""
    for char in text:
        if cells(kept + char) > width - 1:
            break
        kept += char
    return kept.rstrip() + "…"
