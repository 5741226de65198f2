"""Passes over texts that are made of some rows of one text: several side by side, or as branches of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import probe
from .ways import Texts, Way

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ...types import Inputs
    from ..base import Model

    Keep = NDArray[np.bool_]  # [s, m]: which of m rows are kept, in each of s texts
    Rows = NDArray[np.intp]


def tensor(numbers: Keep | Rows | NDArray[np.int64], x: torch.Tensor) -> torch.Tensor:
    """Return the numbers as a tensor on the device of `x`."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(numbers)).to(x.device)


def masked(
    model: Model, inputs: Inputs, keep: NDArray[np.bool_], *, positions: bool
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return a function from embeddings [1, m, d] and kept rows [k] to logits [1, k, vocabulary] there.

    It is one plain pass with an attention mask over the whole text, which ends with the last kept row: no other row is
    read after it. `positions`: whether they are given.
    """

    def run(embeddings: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        one = keep[None, : embeddings.shape[1]]
        texts = _texts(model, inputs, embeddings[0], embeddings[0], one, _whole, positions=positions)
        fresh = model.fresh() if probe.remembers(model) else model
        places = rows - len(inputs.source)
        return fresh.several(texts, places.new_zeros(len(places)), places, Way.WHOLE)[None]

    return run


class Picks(NamedTuple):
    """Masks of kept rows [s, m], and the rows to read: of text which[i] its kept row rows[i]."""

    keep: Keep
    which: Rows  # [p]
    rows: Rows  # [p]


def together(
    model: Model, inputs: Inputs, x: torch.Tensor, stand_in: torch.Tensor, picks: Picks, way: Way, *, short: bool,
    positions: bool,
) -> torch.Tensor:  # fmt: skip
    """Return the logits [p, vocabulary] at rows of several texts, read in one pass.

    `x`, `stand_in` [m, d]: the embeddings of the text, and those in place of masked rows. `short`: the texts are read
    as their kept rows. `positions`: these keep their positions, which are given.
    """
    import torch

    keep, which, rows = picks
    n = len(inputs.source)
    texts = _texts(model, inputs, x, stand_in, keep, _short if short else _whole, positions=positions)
    if short and probe.sees_back_alone(model):
        # Nothing sees the padding behind it. Where positions have gaps, only a mask says that they are of one text.
        texts = texts._replace(seen=torch.ones_like(texts.ids, dtype=torch.bool) if positions else None)
    places = np.cumsum(keep[:, n:], axis=1)[which, rows - n] - 1 if short else rows - n
    return model.several(texts, tensor(which, x), tensor(places, x), way)


class Branches(NamedTuple):
    """A tree whose nodes are rows of a text: each branch is a text of its own, and common beginnings are there once.

    `rows` [r]: those of the nodes. `sees` [r, r]: which nodes stand before each on its branch, itself included. `at`
    [p]: the nodes to read.
    """

    rows: Rows
    sees: Keep
    at: Rows


def branched(
    model: Model, inputs: Inputs, x: torch.Tensor, branches: Branches, way: Way, *, positions: bool
) -> torch.Tensor:
    """Return the logits [p, vocabulary] at the nodes of a tree, read in one pass of a causal model.

    `positions`: the rows keep theirs; otherwise they are counted along each branch.
    """
    import torch

    rows = tensor(branches.rows, x)
    mask = torch.zeros(branches.sees.shape, dtype=x.dtype, device=x.device)
    mask.masked_fill_(~tensor(branches.sees, x), torch.finfo(mask.dtype).min)
    ids = torch.tensor([inputs.ids], device=x.device)
    places = rows if positions else tensor(branches.sees.sum(axis=1) - 1, x)
    texts = Texts(x[None, rows], ids[:, :0], ids[:, rows], None, mask[None, None], places[None])
    return model.several(texts, tensor(0 * branches.at, x), tensor(branches.at, x), way)


# ── the rows of a pass ───────────────────────────────────────────────────────────────────────────────────────────


class _Layout(NamedTuple):
    """The rows of several texts [s, m], padded on the right.

    `own`: those that are no padding. `seen`: those that others may attend to.
    """

    rows: Rows
    own: Keep
    seen: Keep


def _short(keep: Keep) -> _Layout:
    """Return the kept rows alone; the last one is repeated as padding."""
    lengths = keep.sum(axis=1)
    order = np.argsort(~keep, axis=1, kind="stable")[:, : lengths.max(initial=0)]
    places = np.arange(order.shape[1])
    rows = np.take_along_axis(order, np.minimum(places, lengths[:, None] - 1), axis=1)
    own = places < lengths[:, None]
    return _Layout(rows, own, own)


def _whole(keep: Keep) -> _Layout:
    """Return all rows up to the last kept one; only the kept ones may be seen."""
    m = int(np.flatnonzero(keep.any(axis=0)).max(initial=-1)) + 1
    rows = np.tile(np.arange(m), (len(keep), 1))
    own = np.flip(np.logical_or.accumulate(np.flip(keep[:, :m], axis=1), axis=1), axis=1)
    return _Layout(rows, own, keep[:, :m])


def _texts(
    model: Model, inputs: Inputs, x: torch.Tensor, stand_in: torch.Tensor, keep: Keep,
    lay: Callable[[Keep], _Layout], *, positions: bool,
) -> Texts:  # fmt: skip
    """Return the texts that these masks leave, source and text each laid out by `lay`.

    Rows that are not seen hold what stands in [m, d], and the first seen row's id: nothing of a removed token is read.
    """
    import torch

    n = len(inputs.source)
    parts = lay(keep[:, :n]), lay(keep[:, n:])
    seen = tensor(np.concatenate([part.seen for part in parts], axis=1), x)
    at = tensor(np.concatenate([parts[0].rows, parts[1].rows + n], axis=1), x)  # [s, n_source + m]
    ids = [tensor(_ids(model, given, part), x) for given, part in zip(inputs[:2], parts, strict=True)]
    types = tensor(np.array(inputs.types)[parts[1].rows], x) if inputs.types else None
    embeddings = torch.where(seen[..., None], x[at], stand_in[at])
    return Texts(embeddings, ids[0], ids[1], types, seen, tensor(parts[1].rows, x) if positions else None)


def _ids(model: Model, given: tuple[int, ...], part: _Layout) -> NDArray[np.int64]:
    every = np.array(given, dtype=np.int64)[part.rows]
    if not every.shape[1]:
        return every
    first = np.take_along_axis(every, part.seen.argmax(axis=1)[:, None], axis=1)
    padding = first if model.padding is None else model.padding
    return np.where(part.seen, every, np.where(part.own, first, padding))
