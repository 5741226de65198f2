"""The log-odds of a target token, and their gradient in closed form. It imports torch, so it is imported late.

A probability p and its logarithm are functions of the log-odds o = log(p / (1 - p)). Their gradient by way of a softmax
is a difference of nearly equal numbers where p is almost 1, and noise in float32. That of o is

    ∂o / ∂logit_target = 1,   ∂o / ∂logit_j = -exp(logit_j) / Σ over the others than the target,

which loses no digit, and 1 - p is the sigmoid of -o.
"""

from __future__ import annotations

from typing import Any

import torch

_ROWS = 64  # at once: so many rows of a vocabulary stay in a processor's cache


class _LogOdds(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        values = logits.new_empty(logits.shape[:-1], dtype=_wide(logits))
        ids = targets.expand(logits.shape[:-1])
        for found, rows, at in _blocks(values, logits, ids):
            others, top = _others(rows, at)
            wide = found.dtype
            found.copy_(rows.gather(-1, at).squeeze(-1).to(wide) - top.to(wide) - others.sum(-1, dtype=wide).log())
        ctx.save_for_backward(logits, ids)
        return values

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        logits, ids = ctx.saved_tensors
        slopes = torch.empty_like(logits, dtype=_at_least_float32(logits))
        for found, rows, at in _blocks(slopes, logits, ids):
            others, _ = _others(rows, at)
            torch.div(others, -others.sum(-1, keepdim=True), out=found)
            found.scatter_(-1, at, 1.0)
        return (gradient[..., None].to(slopes) * slopes).to(logits), None


def log_odds(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return log(p / (1 - p)) [..., k] of the targets [k] from logits [..., k, vocabulary], in float64 if there is one.

    ±inf where no other token is possible, or the target is not.
    """
    values: torch.Tensor = _LogOdds.apply(logits, targets)  # type: ignore[no-untyped-call] # torch
    return values


def _others(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exp(logits - top) [r, vocabulary] with 0 at the targets [r, 1], and the largest other logit top [r]."""
    rows = logits.to(_at_least_float32(logits), copy=True).scatter_(-1, targets, -torch.inf)
    top = rows.amax(-1, keepdim=True)
    # Where no other token is possible, top is -inf, and -inf - -inf would be no number.
    return rows.sub_(top.clamp_min(torch.finfo(rows.dtype).min)).exp_(), top.squeeze(-1)


def _blocks(out: torch.Tensor, logits: torch.Tensor, ids: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """Return some rows at a time: those of `out`, to be written to, of the logits, and their targets [r, 1]."""
    flat = logits.reshape(-1, logits.shape[-1])
    found = out.view(len(flat), *out.shape[logits.dim() - 1 :])
    return [*zip(*(torch.split(each, _ROWS) for each in (found, flat, ids.reshape(-1, 1))), strict=True)]


def _wide(logits: torch.Tensor) -> torch.dtype:
    # 1 - p of an almost certain token is no number of float32. Apple's GPUs have no float64.
    return torch.float32 if logits.device.type == "mps" else torch.float64


def _at_least_float32(logits: torch.Tensor) -> torch.dtype:
    return logits.dtype if logits.dtype.itemsize >= 4 else torch.float32
