"""Long texts: seconds and memory of one target's map over texts of up to 16,000 tokens, and of a document's first one.

Run `python benchmarks/long.py`, in a quarter of an hour. The model is a Llama of two layers and four heads with random
weights, so that the length counts and not the weights. Each number is one run in a process of its own: CPU seconds, and
the peak of resident memory over what it was before. "One pass" is the same map with the plans for long texts switched
off: attention weights of every pair of tokens. `--memory` adds
the peaks of one way where freed arrays go back to the system at once: the C library keeps those below some size, so
that resident memory grows by leaps. `--document` adds a text of 1,700 tokens on the demo model: the map of its whole
answer, until it would be shown, against one forward and one backward pass of transformers over the same text.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import resource
import sys
from pathlib import Path
from typing import Any

import saliency_widget as sw  # isort: skip (before torch: it says how long torch's threads spin)

import torch

import engine
from saliency_widget.attribution import pipeline
from saliency_widget.attribution.engine import Schedule
from saliency_widget.attribution.pipeline import check_question, columns
from saliency_widget.attribution.problem import Chunk
from saliency_widget.models.inside import long_texts
from saliency_widget.models.text.document import spanning
from saliency_widget.models.text.prompting import check_prompt

LENGTHS = (1024, 2048, 4096, 8192, 16384)
# By name: the attention, the method, whether long texts are planned, and the longest text.
WAYS = {
    "eager, one pass": ("eager", "saliency", False, 4096),
    "eager": ("eager", "saliency", True, 16384),
    "eager, AttnLRP": ("eager", "attnlrp", True, 8192),
    "fused": ("sdpa", "saliency", True, 16384),
    "attention weights": ("sdpa", "attention", True, 16384),
}
COLOURS = ("#b4531f", "#2163c4", "#7a4fb5", "#2b8a57", "#8a7a2b")


def tiny(attention: str) -> Any:
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{i}": i for i in range(1, 300)}}, unk_token="<unk>"))
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=32768, bos_token_id=None, eos_token_id=None,
            attn_implementation=attention,
        )
    )  # fmt: skip
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.1)
    return sw.load_model((network.eval(), PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")))


def ids_of(n: int) -> list[int]:
    return torch.randint(1, 300, (n,), generator=torch.Generator().manual_seed(n)).tolist()


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one(way: str, n: int, queue: Any) -> None:
    attention, method, planned, _ = WAYS[way]
    model, ids = tiny(attention), ids_of(n)
    sw.attribute(model, input_ids=ids[:32], target_ids=[7], method=method, progress=False)
    if not planned:
        pipeline.LONG = long_texts.LONG = 1 << 40
    with engine.Peak() as watched:
        started = cpu()
        found = sw.attribute(model, input_ids=ids, target_ids=[7], method=method, progress=False)
        seconds = cpu() - started
    queue.put({"cpu_s": round(seconds, 2), "peak_mb": round(watched.megabytes), "sum": float(found.scores.sum())})


def needed(way: str, n: int, queue: Any) -> None:
    """Do `one` where every array of 64 kB and more is a mapping of its own, which is gone when it is freed."""
    threshold = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
    assert ctypes.CDLL(None).mallopt(threshold, 1 << 16) == 1
    one(way, n, queue)


def document(repeats: int, queue: Any) -> None:
    """The map of a whole answer of 40 tokens after 1,700, until its chunk is there, and the two plain passes."""
    model = sw.load_model("demo", device="cpu", dtype="float32")
    sentence = "The film that we saw last night was long, loud and, to everyone's surprise, rather good. "
    ids = model.tokenizer(sentence * 100)["input_ids"][:1740]
    prompt = check_prompt(None, input_ids=ids[:1700], target_ids=ids[1700:])
    question = check_question("saliency", "log_probability", {})
    rows = []
    for _ in range(repeats):
        x = model.model.get_input_embeddings()(torch.tensor([ids[:-1]])).detach().requires_grad_()
        for parameter in model.model.parameters():
            parameter.requires_grad_(False)
        started = cpu()
        logits = model.model(inputs_embeds=x, use_cache=False, logits_to_keep=40).logits[0]
        torch.autograd.grad(logits.log_softmax(-1)[range(40), ids[1700:]].sum(), x)
        plain = cpu() - started
        inside = model.shadow()
        told = spanning(pipeline.write(inside, prompt, 1, lambda *_: None), 0, 40)
        started = cpu()
        first = next(iter(columns(inside, question, told, Schedule([0]))))
        ours = cpu() - started
        assert isinstance(first, Chunk)
        rows.append({"plain_cpu_s": round(plain, 2), "ours_cpu_s": round(ours, 2), "ratio": round(ours / plain, 3)})
    queue.put(rows)


def apart(work: Any, *given: Any) -> Any:
    """The result of a function in a process of its own."""
    context = multiprocessing.get_context("fork")  # what was imported is there, and no thread was started
    queue = context.Queue()
    process = context.Process(target=work, args=(*given, queue))
    process.start()
    found = queue.get()
    process.join()
    return found


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axis, (what, title) in zip(
        figure.subplots(1, 2), (("peak_mb", "MB over the model"), ("cpu_s", "CPU seconds")), strict=True
    ):
        for way, colour in zip(WAYS, COLOURS, strict=True):
            points = [(row["tokens"], row[way][what]) for row in rows if row.get(way)]
            axis.plot(*zip(*points, strict=True), "o-", color=colour, label=way)
        axis.set(xlabel="tokens", xscale="log", yscale="log", xticks=LENGTHS, xticklabels=[f"{n:,}" for n in LENGTHS])
        axis.minorticks_off()
        axis.set_title(title, loc="left", fontsize=10)
        axis.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path.with_suffix(".svg"))
    figure.savefig(path.with_suffix(".png"), dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--most", type=int, default=LENGTHS[-1])
    parser.add_argument("--more", action="store_true", help="add to the file's lengths those that it has not")
    parser.add_argument("--memory", choices=WAYS, help="the way whose peaks are measured without what malloc keeps")
    parser.add_argument("--document", type=int, default=0, help="how often the document of 1,700 tokens is measured")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    path = chosen.out / "long.json"
    about: dict[str, Any] = json.loads(path.read_text()) if path.exists() and chosen.more else {"rows": []}
    about["machine"] = engine.machine()
    rows: list[dict[str, Any]] = about["rows"]
    done = {row["tokens"] for row in rows}
    for n in (n for n in LENGTHS if n not in done and n <= chosen.most):
        row: dict[str, Any] = {"tokens": n}
        for way, (_, _, _, longest) in WAYS.items():
            row[way] = apart(one, way, n) if n <= longest else None
            print(n, way, row[way], file=sys.stderr, flush=True)
        rows.append(row)
        path.write_text(json.dumps(about, indent=2) + "\n")
        plot(rows, path)
    if chosen.memory:
        way = chosen.memory
        lengths = [n for n in LENGTHS if n <= min(chosen.most, WAYS[way][3])]
        about["needed_mb"] = {way: {str(n): apart(needed, way, n)["peak_mb"] for n in lengths}}
        print(about["needed_mb"], file=sys.stderr)
    if chosen.document:
        about["document"] = apart(document, chosen.document)
        print(about["document"], file=sys.stderr)
    path.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
