"""The result of `sanity`: what each check found, as sentences, as a table and as a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

import numpy as np

from ...characters import in_a_cell, plain
from ...export.reading import MINUS
from ..rankings import mid_ranks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["weights", "spelling", "completeness", "spot check"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SAME = 0.9  # a rank correlation from which on a map of shuffled weights counts as the same map
_ORDERS = 1000  # random orders of the inputs, for what chance would give
_FEWEST = 3  # inputs of a column whose ranks are compared
_MIDDLE = (2.5, 97.5)


class Finding(NamedTuple):
    """A figure, or None for a reason; `n`: the number of columns that it is about.

    Of a rank correlation also the mean and the middle 95 % where the inputs of one map are shuffled, of one column:
    columns of one text are not independent.
    """

    value: float | None = None
    random_mean: float | None = None
    random_low: float | None = None
    random_high: float | None = None
    n: int = 0
    reason: str | None = None


def alike(a: NDArray[Any], b: NDArray[Any]) -> Finding:
    """Return Spearman's rank correlation of the scores [n, k] of two maps, the mean over columns, in [-1, 1].

    Inputs that one of them does not score are left out.
    """
    found = []
    for mine, theirs in zip(np.asarray(a, dtype=np.float64).T, np.asarray(b, dtype=np.float64).T, strict=True):
        both = ~(np.isnan(mine) | np.isnan(theirs))
        x, y = (mid_ranks(column[both]) for column in (mine, theirs))
        if both.sum() >= _FEWEST and np.ptp(x) and np.ptp(y):
            found.append(_column(x, y))
    if not found:
        return Finding(reason="No column has three inputs with scores that differ.")
    value, mean, low, high = np.mean(found, axis=0).tolist()
    return Finding(value, mean, low, high, len(found))


def _column(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x, y = (ranks - ranks.mean() for ranks in (x, y))
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    orders = np.tile(y, (_ORDERS, 1))
    np.random.default_rng(0).permuted(orders, axis=1, out=orders)
    chance = orders @ x / scale
    low, high = np.percentile(chance, _MIDDLE)
    return float(np.clip(x @ y / scale, -1, 1)), float(chance.mean()), float(low), float(high)


def mean_of(found: Sequence[Finding]) -> Finding:
    """Return the mean over several shuffles, of those with a value."""
    known = [each for each in found if each.value is not None]
    if not known:
        return found[0]
    value, mean, low, high = np.mean([cast("tuple[float, ...]", each[:4]) for each in known], axis=0).tolist()
    return Finding(value, mean, low, high, known[0].n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure about one map.

    `check`: "weights" and "spelling" are rank correlations with the map of a model whose weights are shuffled as far as
    `of` says, and of the text in the spelling `of`. "completeness" is the part of the change of the objective that the
    scores miss, "spot check" the relative difference of a number of the map to plain passes: each the largest of the
    map, and best at 0.
    """

    map: str
    check: Kind
    of: str
    found: Finding

    @property
    def value(self) -> float | None:
        """Return the figure."""
        return self.found.value


