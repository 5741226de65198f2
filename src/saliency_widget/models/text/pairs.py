"""Pairs of texts that a classifier reads as one: the start of the second text, and the token types of both.

The ids that a tokenizer puts before, between and after texts are found by encoding texts of one letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import InputError
from ...types import Segment


class _Frame(NamedTuple):
    """The ids around one text or two, and their token types. `inner`: the token type of each text."""

    ids: list[list[int]]
    types: list[list[int]]
    inner: list[int]


def pair_of(second: int, n: int) -> tuple[Segment, Segment]:
    """Return the segments of a pair of `n` tokens whose second text begins at `second`."""
    return (
        Segment(kind="document", name="first text", start=0, end=second),
        Segment(kind="document", name="second text", start=second, end=n),
    )


def second_of(tokenizer: Any, first: str) -> int:
    """Return the index of the second text's first token in a pair. Raises: InputError if no pair can be encoded."""
    frame = _frame(tokenizer, "a", "b")
    if frame is None:
        raise InputError("The tokenizer of this model takes no pair of texts.", cure="Give one text.")
    before, between, _ = frame.ids
    return len(before) + len(_bare(tokenizer, first)) + len(between)


def second_of_ids(tokenizer: Any, ids: Sequence[int]) -> int | None:
    """Return the index of the second text's first token in the ids of a pair; None for ids of one text.

    Raises: InputError if the ids separate more than two texts.
    """
    frame = _frame(tokenizer, "a", "b")
    if frame is None or not frame.ids[1]:
        return None
    before, between, behind = frame.ids
    end, size = len(ids) - len(behind), len(between)
    places = [at for at in range(len(before) + 1, end - size) if list(ids[at : at + size]) == between]
    if not places or list(ids[end:]) != behind:
        return None
    if len(places) > 1:
        raise InputError(
            "These ids separate more than two texts, and the model needs to know which token belongs to which.",
            cure="Give the two texts themselves: (first, second).",
        )
    return places[0] + size


def types_of_ids(tokenizer: Any, ids: Sequence[int], second: int | None) -> list[int]:
    """Return the tokenizer's token types for ids of one text or, from `second` on, of a second one."""
    frame = _frame(tokenizer, "a") if second is None else _frame(tokenizer, "a", "b")
    assert frame is not None, "a tokenizer takes one text, and no second one was found where it takes no pair"
    n, (before, *_, behind) = len(ids), frame.types
    if list(ids[: len(before)]) != frame.ids[0] or list(ids[n - len(behind) :]) != frame.ids[-1]:
        return [frame.inner[0]] * n  # ids without special tokens
    if second is None:
        return [*before, *frame.inner * (n - len(before) - len(behind)), *behind]
    between = frame.types[1]
    lengths = (second - len(before) - len(between), n - second - len(behind))
    first, other = ([kind] * length for kind, length in zip(frame.inner, lengths, strict=True))
    return [*before, *first, *between, *other, *behind]


def _frame(tokenizer: Any, *texts: str) -> _Frame | None:
    """Return the frame that the tokenizer puts around these texts; None if it does not accept so many."""
    encoding = tokenizer(*texts)
    ids = list(encoding["input_ids"])
    types = list(encoding.get("token_type_ids") or [0] * len(ids))
    frame, at = _Frame([], [], []), 0
    for text in texts:
        bare = _bare(tokenizer, text)
        start = next((k for k in range(at, len(ids)) if ids[k : k + len(bare)] == bare), None)
        if start is None or not bare:
            return None
        frame.ids.append(ids[at:start])
        frame.types.append(types[at:start])
        frame.inner.append(types[start])
        at = start + len(bare)
    frame.ids.append(ids[at:])
    frame.types.append(types[at:])
    return frame


def _bare(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
