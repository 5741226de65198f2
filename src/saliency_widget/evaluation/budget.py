"""How much is computed: which steps, and how many random rankings, for what the reader is ready to wait."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from ..checks import whole_number
from ..errors import InputError
from .curves import PERCENTS, every_step, kept_steps, steps_of
from .faithfulness import HALF_MASKS

EXACT = 10  # units up to which the value of every subset is computed
DEFAULT_RUNS = 3.0
DEFAULT_SECONDS = 10.0
_SHORT = 60  # units below which no schedule keeps to three occlusion runs: there the default is in seconds
_PERCENTS = (PERCENTS, (5, 10, 20, 50), (10, 20, 50), (20, 50))
_FEWEST = 20  # random rankings: with fewer, no p can be below .05
_SECONDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:s|sec|seconds?)\s*")


class Budget(NamedTuple):
    """What may be spent: occlusion runs, or seconds; the other is None, and both are for the default."""

    runs: float | None = None
    seconds: float | None = None


class Size(NamedTuple):
    """What the cost depends on. `base`: rows that always stay; `moving`: those of all n units together.

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
    """What will be computed. `rows`: of all passes together; `given_up`: sentences on what was left out."""

    steps: tuple[int, ...]
    random: int
    half_masks: int
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

    What goes first are small steps, then random rankings. The least plan is returned even where it costs more.
    """
    first = _plan(size, PERCENTS, random)
    if first.rows <= rows:
        return first
    fewer = [count for count in (40, 30, _FEWEST) if count < random]
    tries = [(percents, random) for percents in _PERCENTS[1:]] + [(_PERCENTS[-1], count) for count in fewer]
    found = next((each for each in (_plan(size, *one) for one in tries) if each.rows <= rows), None)
    chosen = found or _plan(size, *tries[-1])
    said = []
    if chosen.steps != first.steps:
        said.append(f"{_listed(chosen.steps)} of {size.n} units are taken away, and not {_listed(first.steps)}")
    if chosen.random != random:
        said.append(f"{chosen.random} random orders stand beside the maps, and not {random}")
    if found is None:
        said.append("even that costs more")
    return chosen._replace(given_up=(f"To keep to {limit}, {'; '.join(said)}.",))


def exact_plan(n: int, sizes: Size, random: int) -> Plan:
    """Return the plan for few units, where every subset is read: 2^n passes serve all rankings."""
    rows = 2**n * len(sizes.whole) * (sizes.base + sizes.moving / 2)
    return Plan(every_step(n), random, 0, rows, rows / sizes.run if sizes.run else 0.0)


def _plan(size: Size, percents: tuple[int, ...], random: int) -> Plan:
    n, steps = size.n, steps_of(size.n, percents)
    left = np.array([n - step for step in steps])  # units that are kept where so many are taken away
    kept = np.array(kept_steps(n, steps))
    halves = HALF_MASKS if n > 2 else 0
    shared = np.array([2 * step >= n for step in steps])  # for antithetic rankings one pass serves both
    passes = random * (len(steps) + int((~shared).sum())) + 2
    units = random * (left.sum() + kept[~shared].sum()) + n
    extra = max(0, halves - random) if shared.any() else halves
    passes, units = passes + extra, units + extra * (n // 2)
    each = 2 * len(steps) + int((~shared).sum()) + (steps[0] != 1)  # without, only, reverse; and the first unit
    passes += size.rankings * each
    units += size.rankings * (2 * left.sum() + kept[~shared].sum() + (n - 1) * (steps[0] != 1))
    one = passes * size.base + units * size.moving / n
    whole = passes * (size.base + size.moving)
    rows = float(sum(whole if reads_all else one for reads_all in size.whole))
    return Plan(steps, random, halves, rows, rows / size.run)


def _listed(steps: tuple[int, ...]) -> str:
    names = [str(step) for step in steps]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
