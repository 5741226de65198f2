"""Baselines: embeddings that replace a token that is taken away, and the start of the path of integrated gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..checks import one_of
from ..errors import InputError

if TYPE_CHECKING:
    import torch

    from .problem import Problem


_NAMES = ("unk", "pad", "mask", "space", "zero", "mean")
_FIRST = ("unk", "pad", "zero")  # the default is the first one that the model has
_NEXT = ("unk", "pad", "mask", "mean", "zero")  # the default for a token that is the first one itself


def check_baseline(name: str | None) -> None:
    """Raise UnknownName for a name that is no baseline."""
    if name is not None:
        one_of("baseline", name, _NAMES)


class Baseline(NamedTuple):
    """A baseline: `embeddings` [1, n, d]. `itself` [n]: which tokens of the text equal it.

    `changed`: whether these tokens have another baseline.
    """

    embeddings: torch.Tensor
    itself: torch.Tensor
    changed: bool

    def told(self, problem: Problem, cols: Sequence[int]) -> dict[str, list[float]]:
        """Return, as a diagnostic, the number of visible tokens that equal the baseline, for each column; {} if none.

        `baseline_changed`: they have another baseline; `baseline_in_text`: they have not, so they score 0.
        """
        if not bool(self.itself.any()):
            return {}
        counts = [float(self.itself[: problem.targets[col].n_seen].sum()) for col in cols]
        return {"baseline_changed" if self.changed else "baseline_in_text": counts}


def baseline(problem: Problem, name: str | None) -> Baseline:
    """Return the baseline of this name; None for the first that exists of unk, pad, zero.

    A token that equals the baseline would score 0 whatever it means. For None, such a token gets the next of unk, pad,
    mask, mean and zero that differs from it.
    Raises: InputError, which names the model's baselines.
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
