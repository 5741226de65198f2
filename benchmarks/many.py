"""200 short prompts from a shell: `saliency_widget run` against a loop of `attribute`, and `inseq attribute-dataset`.

Run `.venv/bin/python benchmarks/many.py`; inseq's command needs `datasets` beside (pip install datasets). Each prompt
of 2 to 11 tokens is read, 8 tokens are written after it, and all are explained by saliency. Every contender is a
process of its own that does what a user would type: it imports, loads the model, reads the JSONL file, and writes its
results.
inseq's command has its defaults (batches of 8 texts) and shows its maps in the terminal unless `--hide` is given; both
are timed. A second run of each over a single prompt gives what is spent once. CPU seconds are the process's own, which
a busy machine changes little.

The matrix products that each needs are counted by torch's own counter on the same prompts: they bound what any speed-up
can be, whoever does the work. The bytes that a text of 200 tokens takes on a disk are measured beside.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import os
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import saliency_widget as sw  # isort: skip (before torch: it says how long torch's threads spin)

import numpy as np

NEW = 8  # tokens that are written
PLACES = ["France", "Japan", "Peru", "the United States", "Kenya", "New Zealand", "Italy", "Mexico", "India", "Norway"]
OPENINGS = [
    "The capital of {} is",
    "People in {} like to eat",
    "Last year I went to {} and saw",
    "{} is",
    "The weather in {} was so bad that we",
    "A friend from {} told me that her",
    "In {} the most popular sport is",
    "The river that flows through {} is called the",
    "My teacher was born in {}, and so",
    "Once upon a time in {} there lived a",
    "The president of {} said that",
    "Trains in {} are",
    "You can buy a house in {} for",
    "The best book about {} is",
    "Most of the forests of {}",
    "When the ship reached {}, the captain",
    "Nobody in {} knew why the",
    "The flag of {} has",
    "To travel from {} to China you need",
    "The old men of {} still remember the",
]


def prompts(n: int) -> list[str]:
    """`n` prompts of several lengths, the lengths mixed."""
    every = [opening.format(place) for place, opening in product(PLACES, OPENINGS)]
    return every[:n]


# ── what a user types ────────────────────────────────────────────────────────────────────────────────────────────

LOOP = """
import json, pickle, sys
import saliency_widget as sw
model = sw.load_model(sys.argv[2], device="cpu", dtype="float32")
texts = [json.loads(line)["text"] for line in open(sys.argv[1])]
maps = [sw.attribute(model, text, max_new_tokens=int(sys.argv[4]), progress=False) for text in texts]
pickle.dump(maps, open(sys.argv[3], "wb"))
"""


def commands(rows: Path, model: str, out: Path) -> dict[str, list[str]]:
    """Return the command of each contender, which writes into `out`."""
    python, new = sys.executable, str(NEW)
    inseq = [
        sys.executable, "-c", "from inseq.commands.cli import main; main()", "attribute-dataset",
        "--dataset", "json", "--files", str(rows), "--input", "text",
        "-m", model, "--generation_kwargs", json.dumps({"max_new_tokens": NEW}), "-o", str(out / "inseq.json"),
    ]  # fmt: skip
    return {
        "run": [
            python, "-m", "saliency_widget", "run", str(rows), "--model", model, "--max-new-tokens", new,
            "--out", str(out / "run"),
        ],
        "loop of attribute": [python, "-c", LOOP, str(rows), model, str(out / "loop.pickle"), new],
        "inseq": inseq,
        "inseq --hide": [*inseq, "--hide"],
    }  # fmt: skip


def spent_by(command: Sequence[str], log: Path) -> dict[str, float]:
    """Run a command to its end. Return its seconds, and the peak of its memory. Its output goes to a file."""
    started = time.perf_counter()
    with log.open("w") as file:
        child = os.posix_spawn(
            command[0], command, os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "160"},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)],
        )  # fmt: skip
        _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}:\n{log.read_text()[-3000:]}")
    wall, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
    return {"wall": round(wall, 2), "cpu": round(cpu, 2), "peak_mb": round(used.ru_maxrss * 1024 / 1e6)}


def timed(names: Sequence[str], model: str, texts: Sequence[str], out: Path) -> dict[str, dict[str, float]]:
    """Return what each contender spends on these texts."""
    out.mkdir()
    rows = out / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = {}
    for name in names:
        found[name] = spent_by(commands(rows, model, out)[name], out / "log")
        print(len(texts), name, found[name], flush=True)
    return found


def check(out: Path) -> float:
    """The largest difference between a map of the run and that of the loop, as a share of the map's largest score."""
    run, maps, worst = sw.open_run(out / "run"), pickle.loads((out / "loop.pickle").read_bytes()), 0.0
    for found, own in zip(run, maps, strict=True):
        assert [t.id for t in found.cols] == [t.id for t in own.cols], "the same text must be written"
        worst = max(worst, float(np.nanmax(np.abs(found.scores - own.scores)) / np.nanmax(own.scores)))
    return worst


