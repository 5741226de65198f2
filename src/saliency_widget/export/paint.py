"""What a box of a page looks like, and what it says on hover, where one target or input is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import color
from .reading import isolated, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import AttributionLike, TokenLike
    from .boxes import Box
    from .look import Look
    from .question import Question
    from .reading import Column

MAX_TITLES = 2000  # tokens that say their number, the strongest first: what keeps a saved notebook small

INK = color.css(color.INK)
QUIET = color.css(color.QUIET)
PAPER = color.css(color.PAPER)
ACCENT = "#2563c9"


def painter(
    attribution: AttributionLike, question: Question, col: int, look: Look
) -> Callable[[Box], tuple[list[str], str]]:
    """From a box to its declarations of style, where it is no plain text, and to its title."""
    column = question.columns[col]
    ranks, titled = column.ranks(), _titled(column)
    place = look.scale_of(column.numbers, column.largest)

    def painted(box: Box) -> tuple[list[str], str]:
        if box.col == col:
            return [f"outline:2px solid {ACCENT}"], f"{isolated(label(column.target))} · the {question.about}"
        row = question.row_of(box, col)
        if row < 0:
            return [f"color:{QUIET}"], ""
        value = float(column.numbers[row])
        swatch = color.swatch(place(value), 1, signed=attribution.signed)
        ink = swatch.quiet if box.token.role == "special" else swatch.ink
        style = [f"background:{swatch.background}"] if swatch.background != PAPER else []
        style += [f"color:{ink}"] if ink != INK else []
        if row not in titled:
            return style, ""
        return style, _title(question.names[row], look.measured(value), int(ranks[row]), column.n_visible)

    return painted


def _title(of: TokenLike, measured: str, rank: int, n: int) -> str:
    return f"{isolated(label(of))} · {measured} · rank {rank} of {n}"


def _titled(column: Column) -> frozenset[int]:
    """The rows that say their number on hover: all of them, or the strongest of a long text."""
    if len(column.numbers) <= MAX_TITLES:
        return frozenset(range(len(column.numbers)))
    return frozenset(column.top(MAX_TITLES))
