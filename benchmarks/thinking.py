"""Planted models: the share of texts in which maps by way of the thinking name the fact that was copied.

Run `python -m benchmarks.thinking --out benchmarks/results/thinking.json`.

Each text has a model of its own, a two-layer GPT-2 that copies by construction, with fresh noise in its weights, and
five facts of which one is right (tests/copying.py says how they are planted). Beside each method stands random noise,
sent through the same steps. `direct`: the right fact is the first of the facts in the direct map of the answer.
`of_prompt`, `of_facts`: it is the first of all words of the prompt, and of the facts, in the last step back: the first
of two steps, the second of three. `low` and `high`: the 95 % interval by Wilson.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import saliency_widget as sw  # isort: skip (before torch, as in a notebook)

import torch
from tests.copying import N_FACTS, copying_model, hits

METHODS = ("saliency", "attention", "random")
FIRST_SEED = 10_000  # of texts and models; the tests have others


def interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n texts, by Wilson."""
    z = 1.96
    middle, half = share + z * z / (2 * n), z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    whole = 1 + z * z / n
    return round((middle - half) / whole, 3), round((middle + half) / whole, 3)


def measure(steps: int, method: str, n: int) -> dict[str, object]:
    """Return the figures of a method over n texts."""
    began = time.process_time()
    found = hits(range(FIRST_SEED, FIRST_SEED + n), steps, method, model_of=copying_model)
    row: dict[str, object] = {"steps": steps, "method": method, "texts": n}
    for name, share in zip(("direct", "of_prompt", "of_facts"), found, strict=True):
        low, high = interval(share, n)
        row[name] = {"share": round(share, 3), "low": low, "high": high}
    return row | {"cpu_s_a_text": round((time.process_time() - began) / n, 3)}


def main(n: int, out: Path | None) -> None:
    """Measure, print and write the figures of n texts."""
    rows = []
    for steps in (2, 3):
        for method in METHODS:
            rows.append(measure(steps, method, n))
            print(json.dumps(rows[-1]), flush=True)
    about = {"facts": N_FACTS, "torch": torch.__version__, "version": sw.__version__, "rows": rows}
    if out is not None:
        out.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    main(given.texts, given.out)
