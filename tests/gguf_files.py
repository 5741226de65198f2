"""A writer of .gguf files, from the description of the format."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

F32 = 0  # the kind of a tensor that is not quantised
Tensor = tuple[tuple[int, ...], int, bytes]  # shape, kind, raw bytes


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, value: Any) -> bytes:
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if value and isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return text(key) + struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def write(path: Path, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Write a file with these tensors, by their names."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(pair(key, value) for key, value in metadata.items())
    end = 0
    for name, (shape, kind, raw) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", kind, end)
        end += len(raw) + -len(raw) % 32
    with path.open("wb") as file:
        file.write(head + bytes(-len(head) % 32))
        for _, _, raw in tensors.values():
            file.write(raw + bytes(-len(raw) % 32))
    return path


_OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_INSIDE = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write_float32(source: Path, to: Path) -> Path:
    """Write the weights of a quantised Llama once more, the same numbers in float32 (538 MB for the demo model)."""
    from saliency_widget.models.loading import gguf

    read = gguf.read(source)
    heads = {"attn_q": read.config["num_attention_heads"], "attn_k": read.config["num_key_value_heads"]}
    tensors: dict[str, Tensor] = {}
    for name, weight in read.state.items():
        stem = name.removesuffix(".weight")
        layer, _, part = stem.removeprefix("model.layers.").partition(".")
        own = _OUTSIDE.get(stem) or _INSIDE[part]
        numbers = _rotated(weight, heads[own]) if own in heads else weight
        named = f"{own}.weight" if stem in _OUTSIDE else f"blk.{layer}.{own}.weight"
        tensors[named] = (weight.shape, F32, numbers.astype("<f4").tobytes())
    return write(to, {**read.metadata, "general.file_type": 0}, tensors)


def _rotated(weight: NDArray[np.float32], n_heads: int) -> NDArray[np.float32]:
    """Return a projection in llama.cpp's order, where the two halves of each head's rows alternate."""
    rows, cols = weight.shape
    return weight.reshape(n_heads, 2, rows // n_heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)
