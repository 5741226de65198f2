"""All subsets of a few units: exact, since texts with a common beginning share it in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .masking import Outcome, outcomes, rows_at_once
from .memory import in_batches
from .operators import last_kept, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.inside.removal import Tree
    from .operators import Intact, Keep

MOST_UNITS = 10
_DEARER = 1.5  # a row of a tree, than one of a text by itself: it is held against all others of its pass


def all_subsets(text: Intact, units: Sequence[Sequence[int]], operator: str) -> Outcome:
    """Return objectives and margins [2^n, a] for every subset of n ≤ 10 units, each a list of rows.

    Bit i of a result's number is set where unit i is kept. Rows of no unit are always kept.
    Cost: where a network reads trees, a row for each beginning that differs: about 2^n if the last unit is the last to
    be read. Elsewhere the passes of `outcomes`.
    Raises: as `outcomes`; InputError for more units.
    """
    import torch

    if len(units) > MOST_UNITS:
        raise InputError(
            f"There are {len(units)} units, and every subset of them is too many: 2^{len(units)}.",
            cure=f"Take at most {MOST_UNITS} units, or sample subsets.",
        )
    keep = subsets(units, len(text.embeddings))
    tree = text.problem.access.tree(operator) if operator in ("mask", "delete") and not text.alone else None
    if tree is not None and text.problem.access.why_not(operator) is None:
        found = _in_trees(text, keep, tree)
        if found is not None:
            return found
    every = [*outcomes(text, keep, operator)]
    return Outcome(*(torch.cat(parts) for parts in zip(*every, strict=True)))


def subsets(units: Sequence[Sequence[int]], n: int) -> Keep:
    """Return the masks [2^units, n] of every subset; bit i of a mask's number is set where unit i is kept."""
    keep = np.ones((1 << len(units), n), dtype=bool)
    for bit, unit in enumerate(units):
        keep[:, [row for row in unit if row < n]] = (np.arange(len(keep)) >> bit & 1).astype(bool)[:, None]
    return keep


def _in_trees(text: Intact, keep: Keep, tree: Tree) -> Outcome | None:
    """Return the numbers of every mask, from trees of their kept rows.

    None where trees are no gain, or a mask leaves nothing. Masks are sorted, so that those with a common beginning are
    neighbours.
    """
    import torch

    problem, atoms = text.problem, text.atoms
    read = last_kept(keep, atoms.at.cpu().numpy())  # [s, a]
    if (read < 0).any():
        return None
    order = np.lexsort(keep.T[::-1])
    needed = keep & (np.arange(keep.shape[1]) <= read.max(axis=1, keepdims=True))
    fresh = _new_rows(needed[order])
    if _DEARER * fresh.sum() > needed.sum():
        return None
    values = text.measured.new_empty((*read.shape, 2))

    def work(batch: slice) -> None:
        masks = order[batch]
        rows, sees, nodes = _tree_of(needed[masks])
        at = nodes[np.arange(len(masks))[:, None], read[masks]]  # [s, a]
        with torch.no_grad():
            logits = tree(text.embeddings, rows, sees, at.reshape(-1))
            values[masks] = measure(problem, logits.reshape(*at.shape, -1), atoms.ids.to(logits.device)).to(
                values.device
            )

    costs = np.maximum(fresh, len(atoms.ids))
    for _ in in_batches(costs, rows_at_once(text), work, "the subsets of these units"):
        pass
    return Outcome(values[..., 0], values[..., 1])


def _new_rows(keep: Keep) -> NDArray[np.intp]:
    """Return, for each mask [s, m], how many of its kept rows are not of a beginning that it shares with the last."""
    differs = np.ones_like(keep)
    differs[1:] = np.logical_or.accumulate(keep[1:] != keep[:-1], axis=1)
    new: NDArray[np.intp] = (keep & differs).sum(axis=1)
    return new


def _tree_of(keep: Keep) -> tuple[NDArray[np.intp], Keep, NDArray[np.intp]]:
    """Return the tree of the kept rows of some masks [s, m].

    `rows` [r]: those of its nodes, parents first. `sees` [r, r]: the nodes on the way to each, itself included. Third,
    the node of each mask's rows [s, m]; -1 where one is not kept.
    """
    s, m = keep.shape
    at = np.full(s, -1)  # the node that each mask has come to
    nodes = np.full((s, m), -1)
    rows: list[int] = []
    parents: list[int] = []
    for row in range(m):
        here = np.flatnonzero(keep[:, row])
        before, which = np.unique(at[here], return_inverse=True)
        at[here] = nodes[here, row] = len(rows) + which
        rows += [row] * len(before)
        parents += before.tolist()
    sees = np.eye(len(rows), dtype=bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            sees[node] |= sees[parent]
    return np.array(rows), sees, nodes