# ── what it needs ────────────────────────────────────────────────────────────────────────────────────────────────


def products(model: Any, texts: list[str]) -> dict[str, float]:
    """Return the billions of multiplications and additions that a text needs, as torch counts them: ours and inseq's.

    "least": one forward pass to write and one to explain, and of each target one pass back over the rows that it sees.
    """
    import inseq
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from saliency_widget.batch.asked import Asked
    from saliency_widget.batch.rows import rows_of
    from saliency_widget.batch.work import Worker

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    worker = Worker(model, Asked(method="saliency", max_new_tokens=NEW), "")
    list(worker.lines(list(rows_of(texts[:1]))))  # what is probed once is no part of a text
    with FlopCounterMode(display=False) as ours:
        lines = [line for some in worker.lines(list(rows_of(texts))) for line in some]
    network, tokenizer = copy.deepcopy(model.model), copy.deepcopy(model.tokenizer)
    tokenizer.pad_token = tokenizer.unk_token
    wrapped = inseq.load_model(network, "saliency", tokenizer=tokenizer)
    given = {"max_new_tokens": NEW, "do_sample": False}
    with FlopCounterMode(display=False) as theirs:
        wrapped.attribute(texts, batch_size=8, show_progress=False, generation_args=given)
    head = model.model.get_output_embeddings().weight.numel()
    body = sum(p.numel() for p in model.model.parameters() if p.ndim == 2) - head  # the head is the embedding, too
    least = 0
    for line in lines:
        n, t = len(line["input_ids"]) + 1 - len(line["target_ids"]), len(line["target_ids"])
        least += 2 * (body * (2 * (n + t - 1) + sum(n + j for j in range(t))) + head * 3 * t)
    rate = torch.randn(512, 576), torch.randn(576, 1536)
    started, repeats = time.process_time(), 200
    for _ in range(repeats):
        rate[0] @ rate[1]
    speed = repeats * 2 * 512 * 576 * 1536 / (time.process_time() - started) / 1e9
    each = {"run": ours.get_total_flops(), "inseq": theirs.get_total_flops(), "least": least}
    return {name: round(total / len(texts) / 1e9, 1) for name, total in each.items()} | {
        "of a CPU second": round(speed, 1)
    }


def bytes_of_a_text(model: Any, n: int = 200, texts: int = 64) -> dict[str, float]:
    """The bytes in the folder for a text of 200 tokens: with one target, and with the last 32 as targets."""
    words = " ".join(" ".join(prompts(40)).split()).replace(",", " ,")
    ids = model.tokenizer(words * 40)["input_ids"]
    found = {}
    for targets in (1, 32):
        rows = [
            {"input_ids": (part := ids[7 * i : 7 * i + n])[: n - targets], "target_ids": part[n - targets :]}
            for i in range(texts)
        ]
        with tempfile.TemporaryDirectory() as folder:
            sw.attribute_many(model, rows, out=f"{folder}/run", method="random", progress=False)
            size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        found[f"{n - targets} tokens before {targets}"] = round(size / texts)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "many.json")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--only", nargs="+", default=["run", "loop of attribute", "inseq", "inseq --hide"])
    parser.add_argument("--no-bytes", action="store_true")
    parser.add_argument("--no-products", action="store_true")
    asked = parser.parse_args()
    from saliency_widget.models.loading.demo import demo_folder

    folder, texts = str(demo_folder()), prompts(asked.texts)
    model = sw.load_model("demo", device="cpu", dtype="float32")
    with tempfile.TemporaryDirectory() as here:
        one = timed(asked.only, folder, texts[:1], Path(here) / "one")
        every = timed(asked.only, folder, texts, Path(here) / "all")
        worst = check(Path(here) / "all") if {"run", "loop of attribute"} <= set(asked.only) else None
    ours, first = every["run"], one["run"]
    others = [name for name in asked.only if name != "run"]
    found = {
        "texts": len(texts),
        "tokens of a prompt": [min(lengths := [len(model.tokenizer(t)["input_ids"]) for t in texts]), max(lengths)],
        "tokens written": NEW,
        "one text": one,
        "all texts": every,
        "times faster": {
            name: {kind: round(every[name][kind] / ours[kind], 2) for kind in ("wall", "cpu")} for name in others
        },
        "times faster for each further text": {
            name: {
                kind: round((every[name][kind] - one[name][kind]) / (ours[kind] - first[kind]), 2)
                for kind in ("wall", "cpu")
            }
            for name in others
        },
        "largest difference from the loop": worst,
        "billions of products for a text": {}
        if asked.no_products
        else products(model, texts[:: max(1, len(texts) // 40)]),
        "bytes of a text of 200 tokens": {} if asked.no_bytes else bytes_of_a_text(model),
    }
    print(json.dumps(found, indent=1))
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
