"""Long texts: slices have the gradient of one pass, and plans need the bytes that they are said to need."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import saliency_widget as sw
from saliency_widget.attribution import pipeline
from saliency_widget.errors import OutOfMemory
from saliency_widget.models.base import Model
from saliency_widget.models.inside import long_texts, reuse
from saliency_widget.models.inside.checkpointing import checkpointed
from saliency_widget.models.inside.plans import Costs, Plan, Weight
from saliency_widget.models.inside.slices import Slices
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.types import Inputs

from ..families import DECODERS, FAMILIES, MORE, byte_tokenizer, made
from .test_odd_models import with_rope

# They keep no keys and values, or see ahead, or know another cache.
OTHERWISE = ("mamba", "llama_both_ways", "bert_lm", "xlnet")
ABLE = tuple(name for name in (*DECODERS, *MORE) if name not in OTHERWISE)
EXACT = ("gpt2", "opt", "falcon", "gpt_neox", "phi")  # nothing in them computes in float32
N, AT = 23, (3, 11, 12, 20)


def eager(**changes: Any) -> Any:
    """A tiny Llama in float32 whose attention weights are there, and its tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 8192, "pad_token_id": None,
        "bos_token_id": None, "eos_token_id": None, "attn_implementation": "eager",
    }  # fmt: skip
    torch.manual_seed(0)
    network = LlamaForCausalLM(LlamaConfig(**(sizes | changes))).eval()
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.2)
    return network, tokenizer


@pytest.fixture(scope="module")
def eager_model() -> Model:
    return model_of(*eager(), "tiny-eager")


def ids_of(n: int) -> list[int]:
    return torch.randint(40, 230, (n,), generator=torch.Generator().manual_seed(2)).tolist()


# ── the same gradient ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "checkpoints"),
    [
        pytest.param(name, on, marks=() if not on or name in ("llama", "gpt2") else pytest.mark.long)
        for name in ABLE
        for on in (False, True)
    ],
)
def test_slices_have_the_gradient_of_one_pass(name: str, checkpoints: bool) -> None:
    """Of two texts and three columns, one of which asks for nothing of the last slice; and the same logits.

    In float64 both are one sum in another order: 1e-12. Where norms, softmax or a mask are float32: 1e-6.
    """
    tolerance = 1e-12 if name in EXACT else 1e-6
    model = made(name).shadow()
    ids = model.some_ids(N)
    one = model.embed(Inputs((), ids))
    x, at = torch.cat([one, 0.9 * one]), torch.tensor(AT)
    plain_x = x.clone().requires_grad_()
    plain = model.network(Inputs((), ids))(plain_x, at)
    assert plain.head is not None
    seeds = torch.randn(3, *plain.head.shape, generator=torch.Generator().manual_seed(0), dtype=plain.head.dtype)
    seeds[0, :, 2:] = 0
    seeds[1, :, [0, 3]] = 0
    expected = torch.stack([torch.autograd.grad(plain.head, plain_x, s, retain_graph=True)[0] for s in seeds])
    slices = Slices(model.model, torch.tensor([ids]), range(0, N, 5), checkpoints=checkpoints)
    sliced = slices(x.clone().requires_grad_(), at)
    assert sliced.pull is not None
    found = sliced.pull(seeds)
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()
    for mine, other in ((sliced.logits, plain.logits), (sliced.head, plain.head)):
        assert (mine - other).abs().max() <= tolerance * other.abs().max()
    assert found[0, :, AT[1] + 1 :].abs().max() == 0  # what its targets do not see


