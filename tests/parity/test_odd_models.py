"""Models that break a usual assumption get a correct map, or an error that names the reason."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from saliency_widget.errors import UnsupportedMethod
from saliency_widget.models.inside import probe

from ..families import byte_tokenizer, make
from ..sweep.building import Architecture
from ..sweep.judging import judge, subject_of

# ── architectures of transformers, held against plain passes by the sweep's own judge ────────────────────────────

RIGHT = [
    ("causal", "ctrl", "saliency"),  # scales its embeddings in place
    ("causal", "git", "occlusion"),
    ("causal", "gpt_neo", "occlusion"),  # its windows count places in a packed sequence
    ("causal", "deepseek_v32", "attention"),  # its sparse index is switched on by the name of the attention
    ("causal", "glm_moe_dsa", "attention_rollout"),
    ("causal", "gemma3n_text", "occlusion"),  # every layer reads ids
    ("causal", "gemma4_text", "occlusion"),
    ("causal", "cpmant", "saliency"),  # tokens of its own before the text
    ("causal", "prophetnet", "saliency"),  # its head sees an axis more
    ("causal", "rwkv", "saliency"),  # writes to its weights
    ("causal", "xlnet", "occlusion"),  # texts on the second axis
    ("causal", "big_bird", "saliency"),  # switches itself over for good
    ("causal", "doge", "occlusion"),  # puts the rows of several texts together
    ("seq2seq", "prophetnet", "saliency"),
    ("classify", "longformer", "occlusion"),  # pads to its window before the embedding
    ("classify", "ibert", "saliency"),  # its embedding gives a pair
    ("classify", "ctrl", "input_x_gradient"),
]


@pytest.mark.parametrize(("task", "model_type", "method"), RIGHT, ids=str)
def test_a_map_is_that_of_plain_passes(task: Any, model_type: str, method: str) -> None:
    cell = judge(subject_of(Architecture(task, model_type)), method)
    assert cell.outcome == "right", cell


REFUSED = [
    ("causal", "deepseek_v4", "attention", "looks at .* keys where the text has .* tokens"),
    ("causal", "diffllama", "attention_rollout", "looks more than once in a layer"),
    ("causal", "bailing_hybrid", "attention_rollout", "1 of 2 layers tell attention"),
    ("causal", "hrm_text", "saliency", "checked in column .*, and is off"),  # its autograd is not its slope
    ("causal", "musicgen", "saliency", "cannot read a text of token ids alone"),
    ("classify", "reformer", "saliency", "does not go backward as it is"),
]


@pytest.mark.parametrize(("task", "model_type", "method", "said"), REFUSED, ids=str)
def test_what_cannot_be_told_is_a_sentence(task: Any, model_type: str, method: str, said: str) -> None:
    cell = judge(subject_of(Architecture(task, model_type)), method)
    assert cell.outcome == "refused", cell
    assert re.search(said, cell.detail), cell


@pytest.mark.parametrize("model_type", ["axk2", "deepseek_v32", "glm_moe_dsa", "hy_v4"])
def test_a_model_has_one_probability_whatever_the_method(model_type: str) -> None:
    """All methods report the same probability, also for sparse attention and families that compute in float32."""
    subject = subject_of(Architecture("causal", model_type))
    ids = [(i * 7 + 5) % 190 + 40 for i in range(40)]
    found = {}
    for method in ("random", "saliency", "occlusion", "attention", "attention_rollout", "value_zeroing"):
        try:
            a = sw.attribute(
                (subject.model, subject.tokenizer), input_ids=ids, target_ids=[50], method=method, progress=False
            )
        except UnsupportedMethod:
            continue
        found[method] = float(a.step_scores["probability"][0])
    assert len(found) >= 4
    assert np.ptp(list(found.values())) < 1e-5 * max(found.values())


# ── places that are told otherwise beyond a length ───────────────────────────────────────────────────────────────


def with_rope(kind: str) -> Any:
    """A tiny Llama or Phi-3 whose rotary embedding changes at 24 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM

    sizes = {
        "vocab_size": len(byte_tokenizer()), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 96, "pad_token_id": None,
        "bos_token_id": None, "eos_token_id": None,
    }  # fmt: skip
    torch.manual_seed(0)
    if kind == "longrope":
        rope = {
            "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4,
            "long_factor": [9.0, 5.0, 7.0, 3.0], "original_max_position_embeddings": 24,
        }  # fmt: skip
        network = Phi3ForCausalLM(Phi3Config(**sizes, original_max_position_embeddings=24, rope_parameters=rope))
    else:
        rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 24}
        network = LlamaForCausalLM(LlamaConfig(**(sizes | {"max_position_embeddings": 24}), rope_parameters=rope))
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    return network.double().eval()


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
@pytest.mark.parametrize("method", ["saliency", "occlusion", "attention"])
def test_targets_on_both_sides_of_a_border_have_passes_of_their_own(
    kind: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each column is that of the text up to its target, in a model that has read nothing else."""
    from saliency_widget.models.base import Model

    # A limit of 24 is what the tokenizer's maker wrote; a dynamic rope reads on.
    monkeypatch.setattr(Model, "n_positions", None)
    network, tokenizer = with_rope(kind), byte_tokenizer()
    ids = [(i * 7 + 5) % 190 + 40 for i in range(22)]
    targets = [50, 60, 70, 80, 90]
    a = sw.attribute((network, tokenizer), input_ids=ids, target_ids=targets, method=method, progress=False)
    for j, target in enumerate(targets):
        text = ids + targets[:j]
        with torch.no_grad():
            p = copy.deepcopy(network)(torch.tensor([text]), use_cache=False).logits[0, -1].softmax(-1)[target]
        assert a.step_scores["probability"][j] == pytest.approx(float(p), rel=1e-5)
        if method == "saliency":
            x = network.get_input_embeddings()(torch.tensor([text])).detach().requires_grad_()
            logits = copy.deepcopy(network)(inputs_embeds=x, use_cache=False).logits
            (g,) = torch.autograd.grad(logits[0, -1].softmax(-1)[target], x)
            np.testing.assert_allclose(a.scores[: len(text), j], g[0].norm(dim=-1), rtol=1e-4)


@pytest.mark.parametrize(("window", "positions", "n"), [(256, 2048, 40), (20, 512, 22), (256, 128, 22), (32, 512, 60)])
def test_packed_texts_are_right_at_every_length_or_not_packed(window: int, positions: int, n: int) -> None:
    """GPT-Neo's window counts places in the packed sequence, and its table of positions may end before the pack."""
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    network = GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_layers=2, num_heads=4, max_position_embeddings=positions,
            window_size=window, attention_types=[[["global", "local"], 1]], bos_token_id=None, eos_token_id=None,
        )
    )  # fmt: skip
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    network = network.double().eval()
    ids = [(i * 7 + 5) % 190 + 40 for i in range(n)]
    a = sw.attribute((network, tokenizer), input_ids=ids, target_ids=[50, 60], method="occlusion", progress=False)
    texts = torch.tensor([[*ids, 50]] * (n + 2))
    texts[range(n + 1), range(n + 1)] = tokenizer.unk_token_id
    with torch.no_grad():
        p = network(texts).logits[:, -1].softmax(-1)[:, 60]
    expected = (p[-1] - p[:-1]).numpy()
    np.testing.assert_allclose(a.scores[:, 1], expected, atol=1e-5 * np.abs(expected).max())