@dataclass(frozen=True, kw_only=True, repr=False)
class Sanity:
    """The findings of `sanity` about each map. Immutable. It prints as sentences and figures, and is displayed as them.

    `methods`: the method of each map, by its name. `shuffles`: how often weights were shuffled anew. `complete`:
    whether all checks were made.
    """

    checks: tuple[Check, ...]
    methods: dict[str, str]
    model_name: str
    shuffles: int
    seconds: float
    complete: bool = True

    def of(self, name: str, check: Kind) -> tuple[Check, ...]:
        """Return the figures of one check of one map, in order; none if there are none."""
        return tuple(each for each in self.checks if (each.map, each.check) == (name, check))

    def notices(self, name: str) -> bool | None:
        """Return whether a map changes when all weights are shuffled; None if that is not known.

        It does not where the rank correlation with the map of shuffled weights is 0.9 or more.
        """
        found = self.of(name, "weights")
        last = found[-1].value if found else None
        return None if last is None else last < SAME

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what was found about each map, a sentence or two each."""
        return tuple(f"{plain(name)}: {' '.join(self.said(name))}" for name in self.methods)

    def said(self, name: str) -> tuple[str, ...]:
        """Return what was found about one map, a sentence for each check that says something of it."""
        return (_of_weights(self, name), *_of_spelling(self, name), *_of_numbers(self, name))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a reader must be warned of: maps that do not notice shuffled weights."""
        return tuple(
            f"{plain(name)} stays as it is when all weights of the model are shuffled: it shows nothing of what the "
            "model learned."
            for name in self.methods
            if self.notices(name) is False
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line for each figure: map, check, of, value, random_mean, random_low, random_high, n, reason."""
        import pandas as pd

        lines = [(in_a_cell(each.map), each.check, each.of, *each.found) for each in self.checks]
        numbers = ("value", "random_mean", "random_low", "random_high")
        table = pd.DataFrame(lines, columns=["map", "check", "of", *numbers, "n", "reason"])
        return table.astype(dict.fromkeys(numbers, "float64"))

    def __repr__(self) -> str:
        width = max((len(label_of(each)) for each in self.checks), default=0)
        lines = [self._head(), *self.sentences]
        for name in self.methods:
            lines += ["", plain(name)]
            lines += [
                f"  {label_of(each):<{width}}  {value_of(each):>6}  {beside(each)}".rstrip()
                for each in self.checks
                if each.map == name
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        rows = []
        for name in self.methods:
            rows.append(f"<tr><th colspan='3' style='{_CELL};padding-top:10px'>{escape(plain(name))}</th></tr>")
            rows += [
                f"<tr><td style='{_CELL}'>{escape(label_of(each))}</td><td style='{_NUMBER}'>{value_of(each)}</td>"
                f"<td style='{_CELL};opacity:.7'>{escape(beside(each))}</td></tr>"
                for each in self.checks
                if each.map == name
            ]
        return (
            f"<div><p>{escape(self._head())}</p><ul style='margin:.2em 0 .6em'>{said}</ul>"
            f"<table style='border-collapse:collapse;color:inherit;font:inherit'>{''.join(rows)}</table></div>"
        )

    def _head(self) -> str:
        n = len(self.methods)
        return (
            f"Sanity of {n} map{'' if n == 1 else 's'} of {plain(self.model_name)}, {self.seconds:.1f} s. Rank "
            f"correlations; in brackets the middle 95 % of what shuffled inputs reach."
        )


_CELL = "text-align:left;padding:2px 14px 2px 0"
_NUMBER = _CELL + ";font-variant-numeric:tabular-nums;white-space:nowrap"


def _of_weights(found: Sanity, name: str) -> str:
    weights = found.of(name, "weights")
    last = weights[-1].found if weights else Finding()
    if last.value is None or last.random_high is None:
        return f"whether it depends on the weights is not known. {last.reason or ''}".rstrip()
    number = _number(last.value)
    if not found.notices(name):
        return f"with all weights shuffled it stays as it was ({number}): it shows nothing of what the model learned."
    if last.value > last.random_high:
        return (
            f"with all weights shuffled it changes, but its order stays alike beyond chance ({number}): that part of "
            "it is nothing that the model learned."
        )
    return f"with all weights shuffled no more of its order is left than chance would leave ({number})."


def _of_spelling(found: Sanity, name: str) -> list[str]:
    known = [each for each in found.of(name, "spelling") if each.value is not None]
    if not known:
        return []
    worst = min(known, key=lambda each: each.value or 0.0)
    number = _number(worst.value)
    return [
        f"Of {len(known)} other spellings, “{worst.of}” changes the order of words most (rank correlation {number})."
    ]


def _of_numbers(found: Sanity, name: str) -> list[str]:
    """Return how far the numbers are from what they should add up to, and from plain passes."""
    missed = [each.value for each in found.of(name, "completeness") if each.value is not None]
    spots = [each.value for each in found.of(name, "spot check") if each.value is not None]
    return [
        *(f"Its scores miss {_share(each)} of the change that they should add up to." for each in missed),
        *(f"A few of its numbers, computed again by plain passes, differ by {_share(each)} at most." for each in spots),
    ]


def _share(value: float) -> str:
    """Return a share in percent with two digits: "2.1 %", "0.0034 %"; of less, or of more than ten times, a bound."""
    if value < 1e-6:
        return "less than 0.0001 %"
    if not value < 10:
        return "more than 1,000 %"
    digits = max(0, 1 - floor(log10(100 * value)))
    return f"{100 * value:.{digits}f} %"


def label_of(check: Check) -> str:
    """Return the name of a figure: "weights: head"."""
    return f"{check.check}: {check.of}" if check.of else check.check


def value_of(check: Check) -> str:
    """Return a figure as it is printed."""
    if check.value is None:
        return "–"
    return _number(check.value) if check.check in ("weights", "spelling") else f"{check.value:.1e}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", MINUS)


def beside(check: Check) -> str:
    """Return the reason why there is no figure, what shuffled inputs reach, or what the figure is a share of."""
    if check.found.reason is not None:
        return check.found.reason
    if check.found.random_low is None:
        return "of the change of the objective" if check.check == "completeness" else "apart from plain passes"
    return f"[{_number(check.found.random_low)}, {_number(check.found.random_high)}]"
