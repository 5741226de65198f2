"""The one text that several maps are of: its tokens, its targets, and each map's scores for its units.

A map knows the ids of its tokens. A map without ids (an LLM's words, scores from elsewhere) is laid on the tokens by
its characters, and so is one of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..attribution.result import Attribution
from ..errors import InputError
from ..models.classifier import ClassifierModel
from ..models.text.document import Document, joined
from ..models.text.pairs import second_of_ids, types_of_ids
from ..models.text.prompting import Prompt, check_prompt, continuation
from ..types import Inputs, Target, Token

if TYPE_CHECKING:
    from ..models.base import Model

_CURE = "Evaluate maps of one text together, and this one by itself."


class Given(NamedTuple):
    """A map that was given: its name among the maps, itself, and where it came from."""

    name: str
    map: Attribution
    source: object


@dataclass(frozen=True)
class CommonText:
    """A document, the maps that are of it, and for each map the document's targets of each of its columns."""

    document: Document
    maps: tuple[Given, ...]
    columns: tuple[tuple[tuple[int, ...], ...], ...]
    groups: tuple[tuple[tuple[int, ...], ...], ...]  # of each map, the document's rows of each of its rows


def common_text(model: Model, maps: Sequence[Given]) -> CommonText:
    """Return the text of these maps as the model reads it.

    Raises: InputError for maps of different texts, and for a text that the model cannot read.
    """
    known = next((given for given in maps if _has_ids(given.map)), None)
    document = _rebuilt(model, maps[0]) if known is None else _from_ids(model, known)
    return CommonText(
        document,
        tuple(maps),
        tuple(_columns(given, document) for given in maps),
        tuple(_rows(given, document) for given in maps),
    )


# ── the document ─────────────────────────────────────────────────────────────────────────────────────────────────


def _has_ids(found: Attribution) -> bool:
    """Return whether the map names every token of the text, from the first one on, by its id."""
    whole = all(t.id >= 0 and t.length == 1 and t.position == at for at, t in enumerate(found.rows))
    return whole and bool(found.rows) and all(t.id >= 0 for t in found.cols) and bool(found.cols)


def _from_ids(model: Model, given: Given) -> Document:
    """Return the document of a map of tokens. Columns of several tokens count as so many targets."""
    rows, cols = given.map.rows, given.map.cols
    n_source = sum(token.role == "source" for token in rows) if not model.has_source else _n_source(given, model)
    if n_source and not model.has_source:
        raise InputError(
            f"{given.name} is a map of a model that reads a source, and {model.name} has none.",
            cure="Give the model that the map was made with.",
        )
    is_class = cols[0].role == "class"
    if is_class != isinstance(model, ClassifierModel):
        kind = "a classifier" if is_class else "a model that writes"
        raise InputError(
            f"{given.name} is a map of {kind}, and {model.name} is none.",
            cure="Give the model that the map was made with.",
        )
    ids = [token.id for token in rows]
    if is_class:
        n = len(rows)
        targets = tuple(Target(n, (token.id,)) for token in cols)
        tokens = [*rows, *cols]
    else:
        pairs = [pair for token in cols for pair in _ids_of(model, token, ids, given)]
        targets = tuple(Target(position, (token,)) for position, token in pairs)
        last = max(target.position for target in targets)
        if last > len(rows):
            raise InputError(
                f"{given.name} has a target at position {last}, and rows up to {len(rows) - 1}.",
                cure="Give a map whose rows are all the tokens before its last target.",
            )
        tokens = [*rows, cols[-1]] if last == len(rows) else list(rows)
    read = ids[n_source:]
    try:
        model.check_ids(ids[:n_source], model.embeddings[0])
        model.check_ids(read)
    except InputError as error:
        raise InputError(
            f"{given.name} has tokens that {model.name} does not know.", cure="Give the model that it was made with."
        ) from error
    return Document(
        inputs=Inputs(tuple(ids[:n_source]), tuple(read), _types(model, read)),
        first_target=min(target.position for target in targets),
        targets=targets,
        tokens=tuple(tokens),
        segments=given.map.segments,
    )


def _n_source(given: Given, model: Model) -> int:
    """Return the number of rows of the source, whose special tokens have no role of their own."""
    for segment in given.map.segments:
        if segment.kind == "source":
            return segment.end
    raise InputError(
        f"{given.name} does not say which of its rows are the source that {model.name} reads.",
        cure="Give a map that attribute() made.",
    )


