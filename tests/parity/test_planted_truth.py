"""Models built by hand, in which it is known which token decides: what the methods find there.

In each of them fillers only take up room, and one token decides what comes last. A loud token draws most of the
attention and carries nothing. So it is known what a map should show, without another method to say so.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.models.loading.kinds import model_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliency_widget.models.base import Model

FILLERS = [f"f{i}" for i in range(8)]
LETTERS = ["A", "B", "C", "D"]
WORDS = ["<unk>", *FILLERS, *LETTERS, "trigger", "loud", "yes", "no"]
AT = {word: i for i, word in enumerate(WORDS)}
ALWAYS = len(WORDS)  # a direction that all embeddings share
HEARD = ALWAYS + 1  # what the head has found: "yes", or
COPIED = HEARD + 1  # the letter it has found, a direction for each
WIDTH = 40
SLOW, FAST = WIDTH - 1, 4  # channels of the head that positions turn hardly, and much
NOISE = 0.02  # of every weight: nothing is exactly 0, as in a model that was trained

KINDS = ["trigger", "copy"]
SEEDS = range(6)
# AttnLRP's rules are for a logit: of a nearly certain target's log-probability next to nothing is left to explain.
FOUND = {
    "occlusion by mask": {"method": "occlusion", "operator": "mask"},
    "occlusion by delete": {"method": "occlusion", "operator": "delete"},
    "Shapley by mask": {"method": "shapley", "operator": "mask"},
    "Shapley by delete": {"method": "shapley", "operator": "delete"},
    "integrated gradients": {"method": "integrated_gradients", "steps": 32},
    "AttnLRP": {"method": "attnlrp", "objective": "logit"},
}


@cache
def planted(kind: str) -> Model:
    """Return a Llama of one layer with one head, which looks at some words and at `loud`.

    Embeddings are one direction a word, and one for all. The head's query is the same for all words; keys are 3.5 for
    the words that decide, 4.5 for `loud`, 0 for all others, and positions change them a little. "trigger": the word
    found is turned into "yes", and without it "no" is more probable. "copy": the letter found is written, and without
    one "no".
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, max_position_embeddings=64, rope_theta=1e4, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    network = LlamaForCausalLM(config).double().eval()
    weights = dict(network.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            if "norm" not in name:
                weight.normal_(0, NOISE)
        table = weights["model.embed_tokens.weight"]
        for at in range(len(WORDS)):
            table[at, at] += 1
            table[at, ALWAYS] += 1
        unit = (WIDTH / 2) ** 0.5  # what the norm makes of a 1: two of them in each embedding
        layer = "model.layers.0.self_attn."
        weights[layer + "q_proj.weight"][SLOW, ALWAYS] += WIDTH**0.5 / unit  # the square root is divided by again
        keys, values = weights[layer + "k_proj.weight"], weights[layer + "v_proj.weight"]
        weights[layer + "q_proj.weight"][FAST, ALWAYS] += 1
        keys[FAST, ALWAYS] += 0.2
        deciding = ["trigger"] if kind == "trigger" else LETTERS
        keys[SLOW, AT["loud"]] += 4.5 / unit
        for i, word in enumerate(deciding):
            keys[SLOW, AT[word]] += 3.5 / unit
            values[i, AT[word]] += 8 / unit
            weights[layer + "o_proj.weight"][HEARD + i, i] += 1
        head = weights["lm_head.weight"]
        for i, word in enumerate(["yes"] if kind == "trigger" else LETTERS):
            head[AT[word], HEARD + i] += 6
        head[AT["no"], ALWAYS] += 3
    return model_of(network, tokenizer(), f"planted {kind}")


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(vocab=AT, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")


def text_of(kind: str, seed: int, *, loud: bool = True) -> tuple[str, str, int]:
    """Return a text of eight fillers with the deciding word and a loud one among them, its target, the word's row."""
    rng = np.random.default_rng(seed)
    words = rng.choice(FILLERS, 9).tolist()
    row, other = rng.permutation(np.arange(1, 9))[:2].tolist()
    words[row] = "trigger" if kind == "trigger" else str(rng.choice(LETTERS))
    words[other] = "loud" if loud else words[other]
    return " ".join(words), "yes" if kind == "trigger" else words[row], row


def cases(*, loud: bool = True) -> Iterator[tuple[str, str, str, int]]:
    for kind in KINDS:
        for seed in SEEDS:
            yield (kind, *text_of(kind, seed, loud=loud))


def map_of(kind: str, text: str, target: str, **asked: Any) -> sw.Attribution:
    """Return a map of the log-probability, unless another objective is asked for."""
    chosen: dict[str, Any] = {"objective": "log_probability"} | asked
    return sw.attribute(planted(kind), text, target=target, progress=False, **chosen)


def test_the_planted_word_decides() -> None:
    """By plain calls of transformers: with it the target holds nearly all of the probability, without it nearly none.

    No other word matters so: another filler in the place of any of them moves the log-probability by less than a tenth
    of what the planted word does.
    """
    for kind, text, target, row in cases():
        network = planted(kind).model
        ids = [AT[word] for word in text.split()]

        def log_p(ids: list[int], network: Any = network, target: str = target) -> float:
            with torch.no_grad():
                return float(network(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[AT[target]])

        whole = log_p(ids)
        falls = [whole - log_p([*ids[:at], AT["f7"], *ids[at + 1 :]]) for at in range(len(ids))]
        assert np.exp(whole) > 0.9
        assert np.exp(whole - falls[row]) < 0.1
        others = np.abs(np.delete(falls, row))
        assert others.max() < 0.1 * falls[row]


@pytest.mark.parametrize("name", FOUND)
def test_the_planted_word_is_always_first(name: str) -> None:
    """Whatever the text, and beside a loud word that draws more attention."""
    for kind, text, target, row in cases():
        scores = map_of(kind, text, target, **FOUND[name]).scores[:, 0]
        assert np.nanargmax(np.abs(scores)) == row, (kind, text)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_first_word_of_these_maps_nothing_is_left_under_both_operators(kind: str) -> None:
    """`evaluate` reads the value that a plain call of transformers gives for the ids that are left."""
    text, target, row = text_of(kind, seed=1)
    maps = [map_of(kind, text, target, **asked) for asked in FOUND.values()]
    found = sw.evaluate(planted(kind), maps, operators=("mask", "delete"), progress=False)
    ids = [AT[word] for at, word in enumerate(text.split()) if at != row]
    with torch.no_grad():
        left = planted(kind).model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[AT[target]]
    for judged in found.judgements:
        assert judged.without[0] < np.log(0.1)
        if judged.operator == "delete":
            assert judged.without[0] == pytest.approx(float(left), abs=1e-6)


def firsts(method: str, *, loud: bool) -> list[int]:
    """The place of the planted word in each map of the logit, by the size of its score."""
    places = []
    for kind, text, target, row in cases(loud=loud):
        sizes = np.abs(map_of(kind, text, target, method=method, objective="logit").scores[:, 0])
        places.append(1 + int((sizes > sizes[row]).sum()))
    return places


def test_attention_names_the_loud_word_where_there_is_one() -> None:
    """It shows where the model looks: the planted word is second beside a loud one, and first without."""
    assert firsts("attention", loud=True) == [2] * 12
    assert firsts("attention", loud=False) == [1] * 12


def test_what_the_gradients_show_is_as_the_documentation_says() -> None:
    """Gradient and GIM have the planted word first in all texts, input × gradient in less than half of them."""
    assert firsts("saliency", loud=True) == firsts("gim", loud=True) == [1] * 12
    found = firsts("input_x_gradient", loud=True)
    assert found.count(1) < 6
    assert max(found) <= 3
