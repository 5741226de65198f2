"""A baseline stands in for a token that is taken away, and begins the path of integrated gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..checks import one_of
from ..errors import InputError

if TYPE_CHECKING:
    import torch

    from .problem import Problem


_NAMES = ("unk", "pad", "mask", "zero", "mean")
_FIRST = ("unk", "pad", "zero")  # the default is the first one that the model has
_NEXT = ("unk", "pad", "mask", "mean", "zero")  # the default for a token that is the first one itself


def check_baseline(name: str | None) -> None:
    """Raise UnknownName for a name that is no baseline."""
    if name is not None:
        one_of("baseline", name, _NAMES)


class Baseline(NamedTuple):
    """`embeddings` [1, n, d] that stand for "nothing here"; `itself` [n]: which tokens are this baseline themselves.

    `changed`: whether another one stands in for these.
    """

    embeddings: torch.Tensor
    itself: torch.Tensor
    changed: bool

    def told(self, problem: Problem, cols: Sequence[int]) -> dict[str, list[float]]:
        """Count such tokens that each column sees, as a diagnostic; no diagnostic where the text has none.

        `baseline_changed`: another one stands in for them; `baseline_in_text`: they score 0.
        """
        if not bool(self.itself.any()):
            return {}
        counts = [float(self.itself[: problem.targets[col].n_seen].sum()) for col in cols]
        return {"baseline_changed" if self.changed else "baseline_in_text": counts}


def baseline(problem: Problem, name: str | None) -> Baseline:
    """Return the baseline of this name; None takes the first there is of unk, pad, zero.

    A token that is the baseline itself would score 0 whatever it means. Where nobody chose, such a token gets the next
    of unk, pad, mask, mean and zero that differs from it; a baseline that was chosen stays.
    Raises: InputError, with those that this model has.
    """
    import torch

    stand_in = _chosen(problem, name)
    itself = left = _same(problem, stand_in)
    if name is None:
        for other in _NEXT:
            if bool(left.any()) and other in problem.access.baselines:
                given = problem.access.baselines[other]().expand_as(stand_in)
                stand_in = torch.where(left[:, None], given, stand_in)
                left = _same(problem, stand_in)
    return Baseline(stand_in, itself, changed=name is None)


def _chosen(problem: Problem, name: str | None) -> torch.Tensor:
    there = problem.access.baselines
    if name is None:
        name = next((known for known in _FIRST if known in there), "")
    if name not in there:
        raise InputError(f"The tokenizer has no {name} token to stand for nothing.", cure=f"Take {' or '.join(there)}.")
    return there[name]().expand_as(problem.embeddings)


def _same(problem: Problem, stand_in: torch.Tensor) -> torch.Tensor:
    """Return [n]: whether the row equals its stand-in."""
    same: torch.Tensor = (stand_in == problem.embeddings)[0].all(dim=-1)
    return same
