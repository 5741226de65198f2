"""Changed texts: units of a text are taken out, and the values of the changed texts give each unit its score.

`occlusion` takes out one unit at a time. `shapley` takes out whole coalitions of units (see `attribution.coalitions`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..attribution.coalitions import Draw, estimate
from ..errors import InputError
from .alignment import Word, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Span = tuple[int, int]

LEAST, ENOUGH = 4, 8  # changed texts a unit: below, Shapley values mean nothing; and as many as are read unless said
_SEED = 0


class Scores(NamedTuple):
    """The scores [units, k] of units, and their standard errors in the same shape, or None where nothing tells them."""

    scores: Numbers
    errors: Numbers | None


class Way(NamedTuple):
    """The texts that a method reads, the whole text first; `scored` turns their values [texts, k] into scores."""

    texts: list[str]
    scored: Callable[[Numbers], Scores]


def spans_of(text: str, unit: str) -> list[Span]:
    """Return the units of a text, "word" or "sentence". Raises: InputError if nothing is left without one."""
    words = words_of(text)
    units: list[list[Word]] = [[word] for word in words]
    if unit == "sentence":
        ends = set(sentence_ends(text))
        units = [[]]
        for word in words:
            units[-1].append(word)
            if word.span[1] in ends:
                units.append([])
        units = [group for group in units if group]
    if len(units) < 2:
        raise InputError(f"The text has {len(units)} {unit}s: nothing would be left.", cure="Give a longer text.")
    return [(group[0].span[0], group[-1].span[1]) for group in units]


def sentence_ends(text: str) -> list[int]:
    """Return the ends of sentences: after their marks, where white space or the end follows."""
    return [at + 1 for at, char in enumerate(text) if char in ".!?。！？…" and not text[at + 1 : at + 2].strip()]


def without(text: str, spans: Sequence[Span]) -> str:
    """Return the text without these spans, which are in order, and without the white space before each of them."""
    for start, end in reversed(spans):  # the places of earlier spans stay what they are
        before, after = text[:start], text[end:]
        text = before.rstrip() + after if before.strip() else after.lstrip()
    return text


def occlusion(text: str, spans: Sequence[Span]) -> Way:
    """Take out one unit at a time: a score is the fall of the value."""
    return Way([text, *(without(text, [span]) for span in spans)], lambda values: Scores(values[0] - values[1:], None))


def shapley(text: str, spans: Sequence[Span], calls: int | None) -> Way:
    """Take out coalitions and their complements: a score is a unit's Shapley value, with its standard error.

    `calls`: how many texts are read at most; None: 8 for each unit. Where these are all that there are, the values are
    exact, and their errors 0.
    Raises: InputError if `calls` are below 4 for each unit and are not all.
    """
    n = len(spans)
    draw = Draw(n, "shapley", _SEED)
    pairs = min(draw.possible, (ENOUGH * n if calls is None else calls) // 2 - 1)
    if pairs < min(draw.possible, LEAST * n // 2 - 1):
        raise InputError(
            f"calls={calls} are too few for {n} units: the values would mean nothing.",
            cure=f'Give at least {LEAST * n} (or leave calls= out), or take larger units: unit="sentence".',
        )
    masks = draw.more(pairs)

    def kept(mask: NDArray[np.bool_]) -> str:
        return without(text, [span for span, stays in zip(spans, mask, strict=True) if not stays])

    def scored(values: Numbers) -> Scores:
        ones, others = values[2 : 2 + len(masks)], values[2 + len(masks) :]
        return Scores(*estimate(draw, (ones - others) / 2, values[0] - values[1]))

    return Way([text, "", *map(kept, masks), *map(kept, ~masks)], scored)
