"""The plan of an evaluation: its steps and its number of random rankings, within a budget."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from math import comb, expm1, log1p
from typing import NamedTuple

from ...checks import whole_number
from ...errors import InputError
from .curves import PERCENTS, every_step, kept_steps, steps_of
from .figures import HALF_MASKS

EXACT = 10  # units up to which the value of every subset is computed,
EXACT_ROWS = 8192  # if that reads no more rows than this under an operator: some ten seconds on a small CPU
DEFAULT_RUNS = 3.0
DEFAULT_SECONDS = 10.0
_SHORT = 60  # units below which no schedule keeps to three occlusion runs: there the default is in seconds
_PERCENTS = (PERCENTS, (5, 10, 20, 50), (10, 20, 50), (20, 50))
_FEWEST = 20  # random rankings: with fewer, no p can be below .05
_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)\s*")


class Budget(NamedTuple):
    """A limit in occlusion runs or in seconds; the other is None, and both are for the default."""

    runs: float | None = None
    seconds: float | None = None


class Size(NamedTuple):
    """The numbers that the cost depends on. `base`: rows that always stay; `moving`: those of all n units together.

    `whole`: for each operator, whether a pass reads all rows, also those that are taken away. `rankings`: those of all
    maps and targets.
    """

    n: int
    base: int
    moving: int
    whole: tuple[bool, ...]
    rankings: int

    @property
    def run(self) -> float:
        """Return the rows of one occlusion run: n passes without one unit each."""
        return self.n * self.base + (self.n - 1) * self.moving


class Plan(NamedTuple):
    """The steps and rankings that will be computed.

    `singles`: whether texts without the first unit of a map alone are read. `rows`: of all passes together; `given_up`:
    sentences on what was left out.
    """

    steps: tuple[int, ...]
    random: int
    half_masks: int
    singles: bool
    rows: float
    runs: float
    given_up: tuple[str, ...] = ()


def check_budget(given: object) -> Budget:
    """Return the budget: a number of occlusion runs, seconds as "10 s", or None for the default.

    Raises: InputError.
    """
    if given is None:
        return Budget()
    cure = 'Give a number of occlusion runs, budget=3, or seconds, budget="10 s".'
    if isinstance(given, str):
        found = _SECONDS.fullmatch(given)
        if found is not None and float(found[1]) > 0:
            return Budget(seconds=float(found[1]))
    elif isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < float("inf"):
        return Budget(runs=float(given))
    raise InputError(f"budget is {given!r}.", cure=cure)


def check_random(given: object) -> int:
    """Return the number of random rankings. Raises: InputError below 20: then no p could be .05."""
    return whole_number("random", given, least=_FEWEST, cure="Leave it out for 50: fewer than 20 prove nothing.")


def in_seconds(budget: Budget, n: int) -> float | None:
    """Return the seconds that this budget allows, or None where it is one of occlusion runs."""
    if budget.runs is None and budget.seconds is None:
        return DEFAULT_SECONDS if n < _SHORT else None
    return budget.seconds


def plan(size: Size, random: int, rows: float, limit: str) -> Plan:
    """Return the fullest plan of at most so many rows; `limit` says in words what they stand for: "10 seconds".

    Small steps go first, then random rankings. The least plan is returned even where it costs more.
    """
    first = _plan(size, PERCENTS, random, HALF_MASKS, singles=True)
    if first.rows <= rows:
        return first
    fewer = [count for count in (40, 30, _FEWEST) if count < random]
    tries = [(percents, random, HALF_MASKS, True) for percents in _PERCENTS[1:]]
    tries += [(_PERCENTS[-1], random, 0, True), *((_PERCENTS[-1], count, 0, False) for count in (random, *fewer))]
    found = next((each for each in (_plan(size, *one) for one in tries) if each.rows <= rows), None)
    chosen = found or _plan(size, *tries[-1])
    said = []
    if chosen.steps != first.steps:
        said.append(f"{_listed(chosen.steps)} of {size.n} units are taken away, and not {_listed(first.steps)}")
    if chosen.random != random:
        said.append(f"{chosen.random} random orders stand beside the maps, and not {random}")
    if chosen.half_masks != first.half_masks:
        said.append(
            f"{chosen.half_masks} halves are read for the linear datamodeling score, and not {first.half_masks}"
        )
    if not chosen.singles:
        said.append("the loss of the first unit alone is not read")
    if found is None:
        said.append("even that costs more")
    return chosen._replace(given_up=(f"To keep to {limit}, {'; '.join(said)}.",))


def exact_plan(size: Size, units: Sequence[Sequence[int]], random: int, *, shares: bool) -> Plan | None:
    """Return the plan that reads every subset of few units, and serves all rankings; None where that is too much.

    `units`: their rows. `shares`: whether texts are read together that share their beginnings.
    """
    n, n_rows = len(units), size.base + size.moving
    if n > EXACT:
        return None
    trees = subset_rows(units, n_rows) if shares else float(2**n * (size.base + size.moving / 2))
    each = [float(2**n * n_rows) if reads_all else trees for reads_all in size.whole]
    if max(each) > EXACT_ROWS:
        return None
    rows = sum(each)
    return Plan(every_step(n), random, 0, True, rows, rows / size.run if size.run else 0.0)


def subset_rows(units: Sequence[Sequence[int]], n_rows: int) -> float:
    """Return how many rows every subset of the units has, where a beginning that several share is counted once.

    A row is read for each choice of the units before it, and one of a unit where that is kept.
    """
    unit_of = {row: at for at, rows in enumerate(units) for row in rows}
    begun, total = 0, 0
    for row in range(n_rows):
        at = unit_of.get(row)
        begun = begun if at is None else at + 1
        total += 2 ** (begun if at is None else at)
    return float(total)


def _plan(size: Size, percents: tuple[int, ...], random: int, least_halves: int, singles: bool) -> Plan:
    n, steps = size.n, steps_of(size.n, percents)
    halves = max(random, least_halves) if n > 2 else 0
    alone = [kept for kept, step in zip(kept_steps(n, steps), steps, strict=True) if 2 * step < n]  # else shared
    singles = singles or steps[0] == 1
    sizes: dict[int, float] = defaultdict(float)  # how many masks keep so many units
    for kept in [*(n - step for step in steps), *alone]:
        sizes[kept] += _distinct(n, kept, random)
    sizes[n // 2] += halves - random if halves else 0  # half of the units is always a step: some halves are there
    for kept in (0, n):
        sizes[kept] += 1
    for kept in [*2 * [n - step for step in steps], *alone, *([n - 1] if singles and steps[0] != 1 else [])]:
        sizes[kept] += size.rankings  # without the first, without the last, nothing but the first; without one
    each = [size.base + size.moving * (1.0 if reads_all else kept / n) for reads_all in size.whole for kept in sizes]
    rows = sum(cost * passes for cost, passes in zip(each, [*sizes.values()] * len(size.whole), strict=True))
    return Plan(steps, random, halves, singles, rows, rows / size.run)


def _distinct(n: int, kept: int, random: int) -> float:
    """Return how many of so many random subsets of one size are expected to differ: the others cost nothing."""
    every = comb(n, kept)
    return every * -expm1(random * log1p(-1 / every)) if every > 1 else 1.0


def _listed(steps: tuple[int, ...]) -> str:
    names = [str(step) for step in steps]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
