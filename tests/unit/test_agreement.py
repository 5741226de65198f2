"""Agreement of two lists of scores, against computations of another kind."""

from __future__ import annotations

import itertools
import math
import warnings
from statistics import fmean
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import saliency_widget as sw
from saliency_widget.errors import InputError
from saliency_widget.evaluation import measures as module
from saliency_widget.evaluation.agreement import agreement
from saliency_widget.evaluation.measures import MEASURES, Figure, figures, interval

TOP = [name for name, measure in MEASURES.items() if measure.top]
ORDERS = ["spearman", "kendall", "pairwise_rank_agreement"]
few_values = st.integers(-3, 3).map(float)


def values(a, b, *, signed: bool = True, k: int | None = None) -> dict[str, float | None]:
    return {f.measure: f.value for f in figures(a, b, signed=signed, k=k, draws=1)}


def get(found: list[Figure], measure: str) -> Figure:
    return next(figure for figure in found if figure.measure == measure)


# ── the definitions, word by word ─────────────────────────────────────────────────────────────────────────────────


def rankings(strengths: list[float]) -> list[tuple[int, ...]]:
    """Every way to order the words from the strongest on; ties in every order."""
    return [
        order
        for order in itertools.permutations(range(len(strengths)))
        if all(strengths[i] >= strengths[j] for i, j in itertools.pairwise(order))
    ]


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def top_measures(a: list[float], b: list[float], left: tuple[int, ...], right: tuple[int, ...], k: int) -> list[float]:
    """The four measures of the top k, in the order of the table, for two orders without ties."""
    common = set(left[:k]) & set(right[:k])
    same_rank = {i for i, j in zip(left[:k], right[:k], strict=True) if i == j}
    same_sign = {i for i in range(len(a)) if sign(a[i]) == sign(b[i])}
    return [len(words) / k for words in (common, same_rank, common & same_sign, same_rank & same_sign)]


def by_hand(a: list[float], b: list[float], k: int) -> dict[str, float]:
    """Means over every way to break the ties of either side."""
    strongest = itertools.product(rankings([abs(x) for x in a]), rankings([abs(x) for x in b]))
    means = [fmean(column) for column in zip(*(top_measures(a, b, x, y, k) for x, y in strongest), strict=True)]
    alike = [
        fmean(
            (x.index(i) < x.index(j)) == (y.index(i) < y.index(j)) for i, j in itertools.combinations(range(len(a)), 2)
        )
        for x, y in itertools.product(rankings(a), rankings(b))
    ]
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    cosine = dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return dict(zip(TOP, means, strict=True)) | {"pairwise_rank_agreement": fmean(alike), "cosine": cosine}


PAIRS = [
    ([3.0, -2.0, 1.0, 0.5], [3.0, 1.0, -2.0, 0.5]),
    ([3.0, -3.0, 1.0, 1.0, 0.0], [2.0, -3.0, 3.0, 0.0, 0.0]),
    ([0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 5.0]),
    ([1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]),
    ([0.3, -0.1, 0.25, 0.02, -0.9], [-0.4, 0.1, 0.2, -0.05, -0.8]),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_measures_are_what_their_definitions_say(a: list[float], b: list[float], k: int) -> None:
    found = values(a, b, k=k)
    for name, expected in by_hand(a, b, k).items():
        assert found[name] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_unsigned_scores_are_compared_by_size(a: list[float], b: list[float]) -> None:
    found = values(a, b, signed=False, k=2)
    sizes = [abs(x) for x in a], [abs(x) for x in b]
    if len(set(sizes[0])) == 1 or len(set(sizes[1])) == 1:
        assert set(found.values()) == {None}
        return
    expected = by_hand(*sizes, 2)
    for name in ("feature_agreement", "rank_agreement", "pairwise_rank_agreement", "cosine"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12), name
    assert found["spearman"] == pytest.approx(stats.spearmanr(*sizes).statistic, abs=1e-12)
    assert found["kendall"] == pytest.approx(stats.kendalltau(*sizes).statistic, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(few_values, few_values), min_size=3, max_size=5), st.integers(1, 5))
def test_ties_of_any_kind_are_averaged_exactly(words: list[tuple[float, float]], k: int) -> None:
    a, b = (list(side) for side in zip(*words, strict=True))
    found = values(a, b, k=k)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert set(found.values()) == {None}
        return
    for name, expected in by_hand(a, b, min(k, len(a))).items():
        assert found[name] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("n", [3, 4, 20, 211])
