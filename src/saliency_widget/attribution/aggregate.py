"""Pool the scores of tokens into those of words, sentences or segments; `models.text.units` finds these units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checks import one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS = ("word", "sentence", "segment")

# NaN: the target cannot see the token. A unit that it sees in part has the pool of that part.
POOLS: dict[str, Callable[[NDArray[np.float64], int], NDArray[np.float64]]] = {
    "sum": lambda scores, axis: np.nansum(scores, axis=axis),
    "mean": lambda scores, axis: np.nanmean(scores, axis=axis),
    "max": lambda scores, axis: np.nanmax(scores, axis=axis),
}


def pooled(scores: NDArray[np.float32], groups: Sequence[Sequence[int]], pool: str, axis: int) -> NDArray[np.float32]:
    """Pool the rows (axis 0) or columns (axis 1) of each group; NaN where the target sees none of them.

    Raises: UnknownName for a pool that does not exist.
    """
    one_of("pool", pool, POOLS)
    parts = []
    for group in groups:
        part = scores.take(group, axis=axis).astype(np.float64)  # a sum is rounded once, as on the page
        hidden = np.isnan(part).all(axis=axis)
        whole = np.full(hidden.shape, np.nan, dtype=np.float32)
        shown = part.compress(~hidden, axis=1 - axis)
        whole[~hidden] = POOLS[pool](shown, axis)
        parts.append(whole)
    return np.stack(parts, axis=axis)
