"""Growth of time and memory, ours and inseq's: up to 128 targets after a short prompt, prompts of up to 2,000 tokens.

Run `make bench-scaling`. One run each, a fresh process each, so that memory is that of the work alone; what would take
longer than `--patience` seconds is left out, and the table says so. Writes a table, a plot and the numbers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import saliency_widget as sw  # isort: skip (before torch: it says how long torch's threads spin)

import engine

TARGETS = (8, 16, 32, 64, 128)
PROMPTS = (50, 200, 500, 1000, 2000)
BUDGET = 1 << 30  # bytes: what ours may take on long prompts
SENTENCE = "The film that we saw last night was long, loud and, to everyone's surprise, rather good. "


def one(who: str, prompt: int | None, targets: int, budget: int | None, queue: Any) -> None:
    """Seconds and megabytes of one saliency map, in a process of its own."""
    model = sw.load_model("demo", device="cpu", dtype="float32")
    text = engine.TEXT if prompt is None else _text(model, prompt)
    written = sw.attribute(model, text, max_new_tokens=targets, method="random", progress=False)
    ids = [t.id for t in written.cols]
    if who == "ours":

        def work() -> None:
            sw.attribute(model, text, target_ids=ids, memory_budget=budget, progress=False)

    else:
        work = engine.theirs(model, written, model.tokenizer.decode(ids), "saliency", text)
    with engine.Peak() as watched:
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
    queue.put((seconds, watched.megabytes))


def _text(model: Any, n: int) -> str:
    """A text of n tokens, about."""
    each = len(model.tokenizer(SENTENCE)["input_ids"])
    return (SENTENCE * (n // each + 1))[: len(SENTENCE) * n // each].strip()


def measured(who: str, prompt: int | None, targets: int, budget: int | None, patience: float) -> dict[str, Any] | None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=one, args=(who, prompt, targets, budget, queue))
    process.start()
    process.join(patience + 30)  # loading and writing come on top
    if process.is_alive():
        process.kill()
        process.join()
        return None
    if process.exitcode:
        return None
    seconds, megabytes = queue.get(timeout=10)
    return {"seconds": round(seconds, 3), "peak_mb": round(megabytes)}


def series(prompts: bool, patience: float) -> list[dict[str, Any]]:
    rows = []
    given_up: set[str] = set()
    for size in PROMPTS if prompts else TARGETS:
        prompt, targets, budget = (size, 8, BUDGET) if prompts else (None, size, None)
        row: dict[str, Any] = {"prompt" if prompts else "targets": size}
        for who in ("ours", "inseq"):
            found = None if who in given_up else measured(who, prompt, targets, budget, patience)
            if found is None:
                given_up.add(who)
            row[who] = found
        print(row, file=sys.stderr)
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]], name: str) -> str:
    lines = [f"| {name} | inseq s | ours s | ratio | peak MB inseq / ours |", "|---|---|---|---|---|"]
    for row in rows:
        ours, other = row["ours"], row["inseq"]
        ratio = f"{other['seconds'] / ours['seconds']:.1f}×" if ours and other else "–"
        cells = [
            str(row[name]),
            f"{other['seconds']:.1f}" if other else "–",
            f"{ours['seconds']:.1f}" if ours else "–",
            ratio,
            f"{other['peak_mb'] if other else '–'} / {ours['peak_mb'] if ours else '–'}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    panels = (("targets", "seconds"), ("prompt", "seconds"), ("prompt", "peak_mb"))
    for axis, (name, what) in zip(axes, panels, strict=True):
        for who, colour in (("inseq", "#b4531f"), ("ours", "#2163c4")):
            points = [(row[name], row[who][what]) for row in found[name] if row[who]]
            axis.plot(*zip(*points, strict=True), "o-", color=colour, label=who)
        axis.set(xlabel={"targets": "targets", "prompt": "tokens of the prompt"}[name], xscale="log", yscale="log")
        axis.set_title({"seconds": "seconds", "peak_mb": "MB over the model"}[what], loc="left", fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patience", type=float, default=120)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    chosen = parser.parse_args()
    found = {"targets": series(False, chosen.patience), "prompt": series(True, chosen.patience)}
    for name, rows in found.items():
        print(table(rows, name))
    about = {"machine": engine.machine(), "memory_budget": BUDGET, **found}
    (chosen.out / "scaling.json").write_text(json.dumps(about, indent=2) + "\n")
    plot(found, chosen.out / "scaling.svg")


if __name__ == "__main__":
    main()
