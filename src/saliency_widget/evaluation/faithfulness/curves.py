"""Curves: the value of a text without, and with nothing but, the first units of a ranking.

A mask [n] says which units are kept. Values v come from passes of the model, or from any function of masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..rankings import Floats, Ints

    Keep: TypeAlias = NDArray[np.bool_]
    # (masks [..., n]) → values [..., t] and margins [..., t] of the targets: the target less the best other, as logs.
    Read: TypeAlias = Callable[[Keep], tuple[Floats, Floats]]

PERCENTS = (1, 2, 5, 10, 20, 50)


def steps_of(n: int, percents: Sequence[int]) -> tuple[int, ...]:
    """Return how many of n units are taken away at these percents: each at least one, rounded up, without repeats."""
    return tuple(sorted({max(1, ceil(n * percent / 100)) for percent in percents}))


def every_step(n: int) -> tuple[int, ...]:
    """Return every number of units from one to half of them, rounded up."""
    return tuple(range(1, ceil(n / 2) + 1))


def without(orders: Ints, steps: Sequence[int]) -> Keep:
    """Return the masks [r, g, n] of the text without the first `steps` [g] units of each ranking [r, n]."""
    place = np.argsort(orders, axis=1)  # of each unit
    kept: Keep = place[:, None, :] >= np.array(steps, dtype=np.int64)[:, None]
    return kept


def kept_steps(n: int, steps: Sequence[int]) -> tuple[int, ...]:
    """Return how many units are kept in the place of each step of `steps`.

    At half of the units it is what the same step leaves, so that the half that is kept for one ranking is the half that
    is left by the reverse one: both need one pass.
    """
    return tuple(n - step if 2 * step >= n else step for step in steps)


def only(orders: Ints, steps: Sequence[int]) -> Keep:
    """Return the masks [r, g, n] of nothing but the first units of each ranking; see `kept_steps`."""
    return ~without(orders, kept_steps(orders.shape[1], steps))


class Curves(NamedTuple):
    """The values of t targets along r rankings, at g steps; each field is an array [r, g, t].

    `without`: v of the text without the first units; `only`: of nothing but the first; `reverse`: of the text without
    the last. `margins`: [r, 1 + g, t], the margins of the text without the first units, and at the end without all.
    """

    without: Floats
    only: Floats
    reverse: Floats
    margins: Floats


def masks_of(orders: Ints, steps: Sequence[int], *, reverse: bool = True) -> Keep:
    """Return every mask [m, n] that the curves of these rankings need. `reverse`: those of `Curves.reverse` too."""
    n = orders.shape[1]
    kinds = [without(orders, steps), only(orders, steps)]
    kinds += [without(orders[:, ::-1], steps)] if reverse else []
    return np.concatenate(kinds).reshape(-1, n)


def curves_of(orders: Ints, steps: Sequence[int], read: Read) -> Curves:
    """Return the curves of these rankings [r, n]."""
    left, margins = read(without(orders, steps))
    alone, _ = read(only(orders, steps))
    reverse, _ = read(without(orders[:, ::-1], steps))
    n = orders.shape[1]
    _, empty = read(np.zeros((len(orders), 1, n), dtype=bool))
    return Curves(left, alone, reverse, np.concatenate([margins, empty], axis=1))


def mean_curves(curves: Curves) -> Curves:
    """Return the mean of the curves over their rankings as those of one, [1, g, t]: of the ways to break ties."""
    return Curves(*(part.mean(axis=0, keepdims=True) for part in curves))
