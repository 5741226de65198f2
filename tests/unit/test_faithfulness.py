"""The figures of faithfulness against slow, obvious implementations and cases computed by hand."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from saliency_widget.evaluation.faithfulness.curves import (
    PERCENTS,
    Curves,
    curves_of,
    every_step,
    kept_steps,
    masks_of,
    only,
    steps_of,
    without,
)
from saliency_widget.evaluation.faithfulness.figures import (
    Case,
    Figure,
    half_masks,
    lds,
    of_curves,
    p_value,
    units_to_flip,
)
from saliency_widget.evaluation.rankings import antithetic, every_order, mid_ranks, ranked, spearman

N = 9
TABLE = np.random.default_rng(7).normal(size=2**N).cumsum() / 20  # a value for every subset of nine units
MARGINS = TABLE - np.quantile(TABLE, 0.4)


def read(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fixed table, one target."""
    number = masks @ (1 << np.arange(masks.shape[-1]))
    return TABLE[number][..., None], MARGINS[number][..., None]


def v(kept: Any) -> float:
    return float(TABLE[sum(1 << unit for unit in kept)])


def case(**given: Any) -> Case:
    whole, empty = float(TABLE[-1]), float(TABLE[0])
    return Case(**{"n": N, "steps": every_step(N), "whole": whole, "empty": empty, "margin": 1.0} | given)


def figures(orders: np.ndarray, random: np.ndarray, **given: Any) -> dict[str, Figure]:
    asked = case(**given)
    _, first = read(without(orders, (1,))[:, 0])
    found = of_curves(asked, curves_of(orders, asked.steps, read), curves_of(random, asked.steps, read), first[:, 0])
    return {figure.metric: figure for figure in found}


# ── steps, masks, rankings ───────────────────────────────────────────────────────────────────────────────────────


def test_steps_by_hand():
    """1, 2, 5, 10, 20 and 50 % of 67, rounded up: 1, 2, 4, 7, 14, 34; of few units, without repeats."""
    assert steps_of(67, PERCENTS) == (1, 2, 4, 7, 14, 34)
    assert steps_of(3, PERCENTS) == (1, 2)
    assert steps_of(1, PERCENTS) == (1,)
    assert every_step(7) == (1, 2, 3, 4)
    assert kept_steps(67, (1, 34)) == (1, 33)


def test_masks_keep_what_the_definition_says():
    """Without the first k units the others stay; nothing but the first k keeps them alone; each ranking its own."""
    orders = np.array([[2, 0, 1, 3], [3, 1, 0, 2]])
    assert without(orders, (1, 2)).tolist() == [
        [[True, True, False, True], [False, True, False, True]],
        [[True, True, True, False], [True, False, True, False]],
    ]
    assert only(orders, (1, 2)).tolist() == [
        [[False, False, True, False], [True, False, True, False]],
        [[False, False, False, True], [False, True, False, True]],
    ]


@pytest.mark.parametrize("n", [6, 7])
def test_half_of_a_ranking_serves_its_reverse_too(n: int):
    """The kept half of a ranking is the rest of the reverse one: one pass for both."""
    order = antithetic(n, 2, seed=1)
    half = (n + 1) // 2
    assert (only(order[:1], (half,)) == without(order[1:], (half,))).all()


def test_random_rankings_come_with_their_reverse():
    """25 pairs, each an order and its reverse; every order is a permutation; equal seeds give equal rankings."""
    rankings = antithetic(8, 50, seed=3)
    assert rankings.shape == (50, 8)
    assert (np.sort(rankings, axis=1) == np.arange(8)).all()
    assert (rankings[::2] == rankings[1::2, ::-1]).all()
    assert (antithetic(8, 50, seed=3) == rankings).all()
    assert len(antithetic(8, 21, seed=3)) == 21


def test_ties_are_broken_by_each_breaker():
    """Units of equal score stand as in the breaker, behind all of higher score; without ties there is one ranking."""
    breakers = np.array([[3, 2, 1, 0], [0, 1, 2, 3]])
    assert ranked(np.array([1.0, 5.0, 1.0, 1.0]), breakers).tolist() == [[1, 3, 2, 0], [1, 0, 2, 3]]
    assert ranked(np.array([1.0, -5.0, 2.0, 0.0]), breakers).tolist() == [[2, 0, 3, 1]]
    assert ranked(np.zeros(4), breakers).tolist() == breakers.tolist()


