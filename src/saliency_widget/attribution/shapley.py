"""Shapley and Banzhaf values of the units of a text: exact for a few, else estimated, better and better.

`coalitions` draws which units are kept and turns the numbers of the changed texts into values and standard errors;
this module has the changed texts read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from ..checks import one_of, whole_number
from ..errors import InputError
from .baselines import check_baseline
from .coalitions import Draw, Estimand, Estimate, estimate, exact
from .engine import ONE_PASS, Schedule
from .masking import by_plain_passes, may_go, objectives, operators_of, read
from .operators import OPERATORS
from .perturbation import LEVELS, grouped, largest_units
from .problem import Chunk, Problem, Progress, Spot, blank, per_column, steps_of
from .settings import Settings
from .spot_check import drops
from .subsets import MOST_UNITS, all_subsets, subsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.steps import Step
    from .coalitions import Masks, Numbers
    from .operators import Intact

_UNITS = ("token", "word", "sentence", "segment", "coarse_to_fine")
_LEAST, _ENOUGH = 4, 8  # calls for each unit: of the first estimate, below which there is none; before precision counts
PRECISE = 0.1  # 1.96 standard errors as a share of the largest score of a column
_GROWTH = 1.5  # of the number of calls, from one estimate to the next
_FAR = 10.0  # times too imprecise: more is not told from an error that is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapleySettings(Settings):
    """The units whose values are computed, and the way to take them away.

    `unit`: "token", "word", "sentence" or "segment"; "coarse_to_fine", for long texts, begins with segments, divides
    the strongest of them into sentences, and the strongest of these into words: at each level the finer units play
    beside all others as they are, so that the values add up to the same whole.
    `estimand`: "shapley", values that add up; or "banzhaf", a unit's mean effect over all subsets of the others, which
    must never be added up.
    `operator`: "mask", "delete", "replace" or "resample", see `operators`; None for the first of them that the model
    allows. `baseline`: what "replace" puts there, see `baselines`.
    `calls`: how many changed texts are read at most, at each level; None: at least 8 for each unit, and on until 1.96
    standard errors are below a tenth of each column's largest score. `seed`: of what is drawn.
    """

    unit: Literal["token", "word", "sentence", "segment", "coarse_to_fine"] = "token"
    estimand: Estimand = "shapley"
    operator: Literal["mask", "delete", "replace", "resample"] | None = None
    baseline: str | None = None
    calls: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("unit", self.unit, _UNITS)
        one_of("estimand", self.estimand, get_args(Estimand))
        check_baseline(self.baseline)
        if self.estimand == "banzhaf" and self.unit == "coarse_to_fine":
            raise InputError(
                "Banzhaf values of parts do not add up to that of the whole, so they cannot be refined.",
                cure='Leave estimand= out, or take one unit: unit="segment".',
            )
        if self.operator is not None:
            one_of("operator", self.operator, OPERATORS)
        if self.baseline is not None and self.operator != "replace":
            raise InputError('Only operator="replace" takes baseline=.', cure="Leave baseline= out, or name it, too.")
        whole_number("seed", self.seed, least=0, cure="Any from 0 on does.")
        if self.calls is not None:
            whole_number("calls", self.calls, least=2, cure="Leave it out to go on until the errors are small.")


class _Game(NamedTuple):
    """The game of some columns: its players are units, and the value of a coalition is their objectives' value.

    `units`: each a list of rows. `operator`: the one that takes the others away.
    """

    text: Intact
    units: list[list[int]]
    operator: str

    def keep(self, masks: Masks) -> Masks:
        """Return masks [s, m] of the rows that coalitions [s, n] keep. Rows of no unit are always kept."""
        keep = np.ones((len(masks), len(self.text.embeddings)), dtype=bool)
        for player, unit in enumerate(self.units):
            keep[:, unit] = masks[:, [player]]
        return keep

    def values(self, masks: Masks) -> Iterator[Numbers]:
        """Yield the values [s, k] of coalitions, in batches."""
        for found in objectives(self.text, self.keep(masks), self.operator):
            yield per_column(found.double(), self.text.atoms).cpu().numpy()


def shapley(problem: Problem, schedule: Schedule) -> Iterator[Chunk | Progress]:
    """Compute Shapley or Banzhaf values of units that are taken away, with standard errors.

    The players are the units of the rows that `masking.may_go`; all other rows always stay, and score 0. The value of
    a coalition is the objective when the others are taken away. Each token of a unit has an equal part of its value
    and of its standard error. Up to 10 units are exact: 2ⁿ changed texts. Of more, pairs of a coalition and its
    complement are drawn (see `coalitions`), and the columns are given again with each better estimate.
    Raises: InputError if no row may go, or `calls` are below 4 for each unit.
    Source: Shapley 1953; Banzhaf 1965; see `coalitions` for the estimate.
    """
    settings: ShapleySettings = problem.settings
    operator = settings.operator or operators_of(problem)[0]
    rows = may_go(problem)
    if not rows:
        raise InputError(
            "There is nothing to take away: the first token and special tokens always stay.",
            cure="Give a longer text, or take a method that takes nothing away, such as saliency.",
        )
    if settings.unit == "coarse_to_fine":
        yield from _coarse_to_fine(problem, schedule, rows, operator)
        return
    units = grouped(problem, rows, settings.unit)
    _check_calls(settings.calls, len(units))
    while cols := schedule.take(ONE_PASS if problem.causal else 1):
        yield from _solved(problem, cols, _Game(_read(problem, cols), units, operator))


def _read(problem: Problem, cols: list[int]) -> Intact:
    return read(problem, cols, problem.settings.baseline, seed=problem.settings.seed)


def _solved(problem: Problem, cols: list[int], game: _Game) -> Iterator[Chunk | Progress]:
    return (_exact if _is_exact(problem.settings.calls, len(game.units)) else _estimated)(problem, cols, game)


def _is_exact(calls: int | None, n: int) -> bool:
    """Return whether every coalition of n units is read."""
    return n <= MOST_UNITS and (calls is None or calls >= 1 << n)


def _coarse_to_fine(problem: Problem, schedule: Schedule, rows: list[int], operator: str) -> Iterator[Chunk | Progress]:
    """Yield each column by itself, at each level again: its strongest units are its own.

    A level that `calls` are too few for is left out.
    """
    calls = problem.settings.calls
    problem = replace(problem, begun={})  # a level cannot go on from the numbers of another
    while cols := schedule.take(1):
        text = _read(problem, cols)
        units, divided, before = [rows], np.array([True]), 0
        made: Chunk | None = None
        for level in LEVELS:
            parts = [
                grouped(problem, unit, level) if more else [unit] for unit, more in zip(units, divided, strict=True)
            ]
            finer = [part for of_one in parts for part in of_one]
            if len(finer) == len(units) and not (made is None and level == LEVELS[-1]):
                continue  # one segment, say: there is nothing to compare
            if made is None:
                _check_calls(calls, len(finer))
            elif calls is not None and not _is_exact(calls, len(finer)) and calls < _LEAST * len(finer):
                break
            divided = np.repeat(divided, [len(of_one) for of_one in parts])
            units, spent = finer, before
            for part in _solved(problem, cols, _Game(text, units, operator)):
                if isinstance(part, Progress):
                    yield part
                    continue
                before = spent + part.calls
                told = {**part.diagnostics, "calls": [before]}
                made = part._replace(diagnostics=told, calls=before, goes_on=True, state={})
                yield made
            assert made is not None, "a game has values"
            divided = largest_units(units, divided[:, None], made.scores)[:, 0]
        assert made is not None, "the last level is always played"
        yield made._replace(goes_on=False)


def _check_calls(calls: int | None, n: int) -> None:
    """Raise InputError if these calls are too few for n units."""
    if calls is not None and not _is_exact(calls, n) and calls < _LEAST * n:
        raise InputError(
            f"calls={calls} are too few for {n} units: the values would mean nothing.",
            cure=f'Give at least {_LEAST * n} (or leave calls= out), or take larger units: unit="word" or "sentence".',
        )


def _exact(problem: Problem, cols: list[int], game: _Game) -> Iterator[Chunk]:
    found = all_subsets(game.text, game.units, game.operator).objectives
    values = per_column(found.double(), game.text.atoms).cpu().numpy()  # [2ⁿ, k]
    scores = exact(values, problem.settings.estimand)
    keep = subsets(game.units, len(game.text.embeddings))
    check = partial(_check, problem, cols, game.operator, keep, values, values[-1])
    made = _Made(problem, cols, game, steps_of(problem, cols, game.text.logits), check)
    yield made.chunk(Estimate(scores, np.zeros_like(scores)), len(values), range(len(cols)))


def _estimated(problem: Problem, cols: list[int], game: _Game) -> Iterator[Chunk | Progress]:
    """Yield the columns again and again, each until it is precise.

    The numbers of calls are the same for all texts of n units, so that a column does not depend on those beside it.
    """
    settings: ShapleySettings = problem.settings
    n = len(game.units)
    draw = Draw(n, settings.estimand, settings.seed)
    limit = draw.possible if settings.calls is None else min(draw.possible, settings.calls // 2 - 1)
    enough = min(limit, _ENOUGH * n // 2 - 1)
    halves, whole = _begin(problem, cols, game)
    draw.more(len(halves))
    expected = enough
    left = np.arange(len(cols))  # the columns that are not finished
    made: _Made | None = None
    while len(left):
        target = _next(len(halves), n, enough, limit)
        masks = draw.more(target - len(halves))
        both, done = np.concatenate([masks, ~masks]), 2 * len(halves) + 2
        parts: list[Numbers] = []
        for part in game.values(both):
            parts.append(part)
            done += len(part)
            yield Progress(done, max(done, 2 * expected + 2))
        values = np.concatenate(parts)
        if made is None:
            check = partial(_check, problem, cols, game.operator, game.keep(both), values, _values_of(game))
            made = _Made(problem, cols, game, steps_of(problem, cols, game.text.logits), check)
        halves = np.concatenate([halves, (values[: len(masks)] - values[len(masks) :]) / 2])
        found = estimate(draw, halves, whole)
        missing = _imprecision(found)[left]
        is_final = (missing <= 1) & (target >= enough) | (target >= limit)
        calls = 2 * target + 2
        if is_final.any():
            yield made.chunk(found, calls, left[is_final].tolist())
        left, missing = left[~is_final], missing[~is_final]
        if len(left):
            states = {cols[j]: _State(halves[:, j], whole[j]) for j in left.tolist()}
            yield made.chunk(found, calls, left.tolist())._replace(goes_on=True, state=states)
            expected = min(limit, max(enough, int(target * missing.max() ** 2)))


def _begin(problem: Problem, cols: list[int], game: _Game) -> tuple[Numbers, Numbers]:
    """Return the halves [p, k] of pairs that were read before, and v(all) − v(none) [k].

    No pair counts as read if some of the columns are farther than others.
    """
    begun: list[_State] = [problem.begun[col] for col in cols if col in problem.begun]
    if len(begun) == len(cols) and len({len(state.halves) for state in begun}) == 1:
        return np.stack([state.halves for state in begun], axis=1), np.array([state.whole for state in begun])
    n = len(game.units)
    full, empty = np.concatenate([*game.values(np.array([[True] * n, [False] * n]))])  # [k], [k]
    return np.zeros((0, len(cols))), full - empty


class _State(NamedTuple):
    """The readings of a column: the halves of the pairs drawn so far, and v(all) − v(none)."""

    halves: Numbers  # [p]
    whole: float


def _next(pairs: int, n: int, enough: int, limit: int) -> int:
    """Return the number of pairs of the estimate that follows one of `pairs`."""
    if pairs < _LEAST * n // 2 - 1:
        return min(limit, _LEAST * n // 2 - 1)
    return min(limit, enough if pairs < enough else int(pairs * _GROWTH))


def _values_of(game: _Game) -> Numbers:
    """Return the value [k] of the whole text."""
    values: Numbers = per_column(game.text.whole[None].double(), game.text.atoms).cpu().numpy()[0]
    return values


def _imprecision(made: Estimate) -> Numbers:
    """Return 1.96 times the largest standard error of each column [k], in units of what is small enough."""
    bars, enough = 1.96 * made.errors.max(axis=0), PRECISE * np.abs(made.values).max(axis=0)
    off: Numbers = np.where(bars > 0, bars / np.maximum(enough, np.finfo(float).tiny), 0.0)
    return np.minimum(np.nan_to_num(off, nan=_FAR), _FAR)


class _Made(NamedTuple):
    """The facts that the chunks of some columns share."""

    problem: Problem
    cols: list[int]
    game: _Game
    steps: list[Step]
    check: Callable[[], Spot]

    def chunk(self, found: Estimate, calls: int, of: Sequence[int]) -> Chunk:
        """Return the chunk of some of the columns: each row has an equal part of its unit's value and error."""
        cols, operator = [self.cols[j] for j in of], self.game.operator
        scores, errors = blank(self.problem, cols), blank(self.problem, cols)
        for at, (j, col) in enumerate(zip(of, cols, strict=True)):
            seen = self.problem.targets[col].n_seen
            scores[:seen, at] = errors[:seen, at] = 0
            for unit, value, error in zip(self.game.units, found.values[:, j], found.errors[:, j], strict=True):
                scores[unit, at], errors[unit, at] = value / len(unit), error / len(unit)
        told: dict[str, list[float | str]] = {"calls": [calls] * len(cols), "operator": [operator] * len(cols)}
        return Chunk(cols, scores, [self.steps[j] for j in of], told, self.check, errors, calls)


def _check(
    problem: Problem, cols: Sequence[int], operator: str, keep: Masks, values: Numbers, whole: NDArray[np.float64]
) -> Spot:
    """Check the largest and the last drop of the middle column among changed texts [s, k] by plain passes."""
    settings: ShapleySettings = problem.settings
    middle = len(cols) // 2
    fell = whole[middle] - values[:, middle]
    largest = int(np.abs(fell).argmax())
    chosen = sorted({largest, len(fell) - 1})
    masks = np.ones((1 + len(chosen), problem.n_rows), dtype=bool)
    masks[1:, : keep.shape[1]] = keep[chosen]
    before, *left = by_plain_passes(problem, cols[middle], settings.baseline, masks, operator, seed=settings.seed)
    pairs = [(float(fell[at]), before - one) for at, one in zip(chosen, left, strict=True)]
    return drops(problem, cols[middle], pairs, float(fell[largest]))