@pytest.mark.parametrize("kinds", [3, 1000])
def test_correlations_are_those_of_scipy(n: int, kinds: int) -> None:
    rng = np.random.default_rng(n * kinds)
    a = rng.integers(-kinds, kinds, n).astype(float)
    b = a + rng.integers(-kinds, kinds, n)
    a[:2], b[-2:] = (-1, 1), (2, -2)  # never all the same
    found = values(a, b)
    assert found["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert found["kendall"] == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
    shares = a / np.abs(a).sum(), b / np.abs(b).sum()
    assert found["cosine"] == pytest.approx(shares[0] @ shares[1] / math.prod(map(np.linalg.norm, shares)), abs=1e-12)


# ── what must hold whatever the scores ────────────────────────────────────────────────────────────────────────────

distinct = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=30, unique_by=abs)
scored = st.lists(st.tuples(few_values, few_values), min_size=3, max_size=20).filter(
    lambda words: all(len(set(side)) > 1 for side in zip(*words, strict=True))
)


@settings(deadline=None)
@given(distinct)
def test_a_list_agrees_wholly_with_itself_and_not_at_all_with_its_reverse(scores: list[float]) -> None:
    a = np.array(scores)
    assert values(a, a) == pytest.approx(dict.fromkeys(MEASURES, 1.0))
    reverse = values(a, -a)
    assert [reverse[name] for name in (*ORDERS, "cosine")] == pytest.approx([-1, -1, 0, -1])
    # The same words are strongest, with the opposite sign; only 0 is its own opposite.
    assert reverse["feature_agreement"] == pytest.approx(1)
    assert reverse["rank_agreement"] == pytest.approx(1)
    assert reverse["sign_agreement"] == 0
    assert reverse["signed_rank_agreement"] == 0


@settings(deadline=None)
@given(scored, st.integers(1, 25), st.booleans())
def test_sides_can_be_exchanged_and_values_stay_in_range(words, k: int, signed: bool) -> None:
    a, b = (list(side) for side in zip(*words, strict=True))
    there, back = values(a, b, k=k, signed=signed), values(b, a, k=k, signed=signed)
    for name, measure in MEASURES.items():
        if there[name] is None:
            assert back[name] is None
        else:
            assert there[name] == pytest.approx(back[name], abs=1e-12)
            assert measure.low <= there[name] <= measure.high


@settings(deadline=None)
@given(scored, st.randoms(use_true_random=False))
def test_the_order_of_the_words_does_not_matter(words, random) -> None:
    mixed = random.sample(words, len(words))
    one, other = (values(*zip(*each, strict=True), k=2) for each in (words, mixed))
    assert one == pytest.approx(other, abs=1e-12)


@settings(deadline=None)
@given(scored)
def test_orders_and_tops_know_ranks_only_and_cosine_shares_only(words) -> None:
    a, b = (np.array(side) for side in zip(*words, strict=True))
    plain, bent = values(a, b, k=2), values(a**3, np.sinh(b), k=2)  # both keep the signs and the order of sizes
    for name in (*ORDERS, *TOP):
        assert plain[name] == pytest.approx(bent[name], abs=1e-12), name
    shifted = values(a + 10, b, k=2)  # keeps the order, not the sizes
    for name in ORDERS:
        assert plain[name] == pytest.approx(shifted[name], abs=1e-12), name
    assert plain["cosine"] == pytest.approx(values(a * 1e-9, b * 1e9)["cosine"], abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(allow_infinity=False), st.floats(allow_infinity=False)), max_size=8), st.booleans())
def test_no_scores_give_a_nan_or_a_warning(words, signed: bool) -> None:
    a, b = [x for x, _ in words], [y for _, y in words]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = figures(a, b, signed=signed, draws=10)
    assert [f.measure for f in found] == list(MEASURES)
    for figure in found:
        numbers = figure[2:6]
        if figure.reason is None:
            low, high = MEASURES[figure.measure].low, MEASURES[figure.measure].high
            assert all(low <= number <= high for number in numbers if number is not None)
        assert [number is None for number in numbers] == [figure.reason is not None] * 4


