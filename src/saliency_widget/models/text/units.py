"""Which tokens are one unit: the one rule for the map, for aggregate() and for what occlusion takes away.

The page has the same rule (js/src/units.ts); tests/data/units.json holds both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from ...checks import one_of
from ...types import Token

Unit: TypeAlias = Literal["token", "word", "sentence", "segment"]

# By the kind of unit: neighbours of equal keys are one. A special token and its neighbour are never one word.
_KEYS: dict[str, Callable[[Token], object]] = {
    "token": lambda token: token.position,
    "word": lambda token: (token.word, token.role),
    "sentence": lambda token: token.sentence,
    "segment": lambda token: token.segment,
}


def units_of(tokens: Sequence[Token], unit: str, first_target: int) -> list[range]:
    """The units as ranges of indices that tile `tokens`, which may be the rows or the columns of a map.

    `first_target`: the position of the first token that was written. What was read and what was written are never one
    unit, even where the first target continues a word.
    Raises: UnknownName for a unit that does not exist.
    """
    one_of("unit", unit, _KEYS)
    keys = [(_KEYS[unit](token), token.position < first_target) for token in tokens]
    cuts = [at for at in range(1, len(keys)) if keys[at] != keys[at - 1]]
    return [range(start, end) for start, end in zip([0, *cuts], [*cuts, len(keys)], strict=True)] if keys else []


def unit_numbers(tokens: Sequence[Token], unit: str, first_target: int) -> list[int]:
    """Of each token, the number of its unit, from 0."""
    return [number for number, span in enumerate(units_of(tokens, unit, first_target)) for _ in span]
