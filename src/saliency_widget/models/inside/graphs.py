"""Autograd's graph of a pass, looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def has_every_gradient(output: torch.Tensor) -> bool:
    """Return whether every step from the leaves to `output` has a gradient.

    Torch would take a missing one for 0 with a warning: what is left, by way of the residual stream, looks like a map.
    """
    assert output.grad_fn is not None
    seen, queue = {output.grad_fn}, [output.grad_fn]
    while queue:
        node = queue.pop()
        if "NotImplemented" in node.name():
            return False
        before = {n for n, _ in node.next_functions if n is not None} - seen
        seen |= before
        queue += before
    return True
