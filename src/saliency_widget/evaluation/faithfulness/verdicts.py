"""The sentences and warnings that tell the findings of an evaluation."""

from __future__ import annotations

from math import exp, isfinite
from typing import TYPE_CHECKING

from ...characters import plain
from ...export.reading import MINUS
from .figures import BETTER

if TYPE_CHECKING:
    from .findings import Findings, Judgement

SHOWN_AT = 3  # units that a sentence takes away, or the next step above it


def shown_step(findings: Findings) -> int:
    """Return the index of the step that sentences speak of: the first of at least three units, else the last."""
    found = (at for at, step in enumerate(findings.steps) if step >= SHOWN_AT)
    return next(found, len(findings.steps) - 1)


def sentence(findings: Findings, judgement: Judgement) -> str:
    """Return what happens without a map's first units, and without as many random ones: median and middle 95 %."""
    at = shown_step(findings)
    k, floor = findings.steps[at], findings.floor(judgement.target, judgement.operator)
    ours, (middle, low, high) = judgement.without[at], floor.without.at(at)
    unit, what = counted(k, findings.unit), "value" if findings.raw else "probability"
    before, after, *luck = (number(each, raw=findings.raw) for each in (floor.whole, ours, middle, low, high))
    moved = f"stays at {before}" if before == after else f"{_verb(floor.whole, ours)} from {before} to {after}"
    same = before != after and before != luck[0] and (ours < floor.whole) == (middle < floor.whole)
    other = f"to {luck[0]}" if same else f"it is {luck[0]}"
    return (
        f"Without its {'' if k == 1 else f'{k} '}top {unit} the {what} {moved}; "
        f"without {_in_words(k)} random {unit} {other} [{luck[1]}, {luck[2]}]."
    )


def _verb(before: float, after: float) -> str:
    return "falls" if after < before else "rises"


def warnings(findings: Findings, name: str, target: str) -> list[str]:
    """Return what a reader must be warned of: a map that is no better than chance, operators that disagree."""
    found = [each for each in findings.judgements if (each.map, each.target) == (name, target)]
    shown = plain(name)
    said = []
    for each in found:
        figure = each.figure("deletion")
        if figure.reason is not None:
            said.append(f"{shown}: undefined under {each.operator}. {figure.reason}")
    judged = [(each, each.figure("deletion").p) for each in found if each.better is not None]
    if not judged:
        return said
    orders = min(findings.floor(each.target, each.operator).random for each, _ in judged)
    if _too_few(orders):
        n = len(findings.units)
        few = f"{n} {counted(n, findings.unit)} have {orders} orders"
        there = few if findings.exhaustive else f"There are {orders} random orders so far"
        return [*said, f"{there}: too few to tell {shown} from chance."]
    good = [f"{each.operator} (p = {_p(p)})" for each, p in judged if each.better]
    bad = [f"{each.operator} (p = {_p(p)})" for each, p in judged if not each.better]
    if not good:
        said.append(f"{shown} is no better than chance under {_listed(bad)}.")
    elif bad:
        said.append(
            f"The operators disagree on {shown}: better than chance under {_listed(good)}, no better under "
            f"{_listed(bad)}."
        )
    if name in findings.notes:
        said.append(f"{shown}: {findings.notes[name]}")
    return said


def orders_of(findings: Findings) -> str:
    """Return what stands beside the maps: "all 5,040 orders of 7 words", "50 random orders of 67 words"."""
    n, orders = len(findings.units), min((floor.random for floor in findings.floors), default=0)
    every = "the only order" if orders == 1 else f"all {orders:,} orders"
    beside = every if findings.exhaustive else f"{orders:,} random orders"
    return f"{beside} of {n} {counted(n, findings.unit)}"


def is_chance(findings: Findings, name: str, target: str) -> bool:
    """Return whether a map was judged, and found no better than chance under any operator."""
    found = [each for each in findings.judgements if (each.map, each.target) == (name, target)]
    judged = [each.better for each in found if not _too_few(findings.floor(target, each.operator).random)]
    return any(better is False for better in judged) and not any(judged)


def _too_few(orders: int) -> bool:
    """Return whether so few random orders cannot tell any map from chance."""
    return orders < 1 / BETTER


def number(value: float, *, raw: bool = False) -> str:
    """Return a probability (from its logarithm) with two digits as ".92", ".0031", or a raw value."""
    if raw:
        return f"{value:.3g}".replace("-", MINUS)
    p = exp(min(value, 0.0))
    if p < 1e-4:
        return "<.0001"
    digits = 2 if p >= 0.095 else 3 if p >= 0.0095 else 4
    said = f"{p:.{digits}f}"
    return said if said.startswith("1") else said.removeprefix("0")


def figure_number(metric: str, value: float | None) -> str:
    """Return a figure with two decimals (of units to flip their number), "–" for none and "never" for no end."""
    if value is None:
        return "–"
    if not isfinite(value):
        return "never"
    return f"{value:.0f}" if metric in ("words_to_flip", "percentile") else f"{value:.2f}".replace("-", MINUS)


def counted(k: int, unit: str) -> str:
    """Return the unit's name for so many of them."""
    return unit if k == 1 else f"{unit}s"


def _in_words(k: int) -> str:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[k] if k < len(words) else str(k)


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 0.1 else f"{p:.2f}".removeprefix("0")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
