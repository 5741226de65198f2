"""Integrated gradients and occlusion on toy networks whose scores are known by construction."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from saliency_widget.attribution.engine import Schedule, run
from saliency_widget.attribution.gradient import PathSettings, ProductSettings, input_x_gradient, integrated_gradients
from saliency_widget.attribution.perturbation import OcclusionSettings, occlusion
from saliency_widget.attribution.problem import Chunk, Problem, Progress
from saliency_widget.errors import InputError, OutOfMemory
from saliency_widget.types import Target

from ..toys import allowing
from .test_engine import TARGETS, D, N, W, bag_of_words, embeddings, network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASELINE = torch.linspace(-1, 1, D, dtype=torch.float64)[None, None]


def problem_of(logits: Callable[[torch.Tensor], torch.Tensor] = bag_of_words, **given: Any) -> Problem:
    """A toy network as a problem; its baseline is called unk. What is no field of it is of its access."""
    fields = {field.name for field in dataclasses.fields(Problem)}
    of_access = {"baselines": {"unk": lambda: BASELINE, "zero": lambda: 0 * BASELINE}}
    of_access |= {name: given.pop(name) for name in [*given] if name not in fields}
    defaults: dict[str, Any] = {
        "network": network(logits), "embeddings": embeddings(), "targets": TARGETS, "objective": "logit",
        "settings": OcclusionSettings(), "access": allowing(**of_access),
    }  # fmt: skip
    return Problem(**(defaults | given))


def parts(problem: Problem, fill: Any = occlusion, cols: Sequence[int] | None = None) -> list[Chunk | Progress]:
    schedule = Schedule(range(len(problem.targets)) if cols is None else cols)
    return list(run(fill, problem, schedule, label="Toy"))


def matrix(problem: Problem, fill: Any = occlusion, cols: Sequence[int] | None = None) -> np.ndarray:
    out = np.full((problem.n_rows, len(problem.targets)), np.inf)
    for chunk in parts(problem, fill, cols):
        if isinstance(chunk, Chunk):
            out[:, chunk.cols] = chunk.scores
    return out if cols is None else out[:, list(cols)]


def reading(logits: Callable[[torch.Tensor], torch.Tensor], asked: list[tuple[int, int]] | None = None) -> Any:
    """The network as one that has read the text: it is handed the rows from `start` on, and no others."""

    def ends(texts: Sequence[tuple[int, torch.Tensor]], positions: torch.Tensor) -> SimpleNamespace:
        if asked is not None:
            asked.append((texts[0][0], len(texts)))
        found = []
        for start, rows in texts:
            whole = torch.cat([embeddings()[0, :start], rows])[None]
            found.append(logits(whole)[0, positions[positions >= start]])
        return SimpleNamespace(logits=torch.cat(found)[None], head=None)

    return lambda text, positions: (network(logits)(text, positions), ends)


def copy(x: torch.Tensor) -> torch.Tensor:
    """The logits at t are a function of the embedding at t - 2 alone."""
    return torch.cat([torch.zeros_like(x[:, :2]), x[:, :-2]], dim=1) @ W


def weighted(x: torch.Tensor) -> torch.Tensor:
    """(i+1) x_i·w for every token of the vocabulary: what row i adds to every later logit of the bag of words."""
    return (torch.arange(1, N + 1, dtype=x.dtype)[:, None] * x) @ W


# ── a linear network: every method that adds up says the same ────────────────────────────────────────────────────


def test_input_x_gradient_of_a_bag_of_words_is_what_each_word_adds() -> None:
    scores = matrix(problem_of(settings=ProductSettings()), input_x_gradient)
    for j, (position, (token,)) in enumerate(TARGETS):
        np.testing.assert_allclose(scores[:position, j], weighted(embeddings()[0])[:position, token], rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 7])
def test_integrated_gradients_of_a_bag_of_words_are_its_weights_times_the_way(steps: int) -> None:
    """Exactly (i+1) w·(x_i - b), however many steps; and nothing is missing."""
    problem = problem_of(settings=PathSettings(steps=steps))
    scores = matrix(problem, integrated_gradients)
    for j, (position, (token,)) in enumerate(TARGETS):
        expected = weighted(embeddings()[0] - BASELINE[0])[:position, token]
        np.testing.assert_allclose(scores[:position, j], expected, rtol=1e-6)
    for chunk in parts(problem, integrated_gradients):
        assert isinstance(chunk, Chunk)
        assert np.abs(chunk.diagnostics["completeness_error"]).max() < 1e-12


def test_what_is_missing_is_told_where_the_steps_are_too_few() -> None:
    """x² has the gradient 2x: one step in the middle is exact. x⁴ it misses by a known amount."""

    def quartic(x: torch.Tensor) -> torch.Tensor:
        return (x**4).sum(-1, keepdim=True).cumsum(1).expand(-1, -1, W.shape[1])

    problem = problem_of(quartic, settings=PathSettings(steps=1, baseline="zero"))
    errors = [e for c in parts(problem, integrated_gradients) for e in c.diagnostics["completeness_error"]]
    for error, (position, _) in zip(errors, TARGETS, strict=True):
        whole = float((embeddings()[0, :position] ** 4).sum())
        assert error == pytest.approx(whole - 4 * whole / 8, rel=1e-6)  # ∫4α³ is 1, its middle 4/8


@pytest.mark.parametrize("cached", [False, True])
def test_occlusion_of_a_bag_of_words_is_what_each_word_adds(cached: bool) -> None:
    problem = problem_of(**({"read_once": reading(bag_of_words)} if cached else {}))
    scores = matrix(problem)
    for j, (position, (token,)) in enumerate(TARGETS):
        expected = weighted(embeddings()[0] - BASELINE[0])[:position, token]
        np.testing.assert_allclose(scores[:position, j], expected, rtol=1e-6)
        assert np.isnan(scores[position:, j]).all()


# ── a network that copies one row ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fill", "settings"),
    [
        (input_x_gradient, ProductSettings()),
        (integrated_gradients, PathSettings(steps=3)),
        (occlusion, OcclusionSettings()),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit", "entropy"])
def test_a_network_that_copies_one_row_has_its_score_there_and_nowhere_else(
    fill: Any, settings: Any, cached: bool, objective: Any
) -> None:
    given = {"read_once": reading(copy)} if cached else {}
    scores = matrix(problem_of(copy, settings=settings, objective=objective, **given), fill)
    for j, (position, _) in enumerate(TARGETS):
        assert np.flatnonzero(scores[:position, j]).tolist() == [position - 3]


@pytest.mark.parametrize("cached", [False, True])
def test_occlusion_is_in_units_of_the_objective(cached: bool) -> None:
    """The drop of the copied row is the objective minus that of the baseline."""
    given = {"read_once": reading(copy)} if cached else {}
    scores = matrix(problem_of(copy, objective="probability", **given))
    for j, (position, (token,)) in enumerate(TARGETS):
        own, of_baseline = ((x @ W).softmax(-1)[token].item() for x in (embeddings()[0, position - 3], BASELINE[0, 0]))
        assert scores[position - 3, j] == pytest.approx(own - of_baseline, rel=1e-6)


# ── how it goes through the network ──────────────────────────────────────────────────────────────────────────────


def test_a_network_that_keeps_what_it_has_read_is_handed_only_what_changes() -> None:
    """Rows from the first change of a batch on; what is predicted before it costs nothing."""
    asked: list[tuple[int, int]] = []
    matrix(problem_of(read_once=reading(bag_of_words, asked), memory_budget=1))
    assert asked == [(row, 1) for row in range(6)]
    asked.clear()
    matrix(problem_of(read_once=reading(bag_of_words, asked)))
    assert asked == [(0, 6)]


def test_the_text_is_read_once_for_all_columns() -> None:
    read = []

    def once(*given: Any) -> Any:
        read.append(given)
        return reading(bag_of_words)(*given)

    matrix(problem_of(read_once=once))
    assert len(read) == 1


def test_a_network_that_keeps_nothing_reads_each_changed_text_whole() -> None:
    plain = network(bag_of_words)
    scores = matrix(problem_of(read_once=lambda *given: (plain(*given), None)))
    np.testing.assert_array_equal(scores, matrix(problem_of()))


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    sizes = []

    def tight(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        sizes.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return SimpleNamespace(logits=bag_of_words(x)[:, positions], head=None)

    scores = matrix(problem_of(network=tight))
    assert sizes == [1, 6, 3, 1, 1, 1, 1, 1, 1]  # the whole text; six changed ones; half of them; half of that
    np.testing.assert_array_equal(scores, matrix(problem_of()))


def test_out_of_memory_on_a_single_changed_text_is_an_error_with_a_cure() -> None:
    def full(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        if torch.equal(x, embeddings()[:, :6]):
            return SimpleNamespace(logits=bag_of_words(x)[:, positions], head=None)
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    with pytest.raises(OutOfMemory, match="single changed text.*Shorten the text"):
        matrix(problem_of(network=full))


def test_an_error_that_is_no_lack_of_memory_is_not_swallowed() -> None:
    def broken(x: torch.Tensor, _positions: torch.Tensor) -> Any:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        matrix(problem_of(network=broken))


def test_progress_counts_the_units_up_to_all_of_them() -> None:
    found = parts(problem_of(memory_budget=1))
    assert found[:-1] == [Progress(done, 6) for done in range(1, 7)]
    assert isinstance(found[-1], Chunk)


def test_a_network_that_is_not_causal_sees_nothing_after_the_target() -> None:
    """Each column takes a pass of its own, over the rows before it."""
    seen = []

    def both_ways(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        seen.append(x.shape[1])
        return SimpleNamespace(logits=((x + x.mean(1, keepdim=True) ** 2) @ W)[:, positions], head=None)

    scores = matrix(problem_of(network=both_ways, causal=False))
    assert sorted(set(seen)) == [3, 4, 5, 6]
    for j, (position, (token,)) in enumerate(TARGETS):
        for row in range(position):
            changed = embeddings()[:, :position].clone()
            changed[0, row] = BASELINE
            whole, without = (
                both_ways(x, torch.tensor([position - 1])).logits[0, 0, token]
                for x in (embeddings()[:, :position], changed)
            )
            assert scores[row, j] == pytest.approx(float(whole - without), rel=1e-6)


# ── units ────────────────────────────────────────────────────────────────────────────────────────────────────────

GROUPS = {"word": [0, 0, 1, 2, 3, 3, 4], "sentence": [0, 0, 0, 1, 1, 1, 1], "segment": [0] * 7}


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_each_token_of_a_unit_gets_an_equal_part_of_its_drop(unit: Any) -> None:
    """A target that sees only the beginning of a unit shares its drop among the rows that it sees."""
    scores = matrix(problem_of(settings=OcclusionSettings(unit=unit), groups=GROUPS))
    for j, (position, (token,)) in enumerate(TARGETS):
        adds = weighted(embeddings()[0] - BASELINE[0])[:, token]
        for row in range(position):
            rows = [i for i in range(position) if GROUPS[unit][i] == GROUPS[unit][row]]
            assert scores[row, j] == pytest.approx(float(adds[rows].mean()), rel=1e-6)


LONG = torch.randn(1, 25, D, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
# Two paragraphs of two sentences of three words of two tokens; and a last row that nobody sees.
LEVELS = {
    "word": [i // 2 for i in range(25)],
    "sentence": [i // 6 for i in range(25)],
    "segment": [i // 12 for i in range(25)],
}


def only(weights: dict[int, list[float]]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A linear network in which a row adds to the logit of token v by its weight in `weights[v]`."""
    table = torch.zeros(25, W.shape[1], dtype=torch.float64)
    for token, of_row in weights.items():
        table[: len(of_row), token] = torch.tensor(of_row, dtype=torch.float64)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return (x.mean(-1, keepdim=True) * table[: x.shape[1]]).cumsum(1)

    return logits


