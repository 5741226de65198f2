"""Shares of the engine's time: the products it cannot do without, padding and repetition, what lies between.

Run `python benchmarks/where_time_goes.py`. Under the profiler everything is some 10 % slower: read the shares.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import engine
import roofline

PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}


def profiled(method: str, targets: int) -> dict[str, Any]:
    from torch.profiler import ProfilerActivity, profile

    model, written, _ = engine.model_and_ids(targets)
    work = engine.ours(model, written, method)
    work()
    with profile(activities=[ProfilerActivity.CPU]) as timed:
        work()
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as counted:  # counting can triple the time
        work()
    spent: Counter[str] = Counter()
    for event in timed.key_averages():
        kind = "products" if event.key in PRODUCTS else "attention" if "attention" in event.key else "between"
        spent[kind] += event.self_cpu_time_total / 1e6
    done = sum(event.flops for event in counted.key_averages() if event.key in PRODUCTS)
    rows = roofline.rows_needed(method, written.cols[0].position, targets, engine.STEPS)
    whole = sum(spent.values())
    return {
        "method": method,
        "targets": targets,
        **{f"{kind}_share": round(spent[kind] / whole, 3) for kind in ("products", "attention", "between")},
        "products_done_over_needed": round(done / roofline.products(model, rows), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="also write the numbers here, as JSON")
    chosen = parser.parse_args()
    wanted = ("saliency", "attnlrp", "occlusion")  # integrated gradients are the passes of saliency, once a step
    rows = [profiled(method, targets) for method in wanted for targets in (10, 32)]
    print("| work | T | products | attention | between | products done / needed |\n|---|---|---|---|---|---|")
    for r in rows:
        shares = " | ".join(f"{r[f'{kind}_share']:.0%}" for kind in ("products", "attention", "between"))
        print(f"| {r['method']} | {r['targets']} | {shares} | {r['products_done_over_needed']:.2f}× |")
    if chosen.out:
        chosen.out.write_text(json.dumps({"machine": engine.machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
