"""From tokens to words, sentences or segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import UnknownName
from ..types import Token

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["word", "sentence", "segment"]
Pool = Literal["sum", "mean", "max"]

UNITS: tuple[Unit, ...] = ("word", "sentence", "segment")

# NaN is what a target cannot see; of a unit it sees in part, the part counts.
POOLS: dict[str, Callable[[NDArray[np.float32], int], NDArray[np.float32]]] = {
    "sum": lambda scores, axis: np.nansum(scores, axis=axis),
    "mean": lambda scores, axis: np.nanmean(scores, axis=axis),
    "max": lambda scores, axis: np.nanmax(scores, axis=axis),
}


def pooled(scores: NDArray[np.float32], groups: Sequence[Sequence[int]], pool: str, axis: int) -> NDArray[np.float32]:
    """Scores with the rows (axis 0) or columns (axis 1) of each group put together; NaN where nothing is visible.

    Raises: UnknownName for a pool that does not exist.
    """
    if pool not in POOLS:
        raise UnknownName("pool", pool, POOLS)
    parts = []
    for group in groups:
        part = scores.take(group, axis=axis)
        hidden = np.isnan(part).all(axis=axis)
        whole = np.full(hidden.shape, np.nan, dtype=np.float32)
        shown = part.compress(~hidden, axis=1 - axis)
        whole[~hidden] = POOLS[pool](shown, axis)
        parts.append(whole)
    return np.stack(parts, axis=axis)


def groups_of(tokens: Sequence[Token], unit: str) -> list[list[int]]:
    """Indices of the tokens of each unit; input, output and special tokens are never put together.

    Raises: UnknownName for a unit that does not exist.
    """
    if unit not in UNITS:
        raise UnknownName("unit", unit, UNITS)
    found: dict[tuple[object, ...], list[int]] = {}
    for at, token in enumerate(tokens):
        kind = token.role if unit == "word" else ""
        found.setdefault((getattr(token, unit), kind), []).append(at)
    return list(found.values())


def joined(tokens: Sequence[Token]) -> Token:
    """One token that stands for several neighbours: their text, the position of the first."""
    spans = [token.span for token in tokens if token.span is not None]
    whole = (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None
    return replace(tokens[0], text="".join(_own_text(token) for token in tokens), span=whole, part=None)


def _own_text(token: Token) -> str:
    """Its text, once for all tokens that share one character."""
    return token.text if token.part is None or token.part[0] == 1 else ""