def _ids_of(model: Model, token: Token, ids: Sequence[int], given: Given) -> list[tuple[int, int]]:
    """Return position and id of each token of a column; of a span the rows hold all ids but the last one's."""
    if token.length == 1:
        return [(token.position, token.id)]
    inside = range(token.position, token.position + token.length)
    if inside.stop - 1 < len(ids):
        return [(at, ids[at]) for at in inside]
    known = [given.map.rows[at] for at in inside[:-1]]
    rest = token.text.removeprefix(joined(known).text)
    last = continuation(model.tokenizer, None, [], rest) or ()
    if inside.stop - 1 == len(ids) and len(last) == 1:
        return [*((at, ids[at]) for at in inside[:-1]), (inside[-1], last[0])]
    raise InputError(
        f"{given.name} does not hold the ids of its target {token.text!r}.",
        cure="Give a map whose columns are tokens: leave span= out.",
    )


def _types(model: Model, ids: Sequence[int]) -> tuple[int, ...]:
    """Return the token types of a classifier that reads them."""
    reads = isinstance(model, ClassifierModel) and model.reads_types
    return tuple(types_of_ids(model.tokenizer, ids, second_of_ids(model.tokenizer, ids))) if reads else ()


def _rebuilt(model: Model, given: Given) -> Document:
    """Return the document of a map that has no ids: its text is encoded anew, and its columns are what follows."""
    found = given.map
    words = [token for token in found.rows[: _end_of_text(found)] if token.role != "special"]
    is_class = isinstance(model, ClassifierModel)
    if found.cols and found.cols[0].role == "class" and not is_class:
        raise InputError(
            f"{given.name} speaks of {found.cols[0].text!r}, which is no token that {model.name} writes.",
            cure="Give a map of the model's own beside it: evaluate(model, [attribute(model, …), explanation]).",
        )
    if not words or not found.cols:
        raise InputError(f"{given.name} has no scores for its first column.", cure="Give a map with scores.")
    text, target = _written(words), None if is_class else _written(found.cols, after=True)
    prompt: Prompt = check_prompt(text, target=target)
    encoded = model.encode(prompt)
    return model.document(encoded, encoded.target)


def _end_of_text(found: Attribution) -> int:
    """Return the number of rows that stand before the first target: of several, those up to the last that has a score.

    The rows after them are targets. Of an only target, and of what an LLM said, all rows stand before it.
    """
    if len(found.cols) < 2 or found.method == "llm":
        return len(found.rows)
    return 1 + int(np.flatnonzero(~np.isnan(found.scores[:, 0])).max(initial=-1))


def _written(tokens: Sequence[Token], *, after: bool = False) -> str:
    """Return the text of tokens; of bare words, with a space between them."""
    texts = [token.text for token in tokens]
    spaced = any(text[:1].isspace() or text[-1:].isspace() for text in texts)
    if spaced or (len(texts) == 1 and not after) or any(not char.isascii() for text in texts for char in text):
        return "".join(texts)
    return (" " if after and texts[0][:1].isalnum() else "") + " ".join(texts)


# ── columns and rows ─────────────────────────────────────────────────────────────────────────────────────────────


def _columns(given: Given, document: Document) -> tuple[tuple[int, ...], ...]:
    """Return the document's targets of each column. A single column of an LLM or of labels is about all of them."""
    found, targets = given.map, document.targets
    if document.cols and document.cols[0].role == "class":
        names = [token.text.strip() for token in document.cols]
        places = [tuple(at for at, name in enumerate(names) if name == col.text.strip()) for col in found.cols]
    elif all(col.id >= 0 for col in found.cols):
        places = [_covered(col, targets) for col in found.cols]
    else:
        names = [token.text.strip() for token in found.cols]
        written = _characters(_target_tokens(document))
        mine = [(char, at) for at, name in enumerate(names) for char in name if not char.isspace()]
        same = "".join(char for char, _ in mine) == "".join(char for char, _ in written)
        owners: list[set[int]] = [set() for _ in names]
        for (_, at), (_, target) in zip(mine, written, strict=False) if same else ():
            owners[at].add(target)
        places = [tuple(sorted(owner)) for owner in _with_spaces(owners, len(targets))]
    if len(found.cols) == 1 and not places[0] and found.cols[0].id < 0:
        return (tuple(range(len(targets))),)
    return tuple(places)


