"""Two texts that a classifier reads as one: where the second begins, and the token types that tell them apart.

How a tokenizer joins texts is learnt from texts of one letter: what it puts before, between and behind them.
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
    """The segments of a pair of `n` tokens, of which the second text has those from `second` on."""
    return (
        Segment(kind="document", name="first text", start=0, end=second),
        Segment(kind="document", name="second text", start=second, end=n),
    )


def second_of(tokenizer: Any, first: str) -> int:
    """The first token of the second text of a pair. Raises: InputError where the tokenizer joins no texts."""
    frame = _frame(tokenizer, "a", "b")
    if frame is None:
        raise InputError("The tokenizer of this model takes no pair of texts.", cure="Give one text.")
    before, between, _ = frame.ids
    return len(before) + len(_bare(tokenizer, first)) + len(between)


def second_of_ids(tokenizer: Any, ids: Sequence[int]) -> int | None:
    """The first token of the second text in ids of a pair; None in ids of one text.

    Raises: InputError where more than two texts stand apart.
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
            "In these ids more than two texts stand apart, and the model is to be told which token is of which.",
            cure="Give the two texts themselves: (first, second).",
        )
    return places[0] + size


def types_of_ids(tokenizer: Any, ids: Sequence[int], second: int | None) -> list[int]:
    """Token types as the tokenizer gives them, to ids of one text or, from `second` on, of a second one."""
    frame = _frame(tokenizer, "a") if second is None else _frame(tokenizer, "a", "b")
    assert frame is not None, "a tokenizer takes one text, and no second one was found where it takes no pair"
    n, (before, *_, behind) = len(ids), frame.types
    if list(ids[: len(before)]) != frame.ids[0] or list(ids[n - len(behind) :]) != frame.ids[-1]:
        return [frame.inner[0]] * n  # without the tokens around them
    if second is None:
        return [*before, *frame.inner * (n - len(before) - len(behind)), *behind]
    between = frame.types[1]
    lengths = (second - len(before) - len(between), n - second - len(behind))
    first, other = ([kind] * length for kind, length in zip(frame.inner, lengths, strict=True))
    return [*before, *first, *between, *other, *behind]


def _frame(tokenizer: Any, *texts: str) -> _Frame | None:
    """The frame that the tokenizer puts around these texts; None where it does not take so many."""
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
