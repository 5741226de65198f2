"""How say-versus-do shows itself: in a terminal, in a notebook, as a picture."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from ..characters import plain
from ..export.color import STEPS, swatch
from ..export.reading import MINUS, decimals

if TYPE_CHECKING:
    from matplotlib.colors import Colormap as Ramp
    from matplotlib.figure import Figure as Plot
    from numpy.typing import NDArray

    from .measures import Figure
    from .say_versus_do import SayVersusDo

# What is shown first; the data frame has all of them.
SHOWN = ("spearman", "kendall", "feature_agreement", "sign_agreement", "cosine")
_CELL = "padding:2px 8px;text-align:left;font-variant-numeric:tabular-nums;white-space:nowrap"


def verdict(result: SayVersusDo) -> str:
    """The answer in a sentence or two: the class, and whether any map agrees with what was said more than luck does."""
    known = result.explanation.label_probability
    sure = "" if known is None else f" (p = {known:.2f})"
    found = [result.figure(side.map.method, "spearman") for side in result.sides]
    agree = [
        side.map.label
        for side, figure in zip(result.sides, found, strict=True)
        if figure.outside and (figure.value or 0) > 0
    ]
    against = [
        side.map.label
        for side, figure in zip(result.sides, found, strict=True)
        if figure.outside and (figure.value or 0) < 0
    ]
    said = f"It answered {result.explanation.class_name}{sure}. "
    if agree:
        said += f"{_listed(agree)} rank{'s' if len(agree) == 1 else ''} the words as it says, beyond luck."
    else:
        said += f"None of {len(found)} maps ranks the words as it says, beyond what shuffled words reach."
    return said + (f" {_listed(against)} run{'s' if len(against) == 1 else ''} against it." if against else "")


def aside(result: SayVersusDo) -> str:
    """How varied, and how stable, what it said is."""
    n = result.levels
    parts = [f"{n} distinct number{'' if n == 1 else 's'}", f"{result.zeros:.0%} zeros".replace("%", " %")]
    if result.stability is not None:
        parts.append(f"rank correlation between {len(result.askings)} wordings {decimals(result.stability)}")
    return " · ".join(parts)


def to_text(result: SayVersusDo) -> str:
    """A line a word, and a line a measure."""
    names = ["said", *(side.map.label for side in result.sides)]
    words = [plain(word) for word in result.explanation.words]
    width = max(map(len, words))
    lines = [verdict(result), aside(result), "", f"{'':<{width}}  " + "  ".join(f"{name:>16}" for name in names)]
    columns = [result.explanation.scores, *(side.map.scores[:, 0] for side in result.sides)]
    for i, word in enumerate(words):
        lines.append(f"{word:<{width}}  " + "  ".join(f"{column[i]:>16.3g}" for column in columns))
    for side in result.sides:
        lines += ["", side.map.label]
        lines += [f"  {figure.label:<24} {_value(figure)}" for figure in side.figures if figure.value is not None]
    return "\n".join(lines)


def to_html(result: SayVersusDo) -> str:
    """The words by the sources as coloured cells, and the figures under each source."""
    sources = [("said", result.explanation.scores, 1.0, True)]
    for side in result.sides:
        column = side.map.scores[:, 0]
        sources.append((side.map.label, column, float(np.nanmax(np.abs(column))) or 1.0, side.map.signed))
    head = "".join(f"<th style='{_CELL}'>{escape(name)}</th>" for name, *_ in sources)
    rows = []
    for i, word in enumerate(result.explanation.words):
        cells = "".join(_cell(float(column[i]), largest, signed=signed) for _, column, largest, signed in sources)
        rows.append(f"<tr><td style='{_CELL}' dir='auto'>{escape(plain(word))}</td>{cells}</tr>")
    for measure in SHOWN:
        figures = [result.figure(side.map.method, measure) for side in result.sides]
        cells = "".join(f"<td style='{_CELL}'>{_figure(figure)}</td>" for figure in figures)
        rows.append(f"<tr><td style='{_CELL}'>{escape(figures[0].label)}</td><td></td>{cells}</tr>")
    return (
        f"<p><b>{escape(verdict(result))}</b><br>{escape(aside(result))}</p>"
        "<div style='overflow-x:auto'><table style='border-collapse:collapse'>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "<p style='opacity:.7'>Bold: outside the middle 95 % of what shuffled words reach, which stands beside it.</p>"
    )


def plot(result: SayVersusDo) -> Plot:
    """Words by sources in the colours of the live map, each on its own scale; under each its rank correlation.

    Purple speaks for the class, orange against it; a source without signs is blue.
    """
    from matplotlib import pyplot as plt

    columns = [result.explanation.scores, *(_scaled(side.map.scores[:, 0]) for side in result.sides)]
    signed = np.array([True, *(side.map.signed for side in result.sides)])
    labels = ["said"]
    for side in result.sides:
        figure = result.figure(side.map.method, "spearman")
        labels.append(f"{side.map.label}\nρ = {'–' if figure.value is None else f'{figure.value:.2f}'}")
    words = [_drawn(word) for word in result.explanation.words]
    size = (1.6 * len(labels) + 1.5, 0.3 * len(words) + 1)
    canvas, axes = plt.subplots(figsize=size, layout="constrained")
    plt.close(canvas)  # whoever asked shows it; pyplot would show it once more
    shares = np.stack(columns, axis=1)
    for kind, label in ((True, "share of the largest"), (False, "without a sign")):
        if (signed == kind).any():
            of_this_kind = np.where(signed == kind, shares, np.nan)
            image = axes.imshow(of_this_kind, cmap=_ramp(signed=kind), vmin=-1 if kind else 0, vmax=1, aspect="auto")
            canvas.colorbar(image, ax=axes, label=label)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(words)), words)
    axes.xaxis.tick_top()
    return canvas


def _ramp(*, signed: bool) -> Ramp:
    """The colours of the live map as one of matplotlib's; what has no number is left transparent."""
    from matplotlib.colors import ListedColormap

    shares = np.linspace(-1 if signed else 0, 1, 2 * STEPS + 1 if signed else STEPS + 1)
    return ListedColormap([swatch(float(share), 1.0, signed=signed).background for share in shares])


def _drawn(word: str) -> str:
    """A word as a label: what is between two dollar signs would be mathematics."""
    return plain(word).replace("$", r"\$")


def _scaled(column: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = column / (np.nanmax(np.abs(column)) or 1.0)
    return scaled


def _cell(score: float, largest: float, *, signed: bool) -> str:
    if np.isnan(score):
        return f"<td style='{_CELL}'>not said</td>"
    look = swatch(score / largest, 1.0, signed=signed)
    return (
        f"<td style='{_CELL};background:{look.background};color:{look.ink}'>{f'{score:.3g}'.replace('-', MINUS)}</td>"
    )


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    value = decimals(round(figure.value, 3))
    return f"<b>{value}</b> {_floor(figure)}" if figure.outside else f"{value} {_floor(figure)}"


def _floor(figure: Figure) -> str:
    low, high = (decimals(round(end or 0.0, 3)) for end in (figure.random_low, figure.random_high))
    return f"<span style='opacity:.7'>({low} … {high})</span>"


def _value(figure: Figure) -> str:
    low, high = (decimals(round(end or 0.0, 3)) for end in (figure.random_low, figure.random_high))
    return f"{decimals(round(figure.value or 0.0, 3))}{'*' if figure.outside else ' '} ({low} … {high})"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
