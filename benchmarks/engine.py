"""Ours against inseq, in one run on the same ids: seconds, CPU seconds, ratio, peak memory, time to the first column.

Run `make bench`, or `python benchmarks/engine.py --targets 10 32 --repeat 3 --out benchmarks/results/engine.json`.

Each measurement is the best of `--repeat` runs; ours and inseq's alternate, so a busy machine meets both. Quote the
ratio of CPU seconds where the machine was shared. Memory is the peak over the resident model, of a fresh process each.
"Of the limit" sets our time against the matrix products alone, see roofline.py.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import multiprocessing
import os
import platform
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import psutil

import saliency_widget as sw  # isort: skip (before torch, as in a notebook: it says how long torch's threads spin)

import roofline

TEXT = "The first president of the United States was George"
STEPS = 10  # of integrated gradients

# By method: our settings, inseq's name (None: it has no such method) and its settings.
METHODS: dict[str, tuple[dict[str, Any], str | None, dict[str, Any]]] = {
    "saliency": ({}, "saliency", {}),
    "input_x_gradient": ({}, "input_x_gradient", {}),
    "attnlrp": ({}, None, {}),
    "integrated_gradients": ({"steps": STEPS}, "integrated_gradients", {"n_steps": STEPS}),
    "occlusion": ({}, "occlusion", {}),
    "attention": ({}, "attention", {}),
}


class Peak:
    """The largest resident size while it is open, sampled every few milliseconds, over what it was before."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self.before = self.largest = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.largest = max(self.largest, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """Over what it was before, in units of 10⁶ bytes."""
        return (self.largest - self.before) / 1e6


def timed(work: Callable[[], Any]) -> dict[str, float]:
    cpu, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return {"wall": wall, "cpu": used}


def model_and_ids(targets: int) -> tuple[Any, Any, str]:
    model = sw.load_model("demo", device="cpu", dtype="float32")
    written = sw.attribute(model, TEXT, max_new_tokens=targets, method="random", progress=False)
    return model, written, model.tokenizer.decode([t.id for t in written.cols])


def ours(model: Any, written: Any, method: str) -> Callable[..., None]:
    from saliency_widget.attribution import pipeline
    from saliency_widget.attribution.engine import Schedule
    from saliency_widget.attribution.problem import Chunk
    from saliency_widget.models.text.prompting import check_prompt

    question = pipeline.check_question(method, "probability", METHODS[method][0])
    encoded = model.encode(check_prompt(TEXT))
    document = model.document(encoded, [t.id for t in written.cols])

    def work(*, watched: bool = False) -> None:
        """Everything that `attribute` does for a forced target; where somebody watches, until the first column."""
        schedule = Schedule(range(len(document.targets)), prefer=0 if watched else None)
        for chunk in pipeline.columns(model.shadow(), question, document, schedule):
            if isinstance(chunk, Chunk):
                assert chunk.scores.shape[0] == len(document.rows)
                if watched:
                    return

    return work


def theirs(model: Any, written: Any, target: str, method: str, text: str = TEXT) -> Callable[[], None]:
    import inseq

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    # A copy: it leaves hooks and settings behind, and reads attention only from an eager model.
    network, tokenizer = copy.deepcopy(model.model), copy.deepcopy(model.tokenizer)
    tokenizer.pad_token = tokenizer.unk_token  # a pad token that occurs in the text would shift its labels
    if method == "attention":
        network.set_attn_implementation("eager")
    _, name, settings = METHODS[method]
    wrapped = inseq.load_model(network, name, tokenizer=tokenizer)
    ids = [t.id for t in (*written.rows, written.cols[-1])]

    def work() -> None:
        out = wrapped.attribute(text, text + target, show_progress=False, **settings)
        assert [t.id for t in out[0].target] == ids, "inseq must be given the same ids"

    return work


def peak(who: str, method: str, targets: int, queue: Any) -> None:
    """In a process of its own: the peak of one run over the loaded, once used model."""
    model, written, target = model_and_ids(targets)
    work = ours(model, written, method) if who == "ours" else theirs(model, written, target, method)
    with Peak() as watched:
        work()
    queue.put(watched.megabytes)


def peak_of(who: str, method: str, targets: int) -> float:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=peak, args=(who, method, targets, queue))
    process.start()
    megabytes: float = queue.get(timeout=600)
    process.join()
    return megabytes


def compare(method: str, targets: int, repeat: int) -> dict[str, Any]:
    model, written, target = model_and_ids(targets)
    contenders = {"ours": ours(model, written, method)}
    if METHODS[method][1] is not None:
        contenders["inseq"] = theirs(model, written, target, method)
    runs: dict[str, list[dict[str, float]]] = {who: [] for who in contenders}
    for _ in range(repeat):
        for who, work in contenders.items():
            if len(runs[who]) < 1 or sum(run["wall"] for run in runs[who]) < 60:  # a minute of it is enough
                runs[who].append(timed(work))
    first = min(timed(partial(contenders["ours"], watched=True))["wall"] for _ in range(repeat))
    best = {who: {k: min(r[k] for r in found) for k in found[0]} for who, found in runs.items()}
    prompt = written.cols[0].position
    limit = roofline.seconds(model, roofline.rows_needed(method, prompt, targets, STEPS))
    row = {
        "method": method,
        "targets": targets,
        "prompt_tokens": prompt,
        **{f"{who}_{k}_s": round(v, 4) for who, found in best.items() for k, v in found.items()},
        "ours_first_column_s": round(first, 4),
        "limit_s": round(limit, 4),
        "of_limit": round(best["ours"]["wall"] / limit, 2),
        **{f"{who}_peak_mb": round(peak_of(who, method, targets)) for who in contenders},
    }
    if "inseq" in best:
        row["ratio_wall"] = round(best["inseq"]["wall"] / best["ours"]["wall"], 2)
        row["ratio_cpu"] = round(best["inseq"]["cpu"] / best["ours"]["cpu"], 2)
        row["first_column_sooner"] = round(best["inseq"]["wall"] / first, 1)
    return row


def machine() -> dict[str, Any]:
    import inseq
    import torch
    import transformers

    name = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    return {
        "processor": name or platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "inseq": getattr(inseq, "__version__", "") or __import__("importlib.metadata").metadata.version("inseq"),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def table(rows: list[dict[str, Any]]) -> str:
    head = (
        "| work | T | inseq s | ours s | ratio | of the limit | first column s | peak MB inseq / ours |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {r['method']} | {r['targets']} "
        f"| {_figure(r, 'inseq_wall_s', '.2f')} | {r['ours_wall_s']:.2f} | {_figure(r, 'ratio_wall', '.1f', '×')} "
        f"| {r['of_limit']:.2f}× | {r['ours_first_column_s']:.2f} "
        f"| {_figure(r, 'inseq_peak_mb', '.0f')} / {r['ours_peak_mb']} |\n"
        for r in rows
    )


def _figure(row: dict[str, Any], name: str, form: str, unit: str = "") -> str:
    return f"{row[name]:{form}}{unit}" if name in row else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--targets", nargs="+", type=int, default=[10, 32])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None, help="also write the numbers here, as JSON")
    chosen = parser.parse_args()
    about = machine()
    rows = []
    for method in chosen.methods:
        for targets in chosen.targets:
            print(f"{method}, T = {targets} …", file=sys.stderr)
            rows.append(compare(method, targets, chosen.repeat))
    print(json.dumps(about, indent=2))
    print(table(rows))
    if chosen.out:
        chosen.out.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
