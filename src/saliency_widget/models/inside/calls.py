"""A call of an attention layer, seen on transformers' interface or as a product of a softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch


class Block(NamedTuple):
    """Some queries of a call."""

    start: int  # the first of them
    output: torch.Tensor  # [batch, block, heads, head_dim]
    weights: torch.Tensor  # [batch, heads, block, keys]


class Call(Protocol):
    """A call of an attention: weights times values."""

    @property
    def module(self) -> Any:
        """Return the module that computes it."""

    @property
    def n_keys(self) -> int:
        """Return the number of keys."""

    @property
    def values(self) -> torch.Tensor:
        """Return the values [batch, heads, keys, head_dim], repeated for heads that share them."""

    def blocks(self) -> Iterator[Block]:
        """Yield the weights of the model's own code, block by block of queries.

        Raises: UnsupportedMethod if that code returns no weights.
        """

    def of_first_text(self, *, queries: bool) -> Call:
        """Return the keys and values of the first text of the batch alone; with `queries` also its queries alone."""


# What an attention layer gives for a call: [batch, n, heads, head_dim].
Handler = Callable[[Call], "torch.Tensor"]


def plain(call: Call) -> torch.Tensor:
    """Return the output of the model's own attention."""
    import torch

    return torch.cat([block.output for block in call.blocks()], dim=1)


def multiplied(call: Call) -> torch.Tensor:
    """Return the product of weights and values: the model's own output, if both were identified rightly."""
    import torch

    return torch.cat([(block.weights @ call.values).transpose(1, 2) for block in call.blocks()], dim=1)
