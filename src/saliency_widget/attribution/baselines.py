"""What stands in for a token that is taken away, and where a path of integrated gradients begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks import one_of
from ..errors import InputError

if TYPE_CHECKING:
    import torch

    from .engine import Problem


_NAMES = ("unk", "pad", "mask", "zero", "mean")


def check_baseline(name: str | None) -> None:
    """Raises: UnknownName for what no model has."""
    if name is not None:
        one_of("baseline", name, _NAMES)


def baseline(problem: Problem, name: str | None) -> torch.Tensor:
    """Embeddings [1, n, d] that stand for "nothing here"; None takes the first there is of unk, pad, zero.

    Raises: InputError, with those that this model has.
    """
    if name is None:
        name = next((known for known in ("unk", "pad", "zero") if known in problem.baselines), "")
    if name not in problem.baselines:
        raise InputError(
            f"The tokenizer has no {name} token to stand for nothing.", cure=f"Take {' or '.join(problem.baselines)}."
        )
    return problem.baselines[name]().expand_as(problem.embeddings)
