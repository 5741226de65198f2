"""GIM equals a second implementation of its authors' rules, which knows nothing of ours, on whole models.

The second one follows the authors' code (corticph/gim) in its means: copies of the norms, an attention written out
with a softmax of its own backward pass, hooks on gate and up. Ours leaves modules and attention as they are.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers as tf

import saliency_widget as sw
from saliency_widget.errors import UnsupportedMethod
from saliency_widget.models.inside.relevance import relevance_rules
from saliency_widget.models.inside.shadow import shadow_of
from saliency_widget.models.loading.kinds import model_of

from ..families import made

if TYPE_CHECKING:
    from saliency_widget.models.base import Model

Tensor = torch.Tensor

TEXT, TARGET = "a bad cab", " the dab"

# Decoders on torch's fused attention. The second implementation reaches no other.
FUSED = ("gpt2", "llama", "qwen3", "mistral", "mistral_sliding", "gemma3", "phi", "phi3", "gpt_neox", "opt")


# ── the second implementation ────────────────────────────────────────────────────────────────────────────────────


class OddSoftmax(torch.autograd.Function):
    """A softmax that goes backward at temperature 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.softmax(-1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = (x / 2).softmax(-1)
        return s * (g - (g * s).sum(-1, keepdim=True))


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * g, None


class FrozenNorm(torch.nn.Module):
    """A norm whose deviation is a constant of the backward pass."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.norm, self.centred = norm, isinstance(norm, torch.nn.LayerNorm)

    def forward(self, x: Tensor) -> Tensor:
        inner = x - x.mean(-1, keepdim=True) if self.centred else x
        eps = torch.finfo(x.dtype).eps if self.norm.eps is None else self.norm.eps
        y = inner / (inner.pow(2).mean(-1, keepdim=True) + eps).sqrt().detach()
        y = y if self.norm.weight is None else y * self.norm.weight
        return y + self.norm.bias if self.centred and self.norm.bias is not None else y


def attend(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """torch's fused attention, written out."""
    assert not dropout_p
    q, k, v = Scaled.apply(q, 0.25), Scaled.apply(k, 0.25), Scaled.apply(v, 0.5)
    if enable_gqa:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    x = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(x.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None:
        x = x + attn_mask if attn_mask.is_floating_point() else x.masked_fill(~attn_mask, float("-inf"))
    return OddSoftmax.apply(x) @ v


def second(network: Any, ids: list[int], targets: list[int], space: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Scores [n, k] of the rows before the last of `ids` for the logits of `targets`, the last of `ids`."""
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.nn.LayerNorm | torch.nn.RMSNorm):
                setattr(parent, name, FrozenNorm(child))
            if name in ("gate_proj", "up_proj", "gate_up_proj"):
                child.register_forward_hook(lambda _module, _args, y: Scaled.apply(y, 0.5))
    table = network.get_input_embeddings()
    columns = []
    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.functional, "scaled_dot_product_attention", attend)
        for j, target in enumerate(targets, start=len(ids) - len(targets)):
            x = table(torch.tensor([ids[:j]])).detach().requires_grad_()
            network(inputs_embeds=x, use_cache=False).logits[0, -1, target].backward()
            column = ((x - table(torch.tensor(space))) * x.grad).sum(-1)[0].detach()
            columns.append(torch.nn.functional.pad(column, (0, len(ids) - 1 - j), value=float("nan")))
    return torch.stack(columns, dim=1)


def with_plain_norms(family: str, dtype: torch.dtype) -> Model:
    """A family's tiny model with torch's own norms in place of transformers', which compute in float32."""
    lent = made(family)
    network = copy.deepcopy(lent.model).to(dtype)
    for parent in list(network.modules()):
        for name, old in list(parent.named_children()):
            if type(old).__name__.endswith("RMSNorm"):
                eps = old.variance_epsilon if hasattr(old, "variance_epsilon") else old.eps
                new = torch.nn.RMSNorm(old.weight.shape, eps=eps).to(dtype)
                new.weight.data = old.weight.detach() + ("Gemma" in type(old).__name__)
                setattr(parent, name, new)
    return model_of(network, lent.tokenizer, lent.name)


@pytest.mark.parametrize("family", FUSED)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_the_gradient_is_that_of_a_second_implementation(
    family: str, dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To 1e-12 of the largest score in float64, to 1e-5 in float32; rotary positions are float32 in both."""
    model = with_plain_norms(family, dtype)
    a = sw.attribute(model, TEXT, target=TARGET, method="gim", progress=False)
    ids = [token.id for token in a.rows] + [a.cols[-1].id]
    (space,) = model.tokenizer(" ").input_ids
    expected = second(model.model, ids, [token.id for token in a.cols], space, monkeypatch)
    gradient = raw(model, ids[:-1], a.cols[-1].id)
    table = model.model.get_input_embeddings().weight.detach()
    found = ((table[ids[:-1]] - table[space]) * gradient * scale_of(model, ids)).sum(-1)
    assert_close(found, expected[:, -1], tolerance)
    assert_close(torch.tensor(a.scores), expected, max(tolerance, 2e-7))  # scores are kept in float32
    assert a.objective == "logit"


def scale_of(model: Model, ids: list[int]) -> float:
    """Gemma's embedding module multiplies its rows."""
    table = model.model.get_input_embeddings()
    with torch.no_grad():
        return float((table(torch.tensor(ids[:1])) / table.weight[ids[:1]]).mean())


def raw(model: Model, ids: list[int], target: int) -> Tensor:
    """GIM's gradient [n, d] in the precision of the weights."""
    shadow = shadow_of(model.model)
    x = shadow.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    with relevance_rules(shadow, "gim"):
        logit = shadow(inputs_embeds=x, use_cache=False).logits[0, -1, target]
    return torch.autograd.grad(logit, x)[0][0]


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    assert torch.equal(found.isnan(), expected.isnan())
    found, expected = (t.detach().double().nan_to_num() for t in (found, expected))
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


# ── what is given to a softmax beside scores ─────────────────────────────────────────────────────────────────────


def interface(module: Any, name: str, q: Tensor, k: Tensor, v: Tensor, mask: Any, **options: Any) -> list[Tensor]:
    """The output of one attention of transformers' interface under GIM's rules, and its gradients."""
    owner = tiny_of(name)
    with relevance_rules(owner, "gim"):
        attend = tf.AttentionInterface()[owner.config._attn_implementation]
        y, _ = attend(module(owner), q, k, v, mask, **options)
    return [y, *torch.autograd.grad(y, (q, k, v), some(*y.shape))]


def by_hand(q: Tensor, k: Tensor, v: Tensor, scores: Any) -> list[Tensor]:
    y = (OddSoftmax.apply(scores(Scaled.apply(q, 0.25), Scaled.apply(k, 0.25))) @ Scaled.apply(v, 0.5)).transpose(1, 2)
    return [y, *torch.autograd.grad(y, (q, k, v), some(*y.shape))]


def tiny_of(family: str) -> Any:
    return shadow_of(made(family).model)


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


def heads(n: int) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (2 * some(1, 4, n, 8).roll(i, -1) for i in range(3))
    return q.requires_grad_(), k.requires_grad_(), v.requires_grad_()


def test_a_soft_cap_bounds_the_scores_before_the_temperature_divides_them() -> None:
    """Gemma 2. Its softmax is float32, hence 1e-6."""
    q, k, v = heads(5)
    mask = torch.zeros(5, 5, dtype=torch.float64).masked_fill(~torch.ones(5, 5).tril().bool(), -1e30)[None, None]
    kv = [t.detach()[:, ::2].requires_grad_() for t in (k, v)]  # two heads of keys and values
    found = interface(lambda owner: owner.model.layers[0].self_attn, "gemma2", q, *kv, mask, scaling=0.3, softcap=1.5)
    wide = [t.detach().repeat_interleave(2, 1).requires_grad_() for t in kv]
    expected = by_hand(q, *wide, lambda q, k: (1.5 * ((q @ k.mT * 0.3) / 1.5).tanh()) + mask)
    expected[2:] = [t.view(1, 2, 2, 5, 8).sum(2) for t in expected[2:]]
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, 1e-6)


def test_a_bias_of_positions_is_divided_by_the_temperature_as_scores_are() -> None:
    """T5, whose scores are not scaled, and whose bias is large against them."""
    q, k, v = heads(5)
    bias = 3 * some(1, 4, 5, 5)
    found = interface(
        lambda owner: owner.decoder.block[0].layer[1].EncDecAttention, "t5", q, k, v, None, scaling=1.0,
        position_bias=bias,
    )  # fmt: skip
    expected = by_hand(q, k, v, lambda q, k: q @ k.mT + bias)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, 1e-12)


def test_a_share_for_nothing_is_refused() -> None:
    """Granite's sinks take a share of each softmax; AttnLRP, which leaves the softmax alone, runs."""
    sizes = {
        "vocab_size": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 32,
    }  # fmt: skip
    torch.manual_seed(0)
    model = shadow_of(tf.AutoModelForCausalLM.from_config(tf.GraniteSWAConfig(**sizes)).eval())
    ids = torch.tensor([[3, 9, 4, 17]])
    x = model.get_input_embeddings()(ids).detach().requires_grad_()
    with relevance_rules(model, "attnlrp"):
        model(inputs_embeds=x)
    with pytest.raises(UnsupportedMethod, match="sink"), relevance_rules(model, "gim"):
        model(inputs_embeds=x)


# ── the map ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_logit_is_explained_unless_something_else_is_asked_for() -> None:
    a, b, c = (
        sw.attribute(made("gpt2"), TEXT, target=TARGET, method="gim", progress=False, **asked)
        for asked in ({}, {"objective": "logit"}, {"objective": "probability"})
    )
    assert (a.objective, c.objective) == ("logit", "probability")
    assert torch.equal(torch.tensor(a.scores).nan_to_num(), torch.tensor(b.scores).nan_to_num())
    assert sw.attribute(made("gpt2"), TEXT, target=TARGET, progress=False).objective == "probability"


def test_a_space_scores_nothing_and_the_map_says_so() -> None:
    """A text with a space of its own; beside another baseline it has a score."""
    model = made("gpt2")
    a = sw.attribute(model, "a  bad", target=TARGET, method="gim", progress=False)
    (at,) = [i for i, token in enumerate(a.rows) if model.tokenizer.decode(token.id) == " "]
    assert not a.scores[at, 0]
    assert a.diagnostics["baseline_in_text"] == [1.0] * len(a.cols)
    b = sw.attribute(model, "a  bad", target=TARGET, method="gim", baseline="unk", progress=False)
    assert b.scores[at, 0]
    assert "baseline_in_text" not in b.diagnostics


def test_one_target_of_many_is_the_one_alone() -> None:
    """Four targets go back as one batch; each alone gives the same, to float32's last digits."""
    model = made("llama")
    whole = sw.attribute(model, TEXT, target=TARGET, method="gim", progress=False)
    ids = [token.id for token in whole.rows] + [whole.cols[-1].id]
    for col in range(len(whole.cols)):
        n = len(ids) - len(whole.cols) + col
        alone = sw.attribute(model, input_ids=ids[:n], target_ids=[ids[n]], method="gim", progress=False)
        assert_close(torch.tensor(whole.scores[:n, col]), torch.tensor(alone.scores[:, 0]), 2e-7)


def test_attention_weights_are_not_held_where_the_model_does_not_hold_them() -> None:
    """No operation of the pass or of the backward pass has an output [..., n, n], as the weights have."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    n = 50
    made_of: list[tuple[int, ...]] = []

    class Shapes(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            made_of.extend(tuple(x.shape) for x in tree_leaves(out) if isinstance(x, Tensor) and x.is_floating_point())
            return out

    with Shapes():
        raw(made("gpt2"), [3, 9] * (n // 2), 5)
    assert (1, n, 32) in made_of
    assert not [shape for shape in made_of if shape[-2:] == (n, n)]
