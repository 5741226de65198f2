"""The cost of removal on the demo model: half-masks of one text, and every subset of ten words.

Run `python benchmarks/masking.py --out benchmarks/results/masking.json`.

Half-masks: kept rows alone, as the engine reads them, beside all rows with a 2-D attention mask and as many rows in a
pass, once with the logits of the last row and once with all, as a plain call gives them. They alternate, and each is
the best of `--repeat` runs. `kept_share` of the rows is read: by rows alone no way is faster than 1 / share. Subsets:
2^10 of them, of a text whose first token stays and whose last one predicts (2^11 rows), and of one whose last token
goes too, so that the last one left predicts (2^10 rows). Quote CPU seconds where a machine was shared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import saliency_widget as sw  # isort: skip (before torch, as in a notebook)

import numpy as np
import torch

from saliency_widget.attribution.masking import may_go, outcomes, read, rows_at_once
from saliency_widget.attribution.pipeline import check_question, problem_of
from saliency_widget.attribution.problem import Problem
from saliency_widget.attribution.subsets import all_subsets
from saliency_widget.models.text.prompting import check_prompt

REVIEW = (
    "I went in expecting very little and left with even less. The plot wanders from one borrowed scene to the next, "
    "the dialogue is wooden, and the lead looks as bored as I was. A single clever shot of the harbour at night cannot "
    "save two hours of this. The music, however, is lovely, and I would gladly hear it again somewhere else."
)
SHORT = "The first president of the United States of America was George"
LONGER = "The first president of the United States of America was called George"


def problem(text: str, target: str) -> Problem:
    model = sw.load_model("demo").shadow()
    encoded = model.encode(check_prompt(text, target=target))
    document = model.document(encoded, encoded.target)
    question = check_question("occlusion", "log_probability", {})
    return problem_of(model, question.request(model, document), document, None)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what it gives, its CPU seconds and its seconds."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = work()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return found, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def with_2d_masks(of: Problem, keep: np.ndarray, most: int, logits: int) -> torch.Tensor:
    """Return log-probabilities [s] of the first target, all rows read under an attention mask [batch, n].

    `logits`: the number of last rows that have logits; 0 for all.
    """
    model, ids = of.access.module, torch.tensor([of.access.ids[: keep.shape[1]]])
    found = []
    size = max(1, most // keep.shape[1])
    with torch.no_grad():
        for start in range(0, len(keep), size):
            mask = torch.from_numpy(keep[start : start + size]).long()
            rows = ids.expand(len(mask), -1)
            positions = torch.arange(keep.shape[1]).expand(len(mask), -1)
            given = {"attention_mask": mask, "position_ids": positions, "use_cache": False, "logits_to_keep": logits}
            out = model(input_ids=rows, **given)
            found.append(out.logits[:, -1].double().log_softmax(-1)[:, of.targets[0].ids[0]])
    return torch.cat(found)


def half_masks(repeat: int) -> dict[str, Any]:
    of = problem(REVIEW, " The")
    text = read(of, [0], None)
    rows = may_go(of)[:-1]  # a pass under a mask reads the prediction from the last row, which stays
    keep = np.ones((100, len(text.embeddings)), dtype=bool)
    keep[:, rows] = np.random.default_rng(0).random((100, len(rows))) < 0.5
    most = rows_at_once(text)
    ways = {
        "kept_rows": lambda: torch.cat([one.objectives for one in outcomes(text, keep, "mask")])[:, 0],
        "masks_2d": lambda: with_2d_masks(of, keep, most, 1),
        "plain_calls": lambda: with_2d_masks(of, keep, most, 0),
    }
    for work in ways.values():  # what is probed and warmed up
        work()
    best: dict[str, tuple[float, float]] = {}
    found: dict[str, torch.Tensor] = {}
    for _ in range(repeat):
        for name, work in ways.items():
            found[name], cpu, seconds = timed(work)
            best[name] = min(best.get(name, (np.inf, np.inf)), (cpu, seconds))
    return {
        "tokens": len(text.embeddings),
        "masks": len(keep),
        "rows_a_pass": most,
        "kept_share": round(float(keep.mean()), 3),
        **{name: {"cpu": round(cpu, 2), "wall": round(seconds, 2)} for name, (cpu, seconds) in best.items()},
        "ratio_cpu": {n: round(best[n][0] / best["kept_rows"][0], 2) for n in ("masks_2d", "plain_calls")},
        "largest_difference": float((found["kept_rows"] - found["masks_2d"]).abs().max()),
    }


def subsets(sentence: str, repeat: int) -> dict[str, Any]:
    of = problem(sentence, " Washington")
    text = read(of, [0], None)
    rows = may_go(of)
    units = [[row] for row in (rows if len(rows) == 10 else rows[:-1])]  # the last of eleven predicts, and stays
    all_subsets(text, units, "mask")
    runs = [timed(lambda: all_subsets(text, units, "mask"))[1:] for _ in range(repeat)]
    cpu, seconds = min(runs)
    return {
        "tokens": len(text.embeddings), "units": len(units), "cpu": round(cpu, 2), "wall": round(seconds, 2)
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "torch": torch.__version__,
        "half_masks": half_masks(args.repeat),
        "all_subsets": subsets(LONGER, args.repeat),
        "all_subsets_last_goes_too": subsets(SHORT, args.repeat),
    }
    written = json.dumps(results, indent=2)
    print(written)
    if args.out:
        args.out.write_text(written + "\n")


if __name__ == "__main__":
    main()
