"""Pool the scores of tokens into those of words, sentences or segments; `models.text.units` finds these units.

The standard errors of scores are pooled with them. Those of a sum are added up: that is exact where the scores are
parts of one estimate, as the tokens of a unit of `shapley` are, and else the most that they can be, since it leaves out
what errors of opposite signs cancel.
"""

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


def pooled_errors(
    errors: NDArray[np.float32], scores: NDArray[np.float32], groups: Sequence[Sequence[int]], pool: str, axis: int
) -> NDArray[np.float32]:
    """Pool standard errors as `pooled` does their scores; NaN where one of the scores in a group has no known error.

    By "sum" they are added up and by "mean" averaged, which is the most that they can be; by "max" it is the error of
    the largest score.
    """
    parts = []
    for group in groups:
        error, score = (each.take(group, axis=axis).astype(np.float64) for each in (errors, scores))
        hidden = np.isnan(score)
        if pool == "max":
            largest = np.argmax(np.where(hidden, -np.inf, score), axis=axis, keepdims=True)
            part = np.take_along_axis(error, largest, axis=axis).squeeze(axis)
        else:
            part = np.where(hidden, 0, error).sum(axis=axis)
            if pool == "mean":
                part /= np.maximum((~hidden).sum(axis=axis), 1)
        parts.append(np.where(hidden.all(axis=axis), np.nan, part).astype(np.float32))
    return np.stack(parts, axis=axis)
