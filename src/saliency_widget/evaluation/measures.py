"""Measures of agreement of two lists of scores over the same words, each with the value that random order gives.

A share of common words means little by itself: two random orders of five words have 60 % of their top three in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from math import factorial, nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..checks import whole_number
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

DRAWS = 10_000  # with 1,000, chance decides whether a figure near an end of its interval is inside
FEWEST_WORDS = 3  # two words agree either completely or not at all
FEWEST_DRAWS = 100
WORK = 10**7  # words × draws for one list of figures, at most: about a second
AT_ONCE = 10**6  # words × draws that are computed together: what memory holds
MOST_COUNTED = 200  # words up to which the pairs of words are counted for every draw: their time is quadratic
MIDDLE = (2.5, 97.5)  # percent
FEWEST_TEXTS = 5  # a bootstrap of fewer texts is not reliable
ROUNDING = 1e-9  # a value this near to an end of the random interval lies within it


# ── what is compared ──────────────────────────────────────────────────────────────────────────────────────────────


class Side(NamedTuple):
    """One list of scores; every field is an array [n].

    `scores`: scaled so that the largest |score| is 1. `ranks`: 0 … n − 1 from the smallest score; ties share their
    mean. `above`: the number of words with a larger |score|. `equal`: the number with the same one, including the word.
    """

    scores: Floats
    ranks: Floats
    above: Ints
    equal: Ints


@dataclass(frozen=True)
class Pair:
    """Two sides, and the permutations of side b.

    `order`: [1 + draws, n], one permutation of the words in each line. The first is the identity, so a measure computes
    its value and its random values together. `likely`: concordances at equal shares of those of all permutations.
    """

    a: Side
    b: Side
    order: Ints
    k: int
    likely: Floats | None = None

    @cached_property
    def concordance(self) -> Floats:
        """Return the number of concordant minus discordant pairs of words, [1 + draws]; a tie is neither."""
        counted = self._counted()
        return counted if self.likely is None else np.concatenate([counted, self.likely])

    def _counted(self) -> Floats:
        a = self.a.ranks.astype(np.float32)
        b = self.b.ranks.astype(np.float32)[np.ascontiguousarray(self.order.T)]  # contiguous slices are faster
        total = np.zeros(len(self.order))
        for lag in range(1, len(a)):
            # Not `@`: starting its threads for each lag costs ten times what they save.
            total += np.einsum("w,wd->d", np.sign(a[lag:] - a[:-lag]), np.sign(b[lag:] - b[:-lag]))
        return total

    @cached_property
    def same_sign(self) -> NDArray[np.bool_]:
        """Return whether each word has the same sign on both sides, [1 + draws, n]; 0 is a third sign."""
        return np.equal(np.sign(self.a.scores), np.sign(self.b.scores)[self.order])

    @cached_property
    def both_in_top(self) -> Floats:
        """Return the chance that each word is in the top k of both sides with ties broken at random, [1 + draws, n]."""
        return self._in_top(self.a) * self._in_top(self.b)[self.order]

    @cached_property
    def same_rank(self) -> Floats:
        """Return the chance that each word has the same rank, of the first k, on both sides, [1 + draws, n]."""
        above, equal = self.b.above[self.order], self.b.equal[self.order]
        end = np.minimum(np.minimum(self.a.above + self.a.equal, above + equal), self.k)
        shared: Floats = np.maximum(end - np.maximum(self.a.above, above), 0) / (self.a.equal * equal)
        return shared

    def _in_top(self, side: Side) -> Floats:
        chance: Floats = np.clip(self.k - side.above, 0, side.equal) / side.equal
        return chance


# ── the measures ──────────────────────────────────────────────────────────────────────────────────────────────────


def _spearman(pair: Pair) -> Floats:
    a, b = (ranks - ranks.mean() for ranks in (pair.a.ranks, pair.b.ranks))
    return _cosines(a, b, pair.order)


def _kendall(pair: Pair) -> Floats:
    a, b = (_untied(side.ranks) for side in (pair.a, pair.b))
    tau: Floats = pair.concordance / np.sqrt(a * b)
    return tau


def _pairwise_rank_agreement(pair: Pair) -> Floats:
    n = len(pair.a.ranks)
    share: Floats = (1 + pair.concordance / (n * (n - 1) / 2)) / 2  # a tie, broken at random, agrees half the time
    return share


def _feature_agreement(pair: Pair) -> Floats:
    return _share(pair.both_in_top, pair.k)


def _rank_agreement(pair: Pair) -> Floats:
    return _share(pair.same_rank, pair.k)


def _sign_agreement(pair: Pair) -> Floats:
    return _share(pair.both_in_top * pair.same_sign, pair.k)


def _signed_rank_agreement(pair: Pair) -> Floats:
    return _share(pair.same_rank * pair.same_sign, pair.k)


def _share(chances: Floats, k: int) -> Floats:
    """Return the mean share of the top k, [1 + draws], from the chance of each word, [1 + draws, n]."""
    share: Floats = chances.sum(axis=1) / k
    return share


def _cosine(pair: Pair) -> Floats:
    # Scaling does not change a cosine, so dividing the scores by their L1 norm is not needed.
    return _cosines(pair.a.scores, pair.b.scores, pair.order)


def _cosines(a: Floats, b: Floats, order: Ints) -> Floats:
    # Not `@`: its result for one order depends, in the last digit, on the number of orders.
    cosines: Floats = np.einsum("dw,w->d", b[order], a) / (np.linalg.norm(a) * np.linalg.norm(b))
    return cosines


def _untied(ranks: Floats) -> float:
    """Return the number of pairs of words that are not tied."""
    n, (_, sizes) = len(ranks), np.unique(ranks, return_counts=True)
    return float(n * (n - 1) - np.sum(sizes * (sizes - 1))) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure of how far two lists of scores agree.

    `needs_signs`: whether it needs two signed sides. `top`: whether it uses the top k only. `pairs`: whether it counts
    pairs of words. `low` and `high`: the ends
    of its range. `reads`: how to read it. `compute`: returns its value for each order of the words, [1 + draws].
    """

    id: str
    label: str
    needs_signs: bool = False
    top: bool = False
    pairs: bool = False
    low: float = 0.0
    high: float = 1.0
    reads: str
    reference: str
    compute: Callable[[Pair], Floats]


