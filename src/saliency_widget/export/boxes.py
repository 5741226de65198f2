"""The boxes of a printed map, each with the row that colours it and its target."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from . import AttributionLike, TokenLike


class Box(NamedTuple):
    """A token or unit, with the indices of its row and target, or None. `ended`: the number of targets before it."""

    token: TokenLike
    row: int | None
    col: int | None
    ended: int


def boxes_of(attribution: AttributionLike) -> list[Box]:
    """Return the boxes in the order of the text. Every character is in one of them."""
    row, col = _finder(attribution.rows), _finder(attribution.cols)
    ends = sorted(target.position + target.length for target in attribution.cols)

    return [Box(token, row(token), col(token), bisect_right(ends, token.position)) for token in _tokens(attribution)]


def texts(attribution: AttributionLike, boxes: Sequence[Box]) -> list[tuple[str, list[Box]]]:
    """Return the texts with their names: one text without a name, or a translation's source and target. No classes."""
    text = [box for box in boxes if box.token.role != "class"]
    named = {segment.kind: segment for segment in attribution.segments}
    begin = named["target"].start if "target" in named else None
    if begin is None or all(box.token.position < begin for box in text):  # one text, or classes
        return [("", text)]
    sides = (
        ("source", [box for box in text if box.token.position < begin]),
        ("target", [box for box in text if box.token.position >= begin]),
    )
    return [((named[kind].name if kind in named else "") or kind, side) for kind, side in sides if side]


def _tokens(attribution: AttributionLike) -> list[TokenLike]:
    """Return rows and targets that cover each part of the text once.

    A row is replaced by its targets if they cover it (a sentence of written words; a word that was only partly read).
    """
    written = _covered(attribution.cols)
    whole = [row for row in attribution.rows if not written(_extent(row))]
    printed = _covered(whole)
    rest = (col for col in attribution.cols if not printed(range(col.position, col.position + 1)))
    return sorted([*whole, *rest], key=lambda token: token.position)


def _covered(units: Sequence[TokenLike]) -> Callable[[range], bool]:
    """Return a function that returns whether the units cover a range of positions."""
    starts: list[int] = []
    ends: list[int] = []  # for units that touch, the end of the last one
    for unit in sorted(units, key=lambda unit: unit.position):
        extent = _extent(unit)
        if not ends or extent.start > ends[-1]:
            starts.append(extent.start)
            ends.append(extent.stop)
        else:
            ends[-1] = max(ends[-1], extent.stop)

    def are_within(places: range) -> bool:
        at = bisect_right(starts, places.start) - 1
        return at >= 0 and places.stop <= ends[at]

    return are_within


def _extent(token: TokenLike) -> range:
    return range(token.position, token.position + token.length)


def _finder(units: Sequence[TokenLike]) -> Callable[[TokenLike], int | None]:
    """Return a function from a box to the index of the unit that contains its start, or of the first unit in it."""
    order = sorted(range(len(units)), key=lambda k: units[k].position)
    starts = [units[k].position for k in order]

    def find(token: TokenLike) -> int | None:
        at = bisect_right(starts, token.position)
        if at > 0 and token.position in _extent(units[order[at - 1]]):
            return order[at - 1]
        return order[at] if at < len(order) and starts[at] in _extent(token) else None

    return find
