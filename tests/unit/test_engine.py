"""The pure engine on toy networks whose answer is known by construction."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from saliency_widget.attribution.attention import AttentionSettings, attention
from saliency_widget.attribution.engine import Schedule, run
from saliency_widget.attribution.gradient import saliency
from saliency_widget.attribution.noise import RandomSettings, random
from saliency_widget.attribution.problem import Chunk, Problem
from saliency_widget.errors import BadScores, OutOfMemory
from saliency_widget.types import Target

from ..toys import allowing

N, D, V = 7, 5, 11


def embeddings(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(1, N, D, generator=torch.Generator().manual_seed(1), dtype=dtype)


def network(logits: Any, head: Any = None) -> Any:
    """From a function of embeddings [b, m, d] to logits at all positions to what the engine calls."""

    def call(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=logits(x)[:, positions], head=None)

    return call


def matrix(problem: Problem, order: Schedule | None = None) -> np.ndarray:
    n = len(problem.targets)
    out = np.full((problem.n_rows, n), np.inf)
    for chunk in run(saliency, problem, order or Schedule(range(n)), label="Gradient"):
        out[:, chunk.cols] = chunk.scores
    return out


W = torch.randn(D, V, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
TARGETS = tuple(Target(position, (id,)) for position, id in [(3, 4), (4, 0), (5, 9), (6, 4)])


def bag_of_words(x: torch.Tensor) -> torch.Tensor:
    """Logits at t are a weighted sum of the embeddings 0 … t: the gradient of a logit is known exactly."""
    weight = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[None, :, None]
    return (weight * x).cumsum(1) @ W.to(x.dtype)


def test_the_gradient_of_a_bag_of_words_is_its_weights() -> None:
    """logit_v(t) = Σ_i≤t (i+1) x_i·w_v, so row i of every column is (i+1)‖w_v‖."""
    scores = matrix(Problem(network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS, objective="logit"))
    for j, (position, (token,)) in enumerate(TARGETS):
        expected = torch.arange(1, position + 1) * W[:, token].norm()
        np.testing.assert_allclose(scores[:position, j], expected, rtol=1e-6)


def test_a_row_is_nan_exactly_where_the_target_cannot_see_it() -> None:
    scores = matrix(Problem(network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS, objective="logit"))
    for j, (position, _) in enumerate(TARGETS):
        assert np.isnan(scores[:, j]).tolist() == [i >= position for i in range(6)]


def test_a_network_that_copies_one_position_has_its_gradient_there_and_nowhere_else() -> None:
    """If the logits at t depend on the embedding at t - 2 alone, only that row has a score."""

    def copy(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(x[:, :2]), x[:, :-2]], dim=1) @ W

    scores = matrix(Problem(network=network(copy), embeddings=embeddings(), targets=TARGETS))
    for j, (position, _) in enumerate(TARGETS):
        assert np.flatnonzero(scores[:position, j]).tolist() == [position - 3]


def test_a_network_that_is_not_causal_goes_step_by_step() -> None:
    """Each target's scores are those of a pass over nothing but what comes before it."""

    def both_ways(x: torch.Tensor) -> torch.Tensor:
        return (x + x.mean(1, keepdim=True) ** 2) @ W

    problem = Problem(network=network(both_ways), embeddings=embeddings(), targets=TARGETS, causal=False)
    scores = matrix(problem)
    for j, (position, token) in enumerate(TARGETS):
        x = embeddings()[:, :position].requires_grad_()
        both_ways(x)[0, -1].softmax(-1)[token].backward()
        np.testing.assert_allclose(scores[:position, j], x.grad[0].norm(dim=-1), rtol=1e-6)


def test_a_network_that_is_not_causal_gets_its_steps_from_what_comes_before_alone() -> None:
    """In a network that is not causal the steps come from a pass without the target's own embedding."""

    def both_ways(x: torch.Tensor) -> torch.Tensor:
        return (x + x.mean(1, keepdim=True) ** 2) @ W

    problem = Problem(
        network=network(both_ways), embeddings=embeddings(), targets=TARGETS, causal=False, settings=RandomSettings()
    )
    steps = {}
    for chunk in run(random, problem, Schedule(range(len(TARGETS))), label="Random"):
        steps |= dict(zip(chunk.cols, chunk.steps, strict=True))
    for j, (position, (token,)) in enumerate(TARGETS):
        alone = both_ways(embeddings()[:, :position])[0, -1].softmax(-1)
        assert steps[j].probability == pytest.approx(float(alone[token]), rel=1e-6)


def test_a_network_that_is_not_causal_is_asked_for_one_targets_attention_at_a_time() -> None:
    asked: list[list[int]] = []

    def weights(n: int, at: torch.Tensor, record: Any, *, first: int = 0) -> torch.Tensor:
        asked.append([n, *at.tolist()])
        record("self", 0, 0, torch.ones(1, n, n))
        return torch.zeros(len(at), V)

    reader = SimpleNamespace(queries=lambda _n, at: at[:, None], run=weights)
    problem = Problem(
        network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS, causal=False,
        settings=AttentionSettings(), access=allowing(attention=reader),
    )  # fmt: skip
    assert len(list(run(attention, problem, Schedule(range(4)), label="Attention"))) == 4
    assert asked == [[3, 2], [4, 3], [5, 4], [6, 5]]


