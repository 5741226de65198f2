"""The probability and the alternatives of each target, computed from the logits of any pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

N_ALTERNATIVES = 8


class Step(NamedTuple):
    """One target. `ids` and `probabilities`: the most probable tokens at its place, in descending order.

    `value`: the raw score of a class, as in regression, and then `probability` is NaN; otherwise None.
    """

    probability: float
    ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    value: float | None = None


def read_steps(logits: torch.Tensor, targets: Sequence[int]) -> list[Step]:
    """Return the steps of k targets, given the logits [k, vocabulary] there and the targets' ids."""
    probabilities = logits.detach().float().softmax(-1)
    top = probabilities.topk(min(N_ALTERNATIVES, probabilities.shape[-1]), dim=-1)
    chosen = probabilities[range(len(targets)), list(targets)].tolist()
    return [
        Step(p, tuple(ids), tuple(values))
        for p, ids, values in zip(chosen, top.indices.tolist(), top.values.tolist(), strict=True)
    ]
