"""Shapley and Banzhaf values of the units of a text: exact for a few, else estimated, better and better.

`coalitions` draws which units are kept and turns the numbers of the changed texts into values and standard errors;
this module has the changed texts read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from ..checks import one_of, whole_number
from ..errors import InputError
from .baselines import check_baseline
from .coalitions import Draw, Estimand, Estimate, estimate, exact
from .engine import ONE_PASS, Schedule
from .masking import MOST_UNITS, all_subsets, by_plain_passes, may_go, objectives, operators_of, read, subsets
from .operators import OPERATORS
from .perturbation import grouped
from .problem import Chunk, Problem, Progress, Spot, blank, per_column, steps_of
from .settings import Settings
from .spot_check import drops

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .coalitions import Masks, Numbers
    from .operators import Intact

_UNITS = ("token", "word", "sentence", "segment")
_LEAST, _ENOUGH = 4, 8  # calls for each unit: of the first estimate, below which there is none; before precision counts
_PRECISE = 0.1  # 1.96 standard errors as a share of the largest score of a column
_GROWTH = (1.25, 2.0)  # the number of calls from one estimate to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapleySettings(Settings):
    """The units whose values are computed, and the way to take them away.

    `unit`: "token", "word", "sentence" or "segment". `estimand`: "shapley", values that add up; or "banzhaf", a unit's
    mean effect over all subsets of the others, which must never be added up.
    `operator`: "mask", "delete", "replace" or "resample", see `operators`; None for the first of them that the model
    allows. `baseline`: what "replace" puts there, see `baselines`.
    `calls`: how many changed texts are read at most; None: at least 8 for each unit, and on until 1.96 standard errors
    are below a tenth of each column's largest score. `seed`: of what is drawn.
    """

    unit: Literal["token", "word", "sentence", "segment"] = "token"
    estimand: Estimand = "shapley"
    operator: Literal["mask", "delete", "replace", "resample"] | None = None
    baseline: str | None = None
    calls: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("unit", self.unit, _UNITS)
        one_of("estimand", self.estimand, get_args(Estimand))
        check_baseline(self.baseline)
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
    units = grouped(problem, may_go(problem), settings.unit)
    if not units:
        raise InputError(
            "There is nothing to take away: the first token, special tokens and the one that predicts always stay.",
            cure="Give a longer text, or take a method that takes nothing away, such as saliency.",
        )
    is_exact = len(units) <= MOST_UNITS and (settings.calls is None or settings.calls >= 1 << len(units))
    if settings.calls is not None and not is_exact:
        _check_calls(settings.calls, len(units))
    while cols := schedule.take(ONE_PASS if problem.causal else 1):
        game = _Game(read(problem, cols, settings.baseline, seed=settings.seed), units, operator)
        yield from (_exact if is_exact else _estimated)(problem, cols, game)


def _check_calls(calls: int, n: int) -> None:
    if calls < _LEAST * n:
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
    yield _chunk(problem, cols, game, Estimate(scores, np.zeros_like(scores)), len(values), check)


def _estimated(problem: Problem, cols: list[int], game: _Game) -> Iterator[Chunk | Progress]:
    settings: ShapleySettings = problem.settings
    n, most = len(game.units), settings.calls
    draw = Draw(n, settings.estimand, settings.seed)
    ends = np.array([[True] * n, [False] * n])
    full, empty = np.concatenate([*game.values(ends)])  # [k], [k]
    limit = draw.possible if most is None else min(draw.possible, most // 2 - 1)
    enough = min(limit, _ENOUGH * n // 2 - 1)
    halves = np.zeros((0, len(cols)))
    target, expected = min(limit, _LEAST * n // 2 - 1), enough
    check = None
    while True:
        masks = draw.more(target - len(halves))
        both, done = np.concatenate([masks, ~masks]), 2 * len(halves) + 2
        parts: list[Numbers] = []
        for part in game.values(both):
            parts.append(part)
            done += len(part)
            yield Progress(done, max(done, 2 * expected + 2))
        found = np.concatenate(parts)
        if check is None:
            check = partial(_check, problem, cols, game.operator, game.keep(both), found, full)
        halves = np.concatenate([halves, (found[: len(masks)] - found[len(masks) :]) / 2])
        made = estimate(draw, halves, full - empty)
        missing = _imprecision(made)
        is_last = target >= limit or (target >= enough and missing <= 1)
        yield _chunk(problem, cols, game, made, 2 * target + 2, check, goes_on=not is_last)
        if is_last:
            return
        expected = min(limit, max(enough, int(target * max(missing, 1) ** 2)))
        least, largest = (int(target * growth) for growth in _GROWTH)
        target = enough if target < enough else min(limit, max(least, min(largest, expected)))


def _imprecision(made: Estimate) -> float:
    """Return the largest 1.96 standard errors, in units of what is small enough; NaN errors are never small enough."""
    bars, scores = 1.96 * made.errors.max(axis=0), _PRECISE * np.abs(made.values).max(axis=0)
    off = np.where(bars > 0, bars / np.maximum(scores, np.finfo(float).tiny), 0.0)
    return float(np.max(np.where(np.isnan(bars), _GROWTH[1], off)))


def _chunk(
    problem: Problem,
    cols: list[int],
    game: _Game,
    made: Estimate,
    calls: int,
    check: Callable[[], Spot],
    *,
    goes_on: bool = False,
) -> Chunk:
    scores, errors = blank(problem, cols), blank(problem, cols)
    for j, col in enumerate(cols):
        seen = problem.targets[col].n_seen
        scores[:seen, j] = errors[:seen, j] = 0
        for unit, value, error in zip(game.units, made.values[:, j], made.errors[:, j], strict=True):
            scores[unit, j], errors[unit, j] = value / len(unit), error / len(unit)
    told: dict[str, list[float | str]] = {"calls": [calls] * len(cols), "operator": [game.operator] * len(cols)}
    steps = steps_of(problem, cols, game.text.logits)
    return Chunk(cols, scores, steps, told, check, errors, calls, goes_on)


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
