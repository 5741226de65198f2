"""Maps by way of the thinking: planted models, in which it is known where an answer comes from, and plain autograd.

The facts stand in the prompt, the thinking copies them, and the answer copies the thinking (tests/copying.py). So the
direct map of the answer can name the right fact by luck alone, and the steps back must.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from tests.copying import AT, copying_model, copying_text, hits, map_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from saliency_widget.models.base import Model

shared_model = cache(copying_model)
# Luck may reach this share: one fact of five is right, and of few texts more than 0.35 are by chance.
AT_MOST = {12: 0.5, 200: 0.35}


def one_of(n_models: int) -> Callable[[int], Model]:
    """Return a model for each seed, of this many."""
    return lambda seed: shared_model(seed % n_models)


@pytest.fixture(params=[pytest.param((12, 2), id="short"), pytest.param((200, 200), id="long", marks=pytest.mark.long)])
def size(request: pytest.FixtureRequest) -> tuple[range, int]:
    """Return the seeds of the texts, and the number of models, each with noise of its own."""
    n, n_models = request.param
    return range(5000, 5000 + n), n_models


def test_the_models_write_what_is_planted() -> None:
    """By plain calls of transformers: each answer, and each value in the thinking, is the most probable word there."""
    for seed in range(4):
        for steps in (2, 3):
            text = copying_text(seed, steps=steps)
            words = f"{text.prompt} <think> {text.thinking} </think> {text.asked} {text.answer}".split()
            ids = torch.tensor([[AT[word] for word in words]])
            with torch.no_grad():
                likeliest = shared_model(seed % 2).model(ids).logits[0].argmax(-1).tolist()
            begin = words.index("<think>")
            at = [k for k, word in enumerate(words) if word[0] == "v" and k > begin]
            assert [likeliest[k - 1] for k in at] == [ids[0, k] for k in at]


@pytest.mark.parametrize(("steps", "among", "least"), [(2, "of_prompt", 0.85), (3, "of_facts", 0.75)])
def test_steps_back_name_the_fact_behind_the_thinking(
    size: tuple[range, int], steps: int, among: str, least: float
) -> None:
    """The last hop has the right fact first, where the direct map and luck do not.

    Of two steps first of the whole prompt; of three, which is thinking about thinking, first of the five facts.
    """
    seeds, n_models = size
    found = hits(seeds, steps, "saliency", model_of=one_of(n_models))
    luck = hits(seeds, steps, "random", model_of=one_of(n_models))
    assert found.direct <= AT_MOST[len(seeds)]
    assert getattr(found, among) >= least
    assert getattr(luck, among) <= AT_MOST[len(seeds)]


def plain_column(network: Any, ids: list[int], at: int) -> np.ndarray:
    """Return the gradient norms [at] of the log-odds of token `at`, by one plain backward pass."""
    embeddings = network.get_input_embeddings()(torch.tensor([ids[:at]])).detach().requires_grad_()
    log_p = network(inputs_embeds=embeddings).logits[0, -1].log_softmax(-1)
    others = torch.cat([log_p[: ids[at]], log_p[ids[at] + 1 :]]).logsumexp(0)
    (gradient,) = torch.autograd.grad(log_p[ids[at]] - others, embeddings)
    return np.asarray(gradient[0].norm(dim=-1))


@pytest.mark.parametrize("steps", [2, 3])
def test_the_hops_are_those_of_plain_autograd(steps: int) -> None:
    """Token by token, without any of the engine: direct shares, the eight strongest thoughts, their own shares.

    float64 throughout, but for the float32 that a map is stored in: 1e-6.
    """
    text = copying_text(7, steps=steps)
    model = shared_model(0)
    a = map_of(model, text, objective="log_odds")
    words = f"{text.prompt} <think> {text.thinking} </think> {text.asked} {text.answer}".split()
    ids, end = [AT[word] for word in words], len(words) - 1
    begin = words.index("<think>") + 1
    thoughts = range(begin, words.index("</think>"))
    step = plain_column(model.model, ids, end)
    np.testing.assert_allclose(a.scores[:, 0], step, rtol=1e-5)
    for hop in a.hops:
        shares = step / step.sum()
        followed = sorted(thoughts, key=lambda row: -shares[row])[:8]
        share = sum(shares[row] for row in followed)
        step = np.zeros(end)
        for row in followed:
            column = plain_column(model.model, ids, row)
            step[:row] += shares[row] / share * column / column.sum()
        assert hop.share[0] == pytest.approx(share, rel=1e-6)
        np.testing.assert_allclose(np.nan_to_num(hop.scores[:, 0]), step, atol=1e-6)
        assert np.flatnonzero(np.isnan(hop.scores[:, 0])).tolist() == list(range(max(followed), end))
        assert np.nansum(hop.scores) == pytest.approx(1, abs=1e-5)