# ── the random floor ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [10, 60])
def test_the_floor_is_what_chance_reaches(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b, k, draws = rng.normal(size=n), rng.normal(size=n), n // 5, 1000
    found = figures(a, b, signed=True, draws=draws)
    # Of k words drawn from n twice: mean k/n, variance of the hypergeometric distribution.
    share_sd = stats.hypergeom(n, k, k).std() / k
    tau_sd = math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
    for name, mean, sd in (
        ("spearman", 0, 1 / math.sqrt(n - 1)),
        ("kendall", 0, tau_sd),
        ("pairwise_rank_agreement", 1 / 2, tau_sd / 2),
        ("feature_agreement", k / n, share_sd),
        ("rank_agreement", 1 / n, math.sqrt(1 / n / k) * 1.5),
    ):
        figure = get(found, name)
        assert figure.random_mean == pytest.approx(mean, abs=4 * sd / math.sqrt(draws)), name
    rho = get(found, "spearman")
    assert rho.random_low == pytest.approx(-1.96 / math.sqrt(n - 1), rel=0.15)
    assert rho.random_high == pytest.approx(1.96 / math.sqrt(n - 1), rel=0.15)


def test_the_floor_is_the_distribution_over_all_shuffles() -> None:
    a, b, k = [4.0, -3.0, 2.0, 1.0], [-1.0, 2.0, 3.0, 4.0], 2
    every = [values(a, list(shuffled), k=k) for shuffled in itertools.permutations(b)]
    for seed in (0, 1):  # nothing is drawn
        for figure in figures(a, b, signed=True, k=k, seed=seed):
            reached = [found[figure.measure] for found in every]
            assert figure.random_mean == pytest.approx(fmean(reached))
            ends = np.percentile(reached, [2.5, 97.5], method="weibull")
            assert [figure.random_low, figure.random_high] == pytest.approx(ends)


def test_the_floor_is_drawn_where_there_are_too_many_orders() -> None:
    """Of eight words 10,000 of 40,320 orders: near the floor of all of them, whatever the seed."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8))
    orders = np.array(list(itertools.permutations(range(8))))
    # Without ties Spearman's correlation is Pearson's of the ranks; shuffled words are shuffled ranks.
    every = stats.zscore(stats.rankdata(b)[orders], axis=1) @ stats.zscore(stats.rankdata(a)) / 8
    for at in (0, 1, -1):
        assert every[at] == pytest.approx(stats.spearmanr(a, b[orders[at]]).statistic)
    for seed in range(3):
        rho = get(figures(a, b, signed=True, seed=seed), "spearman")
        assert rho.random_mean == pytest.approx(0, abs=4 * np.std(every) / math.sqrt(10_000))
        assert [rho.random_low, rho.random_high] == pytest.approx(np.percentile(every, [2.5, 97.5]), abs=0.04)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_chance_alone_leaves_the_interval_in_at_most_five_of_a_hundred_orders(n: int) -> None:
    """Of few words, too, where one order alone may be a larger share than either tail: of 24 orders none is outside."""
    a = np.arange(1.0, n + 1)
    every = [figures(a, a[list(order)], signed=True) for order in itertools.permutations(range(n))]
    for measure in ("spearman", "kendall", "cosine", "feature_agreement"):
        assert np.mean([get(found, measure).outside for found in every]) <= 0.05, measure


@pytest.mark.parametrize("tied", [False, True])
def test_pairs_of_many_words_have_the_interval_of_counted_ones(tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 210 words the normal distribution stands for it: within what 2,000 draws tell (3 %; 4 standard errors)."""
    rng = np.random.default_rng(4)
    a, b = rng.integers(-3, 4, size=(2, 210)).astype(float) if tied else rng.normal(size=(2, 210))
    normal = figures(a, b, signed=True, draws=2000)
    monkeypatch.setattr(module, "MOST_COUNTED", 1000)
    counted = figures(a, b, signed=True, draws=2000)
    for measure in ("kendall", "pairwise_rank_agreement"):
        one, other = get(normal, measure), get(counted, measure)
        assert one.value == other.value
        width = other.random_high - other.random_low
        for end in ("random_mean", "random_low", "random_high"):
            assert getattr(one, end) == pytest.approx(getattr(other, end), abs=0.06 * width)
    assert get(normal, "kendall").value == pytest.approx(stats.kendalltau(a, b).statistic)


def test_draws_are_computed_some_at_a_time_with_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(5).normal(size=(2, 30))
    whole = figures(a, b, signed=True, draws=1000)
    monkeypatch.setattr(module, "AT_ONCE", 30 * 64)
    assert figures(a, b, signed=True, draws=1000) == whole


def test_values_beyond_the_floor_are_told_from_those_within() -> None:
    a = np.arange(1.0, 31)
    alike = figures(a, a, signed=True)
    assert all(f.outside for f in alike if not f.measure.startswith("sign_"))
    unlike = figures(a, np.random.default_rng(3).permutation(a), signed=True)
    assert not get(unlike, "spearman").outside
    # Every shuffle has all words in a top of all: nothing can lie outside.
    assert not get(figures(a, a, signed=True, k=30), "feature_agreement").outside
    assert not get(figures([1, 1, 1], a[:3], signed=True), "spearman").outside


def test_a_seed_gives_the_same_figures_again() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=15), rng.normal(size=15)
    assert figures(a, b, signed=True) == figures(a, b, signed=True, seed=0)
    assert figures(a, b, signed=True) != figures(a, b, signed=True, seed=1)
    assert values(a, b) == {f.measure: f.value for f in figures(a, b, signed=True, seed=1)}


