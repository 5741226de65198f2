"""Agreement of maps of the same words: a table of measures for every pair of maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations, groupby
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import numpy as np

from ..attribution.result import Attribution
from ..characters import in_a_cell, plain
from ..errors import InputError
from ..export.reading import decimals
from .measures import DRAWS, FEWEST_DRAWS, MEASURES, Figure, figures
from .say_versus_do.self_consistency import SelfConsistency

if TYPE_CHECKING:
    import pandas as pd


class HasAttribution(Protocol):
    """Anything that holds a map: an explanation, a widget."""

    @property
    def attribution(self) -> Attribution | None:
        """Return the map, or None while there is none."""


class Row(NamedTuple):
    """One measure of two maps. `columns`: the number of targets over which the figure is the mean."""

    a: str
    b: str
    figure: Figure
    columns: int


@dataclass(frozen=True, repr=False)
class Agreement:
    """The agreement of maps of the same words. It prints as a table, and is displayed as one in a notebook.

    `figures`: every measure of every pair of maps, ordered by pair.
    """

    figures: tuple[Row, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one line for each pair and measure: a, b, measure, value, random_mean, random_low, random_high, n."""
        import pandas as pd

        asked = ("measure", "value", "random_mean", "random_low", "random_high", "n")
        return pd.DataFrame(
            [
                {"a": in_a_cell(row.a), "b": in_a_cell(row.b), **{name: getattr(row.figure, name) for name in asked}}
                for row in self.figures
            ]
        ).astype(dict.fromkeys(asked[1:-1], "float64"))

    def __repr__(self) -> str:
        name = max((len(row.figure.label) for row in self.figures), default=0)
        lines = [_LEGEND.format(mark="A star")]
        for (a, b), rows in self._pairs():
            lines += ["", f"{plain(a)} – {plain(b)} ({_extent(rows)})"]
            for figure in (row.figure for row in rows):
                said = f"  {figure.label:<{name}}  {_number(figure.value):>6}{'*' if figure.outside else ' '}  "
                lines.append((said + (figure.reason or _floor(figure))).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = "".join(_pair_html(a, b, rows) for (a, b), rows in self._pairs())
        head = "".join(f"<th style='{_CELL}'>{name}</th>" for name in ("measure", "value", "random"))
        return (
            f"<p>{_LEGEND.format(mark='Bold')}</p>"
            f"<table style='{_TABLE}'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _pairs(self) -> Iterator[tuple[tuple[str, str], list[Row]]]:
        for pair, rows in groupby(self.figures, key=lambda row: (row.a, row.b)):
            yield pair, list(rows)


def agreement(maps: Sequence[Attribution | HasAttribution | SelfConsistency], *, k: int | None = None) -> Agreement:
    """Compute every measure of agreement for every pair of maps of the same words.

    `maps`: attributions, objects with an `.attribution`, or a `SelfConsistency` of `say_versus_do`, which has two maps,
    whose cosine is CC-SHAP. `k`: as in `figures`. If one map of a pair is unsigned (a
    norm, attention), absolute scores are compared. Corresponding columns are compared, and the figures are averaged
    over the columns that have a value. The ends of the random interval are averaged too, so it stays as wide as that
    of one column: columns of one text are not independent.

    Raises: InputError for fewer than two maps, an object without a map, and maps of different words or numbers of
    columns.
    """
    given = [map_of(part) for item in maps for part in _parts(item)]
    if len(given) < 2:
        raise InputError(f"There is {len(given)} map to compare.", cure="Give at least two maps of the same words.")
    named = list(zip(labels_of(given), given, strict=True))
    for other in named[1:]:
        _same_words(named[0], other)
    return Agreement(
        tuple(
            Row(a_name, b_name, *_averaged(column_figures))
            for (a_name, a), (b_name, b) in combinations(named, 2)
            for column_figures in zip(*_by_column(a, b, k), strict=True)
        )
    )


def _parts(item: object) -> tuple[object, ...]:
    return item.maps if isinstance(item, SelfConsistency) else (item,)


def map_of(item: object) -> Attribution:
    """Return the map that an object is or holds. Raises: InputError if it is none and holds none."""
    found = item if isinstance(item, Attribution) else getattr(item, "attribution", None)
    if not isinstance(found, Attribution):
        raise InputError(
            f"A {type(item).__name__} holds no map.", cure="Give attributions, or objects with a finished .attribution."
        )
    return found


def _same_words(one_map: tuple[str, Attribution], other_map: tuple[str, Attribution]) -> None:
    (name, a), (other_name, b) = one_map, other_map
    left, right = ([token.text.strip() for token in each.rows] for each in (a, b))
    if len(left) != len(right):
        raise InputError(
            f"{name} has {len(left)} rows and {other_name} {len(right)}.",
            cure='Compare maps of one text, all of tokens or all of words: aggregate("word") makes words.',
        )
    for at, (one, other) in enumerate(zip(left, right, strict=True)):
        if one != other:
            raise InputError(
                f"Row {at} is {one!r} in {name} and {other!r} in {other_name}.",
                cure='Compare maps of one text, all of tokens or all of words: aggregate("word") makes words.',
            )
    if len(a.cols) != len(b.cols) or not a.cols:
        raise InputError(
            f"{name} has {len(a.cols)} columns and {other_name} {len(b.cols)}.",
            cure="Compare maps of the same targets, at least one.",
        )


def labels_of(maps: Sequence[Attribution]) -> list[str]:
    """Return the names of the maps' methods; several maps of one method are numbered."""
    names = [each.label for each in maps]
    often, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name} {seen[name]}" if often[name] > 1 else name)
    return numbered


def _by_column(a: Attribution, b: Attribution, k: int | None) -> Iterator[list[Figure]]:
    n_cols = len(a.cols)
    draws = max(FEWEST_DRAWS, DRAWS // n_cols)  # the mean over columns needs fewer draws for each
    for col in range(n_cols):
        yield figures(a.scores[:, col], b.scores[:, col], signed=a.signed and b.signed, k=k, draws=draws, seed=col)


def _averaged(columns: Sequence[Figure]) -> tuple[Figure, int]:
    """Return the mean figure over the columns with a value (n and k rounded), and the number of these columns."""
    shown = [figure for figure in columns if figure.value is not None]
    if not shown:
        return columns[0], 0
    value, mean, low, high = np.mean([cast("tuple[float, ...]", figure[2:6]) for figure in shown], axis=0).tolist()
    first = shown[0]
    n = round(np.mean([figure.n for figure in shown]))
    k = None if first.k is None else round(np.mean([figure.k or 0 for figure in shown]))
    return Figure(first.measure, first.label, value, mean, low, high, n, k), len(shown)


# ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_LEGEND = "Agreement, and the mean and middle 95 % of what shuffled words reach. {mark}: the value lies outside."
_TABLE = "border-collapse:collapse;color:inherit;font:inherit"  # in quirks mode a table does not inherit colours
_CELL = "text-align:left;padding:2px 16px 2px 0"
_NUMBER = _CELL + ";font-variant-numeric:tabular-nums;white-space:nowrap"


def _pair_html(a: str, b: str, rows: Sequence[Row]) -> str:
    title = (
        f"{escape(plain(a))} – {escape(plain(b))} <span style='opacity:.7;font-weight:normal'>{_extent(rows)}</span>"
    )
    head = f"<tr><th colspan='3' style='{_CELL};padding-top:10px;border-bottom:1px solid'>{title}</th></tr>"
    return head + "".join(_figure_html(row.figure) for row in rows)


def _figure_html(figure: Figure) -> str:
    value = f"<b>{_number(figure.value)}</b>" if figure.outside else _number(figure.value)
    reads = escape(MEASURES[figure.measure].reads)
    return (
        f"<tr><td style='{_CELL}' title='{reads}'>{escape(figure.label)}</td><td style='{_NUMBER}'>{value}</td>"
        f"<td style='{_NUMBER};opacity:.7'>{escape(figure.reason or _floor(figure))}</td></tr>"
    )


def _extent(rows: Sequence[Row]) -> str:
    words = max(row.figure.n for row in rows)
    k = next((row.figure.k for row in rows if row.figure.k is not None), None)
    columns = max(row.columns for row in rows)
    over = f", mean of {columns} columns" if columns > 1 else ""
    return f"{words} words{'' if k is None else f', k = {k}'}{over}"


def _floor(figure: Figure) -> str:
    mean, low, high = (_number(value) for value in (figure.random_mean, figure.random_low, figure.random_high))
    return f"{mean} ({low} … {high})"


def _number(value: float | None) -> str:
    return "–" if value is None else decimals(round(value, 3))
