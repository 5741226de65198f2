"""The homework's second map: where the model looked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .engine import Chunk, Problem, Schedule, atoms_of, blank, in_passes, steps_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSettings:
    """Which attention to show. `layer`, `head`: an index from 0, or None for the mean over all of them."""

    layer: int | None = None
    head: int | None = None


def attention(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Attention weight from the position that predicts the target to each token before it.

    scores[i, j] in [0, 1], each column sums to 1; mean over heads and layers unless the settings choose.
    Cost: one forward pass for 256 columns.
    Source: the weights are Bahdanau et al. 2015, arXiv:1409.0473; whether they explain: Jain & Wallace 2019,
    arXiv:1902.10186.
    """
    import torch

    assert problem.attention is not None, "a method is offered only where it can run"
    read = problem.attention
    chosen: AttentionSettings = problem.settings

    def work(cols: list[int]) -> Chunk:
        atoms = atoms_of(problem, cols)
        total = torch.zeros(len(cols), atoms.n_read, device=atoms.at.device)
        layers = 0

        def record(layer: int, start: int, weights: torch.Tensor) -> None:
            nonlocal layers
            if chosen.layer not in (None, layer):
                return
            layers += start == 0
            here = (atoms.at >= start) & (atoms.at < start + weights.shape[1])
            rows = weights[:, (atoms.at[here] - start).to(weights.device)].float().to(total.device)  # [heads, k, keys]
            total[here] += rows.mean(0) if chosen.head is None else rows[chosen.head]

        logits = read(atoms.n_read, atoms.at, record)
        scores = blank(problem, cols)
        for j, (row, col) in enumerate(zip((total / layers).cpu().numpy(), cols, strict=True)):
            seen = problem.targets[col].n_seen
            scores[:seen, j] = row[:seen]
        return Chunk(cols, scores, steps_of(problem, cols, logits))

    return in_passes(problem, schedule, work)
