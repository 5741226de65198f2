"""Masking of inputs on toy networks with known objectives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from saliency_widget.attribution.masking import by_plain_passes, objectives, read
from saliency_widget.attribution.operators import OPERATORS
from saliency_widget.errors import OutOfMemory

from ..toys import allowing
from .test_engine import TARGETS, N, W, bag_of_words, embeddings, network
from .test_perturbation import BASELINE, problem_of, reading, shortened

if TYPE_CHECKING:
    from saliency_widget.attribution.problem import Problem

SEEN = 6  # rows that the last target sees
MASKS = np.random.default_rng(0).random((40, N)) < 0.5
MASKS[:2] = [[True], [False]]  # all is kept, nothing is


def toy(kind: str, **given: Any) -> Problem:
    """The bag of words, as a network that is called, that keeps what it has read, or that reads ids."""
    baselines = {"unk": lambda: BASELINE}

    def other(rows: list[int], _baseline: str | None) -> Any:
        x = embeddings()
        x[0, rows] = BASELINE[0, 0]
        return x, network(bag_of_words)

    access = {
        "called": {},
        "kept": {"read_once": reading(bag_of_words)},
        "by id": {"reads_ids": True, "replaced": other},
    }[kind]
    can = {"masked": hiding(bag_of_words), "why_not": lambda _operator: None}
    access = allowing(baselines=baselines, shortened=shortened(bag_of_words), **can, **access)
    return problem_of(access=access, **given)


def hiding(logits: Any) -> Any:
    """A network in which nothing is read of rows but those that are given; the others keep their places."""

    def masked(rows: list[int]) -> Any:
        def call(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
            seen = torch.zeros(N, dtype=torch.bool)
            seen[list(rows)] = True
            hidden = torch.where(seen[: x.shape[1], None], x, 0.0)
            return SimpleNamespace(logits=logits(hidden)[:, positions], head=None)

        return call

    return masked


def values(problem: Problem, keep: np.ndarray = MASKS, operator: str = "replace") -> np.ndarray:
    found = objectives(read(problem, range(len(TARGETS)), None), keep, operator)
    return torch.cat(list(found)).numpy()


def logit(x: torch.Tensor, at: int, token: int) -> float:
    """Of the bag of words by hand: token `at` of the rows x is predicted from those up to it, each times its place."""
    return float(sum((i + 1) * x[i] for i in range(at + 1)) @ W[:, token])


@pytest.mark.parametrize("kind", ["called", "kept", "by id"])
@pytest.mark.parametrize("budget", [1, 3000, 1 << 30])
def test_what_is_not_kept_is_replaced_whatever_the_network_allows_and_however_little_fits(
    kind: str, budget: int
) -> None:
    found = values(toy(kind, memory_budget=budget))
    for mask, row in zip(MASKS, found, strict=True):
        x = torch.where(torch.from_numpy(mask)[:, None], embeddings()[0], BASELINE[0])
        for (position, (token,)), value in zip(TARGETS, row, strict=True):
            assert value == pytest.approx(logit(x, position - 1, token), rel=1e-9)


def test_what_is_not_kept_is_deleted_and_where_nothing_would_be_left_replaced() -> None:
    found = values(toy("called"), operator="delete")
    for mask, row in zip(MASKS, found, strict=True):
        for (position, (token,)), value in zip(TARGETS, row, strict=True):
            kept = embeddings()[0, :position][torch.from_numpy(mask[:position])]
            empty = torch.where(torch.from_numpy(mask)[:, None], embeddings()[0], BASELINE[0])[:position]
            left = kept if len(kept) else empty
            assert value == pytest.approx(logit(left, len(left) - 1, token), rel=1e-9)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("kind", ["called", "kept"])
def test_where_all_is_kept_the_objectives_are_those_of_the_text(kind: str, operator: str) -> None:
    text = read(toy(kind), range(len(TARGETS)), None)
    (same,) = objectives(text, np.ones((1, N), dtype=bool), operator)
    np.testing.assert_allclose(same[0].numpy(), text.whole.numpy(), rtol=1e-12)


def test_a_network_that_keeps_what_it_has_read_reads_no_row_before_the_first_that_is_taken_away() -> None:
    asked: list[tuple[int, int]] = []
    keep = np.ones((3, N), dtype=bool)
    keep[1, 4], keep[2, [2, 5]] = False, False
    problem = problem_of(read_once=reading(bag_of_words, asked))
    values(problem, keep)
    assert asked == [(4, 2)]  # the unchanged text is not read again; the other two go in one call, from 4 and 2 on
    asked.clear()
    values(problem_of(read_once=reading(bag_of_words, asked), memory_budget=1), keep)
    assert asked == [(4, 1), (2, 1)]


@pytest.mark.parametrize("operator", OPERATORS)
def test_when_memory_runs_out_a_batch_is_halved_and_of_one_text_it_is_an_error(operator: str) -> None:
    sizes = []

    def tight(most: int) -> Any:
        def call(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
            sizes.append(len(x))
            if sizes[1:] and len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return SimpleNamespace(logits=bag_of_words(x)[:, positions], head=None)

        return call

    def hidden(rows: list[int], call: Any) -> Any:
        return lambda x, positions: hiding(lambda seen: call(seen, torch.arange(x.shape[1])).logits)(rows)(x, positions)

    def given(most: int) -> Any:
        call = tight(most)
        alone = {"shortened": lambda rows: (embeddings()[:, rows], call), "masked": lambda rows: hidden(rows, call)}
        return {"network": call, "why_not": lambda _operator: None, **alone}

    keep = MASKS[:8]
    found = values(problem_of(**given(3)), keep, operator)
    np.testing.assert_array_equal(found, values(toy("called"), keep, operator))
    assert max(sizes) == 8 if OPERATORS[operator].reuses else max(sizes) < 8  # those of which nothing is left, together
    sizes.clear()
    with pytest.raises(OutOfMemory, match="single changed text"):
        values(problem_of(**given(0)), keep, operator)


def test_plain_passes_give_the_objective_of_one_column_for_each_mask() -> None:
    """By the network as `Access.plain` gives it, over the rows of the column alone."""
    read_rows = []

    def plain(n: int) -> Any:
        read_rows.append(n)
        return network(bag_of_words)

    access = allowing(baselines={"unk": lambda: BASELINE}, plain=plain)
    for col, (position, _) in enumerate(TARGETS):
        found = by_plain_passes(problem_of(access=access, network=None), col, None, MASKS, "replace")
        np.testing.assert_allclose(found, values(toy("called"))[:, col], rtol=1e-12)
        assert read_rows.pop() == position


@pytest.mark.parametrize("operator", ["mask", "delete"])
def test_attention_weights_that_do_not_fit_are_refused_before_a_changed_text_is_read(operator: str) -> None:
    """Of any operator that reads on from what it has read no pass over the whole text is needed."""
    problem = toy("kept", bytes_a_pass=lambda n: n * 1e17)
    with pytest.raises(
        OutOfMemory, match=r"A pass over a changed text of 6 tokens needs about 6\d+,\d+.* GB, and .* 0 t"
    ):
        values(problem, operator=operator)
    np.testing.assert_array_equal(values(problem), values(toy("kept")))