def test_no_limit_where_the_config_says_minus_one() -> None:
    subject = subject_of(Architecture("classify", "xlnet"))
    assert subject.model.config.max_position_embeddings == -1
    a = sw.attribute((subject.model, subject.tokenizer), "a cab and a dad", progress=False)
    assert np.isfinite(a.scores).all()


# ── classes that users make ──────────────────────────────────────────────────────────────────────────────────────


class Wrapped(torch.nn.Module):
    """A GPT-2 behind a user's own forward function."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.inner, self.config, self.generation_config = model, model.config, model.generation_config

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()

    def hidden(self, input_ids: Any) -> Any:
        return self.inner.transformer(input_ids).last_hidden_state

    @classmethod
    def _can_set_attn_implementation(cls) -> bool:
        return False


class NoCache(Wrapped):
    def forward(self, input_ids: Any) -> Any:
        return {"logits": self.inner.lm_head(self.hidden(input_ids))}


class GivesATuple(Wrapped):
    def forward(self, input_ids: Any) -> Any:
        return (self.inner.lm_head(self.hidden(input_ids)), None)


class HeadByKeyword(Wrapped):
    def forward(self, input_ids: Any) -> Any:
        return {"logits": self.inner.lm_head(input=self.hidden(input_ids))}


class FlatHead(Wrapped):
    def forward(self, input_ids: Any) -> Any:
        x = self.hidden(input_ids)
        return {"logits": self.inner.lm_head(x.flatten(0, 1)).view(*x.shape[:2], -1)}


class MixedLogits(Wrapped):
    """A model whose logits depend on the logits before, so that they are not the head's output."""

    def forward(self, input_ids: Any) -> Any:
        logits = self.inner.lm_head(self.hidden(input_ids))
        return {"logits": logits + 0.5 * logits.cumsum(1)}


