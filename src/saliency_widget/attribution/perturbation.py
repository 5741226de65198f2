"""Methods that change the text and measure the model's output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..checks import one_of, whole_number
from ..errors import InputError
from .baselines import baseline, check_baseline
from .engine import ONE_PASS, Schedule
from .masking import by_plain_passes, objectives, read
from .operators import OPERATORS, Intact
from .precision import drop_noise
from .problem import Chunk, Problem, Progress, Spot, blank, per_column, steps_of
from .settings import Settings
from .spot_check import drops

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_UNITS = ("token", "word", "sentence", "segment", "coarse_to_fine")
LEVELS = ("segment", "sentence", "word")  # of coarse to fine
_MASKS = 4096  # made at once
_MASS = 0.9  # share of a column's mass whose units are split into finer ones


@dataclass(frozen=True, slots=True, kw_only=True)
class OcclusionSettings(Settings):
    """The inputs to take away, and the way to do it.

    `operator`: "replace" the embeddings by a baseline; "delete" the tokens, which shortens the text; "mask" them, so
    that no other token can attend to them and all keep their positions; or "resample": put another token of the text
    in each one's place, drawn with `seed`. Where "delete" and "mask" would leave no token, it is replaced.
    `baseline`: "unk", "pad", "mask", "zero" or "mean"; None for the first that exists of unk, pad, zero, and another
    one for a token that equals it: see `baselines`.
    `unit`: "token", "word", "sentence" or "segment" is taken away as a whole; "coarse_to_fine" takes away paragraphs
    (or turns), then the sentences of the most important ones, then their words. The drop of a unit is divided equally
    among its tokens.
    """

    operator: Literal["replace", "mask", "delete", "resample"] = "replace"
    baseline: str | None = None
    unit: Literal["token", "word", "sentence", "segment", "coarse_to_fine"] = "token"
    seed: int | None = None

    def __post_init__(self) -> None:
        one_of("operator", self.operator, OPERATORS)
        one_of("unit", self.unit, _UNITS)
        check_baseline(self.baseline)
        if self.baseline is not None and not OPERATORS[self.operator].stands_in:
            raise InputError(f'operator="{self.operator}" needs no baseline=.', cure="Leave baseline= out.")
        if self.seed is not None:
            whole_number("seed", self.seed, least=0, cure="Any from 0 on does.")
            if self.operator != "resample":
                raise InputError('Only operator="resample" draws, and takes seed=.', cure="Leave seed= out.")


def occlusion(problem: Problem, schedule: Schedule) -> Iterator[Chunk | Progress]:
    """Compute the drop of the objective when a token is taken away.

    scores[i, j] = objective_j(text) - objective_j(text without i), signed, in units of the objective: above 0 if the
    token supports the target. Each token of a unit gets an equal part of the unit's drop.
    Cost: one forward pass for each unit and 256 columns, over the text after the unit if the network can reuse the text
    before it. In half precision four more passes, for the uncertainty of scores: the diagnostic `precision_noise`.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901; Li et al. 2016, arXiv:1612.08220.
    """
    settings: OcclusionSettings = problem.settings
    stand_in = baseline(problem, settings.baseline)
    while cols := schedule.take(ONE_PASS if problem.causal else 1):
        text = read(problem, cols, settings.baseline, seed=settings.seed or 0)
        seen = np.array([problem.targets[col].n_seen for col in cols])[None]
        scores, middle = blank(problem, cols), len(cols) // 2
        fell: list[tuple[list[int], float]] = []
        for units, wanted in _levels(problem, range(text.atoms.n_read), scores):
            done = 0
            for values in _objectives_without(text, units, settings.operator):
                batch = per_column(text.whole - values, text.atoms).cpu().numpy()  # [units, k]
                for at, drop in enumerate(batch, start=done):
                    unit, wants = units[at], wanted[at]
                    visible = np.array(unit)[:, None] < seen  # [rows, k]
                    shares = drop / np.maximum(visible.sum(axis=0), 1)
                    scores[unit] = np.where(visible & wants, shares, scores[unit])
                    if visible[:, middle].all() and wants[middle]:
                        fell.append((unit, float(drop[middle])))
                done += len(batch)
                yield Progress(done, len(units))
        told = stand_in.told(problem, cols) if OPERATORS[settings.operator].stands_in else {}
        if noise := drop_noise(problem, text.atoms, text.embeddings[None], text.whole):
            rows = sum(map(len, units))
            told["precision_noise"] = [drop * len(units) / rows for drop in noise]  # a token has its part of a drop
        check = partial(_check, problem, cols[middle], fell)
        yield Chunk(cols, scores, steps_of(problem, cols, text.logits), told, check)


def _objectives_without(text: Intact, units: list[list[int]], operator: str) -> Iterator[torch.Tensor]:
    """Yield the objectives [s, a] without each unit, in batches; the masks of a long text are never all there."""
    for start in range(0, len(units), _MASKS):
        yield from objectives(text, _without(units[start : start + _MASKS], text.atoms.n_read), operator)


def _without(units: list[list[int]], n: int) -> NDArray[np.bool_]:
    """Return masks [units, n], each of which keeps all rows but those of a unit."""
    keep = np.ones((len(units), n), dtype=bool)
    for mask, unit in zip(keep, units, strict=True):
        mask[unit] = False
    return keep


def _check(problem: Problem, col: int, fell: list[tuple[list[int], float]]) -> Spot:
    """Check the largest and the last drop of a column by plain passes; `fell`: each unit and its drop."""
    last = fell[-1] if fell else ([], 0.0)
    largest = max(fell, key=lambda noted: abs(noted[1]), default=last)
    units, claimed = zip(*([largest] if last[0] == largest[0] else [largest, last]), strict=True)
    keep = _without([[], *units], problem.n_rows)
    settings: OcclusionSettings = problem.settings
    before, *left = by_plain_passes(problem, col, settings.baseline, keep, settings.operator, seed=settings.seed or 0)
    return drops(problem, col, [*zip(claimed, (before - one for one in left), strict=True)], largest[1])


# ── which units ──────────────────────────────────────────────────────────────────────────────────────────────────


def _levels(
    problem: Problem, rows: Iterable[int], scores: NDArray[np.float32]
) -> Iterator[tuple[list[list[int]], NDArray[np.bool_]]]:
    """Yield the units to take away, and a mask [units, k] of the columns that need each unit's drop.

    From coarse to fine: the next level follows once `scores` holds the drops of this one. A column needs the parts of
    units that mattered to itself, so it does not depend on the columns computed beside it.
    """
    kind = problem.settings.unit
    if kind != "coarse_to_fine":
        units = grouped(problem, rows, kind)
        yield units, np.ones((len(units), scores.shape[1]), dtype=bool)
        return
    units, wanted = [list(rows)], np.ones((1, scores.shape[1]), dtype=bool)
    for level in LEVELS:
        split = [grouped(problem, unit, level) for unit in units]
        units = [part for parts in split for part in parts]
        wanted = np.repeat(wanted, [len(parts) for parts in split], axis=0)
        if len(units) == 1 and level != LEVELS[-1]:  # a text of one paragraph: nothing is to be compared
            continue
        yield units, wanted
        wanted = largest_units(units, wanted, scores)
        kept = np.flatnonzero(wanted.any(axis=1))
        if not len(kept):
            return
        units, wanted = [units[at] for at in kept], wanted[kept]


def grouped(problem: Problem, rows: Iterable[int], kind: str) -> list[list[int]]:
    """Group the rows by their unit."""
    if kind == "token":
        return [[row] for row in rows]
    units: dict[int, list[int]] = {}
    for row in rows:
        units.setdefault(problem.groups[kind][row], []).append(row)
    return list(units.values())


def largest_units(units: list[list[int]], wanted: NDArray[np.bool_], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return a mask [units, k] of the fewest units, among those a column needed, that hold enough of its mass."""
    mass = wanted * np.array([np.nansum(np.abs(scores[unit]), axis=0) for unit in units])  # [units, k]
    order = np.argsort(-mass, axis=0)
    descending = np.take_along_axis(mass, order, axis=0)
    needed = np.zeros(mass.shape, dtype=bool)
    before = np.cumsum(descending, axis=0) - descending
    np.put_along_axis(needed, order, before < _MASS * mass.sum(axis=0), axis=0)
    return needed