def test_good_columns_before_a_bad_one_are_kept() -> None:
    """A failed run keeps the good columns before the bad one, also those of the same chunk."""

    def dead_at_the_last(x: torch.Tensor) -> torch.Tensor:
        out = bag_of_words(x)
        return torch.cat([out[:, :5], out[:, 5:] * 0], dim=1)

    problem = Problem(network=network(dead_at_the_last), embeddings=embeddings(), targets=TARGETS, objective="logit")
    kept: list[Chunk] = []
    with pytest.raises(BadScores, match="only zeros in column 3"):
        kept.extend(run(saliency, problem, Schedule(range(4), prefer=0), label="Gradient"))
    assert [chunk.cols for chunk in kept] == [[0], [1, 2]]
    assert [(chunk.scores.shape[1], len(chunk.steps)) for chunk in kept] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("objective", ["probability", "log_probability", "logit"])
def test_objectives_are_what_their_names_say(objective: str) -> None:
    """The derivative along each embedding, from differences of plain forward passes, is no longer than the norm, and
    along the gradient itself it is the norm."""
    value = {
        "probability": lambda z: z.softmax(-1),
        "log_probability": lambda z: z.log_softmax(-1),
        "logit": lambda z: z,
    }

    def net(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x.cumsum(1)) @ W

    position, token = TARGETS[1]
    scores = matrix(Problem(network=network(net), embeddings=embeddings(), targets=TARGETS, objective=objective))
    h = 1e-6
    for row in range(position):
        slopes = []
        for axis in range(D):
            step = torch.zeros(1, N, D, dtype=torch.float64)
            step[0, row, axis] = h
            up, down = (value[objective](net(embeddings() + s * step)[0, position - 1])[token] for s in (1, -1))
            slopes.append(float(up - down) / (2 * h))
        assert scores[row, 1] == pytest.approx(math.hypot(*slopes), rel=1e-5)  # truncation O(h²), rounding 1e-10 / h


def test_the_order_and_the_size_of_chunks_change_nothing() -> None:
    problem = Problem(network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS)
    plain = matrix(problem)
    small = Problem(network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS, memory_budget=1)
    np.testing.assert_array_equal(matrix(small), plain)
    np.testing.assert_array_equal(matrix(problem, Schedule(range(4), prefer=2)), plain)


def test_the_preferred_column_comes_first_and_then_its_neighbours() -> None:
    schedule = Schedule(range(40), prefer=20)
    assert schedule.take(1) == [20]
    assert schedule.take(4) == [0, 1, 2, 3]
    schedule.prefer(30)
    assert schedule.take(4) == [30, 31, 32, 33]
    schedule.prefer(39)
    assert schedule.take(4) == [36, 37, 38, 39]
    schedule.give_back([30])
    assert len(schedule) == 40 - 12
    taken = [col for _ in range(10) for col in schedule.take(5)]
    assert sorted(taken) == sorted(set(range(40)) - {20, 0, 1, 2, 3, 31, 32, 33, 36, 37, 38, 39})


def test_out_of_memory_halves_the_chunk_and_goes_on() -> None:
    sizes = []

    def tight(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        sizes.append(len(positions))
        if len(positions) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return SimpleNamespace(logits=bag_of_words(x)[:, positions], head=None)

    scores = matrix(Problem(network=tight, embeddings=embeddings(), targets=TARGETS))
    assert sizes == [4, 2, 1, 1, 1, 1]
    plain = Problem(network=network(bag_of_words), embeddings=embeddings(), targets=TARGETS)
    np.testing.assert_array_equal(scores, matrix(plain))


def test_out_of_memory_on_a_single_column_is_an_error_with_a_cure() -> None:
    def full(_x: torch.Tensor, _positions: torch.Tensor) -> Any:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    with pytest.raises(OutOfMemory, match="Shorten the text"):
        matrix(Problem(network=full, embeddings=embeddings(), targets=TARGETS))


@pytest.mark.parametrize(("factor", "what"), [(float("nan"), "gave nan at row 0"), (0.0, "only zeros")])
def test_nan_and_all_zero_scores_are_errors(factor: float, what: str) -> None:
    with pytest.raises(BadScores, match=what) as caught:
        matrix(Problem(network=network(lambda x: bag_of_words(x) * factor), embeddings=embeddings(), targets=TARGETS))
    assert caught.value.col == 0


def test_a_detached_network_is_an_error_and_not_a_picture() -> None:
    """A network that cuts the gradient is an error."""
    problem = Problem(network=network(lambda x: bag_of_words(x.detach())), embeddings=embeddings(), targets=TARGETS)
    with pytest.raises(BadScores, match="cuts the gradient"):
        matrix(problem)
