"""The bytes that each token contributes to a text.

`tokenizer.decode` decodes a sequence, but does not show which token adds what. So the decoder's steps, which its
serialised state lists, are applied here to each token. If a tokenizer does not list its steps, `decode` is called with
growing windows of tokens instead.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Decoder: TypeAlias = dict[str, Any]  # the serialised state of a decoder of the `tokenizers` package


def token_bytes(tokenizer: Any, ids: Sequence[int], unknown: Mapping[int, str] | None = None) -> list[bytes]:
    """Return the bytes that each token contributes: a special token those of its name, a missing id none.

    `unknown`: for some positions, the text of the unknown token there; its bytes are used unchanged.

    Joined without special tokens, they equal `tokenizer.decode`, except where that drops characters: with some
    SentencePiece tokenizers it drops all leading spaces, though only one was added.
    """
    special, unknown = special_ids(tokenizer), unknown or {}
    names = tokenizer.convert_ids_to_tokens(list(ids))
    out = [b"" if name is None else _utf8(name) for name in names]
    plain = [at for at, i in enumerate(ids) if at in unknown or (i not in special and names[at] is not None)]
    steps = _decoding_steps(tokenizer)
    if steps is None:
        own = _by_windows(tokenizer, [ids[at] for at in plain])
    else:
        added = getattr(tokenizer, "added_tokens_decoder", {})
        literal = {k for k, at in enumerate(plain) if ids[at] in added}
        own = _decoded(steps, [out[at] for at in plain], literal)
    for at, piece in zip(plain, own, strict=True):
        out[at] = _utf8(unknown[at]) if at in unknown else piece
    return out


def bytes_inside(tokenizer: Any, token_id: int) -> bytes:
    """Return the bytes of one token inside a text (at its start a decoder may drop a space); none for a missing id."""
    (name,) = tokenizer.convert_ids_to_tokens([token_id])
    if name is None:
        return b""
    steps = _decoding_steps(tokenizer)
    if steps is None:
        return _utf8(tokenizer.decode([token_id]))
    return _decoded(steps, [b"x", _utf8(name)], set())[1]


def special_ids(tokenizer: Any) -> set[int]:
    """Return the ids that `decode(skip_special_tokens=True)` skips."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*tokenizer.all_special_ids, *(i for i, token in added.items() if getattr(token, "special", False))}


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# ── decoders that list their steps ───────────────────────────────────────────────────────────────────────────────


def _decoding_steps(tokenizer: Any) -> list[Decoder] | None:
    """Return the steps of the decoder; None if it does not list them, or if one is not supported here."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        if any(hasattr(tokenizer, name) for name in ("sp_model", "spm_source")):  # Marian and other slow ones
            return _SENTENCEPIECE
        return None
    if backend.decoder is None:
        return [{"type": "Join"}]
    try:
        steps = _flat(json.loads(backend.decoder.__getstate__()))
    except Exception:  # noqa: BLE001 - a decoder written in Python has no state, and raises errors of any type
        return None
    known = all(step["type"] in _STEPS and "Regex" not in step.get("pattern", ()) for step in steps)
    return steps if known else None


def _flat(step: Decoder) -> list[Decoder]:
    if step["type"] != "Sequence":
        return [step]
    return [inner for part in step["decoders"] for inner in _flat(part)]


_SENTENCEPIECE: list[Decoder] = [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
]


def _decoded(steps: list[Decoder], pieces: list[bytes], literal: set[int]) -> list[bytes]:
    """Apply the decoder's steps to each token. `literal`: positions of tokens whose bytes are used unchanged."""
    fused = False  # steps after Fuse process one piece, the whole text
    for step in steps:
        fused = fused or step["type"] == "Fuse"
        if step["type"] == "Strip" and fused:
            pieces = _stripped(step, pieces)
        else:
            change = _STEPS[step["type"]]
            keep = literal if step["type"] == "ByteLevel" else ()
            pieces = [piece if k in keep else change(step, piece, k == 0) for k, piece in enumerate(pieces)]
    return pieces


