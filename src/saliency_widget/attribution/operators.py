"""The operators: ways to take inputs away, each from masks of the kept rows to the numbers of the changed texts.

Under every operator a prediction is read from the last kept row that is not after the one that predicted, so no row
that was taken away is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .objectives import margin
from .problem import Atoms, Problem, worth

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .access import Ends

    Keep = NDArray[np.bool_]  # [s, m]: which of m rows are kept, in each of s changed texts


class Intact(NamedTuple):
    """The result of a pass over the first m rows of a problem, which have a atoms, before any row is taken away.

    `ends`: the network that reuses an unchanged beginning (`Access.read_once`), or None. `baseline`: the name of the
    baseline, and `stand_in` its embeddings. `alone`: whether each changed text is read by itself. `seed`: of the tokens
    that "resample" draws. `margins`: whether operators compute them; without, they give objectives [s, a, 1] alone.
    """

    problem: Problem
    atoms: Atoms
    embeddings: torch.Tensor  # [m, d]
    baseline: str | None
    stand_in: torch.Tensor  # [m, d]
    logits: torch.Tensor  # [a, vocabulary]
    measured: torch.Tensor  # [a, 2], objectives and margins
    ends: Ends | None
    alone: bool = False
    seed: int = 0
    margins: bool = True

    @property
    def whole(self) -> torch.Tensor:
        """Return the objectives [a] of the text before any row is taken away."""
        return self.measured[:, 0]


def _numbers(text: Intact, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return what is asked of some atoms [..., a, 2] (or 1), from their logits [..., a, vocabulary] and ids."""
    return measure(text.problem, logits, ids) if text.margins else worth(text.problem, logits, ids)[..., None]