def rows_changed(logits: Callable[[torch.Tensor], torch.Tensor], changed: list[list[int]]) -> Any:
    """The network, noting which rows of each changed text are not those of the text."""

    def call(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        for variant in x:
            rows = (variant != LONG[0, : len(variant)]).any(-1).nonzero()[:, 0].tolist()
            if rows:
                changed.append(rows)
        return SimpleNamespace(logits=logits(x)[:, positions], head=None)

    return call


def coarse(network: Any, targets: tuple[Target, ...]) -> Problem:
    return Problem(
        network=network, embeddings=LONG, targets=targets, objective="logit", groups=LEVELS, memory_budget=1,
        settings=OcclusionSettings(unit="coarse_to_fine"), access=allowing(baselines={"zero": lambda: 0 * BASELINE}),
    )  # fmt: skip


def test_coarse_to_fine_looks_closely_only_at_what_matters() -> None:
    """One word of the second sentence of the second paragraph matters: 2 + 2 + 3 passes, not 12."""
    weights = [0.0] * 24
    weights[20], weights[21] = 3.0, -1.0
    changed: list[list[int]] = []
    problem = coarse(rows_changed(only({4: weights}), changed), (Target(24, (4,)),))
    scores = matrix(problem)[:, 0]
    half, sentence, word = 12, 6, 2
    expected = [list(range(i, i + half)) for i in (0, 12)]
    expected += [list(range(i, i + sentence)) for i in (12, 18)]
    expected += [list(range(i, i + word)) for i in (18, 20, 22)]
    assert changed == expected
    drop = float(3 * LONG[0, 20].mean() - LONG[0, 21].mean())
    np.testing.assert_allclose(scores[[20, 21]], drop / 2, rtol=1e-6)
    np.testing.assert_allclose(np.delete(scores, [20, 21]), 0, atol=1e-12)


def test_what_is_not_looked_at_closely_keeps_the_part_of_its_unit() -> None:
    """The first paragraph has 1 % of the mass: its drop is dealt out to all its tokens, though one word made it."""
    weights = [0.0] * 24
    weights[2], weights[20] = 0.01 / float(LONG[0, 2].mean()), 1 / float(LONG[0, 20].mean())
    scores = matrix(coarse(network(only({4: weights})), (Target(24, (4,)),)))[:, 0]
    np.testing.assert_allclose(scores[:12], 0.01 / 12, rtol=1e-6)
    np.testing.assert_allclose(scores[[20, 21]], 1 / 2, rtol=1e-6)


def test_coarse_to_fine_is_the_same_whichever_columns_are_computed_beside_it() -> None:
    """One column needs a word of the first paragraph, another one of the second: neither sees the other's detail."""
    first, second = [0.0] * 24, [0.0] * 24
    first[2], first[20] = 1.0, 0.01
    second[2], second[20] = 0.01, 1.0
    problem = coarse(network(only({4: first, 5: second})), (Target(24, (4,)), Target(24, (5,))))
    together = matrix(problem)
    for col in (0, 1):
        np.testing.assert_array_equal(together[:, [col]], matrix(problem, cols=[col]))
    assert len(set(together[:12, 0])) > 1 == len(set(together[:12, 1]))


def test_coarse_to_fine_says_how_far_each_level_is() -> None:
    weights = [0.0] * 20 + [1.0]
    done = [p for p in parts(coarse(network(only({4: weights})), (Target(24, (4,)),))) if isinstance(p, Progress)]
    assert [p.total for p in done] == [2, 2, 2, 2, 3, 3, 3]
    assert all(b.done == a.done + 1 or b.done == 1 for a, b in pairwise(done))


def test_a_text_of_one_paragraph_and_one_sentence_begins_with_its_words() -> None:
    one = {"word": LEVELS["word"], "sentence": [0] * 25, "segment": [0] * 25}
    changed: list[list[int]] = []
    problem = coarse(rows_changed(only({4: [1.0] * 24}), changed), (Target(24, (4,)),))
    matrix(Problem(**(vars(problem) | {"groups": one})))
    assert changed == [[i, i + 1] for i in range(0, 24, 2)]


# ── deletion ─────────────────────────────────────────────────────────────────────────────────────────────────────


def shortened(logits: Callable[[torch.Tensor], torch.Tensor], kept: list[list[int]] | None = None) -> Any:
    def call(rows: list[int]) -> Any:
        if kept is not None:
            kept.append(list(rows))
        return embeddings()[:, rows], network(logits)

    return call


def test_deletion_closes_the_text_up() -> None:
    """In the bag of words the weights are those of the places, so every later word moves one place down."""
    kept: list[list[int]] = []
    problem = problem_of(settings=OcclusionSettings(operator="delete"), shortened=shortened(bag_of_words, kept))
    scores = matrix(problem)
    assert kept == [[i for i in range(6) if i != row] for row in range(6)]
    x = embeddings()[0]
    for j, (position, (token,)) in enumerate(TARGETS):
        whole = bag_of_words(x[None])[0, position - 1, token]
        for row in range(position):
            left = torch.cat([x[:row], x[row + 1 : position]])
            assert scores[row, j] == pytest.approx(float(whole - bag_of_words(left[None])[0, -1, token]), rel=1e-6)


def test_a_token_without_which_nothing_could_be_read_is_replaced_for_that_target_alone() -> None:
    """A text of one token: the first target has nothing else to be predicted from, the second has."""
    targets = (Target(1, (4,)), Target(2, (9,)))
    settings = OcclusionSettings(operator="delete")
    problem = problem_of(settings=settings, shortened=shortened(bag_of_words), targets=targets)
    scores = matrix(problem)
    x = embeddings()[0]
    assert scores[0, 0] == pytest.approx(float((x[0] - BASELINE[0, 0]) @ W[:, 4]), rel=1e-6)
    assert scores[0, 1] == pytest.approx(float((x[0] + 2 * x[1] - x[1]) @ W[:, 9]), rel=1e-6)
    for col in (0, 1):
        np.testing.assert_array_equal(matrix(problem, cols=[col])[:, 0], scores[:, col])


def test_a_source_is_never_deleted_whole() -> None:
    """Nor is what the decoder begins with, for the first target: they are replaced."""
    problem = problem_of(
        settings=OcclusionSettings(operator="delete", unit="word"), shortened=shortened(bag_of_words), n_source=2,
        targets=(Target(3, (4,)), Target(4, (0,))), groups={"word": [0, 0, 1, 2, 3, 4, 5]},
    )  # fmt: skip
    scores = matrix(problem)
    adds = weighted(embeddings()[0] - BASELINE[0])
    np.testing.assert_allclose(scores[:2, 0], float(adds[:2, 4].mean()), rtol=1e-6)
    assert scores[2, 0] == pytest.approx(float(adds[2, 4]), rel=1e-6)
    x = embeddings()[0]
    assert scores[2, 1] == pytest.approx(float((3 * x[2] + 4 * x[3] - 3 * x[3]) @ W[:, 0]), rel=1e-6)


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("there", "taken"), [(("unk", "pad", "zero"), "unk"), (("zero", "mask", "pad"), "pad"), (("mean", "zero"), "zero")]
)
def test_the_first_baseline_there_is_is_taken(there: tuple[str, ...], taken: str) -> None:
    asked = []

    def give(name: str) -> torch.Tensor:
        asked.append(name)
        return BASELINE

    matrix(problem_of(baselines={name: lambda name=name: give(name) for name in there}))
    assert set(asked) == {taken}