@pytest.mark.parametrize(("n", "draws"), [(20, 10_000), (1000, 10_000), (2000, 5000)])
def test_texts_of_more_than_a_thousand_words_are_shuffled_less_often(n: int, draws: int) -> None:
    assert module.shuffles(n, 10_000, 0).shape == (1 + draws, n)
    assert module.shuffles(n, 7, 0).shape == (8, n)


# ── edges ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_without_a_score_are_left_out() -> None:
    a, b = [1.0, None, 3.0, 2.0, math.nan, 5.0], [2.0, 9.0, 4.0, 1.0, 7.0, 6.0]
    kept = figures([1, 3, 2, 5], [2, 4, 1, 6], signed=True)
    assert figures(a, b, signed=True) == kept
    assert {figure.n for figure in kept} == {4}


@pytest.mark.parametrize("a", [[], [1.0], [1.0, 2.0], [1.0, 2.0, math.nan]])
def test_two_words_are_too_few(a: list[float]) -> None:
    for figure in figures(a, a, signed=True):
        assert figure[2:6] == (None, None, None, None)
        assert "3 are needed" in str(figure.reason)


@pytest.mark.parametrize("constant", [0.0, -2.0])
def test_a_side_without_an_order_has_no_figures(constant: float) -> None:
    for a, b in (([constant] * 4, [1, 2, 3, 4]), ([1, 2, 3, 4], [constant] * 4)):
        assert all(f.value is None and "no order" in str(f.reason) for f in figures(a, b, signed=True))
    assert all(f.value is None for f in figures([1, -1, 1], [1, 2, 3], signed=False))
    assert get(figures([1, -1, 1], [1, 2, 3], signed=True), "spearman").value is not None


def test_unsigned_scores_have_no_figures_of_signs() -> None:
    found = figures([1, 2, 3, 4], [4, 2, 3, 1], signed=False)
    reasons = {figure.measure: figure.reason for figure in found}
    assert [name for name, reason in reasons.items() if reason] == ["sign_agreement", "signed_rank_agreement"]
    assert get(found, "sign_agreement").value is None


def test_k_is_a_fifth_of_the_words_and_at_most_all() -> None:
    for n, k in ((3, 1), (9, 1), (10, 2), (26, 5)):
        a = np.arange(float(n))
        assert get(figures(a, a, signed=True), "feature_agreement").k == k
    every = figures([1, 2, 3, 4], [4, -3, 1, 2], signed=True, k=9)
    assert get(every, "feature_agreement").k == 4
    assert get(every, "feature_agreement").value == 1
    assert get(every, "sign_agreement").value == pytest.approx(3 / 4)
    assert get(every, "spearman").k is None


