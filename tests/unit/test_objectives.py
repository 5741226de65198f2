"""The objectives and their gradients, also of tokens that are almost certain, and of long spans."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, log, log1p
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.attribution.log_odds import log_odds
from saliency_widget.attribution.objectives import OBJECTIVES

from ..families import make

SURE = (17.0, 18.5, 30.0)  # how far the target's logit is above the others: 1 - p is about 1e-7, 3e-8, 4e-13


def logits(above: float, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """One row of 9 logits whose target stands out by so much; they are the same numbers in every precision."""
    row = torch.tensor([0.5, -1.25, 0.75, -3.0, 1.5, 0.25, -0.5, 2.0, -2.25], dtype=dtype)
    row[4] = 2.0 + above
    return row[None], torch.tensor([4])


def exact(row: torch.Tensor, target: int) -> tuple[float, list[float]]:
    """1 - p and the gradient of p, with as many digits as it takes: e^z as fractions, each right to 1e-16."""
    parts = [Fraction(exp(float(z))) for z in row]
    whole = sum(parts)
    p = [part / whole for part in parts]
    rest = sum(part for j, part in enumerate(p) if j != target)
    return float(rest), [float(p[target] * (rest if j == target else -part)) for j, part in enumerate(p)]


@pytest.mark.parametrize("above", SURE)
@pytest.mark.parametrize("objective", ["probability", "log_probability", "log_odds"])
def test_the_gradient_of_an_almost_certain_token_is_right_in_float32(objective: Any, above: float) -> None:
    """To 1e-6, against fractions; by way of a softmax in float32 its direction is noise, or it is 0."""
    row, target = logits(above)
    x = row.clone().requires_grad_()
    (found,) = torch.autograd.grad(OBJECTIVES[objective](x, target).sum(), x)
    rest, slope = exact(row[0], 4)
    scale = {"probability": 1.0, "log_probability": 1 / (1 - rest), "log_odds": 1 / (rest * (1 - rest))}[objective]
    assert found[0].tolist() == pytest.approx([scale * part for part in slope], rel=1e-6)


@pytest.mark.parametrize("above", [-30.0, -2.0, 0.0, *SURE])
def test_the_values_are_the_logarithms_that_their_names_say(above: float) -> None:
    row, target = logits(above, torch.float64)
    rest, _ = exact(row[0], 4)
    p = exp(float(row[0, 4])) / sum(exp(float(z)) for z in row[0])
    assert float(log_odds(row, target)) == pytest.approx(log(p / rest), rel=1e-12, abs=1e-12)
    assert float(OBJECTIVES["log_probability"](row, target)) == pytest.approx(
        log1p(-rest) if above > 0 else log(p), rel=1e-9
    )
    assert float(OBJECTIVES["probability"](row, target)) == pytest.approx(p, rel=1e-12)


def test_log_odds_have_the_gradient_of_finite_differences_in_blocks_and_in_batches() -> None:
    """150 rows are three blocks; a batch of gradients is each of them alone."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 75, 6, dtype=torch.float64, generator=generator).requires_grad_()
    targets = torch.arange(75) % 6
    assert torch.autograd.gradcheck(lambda z: log_odds(z, targets), x)
    values = log_odds(x, targets)
    seeds = torch.randn(4, 2, 75, dtype=torch.float64, generator=generator)
    (batch,) = torch.autograd.grad(values, x, grad_outputs=seeds, is_grads_batched=True, retain_graph=True)
    for seed, found in zip(seeds, batch, strict=True):
        (alone,) = torch.autograd.grad(values, x, grad_outputs=seed, retain_graph=True)
        torch.testing.assert_close(found, alone, rtol=1e-14, atol=0)


def test_a_token_without_rivals_and_one_that_cannot_be() -> None:
    """If all others are impossible the log-odds are inf, and if the target is, -inf: no NaN, as a value."""
    row = torch.tensor([[1.0, -inf, -inf], [-inf, 1.0, 2.0]])
    assert log_odds(row, torch.tensor([0, 0])).tolist() == [inf, -inf]
    assert OBJECTIVES["probability"](row, torch.tensor([0, 0])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_as_it_is_written(dtype: torch.dtype) -> None:
    """The values are those of the same logits in float64, not of a sum in half precision."""
    row = torch.randn(40, 500, generator=torch.Generator().manual_seed(1)).to(dtype)
    targets = torch.arange(40)
    np.testing.assert_allclose(log_odds(row, targets), log_odds(row.double(), targets), rtol=1e-6)


PLAIN = {
    "probability": lambda z, t: z.softmax(-1).gather(-1, t),
    "log_probability": lambda z, t: z.log_softmax(-1).gather(-1, t),
    "log_odds": lambda z, t: z.gather(-1, t) - z.scatter(-1, t, -inf).logsumexp(-1, keepdim=True),
    "logit": lambda z, t: z.gather(-1, t),
}


@pytest.mark.parametrize("objective", PLAIN)
def test_a_long_span_is_the_sum_of_its_columns(objective: Any) -> None:
    """1,000 tokens: the gradient of the sum of their objectives by a plain pass of transformers (1e-5)."""
    model = make("llama")
    model.model.config.max_position_embeddings = 1100  # its positions are rotations: there is no table
    ids = torch.randint(20, 60, (1010,), generator=torch.Generator().manual_seed(3))
    found = sw.attribute(
        model, input_ids=ids[:10].tolist(), target_ids=ids[10:].tolist(), method="input_x_gradient",
        objective=objective, span=(0, 1000), progress=False,
    )  # fmt: skip
    x = model.model.get_input_embeddings()(ids[None]).detach().requires_grad_()
    z = model.model(inputs_embeds=x, use_cache=False).logits[0, 9:-1]
    (gradient,) = torch.autograd.grad(PLAIN[objective](z, ids[10:, None]).sum(), x)
    expected = (gradient * x).sum(-1)[0, :1009].detach().numpy()
    np.testing.assert_allclose(found.scores[:, 0], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    log_p = float(PLAIN["log_probability"](z.detach(), ids[10:, None]).sum())
    assert float(found.step_scores["probability"][0]) == pytest.approx(exp(log_p), rel=1e-5, abs=1e-44)


def test_a_span_is_the_sum_of_the_maps_of_its_tokens() -> None:
    """Beyond the 64 tokens from which a span is checked along one direction only."""
    model = make("gpt2")
    ids = torch.randint(20, 60, (90,), generator=torch.Generator().manual_seed(3)).tolist()
    asked = {"input_ids": ids[:10], "target_ids": ids[10:], "method": "input_x_gradient", "progress": False}
    whole, parts = sw.attribute(model, **asked, span=(0, 80)), sw.attribute(model, **asked)
    total = np.nansum(parts.scores, axis=1, dtype=np.float64)
    np.testing.assert_allclose(whole.scores[:, 0], total, rtol=1e-5, atol=1e-6 * np.abs(total).max())
