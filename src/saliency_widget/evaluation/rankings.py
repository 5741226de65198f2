"""Rankings of units: those of a map, with ties broken in several ways, and the random ones that a map has to beat.

A ranking is a permutation of the units, the most important first.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

EVERY = 8  # units whose orders (40,320) are all looked at where the value of every subset is known
BREAKINGS = 6  # orders of tied units that are averaged where each of them costs passes


def antithetic(n: int, count: int, seed: int) -> Ints:
    """Return `count` random rankings [count, n] in pairs, an order and its reverse; the last is alone if count is odd.

    In a pair the mean of what the two orders reach varies less than that of two independent orders.
    """
    rng = np.random.default_rng(seed)
    pairs = [rng.permutation(n) for _ in range((count + 1) // 2)]
    both = [order for pair in pairs for order in (pair, pair[::-1])]
    return np.array(both[:count], dtype=np.int64).reshape(count, n)


def every_order(n: int) -> Ints:
    """Return all n! rankings [n!, n]."""
    return np.array(list(permutations(range(n))), dtype=np.int64).reshape(factorial(n), n)


def ranked(scores: Floats, breakers: Ints, most: int = BREAKINGS) -> Ints:
    """Return the rankings [b, n] of units by descending score [n]; units of equal score stand as in each breaker.

    `breakers`: rankings [b, n]. Scores without ties give one ranking, [1, n]. A list of equal scores gives the breakers
    themselves, so that it is exactly as good as they are. `most`: how many breakers are used otherwise.
    """
    distinct = len(np.unique(scores))
    if distinct == len(scores):
        return np.argsort(-scores)[None]
    used = breakers if distinct == 1 else breakers[:most]
    place = np.argsort(used, axis=1)  # of each unit, in each breaker
    return np.stack([np.lexsort((line, -scores)) for line in place])


def mid_ranks(values: Floats) -> Floats:
    """Return the ranks of the values along the last axis, from 0; equal values share their mean."""
    below = (values[..., None, :] < values[..., :, None]).sum(axis=-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
    ranks: Floats = below + (equal - 1) / 2
    return ranks


def spearman(a: Floats, b: Floats) -> float | None:
    """Return Spearman's rank correlation of two lists [n]; None if one of them has equal values only."""
    x, y = (ranks - ranks.mean() for ranks in (mid_ranks(a), mid_ranks(b)))
    size = np.sqrt(float(x @ x) * float(y @ y))
    return None if size == 0 else float(x @ y) / size