def test_ranks_and_their_correlation_are_scipys():
    """Ties share their mean rank; Spearman's ρ is scipy's, and there is none where all values are equal."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.integers(0, 6, size=(2, 12)).astype(float)
        assert (mid_ranks(a) + 1 == stats.rankdata(a)).all()
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert spearman(np.ones(4), np.arange(4.0)) is None


# ── the figures against an obvious implementation ────────────────────────────────────────────────────────────────


def obvious(order: list[int], steps: tuple[int, ...]) -> dict[str, float]:
    """Each figure by its formula, a subset at a time."""
    everything, whole, empty = set(range(N)), v(range(N)), v([])
    effect = whole - empty
    losses = [whole - v(everything - set(order[:k])) for k in steps]
    ends = [whole - v(everything - set(order[::-1][:k])) for k in steps]
    gains = [v(order[:k]) - empty for k in kept_steps(N, steps)]
    return {
        "deletion": sum(losses) / len(steps) / effect,
        "sufficiency": sum(gains) / len(steps) / effect,
        "area": (sum(losses) - sum(ends)) / len(steps) / effect,
    }


def test_deletion_sufficiency_and_area_are_their_formulas():
    """The three areas of forty rankings, each value looked up by itself, and the mean and quantiles of random ones."""
    random = antithetic(N, 50, seed=0)
    floor = [obvious(order, every_step(N)) for order in random.tolist()]
    for order in antithetic(N, 40, seed=9):
        found, expected = figures(order[None], random), obvious(order.tolist(), every_step(N))
        for name, value in expected.items():
            others = [each[name] for each in floor]
            assert found[name].value == pytest.approx(value, abs=1e-12)
            assert found[name].random_mean == pytest.approx(np.mean(others), abs=1e-12)
            assert found[name].random_low == pytest.approx(np.percentile(others, 2.5), abs=1e-12)
            assert found[name].random_high == pytest.approx(np.percentile(others, 97.5), abs=1e-12)


def test_the_random_mean_between_the_two_ends_is_zero():
    """In a pair of an order and its reverse the two areas cancel exactly."""
    found = figures(np.arange(N)[None], antithetic(N, 50, seed=0))
    assert found["area"].random_mean == pytest.approx(0, abs=1e-12)


def test_against_chance_by_hand():
    """p = (1 + random at least as good) / (R + 1); the share beaten; the percentile counts equals by half."""
    whole, steps = 1.0, (1,)
    losses = np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.5])

    def curves(loss: np.ndarray) -> Curves:
        left = (whole - loss)[:, None, None]
        return Curves(left, left * 0, left * 0, np.ones((len(loss), 2, 1)))

    asked = Case(4, steps, whole, 0.0, 1.0)
    found = of_curves(asked, curves(np.array([0.4])), curves(losses), np.array([1.0]))
    by_name = {figure.metric: figure for figure in found}
    assert by_name["deletion"].value == pytest.approx(0.4)
    assert by_name["deletion"].p == pytest.approx((1 + 3) / 7)
    assert by_name["beaten"].value == pytest.approx(3 / 6)
    assert by_name["percentile"].value == pytest.approx(100 * (3 + 1) / 6)
    assert p_value(0.4, losses, exhaustive=True) == pytest.approx(3 / 6)
    assert p_value(9.0, losses) == pytest.approx(1 / 7)


def test_all_orders_make_an_exact_p():
    """With every order beside it, p is the share of orders that are at least as good, and the mean that of all."""
    n = 5
    table = TABLE[: 2**n]

    def look(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = table[masks @ (1 << np.arange(n))][..., None]
        return found, found + 10

    asked = Case(n, every_step(n), float(table[-1]), float(table[0]), 1.0, exhaustive=True)
    everything = set(range(n))

    def loss(order: Any) -> float:
        left = (everything - set(order[:k]) for k in asked.steps)
        return float(np.mean([table[-1] - table[sum(1 << unit for unit in kept)] for kept in left]))

    losses = np.array([loss(order) for order in permutations(range(n))])
    random = curves_of(every_order(n), asked.steps, look)
    for order in every_order(n)[::17]:
        ours = curves_of(order[None], asked.steps, look)
        found = {f.metric: f for f in of_curves(asked, ours, random, np.array([1.0]))}
        assert found["deletion"].p == pytest.approx(np.mean(losses >= loss(order) - 1e-12))
        assert found["deletion"].random_mean == pytest.approx(losses.mean() / asked.effect)


def test_nothing_is_clipped():
    """If the emptied text is not the worst, the loss exceeds 1 and is shown as it is."""
    whole, left = 0.0, np.full((1, 1, 1), -3.4)
    ours = Curves(left, left, left, np.ones((1, 2, 1)))
    found = of_curves(Case(4, (1,), whole, -2.0, 1.0), ours, ours, np.array([1.0]))
    assert found[0].value == pytest.approx(1.7)


def test_undefined_where_all_units_change_little():
    """Below 0.05 nats no share is given, and the reason says by how much the text counts at all; at 0.05 they are."""
    found = figures(np.arange(N)[None], antithetic(N, 20, seed=0), whole=1.049, empty=1.0)
    for name in ("deletion", "sufficiency", "area", "beaten", "percentile"):
        assert found[name].value is None
        assert found[name].p is None
        assert "0.049" in (found[name].reason or "")
    assert figures(np.arange(N)[None], antithetic(N, 20, seed=0), whole=1.051, empty=1.0)["deletion"].value is not None


def test_aopc_is_that_of_eraser():
    """The area equals ERASER's AOPC, computed as its metrics do from its plain JSON form, over the effect.

    ERASER: for each threshold the score without (or with only) the top tokens, and the mean of the differences to the
    whole text's score over thresholds, then over texts. Its scores are whatever the model gives: here v.
    """
    order, steps = antithetic(N, 1, seed=5)[0], every_step(N)
    everything = set(range(N))
    instance = {
        "annotation_id": "one",
        "classification": "yes",
        "classification_scores": {"yes": v(everything), "no": 0.0},
        "thresholded_scores": [
            {
                "threshold": k / N,
                "comprehensiveness_classification_scores": {"yes": v(everything - set(order[:k].tolist())), "no": 0.0},
                "sufficiency_classification_scores": {"yes": v(order[:kept].tolist()), "no": 0.0},
            }
            for k, kept in zip(steps, kept_steps(N, steps), strict=True)
        ],
    }
    instances = json.loads(json.dumps([instance, instance]))

    def aopc(key: str) -> float:
        scores = []
        for text in instances:
            label = text["classification"]
            points = sorted(text["thresholded_scores"], key=lambda point: point["threshold"])
            scores.append([text["classification_scores"][label] - point[key][label] for point in points])
        return float(np.average(np.array(scores)))

    found, effect = figures(order[None], antithetic(N, 20, seed=0)), v(everything) - v([])
    assert found["deletion"].value == pytest.approx(aopc("comprehensiveness_classification_scores") / effect)
    # Its sufficiency is a loss, ours the gain over nothing: together they are the whole effect.
    assert found["sufficiency"].value == pytest.approx(1 - aopc("sufficiency_classification_scores") / effect)


# ── random maps ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_random_maps_are_rarely_better_than_chance():
    """4,000 random maps on a fixed table, each beside 50 rankings of its own: P(p ≤ .05) in [.025, .055], and they beat
    half of the rankings on average."""
    ps, beaten, steps = [], [], every_step(N)
    for at in range(4000):
        scores = np.random.default_rng([1, at]).normal(size=N)
        random = antithetic(N, 50, seed=at)
        ours = curves_of(ranked(scores, random), steps, read)
        floor = curves_of(random, steps, read)
        found = {f.metric: f for f in of_curves(case(), ours, floor, np.array([1.0]))}
        ps.append(found["deletion"].p)
        beaten.append(found["percentile"].value / 100)
    assert 0.025 <= np.mean(np.array(ps) <= 0.05) <= 0.055
    assert 0.47 <= np.mean(beaten) <= 0.53


def test_a_constant_map_is_as_good_as_random_orders():
    """All of its scores tie, so its curves are the mean of the random ones, and it beats about half of them."""
    random = antithetic(N, 50, seed=0)
    found = figures(ranked(np.ones(N), random), random)
    assert found["deletion"].value == pytest.approx(found["deletion"].random_mean)
    assert 0.3 < found["beaten"].value < 0.7


# ── flips ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_flips_by_hand():
    """The first step at which another token wins; all units where only that flips it; never where nothing does."""
    margins = np.array([[1.0, -1, 2, -1], [1, 1, 1, -1], [1, 1, 1, 1]])
    assert units_to_flip(margins, (1, 2, 4), 8).tolist() == [2, 8, np.inf]


def test_flip_figures_by_hand():
    """DFFrac counts 1 where nothing flips; DFMIT is whether the first unit flips; fewer units are better."""

    def curves(margins: list[list[float]]) -> Curves:
        flat = np.zeros((len(margins), 2, 1))
        return Curves(flat, flat, flat, np.array(margins)[..., None])

    asked = Case(4, (1, 2), 1.0, 0.0, 0.5)
    ours = curves([[-1, 1, -1]])
    random = curves([[1, -1, -1], [1, 1, 1], [-1, -1, -1], [1, 1, -1]])
    found = {f.metric: f for f in of_curves(asked, ours, random, np.array([-1.0]))}
    assert found["words_to_flip"].value == 1
    assert found["words_to_flip"].random_mean == 2  # the lower median of 1, 2, 4, never
    assert found["words_to_flip"].random_high == 4
    assert found["words_to_flip"].p == pytest.approx((1 + 1) / 5)
    assert found["dffrac"].value == pytest.approx(1 / 4)
    assert found["dffrac"].random_mean == pytest.approx((2 / 4 + 1 + 1 / 4 + 1) / 4)
    assert (found["dfmit"].value, found["dfmit"].random_mean) == (1.0, 0.25)
    lost = {f.metric: f for f in of_curves(asked._replace(margin=-0.1), ours, random, np.array([-1.0]))}
    assert lost["words_to_flip"].value is None
    assert "already" in (lost["dffrac"].reason or "")


def test_flips_of_a_table_are_those_of_an_obvious_search():
    """Every step from one unit on, all orders: the first size at which the margin is negative."""
    steps = every_step(N)
    for order in antithetic(N, 30, seed=2):
        everything = set(range(N))
        sizes = [*steps, N]
        expected = next(
            (k for k in sizes if MARGINS[sum(1 << u for u in everything - set(order[:k].tolist()))] < 0), np.inf
        )
        found = curves_of(order[None], steps, read)
        assert units_to_flip(found.margins[..., 0], steps, N).tolist() == [expected]


# ── LDS ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lds_is_scipys_correlation_of_sums_with_values():
    """Σ of the kept units' scores against v over 64 half-masks, as scipy has it; every mask keeps half of the units."""
    masks, scores = half_masks(N, 64, seed=0), np.random.default_rng(3).normal(size=N)
    assert (masks.sum(axis=1) == N // 2).all()
    values = read(masks)[0][:, 0]
    found = lds(scores, masks, values, antithetic(N, 50, seed=0), signed=True)
    sums = [sum(scores[unit] for unit in range(N) if mask[unit]) for mask in masks]
    assert found.value == pytest.approx(stats.spearmanr(sums, values).statistic, abs=1e-12)
    shuffled = [stats.spearmanr(masks @ scores[order], values).statistic for order in antithetic(N, 50, seed=0)]
    assert found.random_mean == pytest.approx(np.mean(shuffled), abs=1e-12)
    assert found.random_high == pytest.approx(np.percentile(shuffled, 97.5), abs=1e-12)
    assert found.p == pytest.approx((1 + sum(other >= found.value for other in shuffled)) / 51)


def test_lds_of_a_sum_is_one():
    """If the value is the sum of the scores of what is kept, the correlation is 1, and so is its interval."""
    masks, scores = half_masks(12, 64, seed=0), np.random.default_rng(3).normal(size=12)
    found = lds(scores, masks, masks @ scores, antithetic(12, 50, seed=0), signed=True)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))


