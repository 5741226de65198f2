"""Texts without some of their rows, several in one pass, and which ways of leaving rows out a model allows.

"delete": the text closes up. "mask": nobody can attend to the rows, and the others keep their positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...types import Inputs
from .ways import Texts, Way

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ..base import Model

    Keep = NDArray[np.bool_]  # [s, m]
    Rows = NDArray[np.intp]


# (embeddings [m, d], what stands in [m, d], masks of kept rows [s, m], texts [p], rows [p]) → logits [p, vocabulary].
Without = Callable[["torch.Tensor", "torch.Tensor", "Keep", "Rows", "Rows"], "torch.Tensor"]


class Layout(NamedTuple):
    """The rows of several texts [s, m], padded on the right.

    `own`: those that are no padding. `seen`: those that others may attend to.
    """

    rows: Rows
    own: Keep
    seen: Keep


def short(keep: Keep) -> Layout:
    """Return the kept rows alone; the last one is repeated as padding."""
    lengths = keep.sum(axis=1)
    order = np.argsort(~keep, axis=1, kind="stable")[:, : lengths.max(initial=0)]
    places = np.arange(order.shape[1])
    rows = np.take_along_axis(order, np.minimum(places, lengths[:, None] - 1), axis=1)
    own = places < lengths[:, None]
    return Layout(rows, own, own)


def whole(keep: Keep) -> Layout:
    """Return all rows up to the last kept one; only the kept ones may be seen."""
    m = int(np.flatnonzero(keep.any(axis=0)).max(initial=-1)) + 1
    rows = np.broadcast_to(np.arange(m), (len(keep), m))
    own = np.flip(np.logical_or.accumulate(np.flip(keep[:, :m], axis=1), axis=1), axis=1)
    return Layout(rows, own, keep[:, :m])


def texts_of(
    model: Model,
    inputs: Inputs,
    x: torch.Tensor,
    stand_in: torch.Tensor,
    parts: tuple[Layout, Layout],
    *,
    positions: bool,
) -> Texts:
    """Return the texts with these rows of source and text.

    Rows that are not seen hold what stands in [m, d], and the first seen row's id: nothing of a removed token is read.
    """
    import torch

    device, n = x.device, len(inputs.source)
    padding = model.padding
    seen = np.concatenate([part.seen for part in parts], axis=1)
    rows = np.concatenate([parts[0].rows, parts[1].rows + n], axis=1)  # [s, n_source + m]
    tensor = torch.from_numpy(seen).to(device)
    at = torch.from_numpy(rows).to(device)
    embeddings = torch.where(tensor[..., None], x[at], stand_in[at])
    ids = []
    for layout, given in zip(parts, inputs[:2], strict=True):
        if not given:
            ids.append(torch.zeros(len(rows), 0, dtype=torch.long, device=device))
            continue
        every = np.array(given)[layout.rows]
        first = np.take_along_axis(every, layout.seen.argmax(axis=1)[:, None], axis=1)
        filled = np.where(layout.own, first, first if padding is None else padding)
        filled = np.where(layout.seen, every, filled)
        ids.append(torch.from_numpy(filled).to(device))
    types = torch.from_numpy(np.array(inputs.types)[parts[1].rows]).to(device) if inputs.types else None
    where = torch.from_numpy(np.ascontiguousarray(parts[1].rows)).to(device) if positions else None
    return Texts(embeddings, ids[0], ids[1], types, tensor, where)


def masked(model: Model, inputs: Inputs, keep: NDArray[np.bool_]) -> Callable[..., torch.Tensor]:
    """Return a function from embeddings [1, m, d] and positions [k] of kept rows to logits [1, k, vocabulary].

    It is one plain pass with an attention mask over the whole text, which ends with the last kept row: no other row is
    read after it.
    """

    def run(embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        n = len(inputs.source)
        parts = whole(keep[None, :n]), whole(keep[None, n : embeddings.shape[1]])
        texts = texts_of(model, inputs, embeddings[0], embeddings[0], parts, positions=model.takes_positions)
        places = positions - n
        return model.several(texts, places.new_zeros(len(places)), places, Way.WHOLE)[None]

    return run
