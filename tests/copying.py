"""Planted models that copy: facts stand in the prompt, the thinking copies them, and the answer copies the thinking.

A text, in words, with five facts (each a key and its value) and two steps:

    <s> . . k3 v5 k7 v2 … <think> x4 k7 v2 x1 k3 v5 … </think> x1      → v5

Only the thinking says which value a tag such as `x1` stands for, so the answer is read there and nowhere else; the
value in the thinking was copied from the fact with its key. With three steps the thinking goes on: `y2 x1 v5 …`, and
the answer is asked for by `y2`. So it is known which fact is the answer's: the one whose value it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

import saliency_widget as sw
from saliency_widget.models.loading import kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from saliency_widget import Attribution
    from saliency_widget.models.base import Model

N_FACTS = 5
KEYS, VALUES, TAGS, LATER = ([f"{letter}{i}" for i in range(12)] for letter in "kvxy")
WORDS = ["<unk>", "<s>", ".", "<think>", "</think>", *KEYS, *VALUES, *TAGS, *LATER]
AT = {word: i for i, word in enumerate(WORDS)}
PLACES = 64
NOISE = 0.005  # of every weight: nothing is exactly 0, as in a model that was trained
SHARP = 16.0  # the logit by which a head prefers what it looks for


class Text(NamedTuple):
    """A planted text. `fact`: the row of the value that the answer copies in the end; `facts`: of every value."""

    prompt: str
    thinking: str
    asked: str
    answer: str
    fact: int
    facts: tuple[int, ...]


def copying_model(seed: int) -> Model:
    """Return a GPT-2 of two layers whose weights, but for noise that `seed` draws, copy.

    The first layer's heads note at each place the words one and two places before it. A head of the second layer looks
    for the place whose word before it is the word here, if that is a key, or whose word two places before it is, if
    that is a tag; and copies the word that stands there. Embeddings are one direction a word and one a place.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    n = len(WORDS)
    width = 2 * ((n + PLACES + 3 * n + 1) // 2)
    word, place = slice(0, n), slice(n, n + PLACES)
    before, earlier, copied = (slice(n + PLACES + i * n, n + PLACES + (i + 1) * n) for i in range(3))
    config = GPT2Config(
        vocab_size=n, n_positions=PLACES, n_embd=width, n_layer=2, n_head=2, n_inner=4, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=None, pad_token_id=None, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    network = GPT2LMHeadModel(config).double().eval()
    weights = dict(network.named_parameters())
    for name, weight in weights.items():
        if "ln_" not in name:
            weight.data = NOISE * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    head = width // 2
    scales = [(width / ones) ** 0.5 for ones in (2, 4)]  # what each layer's norm makes of a 1, of so many in a row
    with torch.no_grad():
        weights["transformer.wte.weight"][:, word] += torch.eye(n)
        weights["transformer.wpe.weight"][:, place] += torch.eye(PLACES)

        def fill(layer: int, number: int, query: Any, key: Any, to: slice) -> None:
            """Fill one head: queries and keys [width, m] of what is compared, values of words, written to `to`."""
            block, at = f"transformer.h.{layer}.", number * head
            together, out = weights[block + "attn.c_attn.weight"], weights[block + "attn.c_proj.weight"]
            scale = scales[layer]
            together[:, at : at + query.shape[1]] += SHARP * head**0.5 / scale**2 * query
            together[:, width + at : width + at + key.shape[1]] += key
            together[word, 2 * width + at : 2 * width + at + n] += torch.eye(n) / scale
            out[at : at + n, to] += torch.eye(n)

        for number, (step, to) in enumerate(((1, before), (2, earlier))):
            query, key = torch.zeros(width, PLACES), torch.zeros(width, PLACES)
            key[place] = torch.eye(PLACES)
            query[place] = torch.eye(PLACES).roll(-step, dims=1)
            fill(0, number, query, key, to)
        query, key = torch.zeros(width, 2 * n), torch.zeros(width, 2 * n)
        key[before, :n] = key[earlier, n:] = torch.eye(n)
        for each in WORDS:  # others rest where nothing stands
            found = AT[each if each in KEYS else "<s>"] if each not in (*TAGS, *LATER) else n + AT[each]
            query[AT[each], found] = 1
        fill(1, 0, query, key, copied)
        for value in VALUES:
            weights["lm_head.weight"][AT[value], copied.start + AT[value]] += 1.5
    words = Tokenizer(models.WordLevel(vocab=AT, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return kinds.model_of(network, PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>"), "copying")


def copying_text(seed: int, *, steps: int) -> Text:
    """Return a text with two or three steps from the facts to the answer."""
    rng = np.random.default_rng(seed)
    keys, values, tags, later = (rng.permutation(names)[:N_FACTS].tolist() for names in (KEYS, VALUES, TAGS, LATER))
    order = rng.permutation(N_FACTS).tolist()
    thinking = [word for i in order for word in (tags[i], keys[i], values[i])]
    asked = tags
    if steps == 3:
        order = rng.permutation(N_FACTS).tolist()
        thinking += [word for i in order for word in (later[i], tags[i], values[i])]
        asked = later
    chosen = int(rng.integers(N_FACTS))
    facts = tuple(2 * i + 4 for i in range(N_FACTS))
    prompt = " ".join(("<s>", ".", ".", *(word for pair in zip(keys, values, strict=True) for word in pair)))
    return Text(prompt, " ".join(thinking), asked[chosen], values[chosen], facts[chosen], facts)


def map_of(model: Model, text: Text, **asked: Any) -> Attribution:
    """Return the map of the answer alone, with its hops."""
    written = f"<think> {text.thinking} </think> {text.asked} {text.answer}"
    n = len(written.split())
    given: dict[str, Any] = {"target": written, "through": "thinking", "span": (n - 1, n), "progress": False} | asked
    return sw.attribute(model, text.prompt, **given)


class Hits(NamedTuple):
    """The shares of texts in which the right fact is first.

    `direct`: of all facts in the direct map. `of_prompt`, `of_facts`: of all words of the prompt, and of all facts, in
    the last step back: the first of two steps, the second of three.
    """

    direct: float
    of_prompt: float
    of_facts: float


def hits(seeds: range, steps: int, method: str, *, model_of: Callable[[int], Model]) -> Hits:
    """Count over one text for each seed how often the right fact is first. `model_of`: from a seed to a model."""
    found = []
    for seed in seeds:
        text = copying_text(seed, steps=steps)
        a = map_of(model_of(seed), text, method=method)
        facts, prompt = np.array(text.facts), np.arange(len(text.prompt.split()))
        back = a.hops[steps - 2].scores
        pairs = ((a.scores, facts), (back, prompt), (back, facts))
        found.append([int(rows[np.nan_to_num(scores[rows, 0]).argmax()]) == text.fact for scores, rows in pairs])
    return Hits(*np.mean(found, axis=0).tolist())