UNKNOWN = 2  # a row of the text that is the first baseline itself


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        ({"pad": 2.0, "mask": 3.0}, 2.0),
        ({"pad": 1.0, "mask": 3.0}, 3.0),  # pad is unk: that is no other
        ({"mean": 4.0}, 4.0),
        ({}, 0.0),
    ],
)
@pytest.mark.parametrize(
    ("fill", "settings"), [(occlusion, OcclusionSettings()), (integrated_gradients, PathSettings())]
)
def test_a_token_that_is_the_baseline_itself_is_replaced_by_another(
    fill: Any, settings: Any, others: dict[str, float], taken: float
) -> None:
    """Its score is what the network owes to it and not to that other; all others keep the baseline; it is told."""
    text = embeddings()
    text[0, UNKNOWN] = BASELINE[0, 0]
    there = {"unk": 1.0, **others, "zero": 0.0}
    known = {name: partial(torch.mul, BASELINE, factor) for name, factor in there.items()}
    problem = problem_of(settings=settings, embeddings=text, baselines=known)
    scores = matrix(problem, fill)
    stand_in = BASELINE[0].repeat(N, 1)
    stand_in[UNKNOWN] *= taken
    for j, (position, (token,)) in enumerate(TARGETS):
        expected = weighted(text[0] - stand_in)[:position, token]
        np.testing.assert_allclose(scores[:position, j], expected, rtol=1e-6)
        assert scores[UNKNOWN, j] != 0
    for chunk in parts(problem, fill):
        assert isinstance(chunk, Progress) or chunk.diagnostics["baseline_changed"] == [1.0] * len(chunk.cols)


