"""The ways to a model's logits; see `probe` for which of them is right."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Forward(NamedTuple):
    """The output of one pass at the requested positions.

    `pull`: from gradients [c, batch, k, hidden] of c columns at the head to those [c, batch, m, d] at the embeddings,
    where the graph between the two is not there but made anew, part by part; None: it is there.
    """

    logits: torch.Tensor  # [batch, k, vocabulary]
    head: torch.Tensor | None  # [batch, k, hidden]: what the vocabulary projection was given; None if it has no module
    pull: Callable[[torch.Tensor], torch.Tensor] | None = None


class Texts(NamedTuple):
    """Several texts for one pass, each made of rows of one text, padded on the right to m rows after the source.

    `ids`, `types`: those of the rows after the source; types None if the model reads none. `seen`: which rows others
    may attend to, source first; None for all. `positions`: of the rows after the source; None for 0, 1, 2, …
    """

    embeddings: torch.Tensor  # [s, n_source + m, d]
    source: torch.Tensor  # [s, n_source]
    ids: torch.Tensor  # [s, m]
    types: torch.Tensor | None = None  # [s, m]
    seen: torch.Tensor | None = None  # [s, n_source + m], bool
    positions: torch.Tensor | None = None  # [s, m]


class Way(Enum):
    """A way to read logits at chosen positions; the first that gives the model's own is used, see `probe`."""

    KEPT = "the model projects chosen positions only"
    NARROWED = "a hook on the projection lets chosen positions through"
    WHOLE = "the logits of all positions, as the model gives them"


# (embeddings [batch, m, d], positions [k] < m) → logits and head at these positions. m may be less than the whole.
Network = Callable[["torch.Tensor", "torch.Tensor"], Forward]
