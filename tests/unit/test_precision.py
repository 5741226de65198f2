"""Half precision: a map of a float16 model is that of the same weights in float32; noise that is left is told."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.engine import Schedule, run
from saliency_widget.attribution.gradient import PathSettings, ProductSettings, input_x_gradient, integrated_gradients
from saliency_widget.attribution.problem import Chunk, Problem
from saliency_widget.errors import BadScores
from saliency_widget.types import Target

from ..families import make
from ..toys import allowing

if TYPE_CHECKING:
    from collections.abc import Callable

    from saliency_widget.models.base import Model
    from saliency_widget.models.causal import CausalModel

OBJECTIVES = ("probability", "log_probability", "logit")
GRADIENTS = ("saliency", "input_x_gradient", "attnlrp", "gim", "integrated_gradients")
# float16 has 11 binary digits, so that each step is off by up to 5e-4 of itself, and a share by a few times that.
CLOSE = 0.02

N, D, V = 7, 5, 11
W = torch.randn(D, V, generator=torch.Generator().manual_seed(2))
X = torch.randn(1, N, D, generator=torch.Generator().manual_seed(1)).half()
TARGETS = tuple(Target(position, (id,)) for position, id in [(3, 4), (4, 0), (5, 9), (6, 4)])


def problem_of(logits: Callable[[torch.Tensor], torch.Tensor], calls: list[int] | None = None, **given: Any) -> Problem:
    """A toy network in float16, from a function of embeddings [b, m, d] to logits at all positions."""

    def network(x: torch.Tensor, positions: torch.Tensor) -> SimpleNamespace:
        if calls is not None:
            calls.append(len(x))
        assert x.dtype == torch.float16
        return SimpleNamespace(logits=logits(x)[:, positions], head=None)

    defaults: dict[str, Any] = {"embeddings": X, "targets": TARGETS, "settings": ProductSettings()}
    return Problem(network=network, **(defaults | given))


def matrix(problem: Problem, fill: Any = input_x_gradient) -> np.ndarray:
    out = np.full((problem.n_rows, len(problem.targets)), np.inf)
    for chunk in run(fill, problem, Schedule(range(len(problem.targets))), label="Toy"):
        assert isinstance(chunk, Chunk)
        out[:, chunk.cols] = chunk.scores
    return out


def steep(factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Logits `factor` times the sum of the embeddings so far, projected: the larger, the less probable most are."""

    def logits(x: torch.Tensor) -> torch.Tensor:
        return factor * (x.float().cumsum(1).to(x.dtype) @ W.to(x.dtype))

    return logits


def exact(logits: Callable[[torch.Tensor], torch.Tensor], target: Target, objective: str) -> np.ndarray:
    """input × gradient of the toy by plain autograd in float64, [n_seen]."""
    x = X[:, : target.n_seen].double().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for i, token in enumerate(target.ids):
        row = logits(x)[0, target.position + i - 1]
        total = total + {"logit": row, "probability": row.softmax(-1)}.get(objective, row.log_softmax(-1))[token]
    (gradient,) = torch.autograd.grad(total, x)
    return (gradient * x)[0].sum(-1).detach().numpy()


# ── what rounds to nothing, and what grows beyond all bounds ─────────────────────────────────────────────────────


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_a_float16_map_of_a_toy_is_the_one_in_float64(factor: float, objective: Any) -> None:
    """Also where a probability, and with it every slope, is below what float16 can hold."""
    logits = steep(factor)
    scores = matrix(problem_of(logits, objective=objective))
    smallest = min(float(logits(X.double())[0, t.position - 1].softmax(-1)[t.ids[0]]) for t in TARGETS)
    assert factor == 1 or smallest < 6e-8
    for j, target in enumerate(TARGETS):
        truth = exact(logits, target, objective)
        off = np.abs(scores[: target.position, j] - truth).max() / np.abs(truth).sum()
        assert off < CLOSE, (objective, target)


def test_tokens_of_a_span_keep_their_weights_towards_each_other() -> None:
    """A span's slopes are of very different size: it is their sum that is explained, each in the same units."""
    span = Target(3, (4, 0, 9, 4))
    scores = matrix(problem_of(steep(1.0), targets=(span,)))
    truth = exact(steep(1.0), span, "probability")
    np.testing.assert_allclose(scores[:, 0], truth, atol=CLOSE * np.abs(truth).sum())


def test_a_column_that_overflows_is_done_again_smaller_and_alone() -> None:
    """A gradient passes 300 on its way, so 2^8 times it is beyond 65504; the others keep what they had."""
    calls: list[int] = []

    def bottleneck(x: torch.Tensor) -> torch.Tensor:
        narrow = torch.full((V,), 1.0, dtype=x.dtype)
        narrow[4] = 512.0  # the tokens 4 alone
        return (x.float().cumsum(1).to(x.dtype) @ W.to(x.dtype)) * narrow

    problem = problem_of(bottleneck, calls, objective="logit")
    scores = matrix(problem)
    assert len(calls) > 1
    for j, target in enumerate(TARGETS):
        truth = exact(bottleneck, target, "logit")
        assert np.abs(scores[: target.position, j] - truth).max() / np.abs(truth).sum() < CLOSE


def test_a_network_that_gives_nan_is_asked_once_and_told() -> None:
    calls: list[int] = []
    with pytest.raises(BadScores, match="float16"):
        matrix(problem_of(lambda x: steep(1.0)(x) * float("nan"), calls))
    assert len(calls) == 1


