"""A server's own map against torch on the same weights: rank correlation and noise floor, over twenty reviews.

Run `python -m benchmarks.black_box --out benchmarks/results/black_box.json`. llama.cpp's server answers twice: from the
demo model's own file, whose 4-bit weights it multiplies with activations of 8 bit, and from the same numbers written in
float32, with which it computes as torch does. The difference between the two is what 8 bit cost.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xllamacpp
from scipy.stats import spearmanr
from tests.gguf_files import write_float32

import saliency_widget as sw
from saliency_widget.explanation.black_box import read, server_map
from saliency_widget.explanation.choice import choice_of
from saliency_widget.explanation.prompts import ONE_WORD, fill
from saliency_widget.explanation.taking_out import occlusion, spans_of
from saliency_widget.models.loading.demo import demo_gguf

LABELS = ["Positive", "Negative"]
TOP = 200  # first tokens that are read, as many as the server is asked for
REVIEWS = (
    "This film is a dull, lifeless mess, and I wanted my money back.",
    "A warm, funny and moving film with wonderful performances.",
    "The plot is predictable, but the actors are superb.",
    "I laughed from the first minute to the last.",
    "Two hours of noise without a single idea.",
    "The songs are forgettable and the jokes are worse.",
    "A small masterpiece that deserves a large audience.",
    "It begins well and then falls apart completely.",
    "Beautiful pictures cannot save this boring story.",
    "The best thriller that I have seen in years.",
    "An honest, gentle and deeply human story.",
    "Nobody in this cast seems to want to be there.",
    "The ending is brilliant, and worth the long wait.",
    "A lazy sequel that repeats every joke of the first part.",
    "My children loved it, and so did I.",
    "The dialogue is so bad that the theatre laughed.",
    "Tense, clever and beautifully shot.",
    "It is neither scary nor funny, only long.",
    "A joyful adventure with a great heart.",
    "The worst film of a year with many bad films.",
)


def by_torch(model: Any, review: str) -> list[float]:
    """The fall of the log-odds of the first label without each word, by plain passes over the same prompt."""
    choice = choice_of(LABELS)

    def log_odds(text: str) -> float:
        content = fill(ONE_WORD, labels=" or ".join(LABELS), review=text)
        chat = [{"role": "user", "content": content}]
        ids = model.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        with torch.no_grad():
            top = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).topk(TOP)
        tokens = [model.tokenizer.decode([i]) for i in top.indices.tolist()]
        return float(read(list(zip(tokens, top.values.tolist(), strict=True)), choice).values[0])

    whole, *without = [log_odds(text) for text in occlusion(review, spans_of(review, "word")).texts]
    return [whole - value for value in without]


def by_server(weights: Path, maps: list[list[float]]) -> dict[str, Any]:
    """The server's maps of all reviews beside those of torch."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path, wanted.model_alias = str(weights), {"demo"}
    wanted.n_ctx, wanted.port, wanted.verbosity = 2048, 0, 0
    server = xllamacpp.Server(wanted)
    client = sw.OpenAIClient("demo", base_url=f"{server.listening_address}/v1", timeout=300)
    rows = []
    for review, expected in zip(REVIEWS, maps, strict=True):
        a = server_map(client, review, labels=LABELS, progress=False)
        about = a.diagnostics
        row = {
            "rho": spearmanr(a.scores[:, 0], expected).statistic,
            "spread": np.std(expected),
            "error": np.std(a.scores[:, 0] - expected),
            "floor": about["noise_floor"][0],
            "mass": about["label_mass"][0],
        }
        rounded = {name: round(float(value), 3) for name, value in row.items()}
        rows.append({"words": len(a.rows), **rounded, "bounded": max(about["bounded"])})
        print(rows[-1], review, flush=True)
    names = ("rho", "spread", "error", "floor", "mass")
    return {"median": {name: round(median(row[name] for row in rows), 3) for name in names}, "reviews": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="also write the numbers here, as JSON")
    chosen = parser.parse_args()
    model = sw.load_model("demo", device="cpu", dtype="float32")
    maps = [by_torch(model, review) for review in REVIEWS]
    with TemporaryDirectory() as folder:
        weights = {"8-bit activations": demo_gguf(), "float32": write_float32(demo_gguf(), Path(folder, "f32.gguf"))}
        found = {name: by_server(path, maps) for name, path in weights.items()}
    for name, each in found.items():
        print(name, each["median"])
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
