"""Methods that change the text and look at what the model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..checks import one_of
from ..errors import InputError
from .baselines import baseline, check_baseline
from .engine import (
    ONE_PASS,
    Atoms,
    Chunk,
    Output,
    Problem,
    Progress,
    Schedule,
    Spot,
    atoms_of,
    blank,
    per_column,
    steps_of,
    worth,
)
from .memory import is_out_of_memory, not_enough_for
from .precision import drop_noise
from .settings import Settings
from .spot_check import Drop, drops

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    # Units of rows → the objective of each atom without each of them, [units, a].
    Without = Callable[[list[list[int]]], torch.Tensor]

_MODES = ("replace", "delete")
_UNITS = ("token", "word", "sentence", "segment", "coarse_to_fine")
_LEVELS = ("segment", "sentence", "word")  # of coarse to fine
_ENOUGH = 0.9  # share of a column's mass whose units are looked at more closely


@dataclass(frozen=True, slots=True, kw_only=True)
class OcclusionSettings(Settings):
    """What is taken away, and how.

    `mode`: "replace" the embeddings by a baseline, or "delete" the tokens, so that the text closes up (a token without
    which there would be nothing to read is replaced all the same).
    `baseline`: "unk", "pad", "mask", "zero" or "mean"; None takes the first there is of unk, pad, zero, and for a token
    that is this one itself another: see `baselines`.
    `unit`: "token", "word", "sentence" or "segment" is taken away as a whole; "coarse_to_fine" takes paragraphs (or
    turns), then the sentences of those that mattered, then the words of these. The drop of a unit is dealt out evenly
    to its tokens.
    """

    mode: Literal["replace", "delete"] = "replace"
    baseline: str | None = None
    unit: Literal["token", "word", "sentence", "segment", "coarse_to_fine"] = "token"

    def __post_init__(self) -> None:
        one_of("mode", self.mode, _MODES)
        one_of("unit", self.unit, _UNITS)
        check_baseline(self.baseline)
        if self.mode == "delete" and self.baseline is not None:
            raise InputError("What is deleted is not replaced: a baseline has no say.", cure="Leave baseline= out.")


def occlusion(problem: Problem, schedule: Schedule) -> Iterator[Chunk | Progress]:
    """Drop of the objective when a token is taken away.

    scores[i, j] = objective_j(text) - objective_j(text without i), signed, in units of the objective: above 0 where
    the token speaks for the target. Of a unit of several tokens each gets an equal part of the drop.
    Cost: one forward pass a unit, of what comes after it alone where the network keeps what it has read; for 256
    columns at a time. In half precision four more: `precision_noise` says how uncertain a score of the column is.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901; Li et al. 2016, arXiv:1612.08220.
    """
    import torch

    stand_in = baseline(problem, problem.settings.baseline)
    while cols := schedule.take(ONE_PASS if problem.causal else 1):
        atoms = atoms_of(problem, cols)
        text = problem.embeddings[:, : atoms.n_read]
        with torch.no_grad():
            read = problem.read_once or (lambda *given: (problem.network(*given), None))
            output, ends = read(text, atoms.at)
            logits = output.logits
            whole = worth(problem, logits, atoms.ids)[0]  # [a]
            without = _changed(problem, atoms, text, whole, ends)
        in_vain = ends is None or problem.settings.mode == "delete"  # what comes before a change is read again
        cost = partial(_rows_again, atoms.n_read, in_vain)
        seen = np.array([problem.targets[col].n_seen for col in cols])[None]
        scores = blank(problem, cols)
        middle, fell = len(cols) // 2, _Fell()
        for units, wanted in _levels(problem, range(atoms.n_read), scores):
            done = 0
            for batch, values in _batches(units, without, cost, _rows_at_once(problem, logits.shape[-1])):
                drops = per_column(whole - values, atoms).cpu().numpy()  # [units, k]
                for unit, drop, wants in zip(batch, drops, wanted[done : done + len(batch)], strict=True):
                    visible = np.array(unit)[:, None] < seen  # [rows, k]
                    shares = drop / np.maximum(visible.sum(axis=0), 1)
                    scores[unit] = np.where(visible & wants, shares, scores[unit])
                    if visible[:, middle].all() and wants[middle]:
                        fell.note(unit, float(drop[middle]))
                done += len(batch)
                yield Progress(done, len(units))
        told = stand_in.told(problem, cols) if problem.settings.mode == "replace" else {}
        if noise := drop_noise(problem, atoms, text, whole):
            rows = sum(map(len, units))
            told["precision_noise"] = [drop * len(units) / rows for drop in noise]  # a token has its part of a drop
        check = partial(_check, problem, cols[middle], fell)
        yield Chunk(cols, scores, steps_of(problem, cols, logits[0]), told, check)


@dataclass(eq=False)
class _Fell:
    """Of one column the largest drop and the last one: the units that were taken away, and by how much it fell."""

    largest: tuple[list[int], float] = ([], 0.0)
    last: tuple[list[int], float] = ([], 0.0)

    def note(self, unit: list[int], drop: float) -> None:
        self.last = (unit, drop)
        if not self.largest[0] or abs(drop) > abs(self.largest[1]):
            self.largest = self.last


def _check(problem: Problem, col: int, fell: _Fell) -> Spot:
    """Two drops of a column, by a plain pass over its own text as it is and without each of the two units.

    Nothing is packed, read once for several texts, or longer than this column needs.
    """
    import torch

    assert problem.plain_pass is not None, "without it nothing is checked"
    noted = [fell.largest] if fell.last[0] == fell.largest[0] else [fell.largest, fell.last]
    atoms = atoms_of(problem, [col])
    text = problem.embeddings[:, : atoms.n_read]
    plain = replace(problem, network=problem.plain_pass(atoms.n_read))
    with torch.no_grad():
        unknown = text.new_full((len(atoms.ids),), float("nan"))  # of what nothing is read anew
        values = _changed(plain, atoms, text, unknown, None)([[], *(unit for unit, _ in noted)])
    before, *left = per_column(values.double(), atoms)[:, 0].tolist()
    fallen = zip(noted, left, strict=True)
    return drops(problem, col, [Drop(drop, before - one, fell.largest[1]) for (_, drop), one in fallen])


# ── which units, and in which batches ────────────────────────────────────────────────────────────────────────────


def _levels(
    problem: Problem, rows: Iterable[int], scores: NDArray[np.float32]
) -> Iterator[tuple[list[list[int]], NDArray[np.bool_]]]:
    """The units to take away, and [units, k] which columns want to know of each.

    From coarse to fine, those of the next level once `scores` holds the drops of this. A column wants the parts of what
    mattered to itself: it is the same whichever others are computed beside it.
    """
    kind = problem.settings.unit
    if kind != "coarse_to_fine":
        units = _units(problem, rows, kind)
        yield units, np.ones((len(units), scores.shape[1]), dtype=bool)
        return
    units, wanted = [list(rows)], np.ones((1, scores.shape[1]), dtype=bool)
    for level in _LEVELS:
        split = [_units(problem, unit, level) for unit in units]
        units = [part for parts in split for part in parts]
        wanted = np.repeat(wanted, [len(parts) for parts in split], axis=0)
        if len(units) == 1 and level != _LEVELS[-1]:  # a text of one paragraph: nothing is to be compared
            continue
        yield units, wanted
        wanted = _that_matter(units, wanted, scores)
        kept = np.flatnonzero(wanted.any(axis=1))
        if not len(kept):
            return
        units, wanted = [units[at] for at in kept], wanted[kept]


def _units(problem: Problem, rows: Iterable[int], kind: str) -> list[list[int]]:
    """The rows, put together by the unit they belong to."""
    if kind == "token":
        return [[row] for row in rows]
    units: dict[int, list[int]] = {}
    for row in rows:
        units.setdefault(problem.groups[kind][row], []).append(row)
    return list(units.values())


def _that_matter(units: list[list[int]], wanted: NDArray[np.bool_], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The fewest units that have enough of a column's mass, of those it wanted: [units, k]."""
    mass = wanted * np.array([np.nansum(np.abs(scores[unit]), axis=0) for unit in units])  # [units, k]
    order = np.argsort(-mass, axis=0)
    descending = np.take_along_axis(mass, order, axis=0)
    needed = np.zeros(mass.shape, dtype=bool)
    before = np.cumsum(descending, axis=0) - descending
    np.put_along_axis(needed, order, before < _ENOUGH * mass.sum(axis=0), axis=0)
    return needed


