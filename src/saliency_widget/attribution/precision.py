"""The uncertainty in half precision of a score that is the difference of two passes.

Rounding changes every number inside a network a little, and what comes out by more than its last digit. So this is
measured, not guessed: the embeddings are moved by less than they are rounded by, and the objective is computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .problem import per_column, worth

if TYPE_CHECKING:
    import torch

    from .problem import Atoms, Problem

_HALF = ("float16", "bfloat16")
_N_PASSES = 4  # of so many differences the root mean square is right within a third, mostly


def drop_noise(problem: Problem, atoms: Atoms, text: torch.Tensor, whole: torch.Tensor) -> list[float]:
    """Return the uncertainty [k] of a drop of each column's objective in half precision; [] in other precisions.

    `whole`: the objective [a] of `text` [1, m, d]. Equal texts give equal numbers.
    Cost: four passes.
    """
    import torch

    if problem.precision not in _HALF:
        return []
    generator = torch.Generator().manual_seed(0)
    size = torch.finfo(getattr(torch, problem.precision)).eps
    before = per_column(whole[None].double(), atoms)
    squares = torch.zeros_like(before)
    with torch.no_grad():
        for _ in range(_N_PASSES):
            moves = size * (2 * torch.rand(text.shape, generator=generator) - 1)
            moved = (text.float() * (1 + moves.to(text.device))).to(text.dtype)
            values = worth(problem, problem.network(moved, atoms.at).logits, atoms.ids)
            squares += (per_column(values.double(), atoms) - before) ** 2
    noise: list[float] = (squares / _N_PASSES).sqrt()[0].tolist()
    return noise
