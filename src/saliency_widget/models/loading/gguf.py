"""A reader of .gguf files of the llama architecture: exact float32, with numpy alone; and their conversion to a folder.

transformers has a GGUF loader too. It needs two more packages, takes ten times as long, and builds the demo model's
tokenizer without its digit rule. This reader supports one architecture and the quantisations below; for everything
else it raises `UnsupportedGguf`, and the caller may use transformers.

The format, little-endian: magic, version, counts; the metadata as typed key-value pairs; name, shape, type and offset
of each tensor; padding; the tensors. Format source: docs/gguf.md of ggml-org/ggml.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from saliency_widget.errors import DamagedFile, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Floats = NDArray[np.float32]


class UnsupportedGguf(InputError):
    """The file is valid, but holds something that this reader does not support."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a .gguf file in transformers' terms.

    `config`: the arguments of a LlamaConfig. `state`: the state dict, float32, without the head if it is tied to the
    embedding. `metadata`: the file's own key-value pairs, including the tokenizer.
    """

    config: dict[str, Any]
    state: dict[str, Floats]
    metadata: dict[str, Any]


# ── quantisations ────────────────────────────────────────────────────────────────────────────────────────────────
# Each function takes raw blocks, uint8 [n_blocks, block_bytes], and returns float32 [n_blocks, block_values].
# Products are rounded to float32 before the sum, as in ggml, so the result is equal to the last bit.


def _half(blocks: Bytes, start: int) -> Floats:
    """Return the float16 at byte `start` of every block as float32 [n_blocks, 1]."""
    return np.ascontiguousarray(blocks[:, start : start + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: Bytes) -> Floats:
    """Return the 32 values in sixteen bytes, the low halves first, as float32 [n_blocks, 32]."""
    values = np.empty((len(packed), 32), np.float32)
    values[:, :16] = packed & 15
    values[:, 16:] = packed >> 4
    return values


def _f32(blocks: Bytes) -> Floats:
    return blocks.view("<f4").astype(np.float32)


def _f16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 2:])
    values -= 8
    values *= _half(blocks, 0)
    return values


def _q4_1(blocks: Bytes) -> Floats:
    values = _nibbles(blocks[:, 4:])
    values *= _half(blocks, 0)
    values += _half(blocks, 2)
    return values


def _q8_0(blocks: Bytes) -> Floats:
    values = np.ascontiguousarray(blocks[:, 2:]).view(np.int8).astype(np.float32)
    values *= _half(blocks, 0)
    return values


class _Kind(NamedTuple):
    values: int  # values in a block
    size: int  # bytes of a block
    unpack: Callable[[Bytes], Floats]


_KINDS = {
    0: _Kind(1, 4, _f32),
    1: _Kind(1, 2, _f16),
    2: _Kind(32, 18, _q4_0),
    3: _Kind(32, 20, _q4_1),
    8: _Kind(32, 34, _q8_0),
}

# ── the header ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Entry(NamedTuple):
    """The place of a tensor. `shape`: numpy's, outermost axis first. `offset`: bytes from the end of the header."""

    shape: tuple[int, ...]
    kind: int
    offset: int


