"""Train the translation demo and write it into the package: `python scripts/train_demo_translation.py`.

A MarianMT of a few hundred thousand parameters learns the phrase grammar in models/loading/translation, from
scratch. It takes five minutes on two cores, thirteen on busy ones, and prints at the end how many of 1000
held-out sentences are translated word for word: all of them. Run it again when the grammar or the lexicon changes; the
same seed on the same machine gives the same weights.

Two things keep the model honest, so that attributions of it can be checked against the grammar. Chinese words are
replaced by <unk> at times while the English stays: the model learns that a word it cannot see may be any of its kind,
instead of guessing from its neighbours, and <unk> means "nothing known" to it, as occlusion and integrated gradients
suppose. The same is done to the English written so far, so that the source is what it relies on.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import saliency_widget  # noqa: F401 - before torch: it says how long torch's threads spin

# isort: split
import sentencepiece
import torch
from transformers import GenerationConfig, MarianConfig, MarianMTModel, MarianTokenizer

from saliency_widget.models.loading.translation import demo_translation_folder, grammar

LONGEST = 64  # tokens, on either side; the grammar's longest are half of that
WIDTH = 64
SIZE = {"layers": 2, "attention_heads": 4, "ffn_dim": 256}  # of encoder and decoder each

SEED = 7
SENTENCES = 150_000
STEPS = 3_500
BATCH = 128
NO_STOP = 20  # one sentence in this many has no full stop or question mark
PEAK_RATE = 3e-3
SMOOTHING = 0.05
UNKNOWN_SOURCE, UNKNOWN_TARGET = 0.6, 0.7  # how many sentences lose words to <unk>, and how many of these on both sides


# ── the tokenizer ────────────────────────────────────────────────────────────────────────────────────────────────────


def write_tokenizer(folder: Path) -> None:
    """source.spm, target.spm, vocab.json and tokenizer_config.json: every word of the grammar is one token.

    The ids are in Marian's order: </s>, <unk>, the pieces, <pad>.
    """
    source, target = grammar.source_words(), grammar.target_pieces()
    _write_spm(folder / "source.spm", source, prefix=False)
    _write_spm(folder / "target.spm", target, prefix=True)
    vocabulary = {piece: i for i, piece in enumerate(["</s>", "<unk>", *source, *target, "<pad>"])}
    _write_json(folder / "vocab.json", vocabulary)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "MarianTokenizer",
            "source_lang": "zho",
            "target_lang": "eng",
            "model_max_length": LONGEST,
            "unk_token": "<unk>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "separate_vocabs": False,
        },
    )


def _write_spm(file: Path, pieces: list[str], *, prefix: bool) -> None:
    """A SentencePiece model whose pieces are these, and no text normalisation: offsets stay what they are."""
    with file.open("wb") as writer:  # not a `model_prefix`: its path would stand in the file
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([",,"]),  # it wants a letter that is no piece
            model_writer=writer,
            model_type="unigram",
            vocab_size=len(pieces) + 64,
            hard_vocab_limit=False,
            user_defined_symbols=pieces,
            normalization_rule_name="identity",
            add_dummy_prefix=prefix,
            bos_id=-1,
            minloglevel=2,
            num_threads=1,
        )


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_model(tokenizer: Any) -> Any:
    """A MarianMT as small as the grammar allows, made like OPUS-MT: post-norm, scaled and tied embeddings, swish."""
    layers = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in SIZE.items()}
    ids: dict[str, Any] = {
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }
    config = MarianConfig(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        max_position_embeddings=512,
        activation_function="swish",
        scale_embedding=True,
        dropout=0.0,  # <unk> in the input is what keeps the model from learning by heart
        init_std=WIDTH**-0.5,
        forced_eos_token_id=None,
        **layers,
        **ids,
    )
    model = MarianMTModel(config)
    never = [[tokenizer.pad_token_id]]
    model.generation_config = GenerationConfig(num_beams=1, max_length=LONGEST, bad_words_ids=never, **ids)
    return model


def train(model: Any, tokenizer: Any, steps: int) -> None:
    """Adam with a warm-up and a cosine; teacher forcing, smoothed labels."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    warm_up = min(400, steps // 4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(
            (step + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * max(0, step - warm_up) / (steps - warm_up))
        ),
    )
    model.train()
    start, seen = time.perf_counter(), 0.0
    for step, batch in zip(range(1, steps + 1), batches(tokenizer), strict=False):
        labels = batch.pop("labels")
        logits = model(**batch, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=SMOOTHING
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        seen += loss.item()
        if step % 250 == 0:
            print(f"step {step}: loss {seen / 250:.4f}, {time.perf_counter() - start:.0f} s", flush=True)
            seen = 0.0
    model.eval()


def batches(tokenizer: Any) -> Iterator[dict[str, torch.Tensor]]:
    """Without end: input_ids, attention_mask, decoder_input_ids and labels, int64 [BATCH, longest]."""
    pairs = grammar.sample(SENTENCES, SEED)
    sources = tokenizer([pair.source for pair in pairs]).input_ids
    targets = tokenizer(text_target=[pair.target for pair in pairs]).input_ids
    for rows in (sources, targets):  # whoever forgets the full stop is understood
        rows[::NO_STOP] = [row[:-2] + row[-1:] for row in rows[::NO_STOP]]
    pad, unknown = tokenizer.pad_token_id, tokenizer.unk_token_id
    rng = random.Random(SEED)  # noqa: S311 - no secret
    generator = torch.Generator().manual_seed(SEED)
    order = list(range(len(pairs)))
    while True:
        rng.shuffle(order)
        # Sentences of like length go together: that saves half of the padding.
        pools = [
            sorted(order[i : i + 50 * BATCH], key=lambda j: len(targets[j])) for i in range(0, len(order), 50 * BATCH)
        ]
        groups = [pool[i : i + BATCH] for pool in pools for i in range(0, len(pool), BATCH)]
        rng.shuffle(groups)
        for group in groups:
            source, labels = _padded([sources[i] for i in group], pad), _padded([targets[i] for i in group], pad)
            written = labels.roll(1, 1)
            written[:, 0] = pad
            here = _fractions(len(group), UNKNOWN_SOURCE, generator)
            there = torch.where(torch.rand(len(group), 1, generator=generator) < UNKNOWN_TARGET, here, 0)
            yield {
                "input_ids": _forgotten(source, here, unknown, generator),
                "attention_mask": source.ne(pad).long(),
                "decoder_input_ids": _forgotten(written, there, unknown, generator),
                "labels": labels.masked_fill(labels == pad, -100),
            }


def _padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def _fractions(n: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """[n, 1]: what fraction of its words a row loses: 0 but for this share of the rows, then mostly little."""
    touched = torch.rand(n, 1, generator=generator) < share
    return touched * torch.rand(n, 1, generator=generator) ** 2


def _forgotten(ids: torch.Tensor, fractions: torch.Tensor, unknown: int, generator: torch.Generator) -> torch.Tensor:
    """<unk> in the place of this fraction of each row, ends included; padding too, but that is never looked at."""
    return ids.masked_fill(torch.rand(ids.shape, generator=generator) < fractions, unknown)


# ── does it translate? ───────────────────────────────────────────────────────────────────────────────────────────────


def exact(model: Any, tokenizer: Any, pairs: list[grammar.Pair]) -> list[bool]:
    """For each pair, whether greedy decoding gives the English to the letter."""
    found: list[bool] = []
    for i in range(0, len(pairs), 100):
        some = pairs[i : i + 100]
        inputs = tokenizer([pair.source for pair in some], return_tensors="pt", padding=True)
        with torch.inference_mode():
            written = model.generate(**inputs)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        found += [text == pair.target for text, pair in zip(texts, some, strict=True)]
    return found


def main() -> None:
    """Train, check, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=demo_translation_folder())
    options.add_argument("--steps", type=int, default=STEPS)
    asked = options.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(SEED)

    asked.out.mkdir(parents=True, exist_ok=True)
    write_tokenizer(asked.out)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer = MarianTokenizer.from_pretrained(asked.out, local_files_only=True)
    model = new_model(tokenizer)
    print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters, {len(tokenizer)} tokens")
    train(model, tokenizer, asked.steps)
    model.save_pretrained(asked.out)
    (asked.out / "model.safetensors").chmod(0o644)  # it was for our eyes only

    model = MarianMTModel.from_pretrained(asked.out, local_files_only=True)
    known = exact(model, tokenizer, grammar.sample(1000, SEED))
    unseen = exact(model, tokenizer, grammar.sample(1000, SEED, held_out=True))
    print(f"Translated word for word: {sum(known)} of 1000 seen in training, {sum(unseen)} of 1000 held out;")
    print(f"the homework's sentence: {exact(model, tokenizer, [grammar.homework()])[0]}")


if __name__ == "__main__":
    main()
