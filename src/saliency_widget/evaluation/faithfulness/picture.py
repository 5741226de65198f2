"""An evaluation as a picture: for each target and operator the curves of its maps, and the band of random orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...characters import plain
from .curves import kept_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Plot

    from .findings import Findings

_CAPTIONS = {"without": "taken away, a map's first ones first", "only": "kept: a map's first ones alone"}


def plot(findings: Findings) -> Plot:
    """Return a matplotlib figure: a row of two panels for each target and operator."""
    from matplotlib import pyplot as plt

    floors = findings.floors
    canvas, axes = plt.subplots(
        len(floors), 2, figsize=(10, 3.2 * len(floors)), layout="constrained", squeeze=False, sharex=True
    )
    plt.close(canvas)  # the caller shows it; pyplot would show it once more
    for floor, panels in zip(floors, axes, strict=True):
        for panel, side in zip(panels, _CAPTIONS, strict=True):
            _panel(panel, findings, floor.target, floor.operator, side)
    handles, labels = axes[0][0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=4)
    return canvas


def _panel(axes: Axes, findings: Findings, target: str, operator: str, side: str) -> None:
    floor = findings.floor(target, operator)
    shown = np.array if findings.raw else np.exp
    start = floor.whole if side == "without" else floor.empty
    n = len(findings.units)
    steps = findings.steps if side == "without" else kept_steps(n, findings.steps)
    places = [0, *steps]
    band = getattr(floor, side)
    middle, low, high = (shown([start, *part]) for part in (band.middle, band.low, band.high))
    axes.fill_between(places, low, high, color="0.6", alpha=0.3, label="random, middle 95 %", linewidth=0)
    axes.plot(places, middle, color="0.5", linestyle=":", label="random, median")
    for each in findings.judgements:
        if (each.target, each.operator) == (target, operator):
            axes.plot(places, shown([start, *getattr(each, side)]), marker="o", markersize=3, label=_drawn(each.map))
    axes.set_title(f"{_drawn(target)} · {operator}", fontsize="medium")
    axes.set_xlabel(f"{findings.unit}s {_CAPTIONS[side]}")
    axes.set_ylabel("value" if findings.raw else "probability")


def _drawn(name: str) -> str:
    """Return a name as a label: what is between two dollar signs would be mathematics."""
    return plain(name).replace("$", r"\$")
