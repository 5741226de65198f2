"""The colours of shares: exactly the ramp of the live map (js/src/color.ts) on its light background."""

from __future__ import annotations

from functools import cache
from math import cos, floor, isnan, radians, sin
from typing import NamedTuple, TypeAlias

Rgb: TypeAlias = tuple[int, int, int]
Lab: TypeAlias = tuple[float, float, float]

STEPS = 64
PAPER: Rgb = (255, 255, 255)
INK: Rgb = (27, 29, 34)
QUIET: Rgb = (95, 102, 115)  # the colour of secondary text; contrast 5.8 on the paper
SOFT_WHITE: Rgb = (240, 242, 246)
BLACK: Rgb = (0, 0, 0)
WHITE: Rgb = (255, 255, 255)

# OKLCH of the far ends: lightness, chroma, hue in degrees. Colour-blind readers can tell purple from orange, and both
# differ from the blue of unsigned scores.
BLUE = (0.54, 0.16, 257.0)
PURPLE = (0.54, 0.17, 305.0)
ORANGE = (0.54, 0.13, 45.0)


class Swatch(NamedTuple):
    """A background, its text colour, and a quieter text colour if its contrast is enough (WCAG AA), as `#rrggbb`."""

    background: str
    ink: str
    quiet: str


def swatch(share: float, largest: float, *, signed: bool) -> Swatch:
    """Return the colours of one share in the domain up to `largest`; those of the paper for NaN or an empty domain."""
    if isnan(share) or not largest > 0:
        return _at(0, signed=signed)
    return _at(floor(STEPS * max(-1.0, min(1.0, share / largest)) + 0.5), signed=signed)


def legend(*, signed: bool, floor: float = 0.0) -> list[str]:
    """Return nine backgrounds from one end of the domain, −1 (or 0 if unsigned), to the other, 1.

    `floor`: the fraction below which numbers have no colour.
    """
    domain = [(k - 4) / 4 if signed else k / 8 for k in range(9)]
    return [_at(round(STEPS * at) if abs(at) >= floor else 0, signed=signed).background for at in domain]


def contrast(a: Rgb, b: Rgb) -> float:
    """Return the WCAG 2 contrast ratio, 1 … 21."""
    low, high = sorted(0.2126 * _linear(r) + 0.7152 * _linear(g) + 0.0722 * _linear(b) for r, g, b in (a, b))
    return (high + 0.05) / (low + 0.05)


def css(rgb: Rgb) -> str:
    """Return a colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _at(step: int, *, signed: bool) -> Swatch:
    return _ramp(ORANGE if step < 0 else PURPLE if signed else BLUE)[abs(step)]


@cache
def _ramp(far: tuple[float, float, float]) -> tuple[Swatch, ...]:
    """Return the ramp from the paper to one end, in STEPS steps."""
    paper = _to_oklab(PAPER)
    lightness, chroma, hue = far
    end = (lightness, chroma * cos(radians(hue)), chroma * sin(radians(hue)))
    swatches = []
    for step in range(STEPS + 1):
        t = step / STEPS
        rgb = _from_oklab(tuple(p * (1 - t) + e * t for p, e in zip(paper, end, strict=True)))
        ink = _ink_on(rgb)
        swatches.append(Swatch(css(rgb), css(ink), css(QUIET if contrast(QUIET, rgb) >= 4.5 else ink)))
    return tuple(swatches)


def _ink_on(background: Rgb) -> Rgb:
    """Return a soft text colour if it is easy to read, otherwise white if its contrast is 4.5, otherwise black."""
    for ink in (INK, SOFT_WHITE):
        if contrast(ink, background) >= 5:
            return ink
    return WHITE if contrast(WHITE, background) >= 4.5 else BLACK


def _linear(channel: int) -> float:
    c = channel / 255
    return c / 12.92 if c <= 0.04045 else float(((c + 0.055) / 1.055) ** 2.4)


def _channel(value: float) -> int:
    c = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return floor(255 * min(1.0, max(0.0, c)) + 0.5)


def _to_oklab(rgb: Rgb) -> Lab:
    """Convert to OKLab. Source: Ottosson 2020, A perceptual color space for image processing."""
    r, g, b = (_linear(channel) for channel in rgb)
    l_ = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    m_ = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s_ = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * l_ + 0.793617785 * m_ - 0.0040720468 * s_,
        1.9779984951 * l_ - 2.428592205 * m_ + 0.4505937099 * s_,
        0.0259040371 * l_ + 0.7827717662 * m_ - 0.808675766 * s_,
    )


def _from_oklab(lab: tuple[float, ...]) -> Rgb:
    lightness, a, b = lab
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    return (
        _channel(4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_),
        _channel(-1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_),
        _channel(-0.0041960863 * l_ - 0.7034186147 * m_ + 1.707614701 * s_),
    )
