"""The result of the sweep for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .building import TASKS, Architecture
from .judging import OUTCOMES, TOLERANCE, Cell, Outcome
from .workers import Row

LETTERS: dict[Outcome, str] = {
    "right": "R", "unchecked": "u", "refused": "–", "random": "~", "slow": "S", "wrong": "W", "crash": "C",
}  # fmt: skip

_MEANING: dict[Outcome, str] = {
    "right": f"the map and the probability beside it equal the plain way within {TOLERANCE} of the largest score",
    "unchecked": "the probability is right; there is no plain way to the scores of this method on this model",
    "refused": "the package said in a sentence why not",
    "random": "the model answers differently each time, so nothing can be held against anything",
    "slow": "stopped at the time limit",
    "wrong": "another map or another probability than the plain way gives",
    "crash": "an error that is none of the package's own",
}

_HEADINGS = {
    "causal": "Models that write (causal)",
    "seq2seq": "Models that read a source and write (seq2seq)",
    "classify": "Models that classify",
}


def counts(rows: Sequence[Row]) -> dict[Outcome, int]:
    """Count the cells of each outcome."""
    found = Counter(cell.outcome for row in rows for cell in row.cells.values())
    return {outcome: found[outcome] for outcome in OUTCOMES}


def summary(rows: Sequence[Row]) -> str:
    """One line."""
    built = [row for row in rows if not row.cannot]
    said = ", ".join(f"{n:,} {outcome}" for outcome, n in counts(rows).items())
    return f"{len(built)} models of {len(rows)}, {sum(len(row.cells) for row in built):,} cells: {said}."


def line(row: Row, methods: Sequence[str]) -> str:
    """A row as progress is told."""
    task, name = row.architecture.task, row.architecture.name
    if row.cannot:
        return f"{task:<8} {name:<32} cannot be built: {row.cannot[:120]}"
    return f"{task:<8} {name:<32} {row.dtype:<8} {' '.join(_letter(row, method) for method in methods)}"


def markdown(rows: Sequence[Row], methods: Sequence[str], versions: Mapping[str, str]) -> str:
    """The whole result."""
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    parts = [
        "# Every text architecture, every method",
        f"A tiny random model of each, 40 tokens, three targets (or classes), against passes of {made_with} alone.",
        "`make test-sweep` makes this page.",
        f"**{summary(rows)}**",
        "\n".join(f"- `{LETTERS[outcome]}` {outcome}: {_MEANING[outcome]}" for outcome in OUTCOMES),
        *(_table(task, rows, methods) for task in TASKS if any(row.architecture.task == task for row in rows)),
        *_listed("Wrong", "wrong", rows),
        *_listed("Crash", "crash", rows),
        *_listed("Slow", "slow", rows),
        *_listed("Refused", "refused", rows),
        *_listed("Unchecked", "unchecked", rows),
    ]
    notes = [f"- {_said(row.architecture)}: {_one_line(row.note)}" for row in rows if row.note]
    cannot = [f"- {_said(row.architecture)}: {_one_line(row.cannot)}" for row in rows if row.cannot]
    for heading, items in (("Models with which something is odd", notes), ("Models that could not be built", cannot)):
        parts += [f"## {heading}", "\n".join(items) or "None."]
    return "\n\n".join(parts) + "\n"


def as_json(rows: Sequence[Row], methods: Sequence[str], versions: Mapping[str, str]) -> str:
    """The whole result, one line a model. A sentence that many cells have is written once; cells have its number."""
    sentences = list(dict.fromkeys(cell.detail for row in rows for cell in row.cells.values() if cell.detail))
    numbers = {sentence: number for number, sentence in enumerate(sentences)}
    lines = {
        "sentences": [json.dumps(sentence, ensure_ascii=False) for sentence in sentences],
        "rows": [json.dumps(_row_as_dict(row, numbers), ensure_ascii=False) for row in rows],
    }
    head = json.dumps({"versions": dict(versions), "methods": list(methods), "counts": counts(rows)})
    parts = ['"' + name + '": [\n' + ",\n".join(found) + "\n]" for name, found in lines.items()]
    return f"{head[:-1]}, {', '.join(parts)}}}\n"


def read(path: Path) -> list[Row]:
    """The rows that `as_json` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [_row_of_dict(row, found["sentences"]) for row in found["rows"]]


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(task: str, rows: Sequence[Row], methods: Sequence[str]) -> str:
    lines = [f"## {_HEADINGS[task]}", ""]
    lines += [f"| model type | weights | {' | '.join(f'`{m}`' for m in methods)} |"]
    lines += [f"|---|---|{'---|' * len(methods)}"]
    for row in rows:
        if row.architecture.task == task and not row.cannot:
            letters = " | ".join(_letter(row, method) for method in methods)
            lines.append(f"| {row.architecture.name} | {row.dtype} | {letters} |")
    return "\n".join(lines)


def _listed(heading: str, outcome: Outcome, rows: Sequence[Row]) -> Iterator[str]:
    """Each different detail of that outcome once, with the models and methods that had it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for cell in row.cells.values():
            if cell.outcome == outcome:
                error = "" if cell.error is None else f" ({cell.error:.1g})"
                found[_one_line(_nameless(cell.detail, row))][_said(row.architecture)].append(cell.method + error)
    yield f"## {heading}"
    if not found:
        yield "None."
    for detail, by_model in sorted(found.items(), key=lambda item: -len(item[1])):
        per_methods: dict[str, list[str]] = defaultdict(list)
        for model, said in by_model.items():
            per_methods[", ".join(said)].append(model)
        where = "\n".join(f"  - {said}: {', '.join(models)}" for said, models in per_methods.items())
        yield f"- {detail}\n{where}"


def _nameless(detail: str, row: Row) -> str:
    """A sentence without the class of the model, so that the same one of many models is one."""
    return detail.replace(row.network, "‹model›") if row.network else detail


def _letter(row: Row, method: str) -> str:
    return LETTERS[row.cells[method].outcome] if method in row.cells else " "


def _said(architecture: Architecture) -> str:
    return f"{architecture.name} [{architecture.task}]"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")[:500]


def _row_as_dict(row: Row, numbers: Mapping[str, int]) -> dict[str, Any]:
    facts = {name: value for name, value in vars(row).items() if name not in ("architecture", "cells") and value}
    cells = [cell.as_dict() for cell in row.cells.values()]
    for cell in cells:
        if "detail" in cell:
            cell["detail"] = numbers[cell["detail"]]
    return {**row.architecture._asdict(), **facts, "cells": cells}


def _row_of_dict(found: dict[str, Any], sentences: Sequence[str]) -> Row:
    architecture = Architecture(*(found.pop(name) for name in Architecture._fields))
    cells = [{**cell, "detail": sentences[cell["detail"]]} if "detail" in cell else cell for cell in found.pop("cells")]
    return Row(architecture=architecture, cells={cell["method"]: Cell(**cell) for cell in cells}, **found)
