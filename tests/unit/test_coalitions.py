"""Estimates of Shapley and Banzhaf values against their definitions, on games whose values are computed by hand."""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from saliency_widget.attribution.coalitions import Draw, Estimand, Estimate, estimate, every_coalition, exact

if TYPE_CHECKING:
    from collections.abc import Callable

    Game = Callable[[np.ndarray], np.ndarray]  # masks [p, n] → values [p]

ESTIMANDS: tuple[Estimand, ...] = ("shapley", "banzhaf")


def game(n: int, seed: int = 0) -> Game:
    """Additive parts, pairs, and a saturating sum of all: an additive fit explains some .8 of it."""
    random = np.random.default_rng(seed)
    alone, pairs, inner = random.normal(size=n), 0.3 * random.normal(size=(n, n)), random.normal(size=(n, 6))
    outer = 0.7 * random.normal(size=6)

    def value(masks: np.ndarray) -> np.ndarray:
        m = masks.astype(float)
        return m @ alone + np.einsum("pi,ij,pj->p", m, pairs, m) + np.tanh(m @ inner - 1) @ outer  # type: ignore[no-any-return]

    return value


def halves(value: Game, masks: np.ndarray) -> np.ndarray:
    return (value(masks) - value(~masks))[:, None] / 2


def whole(value: Game, n: int) -> np.ndarray:
    every = np.ones((1, n), dtype=bool)
    return value(every) - value(~every)


def sampled(value: Game, n: int, pairs: int, estimand: Estimand, seed: int = 0) -> Estimate:
    draw = Draw(n, estimand, seed)
    return estimate(draw, halves(value, draw.more(pairs)), whole(value, n))


def truth(value: Game, n: int, estimand: Estimand) -> np.ndarray:
    return exact(value(every_coalition(n))[:, None], estimand)[:, 0]


def test_exact_shapley_values_are_the_mean_gain_over_all_orders() -> None:
    n, value = 5, game(5)
    gains = np.zeros(n)
    for order in permutations(range(n)):
        mask = np.zeros((1, n), dtype=bool)
        for player in order:
            before = value(mask)[0]
            mask[0, player] = True
            gains[player] += value(mask)[0] - before
    np.testing.assert_allclose(truth(value, n, "shapley"), gains / factorial(n), rtol=1e-12)


def test_exact_banzhaf_values_are_the_mean_gain_over_all_coalitions_of_the_others() -> None:
    n, value = 5, game(5)
    for player, found in enumerate(truth(value, n, "banzhaf")):
        without = np.array([mask for mask in every_coalition(n) if not mask[player]])
        joined = without.copy()
        joined[:, player] = True
        assert found == pytest.approx(np.mean(value(joined) - value(without)), rel=1e-12)


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 10, 13])
def test_all_pairs_give_the_exact_values_without_an_error(n: int, estimand: Estimand) -> None:
    """Of an odd and of an even number, whose pairs of the middle size are half as many."""
    value = game(n, seed=n)
    found = sampled(value, n, 1 << n, estimand)
    np.testing.assert_allclose(found.values[:, 0], truth(value, n, estimand), rtol=0, atol=1e-8)
    assert not found.errors.any()


@pytest.mark.parametrize("pairs", [12, 24, 48, 200])
def test_shapley_values_of_any_sample_sum_to_the_whole(pairs: int) -> None:
    value = game(12)
    assert sampled(value, 12, pairs, "shapley").values.sum() == pytest.approx(whole(value, 12)[0], rel=1e-12)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_an_additive_game_is_known_from_a_few_pairs(estimand: Estimand) -> None:
    alone = np.linspace(-2, 3, 40)
    found = sampled(lambda masks: masks @ alone, 40, 79, estimand)
    np.testing.assert_allclose(found.values[:, 0], alone, atol=1e-10)
    np.testing.assert_allclose(found.errors, 0, atol=1e-10)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_eight_calls_a_player_are_within_two_hundredths_of_ten_players_values(estimand: Estimand) -> None:
    """The relative squared error, its mean over 60 seeds, on games of many kinds."""
    for kind in range(5):
        value = game(10, kind)
        true = truth(value, 10, estimand)
        off = [
            np.sum((sampled(value, 10, 39, estimand, seed).values[:, 0] - true) ** 2) / np.sum(true**2)
            for seed in range(60)
        ]
        assert np.mean(off) <= 0.02


