"""The original text of unknown tokens, to all of which a tokenizer gives the same id.

A fast tokenizer returns the characters of each token. A slow one only names its pieces, whose characters it has
normalised: these are searched in the text, one after another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


def unknown_texts(tokenizer: Any, text: str | None, ids: Sequence[int]) -> tuple[str | None, ...]:
    """Return for each id of an encoded text its characters if it is the unknown token, otherwise None.

    A separating space before these characters is included. Return () if no token is unknown, if the text is None, or if
    it does not encode to these ids. An unknown token that the text itself spells out stands for itself.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    if text is None or unknown is None or unknown not in ids:
        return ()
    pieces = list(_by_offsets(tokenizer, text) if getattr(tokenizer, "is_fast", False) else _by_pieces(tokenizer, text))
    bare = [piece.id for piece in pieces]
    first = next((at for at in range(len(ids) - len(bare) + 1) if list(ids[at : at + len(bare)]) == bare), None)
    if first is None:
        return ()
    found: list[str | None] = [None] * len(ids)
    for at, piece in enumerate(pieces, start=first):
        if piece.id == unknown and piece.text and piece.text.strip() != tokenizer.unk_token:
            found[at] = piece.text
    return tuple(found) if any(found) else ()


class _Piece(NamedTuple):
    """A token of the text that is not special. `text` is empty if it was not found."""

    id: int
    text: str


def _by_offsets(tokenizer: Any, text: str) -> Iterator[_Piece]:
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    end = 0
    for token, (a, b) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
        apart = 0 < end < a and text[end:a].isspace()
        yield _Piece(token, (" " if apart else "") + text[a:b])
        end = max(end, b)


# ── where a tokenizer names its pieces only ──────────────────────────────────────────────────────────────────────

_SPACE = "▁"  # SentencePiece's


def _by_pieces(tokenizer: Any, text: str) -> Iterator[_Piece]:
    names: list[str] = tokenizer.tokenize(text)
    places = _places(names, text, tokenizer.unk_token)
    for name, token, place in zip(names, tokenizer.convert_tokens_to_ids(names), places, strict=True):
        if place is None:
            yield _Piece(token, "" if name == tokenizer.unk_token else name.replace(_SPACE, " "))
            continue
        a, b = place
        spaced = name.startswith(_SPACE) or (_SPACE not in "".join(names) and text[a - 1 : a].isspace())
        yield _Piece(token, (" " if spaced and a > 0 else "") + text[a:b])


def _places(names: Sequence[str], text: str, unknown: str) -> list[tuple[int, int] | None]:
    """Return the range [start, end) of each piece in the text; None for a piece that was not found.

    The range of an unknown piece is the text between its neighbours.
    """
    folded, origin = _folded(text)
    places: list[tuple[int, int] | None] = []
    at, left_out = 0, False
    for name in names:
        if name == unknown:
            places.append(None)
            left_out = True
            continue
        bare = _folded(_letters(name))[0]
        where = folded.find(bare, at)
        if where < 0 or (folded[at:where].strip() and not left_out):
            break
        at, left_out = where + len(bare), False
        places.append((origin[where], origin[at - 1] + 1 if bare else origin[where]))
    places += [None] * (len(names) - len(places))
    for k in [k for k, name in enumerate(names) if name == unknown]:
        places[k] = _between(places, k, text)
    return places


def _between(places: Sequence[tuple[int, int] | None], k: int, text: str) -> tuple[int, int] | None:
    """Return the range of the text between the neighbours of piece k; None if one of these has no range."""
    before = (0, 0) if k == 0 else places[k - 1]
    after = (len(text), len(text)) if k + 1 == len(places) else places[k + 1]
    if before is None or after is None:
        return None
    a, b = before[1], after[0]
    gap = text[a:b]
    return a + len(gap) - len(gap.lstrip()), b - len(gap) + len(gap.rstrip())


def _letters(name: str) -> str:
    """Return the characters of a piece, without the marks of the starts and ends of words."""
    return name.replace(_SPACE, " ").strip().removeprefix("##").removesuffix("</w>").removesuffix("@@")


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the decomposed text in small letters, and the original index of each of its characters and of its end."""
    parts = [unicodedata.normalize("NFKD", char).casefold() for char in text]
    origin = [at for at, part in enumerate(parts) for _ in part]
    return "".join(parts), [*origin, len(text)]