def test_zero_agrees_with_zero_and_with_no_sign() -> None:
    found = values([0, 0, 0.5], [0, 0.2, 0.5], k=3)
    assert found["sign_agreement"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("a", "b", "more", "message"),
    [
        ([1, 2, 3], [1, 2], {}, r"\(3,\) and \(2,\)"),
        ([[1, 2, 3]], [[1, 2, 3]], {}, "one score a word"),
        ([1, 2, math.inf], [1, 2, 3], {}, "infinite"),
        ([1, 2, 3], [1, 2, 3], {"k": 0}, "k is 0"),
        ([1, 2, 3], [1, 2, 3], {"k": 1.5}, "k is 1.5"),
        ([1, 2, 3], [1, 2, 3], {"draws": 0}, "draws is 0"),
    ],
)
def test_what_cannot_be_compared_is_named(a, b, more, message: str) -> None:
    with pytest.raises(InputError, match=message):
        figures(a, b, signed=True, **more)


def test_every_measure_says_how_to_read_it() -> None:
    for name, measure in MEASURES.items():
        assert measure.id == name
        assert measure.reads.endswith(".")
        assert measure.reference
        assert measure.low in (-1, 0)
        assert measure.high == 1


# ── maps ──────────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = ["a", " <b>good</b>", " film", " with", " no", " flaw"]


def scored_map(seed: int, method: str = "mine", n_cols: int = 2, *, signed: bool = True) -> sw.Attribution:
    scores = np.random.default_rng(seed).normal(size=(len(WORDS), n_cols))
    cols = [f" t{col}" for col in range(n_cols)]
    return sw.Attribution.from_scores(scores if signed else np.abs(scores), WORDS, cols, method=method)


def test_maps_are_compared_each_with_each_and_columns_averaged() -> None:
    maps = [scored_map(0, "one"), scored_map(1, "two"), scored_map(2, "three")]
    rows = agreement(maps).figures
    assert [(row.a, row.b) for row in rows[:: len(MEASURES)]] == [("one", "two"), ("one", "three"), ("two", "three")]
    assert [row.figure.measure for row in rows[: len(MEASURES)]] == list(MEASURES)
    first, second = maps[0].scores, maps[1].scores
    columns = [stats.spearmanr(first[:, col], second[:, col]).statistic for col in (0, 1)]
    assert rows[0].figure.value == pytest.approx(fmean(columns))
    assert (rows[0].figure.n, rows[0].columns) == (6, 2)
    assert agreement(maps) == agreement(maps)


def test_one_column_is_compared_as_two_lists_are() -> None:
    a, b = scored_map(0, "one", 1), scored_map(1, "two", 1)
    rows = agreement([a, b], k=3).figures
    assert [row.figure for row in rows] == figures(a.scores[:, 0], b.scores[:, 0], signed=True, k=3)


def test_columns_without_a_value_are_left_out() -> None:
    scores = np.array([[1, 1, np.nan], [2, 1, np.nan], [3, 1, np.nan], [4, 1, 4], [5, 1, 3], [6, 1, 2]])
    a = sw.Attribution.from_scores(scores, WORDS, ["x", "y", "z"], method="one", signed=True)
    row = agreement([a, a]).figures[0]
    assert row.columns == 2
    assert row.figure.value == pytest.approx(1)
    assert row.figure.n == round((6 + 3) / 2)
    constant = sw.Attribution.from_scores(np.ones((6, 1)), WORDS, ["x"], method="one")
    empty = agreement([constant, constant])
    assert {(row.columns, row.figure.value) for row in empty.figures} == {(0, None)}
    assert "no order" in repr(empty)
    assert "no order" in empty._repr_html_()


def test_anything_that_holds_a_map_can_be_compared_and_signs_need_both() -> None:
    a, b = scored_map(0), SimpleNamespace(attribution=scored_map(1, "norm", signed=False))
    rows = {row.figure.measure: row for row in agreement([a, b]).figures}
    assert rows["sign_agreement"].figure.value is None
    expected = [stats.spearmanr(np.abs(a.scores[:, c]), b.attribution.scores[:, c]).statistic for c in (0, 1)]
    assert rows["spearman"].figure.value == pytest.approx(fmean(expected))


def test_maps_of_one_method_are_numbered_and_methods_have_their_names() -> None:
    maps = [scored_map(0), scored_map(1), scored_map(2, "input_x_gradient")]
    row = agreement(maps).figures[-1]
    assert (agreement(maps).figures[0].a, row.a, row.b) == ("mine 1", "mine 2", maps[2].label)


