"""The tokens of a longer text, a prompt for example, that belong to each word of a review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..types import Token

if TYPE_CHECKING:
    from .alignment import Word


def text_of(tokens: Sequence[Token]) -> str:
    """Return the text that the tokens' spans refer to. Special tokens are no part of it."""
    length = max((token.span[1] for token in tokens if token.span is not None), default=0)
    characters = [" "] * length
    for token in tokens:
        # The text of invalid bytes is longer than their span; they belong to no word.
        if token.span is not None and len(token.text) == token.span[1] - token.span[0]:
            characters[slice(*token.span)] = token.text
    return "".join(characters)


def review_of(tokens: Sequence[Token]) -> str:
    """Guess the review in a text: the source or the prompt; for a chat, its last message."""
    given = [token for token in tokens if token.role in ("source", "prompt") and token.span is not None]
    last = [token for token in given if token.segment == given[-1].segment] if given else []
    is_chat = any(token.role == "special" for token in tokens[: given[-1].position]) if given else False
    chosen = last if is_chat else given
    if not chosen:
        return ""
    start, end = chosen[0].span, chosen[-1].span
    assert start is not None
    assert end is not None
    return text_of(tokens)[start[0] : end[1]].strip()


def place(review: str, words: Sequence[Word], tokens: Sequence[Token]) -> list[list[int]] | None:
    """Return for each word of the review the indices of its tokens; None if the text does not contain the review.

    If the text contains it more than once, the last occurrence counts: prompts put the review after instructions. A
    token over two words belongs to the word where it begins, and also to the other if that has no other token.
    """
    text = text_of(tokens)
    at = text.rfind(review)
    if at < 0 or not words:
        return None
    own: list[list[int]] = [[] for _ in words]
    touching: list[list[int]] = [[] for _ in words]
    word = 0
    for i, token in enumerate(tokens):
        if token.span is None:
            continue
        start, end = token.span
        anchor = next((c for c in range(start, end) if not text[c].isspace()), start) - at
        while word < len(words) and words[word].span[1] <= anchor:
            word += 1
        if word < len(words) and words[word].span[0] <= anchor:
            own[word].append(i)
        later = word
        while later < len(words) and words[later].span[0] < end - at:
            if words[later].span[1] > start - at:
                touching[later].append(i)
            later += 1
    groups = [mine or shared for mine, shared in zip(own, touching, strict=True)]
    return groups if all(groups) else None
