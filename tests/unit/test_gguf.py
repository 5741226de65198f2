from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saliency_widget.errors import DamagedFile, InputError, SaliencyError
from saliency_widget.models.loading import gguf

from ..gguf_files import F32, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HIDDEN, HEADS, KV_HEADS, FFN, LAYERS = 64, 4, 2, 96, 2
F16, Q4_0, Q4_1, Q8_0 = 1, 2, 3, 8


def raw_blocks(rng: np.random.Generator, shape: tuple[int, ...], kind: int) -> bytes:
    count = int(np.prod(shape))
    if kind == F32:
        return rng.normal(0, 0.1, count).astype("<f4").tobytes()
    if kind == F16:
        return rng.normal(0, 0.1, count).astype("<f2").tobytes()
    n_halves, n_bytes = {Q4_0: (1, 16), Q4_1: (2, 16), Q8_0: (1, 32)}[kind]
    blocks = [
        rng.normal(0, 0.02, n_halves).astype("<f2").tobytes() + rng.integers(0, 256, n_bytes, np.uint8).tobytes()
        for _ in range(count // 32)
    ]
    return b"".join(blocks)


def slow_values(raw: bytes, kind: int) -> list[np.float32]:
    """One value after the other, straight from the definition of the format; float32 products and sums."""
    f32 = np.float32
    if kind in {F32, F16}:
        return [f32(v) for (v,) in struct.iter_unpack("<f" if kind == F32 else "<e", raw)]
    out = []
    for at in range(0, len(raw), {Q4_0: 18, Q4_1: 20, Q8_0: 34}[kind]):
        (d,) = struct.unpack_from("<e", raw, at)
        if kind == Q8_0:
            out += [f32(d) * f32(q) for q in struct.unpack_from("<32b", raw, at + 2)]
        elif kind == Q4_1:
            (m,) = struct.unpack_from("<e", raw, at + 2)
            packed = raw[at + 4 : at + 20]
            out += [f32(f32(d) * f32(b & 15)) + f32(m) for b in packed]
            out += [f32(f32(d) * f32(b >> 4)) + f32(m) for b in packed]
        else:
            packed = raw[at + 2 : at + 18]
            out += [f32(d) * f32((b & 15) - 8) for b in packed] + [f32(d) * f32((b >> 4) - 8) for b in packed]
    return out


def slow_unrotated(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """llama.cpp turns rows 2i and 2i+1 of a head together, transformers rows i and i + half."""
    size = len(weight) // n_heads
    out = np.empty_like(weight)
    for head in range(n_heads):
        for i in range(size // 2):
            out[head * size + i] = weight[head * size + 2 * i]
            out[head * size + size // 2 + i] = weight[head * size + 2 * i + 1]
    return out


def vocabulary() -> tuple[list[str], list[int], list[str]]:
    from tokenizers import pre_tokenizers

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    texts = [*special, *letters, "Ġt", "he", "Ġthe", "ĊĊ"]
    return texts, [3] * 3 + [1] * (len(texts) - 3), ["Ġ t", "h e", "Ġt he", "Ċ Ċ"]


def metadata() -> dict[str, Any]:
    texts, kinds, merges = vocabulary()
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": 128,
        "llama.embedding_length": HIDDEN,
        "llama.feed_forward_length": FFN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KV_HEADS,
        "llama.rope.freq_base": 100000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.chat_template": "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}",
    }


def tensors(kinds: Iterable[int] = (Q4_1, Q8_0, Q4_0, F16)) -> dict[str, tuple[tuple[int, ...], int, bytes]]:
    rng = np.random.default_rng(0)
    vocab, kv = len(vocabulary()[0]), HIDDEN // HEADS * KV_HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocab, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for n in range(LAYERS):
        layer = {"attn_norm": (HIDDEN,), "ffn_norm": (HIDDEN,), "attn_q": (HIDDEN, HIDDEN), "attn_k": (kv, HIDDEN)}
        layer |= {"attn_v": (kv, HIDDEN), "attn_output": (HIDDEN, HIDDEN), "ffn_gate": (FFN, HIDDEN)}
        layer |= {"ffn_up": (FFN, HIDDEN), "ffn_down": (HIDDEN, FFN)}
        shapes |= {f"blk.{n}.{name}.weight": shape for name, shape in layer.items()}
    choices = list(kinds)
    out = {}
    for k, (name, shape) in enumerate(shapes.items()):
        kind = F32 if len(shape) == 1 else choices[k % len(choices)]
        out[name] = (shape, kind, raw_blocks(rng, shape, kind))
    return out


def tiny_gguf(path: Path) -> Path:
    """A whole llama of a few thousand parameters."""
    return write(path, metadata(), tensors())


# ── tests ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_are_exact(tmp_path: Path) -> None:
    """Every tensor equals, bit by bit, a slow dequantisation that was written from the format's description."""
    state = gguf.read(tiny_gguf(tmp_path / "m.gguf")).state
    for name, (shape, kind, raw) in tensors().items():
        expected = np.array(slow_values(raw, kind), np.float32).reshape(shape)
        if "attn_q" in name or "attn_k" in name:
            expected = slow_unrotated(expected, HEADS if "attn_q" in name else KV_HEADS)
        own = state.pop(gguf.renamed(name))
        assert own.dtype == np.float32
        assert own.tobytes() == expected.tobytes(), name
    assert not state


def test_a_converted_folder_is_a_transformers_model(tmp_path: Path) -> None:
    """transformers loads the folder, finds every weight, and gets the same numbers, tokenizer, template and ends."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, folder = tiny_gguf(tmp_path / "m.gguf"), tmp_path / "out" / "model"
    ticks: list[tuple[int, int]] = []
    gguf.convert(source, folder, lambda done, total: ticks.append((done, total)))
    assert len({file.stat().st_mode for file in folder.iterdir()}) == 1, "whoever may read one may read all"
    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.lm_head.weight is model.model.embed_tokens.weight
    for name, weight in gguf.read(source).state.items():
        assert torch.equal(model.state_dict()[name], torch.from_numpy(weight))
    assert (model.config.rope_parameters["rope_theta"], model.config.max_position_embeddings) == (100000.0, 128)
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (2, 2)

    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token) == (
        "<|im_end|>",
        "<|im_end|>",
        "<|endoftext|>",
    )
    assert tokenizer.convert_ids_to_tokens(tokenizer("\n\n12 the").input_ids) == ["ĊĊ", "1", "2", "Ġthe"]
    assert tokenizer.apply_chat_template([{"role": "user", "content": "the"}], tokenize=False).endswith("<|im_end|>")
    assert tokenizer("<|im_end|>").input_ids == [2]
    assert ticks[0] == (0, len(tensors()))
    assert ticks[-1] == (len(tensors()), len(tensors()))
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_stopped_conversion_leaves_nothing(tmp_path: Path) -> None:
    """Whatever `progress` raises comes out as it is, even late, and the folder is not there, not even in part."""

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        gguf.convert(tiny_gguf(tmp_path / "m.gguf"), tmp_path / "out" / "model", stop)
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_is_there_stays(tmp_path: Path) -> None:
    """If another process was faster, its folder is kept."""
    source, folder = tiny_gguf(tmp_path / "m.gguf"), tmp_path / "model"
    gguf.convert(source, folder)
    (folder / "mark").touch()
    gguf.convert(source, folder)
    assert (folder / "mark").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.gguf", "model"]


@pytest.mark.parametrize("keep", [0, 3, 4, 20, 1000, -1, -5000])
def test_a_file_cut_short_is_damaged(tmp_path: Path, keep: int) -> None:
    """Cut anywhere, the file is named, and a cure."""
    path = tiny_gguf(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFile, match=r"m\.gguf") as caught:
        gguf.read(path)
    assert "download" in caught.value.cure


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_damage(tmp_path: Path, value: float) -> None:
    """A scale of a Q4_1 block garbled to NaN or infinity: no model is made of it."""
    path = tiny_gguf(tmp_path / "m.gguf")
    with path.open("r+b") as file:
        _, entries, start = gguf.header(path.read_bytes())
        entry = next(e for e in entries.values() if e.kind == Q4_1)
        file.seek(start + entry.offset)
        file.write(np.float16(value).tobytes())
    with pytest.raises(DamagedFile, match="a tensor holds NaN or infinity"):
        gguf.read(path)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbled_headers_never_surprise(tmp_path: Path, data: st.DataObject) -> None:
    """Any bytes in the header may be wrong: the file is read, or refused by an error of ours."""
    path = tiny_gguf(tmp_path / "m.gguf")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 6000))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        gguf.read(path)
    except SaliencyError as error:
        assert error.cure  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"general.architecture": "qwen2"}, "qwen2"),
        ({"llama.rope.scaling.type": "yarn"}, "rope scaling"),
        ({"llama.rope.dimension_count": 8}, "rotary"),
    ],
)
def test_what_is_not_known_is_said(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """Another architecture, or a llama with something more: refused, not read wrongly."""
    path = write(tmp_path / "m.gguf", metadata() | change, tensors())
    with pytest.raises(gguf.UnsupportedGguf, match=says) as caught:
        gguf.read(path)
    assert isinstance(caught.value, InputError)
    assert "gguf accelerate" in caught.value.cure


def test_unknown_quantisations_and_tensors_are_said(tmp_path: Path) -> None:
    """A quantisation (14 is Q6_K) or a tensor (here a bias) that is not known: refused."""
    shape, _, raw = tensors()["token_embd.weight"]
    with pytest.raises(gguf.UnsupportedGguf, match="14"):
        gguf.read(write(tmp_path / "q.gguf", metadata(), tensors() | {"token_embd.weight": (shape, 14, raw)}))
    with pytest.raises(gguf.UnsupportedGguf, match="bias"):
        gguf.read(write(tmp_path / "b.gguf", metadata(), tensors() | {"blk.0.attn_q.bias": ((4,), F32, bytes(16))}))


def test_other_tokenizers_are_said() -> None:
    """Only the tokenizer of the demo model is rebuilt; another rule is refused."""
    with pytest.raises(gguf.UnsupportedGguf, match="llama-bpe"):
        gguf.tokenizer(metadata() | {"tokenizer.ggml.pre": "llama-bpe"})


@pytest.mark.demo
def test_the_demo_model_says_washington() -> None:
    """The real model: 0.796 for " Washington" (llama.cpp says 0.81 with 8-bit activations), and its digit rule."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from saliency_widget.models.loading.demo import demo_folder

    folder = demo_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer("The first president of the United States was George", return_tensors="pt").input_ids
    with torch.no_grad():
        p, best = model(ids).logits[0, -1].softmax(-1).max(-1)
    assert tokenizer.decode([int(best)]) == " Washington"
    assert float(p) == pytest.approx(0.7957, abs=5e-4)  # float32 noise is below 1e-5
    assert tokenizer("\n\n1").input_ids[0] == 1116


@pytest.mark.demo
def test_the_demo_weights_are_exact() -> None:
    """Rows of the real file's three kinds of tensors (F32, Q4_1, Q8_0), dequantised slowly, are the folder's rows."""
    from safetensors import safe_open

    from saliency_widget.models.loading.demo import demo_folder, demo_gguf

    data = demo_gguf().read_bytes()
    _, entries, start = gguf.header(memoryview(data))
    with safe_open(demo_folder() / "model.safetensors", "np") as state:
        for name in ("output_norm.weight", "token_embd.weight", "blk.7.ffn_up.weight", "blk.29.attn_v.weight"):
            entry = entries[name]
            size = {F32: 4 * entry.shape[-1], Q4_1: entry.shape[-1] // 32 * 20, Q8_0: entry.shape[-1] // 32 * 34}
            own = state.get_tensor(gguf.renamed(name)).reshape(-1, entry.shape[-1])
            for row in {0, len(own) // 3, len(own) - 1}:
                at = start + entry.offset + row * size[entry.kind]
                slow = np.array(slow_values(data[at : at + size[entry.kind]], entry.kind), np.float32)
                assert own[row].tobytes() == slow.tobytes()
