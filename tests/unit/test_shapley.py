"""Shapley and Banzhaf values of a text's units, on toy networks whose values are known, and on a widget's pages."""

from __future__ import annotations

import dataclasses
import threading
from functools import cache
from itertools import combinations, pairwise, permutations
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution import shapley as module
from saliency_widget.attribution.coalitions import exact
from saliency_widget.attribution.engine import Schedule, run
from saliency_widget.attribution.masking import objectives, read
from saliency_widget.attribution.pipeline import check_question
from saliency_widget.attribution.problem import Chunk, Problem, Progress, Spot
from saliency_widget.attribution.shapley import ShapleySettings, shapley
from saliency_widget.attribution.subsets import subsets
from saliency_widget.errors import Cancelled, InputError, UnknownName
from saliency_widget.export.notes import notes
from saliency_widget.types import Target

from ..families import made
from ..toys import allowing
from .harness import before_each_pass
from .test_engine import network

if TYPE_CHECKING:
    from collections.abc import Sequence

N, D, V = 18, 4, 7
W = torch.randn(D, V, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
X = torch.randn(1, N, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
BASELINE = torch.linspace(-1, 1, D, dtype=torch.float64)[None, None]
TARGETS = tuple(Target(position, (token,)) for position, token in [(14, 4), (15, 0), (16, 5)])
MAY_GO = range(1, 14)  # not the first row


def bag_of_words(x: torch.Tensor) -> torch.Tensor:
    """The logits at t are a weighted sum of the embeddings up to t: the game of a logit is additive."""
    return (torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[None, :, None] * x).cumsum(1) @ W


def crossed(x: torch.Tensor) -> torch.Tensor:
    """Logits to which pairs of rows contribute: an additive fit explains most of them, and not all."""
    mixed = torch.tanh(x.cumsum(1)) * 3
    return bag_of_words(x) * 0.1 + (mixed + mixed.roll(1, -1) * mixed) @ W


def problem_of(logits: Any = bag_of_words, **given: Any) -> Problem:
    settings = ShapleySettings(operator="replace", **given.pop("settings", {}))
    access = allowing(baselines={"unk": lambda: BASELINE}, plain=lambda _n: network(logits))
    defaults: dict[str, Any] = {"embeddings": X, "targets": TARGETS, "objective": "logit", "access": access}
    return Problem(network=network(logits), settings=settings, **(defaults | given))


def parts(problem: Problem, cols: Sequence[int] | None = None) -> list[Chunk | Progress | Spot]:
    schedule = Schedule(range(len(problem.targets)) if cols is None else cols)
    return list(run(shapley, problem, schedule, label="Shapley"))


def chunks(problem: Problem, cols: Sequence[int] | None = None) -> list[Chunk]:
    return [part for part in parts(problem, cols) if isinstance(part, Chunk)]


def final(problem: Problem, cols: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Scores and errors [rows, targets] of the last chunk of each column; NaN where a column was not asked for."""
    scores, errors = np.full((2, problem.n_rows, len(problem.targets)), np.nan)
    for chunk in chunks(problem, cols):
        assert chunk.errors is not None
        scores[:, chunk.cols], errors[:, chunk.cols] = chunk.scores, chunk.errors
    return scores, errors


def value(problem: Problem, rows: Sequence[int], col: int) -> float:
    """The objective of a column where these rows stay, and of the others only those that may not go."""
    keep = np.ones((1, problem.n_rows), dtype=bool)
    keep[0, [row for row in MAY_GO if row not in rows]] = False
    (found,) = objectives(read(problem, [col], None), keep, "replace")
    return float(found[0, 0])


# ── the values ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("estimand", ["shapley", "banzhaf"])
@pytest.mark.parametrize("calls", [None, 104])
def test_the_values_of_an_additive_game_are_its_terms_however_few_texts_are_read(
    calls: int | None, estimand: str
) -> None:
    """Row i adds (i + 1)(x_i − b)·w to the logit, whatever else is there. 13 units, so nothing is exact by counting."""
    scores, errors = final(problem_of(settings={"calls": calls, "estimand": estimand}))
    for j, (_, (token,)) in enumerate(TARGETS):
        for row in MAY_GO:
            assert scores[row, j] == pytest.approx(float((row + 1) * (X[0, row] - BASELINE[0, 0]) @ W[:, token]))
    assert np.nanmax(errors) < 1e-6 * np.nanmax(np.abs(scores))


def test_up_to_ten_units_are_exact() -> None:
    """Against the definition: the mean gain over all orders of the units, here five runs of rows."""
    groups = {"word": [min(row // 3, 4) for row in range(N)]}
    problem = problem_of(crossed, groups=groups, settings={"unit": "word"})
    units = [[row for row in MAY_GO if groups["word"][row] == unit] for unit in range(5)]
    scores, errors = final(problem)
    for col in range(3):

        @cache
        def of(there: frozenset[int], col: int = col) -> float:
            return value(problem, [row for unit in there for row in units[unit]], col)

        gains = np.zeros(5)
        for order in permutations(range(5)):
            there: list[int] = []
            for unit in order:
                before = of(frozenset(there))
                there = [*there, unit]
                gains[unit] += of(frozenset(there)) - before
        for unit, gain in zip(units, gains / 120, strict=True):
            np.testing.assert_allclose(scores[unit, col], gain / len(unit), rtol=1e-5)
    assert not np.nansum(errors)


def test_a_row_that_may_not_go_scores_nothing_and_one_that_is_not_seen_is_nan() -> None:
    for chunk in chunks(problem_of(crossed)):
        for at, col in enumerate(chunk.cols):
            seen = TARGETS[col].n_seen
            stay = [row for row in range(seen) if row not in MAY_GO]
            assert chunk.errors is not None
            for of in (chunk.scores, chunk.errors):
                assert not of[stay, at].any()
                assert np.isnan(of[seen:, at]).all()
                assert np.isfinite(of[:seen, at]).all()


@pytest.mark.parametrize("calls", [52, 104, 500, None])
def test_shapley_values_add_up_to_what_the_text_without_the_units_lacks(calls: int | None) -> None:
    problem = problem_of(crossed, settings={"calls": calls})
    for chunk in chunks(problem):
        for at, col in enumerate(chunk.cols):
            whole = value(problem, MAY_GO, col) - value(problem, [], col)
            assert np.nansum(chunk.scores[:, at].astype(float)) == pytest.approx(whole, rel=1e-6)


def test_when_all_pairs_are_drawn_the_values_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 11 units, one more than are counted, where nothing is precise enough: 1,023 pairs and the two ends."""
    monkeypatch.setattr(module, "PRECISE", 0.0)
    groups = {"word": [max(row - 3, 0) for row in range(N)]}
    units = [[1, 2, 3], *([row] for row in range(4, 14))]
    problem = problem_of(crossed, targets=TARGETS[:1], groups=groups, settings={"unit": "word"})
    *_, last = chunks(problem)
    keep = subsets(units, problem.n_rows)
    values = torch.cat([*objectives(read(problem, [0], None), keep, "replace")]).numpy()
    expected = exact(values, "shapley")[:, 0]
    assert (last.calls, last.goes_on) == (2048, False)
    for unit, whole in zip(units, expected, strict=True):
        np.testing.assert_allclose(last.scores[unit, 0], whole / len(unit), rtol=1e-6)  # float32
    assert last.errors is not None
    assert not np.nansum(last.errors)


def test_a_unit_s_value_and_its_error_are_divided_equally_among_its_rows() -> None:
    groups = {"sentence": [row // 1 if row < 12 else 12 for row in range(N)]}
    together = problem_of(crossed, groups=groups, settings={"unit": "sentence", "calls": 200})
    scores, errors = final(together)
    assert scores[12, 0] == scores[13, 0] != 0
    assert errors[12, 0] == errors[13, 0] > 0
    assert scores[11, 0] != scores[12, 0]


# ── how it goes on ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_map_is_shown_after_four_calls_a_unit_and_goes_on_until_it_is_precise() -> None:
    """4n, 8n, then half as many again each time; each column ends when 1.96 errors are below a tenth of its largest."""
    made = chunks(problem_of(crossed))
    assert (made[0].calls, made[0].cols, made[0].goes_on) == (52, [0, 1, 2], True)
    assert 104 in {chunk.calls for chunk in made}
    for col in range(3):
        mine = [chunk for chunk in made if col in chunk.cols]
        assert [chunk.goes_on for chunk in mine] == [True] * (len(mine) - 1) + [False]
        calls = [chunk.calls for chunk in mine]
        assert calls[:2] == [52, 104]
        assert all(1.4 < b / a <= 1.5 for a, b in pairwise(calls[1:]))
        for chunk in mine:
            at = chunk.cols.index(col)
            assert chunk.errors is not None
            bar, largest = 1.96 * np.nanmax(chunk.errors[:, at]), np.nanmax(np.abs(chunk.scores[:, at]))
            assert chunk.goes_on == (chunk.calls < 104 or bar > 0.1 * largest)


def test_a_limit_of_calls_is_kept_and_said() -> None:
    """Each changed text counts, with the whole one and the empty one; a text more than an even number is not read."""
    told = parts(problem_of(crossed, settings={"calls": 81}))
    last = [part for part in told if isinstance(part, Chunk)][-1]
    assert (last.calls, last.goes_on) == (80, False)
    assert last.diagnostics["calls"] == [80] * 3
    progress = [part for part in told if isinstance(part, Progress)]
    assert progress[-1].done == 80
    assert all(part.done <= part.total for part in progress)


def test_a_column_does_not_depend_on_those_beside_it() -> None:
    """Each ends when it is precise itself, after numbers of calls that are the same for all."""
    together, errors = final(problem_of(crossed))
    for col in range(3):
        alone = final(problem_of(crossed), [col])
        np.testing.assert_allclose(alone[0][:, col], together[:, col], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(alone[1][:, col], errors[:, col], rtol=1e-4, atol=1e-7)


def test_a_network_that_is_not_causal_gives_each_column_by_itself() -> None:
    apart, _ = final(problem_of(crossed, causal=False, settings={"calls": 60}))
    together, _ = final(problem_of(crossed, settings={"calls": 60}))
    np.testing.assert_allclose(apart, together, rtol=1e-5, atol=1e-7)


def test_another_seed_draws_others_and_the_same_seed_the_same() -> None:
    one, same, other = (final(problem_of(crossed, settings={"calls": 60, "seed": seed}))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one[1:14], other[1:14])


def test_the_spot_check_finds_a_changed_text_that_is_off() -> None:
    """The largest drop among the first texts, and the last one, by plain passes of the column's text."""
    assert [part.difference for part in parts(problem_of(crossed)) if isinstance(part, Spot)] == [0]
    wrong = allowing(baselines={"unk": lambda: BASELINE}, plain=lambda _n: network(bag_of_words))
    with pytest.raises(sw.errors.BadScores, match="Shapley was checked in column 1, and is off"):
        parts(problem_of(crossed, access=wrong))


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────


def test_fewer_calls_than_four_a_unit_are_refused() -> None:
    with pytest.raises(InputError, match="calls=51 are too few for 13 units: .* at least 52 .* larger units"):
        parts(problem_of(settings={"calls": 51}))
    assert chunks(problem_of(settings={"calls": 52}))[-1].calls == 52


def test_few_units_need_no_more_calls_than_there_are_texts() -> None:
    """Of two units all 4 texts are fewer than 4 a unit."""
    groups = {"word": [row // 9 for row in range(N)]}
    found = chunks(problem_of(groups=groups, settings={"unit": "word", "calls": 4}))
    assert [chunk.calls for chunk in found] == [4]


def test_where_nothing_may_go_that_is_said() -> None:
    with pytest.raises(InputError, match="There is nothing to take away: .* Give a longer text"):
        parts(problem_of(targets=(Target(1, (0,)),)))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"unit": "letter"}, UnknownName, "letter"),
        ({"estimand": "owen"}, UnknownName, "owen"),
        ({"operator": "blur"}, UnknownName, "blur"),
        ({"baseline": "unk"}, InputError, 'Only operator="replace" takes baseline='),
        ({"operator": "delete", "baseline": "unk"}, InputError, 'Only operator="replace" takes baseline='),
        ({"estimand": "banzhaf", "unit": "coarse_to_fine"}, InputError, "cannot be refined"),
        ({"calls": 1}, InputError, "calls is 1, and must be a whole number from 2 on"),
        ({"calls": 2.5}, InputError, "calls is 2.5"),
        ({"seed": -1}, InputError, "seed is -1"),
    ],
)
def test_settings_that_do_not_exist_are_refused(given: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        check_question("shapley", None, given)


# ── from coarse to fine ──────────────────────────────────────────────────────────────────────────────────────────

# Three segments; the first has two sentences, of two words and one.
COARSE = {
    "segment": [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3],
    "sentence": [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4],
    "word": [0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 8, 8],
}
STRONG = slice(1, 6)  # the rows of the first segment that may go


def loud_beginning(x: torch.Tensor) -> torch.Tensor:
    """Logits to which the rows of the first segment contribute a hundred times as much, and pairs of rows something."""
    loud = torch.ones(x.shape[1], dtype=x.dtype)
    loud[STRONG] = 100
    mixed = torch.tanh((loud[None, :, None] * x).cumsum(1))
    return (loud[None, :, None] * x).cumsum(1) @ W + 3 * mixed @ W


def by_definition(problem: Problem, units: Sequence[Sequence[int]], col: int) -> list[float]:
    """Return the Shapley values of units in a game with all rows, from the value of every coalition."""
    n = len(units)
    worth = {
        kept: value(problem, [row for at in kept for row in units[at]], col)
        for size in range(n + 1)
        for kept in combinations(range(n), size)
    }
    found = []
    for at in range(n):
        others = [kept for kept in worth if at not in kept]
        weights = [factorial(len(kept)) * factorial(n - len(kept) - 1) / factorial(n) for kept in others]
        gains = [worth[tuple(sorted((*kept, at)))] - worth[kept] for kept in others]
        found.append(sum(w * gain for w, gain in zip(weights, gains, strict=True)))
    return found


def test_coarse_to_fine_plays_finer_units_of_the_strongest_beside_the_others() -> None:
    """Segments, then the sentences of the strong one, then the words of these: each level by its definition."""
    problem = problem_of(loud_beginning, groups=COARSE, settings={"unit": "coarse_to_fine"})
    levels = [
        [[1, 2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12, 13]],
        [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11, 12, 13]],
        [[1, 2], [3], [4, 5], [6, 7, 8, 9], [10, 11, 12, 13]],
    ]
    made = chunks(problem, [0])
    assert [chunk.goes_on for chunk in made] == [True, True, True, False]
    for chunk, units in zip(made, [*levels, levels[-1]], strict=True):
        expected = by_definition(problem, units, 0)
        found = [chunk.scores[unit, 0].sum() for unit in units]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert made[-1].calls == 2**3 + 2**4 + 2**5 == made[-1].diagnostics["calls"][0]


def test_coarse_to_fine_is_the_same_whichever_columns_are_computed_beside_it() -> None:
    """Each column has strongest units of its own, and its own values."""
    problem = problem_of(crossed, groups=COARSE, settings={"unit": "coarse_to_fine"})
    alone, together = (final(problem, cols)[0] for cols in ([1], None))
    np.testing.assert_array_equal(alone[:, 1], together[:, 1])


def test_too_few_calls_for_a_finer_level_leave_it_out() -> None:
    """The first level is refused as any other units are; finer ones are not played."""
    problem = problem_of(loud_beginning, groups=COARSE, settings={"unit": "coarse_to_fine", "calls": 16})
    assert [chunk.calls for chunk in chunks(problem, [0])] == [8, 24, 24]
    with pytest.raises(InputError, match="calls=4 are too few for 3 units"):
        chunks(problem_of(loud_beginning, groups=COARSE, settings={"unit": "coarse_to_fine", "calls": 4}), [0])


# ── the whole way ────────────────────────────────────────────────────────────────────────────────────────────────

TEXT, TARGET = "a cab. Bad dads add", " bed"


def asked(**given: Any) -> sw.Attribution:
    return sw.attribute(made("llama"), TEXT, target=TARGET, method="shapley", progress=False, **given)


def test_the_log_probability_is_explained_unless_another_objective_is_asked_for() -> None:
    """By these scores, and not only by name: they add up to the log-probability's fall, or the probability's."""
    whole = asked(unit="word")
    assert whole.objective == "log_probability"
    assert asked(unit="word", objective="logit").objective == "logit"
    p = asked(unit="word", objective="probability")
    after = p.step_scores["probability"] - np.nansum(p.scores, axis=0)
    np.testing.assert_allclose(
        np.log(whole.step_scores["probability"]) - np.nansum(whole.scores, axis=0), np.log(after), rtol=1e-4
    )


def test_a_model_of_raw_numbers_is_asked_for_its_numbers() -> None:
    question = check_question("shapley", None, {})
    assert question.objective_of(made("llama")) == "log_probability"
    model = made("llama_classifier")
    raw = dataclasses.replace(question)
    assert raw.objective_of(_Raw(model)) == "logit"  # type: ignore[arg-type]


class _Raw:
    raw = True

    def __init__(self, model: Any) -> None:
        self.model = model


def test_the_result_has_errors_and_says_what_it_rests_on() -> None:
    """An estimate has errors where rows may go, and none of rows that the target cannot see."""
    a = asked(calls=100)
    assert a.errors is not None
    assert a.errors.shape == a.scores.shape
    assert (np.isnan(a.errors) == np.isnan(a.scores)).all()
    assert np.nanmax(a.errors) > 0
    (said,) = (note.text for note in notes(a))
    share = max(1.96 * np.nanmax(a.errors, axis=0) / np.nanmax(np.abs(a.scores), axis=0))
    assert said == (
        f"Estimated from 100 texts in which inputs were hidden: 95% intervals are at most ± {share:.0%} of a column's "
        "largest score."
    )
    (exact,) = (note.text for note in notes(asked(unit="word", operator="delete")))
    assert exact.startswith("Exact: computed from all ")
    assert exact.endswith(" texts in which inputs were deleted.")


def test_banzhaf_values_are_never_added_up() -> None:
    """Except for the tokens of one unit, which share its value; the mean and the largest are told."""
    tokens, words = (
        asked(estimand="banzhaf", unit=unit, calls=calls) for unit, calls in (("token", 100), ("word", None))
    )
    with pytest.raises(InputError, match=r'Banzhaf values must not be added up.*unit="word"'):
        tokens.aggregate("word")
    assert tokens.aggregate("word", "mean").settings["pool"] == "mean"
    assert words.aggregate("word").scores.shape[0] < len(words.rows)
    assert any("add up to nothing" in note.text for note in notes(words))


def test_words_of_a_map_by_words_have_the_words_values_and_errors(tmp_path: Any) -> None:
    """Through a file, too. The target is one word of two tokens, over which values and errors are averaged."""
    a = asked(unit="word", calls=28)
    a.save(tmp_path / "a.safetensors")
    b = sw.Attribution.load(tmp_path / "a.safetensors")
    words = b.aggregate("word")
    assert a.errors is not None
    assert b.errors is not None
    assert words.errors is not None
    assert a.errors.tobytes() == b.errors.tobytes()
    assert len(words.cols) == 1
    for row, word in enumerate(words.rows[:-1]):  # the last one is the target itself
        mine = slice(word.position, word.position + word.length)
        assert words.scores[row, 0] == pytest.approx(float(a.scores[mine].sum(axis=0).mean()), abs=1e-7)
        assert words.errors[row, 0] == pytest.approx(float(a.errors[mine].sum(axis=0).mean()), abs=1e-7)
    assert words.errors[1:-1].any()


# ── on the page ──────────────────────────────────────────────────────────────────────────────────────────────────


def columns_of(h: Any) -> list[dict[str, Any]]:
    """The columns as the page heard them, each once."""
    return h.of("column")


def test_the_page_hears_each_column_again_and_again_with_its_errors(harness: Any, as_lent: Any) -> None:
    as_lent(made("llama").model)
    heard: list[tuple[int, np.ndarray, np.ndarray]] = []
    h = harness(made("llama"), method="shapley", objective="log_probability", text=TEXT, target=TARGET)
    listen = h.hear

    def hear(message: dict[str, Any], buffers: list[memoryview]) -> None:
        if message["type"] == "column":
            scores, errors = (np.frombuffer(buffer, dtype="<f4").copy() for buffer in buffers)
            heard.append((message["col"], scores, errors))
        listen(message, buffers)

    h.hear = hear
    h.start()
    a = h.settled()
    assert a.errors is not None
    for col in range(len(a.cols)):
        mine = [(scores, errors) for at, scores, errors in heard if at == col]
        assert len(mine) >= 2
        np.testing.assert_array_equal(mine[-1][0], a.scores[:, col])
        np.testing.assert_array_equal(mine[-1][1], a.errors[:, col])
        assert np.nanmax(mine[-1][1]) < np.nanmax(mine[0][1])
    assert h.last("notes")["notes"][0]["text"].startswith("Estimated from")


def test_cancel_keeps_the_last_estimate_and_asking_again_goes_on_from_there(
    harness: Any, computed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads only the texts that are missing, and comes to the same numbers as without a cancel."""
    model = made("llama")
    whole = asked()
    h = harness(model, method="shapley", objective="log_probability", text=TEXT, target=TARGET)
    stopped = threading.Event()

    def stop_after_the_first(*_: Any) -> None:
        if len(computed.batches) >= 2 and not stopped.is_set():
            stopped.set()
            h.controller.cancel()

    with before_each_pass(model, stop_after_the_first):
        h.start()
        with pytest.raises(Cancelled):
            h.done()
    part = h.controller.attribution
    assert part.scores.shape == whole.scores.shape
    kept = part.diagnostics["calls"][0]
    assert kept < max(whole.diagnostics["calls"])
    assert part.errors is not None
    masks: list[int] = []

    def counting(text: Any, keep: np.ndarray, operator: str) -> Any:
        masks.append(len(keep))
        return objectives(text, keep, operator)

    monkeypatch.setattr(module, "objectives", counting)
    h.controller.ask(check_question("shapley", "log_probability", {}))
    a = h.settled()
    assert sum(masks) == max(whole.diagnostics["calls"]) - kept
    np.testing.assert_allclose(a.scores, whole.scores, rtol=1e-5, atol=1e-7)
    assert a.diagnostics["calls"] == whole.diagnostics["calls"]
