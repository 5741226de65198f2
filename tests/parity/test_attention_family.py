"""Attention, rollout and value zeroing equal computations from transformers' own weights and single layers.

In float64; our result is stored in float32 (6e-8), hence 1e-6.
"""

from __future__ import annotations

import copy
import inspect
import logging
import threading
import warnings
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.models.bloom import modeling_bloom

import saliency_widget as sw
from saliency_widget.attribution.attention import AttentionSettings
from saliency_widget.attribution.engine import Schedule
from saliency_widget.attribution.methods import METHODS
from saliency_widget.attribution.pipeline import check_question, columns
from saliency_widget.attribution.problem import Chunk, Progress
from saliency_widget.errors import InputError, UnknownName, UnsupportedMethod
from saliency_widget.models.inside import attention as models_attention
from saliency_widget.models.inside import interface
from saliency_widget.models.inside.interface import attending
from saliency_widget.models.loading.kinds import model_of
from saliency_widget.models.text.prompting import Prompt

from ..conftest import state_of
from ..families import CLASSIFIERS, FAMILIES, MORE, SEQ2SEQ, byte_tokenizer, columns_of, made, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from saliency_widget import Attribution
    from saliency_widget.models.base import Model

    from ..families import Column

TEXT, TARGET = "a cab. Bad", "dad"
SHOWN = [
    "llama", "gpt2", "gemma2", "bloom", "falcon", "gpt_neo", "bert_lm", "marian", "t5", "bart", "mbart", "fsmt",
    "bert", "distilbert", "roberta", "deberta_v2", "gpt2_classifier", "llama_classifier_padded",
]  # fmt: skip
ON_THE_INTERFACE = ["llama", "gpt2", "gemma2", "marian", "t5", "bart", "bert", "distilbert", "gpt2_classifier"]
OWN = [*MORE, "bloom", "falcon", "gpt_neo", "fsmt", "deberta_v2"]  # families with attention of their own


def of(name: str, method: str, **asked: Any) -> Attribution:
    own = {} if name in CLASSIFIERS else {"target": TARGET}
    return sw.attribute(made(name), TEXT, method=method, progress=False, **(own | asked))


def mean_pooled(n_layers: int = 2) -> Model:
    """A classifier whose head reads the mean over all positions."""
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    torch.manual_seed(0)
    tokenizer = byte_tokenizer(pad="<|pad|>", frame=True)
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"))
    config = ModernBertConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, hidden_size=32, intermediate_size=48,
        num_hidden_layers=n_layers, num_attention_heads=4, num_labels=3, classifier_pooling="mean", **none,
    )  # fmt: skip
    model = ModernBertForSequenceClassification(config).double().eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.3)
    return model_of(model, tokenizer, "mean-pooled")


def called(network: Any, column: Column, **options: Any) -> Any:
    """Call the model with ids and none of our code. Without a cache, which a second call of a layer would read."""
    ids = torch.tensor([column.ids])
    if "use_cache" in inspect.signature(network.forward).parameters:
        options["use_cache"] = False
    with torch.no_grad():
        if not column.source:
            return network(ids, **options)
        return network(torch.tensor([column.source]), decoder_input_ids=ids, **options)


def in_float32(name: str) -> bool:
    return (FAMILIES | MORE)[name].dtype == torch.float32


def read_at(name: str) -> int:
    """Return the position that the logits are read from, by the family's paper: [CLS], or the last."""
    return 0 if name in ("bert", "distilbert", "roberta", "deberta_v2") else -1


@cache
def eager(name: str) -> Any:
    """Return a copy of the model that returns its attention weights.

    Falcon takes no order to change; loaded for sdpa, it hands out weights of a pass that looks into the future.
    """
    network = copy.deepcopy(made(name).model)
    if network._can_set_attn_implementation():
        network.set_attn_implementation("eager")
    else:
        network.config._attn_implementation_internal = "eager"
    return network


@cache
def handed_out(name: str, column: Column) -> dict[str, torch.Tensor]:
    """Return the weights [layers, heads, queries, keys] of the model's own output_attentions."""
    network = eager(name)
    out = called(network, column, output_attentions=True)
    if not column.source:
        return {"self": torch.stack(out.attentions)[:, 0]}
    parts = {"self": out.decoder_attentions, "cross": out.cross_attentions, "encoder": out.encoder_attentions}
    return {kind: torch.stack(weights)[:, 0] for kind, weights in parts.items()}


