"""Documents that were retrieved for a question: where a chat template puts each of them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ...errors import InputError

NO_PLACE = 'Write them into a message, and name them as parts of the text: segments={"a name": "its words"}.'


def checked_documents(documents: Any) -> list[dict[str, Any]]:
    """Return the documents as templates for retrieval read them; a text alone is `{"text": …}`. Raises: InputError."""
    cure = 'Give documents=["…", …], or [{"title": "…", "text": "…"}, …].'
    if isinstance(documents, str | Mapping) or not isinstance(documents, Sequence) or not documents:
        raise InputError("documents= is no list of texts.", cure=cure)
    found = [{"text": one} if isinstance(one, str) else one for one in documents]
    for at, one in enumerate(found):
        if not isinstance(one, Mapping) or not any(isinstance(part, str) and part.strip() for part in one.values()):
            raise InputError(f"documents[{at}] holds no text.", cure=cure)
    return [copy.deepcopy(dict(one)) for one in found]


def places_of_documents(
    documents: Any, found: Mapping[tuple[str | int, ...], Sequence[tuple[int, int]]]
) -> list[tuple[str, int, int]]:
    """Return the name and the characters [start, end) of each document, from its first text to its last, title and all.

    `found`: by the path of each of their texts, as ("documents", 0, "title"), its places in the rendered chat.
    Where a template writes the titles apart from the texts, a document is its longest text alone. Its name is its
    title; the second of two that are alike is numbered.
    """
    if isinstance(documents, str | Mapping) or not isinstance(documents, Sequence):
        return []
    whole, longest, known = [], [], Counter[str]()
    for at, one in enumerate(documents):
        places = [place for path, of_text in found.items() if path[:2] == ("documents", at) for place in of_text]
        if not places:  # it has labels alone
            continue
        title = one.get("title") if isinstance(one, Mapping) else None
        name = title.strip() if isinstance(title, str) and title.strip() else f"document {at + 1}"
        known[name] += 1
        name = name if known[name] == 1 else f"{name} ({known[name]})"
        whole.append((name, min(a for a, _ in places), max(b for _, b in places)))
        longest.append((name, *max(places, key=lambda place: place[1] - place[0])))
    apart = all(one[2] <= two[1] for one, two in pairwise(sorted(whole, key=lambda one: one[1])))
    return whole if apart else longest


def tokens_in(offsets: Sequence[tuple[int, int]], start: int, end: int) -> range:
    """Return the tokens that have characters of a range [start, end). `offsets`: the characters of each token."""
    inside = [at for at, (a, b) in enumerate(offsets) if a < end and start < b]
    return range(inside[0], inside[-1] + 1)