_KRISHNA = (
    "Krishna et al. 2022, The disagreement problem in explainable machine learning (arXiv:2202.01602); "
    "of self-explanations: Huang et al. 2023 (arXiv:2310.11207)"
)

MEASURES: dict[str, Measure] = {
    measure.id: measure
    for measure in (
        Measure(
            id="spearman",
            label="Spearman's ρ",
            low=-1.0,
            reads="Correlation of the ranks: 1 the same order, 0 none in common, −1 the reverse; equals share a rank.",
            reference=f"Spearman 1904, The proof and measurement of association between two things; {_KRISHNA}",
            compute=_spearman,
        ),
        Measure(
            id="kendall",
            label="Kendall's τ-b",
            pairs=True,
            low=-1.0,
            reads="Pairs of words ordered alike less pairs ordered the other way, a share of those not tied: −1 … 1.",
            reference="Kendall 1945, The treatment of ties in ranking problems",
            compute=_kendall,
        ),
        Measure(
            id="feature_agreement",
            label="feature agreement",
            top=True,
            reads="Share of the k strongest words, whatever their sign, that both sides have among theirs.",
            reference=_KRISHNA,
            compute=_feature_agreement,
        ),
        Measure(
            id="rank_agreement",
            label="rank agreement",
            top=True,
            reads="Share of the k strongest words, whatever their sign, that have the same rank on both sides.",
            reference=_KRISHNA,
            compute=_rank_agreement,
        ),
        Measure(
            id="sign_agreement",
            label="sign agreement",
            needs_signs=True,
            top=True,
            reads="Share of the k strongest words that both sides have among theirs, with the same sign.",
            reference=_KRISHNA,
            compute=_sign_agreement,
        ),
        Measure(
            id="signed_rank_agreement",
            label="signed rank agreement",
            needs_signs=True,
            top=True,
            reads="Share of the k strongest words that have the same rank and the same sign on both sides.",
            reference=_KRISHNA,
            compute=_signed_rank_agreement,
        ),
        Measure(
            id="pairwise_rank_agreement",
            label="pairwise rank agreement",
            pairs=True,
            reads="Share of all pairs of words that both sides put in the same order; half of them by luck alone.",
            reference=_KRISHNA,
            compute=_pairwise_rank_agreement,
        ),
        Measure(
            id="cosine",
            label="cosine",
            low=-1.0,
            reads="Cosine of the scores as shares of all: 1 the same shares, 0 nothing in common, −1 the opposite.",
            reference="Parcalabescu & Frank 2024, CC-SHAP (arXiv:2311.07466)",
            compute=_cosine,
        ),
    )
}