def columns_with(name: str, a: Attribution) -> Iterator[tuple[Column, np.ndarray]]:
    """Return each column's target and its scores; check that rows which it cannot see are NaN."""
    found = columns_of(name, TEXT, TARGET)
    assert [t.id for t in a.rows] == list(found[-1].rows)
    assert len(a.cols) == len(found)
    for j, column in enumerate(found):
        n = len(column.rows)
        assert np.isnan(a.scores[n:, j]).all()
        yield column, a.scores[:n, j]


def assert_equal(name: str, scores: np.ndarray, expected: torch.Tensor) -> None:
    """Assert equality; for FSMT and XGLM, which compute in float32, to 1e-4 of the largest score."""
    tolerance = 1e-4 if in_float32(name) else 1e-6
    np.testing.assert_allclose(scores, expected.numpy(), rtol=tolerance, atol=tolerance * float(expected.max()))


# ── attention ────────────────────────────────────────────────────────────────────────────────────────────────────

SETTINGS: list[tuple[dict[str, Any], Callable[[torch.Tensor], torch.Tensor]]] = [
    ({"layer": 1}, lambda w: w[1].mean(0)),
    ({"head": 2}, lambda w: w[:, 2].mean(0)),
    ({"layer": 0, "head": 3}, lambda w: w[0, 3]),
    ({"reduction": "max"}, lambda w: w.amax((0, 1))),
    ({"layer": 1, "reduction": "max"}, lambda w: w[1].amax(0)),
]


@pytest.mark.parametrize("name", SHOWN)
def test_attention_is_what_the_model_hands_out_itself(name: str) -> None:
    """Source rows equal the cross attention, other rows the self-attention, and a classifier's those where it pools.

    A column sums to 1, and to 2 where there is a source.
    """
    a = of(name, "attention")
    np.testing.assert_allclose(np.nansum(a.scores, axis=0), 2 if name in SEQ2SEQ else 1, rtol=1e-5)
    assert_attention(name, a, lambda w: w.mean((0, 1)))


