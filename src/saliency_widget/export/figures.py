"""Numbers as text, with the digits of the live map (js/src/format.ts)."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from .reading import MINUS, Column


def share(value: float) -> str:
    """Return a share or a probability as text: .342, −.051, 1.000; below .01 two significant digits: .0021."""
    if not math.isfinite(value):
        return "–"
    size = abs(float(value))
    if size == 0 or size >= 0.01:
        digits = _fixed(size, 3)
    else:
        digits = f"{_precise(size, 2):f}" if size >= 1e-6 else _exponential(size, 2)
    return f"{_sign(value)}{digits.removeprefix('0')}"


def significant(value: float) -> str:
    """Return a number with three significant digits: 0.0123, −4.56, 1.20e−7."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{_sign(value)}∞"
    size = abs(float(value))
    if size == 0:
        return "0"
    if 1e-4 <= size < 1e6:
        digits = _fixed(size, 0) if _precise(size, 3) >= 1000 else f"{_precise(size, 3):f}"
    else:
        digits = _exponential(size, 3)
    return f"{_sign(value)}{digits}"


def percent(value: float) -> str:
    """Return a share as text: 34 %, −5 %; between 0 and 1 % with one decimal."""
    size = abs(100 * value)
    return f"{_sign(value)}{_fixed(size, 1 if 0 < size < 1 else 0)} %"


def number(column: Column) -> str:
    """Return the probability of a target, or the model's raw value; a dash if neither is known."""
    return share(column.probability) if math.isnan(column.value) else significant(column.value)


# Ties are rounded away from 0, as in JavaScript; Python's formats round to the even digit.


def _fixed(size: float, decimals: int) -> str:
    return f"{Decimal(size).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"


def _precise(size: float, digits: int) -> Decimal:
    exact = Decimal(size)
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_UP)
    more = rounded.adjusted() - exact.adjusted()  # 9.996 is 10.0, not 10.00
    return rounded.quantize(rounded.scaleb(more)) if more else rounded


def _exponential(size: float, digits: int) -> str:
    rounded = _precise(size, digits)
    exponent = rounded.adjusted()
    return f"{rounded.scaleb(-exponent):f}e{_sign(exponent)}{abs(exponent)}"


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""
