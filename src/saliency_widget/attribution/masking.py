"""Take inputs away: from masks of the kept rows to the objectives and margins of the changed texts.

The continuation is forced: every target is read from one pass, even where the network would write another token.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError
from .baselines import baseline
from .memory import check_fits, in_batches
from .operators import OPERATORS, Intact, first_gone, measure, without_rows
from .problem import Problem, atoms_of, per_column, plain_pass

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .operators import Keep


_WINDOW = 8  # passes whose masks are sorted by length


class Outcome(NamedTuple):
    """The numbers of some changed texts.

    `margins`: log p(target) - log p(the best other token), below 0 where another one is more probable; of a class that
    is there or not whatever the others are, its log-odds; NaN where a model gives numbers and no probabilities.
    """

    objectives: torch.Tensor  # [s, a]
    margins: torch.Tensor  # [s, a]


def read(problem: Problem, cols: Sequence[int], name: str | None, *, seed: int = 0) -> Intact:
    """Read the text of these columns once; `name` is that of a baseline, or None; `seed`: of what "resample" draws."""
    import torch

    atoms = atoms_of(problem, cols)
    x = problem.embeddings[:, : atoms.n_read]
    with torch.no_grad():
        found = problem.access.read_once(x, atoms.at) if problem.causal else None
        output, ends = found or (problem.network(x, atoms.at), None)
        measured = measure(problem, output.logits, atoms.ids)[0]
    return Intact(
        problem, atoms, x[0], name, _stand_in(problem, name, x[0]), output.logits[0], measured, ends, seed=seed
    )


def _stand_in(problem: Problem, name: str | None, x: torch.Tensor) -> torch.Tensor:
    return baseline(problem, name).embeddings[0, : len(x)].to(x)


def operators_of(problem: Problem) -> tuple[str, ...]:
    """Return the names of the operators that the network allows, in the order of `OPERATORS`."""
    return tuple(name for name in OPERATORS if why_not(problem, name) is None)


def why_not(problem: Problem, operator: str) -> str | None:
    """Return the reason why the network does not allow an operator, as a sentence, or None."""
    return problem.access.why_not(operator)


def may_go(problem: Problem) -> list[int]:
    """Return the rows that may be taken away: those before the first target.

    The first row of a text always stays, and so does `Problem.fixed`: what a user cannot change, such as the tokens of
    a chat's template. (The first token of an encoder's source may go.) A prediction is never read from a row that was
    taken away: without the last row before a target, the last one that is left predicts it.
    """
    stay = {*problem.fixed, problem.n_source}
    return [row for row in range(min(target.position for target in problem.targets)) if row not in stay]


def outcomes(text: Intact, keep: Keep, operator: str) -> Iterator[Outcome]:
    """Yield objectives and margins [s, a] of the atoms where these rows are kept, in batches as memory allows.

    Rows of `keep` beyond the text are left alone. Cost: the kept rows of each mask with "mask" and "delete"; all rows
    with the others, from the first that is taken away on where a network keeps what it has read. When memory runs out a
    batch is halved.
    Raises: InputError where the network does not allow the operator; OutOfMemory when one changed text does not fit,
    before any is read where that can be known.
    """
    for values in _in_order(text, keep, operator):
        yield Outcome(values[..., 0], values[..., 1])


def _in_order(text: Intact, keep: Keep, operator: str) -> Iterator[torch.Tensor]:
    """Yield the numbers [s, a, 2] (or 1) of neighbouring masks, as soon as those before them are there."""
    import torch

    _check_allowed(text.problem, operator)
    keep = keep[:, : len(text.embeddings)]
    waiting: dict[int, torch.Tensor] = {}
    given = 0
    for batch, values in _taken(text, keep, operator):
        waiting |= zip(batch.tolist(), values, strict=True)
        ready = []
        while given in waiting:
            ready.append(waiting.pop(given))
            given += 1
        if ready:
            yield torch.stack(ready)


def _taken(text: Intact, keep: Keep, operator: str) -> Iterator[tuple[NDArray[np.intp], torch.Tensor]]:
    """Yield indices of masks and their numbers [s, a, 2]: neighbours of one length together, when only kept rows count.

    A window of masks is sorted at a time, so that results keep coming in order.
    """
    import torch

    take, n = OPERATORS[operator].take, len(text.embeddings)
    order, costs = np.arange(len(keep)), np.full(len(keep), n)
    if OPERATORS[operator].reuses and text.ends is not None:
        costs = n - first_gone(keep)
    most = rows_at_once(text)
    if OPERATORS[operator].shortens:
        check_fits(
            text.embeddings.device, text.problem.bytes_a_pass, n, "A pass over a changed text",
            'Take operator="replace", which reads on from what it has read, or shorten the text.',
        )  # fmt: skip
        lengths = np.maximum(keep.sum(axis=1), len(text.atoms.ids))  # an atom has a row of logits of its own
        window = lengths.cumsum() // (_WINDOW * most)
        order = np.lexsort((-lengths, window))
        costs = lengths[order]

    def work(batch: slice) -> torch.Tensor:
        with torch.no_grad():
            return take(text, keep[order[batch]])

    for batch, values in in_batches(costs, most, work, "a single changed text"):
        yield order[batch], values


def objectives(text: Intact, keep: Keep, operator: str) -> Iterator[torch.Tensor]:
    """Yield the objectives [s, a] of `outcomes`, whose margins are not computed."""
    for values in _in_order(text._replace(margins=False), keep, operator):
        yield values[..., 0]


def left_logits(text: Intact, keep: NDArray[np.bool_], operator: str) -> torch.Tensor:
    """Return the logits [a, vocabulary] of the atoms where the rows of one mask [m] are kept, by "mask" or "delete".

    Something must be left before each atom. Raises: InputError where the network does not allow the operator.
    """
    import torch

    _check_allowed(text.problem, operator)
    with torch.no_grad():
        return without_rows(text, keep[None, : len(text.embeddings)], operator)


def _check_allowed(problem: Problem, operator: str) -> None:
    reason = why_not(problem, operator)
    if reason is not None:
        raise InputError(reason, cure=f"Take {' or '.join(operators_of(problem))}.")


def by_plain_passes(
    problem: Problem, col: int, name: str | None, keep: Keep, operator: str, *, seed: int = 0
) -> list[float]:
    """Return the objective of one column for each mask, by the model's own passes over the column's text alone.

    Spot checks use it: it packs no texts together, shares no reading, and reads no more than this column needs.
    """
    import torch

    atoms = atoms_of(problem, [col])
    plain = dataclasses.replace(problem, network=plain_pass(problem, atoms.n_read))
    x = problem.embeddings[0, : atoms.n_read]
    wide = x.dtype if x.device.type == "mps" else torch.float64  # as objectives are
    unread = x.new_full((len(atoms.ids), 2), float("nan"), dtype=wide)
    with torch.no_grad():
        stand_in = _stand_in(problem, name, x)
        text = Intact(plain, atoms, x, name, stand_in, x.new_empty(0), unread, None, alone=True, seed=seed)
        of_atoms = OPERATORS[operator].take(text, keep[:, : len(x)])[..., 0]
    values: list[float] = per_column(of_atoms.double(), atoms)[:, 0].tolist()
    return values


def rows_at_once(text: Intact) -> int:
    """Return the number of rows of changed texts in one pass: on a CPU enough that reading the weights costs little.

    A row holds a few arrays of the widest layer (taken as four times the embedding), and at most one row of logits in
    three copies: raw, less the largest, as probabilities.
    """
    x = text.embeddings
    each = x.shape[-1] * 16 * x.element_size() + text.logits.shape[-1] * 12
    return max(1, min(400 if x.device.type == "cpu" else 8192, text.problem.memory_budget // each))