# ── the figures ───────────────────────────────────────────────────────────────────────────────────────────────────


class Figure(NamedTuple):
    """The value of one measure for two lists of scores.

    `value`: in the range of the measure, or None for the `reason`. `random_mean`, `random_low`, `random_high`: the mean
    and the middle 95 % of the values when the words of one side are shuffled; None if the value is. `n`: the number of
    compared words. `k`: the number of strongest words that the measure compares; None if it compares all.
    """

    measure: str
    label: str
    value: float | None
    random_mean: float | None
    random_low: float | None
    random_high: float | None
    n: int
    k: int | None
    reason: str | None = None

    @property
    def outside(self) -> bool:
        """Return whether the value lies outside the middle 95 % of the values of shuffled words."""
        if self.value is None or self.random_low is None or self.random_high is None:
            return False
        return not self.random_low - ROUNDING <= self.value <= self.random_high + ROUNDING


def figures(
    a: ArrayLike, b: ArrayLike, *, signed: bool, k: int | None = None, draws: int = DRAWS, seed: int = 0
) -> list[Figure]:
    """Compute every measure of `MEASURES`, in its order, for two lists of scores [n] over the same words.

    `signed`: whether the scores of both sides have a meaningful sign. If so, words are ranked from the most negative to
    the most positive score, except that the top k are always those of largest |score|. If not, only |score| is
    compared, and measures of signs have no value. Words that are NaN or None on either side are left out. `k`: the
    number of strongest words; None for a fifth of the words, at least one, so that long and short texts compare. A k
    above the number of words means all.

    Spearman's and Kendall's measures handle ties as usual. All others break ties at random, independently on both
    sides, and return the exact mean over all ways to do so: a list with ties does not agree fully even with itself.
    Krishna et al. always rank by |score|, as `signed=False` does.

    `draws`: the number of shuffles for the random interval. If there are no more orders of the words than that (up to 7
    words by default), each is used once, and the interval is exact. Above 1,000 words there are fewer shuffles, down to
    100. The interval is one that a value of shuffled words leaves in at most 5 of 100 cases, whatever the number of
    shuffles (Hyndman & Fan 1996, definition 6). Above 200 words the pairs of shuffled words are not counted: their
    number is normal there, with Kendall's variance. Equal seeds give equal figures.

    For fewer than three words, or a side whose scores are all equal, every value is None, with the reason.

    Raises: InputError if the lists differ in length, are not one-dimensional or have an infinite score, or if k or
    draws is not a whole number from 1 on.
    """
    draws = whole_number("draws", draws, least=1, cure="Leave it out for 10,000.")
    words = _compared(a, b)
    x, y = words if signed else np.abs(words)
    n = len(x)
    k = max(1, n // 5) if k is None else whole_number("k", k, least=1, cure="Leave it out for a fifth of the words.")
    k = max(1, min(k, n))
    unmeasured = _nothing_to_measure(x, y)
    reasons = {
        measure.id: "Scores of one side have no sign." if measure.needs_signs and not signed else unmeasured
        for measure in MEASURES.values()
    }
    wanted = [measure for measure in MEASURES.values() if reasons[measure.id] is None]
    found = _computed(wanted, _side(x), _side(y), shuffles(n, draws, seed), k) if wanted else {}
    return [_figure(measure, found.get(measure.id), reasons[measure.id], n, k) for measure in MEASURES.values()]


def _figure(measure: Measure, found: Floats | None, reason: str | None, n: int, k: int) -> Figure:
    """Return the figure of a measure from its values [1 + draws], or with the reason why there are none."""
    shown = k if measure.top else None
    if found is None:
        return Figure(measure.id, measure.label, None, None, None, None, n, shown, reason)
    value, *floor = np.clip(found, measure.low, measure.high).tolist()
    low, high = np.percentile(floor, MIDDLE, method="weibull").tolist()
    return Figure(measure.id, measure.label, value, float(np.mean(floor)), low, high, n, shown)


def _computed(measures: Sequence[Measure], a: Side, b: Side, order: Ints, k: int) -> dict[str, Floats]:
    """Return the values of measures for each order, by the measure's name, [1 + draws]; some orders at a time."""
    n = len(a.ranks)
    found: dict[str, list[Floats]] = {measure.id: [] for measure in measures}
    whole = Pair(a, b, order[:1], k, _likely_concordances(a.ranks, b.ranks)) if n > MOST_COUNTED else None
    step = max(1, AT_ONCE // n)
    for start in range(0, len(order), step):
        pair = Pair(a, b, order[start : start + step], k)
        for measure in measures:
            if whole is None or not measure.pairs:
                found[measure.id].append(measure.compute(pair))
            elif start == 0:
                found[measure.id].append(measure.compute(whole))
    return {name: np.concatenate(values) for name, values in found.items()}


def _likely_concordances(a: Floats, b: Floats) -> Floats:
    """Return concordances of shuffled words at each thousandth of their distribution, [999].

    It is normal for many words. Its variance, with ties on both sides: Kendall 1947, The variance of τ when both
    rankings contain ties.
    """
    n = float(len(a))
    (t, u), pairs = (np.unique(side, return_counts=True)[1].astype(np.float64) for side in (a, b)), n * (n - 1)

    def summed(f: Callable[[Floats], Floats]) -> tuple[float, float]:
        return float(f(t).sum()), float(f(u).sum())

    fives = summed(lambda c: c * (c - 1) * (2 * c + 5))
    threes = summed(lambda c: c * (c - 1) * (c - 2))
    twos = summed(lambda c: c * (c - 1))
    variance = (pairs * (2 * n + 5) - sum(fives)) / 18
    variance += threes[0] * threes[1] / (9 * pairs * (n - 2)) + twos[0] * twos[1] / (2 * pairs)
    normal = NormalDist(0, sqrt(variance))
    return np.array([normal.inv_cdf(at / 1000) for at in range(1, 1000)])


def _compared(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return both lists without the words that one of them does not score, [2, n]."""
    x, y = (np.asarray(scores, dtype=np.float64) for scores in (a, b))
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(
            f"The scores have the shapes {x.shape} and {y.shape}.", cure="Give two lists with one score a word each."
        )
    if np.isinf(x).any() or np.isinf(y).any():
        raise InputError("There is an infinite score.", cure="A score is finite, or NaN where there is none.")
    both = np.stack([x, y])
    return both[:, ~np.isnan(both).any(axis=0)]


def _nothing_to_measure(x: Floats, y: Floats) -> str | None:
    if len(x) < FEWEST_WORDS:
        return f"Only {len(x)} of the words have a score on both sides; {FEWEST_WORDS} are needed."
    if any(np.all(scores == scores[0]) for scores in (x, y)):
        return "On one side all words have the same score, so they have no order."
    return None


def _side(scores: Floats) -> Side:
    below, tied = _places(scores)
    above, equal = _places(-np.abs(scores))
    # The scale changes no figure, and keeps the squares of very large and very small scores finite and above 0.
    return Side(scores / np.max(np.abs(scores)), below + (tied - 1) / 2, above, equal)


def _places(values: Floats) -> tuple[Ints, Ints]:
    """Return for each value the number of smaller values, and the number of equal ones, itself included."""
    _, kinds, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts)[kinds], counts[kinds]


def shuffles(n: int, draws: int, seed: int) -> Ints:
    """Return permutations of n words, [1 + draws, n]: the identity, then shuffles, or each order once if few exist."""
    if n <= 12 and factorial(n) <= draws:  # the factorial of a large n has thousands of digits
        return np.array([range(n), *permutations(range(n))])
    draws = min(draws, max(FEWEST_DRAWS, WORK // n))
    order = np.tile(np.arange(n), (1 + draws, 1))
    np.random.default_rng(seed).permuted(order[1:], axis=1, out=order[1:])
    return order


# ── over many texts ───────────────────────────────────────────────────────────────────────────────────────────────


def interval(values: Sequence[float], *, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of one figure over many texts, and the ends of its 95 % bootstrap percentile interval.

    Texts are drawn with replacement `draws` times. With fewer than five texts the ends are NaN. Equal seeds give equal
    ends. Source: Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 13.

    Raises: InputError if there are no values, if one is NaN or infinite, or if draws is not a whole number from 1 on.
    """
    draws = whole_number("draws", draws, least=1, cure="Leave it out for 2,000.")
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise InputError(
            "An interval needs a list of finite values, at least one.", cure="Leave out texts without a value first."
        )
    if given.size < FEWEST_TEXTS:
        return float(given.mean()), nan, nan
    picked = np.random.default_rng(seed).integers(given.size, size=(draws, given.size))
    low, high = np.percentile(given[picked].mean(axis=1), MIDDLE).tolist()
    return float(given.mean()), low, high