# Bytes 33-126, 161-172 and 174-255 are code points of their own; the others are mapped, in order, to 256 and above.
_MOVED = [b for b in range(256) if b not in {*range(33, 127), *range(161, 173), *range(174, 256)}]
_BYTE_LEVEL = dict(enumerate(_MOVED, start=256))


def _byte_level(_step: Decoder, piece: bytes, _first: bool) -> bytes:
    try:
        return piece.decode().translate(_BYTE_LEVEL).encode("latin-1")
    except UnicodeError:  # not in the alphabet, so used unchanged
        return piece


def _metaspace(step: Decoder, piece: bytes, first: bool) -> bytes:
    piece = piece.replace(_utf8(step.get("replacement", "▁")), b" ")
    return piece.removeprefix(b" ") if first and step.get("prepend_scheme") != "never" else piece


def _byte_fallback(_step: Decoder, piece: bytes, _first: bool) -> bytes:
    found = re.fullmatch(rb"<0x([0-9A-Fa-f]{2})>", piece)
    return bytes.fromhex(found[1].decode()) if found else piece


def _replace(step: Decoder, piece: bytes, _first: bool) -> bytes:
    return piece.replace(_utf8(step["pattern"]["String"]), _utf8(step["content"]))


def _word_piece(step: Decoder, piece: bytes, first: bool) -> bytes:
    prefix = _utf8(step.get("prefix", "##"))
    if first:
        return piece
    if piece.startswith(prefix):
        return piece.removeprefix(prefix)
    tight = step.get("cleanup") and piece.startswith((b".", b"?", b"!", b",", b"n't", b"'m", b"'s", b"'ve", b"'re"))
    return piece if tight else b" " + piece


def _stripped(step: Decoder, pieces: list[bytes]) -> list[bytes]:
    """Strip the step's content up to `start` times at the front and `stop` times at the end of all pieces together."""
    content, out = _utf8(step["content"]), list(pieces)
    for places, left, without in (
        (range(len(out)), step.get("start", 0), bytes.removeprefix),
        (reversed(range(len(out))), step.get("stop", 0), bytes.removesuffix),
    ):
        for at in places:
            while left and (shorter := without(out[at], content)) != out[at]:
                out[at], left = shorter, left - 1  # noqa: PLW2901 (counts what is left)
            if out[at]:
                break
    return out


_STEPS: dict[str, Callable[[Decoder, bytes, bool], bytes]] = {
    "ByteLevel": _byte_level,
    "Metaspace": _metaspace,
    "ByteFallback": _byte_fallback,
    "Replace": _replace,
    "WordPiece": _word_piece,
    "Strip": lambda step, piece, _first: _stripped(step, [piece])[0],
    "Fuse": lambda _step, piece, _first: piece,
    "Join": lambda _step, piece, first: piece if first else b" " + piece,  # as a backend without decoder does
}


# ── where it does not ────────────────────────────────────────────────────────────────────────────────────────────


def _by_windows(tokenizer: Any, ids: Sequence[int]) -> list[bytes]:
    """Return the bytes that each token adds to the decoded text, decoding it together with the token before it.

    The bytes of a character that several tokens share are divided evenly among them.
    """

    def text(part: Sequence[int]) -> str:
        return str(tokenizer.decode(part, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    out: list[bytes] = []
    context = done = 0
    for end in range(1, len(ids) + 1):
        before, after = text(ids[context:done]), text(ids[context:end])
        same = next((k for k, (x, y) in enumerate(zip(before, after, strict=False)) if x != y), len(before))
        new = after[same:]
        if new.endswith("\ufffd") and end < len(ids) and end - done < 8:
            continue
        data, n = _utf8(new), end - done
        cuts = [k * len(data) // n for k in range(n + 1)]
        out += [data[a:b] for a, b in pairwise(cuts)]
        context, done = done, end
    return out
