"""The figures of faithfulness of one map for one target, each beside what random rankings reach.

They are functions of numbers alone: a value for every mask of units, a score for every unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...export.reading import MINUS
from ..rankings import mid_ranks, spearman
from .curves import Curves

if TYPE_CHECKING:
    from ..rankings import Floats, Ints
    from .curves import Keep

LEAST_EFFECT = 0.05  # in nats: where all units together change the value by less, shares of that change mean nothing
BETTER = 0.05  # a map whose p is at most this is better than chance
HALF_MASKS = 64
_MIDDLE = (2.5, 97.5)
_RESAMPLES = 500
_ROUNDING = 1e-9  # the values of one mask that was read in two batches differ by less, relative to the change


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure's name, how to read it, and where it comes from. `low_is_better`: fewer is better."""

    id: str
    label: str
    reads: str
    reference: str
    low_is_better: bool = False


METRICS: dict[str, Metric] = {
    metric.id: metric
    for metric in (
        Metric(
            id="deletion",
            label="deletion (AOPC)",
            reads="The mean loss without the map's first units, as a share of the loss without all of them. It can "
            "exceed 1: the emptied text need not be the worst one.",
            reference="DeYoung et al. 2020 (ERASER), arXiv:1911.03429; Samek et al. 2017, arXiv:1509.06321",
        ),
        Metric(
            id="sufficiency",
            label="sufficiency",
            reads="The mean gain of nothing but the map's first units, as a share of the gain of all of them.",
            reference="DeYoung et al. 2020 (ERASER), arXiv:1911.03429",
        ),
        Metric(
            id="area",
            label="least first − most first",
            reads="The area between the curves that take away the last units first and the first units first, as a "
            "share of the loss without all of them; 0 for a random order.",
            reference="Schulz et al. 2020, arXiv:2001.00396",
        ),
        Metric(
            id="beaten",
            label="random orders beaten",
            reads="The share of random orders whose deletion is below the map's; half of them by luck.",
            reference="",
        ),
        Metric(
            id="percentile",
            label="percentile among random orders",
            reads="The map's place among random orders by deletion, from 0 to 100; equals count by half.",
            reference="",
        ),
        Metric(
            id="lds",
            label="linear datamodeling score",
            reads="Rank correlation, over texts that keep a random half of the units, of the sum of the kept units' "
            "scores with what the model gives. It is asked of signed scores, which claim to add up.",
            reference="Cohen-Wang et al. 2024 (ContextCite), arXiv:2409.00729",
        ),
        Metric(
            id="words_to_flip",
            label="units to flip",
            reads="How many of the map's first units must go until another token (or class) is the most probable; "
            "infinite where that never happens. Of random orders the median stands beside it.",
            reference="Chrysostomou & Aletras 2021, arXiv:2105.02657; Huang et al. 2023, arXiv:2310.11207",
            low_is_better=True,
        ),
        Metric(
            id="dffrac",
            label="DFFrac: share of units to flip",
            reads="The share of units that must go until another token (or class) is the most probable; 1 where that "
            "never happens.",
            reference="Huang et al. 2023, arXiv:2310.11207",
            low_is_better=True,
        ),
        Metric(
            id="dfmit",
            label="DFMIT: the first unit flips",
            reads="1 if another token (or class) is the most probable once the map's first unit is gone, else 0.",
            reference="Huang et al. 2023, arXiv:2310.11207",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of a map for a target under an operator.

    `value`: None for the `reason`. `random_mean`, `random_low`, `random_high`: mean (of "words_to_flip" the median) and
    middle 95 % of random rankings. `p`: (1 + random rankings at least as good) / (random rankings + 1); where all
    orders were looked at, the share of them that are at least as good. `low`, `high`: where the value itself is an
    estimate, its 95 % interval.
    """

    metric: str
    value: float | None
    random_mean: float | None = None
    random_low: float | None = None
    random_high: float | None = None
    p: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def is_better(self) -> bool:
        """Return whether it is better than chance: p ≤ .05."""
        return self.p is not None and self.p <= BETTER


class Case(NamedTuple):
    """The numbers, beside curves, from which the figures of one target are computed.

    `whole`, `empty`: v with all units, and with none; `margin`: of the whole text. `exhaustive`: whether the random
    rankings are all orders that there are.
    """

    n: int
    steps: tuple[int, ...]
    whole: float
    empty: float
    margin: float
    exhaustive: bool = False

    @property
    def effect(self) -> float:
        """Return what all units together add to the value."""
        return self.whole - self.empty


def p_value(ours: float, random: Floats, *, exhaustive: bool = False) -> float:
    """Return how often random values [r] are at least as large as ours, ours counted among them."""
    size = max(abs(ours), float(np.abs(random[np.isfinite(random)]).max(initial=0.0)))
    as_good = int(np.count_nonzero(random >= ours - _ROUNDING * size)) if np.isfinite(ours) else _at_least(ours, random)
    return max(as_good, 1) / len(random) if exhaustive else (1 + as_good) / (len(random) + 1)


def _at_least(ours: float, random: Floats) -> int:
    return int(np.count_nonzero(random >= ours))


def of_curves(case: Case, ours: Curves, random: Curves, first: Floats | None) -> list[Figure]:
    """Return the figures that rest on curves: `deletion` … `percentile`, and those of flips.

    `ours`: [b, g, 1], a ranking for each way to break the map's ties, over which the mean is taken; `random`:
    [r, g, 1]. `first`: the margins [b] of the text without the first unit of each of our rankings,
    or None where they were not read.
    """
    reason = _undefined(case)
    found: list[Figure] = []
    areas = [(name, _area(name, case, ours), _area(name, case, random)) for name in ("deletion", "sufficiency", "area")]
    for name, of_ours, of_random in areas:
        if reason is not None:
            found.append(Figure(name, None, reason=reason))
            continue
        value = float(of_ours.mean())
        p = p_value(value, of_random, exhaustive=case.exhaustive)
        found.append(Figure(name, value / case.effect, *_spread(of_random / case.effect), p))
    value, floor = float(areas[0][1].mean()), areas[0][2]
    if reason is not None:
        found += [Figure(name, None, reason=reason) for name in ("beaten", "percentile")]
    else:
        p = p_value(value, floor, exhaustive=case.exhaustive)
        size = _ROUNDING * max(abs(value), float(np.abs(floor).max(initial=0.0)))
        below, above = (float(np.mean(part)) for part in (floor < value - size, floor > value + size))
        found += [
            Figure("beaten", below, 0.5, p=p),
            Figure("percentile", 100 * (below + (1 - below - above) / 2), 50.0, p=p),
        ]
    return found + _of_flips(case, ours, random, first)


def _undefined(case: Case) -> str | None:
    if case.n < 2:
        return "One unit has no order."
    if abs(case.effect) < LEAST_EFFECT:
        change = f"{case.effect:.3f}".replace("-", MINUS)
        return f"All units together change the value by {change} only, less than {LEAST_EFFECT}."
    return None


def _area(name: str, case: Case, curves: Curves) -> Floats:
    """Return the mean over steps [r]: of the loss, of the gain, or between the two ends of the ranking."""
    gaps = {
        "deletion": case.whole - curves.without,
        "sufficiency": curves.only - case.empty,
        "area": curves.reverse - curves.without,
    }
    mean: Floats = gaps[name][..., 0].mean(axis=1)
    return mean


def _spread(random: Floats) -> tuple[float, float, float]:
    """Return mean, 2.5 % and 97.5 % of the values of random rankings."""
    low, high = np.percentile(random, _MIDDLE).tolist()
    return float(random.mean()), low, high


# ── flips ────────────────────────────────────────────────────────────────────────────────────────────────────────


def units_to_flip(margins: Floats, steps: Sequence[int], n: int) -> Floats:
    """Return for each ranking how many first units are gone when another token wins, [r]; infinite if never.

    `margins`: [r, 1 + g], at each step and without all n units. Between two steps nothing is known: the number is that
    of the later one.
    """
    counts = np.array([*steps, n], dtype=np.float64)
    lost = margins < 0
    flips: Floats = np.where(lost.any(axis=1), counts[lost.argmax(axis=1)], np.inf)
    return flips


def _of_flips(case: Case, ours: Curves, random: Curves, first: Floats | None) -> list[Figure]:
    names = ("words_to_flip", "dffrac", "dfmit")
    if np.isnan(case.margin):
        return [Figure(name, None, reason="This model has no other token or class to flip to.") for name in names]
    if case.margin < 0:
        said = "Another token or class is more probable already."
        return [Figure(name, None, reason=said) for name in names]
    of_ours, of_random = (units_to_flip(each.margins[..., 0], case.steps, case.n) for each in (ours, random))
    value = float(np.quantile(of_ours, 0.5, method="lower"))
    middle, low, high = (float(np.quantile(of_random, at, method="lower")) for at in (0.5, 0.025, 0.975))
    found = [Figure("words_to_flip", value, middle, low, high, p_value(-value, -of_random, exhaustive=case.exhaustive))]
    shares = [np.where(np.isinf(each), 1.0, each / case.n) for each in (of_ours, of_random)]
    share = float(shares[0].mean())
    found.append(Figure("dffrac", share, *_spread(shares[1]), p_value(-share, -shares[1], exhaustive=case.exhaustive)))
    if first is None:
        return [*found, Figure("dfmit", None, reason="It was not read, to keep to the budget.")]
    by_luck = float(np.mean(random.margins[:, 0, 0] < 0)) if case.steps[0] == 1 else None
    return [*found, Figure("dfmit", float(np.mean(first < 0)), by_luck)]


# ── LDS ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def lds(scores: Floats, masks: Keep, values: Floats, shuffles: Ints, *, signed: bool, seed: int = 0) -> Figure:
    """Return the rank correlation of Σ score over the kept units with the value, over masks [m, n] and values [m].

    Beside it stands what the same scores reach when they are shuffled over the units by each of `shuffles` [r, n]. The
    interval is a bootstrap over masks: 95 %.
    """
    if not signed:
        return Figure("lds", None, reason="These scores have no sign, so they do not claim to add up.")
    if len(masks) < 3:
        return Figure("lds", None, reason="There are too few halves of so few units.")
    kept = masks.astype(np.float64)
    value = spearman(kept @ scores, values)
    if value is None:
        return Figure("lds", None, reason="The kept scores, or the values, are all equal.")
    floor = _correlations(mid_ranks(scores[shuffles] @ kept.T), mid_ranks(values))
    mean, low, high = _spread(floor)
    p = (1 + int(np.count_nonzero(floor >= value - _ROUNDING))) / (len(floor) + 1)
    worst, best = np.percentile(_resampled(kept @ scores, values, seed), _MIDDLE).tolist()
    return Figure("lds", value, mean, low, high, p, worst, best)


def _correlations(ranks: Floats, others: Floats) -> Floats:
    a = ranks - ranks.mean(axis=-1, keepdims=True)
    b = others - others.mean()
    sizes = np.sqrt((a * a).sum(axis=-1) * (b @ b))
    found: Floats = np.divide(a @ b, sizes, out=np.zeros(len(a)), where=sizes > 0)
    return found


def _resampled(a: Floats, b: Floats, seed: int) -> Floats:
    """Return Spearman's correlations of bootstrap samples of the pairs (aᵢ, bᵢ), from how often each was drawn."""
    m = len(a)
    drawn = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=_RESAMPLES).astype(np.float64)
    ranks = [drawn @ ((x[:, None] < x) + (x[:, None] == x) / 2) for x in (a, b)]  # [resamples, m]
    centred = [each - (drawn * each).sum(axis=1, keepdims=True) / m for each in ranks]
    products = [
        (drawn * x * y).sum(axis=1) for x, y in ((centred[0], centred[1]), (centred[0],) * 2, (centred[1],) * 2)
    ]
    sizes = np.sqrt(products[1] * products[2])
    found: Floats = np.divide(products[0], sizes, out=np.zeros(_RESAMPLES), where=sizes > 0)
    return found


def half_masks(n: int, count: int, seed: int) -> Keep:
    """Return masks [count, n], each of which keeps ⌊n / 2⌋ units drawn at random."""
    rng = np.random.default_rng(seed)
    return np.argsort(rng.random((count, n)), axis=1) < n // 2
