"""A small model that knows a few sentences by heart.

It says of them what the demo model says, with that model's tokenizer, at a hundredth of the cost: for tests of the page
that need those words, and no numbers of a real model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from saliency_widget.models.loading.demo import demo_folder

if TYPE_CHECKING:
    from pathlib import Path

PRESIDENT = "The first president of the United States was"
FILM = [
    {"role": "system", "content": "You are a film critic."},
    {"role": "user", "content": "Name one good film."},
]
SENTENCES = (
    (PRESIDENT, " John F. Kennedy. He was a former American astronaut who became a leading advocate for the Space Act"),
    (f"{PRESIDENT} George", " Washington.\n\nThe first president of"),
    ("The capital of France is", " Paris.\n\nThe answer"),
)
_STEPS = 400  # more than it takes, see below


def save_by_heart(folder: Path) -> None:
    """Train a Llama of four layers until it writes these sentences, and save it with the demo model's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(demo_folder())
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=4,
            num_attention_heads=8, max_position_embeddings=2048, tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    texts = [tuple(tokenizer(part)["input_ids"] for part in sentence) for sentence in SENTENCES]
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(_STEPS):
        worst, loss = 1.0, torch.tensor(0.0)
        for read, written in texts:
            logits = network(torch.tensor([read + written])).logits[0, len(read) - 1 : -1]
            logs = logits.log_softmax(-1)[range(len(written)), written]
            worst, loss = min(worst, float(logs.exp().min().detach())), loss - logs.mean()
        if worst > 0.6:  # greedy decoding cannot go another way
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    else:
        raise AssertionError(f"The sentences are not known by heart: {worst:.2f}")
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