def test_what_reads_slices_otherwise_is_found_out() -> None:
    """Families are tried, not known: those that read a text in slices as they read it whole are these."""
    able = {name for name in (*DECODERS, *MORE) if long_texts.kept_bytes(made(name).shadow(), 20)}
    assert able == set(ABLE)


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
def test_a_text_beyond_a_border_of_positions_is_not_cut(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Early slices would be read as a short text is, and its positions are encoded otherwise."""
    monkeypatch.setattr(Model, "n_positions", None)
    model = model_of(with_rope(kind), byte_tokenizer(), kind).shadow()
    assert long_texts.kept_bytes(model, 24) > 0
    assert long_texts.kept_bytes(model, 25) == 0


@pytest.mark.parametrize("plan", [Plan(16), Plan(16, checkpoints=True), Plan(checkpoints=True)], ids=str)
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("saliency", {}),
        ("integrated_gradients", {"steps": 3}),
        ("attnlrp", {}),
        ("gim", {}),
        ("attnlrp", {"rule": "cp-lrp"}),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "name", ["llama", *(pytest.param(name, marks=pytest.mark.long) for name in ("gemma2", "gpt_neox"))]
)
def test_a_plan_changes_no_number_of_a_map(
    name: str, method: str, settings: dict[str, Any], plan: Plan, monkeypatch: pytest.MonkeyPatch, as_lent: Any
) -> None:
    """Targets in several slices, all methods that go backward, their rules included."""
    model = made(name)
    as_lent(model.model)
    asked = {"input_ids": ids_of(40), "target_ids": ids_of(60)[40:], "method": method, **settings}
    expected = sw.attribute(model, **asked, progress=False)
    for module in (long_texts, pipeline):
        monkeypatch.setattr(module, "LONG", 30)
    taken: list[Plan] = []
    monkeypatch.setattr(Costs, "plan", lambda *_: taken.append(plan) or plan)
    found = sw.attribute(model, **asked, progress=False)
    assert taken
    tolerance = max(FAMILIES[name].tolerance, 1e-6)
    largest = np.nanmax(np.abs(expected.scores))
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=tolerance * largest)


def costs(model: Any, n: int) -> Costs:
    """Return what the plans for a text of n tokens need, by a shadow."""
    return long_texts.with_slices(long_texts.costs(model), model, n)


# ── what is chosen ───────────────────────────────────────────────────────────────────────────────────────────────


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and remembers the most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else [made]:
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()

        def gone(_: Any) -> None:
            self.now -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def peak(model: Any, n: int, plan: Plan) -> int:
    """Return the most bytes that the gradient of a text's last token takes at once, beside what was there before."""
    ids = tuple(ids_of(n))
    inputs, at = Inputs((), ids), torch.tensor([n - 1])
    x = model.embed(inputs).requires_grad_()
    with Live() as live:
        if plan.size is not None:
            output = long_texts.in_slices(model, inputs, plan)(x, at)
            output.pull(torch.ones_like(output.head)[None])
        elif plan.checkpoints:
            with checkpointed(model.model):
                output = model.direct(inputs, long_texts.probe.way_of(model))(x, at)
            torch.autograd.grad(output.head.sum(), x)
        else:
            output = model.direct(inputs, long_texts.probe.way_of(model))(x, at)
            torch.autograd.grad(output.head.sum(), x)
    return live.most


@pytest.mark.parametrize(
    "plan",
    [Plan(), Plan(checkpoints=True), Plan(64), Plan(64, checkpoints=True)],
    ids=lambda p: f"{p.size}-{p.checkpoints}",
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_plan_needs_about_the_bytes_that_are_foretold(attention: str, plan: Plan) -> None:
    """Measured on texts of 48 and 96 tokens; counted, tensor by tensor, on one of 500.

    Between half and twice: it chooses between plans that are magnitudes apart.
    """
    model = model_of(*eager(attn_implementation=attention), "tiny").shadow()
    n = 500
    foretold = costs(model, n).of(plan, n)
    assert foretold / 2 < peak(model, n, plan) < foretold * 2


def test_a_long_text_takes_a_fifth_of_the_memory_and_twice_its_length_twice_as_much(eager_model: Model) -> None:
    """Of one pass with attention weights for every pair of 2,000 tokens; counted, tensor by tensor."""
    model = eager_model.shadow()
    whole, sliced, longer = peak(model, 2000, Plan()), peak(model, 2000, Plan(256)), peak(model, 4000, Plan(256))
    assert sliced <= whole / 5
    assert longer <= 2.2 * sliced


def test_weights_of_every_pair_are_read_in_slices_and_fused_attention_in_one_pass(eager_model: Model) -> None:
    """With memory enough. A softmax keeps its output, a float of 4 bytes in each of 2 heads of 2 layers; a fused
    attention keeps nothing that grows with the pairs.
    """
    fused = model_of(*eager(attn_implementation="sdpa"), "tiny")
    for model, pair, plan in ((eager_model, 16, Plan(256)), (fused, 0, Plan())):
        found = costs(model.shadow(), 2000)
        assert found.weight.pair == pytest.approx(pair, rel=1e-3)
        assert found.plan(2000, 10**10) == plan


def test_the_budget_decides_between_plans() -> None:
    """As little as it may be: first one pass, then checkpoints (or slices), then smaller slices, then the smallest."""
    fused = Costs(Weight(token=1e6, pair=0), kept=2e5, layers=30, width=2000, wide=1, sizes=(256, 16))
    assert fused.plan(2000, 10**11) == Plan()
    assert fused.plan(2000, 2 * 10**9) == Plan(checkpoints=True)
    pairs = Costs(Weight(token=1e6, pair=3000), kept=2e5, layers=30, width=2000, wide=1, sizes=(256, 16))
    assert pairs.plan(4000, 10**11) == Plan(256)
    found = [pairs.plan(4000, budget) for budget in (10**11, 6 * 10**9, 10**9, 1)]
    needs = [pairs.of(plan, 4000) for plan in found]
    assert all(b <= a for a, b in pairwise(needs))
    assert needs[-1] == pairs.least(4000)
    assert Costs(Weight(1e6, 3000), None, 0, 2000, 1, (256,)).plan(4000, 1) == Plan()  # there is no other


def test_what_does_not_fit_is_refused_with_a_number_before_it_is_read(
    eager_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of tokens that is said to fit does, and one more does not."""
    monkeypatch.setattr(pipeline.memory, "free", lambda _device: 6_000_000)
    passes: list[int] = []
    inside = Model.project
    monkeypatch.setattr(
        Model, "project", lambda self, call, at, way: passes.append(int(at.max())) or inside(self, call, at, way)
    )
    with pytest.raises(OutOfMemory, match=r"This map of 8,000 tokens needs about \d+ MB, and 6 MB are free") as caught:
        sw.attribute(eager_model, input_ids=ids_of(8000), target_ids=[50], memory_budget=1, progress=False)
    assert "Shorten the text" in str(caught.value)
    assert max(passes) < 100
    fits = int(str(caught.value).split("enough for about ")[1].split(" tokens")[0].replace(",", ""))
    least = costs(eager_model.shadow(), 8000).least
    assert least(fits) <= 6_000_000 < least(fits + 1)
    with pytest.raises(
        OutOfMemory, match=r"Attention rollout of 8,000 tokens needs about 1.0 GB, and 6 MB are free: en"
    ):
        sw.attribute(eager_model, input_ids=ids_of(8000), target_ids=[50], method="attention_rollout", progress=False)


# ── end to end ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_map_is_that_of_a_plain_backward_pass(eager_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,100 tokens and a span of three, by transformers alone and in slices; float32, so 1e-4 of the largest score."""
    ids, written = ids_of(1100), ids_of(1103)[1100:]
    network = eager_model.model
    x = network.get_input_embeddings()(torch.tensor([ids + written])).detach().requires_grad_()
    logits = network(inputs_embeds=x, use_cache=False).logits[0, 1099:-1].double()
    value = logits.log_softmax(-1)[range(3), written].sum()
    (g,) = torch.autograd.grad(value, x)
    expected = g[0, :1102].norm(dim=-1).numpy()
    sizes: list[Any] = []
    slices = long_texts.in_slices
    monkeypatch.setattr(
        long_texts, "in_slices", lambda m, i, plan: sizes.append((len(i.ids), plan)) or slices(m, i, plan)
    )
    a = sw.attribute(
        eager_model, input_ids=ids, target_ids=written, span=(0, 3), objective="log_probability", progress=False
    )
    np.testing.assert_allclose(a.scores[:, 0], expected, rtol=0, atol=1e-4 * expected.max())
    assert (1102, Plan(256)) in sizes
    assert a.diagnostics["spot_check"] < 0.02


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_of_a_long_text_computes_the_rows_that_are_asked_for(
    attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean over heads and layers of the weights that transformers gives out; blocks hold 3 queries of 403."""
    network, tokenizer = eager(attn_implementation=attention)
    ids, written = ids_of(400), ids_of(403)[400:]
    model = model_of(network, tokenizer, "tiny")
    blocks: list[int] = []
    from saliency_widget.models.inside.interface import InterfaceCall

    whole = InterfaceCall.blocks

    def seen(call: InterfaceCall) -> Any:
        if call.n_keys > 100:
            blocks.append(call.query.shape[2])
        return whole(call)

    monkeypatch.setattr(InterfaceCall, "blocks", seen)
    found = sw.attribute(model, input_ids=ids, target_ids=written, method="attention", progress=False)
    assert set(blocks) == {3}
    network.set_attn_implementation("eager")
    with torch.no_grad():
        weights = network(torch.tensor([ids + written]), output_attentions=True, use_cache=False).attentions
    mean = torch.cat(weights).mean(dim=(0, 1))
    for j in range(3):
        np.testing.assert_allclose(found.scores[: 400 + j, j], mean[399 + j, : 400 + j], atol=1e-6)


def test_occlusion_of_a_long_text_reads_on_from_slices(eager_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drops of its segments, by plain passes of transformers over embeddings; float32, a difference of passes: 1e-5."""
    monkeypatch.setattr(long_texts, "HELD", 0)
    ids, target = ids_of(1030), 60
    read: list[int] = []
    keep = long_texts.read_and_keep
    monkeypatch.setattr(reuse, "read_and_keep", lambda m, i, x, at: read.append(x.shape[1]) or keep(m, i, x, at))
    named = {"early": (3, 20), "late": (800, 1000)}
    a = sw.attribute(
        eager_model, text="".join(chr(97 + i % 23) for i in ids), segments=named, target_ids=[target],
        method="occlusion", unit="segment", baseline="zero", objective="logit", progress=False,
    )  # fmt: skip
    x = eager_model.model.get_input_embeddings()(torch.tensor([[token.id for token in a.rows]])).detach()

    def logit(gone: Any = slice(0, 0)) -> float:
        changed = x.clone()
        changed[:, gone] = 0
        with torch.no_grad():
            return float(eager_model.model(inputs_embeds=changed, use_cache=False).logits[0, -1, target])

    assert read == [len(a.rows)]
    assert len(a.rows) >= long_texts.LONG
    for segment in a.segments:
        if segment.name in named:
            rows = slice(segment.start, segment.end)
            assert a.scores[rows, 0].sum() == pytest.approx(logit() - logit(rows), abs=1e-5 * abs(logit()))
