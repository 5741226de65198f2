"""How far two lists of scores over the same words agree, each figure beside what shuffled words would reach.

A share of common words means little by itself: two random orders of five words have 60 % of their top three in common.
So every figure comes with its random floor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from math import factorial, nan
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..checks import whole_number
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

DRAWS = 10_000  # with a tenth of it a figure near an end of its interval is inside or outside by luck
FEWEST_WORDS = 3  # of two words, every order agrees or disagrees wholly
FEWEST_DRAWS = 100
WORK = 4 * 10**8  # words × words × draws that one list of figures may take: about a third of a second
MIDDLE = (2.5, 97.5)  # percent
FEWEST_TEXTS = 5  # of fewer, a bootstrap knows nothing but the texts themselves
ROUNDING = 1e-9  # a value this near to an end of the random interval lies within it


# ── what is compared ──────────────────────────────────────────────────────────────────────────────────────────────


class Side(NamedTuple):
    """One list of scores, all [n].

    `scores`: the largest is 1 in size. `ranks`: 0 … n − 1 from the smallest score, ties share their mean. `above`: how
    many words have a larger |score|. `equal`: how many have the same, the word itself among them.
    """

    scores: Floats
    ranks: Floats
    above: Ints
    equal: Ints


@dataclass(frozen=True)
class Pair:
    """Two sides and the shuffles that side b is read in.

    `order`: [1 + draws, n], a permutation of the words a line; the first leaves them where they are, so that a measure
    computes its value and its random floor in one go.
    """

    a: Side
    b: Side
    order: Ints
    k: int

    @cached_property
    def concordance(self) -> Floats:
        """Pairs of words ordered alike less pairs ordered the other way, [1 + draws]; a tie is neither."""
        a = self.a.ranks.astype(np.float32)
        b = self.b.ranks.astype(np.float32)[np.ascontiguousarray(self.order.T)]  # slices of words in one piece: fast
        total = np.zeros(len(self.order))
        for lag in range(1, len(a)):
            # Not `@`: its threads, started anew for each lag, cost ten times what they save.
            total += np.einsum("w,wd->d", np.sign(a[lag:] - a[:-lag]), np.sign(b[lag:] - b[:-lag]))
        return total

    @cached_property
    def same_sign(self) -> NDArray[np.bool_]:
        """Whether a word has the same sign on both sides, [1 + draws, n]; 0 counts as a sign of its own."""
        return np.equal(np.sign(self.a.scores), np.sign(self.b.scores)[self.order])

    @cached_property
    def both_in_top(self) -> Floats:
        """The chance that a word is in the top k of both sides when ties are broken at random, [1 + draws, n]."""
        return self._in_top(self.a) * self._in_top(self.b)[self.order]

    @cached_property
    def same_rank(self) -> Floats:
        """The chance that a word has the same rank, one of the first k, on both sides, [1 + draws, n]."""
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
    share: Floats = (1 + pair.concordance / (n * (n - 1) / 2)) / 2  # a tie, broken at random, is alike half the time
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
    """The mean share of the top k, [1 + draws], from the chance of each word, [1 + draws, n]."""
    share: Floats = chances.sum(axis=1) / k
    return share


def _cosine(pair: Pair) -> Floats:
    # Shares of all (scores over their L1 norm) have the same cosine as the scores.
    return _cosines(pair.a.scores, pair.b.scores, pair.order)


def _cosines(a: Floats, b: Floats, order: Ints) -> Floats:
    # Not `@`: what it gives for one order differs in the last digit with how many there are.
    cosines: Floats = np.einsum("dw,w->d", b[order], a) / (np.linalg.norm(a) * np.linalg.norm(b))
    return cosines


def _untied(ranks: Floats) -> float:
    """How many pairs of words are not tied."""
    n, (_, sizes) = len(ranks), np.unique(ranks, return_counts=True)
    return float(n * (n - 1) - np.sum(sizes * (sizes - 1))) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A way to say how far two lists of scores agree.

    `needs_signs`: whether it means nothing where one side is unsigned. `top`: whether it looks at the top k only. `low`
    and `high`: the ends of its range. `reads`: how to read it. `compute`: its value for each order of the words.
    """

    id: str
    label: str
    needs_signs: bool = False
    top: bool = False
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
    """What a measure says of two lists of scores.

    `value` in the range of the measure, None where there is nothing to measure: `reason` says why. `random_mean`,
    `random_low`, `random_high`: mean and middle 95 % of what the same scores reach when the words of one side are
    shuffled; None where the value is. `n`: how many words were compared. `k`: of how many strongest words this is the
    share; None where it is not one.
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
        """Whether the value lies outside the middle 95 % of what shuffled words reach."""
        if self.value is None or self.random_low is None or self.random_high is None:
            return False
        return not self.random_low - ROUNDING <= self.value <= self.random_high + ROUNDING


def figures(
    a: ArrayLike, b: ArrayLike, *, signed: bool, k: int | None = None, draws: int = DRAWS, seed: int = 0
) -> list[Figure]:
    """Every measure of `MEASURES`, in its order, for two lists of scores [n] over the same words.

    `signed`: whether the sign of a score means something on both sides. If so, ranks go from the most negative to the
    most positive score, except that the top k are always those of largest size; if not, sizes alone are compared, and
    measures of signs have no value. A word that is NaN or None on either side is left out. `k`: how many strongest
    words count; None takes a fifth of them, at least one, so that long and short texts compare; more than there are
    means all.

    The correlations have ways of their own with ties. Elsewhere ties are broken at random, independently on both
    sides, and what is given is the exact mean over all ways to do so: lists with ties agree less than wholly even with
    themselves. Krishna et al. rank by size throughout; `signed=False` does so for signed scores too.

    `draws`: shuffles for the random floor. Where there are no more orders of the words than that, each is taken once,
    and the floor is exact: up to 7 words by default. Beyond 200 words there are fewer, down to 100, since their time
    grows with the square of the words. The same `seed` gives the same figures.

    Fewer than three words, or a side on which all are equal, gives values of None with the reason.

    Raises: InputError when the lists differ in length, are not flat, have an infinite score, or k or draws is no
    whole number from 1 on.
    """
    draws = whole_number("draws", draws, least=1, cure="Leave it out for 10,000.")
    words = _compared(a, b)
    x, y = words if signed else np.abs(words)
    n = len(x)
    k = max(1, n // 5) if k is None else whole_number("k", k, least=1, cure="Leave it out for a fifth of the words.")
    k = max(1, min(k, n))
    reason = _nothing_to_measure(x, y)
    pair = None if reason else Pair(_side(x), _side(y), _shuffles(n, draws, seed), k)
    return [_figure(measure, pair, n, k, reason, signed) for measure in MEASURES.values()]


def _figure(measure: Measure, pair: Pair | None, n: int, k: int, reason: str | None, signed: bool) -> Figure:
    shown = k if measure.top else None
    if measure.needs_signs and not signed:
        reason = "Scores of one side have no sign."
    if pair is None or reason is not None:
        return Figure(measure.id, measure.label, None, None, None, None, n, shown, reason)
    value, *floor = np.clip(measure.compute(pair), measure.low, measure.high).tolist()
    low, high = np.percentile(floor, MIDDLE).tolist()
    return Figure(measure.id, measure.label, value, float(np.mean(floor)), low, high, n, shown)


def _compared(a: ArrayLike, b: ArrayLike) -> Floats:
    """Both lists without the words that one of them does not score, [2, n]."""
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
        return "On one side all words have the same score, so that they have no order."
    return None


def _side(scores: Floats) -> Side:
    below, tied = _places(scores)
    above, equal = _places(-np.abs(scores))
    # The scale changes no figure; without it the squares of very large scores were infinite, of very small ones 0.
    return Side(scores / np.max(np.abs(scores)), below + (tied - 1) / 2, above, equal)


def _places(values: Floats) -> tuple[Ints, Ints]:
    """For each value how many are smaller, and how many are the same, itself among them."""
    _, kinds, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - counts)[kinds], counts[kinds]


def _shuffles(n: int, draws: int, seed: int) -> Ints:
    """[1 + draws, n]: the words in their order, then shuffled; or in each order once, where there are no more."""
    if n <= 12 and factorial(n) <= draws:  # the factorial of a long text is a number of thousands of digits
        return np.array([range(n), *permutations(range(n))])
    draws = min(draws, max(FEWEST_DRAWS, WORK // n**2))
    order = np.tile(np.arange(n), (1 + draws, 1))
    np.random.default_rng(seed).permuted(order[1:], axis=1, out=order[1:])
    return order


# ── over many texts ───────────────────────────────────────────────────────────────────────────────────────────────


def interval(values: Sequence[float], *, draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of one figure over many texts, and the ends of its 95 % bootstrap percentile interval.

    Texts are drawn with replacement `draws` times. Fewer than five texts have no interval: its ends are NaN. The same
    `seed` gives the same ends. Source: Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 13.

    Raises: InputError without values, when one is NaN or infinite, or draws is no whole number from 1 on.
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