class _Cursor:
    """A reader of the header. Raises ValueError or struct.error at an invalid byte."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def number(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise ValueError("it ends inside its header")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        return str(self.take(self.number("Q")), "utf-8")

    def value(self, kind: int) -> Any:
        if kind == 8:
            return self.text()
        if kind != 9:
            return self.number(_NUMBERS[kind])
        inner, count = self.number("I"), self.number("Q")
        if inner == 8:
            return [self.text() for _ in range(count)]
        code = "<" + _NUMBERS[inner]  # KeyError for an array of arrays, which no file has
        return np.frombuffer(self.take(count * struct.calcsize(code)), code).tolist()


_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def header(data: memoryview) -> tuple[dict[str, Any], dict[str, _Entry], int]:
    """Return the metadata, the table of tensors, and the offset of the first tensor."""
    cursor = _Cursor(data)
    if bytes(cursor.take(4)) != b"GGUF":
        raise ValueError("it does not begin as a GGUF file")
    version = cursor.number("I")
    if version not in {2, 3}:
        raise _unsupported(f"GGUF version {version}")
    n_tensors, n_pairs = cursor.number("Q"), cursor.number("Q")
    metadata = {}
    for _ in range(n_pairs):
        key = cursor.text()
        metadata[key] = cursor.value(cursor.number("I"))
    entries = {}
    for _ in range(n_tensors):
        name = cursor.text()
        sizes = [cursor.number("Q") for _ in range(cursor.number("I"))]  # innermost axis first
        entries[name] = _Entry(tuple(reversed(sizes)), cursor.number("I"), cursor.number("Q"))
    alignment = int(metadata.get("general.alignment", 32))
    return metadata, entries, -(-cursor.at // alignment) * alignment


def _unpacked(data: Bytes, start: int, entry: _Entry) -> Floats:
    """Return the tensor as float32 [*shape]."""
    kind = _KINDS[entry.kind]
    count = math.prod(entry.shape)
    begin = start + entry.offset
    end = begin + count // kind.values * kind.size
    if not entry.shape or entry.shape[-1] % kind.values or end > len(data):
        raise ValueError("it ends inside a tensor")
    blocks = np.ascontiguousarray(data[begin:end]).reshape(-1, kind.size)
    with np.errstate(all="ignore"):  # garbled scales overflow, which is checked below
        weight = kind.unpack(blocks).reshape(entry.shape)
    if not np.isfinite(weight).all():
        raise ValueError("a tensor holds NaN or infinity")
    return weight


# ── llama ────────────────────────────────────────────────────────────────────────────────────────────────────────

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def renamed(name: str) -> str:
    """Return transformers' name of a tensor of llama.cpp's. Raises: UnsupportedGguf for a name that is not llama's."""
    if (match := re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)) and match[2] in _LAYER:
        return f"model.layers.{match[1]}.{_LAYER[match[2]]}.weight"
    if (stem := name.removesuffix(".weight")) != name and stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.weight"
    raise _unsupported(f"the tensor {name!r}")