def test_the_path_of_integrated_gradients_adds_up_in_float16() -> None:
    """50 steps of a straight path miss no more of the change than rounding the points on it to float16 does."""
    problem = problem_of(
        steep(1.0),
        settings=PathSettings(),
        access=allowing(baselines={"zero": lambda: torch.zeros_like(X)}),
        objective="log_probability",
    )
    for chunk in run(integrated_gradients, problem, Schedule(range(len(TARGETS))), label="Toy"):
        assert isinstance(chunk, Chunk)
        whole = np.nansum(chunk.scores, axis=0)
        assert (np.abs(chunk.diagnostics["completeness_error"]) < CLOSE * np.abs(whole)).all()


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────


def twins(family: str) -> tuple[Model, Model]:
    """The same float16 weights, computed with in float32 and in float16; some tokens are most improbable."""
    full: Any = make(family, torch.float32)
    full.model.get_output_embeddings().weight.data *= 8
    half = sw.load_model((copy.deepcopy(full.model).half(), full.tokenizer))
    full.model.half().float()
    return full, half


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt_neox"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_float16_map_of_a_tiny_model_is_the_one_in_float32(family: str, objective: str) -> None:
    full, half = twins(family)
    ids = full.tokenizer("the cat")["input_ids"]
    with torch.no_grad():
        odds = full.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    assert odds.min() < np.log(1e-6)
    worst = {}
    for method in GRADIENTS:
        settings: dict[str, Any] = {"steps": 8} if method == "integrated_gradients" else {}
        asked = {"input_ids": ids, "target_ids": [int(odds.argmin())], "method": method, "objective": objective}
        a, b = (sw.attribute(m, progress=False, **asked, **settings).normalized() for m in (full, half))
        worst[method] = float(np.nanmax(np.abs(a - b)))
    assert max(worst.values()) < CLOSE, worst


# ── differences of two passes ────────────────────────────────────────────────────────────────────────────────────


def occlusion(model: Any, **settings: Any) -> sw.Attribution:
    return sw.attribute(model, "the cat sat", target=" dab cab", method="occlusion", progress=False, **settings)


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_noise_that_is_told_is_that_of_the_scores(family: str, dtype: torch.dtype, objective: str) -> None:
    """Beside the difference to float32 of the same weights: within a factor of 4, over all targets.

    Four draws of noise are off by a third, and the errors of one map are few: some dozen, that have much in common.
    """
    full: Any = make(family, torch.float32)
    half = sw.load_model((copy.deepcopy(full.model).to(dtype), full.tokenizer))
    full.model.to(dtype).float()
    exact, rounded = (occlusion(m, objective=objective) for m in (full, half))
    assert "precision_noise" not in exact.diagnostics
    told = np.array(rounded.diagnostics["precision_noise"])
    off = np.sqrt(np.nanmean((exact.scores - rounded.scores) ** 2))
    assert 1 / 4 < np.sqrt((told**2).mean()) / off < 4
    assert occlusion(half, objective=objective).diagnostics["precision_noise"] == told.tolist()


def test_the_noise_of_a_word_is_dealt_out_as_its_drop_is() -> None:
    half: Any = make("llama", torch.bfloat16)
    tokens, words = (occlusion(half, unit=unit) for unit in ("token", "word"))
    n_words = len(words.aggregate("word").rows)
    np.testing.assert_allclose(
        words.diagnostics["precision_noise"],
        np.array(tokens.diagnostics["precision_noise"]) * n_words / len(words.rows),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("noise", "said"),
    [
        ([0.2, 0.05], "For 1 of 2 targets that is as much as most are: load the model in float32."),
        ([0.2], "That is as much as most are: load the model in float32."),
        ([0.05, 0.05], None),
    ],
)
def test_scores_that_are_as_small_as_their_noise_are_told(noise: list[float], said: str | None) -> None:
    """Half of the scores of a target are at most 0.1; what it cannot see does not count."""
    scores = np.float32([[0.9, -0.9], [0.1, -0.1], [-0.1, 0.1], [np.nan, 0.05]])[:, : len(noise)]
    cols = [" x", " y"][: len(noise)]
    a = sw.Attribution.from_scores(scores, ["a", "b", "c", "d"], cols, method="occlusion", signed=True)
    a = replace(a, diagnostics={"precision_noise": noise})
    for shown in (repr(a), a.to_html()):
        assert ("Half precision leaves scores uncertain by up to 0.2." in shown) == (said is not None)
        assert said is None or said in shown


@pytest.mark.demo
@pytest.mark.parametrize("each_of_both", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_demo_model_in_float16_gives_the_maps_it_gives_in_float32(demo: CausalModel, each_of_both: bool) -> None:
    """Of an improbable token (3e-6), and of one that is all but certain (0.9998).

    One map of each; in the long form each objective by one method, and each method for one objective and both tokens.
    Tiny models are asked for all pairs of them above.
    """
    half = sw.load_model((copy.deepcopy(demo.model).half(), demo.tokenizer))
    improbable, certain = ("I have a dog. He is very", " royal"), ("a\n1. b\n2. c\n3. d\n4", ".")
    asked = [(*improbable, "probability", GRADIENTS[0]), (*certain, "probability", GRADIENTS[1])]
    if each_of_both:
        asked = [(*improbable, objective, GRADIENTS[0]) for objective in OBJECTIVES]
        asked += [(*text, "probability", method) for text in (improbable, certain) for method in GRADIENTS[:3]]
    worst = {}
    for text, target, objective, method in asked:
        full, ours = (
            sw.attribute(m, text, target=target, method=method, objective=objective, progress=False)
            for m in (demo, half)
        )
        worst[target, objective, method] = float(np.nanmax(np.abs(full.normalized() - ours.normalized())))
    assert max(worst.values()) < CLOSE, worst
