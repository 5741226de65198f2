"""The findings of an evaluation as plain data: curves, figures and floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import InputError
from ..sanity.soundness import Sanity
from .figures import Figure


@dataclass(frozen=True, slots=True)
class Band:
    """The median and the middle 95 % of random rankings at each of g steps, in the value's own unit."""

    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def at(self, step: int) -> tuple[float, float, float]:
        """Return median, low and high at one step."""
        return self.middle[step], self.low[step], self.high[step]


@dataclass(frozen=True, slots=True)
class Floor:
    """The values of one target under one operator that no map has a part in.

    `whole`, `empty`: with all units, and without any. `without`, `only`: of random rankings, without their first units
    and with nothing but these. `random`: how many there are. A value is a log-probability, summed over the target's
    tokens; of a model of raw scores it is the score.
    """

    target: str
    operator: str
    whole: float
    empty: float
    without: Band
    only: Band
    random: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """The curves and figures of one map for one target under one operator.

    `without`, `only`, `reverse`: the values [g] without the first units, with nothing but these, and without the last
    ones. `top`: the first units, as their places in the text, from 0, where no tie leaves their order open.
    """

    map: str
    target: str
    operator: str
    without: tuple[float, ...]
    only: tuple[float, ...]
    reverse: tuple[float, ...]
    figures: tuple[Figure, ...]
    top: tuple[int, ...] = ()

    def figure(self, metric: str) -> Figure:
        """Return the figure of this metric. Raises: InputError if there is none."""
        for found in self.figures:
            if found.metric == metric:
                return found
        raise InputError(
            f"There is no {metric!r} of {self.map}.", cure=f"There are {', '.join(f.metric for f in self.figures)}."
        )

    @property
    def better(self) -> bool | None:
        """Return whether the map is better than chance by deletion; None where that is undefined."""
        figure = self.figure("deletion")
        return None if figure.p is None else figure.is_better


@dataclass(frozen=True, kw_only=True, repr=False)
class Findings:
    """The findings about how faithful maps of one text are. Immutable.

    `units`: the units that may be taken away, as text. `steps`: how many of them are taken away at each point of a
    curve. `exact`: every subset of the units was read. `exhaustive`: the random rankings are all orders of the units.
    `given_up`: what was left out to keep to the budget, and why the evaluation is not complete where it is not.
    `rows`: of all passes together; `runs`: the same in occlusion runs. `notes`: by map, what a reader must know of it.
    `sanity`: whether the maps depend on the weights and on spelling, where that was asked for.
    """

    maps: tuple[str, ...]
    methods: tuple[str, ...]
    targets: tuple[str, ...]
    operators: tuple[str, ...]
    unit: str
    units: tuple[str, ...]
    steps: tuple[int, ...]
    exact: bool
    exhaustive: bool
    judgements: tuple[Judgement, ...]
    floors: tuple[Floor, ...]
    given_up: tuple[str, ...] = ()
    notes: Mapping[str, str]
    complete: bool = True
    raw: bool = False
    model_name: str = ""
    rows: float = 0.0
    runs: float = 0.0
    seconds: float = 0.0
    sanity: Sanity | None = None

    def floor(self, target: str, operator: str) -> Floor:
        """Return the values of one target under one operator. Raises: InputError if there are none."""
        for found in self.floors:
            if (found.target, found.operator) == (target, operator):
                return found
        raise InputError(f"{target!r} was not evaluated under {operator!r}.", cure=self._known())

    def judgement(self, name: str, target: str | None = None, operator: str | None = None) -> Judgement:
        """Return the judgement of one map, for the first target and operator unless they are named.

        Raises: InputError if there is none.
        """
        for found in self.judgements:
            if found.map == name and target in (None, found.target) and operator in (None, found.operator):
                return found
        raise InputError(f"There is no judgement of {name!r} for {target!r} under {operator!r}.", cure=self._known())

    def _known(self) -> str:
        return (
            f"Maps: {', '.join(self.maps)}; targets: {', '.join(self.targets)}; operators: {', '.join(self.operators)}."
        )