def _unrotated(weight: Floats, n_heads: int) -> Floats:
    """Undo llama.cpp's row order of q and k: it rotates neighbouring pairs of a head, transformers its two halves."""
    n_rows = len(weight)
    pairs = weight.reshape(n_heads, n_rows // n_heads // 2, 2, -1)  # [heads, pairs, 2, hidden]
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(n_rows, -1)


def _config(metadata: dict[str, Any], entries: dict[str, _Entry]) -> dict[str, Any]:
    """Return the arguments of LlamaConfig. Raises: UnsupportedGguf for variants of llama that this reader lacks."""
    if (architecture := metadata.get("general.architecture")) != "llama":
        raise _unsupported(f"the architecture {architecture!r}")
    own = {key.removeprefix("llama."): value for key, value in metadata.items() if key.startswith("llama.")}
    if own.get("rope.scaling.type", "none") != "none" or own.get("expert_count", 0):
        raise _unsupported("rope scaling or experts")
    n_heads, hidden = own["attention.head_count"], own["embedding_length"]
    if own.get("rope.dimension_count", hidden // n_heads) != own.get("attention.key_length", hidden // n_heads):
        raise _unsupported("rotary embeddings on a part of each head")
    return {
        "vocab_size": entries["token_embd.weight"].shape[0],
        "hidden_size": hidden,
        "intermediate_size": own["feed_forward_length"],
        "num_hidden_layers": own["block_count"],
        "num_attention_heads": n_heads,
        "num_key_value_heads": own.get("attention.head_count_kv", n_heads),
        "head_dim": own.get("attention.key_length", hidden // n_heads),
        "hidden_act": "silu",
        "max_position_embeddings": own["context_length"],
        "rms_norm_eps": own["attention.layer_norm_rms_epsilon"],
        "rope_parameters": {"rope_type": "default", "rope_theta": own.get("rope.freq_base", 10000.0)},
        "tie_word_embeddings": "output.weight" not in entries,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": metadata.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": metadata.get("tokenizer.ggml.padding_token_id"),
    }


def read(path: Path, progress: Callable[[int, int], None] | None = None) -> Checkpoint:
    """Read the whole checkpoint as float32. `progress(done, total)` counts tensors, and may raise to stop.

    Raises: DamagedFile (no GGUF file, or truncated or garbled); UnsupportedGguf (another architecture, quantisation or
    version).
    """
    with _as_damage(path):
        data: Bytes = np.memmap(path, np.uint8, mode="r")
        metadata, entries, start = header(data.data)
        config = _config(metadata, entries)
        names = {name: renamed(name) for name in entries}
        if unknown := {entry.kind for entry in entries.values()} - _KINDS.keys():
            raise _unsupported(f"the quantisation with number {min(unknown)}")
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    state = {}
    for done, (name, entry) in enumerate(entries.items()):
        if progress:
            progress(done, len(entries))
        with _as_damage(path):
            weight = _unpacked(data, start, entry)
            stem = name.split(".")[-2]
            state[names[name]] = _unrotated(weight, heads[stem]) if stem in heads else weight
    return Checkpoint(config, state, metadata)


@contextmanager
def _as_damage(path: Path) -> Iterator[None]:
    """Enter a context in which errors of reading become a DamagedFile."""
    try:
        yield
    except UnsupportedGguf:
        raise
    except KeyError as error:
        raise _damaged(path, f"its header lacks or garbles {error}") from error
    except (ArithmeticError, IndexError, TypeError, ValueError, struct.error) as error:
        raise _damaged(path, str(error)) from error


# ── the tokenizer ────────────────────────────────────────────────────────────────────────────────────────────────


def tokenizer(metadata: dict[str, Any]) -> Any:
    """Return the transformers tokenizer of the metadata. Only byte-level BPE with SmolLM's digit rule is supported.

    transformers' GGUF loader drops that rule: a blank line before a digit becomes two tokens, but the model was trained
    with one. llama.cpp and the original tokenizer have the rule.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    own = {key.removeprefix("tokenizer.ggml."): value for key, value in metadata.items()}
    if (own.get("model"), own.get("pre")) != ("gpt2", "smollm") or own.get("add_bos_token"):
        raise _unsupported(f"the tokenizer {own.get('model')!r} with the rule {own.get('pre')!r}")
    texts = own["tokens"]
    vocab = {text: number for number, text in enumerate(texts)}
    merges = [tuple(pair.split(" ")) for pair in own["merges"]]
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    control = 3  # GGUF's type of special tokens
    special = [text for text, kind in zip(texts, own["token_type"], strict=True) if kind == control]
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    named = {name: texts[own[f"{key}_token_id"]] for name, key in named.items() if f"{key}_token_id" in own}
    made = PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **named)
    made.chat_template = metadata.get("tokenizer.chat_template")
    return made


# ── a folder ─────────────────────────────────────────────────────────────────────────────────────────────────────


def convert(gguf: Path, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the checkpoint as a transformers folder in float32, with tokenizer and chat template.

    `folder` appears when it is complete. If it exists already (another process was faster), it stays. Raises the errors
    of `read` and `progress`; then no file is left.
    """
    from safetensors.numpy import save_file

    checkpoint = read(gguf, progress)
    config = checkpoint.config | {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32"}
    ends = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # `demo` removes folders with this prefix that a killed process left.
    with TemporaryDirectory(prefix=".draft-", dir=folder.parent, ignore_cleanup_errors=True) as draft:
        made = Path(draft, folder.name)  # TemporaryDirectory lets only its owner read the draft itself
        made.mkdir()
        (made / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
        (made / "generation_config.json").write_text(json.dumps(ends, indent=2), "utf-8")
        with _as_damage(gguf):
            own = tokenizer(checkpoint.metadata)
        own.save_pretrained(made)
        save_file(checkpoint.state, made / "model.safetensors", metadata={"format": "pt"})
        shutil.copymode(made / "config.json", made / "model.safetensors")  # safetensors lets only the owner read it
        if progress:
            progress(len(checkpoint.state), len(checkpoint.state))
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _unsupported(what: str) -> UnsupportedGguf:
    return UnsupportedGguf(
        f"The built-in GGUF reader does not know {what}.",
        cure="`pip install gguf accelerate` lets transformers try, or load the original model by its hub id.",
    )


def _damaged(path: Path, why: str) -> DamagedFile:
    return DamagedFile(f"{path} cannot be read as a GGUF file: {why}.", cure="Copy or download the file again.")