def _batches(
    units: list[list[int]], without: Without, cost: Callable[[list[int]], int], most: int
) -> Iterator[tuple[list[list[int]], torch.Tensor]]:
    """Neighbouring units, rows of at most `most` at a time, and the objective of each atom without each of them.

    `cost`: how many rows must be read again without a unit.
    Raises: OutOfMemory when one unit alone does not fit.
    """
    import torch

    done = 0
    while done < len(units):
        rows = np.cumsum([cost(unit) for unit in units[done : done + most]])
        batch = units[done : done + max(1, int(np.searchsorted(rows, most, side="right")))]
        try:
            with torch.no_grad():
                values = without(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise not_enough_for("a single changed text") from error
            most = int(rows[len(batch) - 1]) // 2
            continue
        yield batch, values
        done += len(batch)


def _rows_again(n: int, whole: bool, unit: list[int]) -> int:
    """Rows that must be read again without the unit: the whole text of n, or what comes from its first row on."""
    return n if whole else n - unit[0]


def _rows_at_once(problem: Problem, vocabulary: int) -> int:
    """Rows of changed texts that go through one pass: on a CPU so many that reading the weights is no longer the most.

    A row holds a few arrays of the widest layer (taken as four times the embedding), and at most one row of logits: as
    they are, less their largest, and as probabilities.
    """
    _, _, d = problem.embeddings.shape
    each = d * 16 * problem.embeddings.element_size() + vocabulary * 12
    return max(1, min(400 if problem.embeddings.device.type == "cpu" else 8192, problem.memory_budget // each))


# ── the changed text ─────────────────────────────────────────────────────────────────────────────────────────────


def _changed(
    problem: Problem, atoms: Atoms, text: torch.Tensor, whole: torch.Tensor, ends: Callable[..., Output] | None
) -> Without:
    """How units are taken away from `text` [1, m, d]; `whole` is the objective [a] of the text as it is.

    `ends` is the network after a beginning that it has read, see `Problem.read_once`.
    """
    import torch

    stand_in = baseline(problem, problem.settings.baseline).embeddings[0]

    def changed(unit: list[int]) -> torch.Tensor:
        rows = text[0].clone()
        rows[unit] = stand_in[unit]
        return rows

    def replaced(units: list[list[int]]) -> torch.Tensor:
        if ends is None:
            logits = problem.network(torch.stack([changed(unit) for unit in units]), atoms.at).logits
            return worth(problem, logits, atoms.ids)
        later = atoms.at >= atoms.at.new_tensor([unit[0] for unit in units])[:, None]  # [units, a]
        logits = ends([(unit[0], changed(unit)[unit[0] :]) for unit in units], atoms.at).logits[0]
        values = whole.repeat(len(units), 1)  # what is predicted before the first change stays as it was
        values[later] = worth(problem, logits, atoms.ids.expand(len(units), -1)[later])
        return values

    def by_id(units: list[list[int]]) -> torch.Tensor:
        assert problem.replaced is not None, "a network with ids can be given others"
        found = []
        for unit in units:
            embeddings, network = problem.replaced(unit, problem.settings.baseline)
            found.append(worth(problem, network(embeddings[:, : atoms.n_read], atoms.at).logits, atoms.ids))
        return torch.cat(found)

    def deleted(units: list[list[int]]) -> torch.Tensor:
        found = []
        for unit in units:
            values, predicted = _deleted(problem, atoms, unit)
            left = by_id if problem.reads_ids() else replaced
            found.append(values if bool(predicted.all()) else torch.where(predicted, values, left([unit])))
        return torch.cat(found)

    if problem.settings.mode == "delete":
        return deleted
    return by_id if problem.reads_ids() else replaced


def _deleted(problem: Problem, atoms: Atoms, unit: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The objective [1, a] without the rows of `unit`; and of which atoms [a] anything is left to be predicted from."""
    import torch

    assert problem.shortened is not None, "every model of ours can be given a shorter text"
    kept = sorted(set(range(atoms.n_read)) - set(unit))
    n_source = sum(row < problem.n_source for row in kept)
    if len(kept) == n_source or (problem.n_source and not n_source):  # no text is left, or no source
        none = torch.zeros_like(atoms.at, dtype=torch.bool)
        return problem.embeddings.new_zeros(1, len(none)), none
    at = torch.searchsorted(atoms.at.new_tensor(kept), atoms.at, right=True) - 1
    embeddings, network = problem.shortened(kept)
    logits = network(embeddings, at.clamp_min(n_source)).logits
    return worth(problem, logits, atoms.ids), at >= n_source
