"""Methods whose backward pass follows rules of its own: AttnLRP, CP-LRP, GIM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..checks import one_of
from .baselines import baseline, check_baseline
from .gradient import at_least_float32, at_the_input
from .settings import Settings

if TYPE_CHECKING:
    from .engine import Schedule
    from .problem import Chunk, Problem

# GIM compares with the token that its authors take: a space, else padding, else the unknown token.
_NOTHING = ("space", "pad", "unk", "zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelevanceSettings(Settings):
    """`rule`: "attnlrp", or "cp-lrp", which takes the attention weights for constants."""

    rule: str = "attnlrp"

    def __post_init__(self) -> None:
        one_of("rule", self.rule, ("attnlrp", "cp-lrp"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionSettings(Settings):
    """`baseline`: the embedding that each token is compared with: see `baselines`; None for that of a space.

    A tokenizer that has no token for a space gives "pad", "unk" or "zero" instead, the first there is.
    """

    baseline: str | None = None

    def __post_init__(self) -> None:
        check_baseline(self.baseline)


def attnlrp(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute the relevance of each input embedding for the objective by the rules of AttnLRP.

    scores[i, j] signed, in units of the objective. They need not add up to it: the softmax rule keeps a part, so the
    sum is a diagnostic (`relevance_sum`, beside `value`), not a check.
    Cost: as saliency, with hooks.
    Source: Achtibat et al. 2024, arXiv:2402.05602; "cp-lrp": Ali et al. 2022, arXiv:2202.07304.
    """
    rules = partial(problem.access.relevance, problem.settings.rule)
    for chunk in at_the_input(problem, schedule, lambda gradient, x: (gradient * x).sum(dim=-1), rules):
        sums = [float(np.nansum(column, dtype=np.float64)) for column in chunk.scores.T]
        yield chunk._replace(diagnostics={**chunk.diagnostics, "relevance_sum": sums})


def gim(problem: Problem, schedule: Schedule) -> Iterator[Chunk]:
    """Compute GIM's gradient, times what distinguishes each embedding from a baseline.

    scores[i, j] = Σ_h (embedding - baseline)_ih g_ijh, signed, in units of the objective, where the backward pass that
    gives g holds the deviations of norms fixed, halves what goes back to each side of a product, and lets attention go
    back at twice its temperature (see `models.inside.relevance`). A token that is the baseline itself scores 0, as the
    diagnostic `baseline_in_text` tells.
    Cost: as saliency, with hooks and a second attention.
    Source: Edin et al. 2025, arXiv:2505.17630.
    """
    name = problem.settings.baseline
    if name is None:
        name = next((known for known in _NOTHING if known in problem.access.baselines), None)
    nothing = baseline(problem, name)
    start = at_least_float32(nothing.embeddings[0])
    rules = partial(problem.access.relevance, "gim")
    for chunk in at_the_input(problem, schedule, lambda g, x: (g * (x - start[: len(x)])).sum(dim=-1), rules):
        yield chunk._replace(diagnostics={**chunk.diagnostics, **nothing.told(problem, chunk.cols)})
