"""Models as researchers lend them: spread over devices, and in 8 and in 4 bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import saliency_widget as sw
from tests.families import byte_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from saliency_widget.attribution.result import Attribution

IDS, TARGET = (3, 14, 15, 9, 26), (5, 35, 8)
GRADIENTS = ("saliency", "input_x_gradient", "integrated_gradients")
ALL = (*GRADIENTS, "attnlrp", "gim", "occlusion", "attention", "attention_rollout", "value_zeroing")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of four layers, 64 wide: 4-bit blocks are of 64 weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(byte_tokenizer()),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    folder = tmp_path_factory.mktemp("saved")
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def load(folder: Path, **how: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, **how).eval()


def maps(model: Any, methods: tuple[str, ...]) -> dict[str, Attribution]:
    lent = (model, byte_tokenizer())
    return {
        method: sw.attribute(lent, input_ids=IDS, target_ids=TARGET, method=method, progress=False)
        for method in methods
    }


def plain_saliency(model: Any) -> np.ndarray:
    """One forward and one backward pass a target, through transformers' own `inputs_embeds`."""
    columns = []
    for j, token in enumerate(TARGET):
        ids = torch.tensor([[*IDS, *TARGET[:j]]])
        x = model.get_input_embeddings()(ids).detach().requires_grad_()
        probability = model(inputs_embeds=x, use_cache=False).logits[0, -1].float().softmax(-1)[token]
        (gradient,) = torch.autograd.grad(probability, x)
        column = np.full(len(IDS) + len(TARGET) - 1, np.nan, dtype=np.float32)
        column[: ids.shape[1]] = gradient[0].float().norm(dim=-1)
        columns.append(column)
    return np.stack(columns, axis=1)


def test_a_model_spread_over_memory_and_disk_gives_the_maps_of_the_whole_one(saved: Path, tmp_path: Path) -> None:
    """accelerate's hooks bring each layer's weights in when it runs: forward, backward, and back through a batch."""
    parts = {f"model.layers.{i}": "disk" if i % 2 else "cpu" for i in range(4)}
    rest = dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head"), "cpu")
    spread = load(saved, device_map=parts | rest, offload_folder=tmp_path)
    assert set(spread.hf_device_map.values()) == {"cpu", "disk"}
    whole = maps(load(saved), ALL)
    for method, found in maps(spread, ALL).items():
        np.testing.assert_allclose(found.scores, whole[method].scores, rtol=1e-5, atol=1e-8, err_msg=method)


@pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes")
def test_in_8_bit_gradients_are_those_of_a_plain_loop(saved: Path) -> None:
    """bitsandbytes has a backward pass in 8 bit: the maps are those of the quantised model, not of the original."""
    model = quantised(saved, load_in_8bit=True)
    found = maps(model, (*GRADIENTS, "occlusion", "attention"))
    np.testing.assert_allclose(found["saliency"].scores, plain_saliency(model), rtol=1e-3, atol=1e-6)
    whole = maps(load(saved), ("saliency",))["saliency"].scores
    assert 1e-4 < np.nanmax(np.abs(found["saliency"].scores - whole)) / np.nanmax(whole) < 0.2


@pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes")
def test_in_4_bit_gradients_are_those_of_a_plain_loop_and_occlusion_is_a_call_with_one_id_changed(saved: Path) -> None:
    """The maps are those of the quantised model; none of its weights is packed on the way, which spoils gradients."""
    model = quantised(saved, load_in_4bit=True)
    found = maps(model, ("occlusion", "attention", *GRADIENTS))
    np.testing.assert_allclose(found["saliency"].scores, plain_saliency(model), rtol=1e-3, atol=1e-6)
    states = [p.quant_state for p in model.parameters() if hasattr(p, "quant_state")]
    assert states
    assert not any(getattr(state, "packing_format_for_cpu", False) for state in states)
    found = found["occlusion"].scores
    unknown = byte_tokenizer().unk_token_id
    before = torch.tensor([[*IDS, *TARGET[:-1]]])
    for row in (0, 4, 6):
        after = before.clone()
        after[0, row] = unknown
        with torch.no_grad():
            at, without = (model(ids, use_cache=False).logits[0, -1].softmax(-1)[TARGET[-1]] for ids in (before, after))
        assert found[row, -1] == pytest.approx(float(at - without), rel=1e-3, abs=1e-6)


def quantised(folder: Path, **bits: bool) -> Any:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes has wheels for Linux alone")
    from transformers import BitsAndBytesConfig

    how = BitsAndBytesConfig(**bits, bnb_4bit_compute_dtype=torch.float32)
    return load(folder, quantization_config=how, device_map="cpu")
