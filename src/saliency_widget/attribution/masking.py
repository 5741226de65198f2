"""Taking inputs away: from masks of what is kept to the objectives of what is left.

The continuation is forced: every target is read from the same pass, whatever the network would have written instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .baselines import baseline
from .engine import Atoms, Problem, atoms_of, per_column, worth
from .memory import is_out_of_memory, not_enough_for

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Keep = NDArray[np.bool_]  # [s, m]: which of m rows are kept, in each of s changed texts


class Text(NamedTuple):
    """The first m rows of a problem as they were read, before anything is taken away. It has a atoms.

    `ends`: the network after a beginning that it has read (`Problem.read_once`), or None. `baseline`: the name of what
    stands in for a token, and `stand_in` its embeddings.
    """

    problem: Problem
    atoms: Atoms
    embeddings: torch.Tensor  # [m, d]
    baseline: str | None
    stand_in: torch.Tensor  # [m, d]
    logits: torch.Tensor  # [a, vocabulary]
    whole: torch.Tensor  # [a], the objectives
    ends: Callable[..., Any] | None


def read(problem: Problem, cols: Sequence[int], name: str | None) -> Text:
    """The text of these columns, read once; `name` is that of a baseline, or None."""
    import torch

    atoms = atoms_of(problem, cols)
    x = problem.embeddings[:, : atoms.n_read]
    with torch.no_grad():
        once = problem.read_once or (lambda *given: (problem.network(*given), None))
        output, ends = once(x, atoms.at)
        whole = worth(problem, output.logits, atoms.ids)[0]
    return Text(problem, atoms, x[0], name, _stand_in(problem, name, x[0]), output.logits[0], whole, ends)


def _stand_in(problem: Problem, name: str | None, x: torch.Tensor) -> torch.Tensor:
    return baseline(problem, name).embeddings[0, : len(x)].to(x)


def objectives(text: Text, keep: Keep, operator: str) -> Iterator[torch.Tensor]:
    """The objective of each atom where these rows are kept, [s, a] in all: batch by batch, as many as memory allows.

    Rows of `keep` beyond the text are left alone. Cost: a pass a mask; with "replace", of what comes after the first
    row taken away alone, where the network keeps what it has read. When memory runs out a batch is halved.
    Raises: OutOfMemory when one changed text alone does not fit.
    """
    import torch

    take, reuses = OPERATORS[operator]
    n = len(text.embeddings)
    keep = keep[:, :n]
    again = n - _first(keep) if reuses and text.ends is not None else np.full(len(keep), n)
    most, done = _rows_at_once(text), 0
    while done < len(keep):
        rows = again[done : done + most].cumsum()
        size = max(1, int(np.searchsorted(rows, most, side="right")))
        try:
            with torch.no_grad():
                values = take(text, keep[done : done + size])
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise not_enough_for("a single changed text") from error
            most = int(rows[size - 1]) // 2
            continue
        yield values
        done += size


def by_plain_passes(problem: Problem, col: int, name: str | None, keep: Keep, operator: str) -> list[float]:
    """The objective of one column for each mask, by the model's own passes over the column's text alone.

    Nothing is packed, read once for several texts, or longer than this column needs: spot checks go by it.
    """
    import torch

    assert problem.plain_pass is not None, "without it nothing is checked"
    atoms = atoms_of(problem, [col])
    plain = dataclasses.replace(problem, network=problem.plain_pass(atoms.n_read))
    x = problem.embeddings[0, : atoms.n_read]
    unread = x.new_full((len(atoms.ids),), float("nan"))
    with torch.no_grad():
        text = Text(plain, atoms, x, name, _stand_in(problem, name, x), x.new_empty(0), unread, None)
        values: list[float] = per_column(OPERATORS[operator].take(text, keep[:, : len(x)]).double(), atoms)[
            :, 0
        ].tolist()
    return values


def _first(keep: Keep) -> NDArray[np.intp]:
    """The first row that each mask takes away, [s]; m where it keeps all."""
    first: NDArray[np.intp] = np.where(keep.all(axis=1), keep.shape[1], keep.argmin(axis=1))
    return first


def _rows_at_once(text: Text) -> int:
    """Rows of changed texts that go through one pass: on a CPU so many that reading the weights is no longer the most.

    A row holds a few arrays of the widest layer (taken as four times the embedding), and at most one row of logits: as
    they are, less their largest, and as probabilities.
    """
    x = text.embeddings
    each = x.shape[-1] * 16 * x.element_size() + text.logits.shape[-1] * 12
    return max(1, min(400 if x.device.type == "cpu" else 8192, text.problem.memory_budget // each))


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────


def replaced(text: Text, keep: Keep) -> torch.Tensor:
    """Objectives [s, a] where the baseline stands in for what is not kept."""
    import torch

    problem, atoms, x = text.problem, text.atoms, text.embeddings
    if problem.reads_ids():
        return torch.cat([_replaced_by_id(text, mask) for mask in keep])
    changed = torch.where(torch.from_numpy(keep)[..., None].to(x.device), x, text.stand_in)  # [s, m, d]
    if text.ends is None:
        return worth(problem, problem.network(changed, atoms.at).logits, atoms.ids)
    first = _first(keep)
    values = text.whole.repeat(len(keep), 1)  # what is predicted before the first change stays as it was
    later = atoms.at >= atoms.at.new_tensor(first)[:, None]  # [s, a]
    texts = [(start, rows[start:]) for start, rows in zip(first.tolist(), changed, strict=True) if start < len(x)]
    if texts:
        values[later] = worth(problem, text.ends(texts, atoms.at).logits[0], atoms.ids.expand_as(later)[later])
    return values


def _replaced_by_id(text: Text, mask: NDArray[np.bool_]) -> torch.Tensor:
    assert text.problem.replaced is not None, "a network with ids can be given others"
    embeddings, network = text.problem.replaced(np.flatnonzero(~mask).tolist(), text.baseline)
    logits = network(embeddings[:, : text.atoms.n_read], text.atoms.at).logits
    return worth(text.problem, logits, text.atoms.ids)


def deleted(text: Text, keep: Keep) -> torch.Tensor:
    """Objectives [s, a] of the text without what is not kept, closed up; where nothing would be left, as `replaced`."""
    import torch

    return torch.cat([_closed_up(text, mask[None]) for mask in keep])


def _closed_up(text: Text, keep: Keep) -> torch.Tensor:
    """As `deleted`, of one mask: [1, a]. Some atoms may have nothing left that they could be predicted from."""
    import torch

    problem, atoms = text.problem, text.atoms
    assert problem.shortened is not None, "every model of ours can be given a shorter text"
    kept = np.flatnonzero(keep[0]).tolist()
    n_source = sum(row < problem.n_source for row in kept)
    if len(kept) == n_source or (problem.n_source and not n_source):  # no text is left, or no source
        return replaced(text, keep)
    at = torch.searchsorted(atoms.at.new_tensor(kept), atoms.at, right=True) - 1
    embeddings, network = problem.shortened(kept)
    values = worth(problem, network(embeddings, at.clamp_min(n_source)).logits, atoms.ids)
    predicted = at >= n_source
    return values if bool(predicted.all()) else torch.where(predicted, values, replaced(text, keep))


class Operator(NamedTuple):
    """A way to take inputs away: `take` gives objectives [s, a]; `reuses`: it reads an unchanged beginning once."""

    take: Callable[[Text, Keep], torch.Tensor]
    reuses: bool


OPERATORS: dict[str, Operator] = {"replace": Operator(replaced, reuses=True), "delete": Operator(deleted, reuses=False)}
