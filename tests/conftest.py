"""Models of a few thousand parameters, made from a config: no download, the same numbers every time."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from saliency_widget.models.causal import CausalModel

torch.set_num_threads(2)

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer() -> Any:
    """One token a byte, plus a few merged words and special tokens: every text can be written, pieces are split."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate(alphabet)}
    merges = []
    for left, right in [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("Ġ", "b"), ("Ġ", "c"), ("Ġ", "d")]:
        vocabulary[left + right] = len(vocabulary)
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in ("<|unk|>", "<|im_start|>", "<|im_end|>")])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<|unk|>", eos_token="<|im_end|>", bos_token="<|im_start|>"
    )
    fast.chat_template = CHAT
    return fast


def tiny(family: str, dtype: torch.dtype = torch.float64) -> CausalModel:
    """A random two-layer model of the family with the byte tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    from saliency_widget.models.causal import CausalModel

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    size = {"vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": None}
    if family == "gpt2":
        model: Any = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **size))
    else:
        model = LlamaForCausalLM(
            LlamaConfig(
                hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, max_position_embeddings=128, **size,
            )
        )  # fmt: skip
    for parameter in model.parameters():  # away from the flat start, where every gradient is nearly the same
        parameter.data.normal_(0, 0.3)
    return CausalModel(model.to(dtype).eval(), tokenizer, name=f"tiny-{family}")


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, CausalModel]:
    return {family: tiny(family) for family in ("gpt2", "llama")}


@pytest.fixture(params=["gpt2", "llama"])
def tiny_model(request: Any, tiny_models: dict[str, CausalModel], as_lent: Callable[[Any], None]) -> CausalModel:
    """Each tiny architecture in float64; the test fails where it does not come back as it was."""
    model = tiny_models[request.param]
    as_lent(model.model)
    return model


@pytest.fixture(scope="session")
def demo_session() -> CausalModel:
    from saliency_widget import load_model

    return load_model("demo", device="cpu", dtype="float32")


@pytest.fixture
def demo(demo_session: CausalModel, as_lent: Callable[[Any], None]) -> CausalModel:
    as_lent(demo_session.model)
    return demo_session


def state_of(model: Any) -> dict[str, Any]:
    """Everything about a model that a lender would mind, weights bit for bit."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {n: (p.dtype, p.device, p._version, p.detach().double().sum().item()) for n, p in _named(model)},
        "requires_grad": {n: p.requires_grad for n, p in model.named_parameters()},
        "grad": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "training": {n: m.training for n, m in model.named_modules()},
        "hooks": {(n, h): len(getattr(m, h)) for n, m in model.named_modules() for h in hooks},
        "config": copy.deepcopy(model.config.to_dict()),
        "attention": model.config._attn_implementation,
        "generation_config": copy.deepcopy(model.generation_config.to_dict()),
    }


def _named(model: Any) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


@pytest.fixture
def as_lent() -> Iterator[Callable[[Any], None]]:
    """Call it with a model: at the end of the test that model must be as it is now."""
    lent: list[tuple[Any, dict[str, Any]]] = []
    yield lambda model: lent.append((model, state_of(model)))
    for model, before in lent:
        after = state_of(model)
        assert {k: v for k, v in after.items() if k != "grad"} == {k: v for k, v in before.items() if k != "grad"}
        for name, grad in before["grad"].items():
            assert (grad is None) == (after["grad"][name] is None)
            assert grad is None or torch.equal(grad, after["grad"][name])
