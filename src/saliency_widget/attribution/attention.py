"""Methods that look at the attention weights of the model's own forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..models.steps import read_steps
from .engine import Chunk, Problem, Schedule, blank, in_passes


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
    assert problem.attention is not None, "a method is offered only where it can run"
    read = problem.attention

    def work(cols: list[int]) -> Chunk:
        targets = [problem.targets[col] for col in cols]
        weights, logits = read([t.position - 1 for t in targets])  # [k, n], [k, vocabulary]
        scores = blank(problem, cols)
        for j, target in enumerate(targets):
            scores[: target.position, j] = weights[j, : target.position].numpy()
        return Chunk(cols, scores, read_steps(logits, [t.id for t in targets]))

    return in_passes(problem, schedule, work)
