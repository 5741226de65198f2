"""200 short prompts: `attribute_many` against a loop of `attribute`, and against inseq's data-set command.

Run `.venv/bin/python benchmarks/many.py`. Each prompt of 4 to 14 tokens is read, 8 tokens are written after it, and all
are explained by saliency. inseq's `attribute-dataset` loads a data set, calls `model.attribute` with a batch of 8 and
saves the result: that call and that file are what is timed. Ours writes its folder. The contenders take turns, a share
of the prompts each time, so that a busy machine meets all of them; quote the ratio of CPU seconds where it was shared.
The bytes that a text of 200 tokens takes on a disk are measured beside.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
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


def seconds_of(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found, {"wall": time.perf_counter() - started, "cpu": cpu}


def by_inseq(model: Any) -> Callable[[list[str]], Any]:
    import inseq

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    network, tokenizer = copy.deepcopy(model.model), copy.deepcopy(model.tokenizer)
    tokenizer.pad_token = tokenizer.unk_token
    wrapped = inseq.load_model(network, "saliency", tokenizer=tokenizer)

    def work(texts: list[str]) -> Any:
        out = wrapped.attribute(
            texts, batch_size=8, show_progress=False, generation_args={"max_new_tokens": NEW, "do_sample": False}
        )
        with tempfile.TemporaryDirectory() as folder:
            out.save(f"{folder}/out.json", overwrite=True)
        return out

    return work


def check(run: sw.Run, maps: list[sw.Attribution]) -> float:
    """The largest difference between a map of the run and that of the loop, as a share of the map's largest score."""
    worst = 0.0
    for found, own in zip(run, maps, strict=True):
        assert [t.id for t in found.cols] == [t.id for t in own.cols], "the same text must be written"
        worst = max(worst, float(np.nanmax(np.abs(found.scores - own.scores)) / np.nanmax(own.scores)))
    return worst


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
    parser.add_argument(
        "--shares", type=int, default=1, help="parts of the prompts between which contenders take turns"
    )
    parser.add_argument("--no-inseq", action="store_true")
    parser.add_argument("--no-bytes", action="store_true")
    asked = parser.parse_args()
    model = sw.load_model("demo", device="cpu", dtype="float32")
    texts = prompts(asked.texts)
    sw.attribute(model, texts[0], max_new_tokens=2, progress=False)  # what is probed once is no cost of a text
    theirs = None if asked.no_inseq else by_inseq(model)
    spent: dict[str, dict[str, float]] = {}
    worst = 0.0

    def add(name: str, seconds: dict[str, float]) -> None:
        known = spent.setdefault(name, dict.fromkeys(seconds, 0.0))
        spent[name] = {kind: known[kind] + value for kind, value in seconds.items()}

    size = -(-len(texts) // asked.shares)
    for start in range(0, len(texts), size):
        some = texts[start : start + size]
        maps, seconds = seconds_of(
            lambda some=some: [sw.attribute(model, text, max_new_tokens=NEW, progress=False) for text in some]
        )
        add("loop of attribute", seconds)
        with tempfile.TemporaryDirectory() as folder:
            run, seconds = seconds_of(
                lambda some=some, folder=folder: sw.attribute_many(
                    model, some, out=f"{folder}/run", max_new_tokens=NEW, progress=False
                )
            )
            add("attribute_many", seconds)
            worst = max(worst, check(run, maps))
        if theirs is not None:
            _, seconds = seconds_of(lambda some=some: theirs(some))
            add("inseq", seconds)
        print(
            {name: {kind: round(value, 2) for kind, value in each.items()} for name, each in spent.items()}, flush=True
        )
    ours = spent["attribute_many"]
    found = {
        "texts": len(texts),
        "tokens of a prompt": [min(lengths := [len(model.tokenizer(t)["input_ids"]) for t in texts]), max(lengths)],
        "tokens written": NEW,
        "seconds": {name: {kind: round(value, 2) for kind, value in each.items()} for name, each in spent.items()},
        "times faster": {
            name: {kind: round(value / ours[kind], 2) for kind, value in each.items()}
            for name, each in spent.items()
            if name != "attribute_many"
        },
        "largest difference": worst,
        "bytes of a text of 200 tokens": {} if asked.no_bytes else bytes_of_a_text(model),
    }
    print(json.dumps(found, indent=1))
    asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
