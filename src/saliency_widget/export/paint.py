"""The style and the title of each box of a page, for one target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import color
from .figures import share
from .reading import isolated, label, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import AttributionLike
    from .boxes import Box
    from .reading import Column

MAX_TITLES = 2000  # boxes whose title has a number, the strongest first, which keeps a saved notebook small

INK = color.css(color.INK)
QUIET = color.css(color.QUIET)
PAPER = color.css(color.PAPER)
ACCENT = "#2563c9"


def painter(attribution: AttributionLike, column: Column, col: int) -> Callable[[Box], tuple[list[str], str]]:
    """Return a function from a box to its CSS declarations and its title, for target `col`."""
    ranks, titled, kind = column.ranks(), _titled(column), told(attribution)

    def painted(box: Box) -> tuple[list[str], str]:
        if box.col == col:
            return [f"outline:2px solid {ACCENT}"], f"{isolated(label(column.target))} · the target"
        # The target saw only the beginning of a sentence that continues after it, so boxes there have no number.
        if box.ended > col or box.row is None or np.isnan(column.numbers[box.row]):
            return [f"color:{QUIET}"], ""
        value = float(column.numbers[box.row])
        swatch = color.swatch(0.0 if abs(value) < column.floor else value, column.largest, signed=attribution.signed)
        ink = swatch.quiet if box.token.role == "special" else swatch.ink
        style = [f"background:{swatch.background}"] if swatch.background != PAPER else []
        style += [f"color:{ink}"] if ink != INK else []
        if box.row not in titled:
            return style, ""
        name, rank = isolated(label(attribution.rows[box.row])), ranks[box.row]
        return style, f"{name} · {kind} {share(value)} · rank {rank} of {column.n_visible}"

    return painted


def _titled(column: Column) -> frozenset[int]:
    """Return the rows whose title has a number: all of them, or the strongest of a long text."""
    if len(column.numbers) <= MAX_TITLES:
        return frozenset(range(len(column.numbers)))
    return frozenset(column.top(MAX_TITLES))
