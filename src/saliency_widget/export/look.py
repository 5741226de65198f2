"""How a reader looks at a map: what is hidden of it, in which numbers, on which scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import copysign
from typing import TYPE_CHECKING

import numpy as np

from ..characters import plain
from .figures import percent, share, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from . import AttributionLike, TokenLike

APART = "difference of shares"  # the unit of a map whose scores are shares already: its shares would mean nothing

_POOLED = {"sum": "summed over {}s", "mean": "averaged over {}s", "max": "the largest of each {}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a reader chose, where the rows and columns of the map do not say it already.

    `tokens`: what is printed, each within one row and one target; None: the rows and targets. `struck`: the positions
    of those that are hidden, `n_hidden` tokens in all; `hidden`: by column, how much of it these held, 0 … 1.
    `pooled`: how the scores of a row were made ("summed over words"), and `joint`: those of several targets ("mean").
    `scale` and `threshold`: see `scale_of`. `numbers`: what is told of a cell, its "share" of the column; or, as it is,
    its "score" or "difference" of shares. `turned`: the input, or inputs as one, that the question is turned round to.
    """

    tokens: Sequence[TokenLike] | None = None
    struck: frozenset[int] = frozenset()
    n_hidden: int = 0
    hidden: Sequence[float] = ()
    pooled: str = ""
    joint: str = ""
    scale: str = "linear"
    threshold: float = 0.5
    numbers: str = "share"
    turned: TokenLike | None = None

    @property
    def told(self) -> str:
        """What is told of what has a colour: its share; or, of a target that owes one to an input, what it was fed."""
        return "fed" if self.turned is not None and not self.raw else self.numbers

    @property
    def raw(self) -> bool:
        """The scores as they are."""
        return self.numbers != "share"

    def words(self, unit: str) -> Iterator[str]:
        """What the numbers and colours are, for the head of a page. `unit`: what the map's scores are."""
        unit = plain(unit)
        yield ", ".join(said for said in (unit if self.raw else f"share of the {unit}", self.pooled) if said)
        if self.scale != "linear":
            least = f"from {percent(self.threshold)} of the largest"
            yield f"colours {'by rank' if self.scale == 'quantile' else least}"
        if self.n_hidden:
            yield f"{self.n_hidden:,} input{'' if self.n_hidden == 1 else 's'} hidden"

    def figure(self, value: float) -> str:
        """A number in the measure of this look."""
        return significant(value) if self.numbers == "score" else share(value)

    def measured(self, value: float) -> str:
        """The same, and what it is: "share .342"."""
        return f"{self.told} {self.figure(value)}"

    def scale_of(self, values: NDArray[np.float64], largest: float) -> Callable[[float], float]:
        """From a value to its place on the ramp, -1 … 1, as js/src/scale.ts has it.

        linear: in proportion to the `largest` size. quantile: by rank among the sizes. threshold: linear, but nothing
        below `threshold` × largest.
        """
        if not largest > 0:
            return lambda _value: 0.0
        if self.scale == "quantile":
            sizes = np.abs(values)
            sizes = np.sort(sizes[sizes > 0])
            return lambda value: copysign(np.searchsorted(sizes, abs(value), side="right") / len(sizes), value)
        least = self.threshold * largest if self.scale == "threshold" else 0.0
        return lambda value: value / largest if abs(value) >= least else 0.0


def pooled_words(unit: str, pool: str) -> str:
    """How the scores of a unit were made: "summed over words"."""
    return _POOLED[pool].format(unit)


def look_of(attribution: AttributionLike) -> Look:
    """How a map is looked at before anybody chose: as what it is."""
    settings = attribution.settings
    pooled = pooled_words(settings["unit"], settings["pool"]) if "pool" in settings else ""
    return Look(numbers=numbers_of(attribution), pooled=pooled)


def numbers_of(attribution: AttributionLike, chosen: str = "share") -> str:
    """What is told of a map where a reader has `chosen` shares or scores: differences are what they are."""
    return "difference" if attribution.unit == APART else chosen
