"""The cost of a map of many tokens at once, beside that of one token at the end of the same text.

Run `python benchmarks/spans.py`; the numbers go to benchmarks/results/spans.json. CPU seconds of one thread, the least
of several runs, the spot check included.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

import saliency_widget as sw

OUT = Path(__file__).parent / "results" / "spans.json"
PROMPT, LENGTHS, RUNS = 20, (30, 100, 300), 3


def cpu_seconds(ids: list[int], span: tuple[int, int], objective: str) -> float:
    """Return the least CPU seconds of a map of this span."""
    found = []
    for _ in range(RUNS):
        began = time.process_time()
        sw.attribute(
            MODEL, input_ids=ids[:PROMPT], target_ids=ids[PROMPT:], span=span, objective=objective, progress=False
        )
        found.append(time.process_time() - began)
    return min(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    MODEL = sw.load_model("demo")
    rows = []
    for n in LENGTHS:
        ids = torch.randint(200, 20_000, (PROMPT + n,), generator=torch.Generator().manual_seed(n)).tolist()
        for objective in ("probability", "log_probability"):
            one, many = (cpu_seconds(ids, span, objective) for span in ((n - 1, n), (0, n)))
            row = {"tokens": n, "objective": objective, "one_s": one, "span_s": many, "ratio": many / one}
            rows.append({name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()})
            print(rows[-1])
    OUT.write_text(json.dumps({"prompt": PROMPT, "rows": rows}, indent=2) + "\n")
