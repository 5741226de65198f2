"""The floor that every other method has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..models.steps import read_steps
from .engine import Chunk, Problem, Schedule, blank, in_passes


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings:
    """`seed`: the same seed gives the same noise."""

    seed: int = 0


def random(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Uniform noise in (0, 1), seeded by `settings.seed` and the target's position alone.

    Cost: one forward pass for 256 columns, for the probabilities alone.
    """
    import torch

    def work(cols: list[int]) -> Chunk:
        targets = [problem.targets[col] for col in cols]
        scores = blank(problem, cols)
        for j, (seen, _) in enumerate(targets):
            noise = np.random.default_rng([problem.settings.seed, seen]).random(seen)
            scores[:seen, j] = np.maximum(noise, np.finfo(np.float32).tiny)
        device = problem.embeddings.device
        with torch.no_grad():  # the noise needs no pass; the probabilities beside it do
            positions = torch.tensor([t.position - 1 for t in targets], device=device)
            logits = problem.network(problem.embeddings[:, : targets[-1].position], positions).logits[0]
        return Chunk(cols, scores, read_steps(logits, [t.id for t in targets]))

    return in_passes(problem, schedule, work)
