"""Two Ray workers against one process: the same rows; and once more while a worker is killed.

Run `.venv/bin/python benchmarks/cluster.py`, with Ray: pip install "ray[data]". A tiny Llama of random weights with
the demo model's tokenizer is saved to a folder, which each worker loads. The difference is the largest one between
scores, as a share of a row's largest. A worker is killed (signal 9) once eight rows are written.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import saliency_widget as sw  # isort: skip (before torch: it says how long torch's threads spin)

import numpy as np

N = 400
WORKER = "ray::MapWorker"  # how the process of a worker is called


def tiny_model(folder: Path) -> str:
    """Save a model that loads and runs fast, and return its name."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = sw.load_model("demo").tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def kill_one(out: Path, killed: list[int]) -> None:
    """Kill a worker once eight rows are written."""
    while not killed:
        time.sleep(0.2)
        found = subprocess.run(["pgrep", "-f", WORKER], capture_output=True, text=True, check=False).stdout.split()
        written = len(sw.open_run(out)) if (out / "run.json").exists() else 0
        if found and written >= 8:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself: the next one
                os.kill(int(found[0]), signal.SIGKILL)
                killed.append(written)


def difference(a: Path, b: Path) -> float:
    """Return the largest difference between the scores of two runs, as a share of a row's largest score."""
    one, other = sw.open_run(a), sw.open_run(b)
    assert len(one) == len(other) == N, (len(one), len(other))
    apart = 0.0
    for ours, theirs in zip(one, other, strict=True):  # both in the order of the data set
        x, y = ours.scores, theirs.scores
        apart = max(apart, float(np.nanmax(np.abs(x - y)) / np.nanmax(np.abs(y))))
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cluster.json")
    out = parser.parse_args().out
    rows = [
        {"text": f"In chapter {i} the captain of ship {i * 7 % 13} left", "target": " Lisbon and went home."}
        for i in range(N)
    ]
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        model = tiny_model(here / "model")
        sw.attribute_many(model, rows, out=here / "local", progress=False)
        asked = {"engine": "ray", "workers": 2, "batch_size": 4, "progress": False}
        sw.attribute_many(model, rows, out=here / "ray", **asked)
        killed: list[int] = []
        threading.Thread(target=kill_one, args=(here / "killed", killed), daemon=True).start()
        sw.attribute_many(model, rows, out=here / "killed", **asked)
        found = {
            "rows": N,
            "workers": 2,
            "difference": difference(here / "ray", here / "local"),
            "difference_after_a_kill": difference(here / "killed", here / "local"),
            "rows_written_at_the_kill": killed[0],
        }
    print(json.dumps(found, indent=2))
    out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
