"""A server's own map against torch on the same weights: rank correlation and noise floor, over twenty reviews.

Run `python benchmarks/black_box.py --out benchmarks/results/black_box.json`. llama.cpp's server answers from the demo
model's own file; its activations are int8, torch's float32, so that equal numbers are not to be expected.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

import torch
import xllamacpp
from scipy.stats import spearmanr

import saliency_widget as sw
from saliency_widget.explanation.alignment import words_of
from saliency_widget.explanation.black_box import read, server_map
from saliency_widget.explanation.choice import choice_of
from saliency_widget.explanation.prompts import ONE_WORD, fill
from saliency_widget.models.loading.demo import demo_gguf

LABELS = ["Positive", "Negative"]
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


def torch_map(model: Any, review: str) -> list[float]:
    """The fall of the log-odds of the first label without each word, by plain passes over the same prompt."""
    choice = choice_of(LABELS)

    def log_odds(text: str) -> float:
        content = fill(ONE_WORD, labels=" or ".join(LABELS), review=text)
        chat = [{"role": "user", "content": content}]
        ids = model.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        with torch.no_grad():
            top = model.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1).topk(20)
        tokens = [model.tokenizer.decode([i]) for i in top.indices.tolist()]
        return float(read(list(zip(tokens, top.values.tolist(), strict=True)), choice).log_odds[0])

    whole = log_odds(review)
    without = (review[: word.span[0]].rstrip() + review[word.span[1] :] for word in words_of(review))
    return [whole - log_odds(text.lstrip()) for text in without]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="also write the numbers here, as JSON")
    chosen = parser.parse_args()
    wanted = xllamacpp.CommonParams()
    wanted.model.path, wanted.model_alias = str(demo_gguf()), {"demo"}
    wanted.n_ctx, wanted.port, wanted.verbosity = 2048, 0, 0
    server = xllamacpp.Server(wanted)
    client = sw.OpenAIClient("demo", base_url=f"{server.listening_address}/v1")
    model = sw.load_model("demo", device="cpu", dtype="float32")
    rows = []
    for review in REVIEWS:
        a = server_map(client, review, labels=LABELS, progress=False)
        rho = float(spearmanr(a.scores[:, 0], torch_map(model, review)).statistic)
        about = a.diagnostics
        row = {"words": len(a.rows), "rho": round(rho, 3), "floor": round(about["noise_floor"][0], 3)}
        rows.append(row | {"mass": round(about["label_mass"][0], 3), "bounded": max(about["bounded"])})
        print(rows[-1], review, flush=True)
    found = {name: round(median(row[name] for row in rows), 3) for name in ("rho", "floor", "mass")}
    print("median", found)
    if chosen.out:
        chosen.out.write_text(json.dumps({"median": found, "reviews": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