@pytest.mark.parametrize("name", ["llama", "falcon", "marian", "bert"])
@pytest.mark.parametrize(("settings", "reduce"), SETTINGS)
def test_layers_and_heads_are_averaged_or_their_maximum_taken_unless_chosen(
    name: str, settings: dict[str, Any], reduce: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    assert_attention(name, of(name, "attention", **settings), reduce)


def assert_attention(name: str, a: Attribution, reduce: Callable[[torch.Tensor], torch.Tensor]) -> None:
    for column, scores in columns_with(name, a):
        weights = handed_out(name, column)
        rows = [reduce(weights[kind])[read_at(name)] for kind in ("cross", "self") if kind in weights]
        assert_equal(name, scores, torch.cat(rows))


@pytest.mark.parametrize("name", [name for name in OWN if name != "falcon_alibi"])
@pytest.mark.parametrize("method", ["attention", "attention_rollout"])
def test_weights_that_are_seen_in_a_pass_are_those_that_are_handed_out(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For families with their own attention, weights found in a pass equal those that the model returns.

    Falcon's own attention is torch's fused one, whose weights are worked out anew.
    """
    told = of(name, method)
    monkeypatch.setattr(models_attention, "hands_out", lambda _model: False)
    np.testing.assert_allclose(of(name, method).scores, told.scores, rtol=1e-4 if in_float32(name) else 1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "t5", "marian"])
@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing"])
def test_attention_that_is_seen_as_a_product_is_that_of_the_interface(
    name: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On families of the interface, attention found as a product, fused or not, has the interface's weights."""
    expected = of(name, method).scores
    for fact in ("has_interface", "hands_out"):
        monkeypatch.setattr(models_attention, fact, lambda _model: False)
    for implementation in ("sdpa", "eager"):
        model = make(name)
        model.model.set_attn_implementation(implementation)
        own = {} if name in CLASSIFIERS else {"target": TARGET}
        found = sw.attribute(model, TEXT, method=method, progress=False, **own).scores
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_falcons_alibi_is_that_of_its_own_attention() -> None:
    """Its eager attention adds the biases twice, so what it hands out is of another model. By formula, in layer 0."""
    model = made("falcon_alibi")
    a = sw.attribute(model, TEXT, target=TARGET, method="attention", layer=0, progress=False)
    assert METHODS["attention"].lacks(model) is None
    layer = model.model.transformer.h[0]
    for column, scores in columns_with("falcon_alibi", a):
        with torch.no_grad():
            x = layer.input_layernorm(model.model.get_input_embeddings()(torch.tensor(column.ids)))
            qkv = layer.self_attention.query_key_value(x).view(-1, 4, 3, 8)  # [n, heads, 3, head_dim]
        n = len(column.ids)
        alibi = torch.tensor([2.0 ** (-8 * (head + 1) / 4) for head in range(4)]).double()
        scored = qkv[-1, :, 0, None] @ qkv[:, :, 1].permute(1, 2, 0)  # [heads, 1, n]
        weights = ((scored[:, 0] + alibi[:, None] * torch.arange(n)) / 8**0.5).softmax(-1)
        np.testing.assert_allclose(scores, weights.mean(0), rtol=1e-5)


def test_a_head_that_pools_the_mean_of_all_positions_has_the_mean_of_their_attention() -> None:
    model = mean_pooled()
    a = sw.attribute(model, TEXT, method="attention", progress=False)
    network = copy.deepcopy(model.model)
    network.set_attn_implementation("eager")
    with torch.no_grad():
        out = network(torch.tensor([[t.id for t in a.rows]]), output_attentions=True)
    expected = torch.stack(out.attentions)[:, 0].mean((0, 1, 2))
    for j in range(3):
        np.testing.assert_allclose(a.scores[:, j], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["t5", "bart", "bert", "gemma2"])
@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing"])
def test_a_text_read_in_blocks_has_the_same_map(name: str, method: str, monkeypatch: Any) -> None:
    """Blocks of two queries, or one with slots, change no score: masks and T5's biases are split too."""
    whole = of(name, method)
    monkeypatch.setattr(interface, "BLOCK_CELLS", 2 * 4 * len(whole.rows))
    np.testing.assert_allclose(of(name, method).scores, whole.scores, rtol=1e-6, atol=1e-10)


def test_a_reduction_nobody_knows_is_an_error() -> None:
    with pytest.raises(UnknownName, match="Did you mean max"):
        AttentionSettings(reduction="maxx")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="2 layers"):
        of("llama", "value_zeroing", layer=2)


# ── rollout ──────────────────────────────────────────────────────────────────────────────────────────────────────


def rolled_out(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return rollout by another derivation: a product of block matrices over all tokens of source and text."""
    n_source = weights["encoder"].shape[-1] if "encoder" in weights else 0
    n = n_source + weights["self"].shape[-1]
    total = torch.eye(n, dtype=torch.float64)

    def step(rows: slice, keys: slice, layer: torch.Tensor) -> torch.Tensor:
        matrix = torch.eye(n, dtype=torch.float64)
        matrix[rows] /= 2
        matrix[rows, keys] += layer.double().mean(0) / 2
        return matrix

    source, text = slice(0, n_source), slice(n_source, n)
    for layer in weights.get("encoder", ()):
        total = step(source, source, layer) @ total
    for i, layer in enumerate(weights["self"]):
        total = step(text, text, layer) @ total
        if "cross" in weights:
            total = step(text, source, weights["cross"][i]) @ total
    return total


@pytest.mark.parametrize("name", SHOWN)
def test_rollout_is_the_product_of_the_layers(name: str) -> None:
    """Rollout equals the float64 product of the returned weights to 1e-5: ours is float32 through four layers."""
    a = of(name, "attention_rollout")
    np.testing.assert_allclose(np.nansum(a.scores, axis=0), 1, rtol=1e-5)
    for column, scores in columns_with(name, a):
        expected = rolled_out(handed_out(name, column))
        at = len(column.source) if read_at(name) == 0 else -1
        np.testing.assert_allclose(scores, expected[at], rtol=1e-4, atol=1e-6)


def test_rollout_of_uniform_attention_has_a_closed_form() -> None:
    """If queries are 0, position i weighs all i + 1 positions equally, and keeps ½ + ½/(i+1) of itself per layer."""
    model = make("llama")
    for layer in model.model.model.layers:
        layer.self_attn.q_proj.weight.data.zero_()
    a = sw.attribute(model, TEXT, target=TARGET, method="attention_rollout", progress=False)
    n = len(a.rows)
    one = torch.tril(torch.ones(n, n)) / torch.arange(1, n + 1)[:, None] / 2 + torch.eye(n) / 2
    for j, col in enumerate(a.cols):
        at = col.position - 1
        assert a.scores[at, j] == pytest.approx((0.5 + 0.5 / (at + 1)) ** 2, rel=1e-6)
        np.testing.assert_allclose(a.scores[: at + 1, j], (one @ one)[at, : at + 1], rtol=1e-5)


def test_rollout_of_one_layer_is_half_attention_and_half_oneself() -> None:
    model = mean_pooled(n_layers=1)
    look, flow = (sw.attribute(model, TEXT, method=m, progress=False) for m in ("attention", "attention_rollout"))
    np.testing.assert_allclose(flow.scores, look.scores / 2 + 1 / (2 * len(look.rows)), rtol=1e-5)


# ── value zeroing ────────────────────────────────────────────────────────────────────────────────────────────────

# Where a layer computes its values, by family: of the text, and of the source.
VALUES = {
    "llama": ("self_attn.v_proj", ""), "gemma2": ("self_attn.v_proj", ""), "gpt2": ("attn.c_attn", ""),
    "marian": ("self_attn.v_proj", "encoder_attn.v_proj"), "bart": ("self_attn.v_proj", "encoder_attn.v_proj"),
    "t5": ("layer.0.SelfAttention.v", "layer.1.EncDecAttention.v"), "bert": ("attention.self.value", ""),
    "distilbert": ("attention.v_lin", ""), "gpt2_classifier": ("attn.c_attn", ""),
    "bloom": ("self_attention.query_key_value", ""), "falcon": ("self_attention.query_key_value", ""),
    "falcon_alibi": ("self_attention.query_key_value", ""), "gpt_neo": ("attn.attention.v_proj", ""),
    "gptj": ("attn.v_proj", ""), "codegen": ("attn.qkv_proj", ""), "mpt": ("attn.Wqkv", ""),
    "ctrl": ("multi_head_attention.Wv", ""), "xglm": ("self_attn.v_proj", ""),
    "fsmt": ("self_attn.v_proj", "encoder_attn.v_proj"), "deberta_v2": ("attention.self.value_proj", ""),
}  # fmt: skip
LAYERS = {
    "llama": "model.layers", "gemma2": "model.layers", "gpt2": "transformer.h", "marian": "model.decoder.layers",
    "bart": "model.decoder.layers", "t5": "decoder.block", "bert": "bert.encoder.layer",
    "distilbert": "distilbert.transformer.layer", "gpt2_classifier": "transformer.h", "bloom": "transformer.h",
    "falcon": "transformer.h", "falcon_alibi": "transformer.h", "gpt_neo": "transformer.h", "gptj": "transformer.h",
    "codegen": "transformer.h", "mpt": "transformer.blocks", "ctrl": "transformer.h", "xglm": "model.layers",
    "xlnet": "transformer.layer", "fsmt": "model.decoder.layers", "deberta_v2": "deberta.encoder.layer",
}  # fmt: skip
# Where queries, keys and values come from one projection: which of its outputs are values, by their numbers.
OF_VALUES = {
    "gpt2": range(64, 96), "gpt2_classifier": range(64, 96), "mpt": range(64, 96),
    "bloom": [i for i in range(96) if i // 8 % 3 == 2],  # of each head its query, key and value
    "falcon_alibi": [i for i in range(96) if i // 8 % 3 == 2],
    "falcon": range(40, 48),  # one for all heads
    "codegen": [i for i in range(96) if i // 8 % 3 == 1],  # in four parts: query, value, key
}  # fmt: skip


def zeroed_by_hand(name: str, column: Column) -> torch.Tensor:
    """Return cosine distances [layers, rows] of layers that are called again with one value set to 0.

    Under the model's own attention, one row at a time.
    """
    network = made(name).model
    layers = network.get_submodule(LAYERS[name])
    calls: list[tuple[Any, Any, torch.Tensor]] = []

    def hidden(output: Any) -> torch.Tensor:
        given: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return given.reshape(-1, given.shape[-1])[read_at(name)].double()  # [1, m, d], or [m, 1, d]

    def note(_module: Any, args: Any, kwargs: Any, output: Any) -> None:
        calls.append((args, kwargs, hidden(output)))

    handles = [layer.register_forward_hook(note, with_kwargs=True) for layer in layers]
    called(network, column)
    for handle in handles:
        handle.remove()
    n_source = len(column.source)
    distances = torch.zeros(len(layers), len(column.rows), dtype=torch.float64)
    for i, (layer, (args, kwargs, before)) in enumerate(zip(layers, calls, strict=True)):
        for row in range(len(column.rows)):
            at, cross = (row, True) if row < n_source else (row - n_source, False)
            with torch.no_grad(), without_value(name, layer, at, cross=cross):
                after = hidden(layer(*args, **kwargs))
            distances[i, row] = 1 - torch.cosine_similarity(before, after, dim=0)
    return distances


@contextmanager
def without_value(name: str, layer: Any, at: int, *, cross: bool) -> Iterator[None]:
    """Enter a context in which a layer's attention to the text, or the source, gets 0 as the value of one row."""
    if name == "xlnet":  # which has no projection as a module
        core = layer.rel_attn.rel_attn_core

        def rel_attn_core(q: Any, k: Any, v: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            v = v.clone()
            v[at] = 0
            return core(q, k, v, *args, **kwargs)

        layer.rel_attn.rel_attn_core = rel_attn_core
        try:
            yield
        finally:
            del layer.rel_attn.rel_attn_core
        return

    def zero(_module: Any, _args: Any, output: torch.Tensor) -> torch.Tensor:
        rows = output.reshape(-1, output.shape[-1]).clone()
        rows[at, list(OF_VALUES.get(name, range(rows.shape[-1])))] = 0
        return rows.view(output.shape)

    handle = layer.get_submodule(VALUES[name][cross]).register_forward_hook(zero)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("name", [*ON_THE_INTERFACE, *OWN])
def test_value_zeroing_is_each_layer_called_again_without_one_value(name: str) -> None:
    """Value zeroing equals single calls of each layer with one value set to 0 and the model's own attention.

    That is sdpa in some; eager attention takes its softmax in float32 in many: to 1e-5. 1 - cos loses 1e-16 of 1.
    Where all is float32, the vectors are off by some 1e-6, and the distance of two by that times its root: to 1e-3.
    """
    rtol, atol = (1e-3, 1e-7) if in_float32(name) else (1e-5, 1e-12)
    mean, first = of(name, "value_zeroing"), of(name, "value_zeroing", layer=0)
    for (column, scores), (_, of_first) in zip(columns_with(name, mean), columns_with(name, first), strict=True):
        expected = zeroed_by_hand(name, column)
        np.testing.assert_allclose(scores, expected.mean(0), rtol=rtol, atol=atol)
        np.testing.assert_allclose(of_first, expected[0], rtol=rtol, atol=atol)


@pytest.mark.filterwarnings("ignore:.*model_config.yaml:pytest.PytestUnraisableExceptionWarning")
def test_value_zeroing_of_t5s_first_layer_is_inseqs() -> None:
    """Up to its scale: inseq divides by the sum over the tokens. (Its last layer is taken after the final norm, and
    elsewhere it ends in an error.) It takes 1 - cos in float32: to 2e-3.
    """
    import inseq

    network, tokenizer = copy.deepcopy(made("t5").model), copy.deepcopy(made("t5").tokenizer)
    network.set_attn_implementation("eager")
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = inseq.load_model(network, "value_zeroing", tokenizer=tokenizer)
            out = theirs.attribute(TEXT, TARGET, show_progress=False)[0]
    finally:
        logging.disable(logging.NOTSET)
    a = of("t5", "value_zeroing", layer=0)
    n = len(out.source)
    for ours, inseqs in (
        (a.scores[:n], out.source_attributions[..., 0]),
        (a.scores[n:], out.sequence_scores["decoder_self_scores"][..., 0]),
    ):
        np.testing.assert_allclose(ours / np.nansum(ours, axis=0), inseqs, rtol=2e-3)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_small_memory_budget_changes_nothing_but_the_number_of_passes(pooled: bool) -> None:
    """A small budget changes no score; a head that reads all positions needs many slots, and reports progress."""
    model = mean_pooled() if pooled else made("bert")
    whole = sw.attribute(model, TEXT, method="value_zeroing", progress=False)
    question = check_question("value_zeroing", "probability", {})
    document = model.document(model.encode(Prompt(text=TEXT)), [])
    parts = list(columns(model.shadow(), question, document, Schedule(range(3)), memory_budget=1))
    told = [part for part in parts if isinstance(part, Progress)]
    n = len(whole.rows)
    assert told == ([Progress(i, n) for i in range(1, n)] if pooled else [])
    (chunk,) = (part for part in parts if isinstance(part, Chunk))
    np.testing.assert_allclose(chunk.scores, whole.scores, rtol=1e-6)


def test_a_layer_whose_tokens_reach_each_other_by_another_way_is_found_out() -> None:
    """Layers whose MLPs also see the left neighbour are refused, because a zeroed value changes other positions too."""
    model = make("llama")
    shift = model.model.model.layers[1].mlp.register_forward_hook(lambda _m, _a, out: out + out.roll(1, dims=1))
    with pytest.raises(UnsupportedMethod, match="not by attention alone"):
        sw.attribute(model, TEXT, target=TARGET, method="value_zeroing", progress=False)
    shift.remove()


class NoAttention(torch.nn.Module):
    """A module in place of attention that halves its input."""

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        return hidden_states / 2, None


def test_a_layer_without_attention_is_told_and_the_others_can_be_chosen() -> None:
    model, whole = make("llama"), make("llama")
    model.model.model.layers[1].self_attn = NoAttention()
    asked: dict[str, Any] = {"target": TARGET, "method": "value_zeroing", "progress": False}
    with pytest.raises(UnsupportedMethod, match="1 of 2 layers multiply"):
        sw.attribute(model, TEXT, **asked)
    first = sw.attribute(whole, TEXT, layer=0, **asked).scores
    np.testing.assert_allclose(sw.attribute(model, TEXT, layer=0, **asked).scores, first, rtol=1e-9)


def test_a_mask_that_is_made_of_the_input_is_found_out() -> None:
    """A mask of the input, as Doge's, is found: zeroing a value would change the weights too."""
    model = make("llama")

    def add_mask(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        bias = kwargs["hidden_states"].mean(-1)[:, None, None]  # [1, 1, 1, keys]
        n = bias.shape[-1]
        return args, {**kwargs, "attention_mask": bias + torch.full((n, n), -1e9).triu(1)}

    model.model.model.layers[0].self_attn.register_forward_pre_hook(add_mask, with_kwargs=True)
    with pytest.raises(UnsupportedMethod, match="depend on its input"):
        sw.attribute(model, TEXT, target=TARGET, method="value_zeroing", progress=False)
    sw.attribute(model, TEXT, target=TARGET, method="attention", progress=False)


def test_layers_that_cannot_be_run_on_slots_are_found_out() -> None:
    """XLM's layers are refused, because they always keep keys and values."""
    from transformers import XLMConfig, XLMWithLMHeadModel

    tokenizer = byte_tokenizer(pad='"')
    config = XLMConfig(
        n_words=len(tokenizer), vocab_size=len(tokenizer), emb_dim=32, n_layers=2, n_heads=4, pad_index=1, causal=True
    )
    model = model_of(XLMWithLMHeadModel(config).eval(), tokenizer, "xlm")
    with pytest.raises(UnsupportedMethod, match="do not work on other hidden states"):
        sw.attribute(model, TEXT, target=TARGET, method="value_zeroing", progress=False)


def test_attention_whose_output_is_not_weights_times_values_is_found_out() -> None:
    """Granite's sliding variant scales the output after the weights: by how much it looks at nothing."""
    from transformers import GraniteSWAConfig, GraniteSWAForCausalLM

    tokenizer = byte_tokenizer()
    config = GraniteSWAConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model = model_of(GraniteSWAForCausalLM(config).eval(), tokenizer, "granite")
    with pytest.raises(UnsupportedMethod, match="not by attention alone"):
        sw.attribute(model, TEXT, target=TARGET, method="value_zeroing", progress=False)


# ── the model comes back, and others do not notice ───────────────────────────────────────────────────────────────


def state(model: Any) -> dict[str, Any]:
    """Return `state_of` for any model, and the attributes that transformers leaves on modules."""
    names = ("named_parameters", "named_buffers", "named_modules", "config")
    empty = SimpleNamespace(to_dict=dict)
    parts = {name: getattr(model, name) for name in names}
    whole = state_of(SimpleNamespace(**parts, generation_config=getattr(model, "generation_config", empty)))
    assert not any(grad is not None for grad in whole["grad"].values())
    return whole | {"own": {name: set(vars(module)) for name, module in model.named_modules()}}


@pytest.mark.parametrize("name", ["llama", "bloom", "xglm", "marian", "fsmt", "bert", "deberta_v2"])
@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing"])
def test_the_model_comes_back_as_it_was_also_after_an_error(name: str, method: str) -> None:
    """The model is unchanged after an error; hooks that XGLM's code adds permanently are removed too."""
    model = made(name)
    if METHODS[method].lacks(model) is not None:
        return
    before = state(model.model)
    asked = {} if name in CLASSIFIERS else {"target": TARGET}
    sw.attribute(model, TEXT, method=method, progress=False, **asked)
    assert state(model.model) == before

    def fail(*_: Any) -> None:
        raise ValueError("in the middle")

    part = [m for m in model.model.modules() if isinstance(m, torch.nn.LayerNorm) or "RMSNorm" in type(m).__name__][-1]
    handle = part.register_forward_hook(fail)
    with pytest.raises(ValueError, match="in the middle"):
        sw.attribute(model, TEXT, method=method, progress=False, **asked)
    handle.remove()
    assert state(model.model) == before


def test_a_cell_that_runs_the_model_meanwhile_gets_its_ordinary_answers() -> None:
    model = made("llama")
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        expected = model.model(ids).logits
    found = []

    def never(_call: Any) -> Any:
        raise AssertionError("the handler of a shadow")

    def run() -> None:
        with torch.no_grad():
            found.append(model.model(ids).logits)

    with attending(model.shadow().model, never):
        cell = threading.Thread(target=run)
        cell.start()
        cell.join()
    assert torch.equal(found[0], expected)


@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing"])
def test_no_layer_waits_for_the_device(method: str) -> None:
    """No layer reads a number or a size back from the device, which would stop a GPU's queue."""
    from transformers import LlamaConfig, LlamaForCausalLM

    class Looks(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "masked_select"))
            return func(*args, **(kwargs or {}))

    counts = []
    for n_layers in (1, 4):
        config = LlamaConfig(
            vocab_size=len(byte_tokenizer()), hidden_size=32, intermediate_size=48, num_hidden_layers=n_layers,
            num_attention_heads=4, bos_token_id=None, eos_token_id=None,
        )  # fmt: skip
        model = model_of(LlamaForCausalLM(config).eval(), byte_tokenizer(), "llama")
        with Looks() as looks:
            sw.attribute(model, TEXT, target=TARGET, method=method, progress=False)
        counts.append(looks.count)
    assert counts[0] == counts[1]


# ── which models ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "lacking", "why"),
    [
        ("mamba", {"attention", "attention_rollout", "value_zeroing"}, "has no attention"),
        ("bloom", set(), ""),
        ("llama", set(), ""),
    ],
)
def test_a_model_says_why_its_attention_cannot_be_shown(name: str, lacking: set[str], why: str) -> None:
    family = [m for m in METHODS.values() if m.card.family == "attention"]
    reasons = {m.card.id: m.lacks(made(name)) for m in family}
    assert {method for method, reason in reasons.items() if reason} == lacking
    assert all(why in str(reasons[method]) for method in lacking)


def test_a_method_that_cannot_run_names_those_that_can() -> None:
    with pytest.raises(UnsupportedMethod, match="has no attention.*Use saliency or .*random"):
        of("mamba", "attention")


def nothing_handed_out(_module: Any, _args: Any, output: Any) -> Any:
    """A hook that returns outputs without attention weights."""
    return type(output)(logits=output.logits)


@pytest.mark.parametrize("method", ["attention", "attention_rollout"])
def test_a_model_that_hands_nothing_out_is_looked_into(method: str) -> None:
    model = make("bloom")
    model.model.register_forward_hook(nothing_handed_out)
    a = sw.attribute(model, TEXT, target=TARGET, method=method, progress=False)
    np.testing.assert_allclose(a.scores, of("bloom", method).scores, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(("method", "why"), [("attention", "does not hand out"), ("value_zeroing", "no layer is seen")])
def test_a_model_that_keeps_its_weights_to_itself_is_an_error_and_not_zeros(
    method: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model without output_attentions, interface and softmax, which uses exponentials, is an error."""

    def by_hand(scores: torch.Tensor, dim: int, dtype: torch.dtype) -> torch.Tensor:
        shares = (scores - scores.amax(dim, keepdim=True)).exp()
        return (shares / shares.sum(dim, keepdim=True)).to(dtype)

    model = make("bloom")
    model.model.register_forward_hook(nothing_handed_out)
    monkeypatch.setattr(modeling_bloom, "F", SimpleNamespace(softmax=by_hand, dropout=torch.nn.functional.dropout))
    with pytest.raises(UnsupportedMethod, match=why):
        sw.attribute(model, TEXT, target=TARGET, method=method, progress=False)


class OneOfOnesOwn(torch.nn.Module):
    """A user's own layer with torch's fused attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv = torch.nn.Linear(width, 3 * width)
        self.out = torch.nn.Linear(width, width)
        self.norm = torch.nn.LayerNorm(width)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in self.qkv(self.norm(x)).chunk(3, dim=-1))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("method", ["attention", "attention_rollout", "value_zeroing", "attnlrp"])
def test_a_layer_of_a_users_own_is_looked_into(method: str) -> None:
    """It replaces those of a GPT-2, which has the same weights: its maps are those of that GPT-2 without its MLPs."""
    theirs, own = make("gpt2"), make("gpt2")
    for layers in (theirs.model.transformer.h, own.model.transformer.h):
        for layer in layers:
            for part in (layer.mlp.c_proj.weight, layer.mlp.c_proj.bias):
                part.data.zero_()
    for i, layer in enumerate(own.model.transformer.h):
        mine = OneOfOnesOwn(32, 4).double().eval()
        mine.norm.load_state_dict(layer.ln_1.state_dict())
        for new, old in ((mine.qkv, layer.attn.c_attn), (mine.out, layer.attn.c_proj)):
            new.weight.data, new.bias.data = old.weight.data.T.clone(), old.bias.data.clone()
        own.model.transformer.h[i] = Wrapped(mine)
    maps = [sw.attribute(m, TEXT, target=TARGET, method=method, progress=False).scores for m in (theirs, own)]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-5, atol=1e-9)


class Wrapped(torch.nn.Module):
    """A layer with the arguments of GPT-2's layers."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return self.layer(x)


class InParts(torch.nn.Module):
    """A layer in parts, as in XLM: attention and MLP are in two lists, with a sum between them."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.attentions, self.behind = torch.nn.ModuleList([layer]), torch.nn.ModuleList([torch.nn.Tanh()])

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        hidden, *rest = self.attentions[0](x, *args, **kwargs)
        return (self.behind[0](x + hidden), *rest)


def test_a_layer_in_parts_is_found_out() -> None:
    """A layer in parts is refused, because its attention's output is not the layer's."""
    model = make("bloom")
    body = model.model.transformer
    body.h = torch.nn.Sequential(*(InParts(layer) for layer in body.h))
    with pytest.raises(UnsupportedMethod, match="several modules"):
        sw.attribute(model, TEXT, target=TARGET, method="value_zeroing", progress=False)
