"""Take inputs away: from masks of the kept rows to the objectives of the changed texts.

The continuation is forced: every target is read from one pass, even where the network would write another token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .baselines import baseline
from .memory import in_batches
from .problem import Atoms, Problem, atoms_of, per_column, plain_pass, worth

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .access import Ends

    Keep = NDArray[np.bool_]  # [s, m]: which of m rows are kept, in each of s changed texts


class Intact(NamedTuple):
    """The result of a pass over the first m rows of a problem, which have a atoms, before any row is taken away.

    `ends`: the network that reuses an unchanged beginning (`Access.read_once`), or None. `baseline`: the name of the
    baseline, and `stand_in` its embeddings.
    """

    problem: Problem
    atoms: Atoms
    embeddings: torch.Tensor  # [m, d]
    baseline: str | None
    stand_in: torch.Tensor  # [m, d]
    logits: torch.Tensor  # [a, vocabulary]
    whole: torch.Tensor  # [a], the objectives
    ends: Ends | None


def read(problem: Problem, cols: Sequence[int], name: str | None) -> Intact:
    """Read the text of these columns once; `name` is that of a baseline, or None."""
    import torch

    atoms = atoms_of(problem, cols)
    x = problem.embeddings[:, : atoms.n_read]
    with torch.no_grad():
        found = problem.access.read_once(x, atoms.at) if problem.causal else None
        output, ends = found or (problem.network(x, atoms.at), None)
        whole = worth(problem, output.logits, atoms.ids)[0]
    return Intact(problem, atoms, x[0], name, _stand_in(problem, name, x[0]), output.logits[0], whole, ends)


def _stand_in(problem: Problem, name: str | None, x: torch.Tensor) -> torch.Tensor:
    return baseline(problem, name).embeddings[0, : len(x)].to(x)


def objectives(text: Intact, keep: Keep, operator: str) -> Iterator[torch.Tensor]:
    """Yield the objectives [s, a] of the atoms where these rows are kept, in batches as large as memory allows.

    Rows of `keep` beyond the text are left alone. Cost: a pass for each mask; with "replace", a network that keeps what
    it has read starts at the first row taken away. When memory runs out a batch is halved.
    Raises: OutOfMemory when one changed text alone does not fit.
    """
    import torch

    take, reuses = OPERATORS[operator]
    n = len(text.embeddings)
    keep = keep[:, :n]
    again = n - _first(keep) if reuses and text.ends is not None else np.full(len(keep), n)

    def work(batch: slice) -> torch.Tensor:
        with torch.no_grad():
            return take(text, keep[batch])

    for _, values in in_batches(again, _rows_at_once(text), work, "a single changed text"):
        yield values


def by_plain_passes(problem: Problem, col: int, name: str | None, keep: Keep, operator: str) -> list[float]:
    """Return the objective of one column for each mask, by the model's own passes over the column's text alone.

    Spot checks use it: it packs no texts together, shares no reading, and reads no more than this column needs.
    """
    import torch

    atoms = atoms_of(problem, [col])
    plain = dataclasses.replace(problem, network=plain_pass(problem, atoms.n_read))
    x = problem.embeddings[0, : atoms.n_read]
    unread = x.new_full((len(atoms.ids),), float("nan"))
    with torch.no_grad():
        text = Intact(plain, atoms, x, name, _stand_in(problem, name, x), x.new_empty(0), unread, None)
        of_atoms = OPERATORS[operator].take(text, keep[:, : len(x)])
    values: list[float] = per_column(of_atoms.double(), atoms)[:, 0].tolist()
    return values


def _first(keep: Keep) -> NDArray[np.intp]:
    """Return the index [s] of the first row that each mask takes away; m where it keeps all."""
    first: NDArray[np.intp] = np.where(keep.all(axis=1), keep.shape[1], keep.argmin(axis=1))
    return first


def _rows_at_once(text: Intact) -> int:
    """Return the number of rows of changed texts in one pass: on a CPU enough that reading the weights costs little.

    A row holds a few arrays of the widest layer (taken as four times the embedding), and at most one row of logits in
    three copies: raw, less the largest, as probabilities.
    """
    x = text.embeddings
    each = x.shape[-1] * 16 * x.element_size() + text.logits.shape[-1] * 12
    return max(1, min(400 if x.device.type == "cpu" else 8192, text.problem.memory_budget // each))


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────


def replaced(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the objectives [s, a] with the baseline in place of the rows that are not kept."""
    import torch

    problem, atoms, x = text.problem, text.atoms, text.embeddings
    if problem.access.reads_ids:
        return torch.cat([_replaced_by_id(text, mask) for mask in keep])
    changed = torch.where(torch.from_numpy(keep)[..., None].to(x.device), x, text.stand_in)  # [s, m, d]
    if text.ends is None:
        return worth(problem, problem.network(changed, atoms.at).logits, atoms.ids)
    first = _first(keep)
    values = text.whole.repeat(len(keep), 1)  # a target before the first change keeps its objective
    later = atoms.at >= atoms.at.new_tensor(first)[:, None]  # [s, a]
    texts = [(start, rows[start:]) for start, rows in zip(first.tolist(), changed, strict=True) if start < len(x)]
    if texts:
        values[later] = worth(problem, text.ends(texts, atoms.at).logits[0], atoms.ids.expand_as(later)[later])
    return values


def _replaced_by_id(text: Intact, mask: NDArray[np.bool_]) -> torch.Tensor:
    embeddings, network = text.problem.access.replaced(np.flatnonzero(~mask).tolist(), text.baseline)
    logits = network(embeddings[:, : text.atoms.n_read], text.atoms.at).logits
    return worth(text.problem, logits, text.atoms.ids)


def deleted(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the objectives [s, a] without the rows that are not kept; if no row would be left, as `replaced` does."""
    import torch

    return torch.cat([_deleted_one(text, mask[None]) for mask in keep])


def _deleted_one(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the objectives [1, a] for one mask, as `deleted` does. Some atoms may have no row left before them."""
    import torch

    problem, atoms = text.problem, text.atoms
    kept = np.flatnonzero(keep[0]).tolist()
    n_source = sum(row < problem.n_source for row in kept)
    if len(kept) == n_source or (problem.n_source and not n_source):  # no text is left, or no source
        return replaced(text, keep)
    at = torch.searchsorted(atoms.at.new_tensor(kept), atoms.at, right=True) - 1
    embeddings, network = problem.access.shortened(kept)
    values = worth(problem, network(embeddings, at.clamp_min(n_source)).logits, atoms.ids)
    predicted = at >= n_source
    return values if bool(predicted.all()) else torch.where(predicted, values, replaced(text, keep))


class Operator(NamedTuple):
    """A way to take inputs away: `take` gives objectives [s, a]; `reuses`: it reads an unchanged beginning once."""

    take: Callable[[Intact, Keep], torch.Tensor]
    reuses: bool


OPERATORS: dict[str, Operator] = {"replace": Operator(replaced, reuses=True), "delete": Operator(deleted, reuses=False)}
