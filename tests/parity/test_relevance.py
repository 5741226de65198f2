"""AttnLRP equals the formulas of the paper, for each rule and through whole models without autograd.

What AttnLRP and GIM share is tested here for both; GIM's own rules in `test_gim`.

All in float64. Relevance is divided by activations here, which the package never does: near 0 that costs digits, and
the tolerances are relative to the largest relevance.
"""

from __future__ import annotations

import copy
import functools
import threading
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers as tf
from transformers.modeling_layers import GradientCheckpointingLayer

from saliency_widget.errors import UnsupportedMethod
from saliency_widget.models.inside import relevance as models_relevance
from saliency_widget.models.inside.checkpointing import checkpointed
from saliency_widget.models.inside.relevance import relevance_rules, why_no_relevance
from saliency_widget.models.inside.shadow import shadow_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Tensor = torch.Tensor

IDS = [3, 9, 4, 17, 5, 11, 2]  # 2 ends a text: BART's classifier looks for it

_SIZES = {
    "vocab_size": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 32, "n_embd": 32, "n_layer": 2, "n_head": 4,
    "n_positions": 32, "d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 2, "num_heads": 4, "ffn_dim": 48,
    "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "word_embed_proj_dim": 32, "dim": 32, "hidden_dim": 48, "n_layers": 2,
    "n_heads": 4, "query_pre_attn_scalar": 8, "num_decoder_layers": 2, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "decoder_start_token_id": 1, "sliding_window": 4, "emb_dim": 32, "dff": 48, "d_inner": 48,
    "embedding_size": 32, "input_embedding_size": 32, "output_embedding_size": 32, "src_vocab_size": 32,
    "tgt_vocab_size": 32, "attention_heads": 4, "n_embed": 32, "max_seq_len": 32,
}  # fmt: skip

_RELATIVE = {
    "relative_attention": True, "position_buckets": 4, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
    "max_relative_positions": -1, "position_biased_input": False,
}  # fmt: skip

# Of families without transformers' attention interface: those that have their own.
OWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bloom": ("BloomForCausalLM", "eager", {}),
    "falcon": ("FalconForCausalLM", "sdpa", {}),
    "falcon eager": ("FalconForCausalLM", "eager", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon alibi": ("FalconForCausalLM", "sdpa", {"alibi": True, "bias": True, "parallel_attn": False}),
    "gpt-neo": ("GPTNeoForCausalLM", "eager", {"attention_types": [[["global", "local"], 1]], "window_size": 4}),
    "gpt-neox-japanese": ("GPTNeoXJapaneseForCausalLM", "eager", {}),
    "gptj": ("GPTJForCausalLM", "eager", {"rotary_dim": 4}),
    "codegen": ("CodeGenForCausalLM", "eager", {"rotary_dim": 4}),
    "mpt": ("MptForCausalLM", "eager", {}),
    "ctrl": ("CTRLLMHeadModel", "eager", {}),
    "gpt": ("OpenAIGPTLMHeadModel", "eager", {}),
    "xglm": ("XGLMForCausalLM", "eager", {}),
    "xlnet": ("XLNetLMHeadModel", "eager", {}),
    "xlm": ("XLMForSequenceClassification", "eager", {}),
    "deberta": ("DebertaForSequenceClassification", "eager", _RELATIVE),
    "deberta v2": ("DebertaV2ForSequenceClassification", "eager", _RELATIVE),
    "megatron-bert": ("MegatronBertForSequenceClassification", "eager", {}),
    "mpnet": ("MPNetForSequenceClassification", "eager", {"max_position_embeddings": 34}),
    "rembert": ("RemBertForSequenceClassification", "eager", {}),
    "roformer": ("RoFormerForSequenceClassification", "eager", {}),
    "fsmt": ("FSMTForConditionalGeneration", "eager", {"langs": ["en", "de"], "tie_word_embeddings": False}),
}
_FLOAT32 = ("fsmt", "xglm")  # their masks are written for that alone

