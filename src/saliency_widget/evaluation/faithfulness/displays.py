"""An evaluation as text and as HTML: sentences first, then the figures, then what was given up."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ...attribution.operators import OPERATORS
from ...characters import plain
from .figures import METRICS, Figure
from .verdicts import figure_number, orders_of, sentence, warnings

if TYPE_CHECKING:
    from .findings import Findings

_CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top"
_NUMBER = _CELL + ";font-variant-numeric:tabular-nums;white-space:nowrap"
_STAR = "*: better than chance (p ≤ .05). The intervals of random orders are in to_dataframe()."
_LEGEND = "[…]: the middle 95 % of random orders. (…): the 95 % interval of an estimate."


def to_text(findings: Findings) -> str:
    """Return every sentence and every warning, and a table of the figures for each target and operator."""
    lines = [_head(findings)]
    for target in findings.targets:
        lines += ["", f"“{plain(target)}”"]
        for operator in findings.operators:
            judged = [each for each in findings.judgements if (each.target, each.operator) == (target, operator)]
            if not judged:
                continue
            lines.append(f"  {operator}: a {findings.unit} is {OPERATORS[operator].says}")
            lines += [f"    {plain(each.map)}: {sentence(findings, each)}" for each in judged]
        lines += [f"  ! {said}" for name in findings.maps for said in warnings(findings, name, target)]
    for target in findings.targets:
        for operator in findings.operators:
            lines += _text_table(findings, target, operator)
    if findings.sanity is not None:
        lines += ["", repr(findings.sanity)]
    lines += ["", _STAR]
    return "\n".join([*lines, *(["", *findings.given_up] if findings.given_up else [])])


def _text_table(findings: Findings, target: str, operator: str) -> list[str]:
    """Return a line for each figure, with a column for each map, and below it why a figure is undefined."""
    judged = [each for each in findings.judgements if (each.target, each.operator) == (target, operator)]
    if not judged:
        return []
    label = max(len(METRICS[figure.metric].label) for figure in judged[0].figures)
    names = [plain(each.map) for each in judged]
    lines = ["", f"{f'“{plain(target)}”, {operator}':<{label}}  " + "  ".join(f"{name:>8}" for name in names)]
    for at, first in enumerate(judged[0].figures):
        figures = [each.figures[at] for each in judged]
        cells = [figure_number(f.metric, f.value) + ("*" if f.is_better else " ") for f in figures]
        row = "  ".join(f"{cell:>{max(8, len(name))}}" for cell, name in zip(cells, names, strict=True))
        lines.append(f"{METRICS[first.metric].label:<{label}}  {row}".rstrip())
    reasons = dict.fromkeys(figure.reason for each in judged for figure in each.figures if figure.reason)
    return [*lines, *(f"  –: {reason}" for reason in reasons)]


def to_html(findings: Findings) -> str:
    """Return the same as HTML, in the page's own colours."""
    parts = [f"<p>{escape(_head(findings))}</p>"]
    for target in findings.targets:
        parts.append(f"<p><b dir='auto'>“{escape(plain(target))}”</b></p>")
        for name in findings.maps:
            said = [
                f"<li>{escape(sentence(findings, each))} <span style='opacity:.7'>({escape(each.operator)}: "
                f"a {escape(findings.unit)} is {escape(OPERATORS[each.operator].says)})</span></li>"
                for each in findings.judgements
                if (each.map, each.target) == (name, target)
            ]
            said += [f"<li><b>⚠ {escape(each)}</b></li>" for each in warnings(findings, name, target)]
            if said:
                parts.append(f"<div>{escape(plain(name))}</div><ul style='margin:.2em 0 .6em'>{''.join(said)}</ul>")
    parts += [_table(findings, target, operator) for target in findings.targets for operator in findings.operators]
    parts += [f"<p style='opacity:.7'>{escape(said)}</p>" for said in (_LEGEND, *findings.given_up)]
    if findings.sanity is not None:
        parts.append(findings.sanity._repr_html_())
    return f"<div>{''.join(parts)}</div>"


def _table(findings: Findings, target: str, operator: str) -> str:
    judged = [each for each in findings.judgements if (each.target, each.operator) == (target, operator)]
    if not judged:
        return ""
    head = "".join(f"<th style='{_CELL}'>{escape(plain(each.map))}</th>" for each in judged)
    rows = []
    for at, first in enumerate(judged[0].figures):
        metric = METRICS[first.metric]
        cells = "".join(_cell(each.figures[at]) for each in judged)
        rows.append(f"<tr><th style='{_CELL}' title='{escape(metric.reads)}'>{escape(metric.label)}</th>{cells}</tr>")
    caption = f"“{escape(plain(target))}”, {escape(operator)}"
    return (
        "<div style='overflow-x:auto'><table style='border-collapse:collapse;color:inherit;font:inherit'>"
        f"<caption style='{_CELL}' dir='auto'>{caption}</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(figure: Figure) -> str:
    title = f" title='{escape(figure.reason)}'" if figure.reason else ""
    number = figure_number(figure.metric, figure.value)
    value = f"<b>{number}</b>" if figure.is_better else number
    return f"<td style='{_NUMBER}'{title}>{value} <span style='opacity:.7'>{escape(beside(figure))}</span></td>"


def beside(figure: Figure) -> str:
    """Return what random orders reach, the figure's p, and its own interval where it is an estimate."""

    def shown(value: float | None) -> str:
        return figure_number(figure.metric, value)

    said = []
    if figure.low is not None:
        said.append(f"({shown(figure.low)} … {shown(figure.high)})")
    if figure.random_low is not None:
        said.append(f"[{shown(figure.random_low)}, {shown(figure.random_high)}]")
    elif figure.random_mean is not None and figure.metric == "dfmit":
        said.append(f"random {shown(figure.random_mean)}")
    if figure.p is not None:
        said.append("p < .001" if figure.p < 0.001 else f"p = {figure.p:.3f}".replace("0.", "."))
    return " ".join(said)


def _head(findings: Findings) -> str:
    maps = len(findings.maps)
    read = "every subset of them was read" if findings.exact else f"steps of {', '.join(map(str, findings.steps))}"
    cost = "" if findings.exact else f", {findings.runs:.1f} occlusion runs"
    return (
        f"{maps} map{'' if maps == 1 else 's'} beside {orders_of(findings)} ({read}). {plain(findings.model_name)}, "
        f"{findings.seconds:.1f} s{cost}."
    )