def test_spaces_around_words_do_not_count() -> None:
    a = scored_map(0)
    b = sw.Attribution.from_scores(a.scores, [word.strip() for word in WORDS], ["x", "y"], method="told")
    assert agreement([a, b]).figures[0].figure.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "1 map"),
        ([SimpleNamespace(attribution=None)], "holds no map"),
        (["text"], "str holds no map"),
        ([scored_map(1, n_cols=3)], "2 columns and .* 3"),
        ([sw.Attribution.from_scores(np.ones((2, 2)), ["a", "b"], ["x", "y"], method="m")], "6 rows and m 2"),
        (
            [sw.Attribution.from_scores(np.ones((6, 2)), [*WORDS[:5], "x"], ["x", "y"], method="m")],
            "Row 5 is 'flaw' in mine and 'x' in m",
        ),
    ],
)
def test_maps_that_cannot_be_compared_are_named(others, message: str) -> None:
    with pytest.raises(InputError, match=message):
        agreement([scored_map(0), *others])


def test_maps_of_one_method_are_told_apart_in_errors_too() -> None:
    one, other = (sw.Attribution.from_scores(np.ones((1, 1)), [word], ["x"], method="mine") for word in ("a", "b"))
    with pytest.raises(InputError, match="Row 0 is 'a' in mine 1 and 'b' in mine 2"):
        agreement([one, other])


def test_maps_without_columns_are_refused() -> None:
    with pytest.raises(InputError, match="0 columns"):
        agreement([scored_map(0, n_cols=0), scored_map(1, n_cols=0)])


def test_the_data_frame_has_a_line_for_each_figure() -> None:
    frame = agreement([scored_map(0, "one"), scored_map(1, "norm", signed=False)]).to_dataframe()
    assert list(frame) == ["a", "b", "measure", "value", "random_mean", "random_low", "random_high", "n"]
    assert list(frame["measure"]) == list(MEASURES)
    assert frame["value"].isna().sum() == 2
    assert frame["value"].dtype == np.float64


def test_the_table_prints_and_shows_itself() -> None:
    a = sw.Attribution.from_scores(np.arange(6.0)[:, None] + 1, WORDS, ["x"], method="<i>one</i>", signed=True)
    table = agreement([a, a, scored_map(5, "two", 1)])
    text, html = repr(table), table._repr_html_()
    assert "<i>one</i> 1 – <i>one</i> 2 (6 words, k = 1)" in text
    assert "1.000*" in text
    assert all(measure.label in text for measure in MEASURES.values())
    assert "<i>" not in html
    assert "&lt;i&gt;one&lt;/i&gt; 1" in html
    assert "<b>1.000</b>" in html
    assert html.count("<tr>") == html.count("</tr>") == 1 + 3 * (1 + len(MEASURES))
    assert "color:" not in html.replace("color:inherit", "")  # what is around decides, dark or light
    assert "mean of 2 columns" in repr(agreement([scored_map(0), scored_map(1)]))


# ── over many texts ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_interval_is_that_of_the_bootstrap() -> None:
    sample = np.random.default_rng(0).normal(0.3, 0.2, size=50)
    mean, low, high = interval(sample.tolist())
    expected = stats.bootstrap((sample,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert mean == pytest.approx(sample.mean())
    assert low == pytest.approx(expected.low, abs=0.005)
    assert high == pytest.approx(expected.high, abs=0.005)
    assert interval(sample) == interval(sample)
    assert interval(sample) != interval(sample, seed=1)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_texts_have_no_interval(n: int) -> None:
    mean, low, high = interval([0.25, 0.5, 0.0, 0.75][:n])
    assert mean == pytest.approx(fmean([0.25, 0.5, 0.0, 0.75][:n]))
    assert math.isnan(low)
    assert math.isnan(high)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=5, max_size=30))
def test_an_interval_lies_within_what_was_found(found: list[float]) -> None:
    mean, low, high = interval(found, draws=200)
    assert min(found) - 1e-9 <= low <= high <= max(found) + 1e-9
    assert min(found) - 1e-9 <= mean <= max(found) + 1e-9


@pytest.mark.parametrize("bad", [[], [1, math.nan], [math.inf], [[1.0, 2.0]]])
def test_an_interval_needs_finite_values(bad) -> None:
    with pytest.raises(InputError, match="finite"):
        interval(bad)
    with pytest.raises(InputError, match="draws"):
        interval([1.0], draws=0)