@pytest.mark.parametrize("fill", [occlusion, integrated_gradients])
def test_a_baseline_that_was_chosen_stays_and_its_own_token_is_told(fill: Any) -> None:
    """Nothing changes where a token is replaced by itself: 0, and a diagnostic of each column that sees it."""
    settings = OcclusionSettings(baseline="unk") if fill is occlusion else PathSettings(baseline="unk")
    text = embeddings()
    text[0, [UNKNOWN, 4]] = BASELINE[0, 0]
    problem = problem_of(settings=settings, embeddings=text)
    assert (matrix(problem, fill)[UNKNOWN] == 0).all()
    told = [c.diagnostics["baseline_in_text"] for c in parts(problem, fill) if isinstance(c, Chunk)]
    assert [count for counts in told for count in counts] == [1 + (position > 4) for position, _ in TARGETS]


def test_a_text_without_the_baseline_says_nothing_of_it() -> None:
    assert all(not c.diagnostics for c in parts(problem_of()) if isinstance(c, Chunk))
    text = embeddings()
    text[0, UNKNOWN] = BASELINE[0, 0]
    deleted = problem_of(
        settings=OcclusionSettings(operator="delete"),
        embeddings=text,
        shortened=lambda rows: (text[:, rows], network(bag_of_words)),
    )
    assert all(not c.diagnostics for c in parts(deleted) if isinstance(c, Chunk))


