"""Estimate Shapley and Banzhaf values from a sample of coalitions and their values. Pure numpy.

A game gives a value v(S) to each coalition S of n players, a mask [n] of those that take part. Only differences of a
coalition and its complement are used, half(S) = ½(v(S) − v(Sᶜ)): a linear model of the game with the values φ predicts
½ Σ ±φᵢ, with + for the players in S. The weighted least squares fit of all pairs has the Shapley values (KernelSHAP's
weights, φ constrained to sum to v(all) − v(none)) or the Banzhaf values (equal weights, no constraint) as its
solution; the fit of a sample, each pair weighted by the inverse of its probability to be drawn, estimates them.
Source: Lundberg & Lee 2017, arXiv:1705.07874; Covert & Lee 2021, arXiv:2012.01536; Musco & Witter 2024,
arXiv:2410.01917.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Masks = NDArray[np.bool_]
    Numbers = NDArray[np.float64]

Estimand = Literal["shapley", "banzhaf"]

_LISTED = 10_000  # pairs of a stratum up to which all are listed and shuffled; beyond, repeated draws are dropped


@dataclass(frozen=True, slots=True)
class Stratum:
    """Pairs that are drawn with equal probability: those of one size, or all of them.

    `size`: of the smaller coalition; None for all sizes. `possible`: how many pairs there are. `weight`: the sum of
    their weights in the fit. `share`: how many are drawn, relative to other strata.
    """

    size: int | None
    possible: int
    weight: float
    share: int


def strata_of(n: int, estimand: Estimand) -> tuple[Stratum, ...]:
    """Return the strata of the pairs of n players.

    A pair's leverage in the fit of Shapley values is 1 / (number of coalitions of its size), so each size has an equal
    share; in that of Banzhaf values it is the same for all pairs.
    """
    if estimand == "banzhaf":
        return (Stratum(None, 1 << (n - 1), 1.0, 1),)
    found = []
    for size in range(1, n // 2 + 1):
        is_middle = 2 * size == n  # the complement has the same size
        found.append(
            Stratum(
                size,
                comb(n, size) // (2 if is_middle else 1),
                (n - 1) / (size * (n - size)) / (2 if is_middle else 1),
                1 if is_middle else 2,
            )
        )
    return tuple(found)


class Sample(NamedTuple):
    """Drawn pairs: one mask of each [p, n], and the index of its stratum [p]."""

    masks: Masks
    of: NDArray[np.intp]


class Draw:
    """Draws pairs without replacement. The same seed gives the same pairs, in however many steps they are asked for.

    For Shapley values all pairs of size one come first (each player alone, beside the others without it).
    """

    def __init__(self, n: int, estimand: Estimand, seed: int) -> None:
        self.estimand = estimand
        self.strata = strata_of(n, estimand)
        self.possible = sum(stratum.possible for stratum in self.strata)
        random = np.random.default_rng(seed)
        self._sources = [_pairs(n, stratum, random) for stratum in self.strata]
        self._counts = [0] * len(self.strata)
        self._sample = Sample(np.zeros((0, n), dtype=bool), np.zeros(0, dtype=np.intp))

    @property
    def sample(self) -> Sample:
        """Return all pairs drawn so far, in the order in which they were drawn."""
        return self._sample

    def more(self, count: int) -> Masks:
        """Draw this many pairs, or as many as are left, and return one mask of each [≤ count, n]."""
        chosen = [self._next() for _ in range(min(count, self.possible - len(self._sample.of)))]
        if not chosen:
            return self._sample.masks[:0]
        masks = np.stack([next(self._sources[at]) for at in chosen])
        self._sample = Sample(
            np.concatenate([self._sample.masks, masks]), np.append(self._sample.of, np.array(chosen, dtype=np.intp))
        )
        return masks

    def _next(self) -> int:
        """Return the stratum to draw from: size one until it is exhausted, then the one farthest behind its share."""
        left = [at for at, stratum in enumerate(self.strata) if self._counts[at] < stratum.possible]
        at = left[0] if self.strata[left[0]].size == 1 else min(left, key=self._behind)
        self._counts[at] += 1
        return at

    def _behind(self, at: int) -> float:
        return self._counts[at] / self.strata[at].share


def _pairs(n: int, stratum: Stratum, random: np.random.Generator) -> Iterator[Masks]:
    """Yield one mask [n] of each pair of a stratum, in random order. In a pair of equal sizes it has player 0."""
    if stratum.size is None:
        yield from _distinct((random.random(n) < 0.5 for _ in iter(int, 1)), stratum.possible)
        return
    fixed = 2 * stratum.size == n
    pool, k = np.arange(fixed, n), stratum.size - fixed
    if stratum.possible <= _LISTED:
        listed = list(combinations(pool, k))
        masks = (_mask(n, listed[at], fixed) for at in random.permutation(len(listed)))
    else:
        masks = (_mask(n, random.choice(pool, k, replace=False), fixed) for _ in iter(int, 1))
    yield from _distinct(masks, stratum.possible)


def _mask(n: int, players: Iterable[int], fixed: bool) -> Masks:
    mask = np.zeros(n, dtype=bool)
    mask[list(players)] = True
    mask[0] |= fixed
    return mask


def _distinct(masks: Iterator[Masks], possible: int) -> Iterator[Masks]:
    """Yield the masks that are no earlier one and no complement of an earlier one, until all pairs are there."""
    seen: set[bytes] = set()
    for mask in masks:
        key = np.packbits(mask ^ mask[0]).tobytes()
        if key not in seen:
            seen.add(key)
            yield mask
        if len(seen) == possible:
            return


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Estimate(NamedTuple):
    """Values [n, k] and their standard errors [n, k]: 0 where the value is exact, NaN where the error is unknown."""

    values: Numbers
    errors: Numbers


def estimate(draw: Draw, halves: Numbers, whole: Numbers) -> Estimate:
    """Estimate the values of k games from the same pairs.

    `halves` [p, k]: ½(v(S) − v(Sᶜ)) of each drawn pair. `whole` [k]: v(all) − v(none), which Shapley values sum to.
    Standard errors: HC3 (MacKinnon & White 1985), times √(1 − drawn/possible) for the pairs of each stratum. If every
    stratum that was drawn from is exhausted while others were not drawn from, nothing measures the errors: NaN.
    """
    masks, of = draw.sample
    n, k = masks.shape[1], len(whole)
    if n == 1:  # its value is the whole
        return Estimate(whole[None].copy(), np.zeros((1, k)))
    counts = np.bincount(of, minlength=len(draw.strata))
    weights = np.array([stratum.weight for stratum in draw.strata])[of] / counts[of]  # [p]
    basis, start = np.eye(n), np.zeros((n, k))
    if draw.estimand == "shapley":
        basis, start = _sums_to_zero(n), np.tile(whole / n, (n, 1))
    signs = np.where(masks, 0.5, -0.5)  # [p, n]
    x = signs @ basis  # [p, n − 1] or [p, n]
    y = halves - signs @ start  # [p, k]
    pull = weights[:, None] * (x @ np.linalg.pinv(x.T @ (weights[:, None] * x), hermitian=True))
    fit = pull.T @ y
    values = start + basis @ fit
    left = 1 - counts / np.array([float(stratum.possible) for stratum in draw.strata])  # [strata]
    open_ = left[of] > 0  # the pairs of strata that are not exhausted [p]
    if not open_.any():
        return Estimate(values, np.full((n, k), 0.0 if len(of) == draw.possible else np.nan))
    leverage = np.einsum("pi,pi->p", pull[open_], x[open_])
    residuals = (y - x @ fit)[open_] / np.maximum(1 - leverage, 1e-12)[:, None]  # [open, k]
    spread = np.sqrt(left[of][open_])[:, None] * (pull[open_] @ basis.T)  # [open, n]
    return Estimate(values, np.sqrt((spread**2).T @ residuals**2))


def exact(values: Numbers, estimand: Estimand) -> Numbers:
    """Return the exact values [n, k] of k games.

    `values` [2ⁿ, k]: v of every coalition; bit i of a row's index tells whether player i takes part.
    """
    n = len(values).bit_length() - 1
    rows = np.arange(len(values))
    size = np.array([row.bit_count() for row in range(len(values))])
    found = np.empty((n, values.shape[1]))
    for player in range(n):
        without = rows[(rows >> player) & 1 == 0]
        gains = values[without | (1 << player)] - values[without]  # [2ⁿ⁻¹, k]
        if estimand == "banzhaf":
            found[player] = gains.mean(axis=0)
        else:
            chance = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])
            found[player] = chance[size[without]] @ gains
    return found


def _sums_to_zero(m: int) -> Numbers:
    """Return an orthonormal basis [m, m − 1] of the vectors that sum to 0."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(m), np.eye(m)[:, : m - 1]]))
    basis: Numbers = q[:, 1:]
    return basis


def every_coalition(n: int) -> Masks:
    """Return the masks [2ⁿ, n] of all coalitions; bit i of a row's index is player i."""
    found: Masks = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1 == 1
    return found
