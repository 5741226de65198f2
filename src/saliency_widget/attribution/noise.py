"""Random scores: the floor that every other method has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..checks import whole_number
from .engine import Schedule, in_passes
from .problem import Chunk, Problem, atoms_of, blank, steps_of
from .settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings(Settings):
    """`seed`: the same seed gives the same noise."""

    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("seed", self.seed, least=0, cure="Any from 0 on does.")


def random(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Draw uniform noise in (0, 1), seeded by `settings.seed` and the target's position alone.

    Cost: one forward pass for 256 columns, for the probabilities alone.
    """
    import torch

    def work(cols: list[int]) -> Chunk:
        scores = blank(problem, cols)
        for j, col in enumerate(cols):
            position, ids = problem.targets[col]
            seen = problem.targets[col].n_seen
            noise = np.random.default_rng([problem.settings.seed, position, *ids]).random(seen)
            scores[:seen, j] = np.maximum(noise, np.finfo(np.float32).tiny)
        atoms = atoms_of(problem, cols)
        with torch.no_grad():  # the noise needs no pass; the probabilities beside it do
            logits = problem.network(problem.embeddings[:, : atoms.n_read], atoms.at).logits[0]
        return Chunk(cols, scores, steps_of(problem, cols, logits))

    return in_passes(problem, schedule, work)
