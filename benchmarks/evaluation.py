"""The cost of an evaluation: rows, occlusion runs and CPU seconds for texts of 8, 30, 67 and 165 words; five maps each.

Run `.venv/bin/python benchmarks/evaluation.py`. Two operators, 50 random orders, the default budget. An occlusion run
is one pass for each word, without that word; its CPU seconds are measured beside, on the same text with one of the
operators. The maps are random scores: what is read does not depend on how good they are.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import saliency_widget as sw  # isort: skip (before torch: it says how long torch's threads spin)

import numpy as np

SENTENCE = "The first president of the United States was George"
REVIEW = (
    "The film that we saw last night was long , loud and , to the surprise of everyone , rather good . We went home "
    "late and could not sleep , because the music stayed with us ."
)
SIZES = (8, 30, 67, 165)  # words that may go


def text_of(n: int) -> str:
    """A text with n words that may go, and one more before them, which always stays."""
    if n == 8:
        return SENTENCE
    review = REVIEW.split()
    words = (review * (n // len(review) + 1))[:n]
    return " ".join(["Once", *words])


def seconds_of(work: Any) -> tuple[Any, float]:
    started = time.process_time()
    found = work()
    return found, round(time.process_time() - started, 2)


def one(model: Any, n: int) -> dict[str, Any]:
    text = text_of(n)
    first = sw.attribute(model, text, max_new_tokens=1, method="random", progress=False)
    target = [first.cols[0].id]
    _, occlusion = seconds_of(
        lambda: sw.attribute(
            model, text, target_ids=target, method="occlusion", operator="delete", unit="word", progress=False
        )
    )
    scores = np.random.default_rng(0).normal(size=(5, len(first.rows), 1))
    maps = [
        sw.Attribution.from_scores(each, first.rows, first.cols, method=f"map {i}") for i, each in enumerate(scores)
    ]
    found, seconds = seconds_of(lambda: sw.evaluate(model, maps, progress=False))
    return {
        "words": len(found.units),
        "steps": list(found.steps),
        "random orders": found.floors[0].random,
        "rows": round(found.rows),
        "occlusion runs": round(found.runs, 2),
        "CPU seconds": seconds,
        "CPU seconds of an occlusion run": occlusion,
        "given up": list(found.given_up),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "evaluation.json")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    asked = parser.parse_args()
    model = sw.load_model("demo", device="cpu", dtype="float32")
    one(model, 8)  # what is probed once for a model is no cost of a text
    rows = []
    for n in asked.sizes:
        rows.append(one(model, n))
        print(rows[-1], flush=True)
        asked.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
