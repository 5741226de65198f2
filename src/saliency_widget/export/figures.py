"""Numbers in the words of the live map (js/src/format.ts), digit for digit."""

from __future__ import annotations

import math

from .reading import MINUS


def share(value: float) -> str:
    """A share or a probability: .342, −.051, 1.000; two digits below .01: .0021."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    digits = f"{size:.3f}"
    if 0 < size < 0.01:
        mantissa, exponent = f"{size:.1e}".split("e")
        digits = f"{size:.{1 - int(exponent)}f}" if size >= 1e-6 else f"{mantissa}e{MINUS}{-int(exponent)}"
    return f"{_sign(value)}{digits.removeprefix('0')}"


def significant(value: float) -> str:
    """Three significant digits, whatever the size: 0.0123, −4.56, 1.20e−7."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{_sign(value)}∞"
    size = abs(value)
    if size == 0:
        return "0"
    if 1e-4 <= size < 1e6:
        digits = f"{size:.0f}" if float(f"{size:.3g}") >= 1000 else f"{size:#.3g}".rstrip(".")
    else:
        mantissa, exponent = f"{size:.2e}".split("e")
        digits = f"{mantissa}e{_sign(int(exponent))}{abs(int(exponent))}"
    return f"{_sign(value)}{digits}"


def percent(value: float) -> str:
    """23 %, or 0.4 % where it is less than one."""
    size = abs(100 * value)
    return f"{_sign(value)}{size:.{1 if 0 < size < 1 else 0}f} %"


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""
