"""The floor that every other method has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .engine import Chunk, Problem, Schedule, blank


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings:
    """`seed`: the same seed gives the same noise."""

    seed: int = 0


def random(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Uniform noise in (0, 1), seeded by `settings.seed` and the target's position alone."""
    while cols := schedule.take(len(schedule)):
        scores = blank(problem, cols)
        for j, col in enumerate(cols):
            seen = problem.targets[col].position
            noise = np.random.default_rng([problem.settings.seed, seen]).random(seen)
            scores[:seen, j] = np.maximum(noise, np.finfo(np.float32).tiny)
        yield Chunk(cols, scores)
