"""How probable each target was, and what else the model could have written: read off the logits of any pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

N_ALTERNATIVES = 8


class Step(NamedTuple):
    """One target. `ids` and `probabilities`: the most probable tokens at its place, first the largest.

    `value`: what the model gives for a class where that is no probability, as in regression; else None. Then
    `probability` is NaN.
    """

    probability: float
    ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    value: float | None = None


def read_steps(logits: torch.Tensor, targets: Sequence[int]) -> list[Step]:
    """Logits [k, vocabulary] at k targets, and the ids of these targets."""
    probabilities = logits.detach().float().softmax(-1)
    top = probabilities.topk(min(N_ALTERNATIVES, probabilities.shape[-1]), dim=-1)
    chosen = probabilities[range(len(targets)), list(targets)].tolist()
    return [
        Step(p, tuple(ids), tuple(values))
        for p, ids, values in zip(chosen, top.indices.tolist(), top.values.tolist(), strict=True)
    ]
