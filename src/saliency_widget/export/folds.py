"""The thinking of a text as a page folds it: behind one line, which says how much of the target's shares it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .figures import percent
from .reading import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from . import AttributionLike, TokenLike
    from .boxes import Box
    from .reading import Column


class Fold(NamedTuple):
    """A stretch of thinking. `places`: its positions; `held`: " · 30 %", or "" where its shares are not known.

    `is_open`: whether the target on show is in it, which must be seen.
    """

    places: range
    held: str
    is_open: bool

    @property
    def size(self) -> str:
        """Return the name of the stretch and its number of tokens."""
        n = len(self.places)
        return f"thinking · {n:,} token{'' if n == 1 else 's'}"


def folds_of(attribution: AttributionLike, boxes: Sequence[Box], column: Column) -> list[Fold]:
    """Return the stretches of thinking that the text goes on after. The page has the same rule (js/src/reading.ts)."""
    last = max((box.token.position + box.token.length for box in boxes), default=0)
    found = []
    for segment in attribution.segments:
        places = range(segment.start, segment.end)
        if segment.kind == "thinking" and places and segment.end < last:
            rows = sorted({box.row for box in boxes if box.row is not None and box.token.position in places})
            is_open = column.target.position in places
            found.append(Fold(places, _held(attribution, column, rows), is_open))
    return found


def fold_at(folds: Sequence[Fold], token: TokenLike) -> Fold | None:
    """Return the fold that a box is in, if there is one."""
    return next((fold for fold in folds if token.position in fold.places), None)


def _held(attribution: AttributionLike, column: Column, rows: Sequence[int]) -> str:
    """Return the share of the target that these rows hold, as the live map prints it."""
    numbers = column.numbers[list(rows)]
    if told(attribution) != "share" or np.isnan(numbers).all():
        return ""
    return f" · {percent(float(np.nansum(numbers)))}"
