"""Maps by way of the thinking: planted models, in which it is known where an answer comes from, and plain autograd.

The facts stand in the prompt, the thinking copies them, and the answer copies the thinking (tests/copying.py). So the
direct map of the answer can name the right fact by luck alone, and the steps back must.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch

import saliency_widget as sw
from tests.copying import AT, N_FACTS, copying_model, copying_text

if TYPE_CHECKING:
    from saliency_widget import Attribution
    from saliency_widget.models.base import Model
    from tests.copying import Text

shared_model = cache(copying_model)


def map_of(model: Model, text: Text, **asked: Any) -> Attribution:
    """Return the map of the answer alone, with its hops."""
    written = f"<think> {text.thinking} </think> {text.asked} {text.answer}"
    n = len(written.split())
    given: dict[str, Any] = {"target": written, "through": "thinking", "span": (n - 1, n), "progress": False} | asked
    return sw.attribute(model, text.prompt, **given)


class Hits(NamedTuple):
    """The shares of texts in which the right fact is first: in the direct map, and in a step back."""

    direct: float
    back: float


def hits(seeds: range, steps: int, method: str, *, of_facts: bool, n_models: int) -> Hits:
    """Count how often the right fact is the first of all facts, and in the step back of all facts or of the prompt."""
    found = []
    for seed in seeds:
        text = copying_text(seed, steps=steps)
        a = map_of(shared_model(seed % n_models), text, method=method)
        facts, prompt = np.array(text.facts), np.arange(len(text.prompt.split()))
        pairs = ((a.scores, facts), (a.hop(steps - 1).scores, facts if of_facts else prompt))
        found.append([int(rows[np.nan_to_num(scores[rows, 0]).argmax()]) == text.fact for scores, rows in pairs])
    direct, back = np.mean(found, axis=0).tolist()
    return Hits(direct, back)


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


def test_two_steps_name_the_fact_that_the_thinking_copied(size: tuple[range, int]) -> None:
    """The first hop has the right fact first of the whole prompt, where the direct map and luck do not."""
    seeds, n_models = size
    found = hits(seeds, 2, "saliency", of_facts=False, n_models=n_models)
    luck = hits(seeds, 2, "random", of_facts=False, n_models=n_models)
    assert found.direct <= 0.35
    assert found.back >= 0.85
    assert luck.back <= 0.25


def test_three_steps_name_the_fact_behind_thinking_about_thinking(size: tuple[range, int]) -> None:
    """The second hop has the right fact first of the facts; a rank by luck does with probability 1 in five."""
    seeds, n_models = size
    found = hits(seeds, 3, "saliency", of_facts=True, n_models=n_models)
    luck = hits(seeds, 3, "random", of_facts=True, n_models=n_models)
    assert found.direct <= 0.42 if len(seeds) < 100 else 0.35
    assert found.back >= 0.75
    assert luck.back <= 2 / N_FACTS


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