def measure(problem: Problem, logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return the objectives and the margins [..., a, 2] of atoms from their logits [..., a, vocabulary] and ids."""
    import torch

    values = worth(problem, logits, ids)
    gaps = margin(logits, ids, raw=problem.raw, independent=problem.independent)
    return torch.stack([values, gaps.to(values)], dim=-1)


# ── replace and resample ─────────────────────────────────────────────────────────────────────────────────────────


def replaced(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the numbers [s, a, 2] (or 1) with the baseline in place of the rows that are not kept."""
    import torch

    if text.problem.access.reads_ids:
        return torch.cat([_replaced_by_id(text, mask) for mask in keep])
    return _with(text, keep, text.stand_in)


def _with(text: Intact, keep: Keep, stand_in: torch.Tensor) -> torch.Tensor:
    """Return the numbers [s, a, 2] with these embeddings [m, d] in place of the rows that are not kept."""
    import torch

    problem, atoms, x = text.problem, text.atoms, text.embeddings
    changed = torch.where(torch.from_numpy(keep)[..., None].to(x.device), x, stand_in)  # [s, m, d]
    if text.ends is None:
        return _numbers(text, problem.network(changed, atoms.at).logits, atoms.ids)
    first = first_gone(keep)
    # A target before the first change keeps its numbers.
    values = text.measured[:, : 1 + text.margins].repeat(len(keep), 1, 1)
    later = atoms.at >= atoms.at.new_tensor(first)[:, None]  # [s, a]
    texts = [(start, rows[start:]) for start, rows in zip(first.tolist(), changed, strict=True) if start < len(x)]
    if texts:
        values[later] = _numbers(text, text.ends(texts, atoms.at).logits[0], atoms.ids.expand_as(later)[later])
    return values


def _replaced_by_id(text: Intact, mask: NDArray[np.bool_]) -> torch.Tensor:
    embeddings, network = text.problem.access.replaced(np.flatnonzero(~mask).tolist(), text.baseline)
    logits = network(embeddings[:, : text.atoms.n_read], text.atoms.at).logits
    return _numbers(text, logits, text.atoms.ids)


def first_gone(keep: Keep) -> NDArray[np.intp]:
    """Return the index [s] of the first row that each mask takes away; m where it keeps all."""
    first: NDArray[np.intp] = np.where(keep.all(axis=1), keep.shape[1], keep.argmin(axis=1))
    return first


def resampled(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the numbers [s, a, 2] with another token of the text in place of each row that is not kept.

    Each row has one token for all masks, drawn with `text.seed`: so the numbers are a function of what is kept.
    """
    import torch

    drawn = draws(text.problem, text.seed)[: len(text.embeddings)]
    if text.problem.access.reads_ids:
        return torch.cat([_resampled_by_id(text, mask, drawn) for mask in keep])
    return _with(text, keep, text.problem.embeddings[0][drawn])


def _resampled_by_id(text: Intact, mask: NDArray[np.bool_], drawn: NDArray[np.intp]) -> torch.Tensor:
    rows = np.where(mask, np.arange(len(mask)), drawn).tolist()
    rows += range(len(rows), text.problem.embeddings.shape[1])
    embeddings, network = text.problem.access.shortened(rows)
    logits = network(embeddings[:, : text.atoms.n_read], text.atoms.at).logits
    return _numbers(text, logits, text.atoms.ids)


def draws(problem: Problem, seed: int) -> NDArray[np.intp]:
    """Return, for each row [n], the row whose token "resample" puts in its place.

    It is drawn from the rows before the first target, of its own text (source or not), that hold another token and are
    not fixed; from other rows too if there are none; and is the row itself where the text holds one token alone.
    """
    x = problem.embeddings[0]
    kind = np.unique(x.double().cpu().numpy(), axis=0, return_inverse=True)[1].reshape(-1)
    of_source = np.arange(len(x)) < problem.n_source
    free = np.arange(len(x)) < min(target.position for target in problem.targets)
    free[[row for row in problem.fixed if row < len(x)]] = False
    drawn = np.arange(len(x))
    for row in range(len(x)):
        other = (kind != kind[row]) & (of_source == of_source[row])
        found = np.flatnonzero(other & free)
        found = found if len(found) else np.flatnonzero(other)
        if len(found):
            drawn[row] = found[np.random.default_rng([seed, row]).integers(len(found))]
    return drawn


# ── delete and mask ──────────────────────────────────────────────────────────────────────────────────────────────


def deleted(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the numbers [s, a, 2] without the rows that are not kept; if no row would be left, as `replaced` does."""
    return _without(text, keep, "delete")


def masked(text: Intact, keep: Keep) -> torch.Tensor:
    """Return the numbers [s, a, 2] where nobody can attend to the rows that are not kept, and positions stay.

    If no row would be left, as `replaced` does.
    """
    return _without(text, keep, "mask")


def _without(text: Intact, keep: Keep, operator: str) -> torch.Tensor:
    import torch

    problem, atoms = text.problem, text.atoms
    n = problem.n_source
    last = last_kept(keep, atoms.at.cpu().numpy())  # [s, a]
    readable = last >= n
    if n:
        readable &= keep[:, :n].any(axis=1, keepdims=True)
    values = text.measured.new_empty((*last.shape, 1 + text.margins))
    gone = np.flatnonzero(~readable.all(axis=1))
    if len(gone):
        values[gone] = replaced(text, keep[gone]).to(values)
    left = np.flatnonzero(readable.any(axis=1))
    if not len(left):
        return values
    which, atom = np.nonzero(readable[left])
    rows = last[left][which, atom]
    ids = atoms.ids[torch.from_numpy(atom).to(atoms.ids.device)]
    logits = _logits_without(text, keep[left], operator, which, rows)
    values[left[which], atom] = _numbers(text, logits, ids).to(values)
    return values


def without_rows(text: Intact, keep: Keep, operator: str) -> torch.Tensor:
    """Return the logits [a, vocabulary] of the atoms in the text that a mask [1, m] leaves, by "mask" or "delete"."""
    rows = last_kept(keep, text.atoms.at.cpu().numpy())[0]
    assert (rows >= text.problem.n_source).all(), "something is left before each atom"
    return _logits_without(text, keep, operator, np.zeros_like(rows), rows)


def last_kept(keep: Keep, at: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the last kept row [s, a] that is not after each of `at` [a]; -1 where there is none."""
    rows = np.where(keep, np.arange(keep.shape[1]), -1)
    last: NDArray[np.intp] = np.maximum.accumulate(rows, axis=1)[:, at]
    return last


def _logits_without(
    text: Intact, keep: Keep, operator: str, which: NDArray[np.intp], rows: NDArray[np.intp]
) -> torch.Tensor:
    """Return the logits [p, vocabulary] at the kept row rows[i] of the text that mask which[i] leaves."""
    import torch

    together = None if text.alone else text.problem.access.without(operator)
    if together is not None:
        return together(text.embeddings, text.stand_in, keep, which, rows)
    one = _one_shortened if operator == "delete" else _one_masked
    return torch.cat([one(text, mask, rows[which == at]) for at, mask in enumerate(keep)])


def _one_shortened(text: Intact, mask: NDArray[np.bool_], rows: NDArray[np.intp]) -> torch.Tensor:
    kept = np.flatnonzero(mask)
    embeddings, network = text.problem.access.shortened(kept.tolist())
    at = text.atoms.at.new_tensor(np.searchsorted(kept, rows))
    return network(embeddings, at).logits[0]


def _one_masked(text: Intact, mask: NDArray[np.bool_], rows: NDArray[np.intp]) -> torch.Tensor:
    import torch

    kept = torch.from_numpy(mask)[:, None].to(text.embeddings.device)
    network = text.problem.access.masked(np.flatnonzero(mask).tolist())
    return network(torch.where(kept, text.embeddings, text.stand_in)[None], text.atoms.at.new_tensor(rows)).logits[0]


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────


class Operator(NamedTuple):
    """A way to take inputs away: `take` gives objectives and margins [s, a, 2].

    `says`: what it does to a token, after "it is". `reuses`: whether it reads an unchanged beginning once. `shortens`:
    whether it reads kept rows alone. `stands_in`: whether a baseline stands in the place of what is gone.
    """

    take: Callable[[Intact, Keep], torch.Tensor]
    says: str
    reuses: bool = False
    shortens: bool = False
    stands_in: bool = False


OPERATORS: dict[str, Operator] = {
    "mask": Operator(masked, "hidden: no other token can attend to it, and all keep their places", shortens=True),
    "delete": Operator(deleted, "deleted: the text closes up", shortens=True),
    "replace": Operator(replaced, "replaced by a token that stands for nothing", reuses=True, stands_in=True),
    "resample": Operator(resampled, "replaced by another token of the text, drawn at random", reuses=True),
}