def _with_spaces(owners: list[set[int]], n: int) -> list[set[int]]:
    """Return the targets of each column, where a target of white space alone goes to the column after it, or before."""
    owned = sorted((target, col) for col, owner in enumerate(owners) for target in owner)
    for target in set(range(n)) - {target for target, _ in owned} if owned else ():
        col = next((col for other, col in owned if other > target), owned[-1][1])
        owners[col].add(target)
    return owners


def _covered(col: Token, targets: Sequence[Target]) -> tuple[int, ...]:
    inside = range(col.position, col.position + col.length)
    at = tuple(place for place, target in enumerate(targets) if target.position in inside)
    return at if len(at) == col.length and (col.length > 1 or targets[at[0]].ids[0] == col.id) else ()


def _target_tokens(document: Document) -> list[Token]:
    by_position = {token.position: token for token in document.tokens}
    return [by_position[target.position] for target in document.targets]


def _rows(given: Given, document: Document) -> tuple[tuple[int, ...], ...]:
    """Return the document's rows of each row of a map.

    Raises: InputError where the map is of another text.
    """
    rows, tokens = given.map.rows, document.rows
    if all(token.id >= 0 for token in rows):
        placed = [tuple(range(row.position, row.position + row.length)) for row in rows]
        for row, places in zip(rows, placed, strict=True):
            inside = [tokens[at] for at in places if at < len(tokens)]
            if len(inside) != len(places) and places and places[0] < len(tokens):
                raise _other_text(given, row, joined(inside))
            if inside and (inside[0].id != row.id or joined(inside).text != row.text):
                raise _other_text(given, row, joined(inside))
        return tuple(tuple(at for at in places if at < len(tokens)) for places in placed)
    theirs = _characters([token for token in tokens if token.role != "special"])
    at_row = [row for row, token in enumerate(tokens) if token.role != "special"]
    mine = _characters([row for row in rows if row.role != "special"])
    own = [at for at, row in enumerate(rows) if row.role != "special"]
    text, word = "".join(char for char, _ in theirs), "".join(char for char, _ in mine)
    start = 0 if text.startswith(word) else text.rfind(word)
    if start < 0 or not word:
        off = next((i for i, (a, b) in enumerate(zip(text, word, strict=False)) if a != b), 0)
        raise (
            _other_text(given, rows[own[mine[off][1]]], tokens[at_row[theirs[off][1]]])
            if mine and theirs
            else (InputError(f"{given.name} has no words.", cure=_CURE))
        )
    owners: list[list[int]] = [[] for _ in rows]
    for (_, mine_at), (_, their_at) in zip(mine, theirs[start:], strict=False):
        place = at_row[their_at]
        if place not in owners[own[mine_at]]:
            owners[own[mine_at]].append(place)
    row_of = {place: row for row, places in enumerate(owners) for place in places}
    for place in range(len(tokens) - 2, -1, -1):  # a space that is a token is of the word after it
        following = row_of.get(place + 1)
        blank = not tokens[place].text.strip() and tokens[place].word == tokens[place + 1].word
        if place not in row_of and following is not None and blank:
            row_of[place] = following
            owners[following].append(place)
    return tuple(map(tuple, owners))


def _characters(tokens: Sequence[Token]) -> list[tuple[str, int]]:
    """Return every character that is no white space, once, with the index of the token where it stands first.

    Tokens of a model may share a character, or show bytes that are none; words from elsewhere, of no id, are whole.
    """
    found: list[tuple[str, int]] = []
    before: Token | None = None
    for at, token in enumerate(tokens):
        shared = 0
        if before is not None and before.span and token.span and token.span[0] < before.span[1]:
            shared = before.span[1] - token.span[0]
        shared = shared if token.id >= 0 else 0
        whole = token.id < 0 or token.span is None or len(token.text) == token.span[1] - token.span[0]
        found += [(char, at) for char in (token.text[shared:] if whole else "") if not char.isspace()]
        before = token
    return found


def _other_text(given: Given, row: Token, there: Token) -> InputError:
    return InputError(
        f"{given.name} is a map of another text: it has {row.text.strip()!r} where the text has "
        f"{there.text.strip()!r}.",
        cure=_CURE,
    )