class LookedUpByHand(Wrapped):
    def forward(self, input_ids: Any) -> Any:
        x = torch.nn.functional.embedding(input_ids, self.inner.transformer.wte.weight)
        return {"logits": self.inner(inputs_embeds=x).logits}


OWN = [NoCache, GivesATuple, HeadByKeyword, FlatHead, MixedLogits]
IDS, TARGET = [70, 71, 72, 73], [74, 75, 76]


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_a_class_of_somebodys_own_has_the_map_of_plain_calls(kind: type[Wrapped], method: str) -> None:
    network = kind(make("gpt2").model).eval()
    a = sw.attribute((network, byte_tokenizer()), input_ids=IDS, target_ids=TARGET, method=method, progress=False)

    def logits(ids: list[int], x: torch.Tensor | None = None) -> torch.Tensor:
        handle = network.get_input_embeddings().register_forward_hook(lambda _m, _a, out: out if x is None else x)
        try:
            output = network(torch.tensor([ids]))
        finally:
            handle.remove()
        return (output[0] if isinstance(output, tuple) else output["logits"])[0, -1]

    for j, target in enumerate(TARGET):
        text = IDS + TARGET[:j]
        x = network.get_input_embeddings()(torch.tensor([text])).detach().requires_grad_()
        p = logits(text, x).softmax(-1)[target]
        if method == "saliency":
            (g,) = torch.autograd.grad(p, x)
            expected = g[0].norm(dim=-1)
        else:
            unk = byte_tokenizer().unk_token_id
            changed = ([*text[:row], unk, *text[row + 1 :]] for row in range(len(text)))
            with torch.no_grad():
                expected = torch.stack([p.detach() - logits(ids).softmax(-1)[target] for ids in changed])
        np.testing.assert_allclose(a.scores[: len(text), j], expected.detach(), rtol=1e-5, atol=1e-12)


def test_a_model_whose_embedding_module_is_never_called_is_refused() -> None:
    network = LookedUpByHand(make("gpt2").model).eval()
    with pytest.raises(UnsupportedMethod, match="reads its token ids elsewhere"):
        sw.attribute((network, byte_tokenizer()), input_ids=IDS, target_ids=TARGET, progress=False)


def test_what_was_found_out_is_kept_while_the_structure_is_the_same() -> None:
    """Probing is not repeated for a second map, but it is after a hook was added."""
    model = make("llama")
    sw.attribute(model, input_ids=IDS, target_ids=TARGET, progress=False)
    known = probe.facts_of(model.model)
    assert {"read", "remembers", "writes_weights"} <= set(known.found)
    sw.attribute(model, input_ids=IDS, target_ids=TARGET, method="occlusion", progress=False)
    assert probe.facts_of(model.model) is known
    model.model.model.layers[0].register_forward_hook(lambda *_: None)
    assert probe.facts_of(model.model) is not known