def coverage(n: int, calls: int, estimand: Estimand) -> float:
    """Return how often the value is within 1.96 standard errors: 60 seeds on each of three games, all players."""
    held = []
    for kind in range(3):
        value = game(n, 10 + kind)
        true = truth(value, n, estimand)
        for seed in range(60):
            found = sampled(value, n, (calls * n - 2) // 2, estimand, seed)
            held.append(np.abs(found.values[:, 0] - true) <= 1.96 * found.errors[:, 0])
    return float(np.mean(held))


@pytest.mark.parametrize("n", [10, 12, 17])
@pytest.mark.parametrize(("calls", "estimand"), [(4, "shapley"), (8, "shapley"), (16, "shapley"), (8, "banzhaf")])
def test_of_nominal_95_percent_intervals_between_92_and_98_percent_hold_the_value(
    calls: int, estimand: Estimand, n: int
) -> None:
    assert 0.92 <= coverage(n, calls, estimand) <= 0.98


def test_of_banzhaf_values_the_intervals_of_four_calls_a_player_are_wide_rather_than_narrow() -> None:
    assert 0.95 <= coverage(17, 4, "banzhaf") < 1


def test_standard_errors_are_those_of_leaving_out_each_pair() -> None:
    """HC3 divides a residual by one less its leverage: that is how far the fit of the others misses the pair.

    Computed here by a fit without each pair in turn, in Lagrange's form of the constraint.
    """
    n, pairs, value = 8, 20, game(8)
    draw = Draw(n, "shapley", 3)
    y = halves(value, draw.more(pairs))
    found = estimate(draw, y, whole(value, n))
    masks, of = draw.sample
    counts = np.bincount(of)
    weights = np.array([draw.strata[at].weight / counts[at] for at in of])
    signs = np.where(masks, 0.5, -0.5)

    def fit(rows: np.ndarray) -> np.ndarray:
        """The inverse of the whole system [n + 1, n + 1] times these rows: what each of them adds to the values."""
        x, w = signs[rows], weights[rows]
        system = np.zeros((n + 1, n + 1))
        system[:n, :n], system[:n, n], system[n, :n] = x.T @ (w[:, None] * x), 1, 1
        return np.linalg.inv(system)

    every = np.arange(pairs)
    inverse = fit(every)
    variance = np.zeros(n)
    for pair in every:
        rest = every[every != pair]
        target = np.append(signs[rest].T @ (weights[rest] * y[rest, 0]), whole(value, n))
        missed = y[pair, 0] - signs[pair] @ (fit(rest) @ target)[:n]
        drawn = counts[of[pair]] / draw.strata[of[pair]].possible
        variance += (1 - drawn) * (inverse[:n, :n] @ (weights[pair] * signs[pair]) * missed) ** 2
    np.testing.assert_allclose(found.errors[:, 0], np.sqrt(variance), rtol=1e-8)


def test_pairs_of_size_one_alone_give_values_and_no_error_bars() -> None:
    """Each player alone and left out: all of that size are drawn, and nothing measures how others vary."""
    found = sampled(game(12), 12, 12, "shapley")
    assert np.isfinite(found.values).all()
    assert np.isnan(found.errors).all()


@pytest.mark.parametrize("estimand", ESTIMANDS)
@pytest.mark.parametrize("n", [1, 2, 6, 9, 60])
def test_no_pair_is_drawn_twice_either_way_round(n: int, estimand: Estimand) -> None:
    masks = Draw(n, estimand, 1).more(500)
    drawn = {mask.tobytes() for mask in masks} | {(~mask).tobytes() for mask in masks}
    assert len(drawn) == 2 * len(masks)
    assert len(masks) == min(500, Draw(n, estimand, 1).possible)


def test_each_player_is_drawn_alone_first_and_then_each_size_as_often_as_another() -> None:
    """A pair has two sizes but in the middle, where it is drawn half as often; the small strata are soon exhausted."""
    masks = Draw(12, "shapley", 0).more(12 + 9 * 20)
    size = np.minimum(masks.sum(axis=1), (~masks).sum(axis=1))
    assert set(size[:12]) == {1}
    counts = np.bincount(size[12:])
    assert counts[2:].tolist() == [40, 40, 40, 40, 20]


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_the_pairs_depend_on_the_seed_and_not_on_the_steps(estimand: Estimand) -> None:
    once, twice, other = (Draw(30, estimand, seed) for seed in (5, 5, 6))
    masks = once.more(100)
    for count in (1, 29, 0, 70):
        twice.more(count)
    np.testing.assert_array_equal(masks, twice.sample.masks)
    assert not np.array_equal(masks, other.more(100))
