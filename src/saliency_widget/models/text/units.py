"""The units (tokens, words, sentences, segments) of a map, of aggregate() and of occlusion.

The page has the same rule in js/src/units.ts; tests/data/units.json checks both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from ...checks import one_of
from ...types import Token

Unit: TypeAlias = Literal["token", "word", "sentence", "segment"]

# For each kind of unit, a key: neighbours of equal keys are one unit. A special token is never in a word with others.
_KEYS: dict[str, Callable[[Token], object]] = {
    "token": lambda token: token.position,
    "word": lambda token: (token.word, token.role),
    "sentence": lambda token: token.sentence,
    "segment": lambda token: token.segment,
}


def units_of(tokens: Sequence[Token], unit: str, first_target: int) -> list[range]:
    """Return the units as ranges of indices that tile `tokens`, which may be the rows or the columns of a map.

    `first_target`: the position of the first written token. Given and written tokens are never in one unit, even if the
    first target continues a word.
    Raises: UnknownName for a unit that does not exist.
    """
    one_of("unit", unit, _KEYS)
    keys = [(_KEYS[unit](token), token.position < first_target) for token in tokens]
    cuts = [at for at in range(1, len(keys)) if keys[at] != keys[at - 1]]
    return [range(start, end) for start, end in zip([0, *cuts], [*cuts, len(keys)], strict=True)] if keys else []


def unit_numbers(tokens: Sequence[Token], unit: str, first_target: int) -> list[int]:
    """Return the number of each token's unit, from 0."""
    return [number for number, span in enumerate(units_of(tokens, unit, first_target)) for _ in span]
