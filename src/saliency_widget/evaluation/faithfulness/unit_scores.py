"""The targets of an evaluation, the units that may go, and each map's scores for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...attribution.aggregate import POOLS
from ...attribution.cards import card_of
from ...errors import InputError
from ...explanation.result import Explanation
from ...models.text.document import joined
from ...models.text.units import units_of
from ...types import Token

if TYPE_CHECKING:
    from ...attribution.result import Attribution
    from ...models.text.document import Document
    from ..common_text import CommonText
    from ..rankings import Floats


class Aim(NamedTuple):
    """A target of the evaluation: its name, and the targets of the document whose log-probabilities are added."""

    name: str
    targets: tuple[int, ...]


def aims_of(text: CommonText, asked: Sequence[Any] | None) -> tuple[Aim, ...]:
    """Return the targets to evaluate, of the first map that has columns of its own.

    `asked`: columns by index, text or token; several in a tuple or range make one. None: each class; of a written text
    all of it.
    Raises: InputError, TokenNotFound, AmbiguousToken.
    """
    n = len(text.document.targets)
    places = next((at for at, columns in enumerate(text.columns) if any(0 < len(c) < n for c in columns)), 0)
    found, columns = text.maps[places].map, text.columns[places]
    if not any(columns):
        raise InputError(
            f"{text.maps[places].name} has no column for what follows the text.", cure="Give a map of this target."
        )
    if asked is None:
        if found.cols[0].role == "class" and len(columns) > 1:
            return tuple(Aim(col.text.strip(), at) for col, at in zip(found.cols, columns, strict=True))
        return (_aim(found, columns, range(len(columns))),)
    if isinstance(asked, str | int | Token):
        asked = [asked]
    chosen = [
        [found.col(key) for key in item] if isinstance(item, tuple | range | list) else [found.col(item)]
        for item in asked
    ]
    if not chosen or not all(chosen):
        raise InputError("There is no target to evaluate.", cure="Leave targets= out, or name at least one column.")
    return tuple(_aim(found, columns, group) for group in chosen)


def _aim(found: Attribution, columns: Sequence[tuple[int, ...]], cols: Iterable[int]) -> Aim:
    cols = list(cols)
    targets = tuple(sorted({at for col in cols for at in columns[col]}))
    texts = [found.cols[col].text for col in cols]
    if len(texts) > 1:
        texts = [joined([found.cols[col] for col in cols]).text] if _touch(found, cols) else texts
    return Aim(" … ".join(text.strip() for text in texts), targets)


def _touch(found: Attribution, cols: Sequence[int]) -> bool:
    tokens = [found.cols[col] for col in cols]
    return all(b.position == a.position + a.length for a, b in pairwise(tokens))


def units(document: Document, unit: str, may_go: Iterable[int], first: int) -> list[tuple[int, ...]]:
    """Return the units that may be taken away: those of rows before `first` whose rows all may go."""
    free = {row for row in may_go if row < first}
    found = units_of(document.rows, unit, document.first_written)
    return [tuple(span) for span in found if all(row in free for row in span)]


def scores_of(text: CommonText, at: int, aim: Aim, rows_of_units: Sequence[Sequence[int]]) -> Floats:
    """Return the scores [n] of map `at` for the units, NaN where it has none.

    The tokens of a unit are pooled as the map's card says. A row of several tokens is shared out among them where
    scores add up. For several columns it is the mean of their shares, in which each column counts alike.
    Raises: InputError where the map has no column for the target, or no score for any unit.
    """
    given, columns = text.maps[at], text.columns[at]
    found = given.map
    chosen = [col for col, places in enumerate(columns) if places and set(places) <= set(aim.targets)]
    if {place for col in chosen for place in columns[col]} != set(aim.targets):
        chosen = [col for col, places in enumerate(columns) if set(aim.targets) <= set(places) and len(columns) == 1]
    if not chosen:
        raise InputError(
            f"{given.name} has no column for {aim.name!r}.",
            cure="Evaluate a target that all of the maps have, with targets=.",
        )
    scores = found.scores if len(chosen) == 1 else found.normalized()
    column = _mean(scores[:, chosen].astype(np.float64)) * _sense(given.source, aim)
    card = card_of(found.method, signed=found.signed, unit=found.unit)
    spread = np.full(len(text.document.rows), np.nan)
    for score, rows in zip(column.tolist(), text.groups[at], strict=True):
        for row in rows:
            part = score / len(rows) if card.pool == "sum" else score
            spread[row] = part if np.isnan(spread[row]) else spread[row] + part if card.pool == "sum" else spread[row]
    pooled = [_pool(spread[list(rows)], card.pool) for rows in rows_of_units]
    if np.isnan(pooled).all():
        raise InputError(
            f"{given.name} has no score for any unit that may be taken away before {aim.name!r}.",
            cure="Leave this map out, or evaluate another target.",
        )
    return np.array(pooled)


def _mean(columns: Floats) -> Floats:
    """Return the mean over columns [n], NaN where all of them are."""
    known = ~np.isnan(columns)
    total: Floats = np.where(known, columns, 0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.where(counts > 0, total / max(columns.shape[1], 1), np.nan)


def _pool(scores: Floats, pool: str) -> float:
    known = scores[~np.isnan(scores)]
    return float(POOLS[pool](known, 0)) if len(known) else float("nan")


def _sense(source: object, aim: Aim) -> int:
    """Return −1 where a map counts towards the other end of a scale: an LLM's numbers for a label at its low end."""
    if not isinstance(source, Explanation) or not source.choice.options or source.target is not None:
        return 1
    named = {
        name.strip().casefold(): option.label
        for option in source.choice.options
        for name in (option.written, option.name)
    }
    return source.choice.towards(named.get(aim.name.casefold(), source.label))