def test_a_baseline_that_the_tokenizer_does_not_have_names_those_it_has() -> None:
    with pytest.raises(InputError, match="The tokenizer has no mask token to stand for nothing. Take unk or zero"):
        matrix(problem_of(settings=OcclusionSettings(baseline="mask")))


def test_a_baseline_that_would_have_no_say_is_refused() -> None:
    """Nor a seed where nothing is drawn, or one that is no number from 0 on."""
    for operator in ("delete", "mask", "resample"):
        with pytest.raises(InputError, match=f'operator="{operator}" needs no baseline'):
            OcclusionSettings(operator=operator, baseline="unk")
    with pytest.raises(InputError, match='Only operator="resample" draws'):
        OcclusionSettings(seed=1)
    with pytest.raises(InputError, match="seed is -1"):
        OcclusionSettings(operator="resample", seed=-1)


def test_more_memory_makes_larger_batches_up_to_400_rows_on_a_cpu() -> None:
    """Twenty texts of twenty rows. A large vocabulary leaves room for fewer."""
    sizes: list[int] = []

    def largest(budget: int, vocabulary: int = 1) -> int:
        def call(x: torch.Tensor, positions: torch.Tensor) -> Any:
            sizes.append(len(x))
            return network(lambda x: bag_of_words(x).repeat(1, 1, vocabulary))(x, positions)

        sizes.clear()
        targets = (Target(20, (4,)),)
        matrix(problem_of(network=call, embeddings=LONG, targets=targets, memory_budget=budget))
        assert sum(sizes) == 1 + 20
        return max(sizes)

    found = [largest(1 << bits) for bits in range(24)]
    assert found == sorted(found)
    assert set(found) > {1, 20}
    assert max(found) == 20
    middle = 1 << found.index(20)
    assert largest(middle, vocabulary=50) < 20


def test_a_word_that_speaks_against_the_target_has_a_negative_score() -> None:
    against = [1.0, -2.0, 0.0]
    ones = torch.ones(1, N, D, dtype=torch.float64)
    problem = problem_of(
        only({4: against}), embeddings=ones, targets=(Target(3, (4,)),), settings=OcclusionSettings(baseline="zero")
    )
    np.testing.assert_allclose(matrix(problem)[:, 0], against, rtol=1e-6)
    assert math.copysign(1, matrix(problem)[1, 0]) == -1
