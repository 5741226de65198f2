"""The ways to a model's logits; see `probe` for which of them is right."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Forward(NamedTuple):
    """The output of one pass at the requested positions."""

    logits: torch.Tensor  # [batch, k, vocabulary]
    head: torch.Tensor | None  # [batch, k, hidden]: what the vocabulary projection was given; None if it has no module


class Way(Enum):
    """A way to read logits at chosen positions; the first that gives the model's own is used, see `probe`."""

    KEPT = "the model projects chosen positions only"
    NARROWED = "a hook on the projection lets chosen positions through"
    WHOLE = "the logits of all positions, as the model gives them"


# (embeddings [batch, m, d], positions [k] < m) → logits and head at these positions. m may be less than the whole.
Network = Callable[["torch.Tensor", "torch.Tensor"], Forward]
