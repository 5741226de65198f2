"""What stands in for a token that is taken away, and where a path of integrated gradients begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnknownName

if TYPE_CHECKING:
    import torch

    from .engine import Problem


def baseline(problem: Problem, name: str | None) -> torch.Tensor:
    """Embeddings [1, n, d] that stand for "nothing here"; None takes the first there is of unk, pad, zero.

    Raises: UnknownName, with those that this model has.
    """
    if name is None:
        name = next((known for known in ("unk", "pad", "zero") if known in problem.baselines), "")
    if name not in problem.baselines:
        raise UnknownName("baseline", name, problem.baselines)
    return problem.baselines[name]().expand_as(problem.embeddings)