# Architecture, attention implementation, and what its config says beside the sizes.
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", "sdpa", {}),
    "gpt2 eager": ("GPT2LMHeadModel", "eager", {}),
    "gpt2 relu": ("GPT2LMHeadModel", "sdpa", {"activation_function": "relu"}),
    "gpt2 odd": ("GPT2LMHeadModel", "sdpa", {"hidden_size": 27, "num_attention_heads": 3}),
    "llama": ("LlamaForCausalLM", "sdpa", {}),
    "llama eager": ("LlamaForCausalLM", "eager", {}),
    "llama odd": ("LlamaForCausalLM", "sdpa", {"hidden_size": 27, "num_attention_heads": 3, "num_key_value_heads": 1}),
    "qwen2": ("Qwen2ForCausalLM", "sdpa", {}),
    "qwen3": ("Qwen3ForCausalLM", "sdpa", {}),
    "mistral": ("MistralForCausalLM", "sdpa", {}),
    "gemma": ("GemmaForCausalLM", "sdpa", {}),
    "gemma2": ("Gemma2ForCausalLM", "eager", {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3ForCausalLM", "sdpa", {}),
    "phi": ("PhiForCausalLM", "sdpa", {"qk_layernorm": True}),
    "phi3": ("Phi3ForCausalLM", "sdpa", {}),
    "gpt-neox": ("GPTNeoXForCausalLM", "sdpa", {}),
    "opt": ("OPTForCausalLM", "sdpa", {}),
    "cohere": ("CohereForCausalLM", "sdpa", {"use_qk_norm": True}),
    "olmo2": ("Olmo2ForCausalLM", "sdpa", {}),
    "marian": ("MarianMTModel", "sdpa", {}),
    "bart": ("BartForConditionalGeneration", "sdpa", {}),
    "mbart": ("MBartForConditionalGeneration", "sdpa", {}),
    "pegasus": ("PegasusForConditionalGeneration", "sdpa", {}),
    "m2m100": ("M2M100ForConditionalGeneration", "sdpa", {}),
    "t5": ("T5ForConditionalGeneration", "sdpa", {}),
    "t5 gated": ("T5ForConditionalGeneration", "sdpa", {"feed_forward_proj": "gated-gelu"}),
    "bert": ("BertForSequenceClassification", "sdpa", {}),
    "bert eager": ("BertForSequenceClassification", "eager", {}),
    "distilbert": ("DistilBertForSequenceClassification", "sdpa", {}),
    "roberta": ("RobertaForSequenceClassification", "sdpa", {"max_position_embeddings": 34}),
    "roberta lm": ("RobertaForMaskedLM", "sdpa", {"max_position_embeddings": 34}),
    "bart classifier": ("BartForSequenceClassification", "sdpa", {}),
    "modernbert": ("ModernBertForSequenceClassification", "sdpa", {}),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Matrices as small as these are faster on one; two wait for each other wherever the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def tiny(family: str) -> Any:
    """A random model of two layers in float64. Its config takes of the sizes those that it knows."""
    name, attention, more = (FAMILIES | OWN)[family]
    architecture = getattr(tf, name)
    kind = architecture.config_class
    names = {*vars(kind()), *getattr(kind, "attribute_map", {})}
    torch.manual_seed(0)
    config = kind(**{k: v for k, v in _SIZES.items() if k in names} | more)
    model = architecture._from_config(config, attn_implementation=attention).eval()
    model.to(torch.float32 if family in _FLOAT32 else torch.float64)
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)
    if not hasattr(model, "generation_config"):
        model.generation_config = tf.GenerationConfig()  # `as_lent` looks at it
    return model


@pytest.fixture
def make(as_lent: Callable[[Any], None]) -> Iterator[Callable[[str], Any]]:
    """Tiny models, each of which must be at the end of the test as it was."""

    def made(family: str) -> Any:
        model = tiny(family)
        as_lent(model)
        return model

    return made


def embeddings_of(model: Any) -> list[torch.nn.Module]:
    if not model.config.is_encoder_decoder:
        return [model.get_input_embeddings()]
    parts = (model.get_encoder(), model.get_decoder())
    modules = [part.embed_tokens if hasattr(part, "embed_tokens") else part.get_input_embeddings() for part in parts]
    return list(dict.fromkeys(modules))


def forward(model: Any, rule: Any = None, ids: list[int] = IDS) -> tuple[Tensor, list[Tensor]]:
    """Outputs [k] at the last position and the embeddings [1, n, d] they depend on, source before target."""
    model = shadow_of(model)
    leaves: list[Tensor] = []

    def leaf(_module: Any, _args: Any, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        return leaves[-1].clone()  # CTRL writes into it

    inputs = {"input_ids": torch.tensor([ids])}
    if model.config.is_encoder_decoder and "Classification" not in type(model).__name__:
        inputs["decoder_input_ids"] = torch.tensor([[1, 8, 6]])
    handles = [module.register_forward_hook(leaf) for module in embeddings_of(model)]
    try:
        with relevance_rules(model, rule) if rule else nullcontext():
            logits = model(**inputs).logits
    finally:
        for handle in handles:
            handle.remove()
    return logits.reshape(-1, logits.shape[-1])[-1], leaves


def relevance(model: Any, rule: Any, token: int = -1) -> tuple[Tensor, Tensor]:
    """Relevance [n] of every embedding for one output, and that output."""
    outputs, leaves = forward(model, rule)
    gradients = torch.autograd.grad(outputs[token], leaves)
    parts = [(g * x).sum(-1)[0] for g, x in zip(gradients, leaves, strict=True)]
    return torch.cat(parts).detach(), outputs[token].detach()


# ── the model is as it was ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", FAMILIES | OWN)
def test_numbers_stay_and_the_gradient_comes_back(make: Callable[[str], Any], family: str) -> None:
    """Bit for bit: within the context the outputs, after it also the ordinary gradients. No family has a step left over
    for which there is no rule: the pass would say so.
    """
    model = make(family)
    assert why_no_relevance(model) is None
    before, leaves = forward(model)
    ordinary = torch.autograd.grad(before[-1], leaves)
    for rule in ("attnlrp", "cp-lrp", "gim"):
        outputs, leaves = forward(model, rule)
        assert torch.equal(outputs, before)
        changed = torch.autograd.grad(outputs[-1], leaves)
        assert all(g.isfinite().all() and g.any() for g in changed)
        assert not any(torch.allclose(a, b) for a, b in zip(changed, ordinary, strict=True))
    after, leaves = forward(model)
    assert torch.equal(after, before)
    again = torch.autograd.grad(after[-1], leaves)
    assert all(torch.equal(a, b) for a, b in zip(again, ordinary, strict=True))


@pytest.mark.parametrize("family", ["llama", "bloom"])
def test_another_thread_gets_ordinary_gradients(make: Callable[[str], Any], family: str) -> None:
    """A cell may run the model while the engine has it. What hears products hears those of one thread."""
    model = make(family)
    x = model.get_input_embeddings()(torch.tensor([IDS])).detach().requires_grad_()
    found: list[Tensor] = []

    def run(network: Any) -> None:
        found.append(torch.autograd.grad(network(inputs_embeds=x).logits[0, -1, -1], x)[0])

    run(model)
    shadow = shadow_of(model)
    with relevance_rules(shadow):
        thread = threading.Thread(target=run, args=(model,))
        thread.start()
        thread.join()
        run(shadow)
    assert torch.equal(found[1], found[0])
    assert not torch.allclose(found[2], found[0])


def test_a_pass_without_gradients_is_the_ordinary_one(make: Callable[[str], Any]) -> None:
    model = make("gpt2")
    ids = torch.tensor([IDS])
    with torch.no_grad(), relevance_rules(model):
        inside = model(ids).logits
        assert torch.equal(inside, model(inputs_embeds=model.get_input_embeddings()(ids)).logits)
    with torch.no_grad():
        assert torch.equal(inside, model(ids).logits)


def test_half_precision_keeps_its_numbers_too() -> None:
    """bfloat16 has 8 bits: the outputs are equal, and the relevances those of float64 up to the same rounding."""
    exact, _ = relevance(tiny("llama"), "attnlrp")
    config = tiny("llama").config
    rough = tf.LlamaForCausalLM(config).eval()
    rough.load_state_dict(tiny("llama").state_dict())
    rough.to(torch.bfloat16)
    assert torch.equal(forward(rough, "attnlrp")[0], forward(rough)[0])
    found, _ = relevance(rough, "attnlrp")
    assert torch.cosine_similarity(found.double(), exact, dim=0) > 0.99


# ── what cannot be done is said ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "config", "reason"),
    [
        ("MambaForCausalLM", {"hidden_size": 16, "state_size": 4, "num_hidden_layers": 1}, "rule for Mamba"),
        ("MixtralForCausalLM", {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                                "num_attention_heads": 2, "num_key_value_heads": 1}, "rule for MixtralExperts"),
        ("FNetForMaskedLM", {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}, "has no attention"),
    ],
)  # fmt: skip
def test_what_has_no_rule_says_so(name: str, config: dict[str, Any], reason: str) -> None:
    architecture = getattr(tf, name)
    model = architecture(architecture.config_class(vocab_size=32, **config)).eval()
    said = why_no_relevance(model)
    assert said is not None
    assert reason in said
    with pytest.raises(UnsupportedMethod, match=reason), relevance_rules(model):
        pass


def with_sigmoid(model: Any) -> None:
    """A model with a sigmoid, for which the identity rule has no limit at 0."""
    for layer in model.model.layers:
        layer.mlp.act_fn = torch.nn.Sigmoid()


def with_plain_function(model: Any) -> None:
    class Gate(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.exp(x)

    model.model.layers[1].mlp.act_fn = Gate()


def with_something_else(model: Any) -> None:
    class OddNorm(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x

    model.model.norm = OddNorm()


def with_product_that_is_used_twice(model: Any) -> None:
    """A model whose product is used by a module, with a rule, and added elsewhere, without one."""
    layer = model.model.layers[0]

    class Twice(type(layer.mlp)):
        def forward(self, x: Tensor) -> Tensor:
            product = self.gate_proj(x) * self.up_proj(x)
            return self.down_proj(product) + product[..., : x.shape[-1]]

    layer.mlp.__class__ = Twice


def with_bias_from_the_input(model: Any) -> None:
    """A model with a mask of the input, as Doge's, which needs rules of its own."""

    def add_mask(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        kwargs["attention_mask"] = kwargs["hidden_states"].mean(-1).sigmoid()[:, None, None]
        return args, kwargs

    model.model.layers[0].self_attn.register_forward_pre_hook(add_mask, with_kwargs=True)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (with_bias_from_the_input, "SigmoidBackward0"),
        (with_sigmoid, "SigmoidBackward0"),
        (with_plain_function, "ExpBackward0"),
        (with_something_else, "OddNorm"),
        (with_product_that_is_used_twice, "MulBackward0"),
    ],
)
def test_a_step_without_rule_is_found_in_the_pass(change: Callable[[Any], None], step: str) -> None:
    """A step without a rule is an error during the pass, after which the model is unchanged."""
    model = tf.LlamaForCausalLM(tiny("llama").config).double().eval()
    change(model)
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    with pytest.raises(UnsupportedMethod, match=step):
        forward(model, "attnlrp")
    assert hooks == [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    assert model.config._attn_implementation == "sdpa"
    forward(model)


def with_two_softmaxes(model: Any) -> None:
    """A model with a second softmax that is multiplied with nothing, so it is no attention."""

    class Twice(type(model.transformer.h[0].mlp)):
        def forward(self, x: Tensor, residual: Tensor) -> Tensor:
            return super().forward(x.softmax(-1), residual)

    model.transformer.h[0].mlp.__class__ = Twice


def test_a_softmax_that_nothing_is_multiplied_with_has_no_rule() -> None:
    model = tf.BloomForCausalLM(tiny("bloom").config).double().eval()
    with_two_softmaxes(model)
    with pytest.raises(UnsupportedMethod, match="SoftmaxBackward0"):
        forward(model, "attnlrp")


# ── relevance adds up ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", ["llama", "llama odd", "qwen3", "gemma3", "phi3", "olmo2", "t5", "t5 gated"])
def test_without_biases_and_with_frozen_attention_relevance_adds_up_to_the_logit(family: str) -> None:
    """CP-LRP keeps all of it. Their norms compute in float32, hence 1e-6 of what is added up."""
    for token in (5, 20):
        found, logit = relevance(tiny(family), "cp-lrp", token)
        assert float(found.sum()) == pytest.approx(float(logit), rel=0, abs=1e-6 * float(found.abs().sum()))


# Position embeddings, and biases, which take a share and keep it.
_KEEP = ("bias", "position_embeddings", "wpe")


@pytest.mark.parametrize(
    "family", ["bloom", "falcon", "falcon eager", "gpt-neo", "gptj", "codegen", "mpt", "deberta v2"]
)
def test_so_it_does_in_families_with_attention_of_their_own(family: str) -> None:
    """Families with their own attention are additive too if biases are 0, to 1e-6 (a softmax in float32)."""
    model = copy.deepcopy(tiny(family))
    for name, parameter in model.named_parameters():
        if any(part in name for part in _KEEP):
            parameter.data.zero_()
    for token in (0, 1):
        found, logit = relevance(model, "cp-lrp", token)
        assert float(found.sum()) == pytest.approx(float(logit), rel=0, abs=1e-6 * float(found.abs().sum()))


# ── attention of a family's own, and on the interface ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", ["attnlrp", "cp-lrp", "gim"])
@pytest.mark.parametrize(
    "family",
    ["gpt2", "gpt2 eager", "llama", "llama eager", "qwen3", "bert", "bert eager", "t5", "t5 gated", "marian", "bart"],
)
def test_products_that_are_heard_have_the_rules_of_the_interface(
    family: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Families on the interface, whose own code is left to compute attention: their products, or torch's fused one.

    So GIM's temperature is found once by an attention that is given less, and once by a softmax that is.
    """
    expected = [relevance(tiny(family), rule, token)[0] for token in (0, 1)]
    monkeypatch.setattr(models_relevance, "answering_as", lambda _model, _named: nullcontext())
    for token, of_interface in enumerate(expected):
        assert_close(relevance(tiny(family), rule, token)[0], of_interface)


def neox(family: str) -> Any:
    """A GPT-NeoX that computes what a tiny GPT-J or Falcon does.

    Both norms are their one; GPT-J turns neighbours, GPT-NeoX halves: the same pairs, in another order.
    """
    own = tiny(family)
    body = own.transformer
    rotary = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5 if family == "gptj" else 1.0}
    config = tf.GPTNeoXConfig(
        **{k: _SIZES[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")},
        max_position_embeddings=32, intermediate_size=128, use_parallel_residual=True, rope_parameters=rotary,
        hidden_act="gelu_new" if family == "gptj" else "gelu", pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = tf.GPTNeoXForCausalLM._from_config(config, attn_implementation="eager").double().eval()
    model.gpt_neox.embed_in.weight = own.get_input_embeddings().weight
    model.get_output_embeddings().weight = own.lm_head.weight
    model.gpt_neox.final_layer_norm.load_state_dict(body.ln_f.state_dict())
    for layer, mine in zip(model.gpt_neox.layers, body.h, strict=True):
        norm = mine.ln_1 if family == "gptj" else mine.input_layernorm
        layer.input_layernorm.load_state_dict(norm.state_dict())
        layer.post_attention_layernorm.load_state_dict(norm.state_dict())
        if family == "gptj":
            order = [0, 2, 1, 3, 4, 5, 6, 7]  # of the first four, which are turned
            q, k = (p.weight.view(4, 8, 32)[:, order] for p in (mine.attn.q_proj, mine.attn.k_proj))
            qkv = torch.stack([q, k, mine.attn.v_proj.weight.view(4, 8, 32)], dim=1)  # [heads, 3, head_dim, hidden]
            dense, up, down = mine.attn.out_proj, mine.mlp.fc_in, mine.mlp.fc_out
        else:  # one key and one value for all heads
            q, kv = mine.self_attention.query_key_value.weight.split([32, 16])
            qkv = torch.cat([q.view(4, 1, 8, 32), kv.view(1, 2, 8, 32).expand(4, -1, -1, -1)], dim=1)
            dense, up, down = mine.self_attention.dense, mine.mlp.dense_h_to_4h, mine.mlp.dense_4h_to_h
        for new, old in (
            (layer.attention.query_key_value, qkv.reshape(96, 32)),
            (layer.attention.dense, dense.weight), (layer.mlp.dense_h_to_4h, up.weight),
            (layer.mlp.dense_4h_to_h, down.weight),
        ):  # fmt: skip
            new.weight.data = old.detach().clone()
            new.bias.data.zero_()
        for new, old in ((layer.mlp.dense_h_to_4h, up), (layer.mlp.dense_4h_to_h, down)):
            if old.bias is not None:
                new.bias.data = old.bias.detach().clone()
    return model


def gpt2_of_gpt_neo() -> tuple[Any, Any]:
    """A GPT-Neo without local layers, and the GPT-2 that computes the same: its scores are not scaled."""
    config = copy.deepcopy(tiny("gpt-neo").config)
    config.attention_layers = ["global", "global"]
    own = tf.GPTNeoForCausalLM(config).double().eval()
    own.load_state_dict(tiny("gpt-neo").state_dict())
    sizes = {k: _SIZES[k] for k in ("vocab_size", "n_embd", "n_layer", "n_head", "n_positions")}
    same = tf.GPT2Config(**sizes, n_inner=48, scale_attn_weights=False)
    model = tf.GPT2LMHeadModel._from_config(same, attn_implementation="eager").double().eval()
    body, mine = model.transformer, own.transformer
    for new, old in ((body.wte, mine.wte), (body.wpe, mine.wpe), (body.ln_f, mine.ln_f)):
        new.load_state_dict(old.state_dict())
    for block, other in zip(body.h, mine.h, strict=True):
        attention = other.attn.attention
        block.ln_1.load_state_dict(other.ln_1.state_dict())
        block.ln_2.load_state_dict(other.ln_2.state_dict())
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        block.attn.c_attn.weight.data = torch.cat([p.weight for p in projections]).T.detach().clone()
        block.attn.c_attn.bias.data.zero_()
        mlp = (block.mlp.c_fc, other.mlp.c_fc), (block.mlp.c_proj, other.mlp.c_proj)
        pairs = ((block.attn.c_proj, attention.out_proj), *mlp)
        for new, old in pairs:
            new.weight.data, new.bias.data = old.weight.T.detach().clone(), old.bias.detach().clone()
    return own, model


@pytest.mark.parametrize("family", ["gptj", "falcon", "gpt-neo"])
@pytest.mark.parametrize("rule", ["attnlrp", "cp-lrp", "gim"])
def test_a_family_of_its_own_has_the_relevance_of_one_on_the_interface_that_computes_the_same(
    family: str, rule: str
) -> None:
    """With the same weights: of GPT-NeoX, of GPT-2. GPT-Neo and rotary positions compute in float32: to 1e-6."""
    own, same = gpt2_of_gpt_neo() if family == "gpt-neo" else (tiny(family), neox(family))
    outputs, expected = (forward(model)[0].detach() for model in (own, same))
    bias = own.lm_head.bias.detach() if family == "gptj" else 0
    assert_close(outputs - bias, expected, 1e-6)
    for token in (5, 20):
        assert_close(relevance(own, rule, token)[0], relevance(same, rule, token)[0], 1e-6)


@pytest.mark.parametrize("family", ["bloom", "falcon", "gptj", "xglm", "deberta v2", "llama"])
@pytest.mark.parametrize("rule", ["attnlrp", "gim"])
def test_layers_that_run_again_in_the_backward_pass_have_their_rules(family: str, rule: str) -> None:
    """Checkpointing drops a layer's graph, and makes it anew where no mode of the first pass is in force."""
    model = tiny(family)
    expected, _ = relevance(model, rule)
    shadow = shadow_of(model)
    layers = [m for m in shadow.modules() if isinstance(m, GradientCheckpointingLayer)]
    assert layers
    x = shadow.get_input_embeddings()(torch.tensor([IDS])).detach().requires_grad_()
    with relevance_rules(shadow, rule):
        with checkpointed(shadow):
            logits = shadow(inputs_embeds=x, **({} if "deberta" in family else {"use_cache": False})).logits
        (gradient,) = torch.autograd.grad(logits.reshape(-1, logits.shape[-1])[-1, -1], x)
    assert_close((gradient * x).sum(-1)[0].detach(), expected, 1e-5 if family in _FLOAT32 else 1e-9)
    assert not any("forward" in vars(layer) for layer in layers)


# ── rule by rule, written as in the paper ─────────────────────────────────────────────────────────────────────────────


def linear_rule(x: Tensor, weight: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Eq. 8 with ε = 0: R_i = Σ_j x_i w_ji R_j / y_j; y_j has its bias in it. Shapes: [n, i], [j, i], [n, j] twice."""
    return x * ((r / y) @ weight)


def sum_rule(a: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    return r * a / (a + b), r * b / (a + b)


def layer_norm_rule(x: Tensor, y: Tensor, bias: Tensor, r: Tensor) -> Tensor:
    """The identity rule on the division; the bias keeps its share; x - mean is a linear step."""
    d = x.shape[-1]
    centring = torch.eye(d, dtype=x.dtype) - 1 / d
    return linear_rule(x, centring, x @ centring.T, r * (y - bias) / y)


def attention_rule(
    q: Tensor, k: Tensor, v: Tensor, scaling: float, r: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One head: q, k, v, r [n, d]; Propositions 3.3, 3.1 and 3.3 again, from the output back to the inputs."""
    scores = q @ k.T * scaling
    a = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    share = r / (2 * (a @ v))
    r_a, r_v = a * (share @ v.T), v * (a.T @ share)
    r_scores = scores * (r_a - a * r_a.sum(-1, keepdim=True))
    share = r_scores / (2 * scores)
    return q * (share @ k) * scaling, k * (share.T @ q) * scaling, r_v


def assert_close(found: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


def through(model: Any, part: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `part` of the model gives, and the relevance of x, if that of the output is output · gradient."""
    x = x.requires_grad_()
    with relevance_rules(model):
        y = part(x)
    (g,) = torch.autograd.grad(y, x, gradient)
    return y.detach(), (x * g).detach()


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize(("family", "tolerance"), [("llama", 1e-6), ("gemma3", 1e-6), ("t5", 1e-6)])
def test_an_rms_norm_passes_relevance_on_as_it_is(family: str, tolerance: float) -> None:
    """Prop. 3.4, whether the weight is a factor or is added to 1. These norms compute in float32."""
    model = tiny(family)
    norm = model.encoder.final_layer_norm if family == "t5" else model.model.norm
    gradient = some(1, 5, 32)
    y, found = through(model, norm, 3 * some(5, 32)[None], gradient)
    assert_close(found, y * gradient, tolerance)


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_a_layer_norm_is_linear_but_for_its_deviation(family: str) -> None:
    model = tiny(family)
    norm = model.transformer.ln_f if family == "gpt2" else model.bert.embeddings.LayerNorm
    x, gradient = 3 * some(5, 32) + 1, some(1, 5, 32)
    y, found = through(model, norm, x[None], gradient)
    assert_close(found[0], layer_norm_rule(x.detach(), y[0], norm.bias.detach(), (y * gradient)[0]))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "silu", "relu", "tanh", "quick_gelu", "mish", "relu2"])
def test_an_activation_passes_relevance_on_as_it_is(activation: str) -> None:
    """Eq. 9; at 0, where f(x) / x is nothing, the gradient is its limit."""
    config = tf.GPT2Config(**{k: v for k, v in _SIZES.items() if k.startswith("n_")} | {"vocab_size": 32})
    config.activation_function = activation
    model = tf.GPT2LMHeadModel(config).double().eval()
    x, gradient = 3 * some(1, 6, 8), some(1, 6, 8)
    y, found = through(model, model.transformer.h[0].mlp.act, x, gradient)
    assert_close(found, y * gradient)
    zero = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    with relevance_rules(model):
        (slope,) = torch.autograd.grad(model.transformer.h[0].mlp.act(zero).sum(), zero)
    assert torch.equal(slope, torch.autograd.grad(model.transformer.h[0].mlp.act(zero).sum(), zero)[0])


def test_a_function_without_a_module_passes_relevance_on_as_it_is() -> None:
    """RoBERTa's head calls torch.tanh between two linear layers."""
    model = tiny("roberta")
    head, x, gradient = model.classifier, some(1, 32), some(1, 2)
    with torch.no_grad():
        hidden = head.dense(x)
    y, found = through(model, lambda x: head(x[:, None]), x, gradient)
    r = linear_rule(hidden.tanh(), head.out_proj.weight.detach(), y, y * gradient)
    assert_close(found, linear_rule(x.detach(), head.dense.weight.detach(), hidden, r))


def mlp_rule(mlp: Any, x: Tensor, r: Tensor) -> Tensor:
    """down(act(gate(x)) · up(x)): Prop. 3.2 gives a half to each factor, and Eq. 9 passes the gate's through act."""
    gate, up = mlp.gate_proj(x), mlp.up_proj(x)
    z = mlp.act_fn(gate) * up
    half = linear_rule(z, mlp.down_proj.weight, mlp.down_proj(z), r) / 2
    return linear_rule(x, mlp.gate_proj.weight, gate, half) + linear_rule(x, mlp.up_proj.weight, up, half)


def test_a_gated_mlp_halves_relevance_between_gate_and_value() -> None:
    model = tiny("llama")
    x, gradient = some(5, 32), some(1, 5, 32)
    mlp = model.model.layers[0].mlp
    y, found = through(model, mlp, x[None], gradient)
    with torch.no_grad():
        assert_close(found[0], mlp_rule(mlp, x, (y * gradient)[0]))


def test_a_fused_gate_is_halved_as_two_are() -> None:
    """Phi-3 has gate and value in one matrix."""
    fused = tiny("phi3").model.layers[0].mlp
    x, gradient = some(5, 32), some(1, 5, 32)
    y, found = through(tiny("phi3"), fused, x[None], gradient)
    apart = tf.models.llama.modeling_llama.LlamaMLP(tiny("llama").config).double()
    gate, up = fused.gate_up_proj.weight.chunk(2)
    apart.gate_proj.weight, apart.up_proj.weight = torch.nn.Parameter(gate), torch.nn.Parameter(up)
    apart.down_proj.weight = fused.down_proj.weight
    with torch.no_grad():
        assert_close(found[0], mlp_rule(apart, x, (y * gradient)[0]))


@pytest.mark.parametrize(("family", "tolerance"), [("llama", 1e-9), ("llama eager", 1e-5)])
def test_attention_shares_relevance_as_two_products_and_a_softmax(family: str, tolerance: float) -> None:
    """Four heads, two of keys and values. Half goes to the values, the rest through the softmax to queries and keys.

    The eager softmax of transformers computes in float32.
    """
    model = tiny(family)
    attention = model.model.layers[0].self_attn
    n, scaling = 5, 0.4
    q, k, v = (some(1, heads, n, 8 + i).roll(i, -1)[..., :8].requires_grad_() for i, heads in enumerate((4, 2, 2)))
    gradient = some(1, n, 4, 8)
    with relevance_rules(model):
        attend = tf.AttentionInterface()[model.config._attn_implementation]
        mask = torch.ones(n, n, dtype=torch.bool).tril()
        bias = torch.zeros(n, n, dtype=torch.float64).masked_fill(~mask, float("-inf"))[None, None]
        y, _ = attend(attention, q, k, v, bias, scaling=scaling)
    gradients = torch.autograd.grad(y, (q, k, v), gradient)
    found = [(x * g).detach()[0] for x, g in zip((q, k, v), gradients, strict=True)]
    with torch.no_grad():
        expected = [torch.zeros_like(x) for x in found]
        for head in range(4):
            r = (y * gradient)[0, :, head]
            parts = attention_rule(q[0, head], k[0, head // 2], v[0, head // 2], scaling, r, mask)
            for total, part, at in zip(expected, parts, (head, head // 2, head // 2), strict=True):
                total[at] += part
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, tolerance)


def test_scores_of_relative_positions_are_linear_in_queries_and_keys() -> None:
    """DeBERTa adds two products with constants to q·k: they are linear steps, and nothing of them is halved.

    It takes the root of its scale in float32, hence 1e-7.
    """
    model = shadow_of(tiny("deberta v2"))  # whose weights are constants
    encoder = model.deberta.encoder
    attention, positions = encoder.layer[0].attention.self, encoder.get_rel_embedding().detach()
    x, gradient = some(5, 32), some(1, 5, 32)
    mask = torch.ones(1, 1, 5, 5)
    _, found = through(model, lambda x: attention(x, mask, rel_embeddings=positions)[0], x[None], gradient)
    x = x.detach()
    projections = (attention.query_proj, attention.key_proj, attention.value_proj)
    flat = [p(x).detach() for p in projections]
    q, k, v = (y.view(5, 4, 8).transpose(0, 1) for y in flat)  # [heads, n, width]

    def bias(q: Tensor, k: Tensor) -> Tensor:
        return attention.disentangled_attention_bias(q, k, None, positions, 3)

    root = (8 * 3) ** 0.5
    scores = (q @ k.transpose(1, 2) / root + bias(q, k)).detach()
    a = scores.softmax(-1)
    share = gradient[0].view(5, 4, 8).transpose(0, 1) / 2  # r / (2 · output)
    r_a, r_v = a * (share @ v.transpose(1, 2)), v * (a.transpose(1, 2) @ share)
    slope = r_a - a * r_a.sum(-1, keepdim=True)  # r_scores / scores
    _, (of_q, of_k) = torch.autograd.functional.vjp(bias, (q, k), slope)
    r_q = q * (slope @ k / (2 * root) + of_q)
    r_k = k * (slope.transpose(1, 2) @ q / (2 * root) + of_k)
    expected = torch.zeros_like(x)
    for projection, y, r in zip(projections, flat, (r_q, r_k, r_v), strict=True):
        expected += linear_rule(x, projection.weight.detach(), y, r.transpose(0, 1).reshape(5, 32))
    assert_close(found[0], expected, 1e-7)


# ── whole models, layer by layer and without autograd ─────────────────────────────────────────────────────────────────


def rotation(cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE at one position as a matrix [d, d]; cos and sin [d]."""
    half = len(cos) // 2
    upper, lower = torch.diag(-sin[:half]), torch.diag(sin[half:])
    zero = torch.zeros_like(upper)
    return torch.diag(cos) + torch.cat([torch.cat([zero, upper], 1), torch.cat([lower, zero], 1)])


def llama_attention(attention: Any, turn: Tensor, x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Self-attention of x [n, d], and how relevance goes back through it; turn [n, head_dim, head_dim]."""
    n, width = len(x), turn.shape[-1]
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    flat = [p(x) for p in (attention.q_proj, attention.k_proj, attention.v_proj)]
    q0, k0, v = (y.view(n, -1, width).transpose(0, 1) for y in flat)  # [heads, n, width]
    q, k = (torch.einsum("pij,hpj->hpi", turn, y) for y in (q0, k0))
    group = len(q) // len(k)
    outputs = []
    for h in range(len(q)):
        scores = (q[h] @ k[h // group].T * attention.scaling).masked_fill(~mask, float("-inf"))
        outputs.append(scores.softmax(-1) @ v[h // group])
    heads = torch.cat(outputs, -1)
    y = attention.o_proj(heads)

    def back(r: Tensor) -> Tensor:
        r_heads = linear_rule(heads, attention.o_proj.weight, y, r).view(n, -1, width)
        r_q, r_k, r_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for h in range(len(q)):
            g = h // group
            parts = attention_rule(q[h], k[g], v[g], attention.scaling, r_heads[:, h], mask)
            r_q[h] += parts[0]
            r_k[g] += parts[1]
            r_v[g] += parts[2]
        r_q = q0 * torch.einsum("pij,hpi->hpj", turn, r_q / q)
        r_k = k0 * torch.einsum("pij,hpi->hpj", turn, r_k / k)
        total = torch.zeros_like(x)
        for projection, out, part in zip(
            (attention.q_proj, attention.k_proj, attention.v_proj), flat, (r_q, r_k, r_v), strict=True
        ):
            total += linear_rule(x, projection.weight, out, part.transpose(0, 1).reshape(n, -1))
        return total

    return y, back


@torch.no_grad()
def llama_by_hand(model: Any, token: int) -> Tensor:
    """Relevance [n] of each embedding for one logit at the last position."""
    x = model.model.embed_tokens(torch.tensor(IDS))
    cos, sin = model.model.rotary_emb(x[None], torch.arange(len(IDS))[None])
    turn = torch.stack([rotation(c, s) for c, s in zip(cos[0], sin[0], strict=True)])
    backs: list[Callable[[Tensor], Tensor]] = []

    def residual(x: Tensor, y: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
        def go_back(r: Tensor) -> Tensor:
            stays, goes = sum_rule(x, y, r)
            return stays + back(goes)  # a norm passes on what it is given

        backs.append(go_back)
        return x + y

    for layer in model.model.layers:
        y, back = llama_attention(layer.self_attn, turn, layer.input_layernorm(x))
        x = residual(x, y, back)
        inner = layer.post_attention_layernorm(x)
        x = residual(x, layer.mlp(inner), lambda r, mlp=layer.mlp, inner=inner: mlp_rule(mlp, inner, r))
    last = model.model.norm(x)
    r = torch.zeros_like(last)
    r[-1] = last[-1] * model.lm_head.weight[token]  # a linear step from the logit, whose relevance it is itself
    for back in reversed(backs):
        r = back(r)
    return r.sum(-1)


def test_a_whole_llama_is_that_of_the_formulas() -> None:
    """Rotary positions, grouped queries, gated MLPs. Its norms are replaced by torch's, which compute in float64."""
    model = tf.LlamaForCausalLM(tiny("llama").config).double().eval()
    model.load_state_dict(tiny("llama").state_dict())
    for parent in list(model.modules()):
        for name, old in list(parent.named_children()):
            if type(old).__name__ == "LlamaRMSNorm":
                new = torch.nn.RMSNorm(len(old.weight), eps=old.variance_epsilon)
                new.weight = old.weight
                setattr(parent, name, new)
    for token in (5, 20):
        found, _ = relevance(model, "attnlrp", token)
        assert_close(found, llama_by_hand(model, token), 1e-8)


@torch.no_grad()
def gpt2_by_hand(model: Any, token: int) -> Tensor:
    """Do as `llama_by_hand`, with layer norms, biases and learned positions, which keep what they are due."""
    n, heads, width = len(IDS), 4, 8
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    body = model.transformer
    embedded, placed = body.wte(torch.tensor(IDS)), body.wpe(torch.arange(n))
    x = embedded + placed
    backs: list[Callable[[Tensor], Tensor]] = []

    def attention(x: Tensor, block: Any) -> Tensor:
        norm, attn = block.ln_1, block.attn
        inner = norm(x)
        qkv = attn.c_attn(inner)
        q, k, v = (y.view(n, heads, width).transpose(0, 1) for y in qkv.chunk(3, -1))
        scores = (q @ k.transpose(1, 2) * attn.scaling).masked_fill(~mask, float("-inf"))
        mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, -1)
        y = attn.c_proj(mixed)

        def back(r: Tensor) -> Tensor:
            stays, goes = sum_rule(x, y, r)
            r = linear_rule(mixed, attn.c_proj.weight.T, y, goes).view(n, heads, width)
            parts = [attention_rule(q[h], k[h], v[h], attn.scaling, r[:, h], mask) for h in range(heads)]
            r_qkv = torch.cat([torch.cat([p[i] for p in parts], -1) for i in range(3)], -1)
            return stays + layer_norm_rule(x, inner, norm.bias, linear_rule(inner, attn.c_attn.weight.T, qkv, r_qkv))

        backs.append(back)
        return x + y

    def mlp(x: Tensor, block: Any) -> Tensor:
        norm, part = block.ln_2, block.mlp
        inner = norm(x)
        wide = part.c_fc(inner)
        active = part.act(wide)
        y = part.c_proj(active)

        def back(r: Tensor) -> Tensor:
            stays, goes = sum_rule(x, y, r)
            r = linear_rule(active, part.c_proj.weight.T, y, goes)  # and through the activation as it is
            return stays + layer_norm_rule(x, inner, norm.bias, linear_rule(inner, part.c_fc.weight.T, wide, r))

        backs.append(back)
        return x + y

    for block in body.h:
        x = mlp(attention(x, block), block)
    last = body.ln_f(x)
    r = torch.zeros_like(last)
    r[-1] = last[-1] * model.lm_head.weight[token]
    r[-1:] = layer_norm_rule(x[-1:], last[-1:], body.ln_f.bias, r[-1:])
    for back in reversed(backs):
        r = back(r)
    return sum_rule(embedded, placed, r)[0].sum(-1)


@pytest.mark.parametrize("family", ["gpt2", "gpt2 eager", "gpt2 relu"])
def test_a_whole_gpt2_is_that_of_the_formulas(family: str) -> None:
    for token in (5, 20):
        found, _ = relevance(tiny(family), "attnlrp", token)
        assert_close(found, gpt2_by_hand(tiny(family), token), 1e-8)


# ── batched ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", ["attnlrp", "cp-lrp", "gim"])
@pytest.mark.parametrize(
    "family",
    [
        "gpt2",
        "llama",
        "llama eager",
        "gemma2",
        "phi3",
        "t5 gated",
        "bert",
        "roberta lm",
        "bloom",
        "falcon",
        "xlnet",
        "deberta v2",
    ],
)
def test_many_outputs_at_once_are_those_one_by_one(make: Callable[[str], Any], family: str, rule: str) -> None:
    """torch has a batching rule for every step, or it would warn. The context has been left by then."""
    outputs, leaves = forward(make(family), rule)
    rows = torch.eye(len(outputs), dtype=outputs.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        at_once = torch.autograd.grad(outputs, leaves, rows, is_grads_batched=True, retain_graph=True)
    for i, row in enumerate(rows[:4]):
        alone = torch.autograd.grad(outputs, leaves, row, retain_graph=True)
        for a, b in zip(at_once, alone, strict=True):
            assert_close(a[i], b, 1e-12)
