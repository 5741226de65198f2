"""Methods that look at the attention weights of the model's own forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .engine import Chunk, Problem, Schedule, blank

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSettings:
    """Which attention to show. `layer`, `head`: an index from 0, or None for the mean over all of them."""

    layer: int | None = None
    head: int | None = None


def attention(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Attention weight from the position that predicts the target to each token before it.

    scores[i, j] in [0, 1], each column sums to 1; mean over heads and layers unless the settings choose.
    Cost: one forward pass for all columns.
    Source: the weights are Bahdanau et al. 2015, arXiv:1409.0473; whether they explain: Jain & Wallace 2019,
    arXiv:1902.10186.
    """
    assert problem.attention is not None, "a method is offered only where it can run"
    while cols := schedule.take(len(schedule)):
        weights = problem.attention([problem.targets[col].position - 1 for col in cols])  # [k, n]
        scores: NDArray[np.float32] = blank(problem, cols)
        for j, col in enumerate(cols):
            seen = problem.targets[col].position
            scores[:seen, j] = weights[j, :seen].numpy()
        yield Chunk(cols, scores)