def test_the_bootstrap_interval_is_that_of_resampled_pairs():
    """Its ends are near those of scipy's correlations of drawn pairs: within the noise of 500 draws."""
    masks, scores = half_masks(N, 64, seed=0), np.random.default_rng(3).normal(size=N)
    values = read(masks)[0][:, 0] + masks @ scores
    found = lds(scores, masks, values, antithetic(N, 50, seed=0), signed=True)
    rng = np.random.default_rng(11)
    sums = masks @ scores
    drawn = [rng.integers(0, 64, size=64) for _ in range(2000)]
    ends = np.percentile([stats.spearmanr(sums[at], values[at]).statistic for at in drawn], (2.5, 97.5))
    assert (found.low, found.high) == pytest.approx(ends, abs=0.06)


def test_lds_asks_signed_scores_alone():
    """Norms and attention do not claim to add up: no value, and the reason; nor for a constant list."""
    masks = half_masks(N, 64, seed=0)
    values, shuffles = read(masks)[0][:, 0], antithetic(N, 20, seed=0)
    assert "sign" in (lds(np.ones(N), masks, values, shuffles, signed=False).reason or "")
    assert "equal" in (lds(np.ones(N), masks, values, shuffles, signed=True).reason or "")
    assert "few" in (lds(np.ones(2), masks[:2], values[:2], shuffles[:, :2], signed=True).reason or "")


def test_masks_of_curves_are_all_that_curves_read():
    """Every mask that `curves_of` looks up is among `masks_of` and the emptied text; in pairs the reverse adds none."""
    seen: list[np.ndarray] = []

    def noting(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(masks.reshape(-1, N))
        return read(masks)

    random, steps = antithetic(N, 20, seed=0), (1, 2, 5)
    curves_of(random, steps, noting)
    given = {mask.tobytes() for mask in masks_of(random, steps)} | {np.zeros(N, dtype=bool).tobytes()}
    assert {mask.tobytes() for mask in np.concatenate(seen)} <= given
    fewer = {mask.tobytes() for mask in masks_of(random, steps, reverse=False)}
    assert fewer == {mask.tobytes() for mask in masks_of(random, steps)}
